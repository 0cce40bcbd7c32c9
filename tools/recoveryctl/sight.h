
/*
 * How nodes see a backend, in few words: "2 of 3 nodes: 1 down; 1 up, force
 * closed".
 */

#ifndef CTL_SIGHT_H_INCLUDED_
#define CTL_SIGHT_H_INCLUDED_


#include <jansson.h>


#define CTL_SIGHT_MAX   160
#define CTL_SIGHTS_MAX  16


typedef struct {
    size_t  n;
    size_t  count[CTL_SIGHTS_MAX];
    char    text[CTL_SIGHTS_MAX][CTL_SIGHT_MAX];
} ctl_sights_t;


/* A member that is a string; "": it is none. */
const char *ctl_word(const json_t *object, const char *member);

/* A report, or what a status has of a backend; kinds beyond 16 are left out. */
void ctl_sight_add(ctl_sights_t *sights, const json_t *backend);

/* The line, on stdout: of so many nodes so many are done. */
void ctl_sight_print(const ctl_sights_t *sights, size_t done, size_t nodes);


#endif /* CTL_SIGHT_H_INCLUDED_ */
