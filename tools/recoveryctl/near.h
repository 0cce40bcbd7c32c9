
/*
 * "Did you mean": the word that is nearest to a mistyped one.
 */

#ifndef CTL_NEAR_H_INCLUDED_
#define CTL_NEAR_H_INCLUDED_


#include <stddef.h>


#define CTL_NEAR_MAX  64


typedef struct {
    char         word[CTL_NEAR_MAX];    /* cut */
    const char  *best;
    unsigned     distance;
} ctl_near_t;


void ctl_near_begin(ctl_near_t *search, const char *word, size_t len);
void ctl_near_try(ctl_near_t *search, const char *word);

/* NULL: none is near. */
const char *ctl_near_best(const ctl_near_t *search);


#endif /* CTL_NEAR_H_INCLUDED_ */
