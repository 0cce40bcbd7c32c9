
/* The sieve of a policy; sieve.h tells what it is made of. */

#include <string.h>

#include "sieve.h"


#define RCV_PLACES_ALL    (RCV_SHAPE_HEAD + RCV_SHAPE_TAIL)
#define RCV_PLACE_DEPTH   8u
#define RCV_PLACE_PAIR    4u
#define RCV_PLACE_NEWS    4u            /* halvings */

/* so many of the rules are compared with each other: that is enough */
#define RCV_PAIRS_MAX     64


typedef struct {
    const rcv_policy_t  *policy;
    rcv_shape_t         *shapes;
    rcv_alloc_pt         alloc;
    void                *data;
} rcv_maker_t;


/* The rules on one subject. */

typedef struct {
    unsigned             n;
    const rcv_shape_t   *shapes[RCV_MATCHES_MAX];
    uint16_t             rules[RCV_MATCHES_MAX];

    /* what the places that have been taken tell of each */
    unsigned             told[RCV_MATCHES_MAX];

    /* pairs of them that no place tells apart yet: bit j of [i], j < i */
    uint64_t             alike[RCV_PAIRS_MAX];
} rcv_ruled_t;


static const rcv_bytes_t *
rcv_shape_place(const rcv_shape_t *shape, unsigned place)
{
    return (place < RCV_SHAPE_HEAD) ? &shape->head[place]
                                    : &shape->tail[place - RCV_SHAPE_HEAD];
}


/* Of paths many have the beginning in common. */

static unsigned
rcv_place_depth(const rcv_shape_t *shape, unsigned place)
{
    return (place < RCV_SHAPE_HEAD && rcv_bytes_has(&shape->head[0], '/'))
           ? place + 1
           : RCV_PLACE_DEPTH;
}


/*
 * What the place tells.  Of rules it tells apart: who comes with a string that
 * one of them lets pass is a stranger to the other.  Of other strings, more
 * the less of the rule is known from places that have been taken.
 */

static unsigned
rcv_place_worth(const rcv_ruled_t *ruled, unsigned place, uint64_t *alike)
{
    unsigned            i, j, worth, news;
    const rcv_bytes_t  *set;

    worth = 0;

    for (i = 0; i < ruled->n; i++) {
        set = rcv_shape_place(ruled->shapes[i], place);
        news = rcv_bytes_tell(set) * rcv_place_depth(ruled->shapes[i], place);
        worth += (news << RCV_PLACE_NEWS)
                 >> rcv_min(ruled->told[i] / RCV_BYTES_TELL, RCV_PLACE_NEWS);

        if (i >= RCV_PAIRS_MAX) {
            continue;
        }

        alike[i] = ruled->alike[i];

        for (j = 0; j < i; j++) {

            if ((alike[i] >> j & 1)
                && !rcv_bytes_meet(set,
                                   rcv_shape_place(ruled->shapes[j], place)))
            {
                alike[i] &= ~(1ull << j);
                worth += RCV_PLACE_PAIR;
            }
        }
    }

    return worth;
}


/* The next place to look at; RCV_PLACES_ALL: none tells anything more. */

static unsigned
rcv_place_next(rcv_ruled_t *ruled, uint64_t *taken)
{
    unsigned  i, place, best, worth, most;
    uint64_t  alike[RCV_PAIRS_MAX];

    best = RCV_PLACES_ALL;
    most = 0;

    for (place = 0; place < RCV_PLACES_ALL; place++) {

        if (*taken >> place & 1) {
            continue;
        }

        worth = rcv_place_worth(ruled, place, alike);

        if (worth > most) {
            most = worth;
            best = place;
        }
    }

    if (best == RCV_PLACES_ALL) {
        return best;
    }

    (void) rcv_place_worth(ruled, best, alike);
    memcpy(ruled->alike, alike, sizeof(alike));
    *taken |= 1ull << best;

    for (i = 0; i < ruled->n; i++) {
        ruled->told[i] += rcv_bytes_tell(
                                    rcv_shape_place(ruled->shapes[i], best));
    }

    return best;
}


static uint64_t
rcv_rule_bit(unsigned rule)
{
    return 1ull << (rule & 63);
}


static void
rcv_sieve_places(rcv_subject_sieve_t *of, rcv_ruled_t *ruled)
{
    unsigned  i, place, rule;
    uint64_t  taken;

    taken = 0;

    for (of->nplaces = 0; of->nplaces < RCV_SIEVE_PLACES; of->nplaces++) {
        place = rcv_place_next(ruled, &taken);

        if (place == RCV_PLACES_ALL) {
            break;
        }

        of->places[of->nplaces] = (place < RCV_SHAPE_HEAD)
                                  ? (int) place
                                  : RCV_SHAPE_HEAD - 1 - (int) place;
    }

    for (i = 0; i < ruled->n; i++) {
        rule = ruled->rules[i];

        if (ruled->told[i] != 0) {
            of->placed[rule >> 6] |= rcv_rule_bit(rule);
        }
    }
}


static unsigned
rcv_sieve_place(const rcv_subject_sieve_t *of, unsigned i)
{
    int  place;

    place = of->places[i];

    return (unsigned) (place < 0 ? RCV_SHAPE_HEAD - 1 - place : place);
}


/* Bytes that leave the same rules at all places share a column. */

static void
rcv_sieve_columns(rcv_subject_sieve_t *of, const rcv_ruled_t *ruled,
    uint8_t *first)
{
    unsigned            i, k, byte, column;
    const rcv_bytes_t  *set;

    for (byte = 0; byte < 256; byte++) {

        for (column = 0; column < of->ncolumns; column++) {

            for (i = 0; i < of->nplaces * ruled->n; i++) {
                k = i / of->nplaces;
                set = rcv_shape_place(ruled->shapes[k],
                                     rcv_sieve_place(of, i % of->nplaces));

                if (rcv_bytes_has(set, byte)
                    != rcv_bytes_has(set, first[column]))
                {
                    break;
                }
            }

            if (i == of->nplaces * ruled->n) {
                break;
            }
        }

        of->columns[byte] = (uint8_t) column;

        if (column == of->ncolumns) {
            first[of->ncolumns++] = (uint8_t) byte;
        }
    }
}


static void
rcv_sieve_fill(const rcv_subject_sieve_t *of, const rcv_ruled_t *ruled,
    const uint8_t *first, uint64_t *by_length, uint64_t *by_byte)
{
    unsigned            i, k, column, word, cell;
    uint64_t            bit;
    const rcv_bytes_t  *set;

    for (i = 0; i < ruled->n; i++) {
        word = ruled->rules[i] >> 6;
        bit = rcv_rule_bit(ruled->rules[i]);

        for (k = 0; k < RCV_SHAPE_LENGTHS; k++) {
            if (ruled->shapes[i]->lengths >> k & 1) {
                by_length[k * of->nwords + word] |= bit;
            }
        }

        for (k = 0; k < of->nplaces; k++) {
            set = rcv_shape_place(ruled->shapes[i], rcv_sieve_place(of, k));

            for (column = 0; column < of->ncolumns; column++) {
                cell = (k * of->ncolumns + column) * of->nwords + word;

                if (rcv_bytes_has(set, first[column])) {
                    by_byte[cell] |= bit;
                }
            }
        }
    }
}


static int
rcv_sieve_tables(const rcv_maker_t *maker, rcv_subject_sieve_t *of,
    const rcv_ruled_t *ruled)
{
    size_t     size, lengths;
    uint8_t    first[256];              /* of a column */
    uint64_t  *tables;

    rcv_sieve_columns(of, ruled, first);

    lengths = RCV_SHAPE_LENGTHS * of->nwords;
    size = sizeof(uint64_t)
           * (lengths + of->nplaces * of->ncolumns * of->nwords);

    tables = maker->alloc(maker->data, size);
    if (tables == NULL) {
        return -1;
    }

    memset(tables, 0, size);
    of->by_length = tables;
    of->by_byte = tables + lengths;

    rcv_sieve_fill(of, ruled, first, tables, tables + lengths);

    return 0;
}


/*
 * Where there are rules of which no place tells, a string is searched for
 * words anyway: then the places need not tell of others that have some.
 */

static void
rcv_sieve_worded(rcv_subject_sieve_t *of)
{
    unsigned  i;
    uint64_t  unplaced;

    memcpy(of->worded, of->grams->rules, sizeof(of->worded));

    for (i = 0, unplaced = 0; i < RCV_GRAMS_RULES; i++) {
        unplaced |= of->worded[i] & ~of->placed[i];
    }

    for (i = 0; unplaced != 0 && i < RCV_GRAMS_RULES; i++) {
        of->placed[i] &= ~of->worded[i];
    }
}


static int
rcv_sieve_subject(const rcv_maker_t *maker, rcv_subject_sieve_t *of,
    unsigned subject)
{
    unsigned             i;
    rcv_ruled_t          ruled;
    const rcv_policy_t  *policy;

    policy = maker->policy;
    memset(of, 0, sizeof(rcv_subject_sieve_t));
    memset(&ruled, 0, sizeof(ruled));
    memset(ruled.alike, 0xff, sizeof(ruled.alike));

    for (i = 0; i < policy->nmatches; i++) {

        if (policy->matches[i].test.subject == subject) {
            ruled.shapes[ruled.n] = &maker->shapes[i];
            ruled.rules[ruled.n++] = (uint16_t) i;

            of->rules[i >> 6] |= rcv_rule_bit(i);
            of->lengths |= maker->shapes[i].lengths;
        }
    }

    if (ruled.n == 0) {
        return 0;
    }

    of->nwords = (policy->nmatches <= 64) ? 1
                 : (policy->nmatches <= 128) ? 2 : RCV_GRAMS_RULES;

    rcv_sieve_places(of, &ruled);

    if (rcv_sieve_tables(maker, of, &ruled) != 0
        || rcv_grams_make(&of->grams, policy, subject, maker->shapes,
                          maker->alloc, maker->data)
           != 0)
    {
        return -1;
    }

    if (of->grams != NULL) {
        rcv_sieve_worded(of);
    }

    return 0;
}


static void
rcv_shape_rule(rcv_shape_t *shape, const rcv_test_t *test)
{
    if (test->op == RCV_OP_EQUAL) {
        rcv_shape_equal(shape, test->value);

    } else {
        rcv_shape_pattern(shape, test->value,
                          test->op == RCV_OP_REGEX_CASELESS,
                          rcv_pattern_line_feed(test->pattern));
    }
}


int
rcv_sieve_make(rcv_policy_t *policy, rcv_shape_t *shapes, rcv_alloc_pt alloc,
    void *data)
{
    unsigned      i;
    rcv_sieve_t  *sieve;
    rcv_maker_t   maker = { .policy = policy, .shapes = shapes,
                            .alloc = alloc, .data = data };

    if (policy->nmatches == 0) {
        return 0;
    }

    sieve = alloc(data, sizeof(rcv_sieve_t) + policy->nsubjects
                                              * sizeof(rcv_subject_sieve_t));
    if (sieve == NULL) {
        return -1;
    }

    for (i = 0; i < policy->nmatches; i++) {
        rcv_shape_rule(&shapes[i], &policy->matches[i].test);
    }

    sieve->nsubjects = policy->nsubjects;

    for (i = 0; i < policy->nsubjects; i++) {
        if (rcv_sieve_subject(&maker, &sieve->subjects[i], i) != 0) {
            return -1;
        }
    }

    policy->sieve = sieve;

    return 0;
}
