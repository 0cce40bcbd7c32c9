
/*
 * Everything that a backend's leader remembers from tick to tick.  Plain
 * values without pointers: it is copied whole, lies in shared memory, and a
 * new leader goes on from it.
 */

#ifndef RCV_STATE_H_INCLUDED_
#define RCV_STATE_H_INCLUDED_


#include "cohort.h"
#include "flaps.h"
#include "health.h"
#include "window.h"


/* Why the limit last moved; rcv_why_texts[] has the sentences. */

typedef enum {
    RCV_WHY_START = 0,
    RCV_WHY_HEALTH_UP,
    RCV_WHY_HEALTH_DOWN,
    RCV_WHY_HEALTH_DEGRADED,
    RCV_WHY_HEALTH_RECOVERING,
    RCV_WHY_PROBES_OK,
    RCV_WHY_PROBE_FAILED,
    RCV_WHY_SCHEDULE,
    RCV_WHY_NO_EVIDENCE,
    RCV_WHY_ERRORS,
    RCV_WHY_RELAPSE,
    RCV_WHY_STALE,
    RCV_WHY_SIGNAL_LOST,
    RCV_WHY_SIGNAL_BACK,
    RCV_WHY_CEILING,
    RCV_WHY_RAMP_DONE,
    RCV_WHY_VERIFIED,
    RCV_WHY_FORCED,
    RCV_WHY_FORCE_ENDED,
    RCV_WHY_DEAD,
    RCV_WHY_ALIVE,
    RCV_WHY_CUT,
    RCV_WHY_CUT_UNDONE,
    RCV_WHY_RESTORED,
    RCV_WHY_FORCE_REFUSED,
    RCV_WHY_CEILING_ENDED,
    RCV_WHY_STEPPED_BACK,
    RCV_WHY_PROMOTED,
    RCV_WHY_HEALTH_ORDERED,
    RCV_WHY_ORDER_ENDED,
    RCV_WHY_FLAPS,
    RCV_WHY_STEADY,
    RCV_WHY_PROMOTE_ENDED,
    RCV_WHYS
} rcv_why_t;

extern const char *const  rcv_why_texts[RCV_WHYS];


/* What the configuration says of a backend, beside its policy. */

typedef struct {
    uint64_t             capacity_milli;    /* 0: not given */
    uint64_t             quota_milli;       /* RCV_UNLIMITED: none */
    rcv_phase_t          initial;       /* UP, DOWN or PROBING */
} rcv_limits_t;


/* The controller's own numbers. */

typedef struct {
    uint64_t             ramp_ms;       /* the ramp's clock */
    uint32_t             level_ppm;     /* of the reference */
    uint32_t             in_flight_limit;
    uint32_t             ok;            /* recent evidence, see controller.c */
    uint32_t             bad;
    uint32_t             idle_ms;       /* since work was last delivered */

    /* what steers: the number in flight; see law.h */
    uint32_t             limit_milli;   /* thousandths; the law's own */
    uint32_t             base_us;       /* latency without a queue; 0: new */
    uint32_t             latency_us;    /* smoothed */
    uint32_t             cut_from_milli;    /* a cut on trial; 0: none */
    uint32_t             cut_ok_milli;  /* delivered a second before it */
    uint32_t             cut_bad_ppm;   /* failed before it */
    uint32_t             dip_from_milli;    /* where latency began to cut */
    uint32_t             dip_us;        /* ... and what it was */
    uint32_t             background_ppm;    /* fails whatever the load */
    uint32_t             failed_milli;  /* limit of the last relapse; 0 */
    uint32_t             stuck;         /* in flight since before it broke */
    uint16_t             wait_ms;       /* for the last move to be felt */
    uint16_t             carry_milli;   /* of the limit's fraction */
    uint8_t              mode;          /* rcv_mode_t */
    uint8_t              dip_low;       /* so low that it will show */
    uint8_t              unused[2];
} rcv_control_t;


typedef enum {
    RCV_MODE_WIDE = 0,                  /* the guard alone; base is learned */
    RCV_MODE_SLOW_START,
    RCV_MODE_STEER
} rcv_mode_t;


typedef struct {
    uint64_t             phase_since_ms;
    uint64_t             why_ms;
    uint64_t             held_milli;    /* a ceiling; RCV_UNLIMITED */

    rcv_signal_t         signal;
    rcv_override_t       override;
    rcv_control_t        control;
    rcv_cohort_t         cohort;
    rcv_flaps_t          flaps;

    /* learned in "up" */
    uint64_t             mean_micro;    /* moving average of the cost rate */
    uint64_t             learned_milli; /* its slow peak; 0: unknown */
    uint64_t             reference_milli;   /* configured or learned; 0 */
    uint32_t             learned_ms;    /* time learned from */
    uint32_t             learned_requests;
    uint32_t             healthy_milli; /* in flight, in thousandths */
    uint32_t             healthy_in_flight; /* 0: unknown */
    uint32_t             gap_ms;        /* since traffic was last seen */
    uint32_t             decay_ms;      /* since the peaks were last lowered */

    /* rows and clocks of the phase and of a force */
    uint32_t             good_row;      /* probes in a row, then good ticks */
    uint32_t             verified_ms;
    uint32_t             force_ms;      /* how long it has been in force */
    uint32_t             forced_ppm;    /* RCV_FORCE_LEVEL */
    uint32_t             wanted_ppm;        /* ... and where it is to be */
    uint32_t             forced_ramp_ms;    /* its way there, on the ramp */

    /* for display and Retry-After */
    uint64_t             delivered_milli;   /* per second */
    uint64_t             offered_milli;
    uint32_t             failed_milli;
    uint32_t             class_offered_milli[RCV_CLASSES_MAX];
    uint32_t             error_ppm;     /* of results; PPM_UNKNOWN: none */
    uint32_t             p50_ms;        /* UINT32_MAX: unknown */
    uint32_t             p90_ms;
    uint32_t             eta_s;         /* UINT32_MAX: unknown */
    uint16_t             latency_age_ms;
    uint16_t             epoch;         /* of the gate */

    uint16_t             absent_ms[RCV_CLASSES_MAX];    /* not offered for */

    uint8_t              phase;         /* rcv_phase_t */
    uint8_t              health;        /* rcv_health_t that counts */
    uint8_t              said;          /* rcv_health_t the source said */
    uint8_t              why;           /* rcv_why_t */
    uint8_t              lost;
    uint8_t              stale;
    uint8_t              force;         /* the one in force */
    uint8_t              started;       /* 0: never ticked */
    uint8_t              class_max;     /* probing: last class let in */
    uint8_t              bound;         /* rcv_reason_t of the bucket */
    uint8_t              quiet;         /* see rcv_state_quiet() */
    uint8_t              dead;          /* down because we found it so */
    uint8_t              force_from;    /* rcv_from_t of the one in force */
    uint8_t              health_from;

    uint16_t             calm_ms;       /* in full service; see budget.h */
} rcv_state_t;


/* Whose word counts. */

typedef enum {
    RCV_FROM_NONE = 0,                  /* "initial" */
    RCV_FROM_SOURCE,
    RCV_FROM_ORDER,
    RCV_FROMS
} rcv_from_t;


#define RCV_PPM_UNKNOWN  UINT32_MAX

#define RCV_MS_UNKNOWN   UINT32_MAX
#define RCV_ETA_UNKNOWN  UINT32_MAX

/* A class not offered for so long is not there. */
#define RCV_CLASS_ABSENT_MS    1000

/* No tick counts for more time than this: a stopped leader does not leap. */
#define RCV_PROGRESS_MAX_MS    1000

_Static_assert(sizeof(rcv_state_t) <= 416, "1,000 backends fit in 2 MB");


/* Sets "why" and when, if it is another one. */
void rcv_state_why(rcv_state_t *state, rcv_why_t why, uint64_t now_ms);

/*
 * Does what the backend does say that it fails?  Found dead, its last probe
 * failed, most of its results of the last seconds were bad, or a cut of what
 * it gets is on trial.
 */
int rcv_state_failing(const rcv_state_t *state);

/*
 * What is new in a source's words beside force: whoever wrote them
 * has done something, even if it moves nothing now.  RCV_WHY_START: nothing;
 * nor in the first word on health, which may be an old one.
 */
rcv_why_t rcv_state_news(const rcv_signal_t *before,
    const rcv_signal_t *now);

/*
 * Takes a window into the numbers for display: rates smoothed over a second,
 * errors, quantiles, and which classes there are.
 */
void rcv_state_observe(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_window_t *window);


#endif /* RCV_STATE_H_INCLUDED_ */
