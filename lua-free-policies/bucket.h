
/*
 * Token bucket with class watermarks: the generic cell rate algorithm
 * (ITU-T I.371), whose whole state is one time, so that one 64-bit CAS takes
 * a token and no timer refills it.
 *
 * What the bucket owes ("backlog") is tat - now.  A request passes when its
 * class's watermark still holds it:
 *
 *     backlog + cost <= watermark(class)
 *
 * The first class may fill the whole burst, later ones a falling share of
 * it, at least one unit of cost apart.  Under load the backlog settles at
 * the watermark of the marginal class: those above always find room, those
 * below never do.
 *
 * A request that costs more than its watermark passes when nothing is owed
 * at all, and then owes it: it must not be shed for ever.
 *
 * So no honest backlog is larger than the burst and one request of
 * RCV_COST_MAX.  A tat further ahead (a clock that went back, a torn value)
 * counts as that bound and is brought back to it: it delays, it never closes
 * for ever.  A tat in the past counts as now.
 *
 * Interval 0 (no rate) lets everything pass and owes nothing; rate 0 lets
 * nothing pass.  Cost 0 passes free at any other rate.
 */

#ifndef RCV_BUCKET_H_INCLUDED_
#define RCV_BUCKET_H_INCLUDED_


#include "gate.h"


/* The interval of rate 0: no time is long enough. */
#define RCV_INTERVAL_NEVER  UINT64_MAX


/*
 * Interval of a rate in ns, at least 1, rounded up: a quota is never
 * exceeded.  Rate 0 gives RCV_INTERVAL_NEVER.
 */
uint64_t rcv_bucket_interval_ns(uint64_t rate_milli);

/* share_ppm: the class's share of the burst; rank: 0 is the first class */
uint64_t rcv_bucket_watermark_ns(uint64_t burst_ns, uint64_t interval_ns,
    uint32_t share_ppm, unsigned rank);

/* The largest backlog that honest takers can leave. */
uint64_t rcv_bucket_bound_ns(uint64_t burst_ns, uint64_t interval_ns);

/* Would it pass?  Writes nothing. */
int rcv_bucket_fits(const rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns);

/* Takes the cost; 1: taken, 0: does not fit. */
int rcv_bucket_take(rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns);

/*
 * Takes the cost of what has been let through already, whoever it was.  The
 * debt shuts the bucket for all, but never for longer than a second, or than
 * one such cost takes.
 */
void rcv_bucket_charge(rcv_gate_t *gate, uint32_t cost_milli,
    uint64_t now_ns);

/*
 * Gives back what rcv_bucket_take() took and nobody used.  Nothing is given
 * while there is no rate: nobody knows what it was worth.
 */
void rcv_bucket_refund(rcv_gate_t *gate, uint32_t cost_milli);

/*
 * Brings a tat too far ahead back to the bound.  For who was told by
 * rcv_bucket_fits() that it does not fit; rcv_bucket_take() does it itself.
 */
void rcv_bucket_heal(rcv_gate_t *gate, uint64_t now_ns);

/*
 * For rcv_gate_publish(): the backlog, reckoned in one interval, in units of
 * another.  Both are intervals of a rate (not 0, not NEVER); burst_ns is
 * that of the new one.  Tries a bounded number of times; 1: done, 0: others
 * were always faster, nothing changed.
 */
int rcv_bucket_rescale(rcv_gate_t *gate, uint64_t from_ns, uint64_t to_ns,
    uint64_t burst_ns, uint64_t now_ns);


#endif /* RCV_BUCKET_H_INCLUDED_ */
