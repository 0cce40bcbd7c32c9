
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
 *   scale_ns     the leader's: the interval in which tat_ns is reckoned, that
 *                of the last rate there was; 0: never a rate
 *   in_flight    everybody's: permits out; see inflight.h
 *   retries_milli  everybody's: tokens for retries; see budget.h
 *   retries_most_milli  the leader's: how many that may be
 *   cohort       the leader's: which users of which class are let in; 0: no
 *                cut; see cohort.h
 *   spilled      everybody's, may wrap: of the marginal class, let in
 *                though beyond the cut; never goes down
 *
 * A process killed at any instruction leaves every field valid; all it can
 * leave behind is permits, and those are found again (inflight.h).  A reader
 * may see a new word with an old interval for some nanoseconds: the request
 * is then decided by a rate of one tick ago.
 *
 * A gate of zeros is valid and lets nothing pass (limit 0): the leader
 * publishes before anybody asks.
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
    uint64_t             scale_ns;
    uint32_t             in_flight;
    int32_t              retries_milli;
    uint32_t             retries_most_milli;
    uint32_t             spilled;
    uint64_t             cohort;
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
    unsigned             cut;           /* there is one; see "cohort" */
    unsigned             processes;     /* that ask; 0: unknown, no lots */
} rcv_gate_word_t;


typedef struct {
    rcv_gate_word_t      word;
    uint64_t             rate_milli;    /* RCV_UNLIMITED: no bucket */
    uint64_t             burst_milli;   /* cost, at least RCV_MILLI */
    uint64_t             cohort;        /* word of the cut; 0: none */
} rcv_allowance_t;


/*
 * The word's bits, lowest first: mode 2, phase 3, reason 4, class_max 4,
 * cut 1, processes 8, 2 unused, epoch 16, in_flight_limit 24.
 */

#define RCV_GATE_MODE_BITS    2
#define RCV_GATE_PHASE_BITS   3
#define RCV_GATE_REASON_BITS  4
#define RCV_GATE_CLASS_BITS   4
#define RCV_GATE_CUT_BITS     1
#define RCV_GATE_PROCESSES_BITS  8
#define RCV_GATE_EPOCH_BITS   16
#define RCV_GATE_LIMIT_BITS   24

#define RCV_GATE_PHASE_SHIFT   RCV_GATE_MODE_BITS
#define RCV_GATE_REASON_SHIFT  (RCV_GATE_PHASE_SHIFT + RCV_GATE_PHASE_BITS)
#define RCV_GATE_CLASS_SHIFT   (RCV_GATE_REASON_SHIFT + RCV_GATE_REASON_BITS)
#define RCV_GATE_CUT_SHIFT     (RCV_GATE_CLASS_SHIFT + RCV_GATE_CLASS_BITS)
#define RCV_GATE_PROCESSES_SHIFT  (RCV_GATE_CUT_SHIFT + RCV_GATE_CUT_BITS)
#define RCV_GATE_LIMIT_SHIFT   (64 - RCV_GATE_LIMIT_BITS)
#define RCV_GATE_EPOCH_SHIFT   (RCV_GATE_LIMIT_SHIFT - RCV_GATE_EPOCH_BITS)

_Static_assert(RCV_GATE_CLOSED < 1 << RCV_GATE_MODE_BITS, "mode");
_Static_assert(RCV_PHASES <= 1 << RCV_GATE_PHASE_BITS, "phase");
_Static_assert(RCV_REASONS <= 1 << RCV_GATE_REASON_BITS, "reason");
_Static_assert(RCV_CLASSES_MAX <= 1 << RCV_GATE_CLASS_BITS, "class");
_Static_assert(RCV_IN_FLIGHT_MAX < 1 << RCV_GATE_LIMIT_BITS, "limit");
_Static_assert(RCV_GATE_PROCESSES_SHIFT + RCV_GATE_PROCESSES_BITS
               <= RCV_GATE_EPOCH_SHIFT, "the fields fill no more than 64 bits");


static inline unsigned
rcv_gate_bits(uint64_t packed, unsigned shift, unsigned bits)
{
    return (unsigned) (packed >> shift) & ((1u << bits) - 1);
}


/* One field of a packed word, for decisions that need no other. */

static inline rcv_gate_mode_t
rcv_gate_mode(uint64_t packed)
{
    return (rcv_gate_mode_t) rcv_gate_bits(packed, 0, RCV_GATE_MODE_BITS);
}


static inline rcv_phase_t
rcv_gate_phase(uint64_t packed)
{
    return (rcv_phase_t) rcv_gate_bits(packed, RCV_GATE_PHASE_SHIFT,
                                       RCV_GATE_PHASE_BITS);
}


static inline rcv_reason_t
rcv_gate_reason(uint64_t packed)
{
    return (rcv_reason_t) rcv_gate_bits(packed, RCV_GATE_REASON_SHIFT,
                                        RCV_GATE_REASON_BITS);
}


static inline unsigned
rcv_gate_class_max(uint64_t packed)
{
    return rcv_gate_bits(packed, RCV_GATE_CLASS_SHIFT, RCV_GATE_CLASS_BITS);
}


static inline unsigned
rcv_gate_cut(uint64_t packed)
{
    return rcv_gate_bits(packed, RCV_GATE_CUT_SHIFT, RCV_GATE_CUT_BITS);
}


static inline unsigned
rcv_gate_processes(uint64_t packed)
{
    return rcv_gate_bits(packed, RCV_GATE_PROCESSES_SHIFT,
                         RCV_GATE_PROCESSES_BITS);
}


static inline uint32_t
rcv_gate_epoch(uint64_t packed)
{
    return rcv_gate_bits(packed, RCV_GATE_EPOCH_SHIFT, RCV_GATE_EPOCH_BITS);
}


static inline uint32_t
rcv_gate_limit(uint64_t packed)
{
    return rcv_gate_bits(packed, RCV_GATE_LIMIT_SHIFT, RCV_GATE_LIMIT_BITS);
}


/*
 * Values too large become the largest there is; of the epoch, 16 bits count.
 * A mode that sheds is never without a reason: REASON_NONE becomes DOWN when
 * closed and RATE when limited, since a decision of REASON_NONE passes.  Of
 * an allowance "cut" is what "cohort" says, whatever it is.
 */
uint64_t rcv_gate_pack(const rcv_gate_word_t *word);
rcv_gate_word_t rcv_gate_unpack(uint64_t packed);

/*
 * Leader only: puts an allowance into force.  What the bucket owes is kept
 * in units of cost over a change of rate (a debt of 3 requests at 2/s is one
 * of 3 requests at 200/s): otherwise the first steps of a ramp would wait
 * for a debt reckoned in the time of the slow rate.  While there is no rate
 * (RCV_UNLIMITED, or 0) the debt runs off as at the last one.
 *
 * To publish the same again changes nothing.  A leader killed half way
 * leaves a debt that is too small by what one change of rate makes of it,
 * never one too large.
 */
void rcv_gate_publish(rcv_gate_t *gate, const rcv_allowance_t *allowance,
    uint64_t now_ns);


#endif /* RCV_GATE_H_INCLUDED_ */
