
/*
 * The one decision: class, cost and now against a gate -> pass, or why not.
 *
 * Order: closed, class not let in yet, budget of a retry (a look), bucket (a
 * look), in flight (take), bucket (take), budget (take).  The looks come
 * first because under a limit most requests end there, having written nothing
 * that others wait for.
 *
 * Under a cut (cohort.h) the users of the marginal class who are let in find
 * room where the others of their class find none.
 */

#ifndef RCV_ADMIT_H_INCLUDED_
#define RCV_ADMIT_H_INCLUDED_


#include "budget.h"
#include "cohort.h"
#include "gate.h"
#include "inflight.h"
#include "policy.h"
#include "rcv_atomic.h"


/* What a decision leaves, to be given back or asked again. */

typedef struct {
    uint16_t             epoch;
    uint8_t              phase;         /* in which it was decided */
    uint8_t              slot;          /* RCV_COHORT_NONE: not asked, none */
    uint8_t              booked;        /* holds a permit: give it back */
    uint8_t              charged;       /* took its cost from the bucket */
    uint8_t              budgeted;      /* took a token for a retry */
    uint8_t              spilled;       /* let in beyond the cut */
} rcv_ticket_t;


/*
 * Where a process stands at a gate.  The caller sets the first five and zeros
 * the rest, in which is kept what the gate's word means, for as long as it is
 * the same: it is read again with each decision, and changes a few times a
 * second at most.
 */

typedef struct {
    rcv_gate_t          *gate;
    rcv_slot_t          *slot;          /* NULL: looks, books nothing */
    unsigned             gate_index;
    const rcv_policy_t  *policy;
    rcv_str_t            user;          /* empty: no cohort, or nobody asks */

    uint64_t             word;
    rcv_ticket_t         ticket;        /* a new one, under this word */

    /* of a gate that is open and without a cut; else 0 */
    uint32_t             places[RCV_CLASSES_MAX];
} rcv_admit_at_t;


/*
 * Is there a need to know more of a request than its class: who the user is,
 * or whether it is a retry?
 */

static inline int
rcv_admit_asks(const rcv_admit_at_t *at)
{
    return rcv_load(&at->gate->cohort) != 0 || rcv_budget_on(at->gate);
}


/* Will the user be asked for?  Only then must at->user be there. */

static inline int
rcv_admit_asks_user(const rcv_admit_at_t *at, unsigned class_index)
{
    uint64_t  cut;

    cut = rcv_load(&at->gate->cohort);

    return cut != 0 && class_index >= rcv_cut_class(cut)
           && at->policy->cohort >= 0;
}


/* The gate's word is another one than at->word. */
void rcv_admit_read(rcv_admit_at_t *at, uint64_t word);

/* Under a limit or a cut, or refused, and if so why: admit.c. */
rcv_reason_t rcv_admit_guarded(const rcv_admit_at_t *at,
    unsigned class_index, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket);


/*
 * The way through an open gate, short because all requests of a backend that
 * is well go it.  0: it is not as simple as that, ask rcv_admit().
 */

static inline int
rcv_admit_open(const rcv_admit_at_t *at, unsigned class_index,
    rcv_ticket_t *ticket)
{
    if (rcv_load_acquire(&at->gate->word) != at->word
        || at->slot == NULL
        || !rcv_inflight_take(at->gate, at->slot, at->gate_index,
                              at->places[class_index]))
    {
        return 0;
    }

    *ticket = at->ticket;
    ticket->booked = 1;

    return 1;
}


/* Returns RCV_REASON_NONE when it passes.  cost_milli: 0 to COST_MAX. */

static inline rcv_reason_t
rcv_admit(rcv_admit_at_t *at, unsigned class_index, uint32_t cost_milli,
    uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint64_t  word;

    word = rcv_load_acquire(&at->gate->word);

    if (word != at->word) {
        rcv_admit_read(at, word);
    }

    if (rcv_admit_open(at, class_index, ticket)) {
        return RCV_REASON_NONE;
    }

    return rcv_admit_guarded(at, class_index, cost_milli, now_ns, ticket);
}


/* The same for a request that is a retry. */
rcv_reason_t rcv_admit_retry(rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket);

/*
 * No other gate has turned it away either: what was let in beyond the cut is
 * counted.  Not before, since the leader may look at any time, and a counter
 * that went down would look to it like one that has wrapped.
 */
static inline void
rcv_admit_passed(const rcv_admit_at_t *at, const rcv_ticket_t *ticket)
{
    if (ticket->spilled) {
        rcv_add(&at->gate->spilled, 1);
    }
}


/*
 * One more attempt has been made on what was let in once: it costs the same
 * again and counts as a retry, without being asked.
 */
void rcv_admit_attempt(const rcv_admit_at_t *at, uint32_t cost_milli,
    uint64_t now_ns);

/*
 * Books a permit for a request that was let in without one (slot NULL) and
 * begins to work now.  It is not refused any more, so the limit may be
 * passed; who asks next sees that.  1: booked, now or before; 0: no slot.
 */
int rcv_admit_book(const rcv_admit_at_t *at, rcv_ticket_t *ticket);

/* The permit back, at the end of the request; safe to call twice. */

static inline void
rcv_admit_release(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    if (ticket->booked) {
        ticket->booked = 0;
        rcv_inflight_give(at->gate, at->slot, at->gate_index);
    }
}


/* Permit, cost and token back: the request was turned away by another gate. */
void rcv_admit_undo(const rcv_admit_at_t *at, uint32_t cost_milli,
    rcv_ticket_t *ticket);


#endif /* RCV_ADMIT_H_INCLUDED_ */
