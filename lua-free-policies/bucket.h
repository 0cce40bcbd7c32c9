
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
 */

#ifndef RCV_BUCKET_H_INCLUDED_
#define RCV_BUCKET_H_INCLUDED_


#include "gate.h"


/* interval of a rate in ns, at least 1; rate 0 gives UINT64_MAX */
uint64_t rcv_bucket_interval_ns(uint64_t rate_milli);

/* share_ppm: the class's share of the burst; rank: 0 is the first class */
uint64_t rcv_bucket_watermark_ns(uint64_t burst_ns, uint64_t interval_ns,
    uint32_t share_ppm, unsigned rank);

/* Would it pass?  Writes nothing. */
int rcv_bucket_fits(const rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns);

/* Takes the cost; 1: taken, 0: does not fit. */
int rcv_bucket_take(rcv_gate_t *gate, uint32_t share_ppm, unsigned rank,
    uint32_t cost_milli, uint64_t now_ns);

/* Gives back what rcv_bucket_take() took and nobody used. */
void rcv_bucket_refund(rcv_gate_t *gate, uint32_t cost_milli);


#endif /* RCV_BUCKET_H_INCLUDED_ */
