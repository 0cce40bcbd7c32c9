
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


typedef struct {
    rcv_gate_t          *gate;
    rcv_slot_t          *slot;          /* NULL: looks, books nothing */
    unsigned             gate_index;
    const rcv_policy_t  *policy;
    rcv_str_t            user;          /* empty: no cohort, or nobody asks */
} rcv_admit_at_t;


typedef struct {
    rcv_phase_t          phase;         /* in which it was decided */
    uint32_t             epoch;
    unsigned             booked;        /* holds a permit: give it back */
    unsigned             charged;       /* took its cost from the bucket */
    unsigned             budgeted;      /* took a token for a retry */
    unsigned             spilled;       /* let in beyond the cut */
    unsigned             slot;          /* RCV_COHORT_NONE: not asked, none */
} rcv_ticket_t;


/* Will the user be asked for?  Only then must at->user be there. */

static inline int
rcv_admit_asks_user(const rcv_admit_at_t *at, unsigned class_index)
{
    uint64_t  cut;

    if (at->policy->cohort < 0) {
        return 0;
    }

    cut = rcv_load(&at->gate->cohort);

    return cut != 0 && class_index >= rcv_cut_class(cut);
}



/* Returns RCV_REASON_NONE when it passes.  cost_milli: 0 to COST_MAX. */
rcv_reason_t rcv_admit(const rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket);

/* The same for a request that is a retry. */
rcv_reason_t rcv_admit_retry(const rcv_admit_at_t *at, unsigned class_index,
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
void rcv_admit_release(const rcv_admit_at_t *at, rcv_ticket_t *ticket);

/* Permit, cost and token back: the request was turned away by another gate. */
void rcv_admit_undo(const rcv_admit_at_t *at, uint32_t cost_milli,
    rcv_ticket_t *ticket);


#endif /* RCV_ADMIT_H_INCLUDED_ */
