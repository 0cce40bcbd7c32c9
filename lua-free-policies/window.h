
/*
 * Facts of one tick, added up over all processes by the leader, and the
 * latency histogram that workers count in.
 */

#ifndef RCV_WINDOW_H_INCLUDED_
#define RCV_WINDOW_H_INCLUDED_


#include "rcv.h"


#define RCV_LATENCY_BUCKETS  14         /* the last one has no upper bound */

#define RCV_LATENCY_FIRST_MS  1         /* bound of the first */

/* Upper bounds in ms of all but the last bucket. */
extern const uint32_t  rcv_latency_bounds_ms[RCV_LATENCY_BUCKETS - 1];


typedef struct {
    uint64_t             dt_ms;
    uint64_t             offered[RCV_CLASSES_MAX];
    uint64_t             passed[RCV_CLASSES_MAX];
    uint64_t             shed[RCV_CLASSES_MAX];     /* dry run included */
    uint64_t             shed_rate;     /* of them by rate or in_flight */
    uint64_t             shed_in_flight;    /* of these by in_flight */
    uint64_t             shed_retries;  /* of them by retry_budget */
    uint64_t             cost_milli;    /* of what passed */

    /* results of requests admitted in this phase only */
    uint64_t             results[RCV_RESULTS];
    uint64_t             overload;      /* of the errors: 502, 503, 504 */
    uint64_t             gone;          /* clients who left unanswered */
    uint64_t             work_us;       /* latencies of ok and gone */

    uint64_t             latency[RCV_LATENCY_BUCKETS];
    uint64_t             latency_sum_us;

    /* of "shed", by class: by a limit of the gate, and by cohort */
    uint64_t             shed_limit[RCV_CLASSES_MAX];
    uint64_t             shed_cohort[RCV_CLASSES_MAX];
    uint64_t             spilled;       /* passed beyond the cut */

    uint32_t             in_flight;
    uint32_t             random;        /* uniform bits, others each time */
} rcv_window_t;


/* The same of the cohorts' cut: what it is judged by.  See cohort.c. */

typedef struct {
    uint64_t             dt_ms;
    uint64_t             spilled;
    uint64_t             offered[RCV_CLASSES_MAX];
    uint64_t             refused[RCV_CLASSES_MAX];  /* by a limit */
    uint64_t             cut[RCV_CLASSES_MAX];      /* shed by cohort */
} rcv_cohort_round_t;


/* What the wave on the limit shows, half by half: see wave.c. */

typedef struct {
    uint64_t             half;          /* the number of the one that is on */
    uint64_t             half_ms;       /* how long it is; 0: none is on */
    uint64_t             ok;            /* delivered in it ... */
    uint64_t             ms;            /* ... in so much of it */
    uint64_t             shed;          /* by in_flight */
    uint64_t             rate_milli[2]; /* of the two before; 0: none */

    /* (high - low) / (high + low) */
    int64_t              last_ppm;
    uint64_t             last_results;
    int64_t              slope_ppm;     /* mean */
    uint64_t             results;       /* behind the mean */
    uint32_t             halves;        /* ... and halves; 0: unknown */
    uint32_t             fresh;         /* last_ppm has moved nothing yet */
} rcv_wave_t;


/* What service has climbed by, for Retry-After; see retry.c. */

typedef struct {
    uint64_t             age_ms;        /* 0: new */
    uint64_t             slow_milli;    /* delivered, a slow mean */
    unsigned             by_places;     /* is what sheds most */
} rcv_climb_t;


/*
 * A round of the controller: ticks added up until there is enough to judge
 * by.  The leader's own: a new leader begins with an empty one.
 */

typedef struct {
    uint64_t             dt_ms;
    uint64_t             ok;
    uint64_t             bad;           /* errors, timeouts, and gone */
    uint64_t             overload;      /* of the bad: all but a plain 500 */
    uint64_t             works;         /* how many work_us is of */
    uint64_t             work_us;
    uint64_t             shed;          /* by in_flight */
    uint64_t             in_flight_max;
    uint64_t             gone;          /* in "bad" */

    /* these go on from round to round */
    uint64_t             bad_row;       /* failures without a success */
    uint64_t             silent_ms;     /* work there, and nothing came back */
    uint64_t             base_works;    /* that the latency base is made of */
    uint64_t             age_ms;        /* since the phase began */
    rcv_wave_t           wave;

    /* of their own */
    rcv_cohort_round_t   cohort;
    rcv_climb_t          climb;
} rcv_round_t;


static inline unsigned
rcv_latency_bucket(uint64_t latency_ms)
{
    unsigned  i;

    if (latency_ms <= RCV_LATENCY_FIRST_MS) {
        return 0;
    }

    for (i = 1; i < RCV_LATENCY_BUCKETS - 1; i++) {
        if (latency_ms <= rcv_latency_bounds_ms[i]) {
            break;
        }
    }

    return i;
}


/*
 * Upper estimate of a quantile in ms, interpolated within its bucket;
 * RCV_UNLIMITED when the histogram is empty.
 */
uint64_t rcv_latency_quantile_ms(const uint64_t *buckets,
    uint32_t quantile_ppm);

uint64_t rcv_window_offered(const rcv_window_t *window);
uint64_t rcv_window_passed(const rcv_window_t *window);
uint64_t rcv_window_shed(const rcv_window_t *window);
uint64_t rcv_window_results(const rcv_window_t *window);
uint64_t rcv_window_bad(const rcv_window_t *window);    /* of the results */


#endif /* RCV_WINDOW_H_INCLUDED_ */
