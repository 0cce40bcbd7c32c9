
#include "admit.h"
#include "bucket.h"


/* What those beyond the cut do without, in a policy of one class. */
#define RCV_ALONE_PPM  50000

/*
 * A lot is this part of what all processes together may have; each may have
 * two of them.
 */
#define RCV_LOT_PART   16u


/* How full a request may find the two gates. */

typedef struct {
    uint32_t             places;
    uint32_t             share_ppm;     /* of the burst */
    unsigned             rank;
} rcv_marks_t;


rcv_admit_at_t
rcv_admit_alone(const rcv_admit_at_t *at)
{
    rcv_admit_at_t  copy;

    copy = *at;

    copy.credit_milli = 0;
    copy.credit_classes = 0;
    copy.keep = 0;
    copy.taken = 0;
    copy.alone = 1;

    return copy;
}


int
rcv_admit_place(rcv_admit_at_t *at, uint32_t watermark)
{
    uint32_t  lot;

    lot = at->lot;

    if (lot != 0 && (at->slot == NULL || at->alone
                     || rcv_load(&at->gate->in_flight) >= at->calm))
    {
        lot = 0;
    }

    if (!rcv_inflight_take(at->gate, at->slot, at->gate_index, watermark,
                           lot))
    {
        return 0;
    }

    if (lot != 0) {
        at->keep = 2 * lot;
        at->taken = 1;
        at->news = 1;
    }

    return 1;
}


static rcv_reason_t
rcv_admit_in_flight(rcv_admit_at_t *at, uint32_t watermark,
    rcv_ticket_t *ticket)
{
    if (!rcv_admit_place(at, watermark)) {
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
rcv_admit_places(const rcv_admit_at_t *at, uint64_t word,
    unsigned class_index)
{
    rcv_phase_t  phase;

    phase = rcv_gate_phase(word);

    if (rcv_gate_mode(word) == RCV_GATE_LIMIT
        && (phase == RCV_PHASE_PROBING || phase == RCV_PHASE_DOWN))
    {
        return rcv_gate_limit(word);
    }

    return rcv_inflight_watermark(rcv_gate_limit(word),
                                  at->policy->classes[class_index].share_ppm,
                                  class_index);
}


static rcv_marks_t
rcv_admit_marks(const rcv_admit_at_t *at, unsigned class_index)
{
    rcv_marks_t  marks;

    marks.rank = class_index;
    marks.share_ppm = at->policy->classes[class_index].share_ppm;
    marks.places = at->places[class_index];

    return marks;
}


/* Of the credit that a process may have at once; 0: none. */

static uint32_t
rcv_admit_credit_lot(const rcv_admit_at_t *at)
{
    uint64_t  lot, interval_ns;

    interval_ns = rcv_load(&at->gate->interval_ns);

    if (interval_ns == 0 || rcv_gate_processes(at->word) == 0
        || rcv_gate_cut(at->word) || at->slot == NULL || at->alone)
    {
        return 0;
    }

    lot = rcv_load(&at->gate->burst_ns) / interval_ns
          / (RCV_LOT_PART * rcv_gate_processes(at->word));

    return (uint32_t) rcv_min(lot, RCV_CREDIT_LOT_MAX) * RCV_MILLI;
}


/*
 * Takes the cost, from the credit if that will do, else from the bucket; then
 * with a lot, if there is as much.  It was seen to fit: what others took
 * meanwhile is all that may be in the way.
 */

static int
rcv_admit_charge(rcv_admit_at_t *at, const rcv_marks_t *marks,
    uint32_t cost_milli, uint64_t now_ns)
{
    uint32_t  lot_milli;

    if (at->credit_classes != 0 && at->credit_milli >= cost_milli) {
        at->credit_milli -= cost_milli;
        at->credit_classes = (uint32_t) rcv_max(at->credit_classes,
                                                marks->rank + 1);
        return 1;
    }

    lot_milli = rcv_admit_credit_lot(at);

    if (at->credit_milli >= lot_milli
        || lot_milli + cost_milli > RCV_COST_MAX * RCV_MILLI
        || !rcv_bucket_take(at->gate, marks->share_ppm, marks->rank,
                            lot_milli + cost_milli, now_ns))
    {
        return rcv_bucket_take(at->gate, marks->share_ppm, marks->rank,
                               cost_milli, now_ns);
    }

    at->credit_milli += lot_milli;
    at->credit_classes = marks->rank + 1;
    at->taken = 1;
    at->news = 1;

    return 1;
}


/*
 * For rcv_admit_full(), with the rate that the gate has now.  Who is under a
 * cut has other marks than those of his class.
 */

static void
rcv_admit_rooms(rcv_admit_at_t *at)
{
    unsigned  i;
    uint64_t  interval_ns, burst_ns;

    interval_ns = rcv_load(&at->gate->interval_ns);
    burst_ns = rcv_load(&at->gate->burst_ns);

    if (at->interval_ns == interval_ns && at->burst_ns == burst_ns) {
        return;
    }

    at->interval_ns = interval_ns;
    at->burst_ns = burst_ns;
    at->bound_ns = rcv_bucket_bound_ns(burst_ns, interval_ns);

    if (interval_ns == 0 || interval_ns == RCV_INTERVAL_NEVER
        || rcv_gate_cut(at->word))
    {
        at->bound_ns = 0;
    }

    for (i = 0; i < at->policy->nclasses; i++) {
        at->room_ns[i] = UINT64_MAX;

        if (i <= rcv_gate_class_max(at->word)) {
            at->room_ns[i] = rcv_bucket_watermark_ns(burst_ns, interval_ns,
                                         at->policy->classes[i].share_ppm, i)
                             - interval_ns;
        }
    }
}


static rcv_reason_t
rcv_admit_limited(rcv_admit_at_t *at, uint64_t word,
    const rcv_marks_t *marks, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket)
{
    rcv_gate_t    *gate;
    rcv_reason_t   reason;

    gate = at->gate;
    rcv_admit_rooms(at);

    if (!rcv_bucket_fits(gate, marks->share_ppm, marks->rank, cost_milli,
                         now_ns))
    {
        rcv_bucket_heal(gate, now_ns);
        return rcv_gate_reason(word);
    }

    reason = rcv_admit_in_flight(at, marks->places, ticket);

    if (reason != RCV_REASON_NONE) {
        return reason;
    }

    if (!rcv_admit_charge(at, marks, cost_milli, now_ns)) {
        rcv_admit_release(at, ticket);
        return rcv_gate_reason(word);
    }

    ticket->charged = 1;

    return RCV_REASON_NONE;
}


static rcv_reason_t
rcv_admit_marked(rcv_admit_at_t *at, uint64_t word,
    const rcv_marks_t *marks, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket)
{
    if (rcv_gate_mode(word) == RCV_GATE_LIMIT) {
        return rcv_admit_limited(at, word, marks, cost_milli, now_ns, ticket);
    }

    return rcv_admit_in_flight(at, marks->places, ticket);
}


/*
 * Who is let in may use three quarters of what is kept for the class before,
 * and never its last place.  Before the first class there is none: there the
 * others have half of the way to the next one less.
 */

static void
rcv_admit_cut_marks(const rcv_admit_at_t *at, uint64_t word,
    unsigned class_index, int let_in, rcv_marks_t *marks)
{
    uint32_t            less_ppm, places;
    rcv_marks_t         before;
    const rcv_class_t  *class;

    if (class_index == 0) {

        if (!let_in) {
            class = at->policy->classes;
            less_ppm = (at->policy->nclasses > 1)
                       ? (class[0].share_ppm - class[1].share_ppm) / 2
                       : RCV_ALONE_PPM;

            marks->share_ppm -= less_ppm;
            marks->rank = 1;
            marks->places = rcv_inflight_watermark(rcv_gate_limit(word),
                                                   marks->share_ppm, 1);
        }

    } else if (let_in) {
        before = rcv_admit_marks(at, class_index - 1);

        marks->share_ppm += (before.share_ppm - marks->share_ppm) / 4 * 3;

        places = rcv_inflight_watermark(rcv_gate_limit(word),
                                        marks->share_ppm, class_index);
        places = (uint32_t) rcv_min(places, rcv_since(before.places, 1));
        marks->places = (uint32_t) rcv_max(marks->places, places);
    }
}


/* A class that is cut, or comes after it. */

__attribute__((noinline)) static rcv_reason_t
rcv_admit_cut(rcv_admit_at_t *at, uint64_t word, uint64_t cut_word,
    unsigned class_index, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket)
{
    int           let_in;
    rcv_cut_t     cut;
    rcv_marks_t   marks;
    rcv_reason_t  reason;

    cut = rcv_cut_unpack(cut_word);
    ticket->slot = (uint8_t) rcv_cohort_slot(cut.salt, at->user);

    marks = rcv_admit_marks(at, class_index);

    let_in = (ticket->slot < cut.slots);

    if (class_index == cut.class_index) {
        rcv_admit_cut_marks(at, word, class_index, let_in, &marks);
    }

    reason = rcv_admit_marked(at, word, &marks, cost_milli, now_ns, ticket);

    if (class_index != cut.class_index || let_in) {
        return reason;
    }

    if (reason == RCV_REASON_NONE) {
        ticket->spilled = (ticket->slot != RCV_COHORT_NONE);
        return reason;
    }

    return RCV_REASON_COHORT;
}


void
rcv_admit_settle(rcv_admit_at_t *at)
{
    if (!at->taken) {
        return;
    }

    rcv_inflight_settle(at->gate, at->slot, at->gate_index);

    if (at->credit_milli != 0) {
        rcv_bucket_refund(at->gate, at->credit_milli);
    }

    at->credit_milli = 0;
    at->credit_classes = 0;
    at->keep = 0;
    at->taken = 0;
}


void
rcv_admit_read(rcv_admit_at_t *at, uint64_t word)
{
    uint32_t  least;
    unsigned  i;

    rcv_admit_settle(at);

    at->word = word;

    at->ticket = (rcv_ticket_t) { .slot = RCV_COHORT_NONE };
    at->ticket.epoch = (uint16_t) rcv_gate_epoch(word);
    at->ticket.phase = (uint8_t) rcv_gate_phase(word);

    least = rcv_gate_limit(word);

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        at->places[i] = rcv_admit_places(at, word, i);
        at->open[i] = 0;

        if (i > rcv_gate_class_max(word) || i >= at->policy->nclasses) {
            continue;
        }

        least = (uint32_t) rcv_min(least, at->places[i]);

        if (rcv_gate_mode(word) == RCV_GATE_OPEN && !rcv_gate_cut(word)) {
            at->open[i] = at->places[i];
        }
    }

    at->interval_ns = 0;
    at->bound_ns = 0;

    at->lot = 0;
    at->calm = least / 2;

    if (rcv_gate_processes(word) != 0) {
        at->lot = (uint32_t) rcv_min(least / (RCV_LOT_PART
                                              * rcv_gate_processes(word)),
                                     RCV_PLACES_LOT_MAX);
    }
}


rcv_reason_t
rcv_admit_guarded(rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint64_t     word, cut;
    rcv_marks_t  marks;

    word = at->word;
    *ticket = at->ticket;

    if (rcv_gate_mode(word) == RCV_GATE_CLOSED) {
        return rcv_gate_reason(word);
    }

    /* From here on the class is within the policy's array: 4 bits. */

    if (class_index > rcv_gate_class_max(word)) {
        return RCV_REASON_PROBING;
    }

    cut = rcv_load(&at->gate->cohort);

    if (cut != 0 && class_index >= rcv_cut_class(cut)) {
        return rcv_admit_cut(at, word, cut, class_index, cost_milli, now_ns,
                             ticket);
    }

    marks = rcv_admit_marks(at, class_index);

    return rcv_admit_marked(at, word, &marks, cost_milli, now_ns, ticket);
}


rcv_reason_t
rcv_admit_retry(rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint32_t      share_ppm;
    uint64_t      word;
    rcv_reason_t  reason;

    word = rcv_load_acquire(&at->gate->word);

    if (word != at->word) {
        rcv_admit_read(at, word);
    }

    share_ppm = at->policy->classes[class_index].share_ppm;

    if (rcv_gate_mode(word) != RCV_GATE_CLOSED
        && class_index <= rcv_gate_class_max(word)
        && !rcv_budget_fits(at->gate, share_ppm, class_index))
    {
        *ticket = at->ticket;
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
        ticket->booked = (uint8_t) rcv_inflight_take(at->gate, at->slot,
                                                     at->gate_index,
                                                     RCV_IN_FLIGHT_MAX, 0);
    }

    return (int) ticket->booked;
}


void
rcv_admit_give(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    uint32_t  keep;

    if (!ticket->booked) {
        return;
    }

    ticket->booked = 0;
    keep = at->keep / 2;

    if (keep != 0 && (rcv_load(&at->gate->word) != at->word
                      || rcv_load(&at->gate->in_flight) >= at->calm))
    {
        keep = 0;
    }

    rcv_inflight_give(at->gate, at->slot, at->gate_index, keep);
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
