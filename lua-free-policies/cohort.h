
/*
 * Cohorts: under a cut the same users are served whole sessions, instead of
 * every user failing at random (a page of 20 calls at 50 % is whole once in a
 * million).
 *
 * A user is a string of the policy; its keyed hash is a slot from 0 to 127,
 * the same for as long as the salt is, which is one outage.  Of the classes
 * one is marginal: those before it fit, those after it do not.  Of it the
 * slots below the cut are let in; what bucket and places have left when these
 * are served goes to whoever of the others comes first, so that no room stays
 * unused while users are shed, whatever the hash makes of them.
 *
 * So that they find room at once, those let in may use most of what is kept
 * for the class before theirs; of the first class, the others do without a
 * part.  The cut follows slowly: it falls when those let in are turned away,
 * and rises when much goes to the others.
 */

#ifndef RCV_COHORT_H_INCLUDED_
#define RCV_COHORT_H_INCLUDED_


#include "gate.h"
#include "policy.h"
#include "window.h"


#define RCV_COHORTS      128            /* slots */
#define RCV_COHORT_NONE  RCV_COHORTS    /* the slot of who has none */


/*
 * The cut as the gate has it, in one word, 0: no cut.  Lowest bits first:
 * slots 8, class 4, 20 unused, salt 32 (never 0).
 */

typedef struct {
    uint32_t             salt;
    unsigned             class_index;   /* the marginal one */
    unsigned             slots;         /* let in: 0 to RCV_COHORTS */
} rcv_cut_t;

#define RCV_CUT_SLOTS_BITS    8
#define RCV_CUT_CLASS_BITS    4

#define RCV_CUT_CLASS_SHIFT   RCV_CUT_SLOTS_BITS
#define RCV_CUT_SALT_SHIFT    32

_Static_assert(RCV_COHORTS < 1 << RCV_CUT_SLOTS_BITS, "slots");
_Static_assert(RCV_CLASSES_MAX <= 1 << RCV_CUT_CLASS_BITS, "class");
_Static_assert(RCV_CUT_CLASS_SHIFT + RCV_CUT_CLASS_BITS <= RCV_CUT_SALT_SHIFT,
               "the fields fill no more than 64 bits");


static inline unsigned
rcv_cut_class(uint64_t word)
{
    return rcv_gate_bits(word, RCV_CUT_CLASS_SHIFT, RCV_CUT_CLASS_BITS);
}


static inline unsigned
rcv_cut_slots(uint64_t word)
{
    return rcv_gate_bits(word, 0, RCV_CUT_SLOTS_BITS);
}


static inline uint32_t
rcv_cut_salt(uint64_t word)
{
    return (uint32_t) (word >> RCV_CUT_SALT_SHIFT);
}


uint64_t rcv_cut_pack(const rcv_cut_t *cut);
rcv_cut_t rcv_cut_unpack(uint64_t word);


/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
uint64_t rcv_siphash(uint64_t key0, uint64_t key1, const void *data,
    size_t len);

/* The user's slot; an empty string has RCV_COHORT_NONE. */
unsigned rcv_cohort_slot(uint32_t salt, rcv_str_t user);


/* What the leader remembers; zeros: no cut, and no salt yet. */

typedef struct {
    uint32_t             salt;          /* of this outage */
    uint16_t             cut;           /* slots let in, in 256ths */
    uint8_t              marginal;      /* class, counted from 1; 0: no cut */
    uint8_t              hold;          /* 100 ms until it may rise again */
} rcv_cohort_t;


/*
 * One tick: moves the cut.  window->random makes the salt where there is
 * none.  limited: is there anything that this backend's gate would shed for,
 * in a phase in which more than one class may be let in?  Otherwise there is
 * no cut.
 */
void rcv_cohort_tick(rcv_cohort_t *cohort, rcv_cohort_round_t *round,
    const rcv_policy_t *policy, const rcv_window_t *window,
    unsigned limited);

/* The gate's word for it. */
uint64_t rcv_cohort_word(const rcv_cohort_t *cohort);


#endif /* RCV_COHORT_H_INCLUDED_ */
