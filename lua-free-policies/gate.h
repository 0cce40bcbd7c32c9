
/*
 * The gate of one backend: what the leader allows and what is used of it.
 * It lies in shared memory, on one cache line; every worker decides on it
 * alone, without a lock and without asking anybody.
 *
 *   word         written by the leader, read by all: mode, phase, reason,
 *                last class let in, epoch and in-flight limit in one 64-bit
 *                word, so that no decision sees half a change
 *   interval_ns  the leader's: time that one unit of cost takes; 0 in modes
 *                without a rate
 *   burst_ns     the leader's: how far the bucket may run ahead of now
 *   tat_ns       everybody's: theoretical arrival time (GCRA): when the
 *                bucket will be full again; one CAS takes from it
 *   in_flight    everybody's: permits out; see inflight.h
 *
 * A process killed at any instruction leaves every field valid; all it can
 * leave behind is permits, and those are found again (inflight.h).  A reader
 * may see a new word with an old interval for some nanoseconds: the request
 * is then decided by a rate of one tick ago.
 */

#ifndef RCV_GATE_H_INCLUDED_
#define RCV_GATE_H_INCLUDED_


#include "rcv.h"


typedef enum {
    RCV_GATE_OPEN = 0,                  /* in-flight limit only */
    RCV_GATE_LIMIT,                     /* in-flight limit and bucket */
    RCV_GATE_CLOSED                     /* nothing passes */
} rcv_gate_mode_t;


typedef struct {
    uint64_t             word;
    uint64_t             interval_ns;
    uint64_t             burst_ns;
    uint64_t             tat_ns;
    uint32_t             in_flight;
    uint32_t             unused[7];
} rcv_gate_t;

_Static_assert(sizeof(rcv_gate_t) == 64, "a gate fills one cache line");


#define RCV_IN_FLIGHT_MAX  ((1u << 24) - 1)


/* The word, unpacked.  It is also the leader's order to the gate. */

typedef struct {
    rcv_gate_mode_t      mode;
    rcv_phase_t          phase;
    rcv_reason_t         reason;        /* why the bucket or the gate sheds */
    unsigned             class_max;     /* classes after it: REASON_PROBING */
    uint32_t             epoch;         /* 16 bits; changes with the phase */
    uint32_t             in_flight_limit;
} rcv_gate_word_t;


typedef struct {
    rcv_gate_word_t      word;
    uint64_t             rate_milli;    /* RCV_UNLIMITED: no bucket */
    uint64_t             burst_milli;   /* cost, at least RCV_MILLI */
} rcv_allowance_t;


uint64_t rcv_gate_pack(const rcv_gate_word_t *word);
rcv_gate_word_t rcv_gate_unpack(uint64_t packed);

/*
 * Leader only: puts an allowance into force.  What the bucket owes is kept
 * in units of cost over a change of rate (a debt of 3 requests at 2/s is one
 * of 3 requests at 200/s): otherwise the first steps of a ramp would wait
 * for a debt reckoned in the time of the slow rate.
 */
void rcv_gate_publish(rcv_gate_t *gate, const rcv_allowance_t *allowance,
    uint64_t now_ns);


#endif /* RCV_GATE_H_INCLUDED_ */
