
#include <string.h>

#include "sieve.h"


_Static_assert(RCV_GRAMS_RULES == 4, "numbers of words in rcv_sieve_ends()");


/*
 * What the length and both ends of the value leave.  Ends as soon as no rule
 * is left of which a place could tell.
 */

static inline void
rcv_sieve_walk(const rcv_subject_sieve_t *of, rcv_str_t value,
    uint64_t *left, const unsigned nwords)
{
    int              place;
    size_t           at;
    unsigned         i;
    uint64_t         more;
    const int       *places, *last;
    const uint64_t  *row, *cell;

    at = value.len;

    if (at > RCV_SHAPE_LENGTHS - 1) {
        at = RCV_SHAPE_LENGTHS - 1;
    }

    for (i = 0, more = 0; i < nwords; i++) {
        left[i] = of->by_length[at * nwords + i];
        more |= left[i] & of->placed[i];
    }

    row = of->by_byte;
    places = of->places;
    last = places + of->nplaces;

    for ( /* void */ ; more != 0 && places != last; places++) {
        place = *places;
        at = (size_t) place + (place < 0 ? value.len : 0);

        if (at < value.len) {
            cell = row + of->columns[(uint8_t) value.data[at]] * nwords;

            for (i = 0, more = 0; i < nwords; i++) {
                left[i] &= cell[i];
                more |= left[i] & of->placed[i];
            }
        }

        row += of->ncolumns * nwords;
    }
}


/* The same, written out for each number of words. */

static inline void
rcv_sieve_ends(const rcv_subject_sieve_t *of, rcv_str_t value, uint64_t *left)
{
    left[0] = left[1] = left[2] = left[3] = 0;

    switch (of->nwords) {

    case 1:
        rcv_sieve_walk(of, value, left, 1);
        return;

    case 2:
        rcv_sieve_walk(of, value, left, 2);
        return;

    case 4:
        rcv_sieve_walk(of, value, left, 4);
    }
}


/* Of the rules that are left, those whose words are not in the value go. */

static void
rcv_sieve_words(const rcv_subject_sieve_t *of, rcv_str_t value,
    uint64_t *left)
{
    unsigned  i;
    uint64_t  found[RCV_GRAMS_RULES];

    for (i = 0; i < RCV_GRAMS_RULES; i++) {
        found[i] = ~of->worded[i];
    }

    rcv_grams_find(of->grams, value, found);

    for (i = 0; i < RCV_GRAMS_RULES; i++) {
        left[i] &= found[i];
    }
}


/* 0 or 1; -1: it takes a look at the words. */

static inline int
rcv_sieve_some(const rcv_subject_sieve_t *of, const uint64_t *left)
{
    unsigned  i;
    uint64_t  worded, others;

    worded = 0;
    others = 0;

    for (i = 0; i < RCV_GRAMS_RULES; i++) {
        worded |= left[i] & of->worded[i];
        others |= left[i] & ~of->worded[i];
    }

    return (others != 0) ? 1 : (worded != 0) ? -1 : 0;
}


int
rcv_sieve_look(const rcv_subject_sieve_t *of, rcv_str_t value)
{
    int       some;
    uint64_t  left[RCV_GRAMS_RULES];

    if (value.len > RCV_SHAPE_LONGEST) {
        return 1;
    }

    rcv_sieve_ends(of, value, left);
    some = rcv_sieve_some(of, left);

    if (some >= 0) {
        return some;
    }

    rcv_sieve_words(of, value, left);

    return rcv_sieve_some(of, left) != 0;
}


void
rcv_sieve(const rcv_sieve_t *sieve, unsigned subject, rcv_str_t value,
    uint64_t *left)
{
    unsigned                    i;
    uint64_t                    these[RCV_GRAMS_RULES];
    const rcv_subject_sieve_t  *of;

    /* with a long one PCRE2 may hit a bound, and that is to be counted */

    if (value.len > RCV_SHAPE_LONGEST) {
        return;
    }

    of = &sieve->subjects[subject];
    rcv_sieve_ends(of, value, these);

    if (rcv_sieve_some(of, these) != 0 && of->grams != NULL) {
        rcv_sieve_words(of, value, these);
    }

    for (i = 0; i < RCV_GRAMS_RULES; i++) {
        left[i] &= ~of->rules[i] | these[i];
    }
}
