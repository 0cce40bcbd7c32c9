
#include <string.h>

#include "shape_nfa.h"


#define RCV_STATES_WORDS  (RCV_NFA_MAX / 64)


typedef struct {
    uint64_t          bits[RCV_STATES_WORDS];
} rcv_states_t;


typedef struct {
    const rcv_nfa_t  *nfa;
    rcv_states_t      begin;
    rcv_states_t      after[RCV_NFA_MAX];       /* the byte of a state */
    rcv_states_t      useful;                   /* of a string that matches */
} rcv_walk_t;


unsigned
rcv_bytes_tell(const rcv_bytes_t *set)
{
    unsigned  byte, n, bits;

    n = 0;

    for (byte = 0; byte < 128; byte++) {
        n += (unsigned) rcv_bytes_has(set, byte);
    }

    for (bits = 0; bits < RCV_BYTES_TELL && n << bits < 64; bits++) {
        /* void */
    }

    return (n != 0) ? bits : 0;
}


void
rcv_shape_equal(rcv_shape_t *shape, rcv_str_t text)
{
    size_t  i, last;

    memset(shape, 0xff, sizeof(rcv_shape_t));

    last = RCV_SHAPE_LENGTHS - 1;
    shape->lengths = 1ull << (text.len < last ? text.len : last);
    shape->words.n = 0;

    for (i = 0; i < text.len && i < RCV_SHAPE_HEAD; i++) {
        memset(&shape->head[i], 0, sizeof(rcv_bytes_t));
        rcv_bytes_add(&shape->head[i], (uint8_t) text.data[i]);
    }

    for (i = 0; i < text.len && i < RCV_SHAPE_TAIL; i++) {
        memset(&shape->tail[i], 0, sizeof(rcv_bytes_t));
        rcv_bytes_add(&shape->tail[i],
                      (uint8_t) text.data[text.len - 1 - i]);
    }
}


static int
rcv_states_has(const rcv_states_t *states, unsigned i)
{
    return (states->bits[i >> 6] >> (i & 63)) & 1;
}


/* Adds the state, and those that follow without a byte. */

static void
rcv_states_add(const rcv_nfa_t *nfa, rcv_states_t *states, unsigned i,
    int at_start)
{
    unsigned                n, todo[RCV_NFA_MAX];
    const rcv_nfa_state_t  *state;

    n = 0;

    for ( ;; ) {

        if (i != RCV_NFA_NONE && !rcv_states_has(states, i)) {
            states->bits[i >> 6] |= 1ull << (i & 63);
            state = &nfa->states[i];

            if (state->kind == RCV_NFA_SPLIT) {
                todo[n++] = state->also;
            }

            if (state->kind == RCV_NFA_SPLIT
                || (state->kind == RCV_NFA_START && at_start))
            {
                i = state->out;
                continue;
            }
        }

        if (n == 0) {
            return;
        }

        i = todo[--n];
    }
}


static void
rcv_states_join(rcv_states_t *states, const rcv_states_t *more)
{
    size_t  k;

    for (k = 0; k < RCV_STATES_WORDS; k++) {
        states->bits[k] |= more->bits[k];
    }
}


static void
rcv_states_only(rcv_states_t *states, const rcv_states_t *those)
{
    size_t  k;

    for (k = 0; k < RCV_STATES_WORDS; k++) {
        states->bits[k] &= those->bits[k];
    }
}


static int
rcv_states_meet(const rcv_states_t *a, const rcv_states_t *b)
{
    size_t    k;
    uint64_t  both;

    both = 0;

    for (k = 0; k < RCV_STATES_WORDS; k++) {
        both |= a->bits[k] & b->bits[k];
    }

    return both != 0;
}


/*
 * A state is of use if it can be come by, and the end from it: "^" makes ways
 * that lead nowhere, "$" leaves some to which none leads.
 */

static void
rcv_walk_useful(rcv_walk_t *walk)
{
    unsigned          i, k;
    rcv_states_t      reached, live, last;
    const rcv_nfa_t  *nfa;

    nfa = walk->nfa;
    reached = walk->begin;
    memset(&live, 0, sizeof(live));

    for (i = 0; i < nfa->n; i++) {
        live.bits[i >> 6] |= (uint64_t) nfa->states[i].ends << (i & 63);
    }

    do {
        last = reached;

        for (i = 0; i < nfa->n; i++) {
            if (rcv_states_has(&reached, i)) {
                rcv_states_join(&reached, &walk->after[i]);
            }
        }

    } while (memcmp(&last, &reached, sizeof(last)) != 0);

    do {
        last = live;

        for (k = nfa->n; k != 0; k--) {
            i = k - 1;

            if (rcv_states_meet(&walk->after[i], &live)) {
                live.bits[i >> 6] |= 1ull << (i & 63);
            }
        }

    } while (memcmp(&last, &live, sizeof(last)) != 0);

    rcv_states_only(&live, &reached);
    walk->useful = live;
}


static void
rcv_walk_init(rcv_walk_t *walk, const rcv_nfa_t *nfa)
{
    unsigned  i;

    memset(walk, 0, sizeof(rcv_walk_t));
    walk->nfa = nfa;

    rcv_states_add(nfa, &walk->begin, nfa->first, 1);

    for (i = 0; i < nfa->n; i++) {
        if (nfa->states[i].kind == RCV_NFA_BYTE) {
            rcv_states_add(nfa, &walk->after[i], nfa->states[i].out, 0);
        }
    }

    rcv_walk_useful(walk);
}


/* Does one of the states let the string end; all their bytes into the set. */

static int
rcv_states_view(const rcv_nfa_t *nfa, const rcv_states_t *states,
    rcv_bytes_t *set)
{
    int       ends;
    unsigned  i, k;

    ends = 0;
    memset(set, 0, sizeof(rcv_bytes_t));

    for (i = 0; i < nfa->n; i++) {

        if (!rcv_states_has(states, i)) {
            continue;
        }

        ends |= (int) nfa->states[i].ends;

        if (nfa->states[i].kind == RCV_NFA_BYTE) {
            for (k = 0; k < 4; k++) {
                set->bits[k] |= nfa->states[i].set.bits[k];
            }
        }
    }

    return ends;
}


static void
rcv_shape_forward(rcv_shape_t *shape, const rcv_walk_t *walk)
{
    int           ends;
    unsigned      i, at;
    rcv_bytes_t   set;
    rcv_states_t  now, next;

    now = walk->begin;

    for (at = 0; at < RCV_SHAPE_LENGTHS; at++) {
        rcv_states_only(&now, &walk->useful);
        ends = rcv_states_view(walk->nfa, &now, &set);

        if (at == RCV_SHAPE_LENGTHS - 1) {
            ends |= (set.bits[0] | set.bits[1] | set.bits[2] | set.bits[3])
                    != 0;
        }

        shape->lengths |= (uint64_t) ends << at;

        if (at < RCV_SHAPE_HEAD) {
            shape->head[at] = set;
        }

        memset(&next, 0, sizeof(next));

        for (i = 0; i < walk->nfa->n; i++) {
            if (rcv_states_has(&now, i)) {
                rcv_states_join(&next, &walk->after[i]);
            }
        }

        now = next;
    }
}


static void
rcv_shape_backward(rcv_shape_t *shape, const rcv_walk_t *walk)
{
    unsigned      i, at;
    rcv_states_t  then, now;

    memset(&then, 0, sizeof(then));

    for (i = 0; i < walk->nfa->n; i++) {
        then.bits[i >> 6] |= (uint64_t) walk->nfa->states[i].ends << (i & 63);
    }

    for (at = 0; at < RCV_SHAPE_TAIL; at++) {
        rcv_states_only(&then, &walk->useful);
        memset(&now, 0, sizeof(now));

        for (i = 0; i < walk->nfa->n; i++) {
            if (rcv_states_meet(&walk->after[i], &then)) {
                now.bits[i >> 6] |= 1ull << (i & 63);
            }
        }

        rcv_states_only(&now, &walk->useful);
        (void) rcv_states_view(walk->nfa, &now, &shape->tail[at]);
        then = now;
    }
}


void
rcv_shape_pattern(rcv_shape_t *shape, rcv_str_t text, int caseless,
    int newline)
{
    rcv_nfa_t   nfa;
    rcv_walk_t  walk;

    if (rcv_nfa_read(&nfa, text, caseless, newline) != 0) {
        memset(shape, 0xff, sizeof(rcv_shape_t));
        shape->words.n = 0;
        return;
    }

    memset(shape, 0, sizeof(rcv_shape_t));
    shape->words = nfa.words;

    rcv_walk_init(&walk, &nfa);
    rcv_shape_forward(shape, &walk);
    rcv_shape_backward(shape, &walk);
}
