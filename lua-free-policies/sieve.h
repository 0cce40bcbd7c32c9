
/*
 * Which rules of a policy can match a string at all?  So that a request pays
 * for the rules that concern it and not for all that there are.
 *
 * Made once of the rules' shapes (shape.h).  Each rule is a bit; tables tell
 * of a length, and of a byte at a place, which rules they leave.  Of the
 * places at both ends those few are looked at that tell the rules apart.
 * Rules of which only words in the midst are known are found by pieces of
 * these, in one walk over the string for all of them.
 *
 * A rule that is left is tried as if there were no sieve; one that is not
 * left would not have matched.
 */

#ifndef RCV_SIEVE_H_INCLUDED_
#define RCV_SIEVE_H_INCLUDED_


#include "grams.h"
#include "policy.h"
#include "shape.h"


#define RCV_SIEVE_PLACES  8


/* For the strings of one subject. */

typedef struct {
    uint64_t             lengths;       /* of which a rule may be: bits */
    unsigned             nwords;        /* of rules' bits: 0, 1, 2 or 4 */
    unsigned             nplaces;
    unsigned             ncolumns;
    int                  places[RCV_SIEVE_PLACES];  /* below 0: from the end */
    uint8_t              columns[256];              /* of a byte */

    uint64_t             rules[RCV_GRAMS_RULES];    /* on the subject */
    uint64_t             placed[RCV_GRAMS_RULES];   /* the places are for */
    uint64_t             worded[RCV_GRAMS_RULES];   /* the grams are for */

    const uint64_t      *by_length;                 /* [length][word] */
    const uint64_t      *by_byte;                   /* [place][column][word] */
    const rcv_grams_t   *grams;                     /* NULL: none */
} rcv_subject_sieve_t;


typedef struct rcv_sieve_s  rcv_sieve_t;


struct rcv_sieve_s {
    unsigned             nsubjects;
    rcv_subject_sieve_t  subjects[];
};


/*
 * Makes the sieve of a finished policy; without one all rules are tried.
 * "shapes" is room for policy->nmatches of them, and free again afterwards.
 * 0, or -1: no memory.  Set-up only.
 */
int rcv_sieve_make(rcv_policy_t *policy, rcv_shape_t *shapes,
    rcv_alloc_pt alloc, void *data);

int rcv_sieve_look(const rcv_subject_sieve_t *of, rcv_str_t value);

/* Does the value leave a rule, or so it seems?  Else none matches. */

static inline int
rcv_sieve_any(const rcv_subject_sieve_t *of, rcv_str_t value)
{
    return (value.len >= RCV_SHAPE_LENGTHS
            || (of->lengths >> value.len & 1))
           && rcv_sieve_look(of, value);
}


/* Takes the rules out of "left" that the value of the subject excludes. */
void rcv_sieve(const rcv_sieve_t *sieve, unsigned subject, rcv_str_t value,
    uint64_t *left);


#endif /* RCV_SIEVE_H_INCLUDED_ */
