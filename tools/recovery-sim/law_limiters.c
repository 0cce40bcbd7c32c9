
/*
 * Limits on the number in flight as others have them: Vegas and Gradient2 of
 * Netflix's concurrency-limits, with that library's defaults.  No classes,
 * no state for a dead backend, no Retry-After.
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

/* Vegas looks for a new base after so many times the limit of samples. */
#define VEGAS_PROBE      30.0


typedef struct {
    sim_rng_t            rng;
    double               limit;
    double               limit_max;
    double               base_s;        /* Vegas: least; Gradient2: long */
    double               samples;
    double               probe;
    unsigned             in_flight;
} limiter_t;


static void *
limiter_create(const sim_law_facts_t *facts)
{
    limiter_t  *law;

    law = sim_alloc(sizeof(*law));
    law->rng.state = facts->seed;
    law->limit = LIMIT_START;
    law->limit_max = fmax(200, facts->demand);
    law->probe = 1;

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


static void
vegas_dropped(limiter_t *law)
{
    law->limit = fmax(1, law->limit - fmax(1, log10(law->limit)));
}


static void
vegas_sample(limiter_t *law, double latency_s, unsigned was)
{
    double  queue, alpha, beta, step;

    if (++law->samples >= law->probe * VEGAS_PROBE * law->limit) {
        law->probe = 0.5 + 0.5 * sim_uniform(sim_rng_next(&law->rng));
        law->samples = 0;
        law->base_s = latency_s;
        return;
    }

    if (law->base_s == 0 || latency_s < law->base_s) {
        law->base_s = latency_s;
        return;
    }

    if (was * 2 < law->limit) {
        return;
    }

    step = fmax(1, log10(law->limit));
    alpha = 3 * step;
    beta = 6 * step;
    queue = ceil(law->limit * (1 - law->base_s / latency_s));

    if (queue <= step) {
        law->limit += beta;

    } else if (queue < alpha) {
        law->limit += step;

    } else if (queue > beta) {
        law->limit -= step;
    }

    law->limit = fmax(1, fmin(law->limit_max, law->limit));
}


static void
vegas_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    uint32_t    i;
    limiter_t  *law = data;

    for (i = 0; i < pass->weight; i++) {
        if (result == SIM_RESULT_OK) {
            vegas_sample(law, sim_seconds(now_ns - pass->at_ns),
                         law->in_flight--);

        } else {
            /* a quick refusal must not become the base */
            law->in_flight--;
            vegas_dropped(law);
        }
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
    "vegas", "a limit in flight: Vegas, as in concurrency-limits",
    limiter_create, free, limiter_admit, vegas_done, limiter_retry_after_s,
    limiter_tick, NULL, limiter_show
};


const sim_law_t  sim_law_gradient2 = {
    "gradient2", "a limit in flight: Gradient2, as in concurrency-limits",
    limiter_create, free, limiter_admit, gradient2_done,
    limiter_retry_after_s, limiter_tick, NULL, limiter_show
};
