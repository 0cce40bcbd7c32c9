
/*
 * The core's vocabulary: bounds, units and the closed lists of words that
 * configuration, decisions, status and metrics share.
 *
 * The core is plain C11: no nginx, no I/O, no clock, no allocation after
 * set-up.  Facts and "now" come in, a decision goes out.
 *
 * Units, always last in a name:
 *   _ms, _ns, _s  time.  "now" is monotonic, comes from the caller, and may
 *                 run backwards by a few ms between processes: every
 *                 difference goes through rcv_since().
 *   _milli        cost or rate in thousandths: 2.5 requests are 2500,
 *                 2 requests per second are 2000.
 *   _ppm          a ratio in millionths: 100 % is 1000000.
 */

#ifndef RCV_H_INCLUDED_
#define RCV_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define RCV_CLASSES_MAX     16
#define RCV_NAME_MAX        63          /* bytes of a name, without the NUL */
#define RCV_TEXT_MAX        63          /* bytes of "by" and "reason" */
#define RCV_ERROR_MAX       512         /* bytes of a configuration message */

#define RCV_PPM             1000000u
#define RCV_MILLI           1000u
#define RCV_COST_MAX        1000u       /* whole units a request may cost */

/* A rate of "no limit"; 0 always means "nothing". */
#define RCV_UNLIMITED       UINT64_MAX

/* 10^9 requests per second: above it an interval has no nanosecond left. */
#define RCV_RATE_MAX_MILLI  (1000000000ull * RCV_MILLI)


typedef struct {
    const char  *data;
    size_t       len;
} rcv_str_t;


/* Set-up only: memory for as long as the configuration; NULL: no more. */
typedef void *(*rcv_alloc_pt)(void *data, size_t size);


typedef enum {
    RCV_PHASE_UP = 0,
    RCV_PHASE_DEGRADED,
    RCV_PHASE_DOWN,
    RCV_PHASE_PROBING,
    RCV_PHASE_RAMPING,
    RCV_PHASE_VERIFYING,
    RCV_PHASES
} rcv_phase_t;


typedef enum {
    RCV_HEALTH_NONE = 0,                /* nobody has an opinion */
    RCV_HEALTH_UP,
    RCV_HEALTH_DEGRADED,
    RCV_HEALTH_DOWN,
    RCV_HEALTH_RECOVERING,
    RCV_HEALTHS
} rcv_health_t;


typedef enum {
    RCV_REASON_NONE = 0,
    RCV_REASON_RATE,                    /* the ramp's token bucket */
    RCV_REASON_IN_FLIGHT,
    RCV_REASON_DOWN,
    RCV_REASON_PROBING,                 /* class not let in yet, floor used */
    RCV_REASON_FORCED,
    RCV_REASON_QUOTA,
    RCV_REASON_CEILING,
    RCV_REASON_DEGRADED,
    RCV_REASON_COHORT,
    RCV_REASON_RETRY_BUDGET,
    RCV_REASON_SIGNAL_LOST,
    RCV_REASONS
} rcv_reason_t;


typedef enum {
    RCV_OUTCOME_NONE = 0,
    RCV_OUTCOME_PASSED,
    RCV_OUTCOME_SHED,
    RCV_OUTCOME_SHED_DRY_RUN,
    RCV_OUTCOMES
} rcv_outcome_t;


typedef enum {
    RCV_RESULT_OK = 0,
    RCV_RESULT_ERROR,
    RCV_RESULT_TIMEOUT,
    RCV_RESULTS
} rcv_result_t;


typedef enum {
    RCV_FORCE_NONE = 0,
    RCV_FORCE_OPEN,                     /* no limit but quota */
    RCV_FORCE_CLOSED,
    RCV_FORCE_HOLD,                     /* the ramp stands still */
    RCV_FORCE_LEVEL,                    /* a fixed part of the reference */
    RCV_FORCES
} rcv_force_t;


/* The words above as users read them; valid for every value of the enum. */
extern const char *const  rcv_phase_names[RCV_PHASES];
extern const char *const  rcv_health_names[RCV_HEALTHS];
extern const char *const  rcv_reason_names[RCV_REASONS];
extern const char *const  rcv_outcome_names[RCV_OUTCOMES];
extern const char *const  rcv_result_names[RCV_RESULTS];
extern const char *const  rcv_force_names[RCV_FORCES];


static inline uint64_t
rcv_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}


static inline uint64_t
rcv_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}


/* Time from "then" to "now", never negative. */

static inline uint64_t
rcv_since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}


static inline uint64_t
rcv_add_sat(uint64_t a, uint64_t b)
{
    uint64_t  sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}


static inline uint64_t
rcv_mul_sat(uint64_t a, uint64_t b)
{
    uint64_t  product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}


/*
 * a * b / c without overflow in between, saturating; c must not be 0.
 * RCV_UNLIMITED stays RCV_UNLIMITED.
 */

static inline uint64_t
rcv_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128  wide;

    if (a == RCV_UNLIMITED) {
        return RCV_UNLIMITED;
    }

    wide = (unsigned __int128) a * b / c;

    return wide > UINT64_MAX ? UINT64_MAX : (uint64_t) wide;
}


/* Rounded down. */
uint64_t rcv_sqrt(uint64_t n);


static inline int
rcv_str_eq(rcv_str_t s, const char *word)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (word[i] == '\0' || word[i] != s.data[i]) {
            return 0;
        }
    }

    return word[i] == '\0';
}


#endif /* RCV_H_INCLUDED_ */
