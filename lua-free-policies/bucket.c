
#include "bucket.h"
#include "rcv_atomic.h"


/* Of what a second holds, in the thousandths of rate_milli. */
#define RCV_MILLI_NS        (1000000000ull * RCV_MILLI)

#define RCV_RESCALE_TRIES   64

/* What is charged afterwards shuts the bucket for so long, no longer. */
#define RCV_DEBT_NS         1000000000ull


uint64_t
rcv_bucket_interval_ns(uint64_t rate_milli)
{
    if (rate_milli == 0) {
        return RCV_INTERVAL_NEVER;
    }

    if (rate_milli >= RCV_MILLI_NS) {
        return 1;
    }

    return (RCV_MILLI_NS + rate_milli - 1) / rate_milli;
}


uint64_t
rcv_bucket_watermark_ns(uint64_t burst_ns, uint64_t interval_ns,
    uint32_t share_ppm, unsigned rank)
{
    uint64_t  shared, ranked;

    shared = burst_ns;

    if (share_ppm < RCV_PPM) {

        if (__builtin_mul_overflow(burst_ns, (uint64_t) share_ppm, &shared)) {
            shared = burst_ns / RCV_PPM * share_ppm;

        } else {
            shared /= RCV_PPM;
        }
    }

    ranked = rcv_since(burst_ns, rcv_mul_sat(interval_ns, rank));

    return rcv_max(rcv_min(shared, ranked), interval_ns);
}


/* Rounded up: nothing but cost 0 is free. */

static uint64_t
rcv_bucket_cost_ns(uint64_t interval_ns, uint32_t cost_milli)
{
    uint64_t  cost;

    cost = rcv_min(cost_milli, RCV_COST_MAX * RCV_MILLI);

    return rcv_add_sat(rcv_mul_sat(interval_ns, cost), RCV_MILLI - 1)
           / RCV_MILLI;
}


uint64_t
rcv_bucket_bound_ns(uint64_t burst_ns, uint64_t interval_ns)
{
    return rcv_add_sat(burst_ns, rcv_mul_sat(interval_ns, RCV_COST_MAX));
}


/*
 * Whether the cost fits on top of tat_ns, and the tat after it in *next_ns:
 * the same as tat_ns when nothing is owed for it.
 */

static int
rcv_bucket_next(const rcv_gate_t *gate, uint64_t tat_ns, uint32_t share_ppm,
    unsigned rank, uint32_t cost_milli, uint64_t now_ns, uint64_t *next_ns)
{
    uint64_t  interval_ns, burst_ns, cost_ns, backlog_ns, watermark_ns;

    interval_ns = rcv_load(&gate->interval_ns);
    *next_ns = tat_ns;

    if (interval_ns == 0) {
        return 1;
    }

    if (interval_ns == RCV_INTERVAL_NEVER) {
        return 0;
    }

    cost_ns = rcv_bucket_cost_ns(interval_ns, cost_milli);

    if (cost_ns == 0) {
        return 1;
    }

    backlog_ns = rcv_since(tat_ns, now_ns);

    if (backlog_ns != 0) {
        burst_ns = rcv_load(&gate->burst_ns);
        watermark_ns = rcv_bucket_watermark_ns(burst_ns, interval_ns,
                                               share_ppm, rank);

        if (rcv_add_sat(backlog_ns, cost_ns) > watermark_ns) {
            return 0;
        }
    }

    *next_ns = rcv_add_sat(rcv_max(tat_ns, now_ns), cost_ns);

    return 1;
}


int
rcv_bucket_fits(const rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns)
{
    uint64_t  next_ns;

    return rcv_bucket_next(gate, rcv_load(&gate->tat_ns), share_ppm, rank,
                           cost_milli, now_ns, &next_ns);
}


int
rcv_bucket_take(rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns)
{
    uint64_t  tat_ns, next_ns;

    tat_ns = rcv_load_acquire(&gate->tat_ns);

    /* The rate is read again each time: it may change with the tat. */

    do {
        if (!rcv_bucket_next(gate, tat_ns, share_ppm, rank, cost_milli,
                             now_ns, &next_ns))
        {
            rcv_bucket_heal(gate, now_ns);
            return 0;
        }

        if (next_ns == tat_ns) {
            return 1;
        }

    } while (!rcv_cas(&gate->tat_ns, &tat_ns, next_ns));

    return 1;
}


void
rcv_bucket_charge(rcv_gate_t *gate, uint32_t cost_milli, uint64_t now_ns)
{
    uint64_t  tat_ns, next_ns, interval_ns, burst_ns, cost_ns, most_ns;

    tat_ns = rcv_load_acquire(&gate->tat_ns);

    do {
        interval_ns = rcv_load(&gate->interval_ns);

        if (interval_ns == 0 || interval_ns == RCV_INTERVAL_NEVER) {
            return;
        }

        burst_ns = rcv_load(&gate->burst_ns);
        cost_ns = rcv_bucket_cost_ns(interval_ns, cost_milli);

        most_ns = rcv_add_sat(burst_ns, rcv_max(cost_ns, RCV_DEBT_NS));
        most_ns = rcv_min(most_ns, rcv_bucket_bound_ns(burst_ns,
                                                       interval_ns));

        next_ns = rcv_min(rcv_add_sat(rcv_max(tat_ns, now_ns), cost_ns),
                          rcv_add_sat(now_ns, most_ns));

        if (next_ns <= tat_ns) {
            return;
        }

    } while (!rcv_cas(&gate->tat_ns, &tat_ns, next_ns));
}


void
rcv_bucket_refund(rcv_gate_t *gate, uint32_t cost_milli)
{
    uint64_t  tat_ns, next_ns, interval_ns;

    tat_ns = rcv_load_acquire(&gate->tat_ns);

    do {
        interval_ns = rcv_load(&gate->interval_ns);

        if (interval_ns == 0 || interval_ns == RCV_INTERVAL_NEVER) {
            return;
        }

        next_ns = rcv_since(tat_ns,
                            rcv_bucket_cost_ns(interval_ns, cost_milli));

    } while (!rcv_cas(&gate->tat_ns, &tat_ns, next_ns));
}


void
rcv_bucket_heal(rcv_gate_t *gate, uint64_t now_ns)
{
    uint64_t  tat_ns, interval_ns, furthest_ns;

    interval_ns = rcv_load(&gate->interval_ns);

    if (interval_ns == 0 || interval_ns == RCV_INTERVAL_NEVER) {
        return;
    }

    furthest_ns = rcv_add_sat(now_ns,
                              rcv_bucket_bound_ns(rcv_load(&gate->burst_ns),
                                                  interval_ns));
    tat_ns = rcv_load(&gate->tat_ns);

    if (tat_ns > furthest_ns) {
        /* Once: if somebody was faster, the next one shed tries again. */
        (void) rcv_cas(&gate->tat_ns, &tat_ns, furthest_ns);
    }
}


int
rcv_bucket_rescale(rcv_gate_t *gate, uint64_t from_ns, uint64_t to_ns,
    uint64_t burst_ns, uint64_t now_ns)
{
    unsigned  tries;
    uint64_t  tat_ns, backlog_ns;

    tat_ns = rcv_load_acquire(&gate->tat_ns);

    for (tries = 0; tries < RCV_RESCALE_TRIES; tries++) {

        if (tat_ns <= now_ns) {
            return 1;
        }

        backlog_ns = rcv_min(rcv_mul_div(tat_ns - now_ns, to_ns, from_ns),
                             rcv_bucket_bound_ns(burst_ns, to_ns));

        if (rcv_cas(&gate->tat_ns, &tat_ns, rcv_add_sat(now_ns, backlog_ns)))
        {
            return 1;
        }
    }

    return 0;
}
