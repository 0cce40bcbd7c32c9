
#include "bucket.h"
#include "rcv_atomic.h"


uint64_t
rcv_gate_pack(const rcv_gate_word_t *word)
{
    uint64_t      packed;
    rcv_reason_t  reason;

    reason = word->reason;

    if (reason == RCV_REASON_NONE) {

        if (word->mode == RCV_GATE_CLOSED) {
            reason = RCV_REASON_DOWN;

        } else if (word->mode == RCV_GATE_LIMIT) {
            reason = RCV_REASON_RATE;
        }
    }

    packed = rcv_min(word->in_flight_limit, RCV_IN_FLIGHT_MAX);
    packed <<= RCV_GATE_LIMIT_SHIFT;

    packed |= (uint64_t) (word->epoch & ((1u << RCV_GATE_EPOCH_BITS) - 1))
              << RCV_GATE_EPOCH_SHIFT;
    packed |= (uint64_t) (word->cut != 0) << RCV_GATE_CUT_SHIFT;
    packed |= rcv_min(word->processes, (1u << RCV_GATE_PROCESSES_BITS) - 1)
              << RCV_GATE_PROCESSES_SHIFT;
    packed |= rcv_min(word->class_max, RCV_CLASSES_MAX - 1)
              << RCV_GATE_CLASS_SHIFT;
    packed |= (uint64_t) reason << RCV_GATE_REASON_SHIFT;
    packed |= (uint64_t) word->phase << RCV_GATE_PHASE_SHIFT;
    packed |= (uint64_t) word->mode;

    return packed;
}


rcv_gate_word_t
rcv_gate_unpack(uint64_t packed)
{
    rcv_gate_word_t  word;

    word.mode = rcv_gate_mode(packed);
    word.phase = rcv_gate_phase(packed);
    word.reason = rcv_gate_reason(packed);
    word.class_max = rcv_gate_class_max(packed);
    word.cut = rcv_gate_cut(packed);
    word.processes = rcv_gate_processes(packed);
    word.epoch = rcv_gate_epoch(packed);
    word.in_flight_limit = rcv_gate_limit(packed);

    return word;
}


static void
rcv_gate_set_rate(rcv_gate_t *gate, uint64_t interval_ns, uint64_t burst_ns)
{
    rcv_store(&gate->interval_ns, interval_ns);
    rcv_store(&gate->burst_ns, burst_ns);
}


/*
 * Rate and debt change in two steps, and others take in between, or we are
 * killed there.  In the order used here they are charged too little for it,
 * by one request; in the other order a request let in at 200/s would owe
 * half a second, or a rescale done twice would shut the gate for minutes.
 */

static void
rcv_gate_change_rate(rcv_gate_t *gate, uint64_t interval_ns,
    uint64_t burst_ns, uint64_t now_ns)
{
    uint64_t  scale_ns;

    scale_ns = rcv_load(&gate->scale_ns);

    if (interval_ns == 0 || interval_ns == RCV_INTERVAL_NEVER) {
        rcv_gate_set_rate(gate, interval_ns, burst_ns);

    } else if (scale_ns == 0 || interval_ns == scale_ns) {
        rcv_store(&gate->scale_ns, interval_ns);
        rcv_gate_set_rate(gate, interval_ns, burst_ns);

    } else if (interval_ns < scale_ns) {
        rcv_gate_set_rate(gate, interval_ns, burst_ns);

        if (rcv_bucket_rescale(gate, scale_ns, interval_ns, burst_ns,
                               now_ns))
        {
            rcv_store_release(&gate->scale_ns, interval_ns);
        }

    } else {
        rcv_store(&gate->scale_ns, interval_ns);
        (void) rcv_bucket_rescale(gate, scale_ns, interval_ns, burst_ns,
                                  now_ns);
        rcv_gate_set_rate(gate, interval_ns, burst_ns);
    }
}


void
rcv_gate_publish(rcv_gate_t *gate, const rcv_allowance_t *allowance,
    uint64_t now_ns)
{
    uint64_t         interval_ns, burst_ns;
    rcv_gate_word_t  word;

    interval_ns = 0;

    if (allowance->rate_milli != RCV_UNLIMITED) {
        interval_ns = rcv_bucket_interval_ns(allowance->rate_milli);
    }

    burst_ns = rcv_mul_div(rcv_max(allowance->burst_milli, RCV_MILLI),
                           interval_ns, RCV_MILLI);

    rcv_gate_change_rate(gate, interval_ns, burst_ns, now_ns);

    rcv_store(&gate->cohort, allowance->cohort);

    word = allowance->word;
    word.cut = (allowance->cohort != 0);

    rcv_store_release(&gate->word, rcv_gate_pack(&word));
}
