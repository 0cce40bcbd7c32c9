
#include "admit.h"
#include "bucket.h"
#include "rcv_atomic.h"


static rcv_reason_t
rcv_admit_in_flight(const rcv_admit_at_t *at, uint32_t watermark,
    rcv_ticket_t *ticket)
{
    if (!rcv_inflight_take(at->gate, at->slot, at->gate_index, watermark)) {
        return RCV_REASON_IN_FLIGHT;
    }

    ticket->booked = (at->slot != NULL);

    return RCV_REASON_NONE;
}


/*
 * On the floor one class alone is let in: it has all the places there are,
 * and no spare one, since a backend that may hang gets two and no third.
 */

static uint32_t
rcv_admit_places(uint64_t word, uint32_t share_ppm, unsigned class_index)
{
    rcv_phase_t  phase;

    phase = rcv_gate_phase(word);

    if (phase == RCV_PHASE_PROBING || phase == RCV_PHASE_DOWN) {
        return rcv_gate_limit(word);
    }

    return rcv_inflight_watermark(rcv_gate_limit(word), share_ppm,
                                  class_index);
}


/* On its own so that the way through an open gate stays short. */

__attribute__((noinline)) static rcv_reason_t
rcv_admit_limited(const rcv_admit_at_t *at, uint64_t word,
    unsigned class_index, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket)
{
    uint32_t       share_ppm;
    rcv_gate_t    *gate;
    rcv_reason_t   reason;

    gate = at->gate;
    share_ppm = at->policy->classes[class_index].share_ppm;

    if (!rcv_bucket_fits(gate, share_ppm, class_index, cost_milli, now_ns)) {
        rcv_bucket_heal(gate, now_ns);
        return rcv_gate_reason(word);
    }

    reason = rcv_admit_in_flight(at, rcv_admit_places(word, share_ppm,
                                                      class_index),
                                 ticket);

    if (reason != RCV_REASON_NONE) {
        return reason;
    }

    if (!rcv_bucket_take(gate, share_ppm, class_index, cost_milli, now_ns)) {
        rcv_admit_release(at, ticket);
        return rcv_gate_reason(word);
    }

    ticket->charged = 1;

    return RCV_REASON_NONE;
}


rcv_reason_t
rcv_admit(const rcv_admit_at_t *at, unsigned class_index, uint32_t cost_milli,
    uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint32_t          share_ppm;
    uint64_t          word;
    rcv_gate_mode_t   mode;

    word = rcv_load_acquire(&at->gate->word);
    mode = rcv_gate_mode(word);

    ticket->phase = rcv_gate_phase(word);
    ticket->epoch = rcv_gate_epoch(word);
    ticket->booked = 0;
    ticket->charged = 0;
    ticket->budgeted = 0;

    if (mode == RCV_GATE_CLOSED) {
        return rcv_gate_reason(word);
    }

    /* From here on the class is within the policy's array: 4 bits. */

    if (class_index > rcv_gate_class_max(word)) {
        return RCV_REASON_PROBING;
    }

    if (mode == RCV_GATE_LIMIT) {
        return rcv_admit_limited(at, word, class_index, cost_milli, now_ns,
                                 ticket);
    }

    share_ppm = at->policy->classes[class_index].share_ppm;

    return rcv_admit_in_flight(at,
                               rcv_inflight_watermark(rcv_gate_limit(word),
                                                      share_ppm, class_index),
                               ticket);
}


rcv_reason_t
rcv_admit_retry(const rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint32_t      share_ppm;
    uint64_t      word;
    rcv_reason_t  reason;

    word = rcv_load_acquire(&at->gate->word);
    share_ppm = at->policy->classes[class_index].share_ppm;

    if (rcv_gate_mode(word) != RCV_GATE_CLOSED
        && class_index <= rcv_gate_class_max(word)
        && !rcv_budget_fits(at->gate, share_ppm, class_index))
    {
        *ticket = (rcv_ticket_t) { 0 };
        ticket->phase = rcv_gate_phase(word);
        ticket->epoch = rcv_gate_epoch(word);

        return RCV_REASON_RETRY_BUDGET;
    }

    reason = rcv_admit(at, class_index, cost_milli, now_ns, ticket);

    if (reason != RCV_REASON_NONE) {
        return reason;
    }

    if (!rcv_budget_take(at->gate, share_ppm, class_index)) {
        rcv_admit_undo(at, cost_milli, ticket);
        return RCV_REASON_RETRY_BUDGET;
    }

    ticket->budgeted = 1;

    return RCV_REASON_NONE;
}


void
rcv_admit_attempt(const rcv_admit_at_t *at, uint32_t cost_milli,
    uint64_t now_ns)
{
    rcv_bucket_charge(at->gate, cost_milli, now_ns);
    rcv_budget_charge(at->gate);
}


int
rcv_admit_book(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    if (!ticket->booked && at->slot != NULL) {
        ticket->booked = (unsigned) rcv_inflight_take(at->gate, at->slot,
                                                      at->gate_index,
                                                      RCV_IN_FLIGHT_MAX + 1);
    }

    return (int) ticket->booked;
}


void
rcv_admit_release(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    if (ticket->booked) {
        ticket->booked = 0;
        rcv_inflight_give(at->gate, at->slot, at->gate_index);
    }
}


void
rcv_admit_undo(const rcv_admit_at_t *at, uint32_t cost_milli,
    rcv_ticket_t *ticket)
{
    rcv_admit_release(at, ticket);

    if (ticket->charged) {
        ticket->charged = 0;
        rcv_bucket_refund(at->gate, cost_milli);
    }
    if (ticket->budgeted) {
        ticket->budgeted = 0;
        rcv_budget_refund(at->gate);
    }
}
