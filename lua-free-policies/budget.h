
/*
 * The retry budget: requests that a "retries" rule knows for retries are kept
 * inside a part of what the backend delivers.
 *
 * A bucket of tokens in the gate, thousandths of a retry in one 32-bit word.
 * Each tick the leader puts in the budget's part of what was delivered; a
 * retry takes one or is shed; others never look.  Classes share it as they do
 * the rest of the gate: the first may empty it, a later one leaves what is
 * reserved for those before it.  A retry that another gate turns away puts
 * its token back.  Attempts that nginx itself repeated are known only
 * afterwards: they are charged then, and the bucket may owe.
 *
 * In force only where retries can hurt: from the first sign of trouble until
 * the backend has been in full service without one for RCV_BUDGET_CALM_MS.
 * Otherwise the word is RCV_BUDGET_OFF, every retry passes, and nobody needs
 * to know which requests are retries.
 */

#ifndef RCV_BUDGET_H_INCLUDED_
#define RCV_BUDGET_H_INCLUDED_


#include "gate.h"
#include "policy.h"
#include "rcv_atomic.h"
#include "state.h"
#include "window.h"


/* Below any debt: RCV_BUDGET_MAX is the most there can be, either way. */
#define RCV_BUDGET_OFF         INT32_MIN
#define RCV_BUDGET_MAX         (1 << 30)

/*
 * As often as anything may be tried at all: where all that come are retries,
 * as after a long outage, there must be work from which the budget grows.
 * Half of what probing lets in at least.
 */
#define RCV_BUDGET_FLOOR_MILLI  RCV_MILLI

/* What was not used within a second is lost: no burst of last minute's. */
#define RCV_BUDGET_BURST_MS     1000

/* So long that a storm which the budget has ended does not flare up again. */
#define RCV_BUDGET_CALM_MS      10000


/* What a tick does to the bucket, in thousandths of a retry. */

typedef struct {
    unsigned             on;
    uint32_t             add_milli;
    uint32_t             most_milli;    /* it may hold, or owe */
} rcv_budget_t;


/*
 * One tick: is the budget in force, and what was earned?  dt_ms is the time
 * that counts for this tick.
 */
void rcv_budget_tick(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_window_t *window, const rcv_round_t *round, uint64_t dt_ms,
    rcv_budget_t *budget);

/* Leader: the tick into the bucket.  One that comes into force is full. */
void rcv_budget_fill(rcv_gate_t *gate, const rcv_budget_t *budget);

/* One load: is there a need to know whether a request is a retry? */
static inline int
rcv_budget_on(const rcv_gate_t *gate)
{
    return rcv_load(&gate->retries_milli) != RCV_BUDGET_OFF;
}

/*
 * Whether a retry of a class (its share and rank, see policy.h) would get a
 * token now, or needs none.  Writes nothing.
 */
int rcv_budget_fits(const rcv_gate_t *gate, uint32_t share_ppm,
    unsigned rank);

/* 1: the retry may pass, 0: the budget is spent. */
int rcv_budget_take(rcv_gate_t *gate, uint32_t share_ppm, unsigned rank);

/* The token back: the retry did not pass after all. */
void rcv_budget_refund(rcv_gate_t *gate);

/* One that has been made already. */
void rcv_budget_charge(rcv_gate_t *gate);


#endif /* RCV_BUDGET_H_INCLUDED_ */
