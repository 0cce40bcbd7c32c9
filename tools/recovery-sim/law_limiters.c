
/*
 * Limits on the number in flight as others have them: Gradient2 with the
 * defaults of Netflix's concurrency-limits, and Vegas with its steps on
 * windows of samples (sample by sample one quick answer is the base for
 * ever).  No classes, no state for a dead backend, no Retry-After.
 */

#include <math.h>
#include <stdlib.h>

#include "law.h"


#define LIMIT_START      20.0

/* Gradient2 stays within these, as its defaults have it. */
#define GRADIENT_MIN     20.0
#define GRADIENT_WINDOW  600.0
#define GRADIENT_QUEUE   4.0
#define GRADIENT_SMOOTH  0.2
#define GRADIENT_SLACK   1.5

#define VEGAS_WINDOW     20             /* samples, at least */
#define VEGAS_BASE_S     10.0           /* how long a base holds */
#define VEGAS_DROPPED    0.05           /* more of them are an overload */
#define VEGAS_DROP       0.9


typedef struct {
    double               limit;
    double               limit_max;
    double               base_s;        /* Vegas: least; Gradient2: long */
    double               samples;
    unsigned             in_flight;

    /* the window of Vegas */
    double               base_at_s;
    double               ok;
    double               dropped;
    double               latency_sum;
    double               in_flight_max;
} limiter_t;


static void *
limiter_create(const sim_law_facts_t *facts)
{
    limiter_t  *law;

    law = sim_alloc(sizeof(*law));
    law->limit = LIMIT_START;
    law->limit_max = fmax(200, facts->demand);

    return law;
}


static uint32_t
limiter_admit(void *data, const sim_ask_t *ask, sim_pass_t *pass)
{
    double      room;
    uint32_t    n;
    limiter_t  *law = data;

    (void) pass;

    room = floor(law->limit) - law->in_flight;
    n = (room <= 0) ? 0 : (room >= ask->weight) ? ask->weight
                                                : (uint32_t) room;
    law->in_flight += n;

    return n;
}


/* A window of samples: its mean against the least of the last seconds. */

static void
vegas_window(limiter_t *law, double now_s)
{
    double  r, step, queue;

    r = law->latency_sum / fmax(1, law->ok);
    step = fmax(1, log10(law->limit));

    if (law->dropped > VEGAS_DROPPED * law->samples) {
        law->limit *= VEGAS_DROP;

    } else if (law->ok > 0) {

        if (law->base_s == 0 || r < law->base_s
            || now_s - law->base_at_s > VEGAS_BASE_S)
        {
            law->base_s = r;
            law->base_at_s = now_s;
        }

        queue = law->limit * (1 - law->base_s / r);

        if (law->in_flight_max * 2 < law->limit) {
            step = 0;
        }

        law->limit += (queue <= step) ? 6 * step : (queue < 3 * step) ? step
                      : (queue > 6 * step) ? -step : 0;
    }

    law->limit = fmax(2, fmin(law->limit_max, law->limit));

    law->samples = 0;
    law->dropped = 0;
    law->ok = 0;
    law->latency_sum = 0;
    law->in_flight_max = 0;
}


static void
vegas_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    double      n;
    limiter_t  *law = data;

    n = pass->weight;

    law->in_flight_max = fmax(law->in_flight_max, law->in_flight);
    law->in_flight -= pass->weight;
    law->samples += n;

    if (result == SIM_RESULT_OK) {
        law->ok += n;
        law->latency_sum += sim_seconds(now_ns - pass->at_ns) * n;

    } else if (result >= SIM_RESULT_OVERLOAD) {
        law->dropped += n;
    }

    if (law->samples >= VEGAS_WINDOW && law->samples >= law->limit / 2) {
        vegas_window(law, sim_seconds(now_ns));
    }
}


static void
gradient2_sample(limiter_t *law, double latency_s, unsigned was)
{
    double  gradient, factor;

    /* the first samples weigh alike, then exponentially */

    factor = fmax(1 / ++law->samples, 2 / (GRADIENT_WINDOW + 1));
    law->base_s += factor * (latency_s - law->base_s);

    if (law->base_s / latency_s > 2) {
        law->base_s *= 0.95;
    }

    if (was < law->limit / 2) {
        return;
    }

    gradient = fmax(0.5, fmin(1, GRADIENT_SLACK * law->base_s / latency_s));

    law->limit = law->limit * (1 - GRADIENT_SMOOTH)
                 + (law->limit * gradient + GRADIENT_QUEUE) * GRADIENT_SMOOTH;
    law->limit = fmax(GRADIENT_MIN, fmin(law->limit_max, law->limit));
}


static void
gradient2_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    uint32_t    i;
    limiter_t  *law = data;

    for (i = 0; i < pass->weight; i++, law->in_flight--) {
        if (result == SIM_RESULT_OK || result >= SIM_RESULT_TIMEOUT) {
            gradient2_sample(law, sim_seconds(now_ns - pass->at_ns) + 1e-9,
                             law->in_flight);
        }
    }
}


static double
limiter_retry_after_s(void *data, const sim_ask_t *ask)
{
    (void) data;
    (void) ask;

    return 0;
}


static void
limiter_tick(void *data, uint64_t now_ns)
{
    (void) data;
    (void) now_ns;
}


static void
limiter_show(void *data, sim_show_t *show)
{
    limiter_t  *law = data;

    show->limit = law->limit;
    show->in_flight = law->in_flight;
}


const sim_law_t  sim_law_vegas = {
    "vegas", "a limit in flight: Vegas on windows of samples",
    limiter_create, free, limiter_admit, vegas_done, limiter_retry_after_s,
    limiter_tick, NULL, limiter_show
};


const sim_law_t  sim_law_gradient2 = {
    "gradient2", "a limit in flight: Gradient2, as in concurrency-limits",
    limiter_create, free, limiter_admit, gradient2_done,
    limiter_retry_after_s, limiter_tick, NULL, limiter_show
};
