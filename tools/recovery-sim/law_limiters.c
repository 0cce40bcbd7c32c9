
/*
 * Limits on the number in flight as Netflix's concurrency-limits has them
 * (github.com/Netflix/concurrency-limits, concurrency-limits-core):
 * VegasLimit and Gradient2Limit with the defaults of their builders, under
 * a SimpleLimiter.  No classes, no state for a dead backend, no Retry-After.
 *
 * As there, and in the interceptor for gRPC clients: an answer is a sample;
 * 502, 503, 504 and clients who gave up are drops, which Vegas takes as an
 * overload and Gradient2 as latency alone; a 500 is neither.
 *
 * Where the library leaves a choice, here is what does better in these
 * scenarios.  Vegas goes by windows of a second (WindowedLimit): sample by
 * sample the quickest answer is its base, and it does not even let a healthy
 * service be.  Gradient2 goes sample by sample.  The first and the highest
 * limit, 20 and 1000 or 200 there, are an operator's to set: here the first
 * is not below twice what the usual case has in flight, the highest not below
 * the demand of a second.
 */

#include <math.h>
#include <stdlib.h>

#include "law.h"


#define LIMIT_START       20.0
#define LIMIT_START_PART  10            /* of the demand */

#define VEGAS_MAX         1000.0
#define VEGAS_PROBE       30            /* a new base in so many limits */
#define VEGAS_WINDOW_S    1.0
#define VEGAS_SAMPLES     10

#define GRADIENT_MIN      20.0
#define GRADIENT_MAX      200.0
#define GRADIENT_LONG     600.0         /* samples */
#define GRADIENT_WARM_UP  10.0          /* ... that weigh alike */
#define GRADIENT_QUEUE    4.0
#define GRADIENT_SMOOTH   0.2
#define GRADIENT_SLACK    1.5


typedef struct {
    sim_rng_t            rng;
    double               limit;
    double               limit_max;
    double               base_s;        /* Vegas: least; Gradient2: long */
    unsigned             in_flight;

    double               samples;       /* Vegas: of the window */

    /* Vegas */
    double               probe;         /* windows since the last */
    double               probe_jitter;
    double               window_end_s;
    double               latency_sum;
    double               in_flight_max;
    unsigned             dropped;
} limiter_t;


static limiter_t *
limiter_new(const sim_law_facts_t *facts, double limit_max)
{
    limiter_t  *law;

    law = sim_alloc(sizeof(*law));
    law->rng.state = facts->seed;
    law->limit = fmax(LIMIT_START, facts->demand / LIMIT_START_PART);
    law->limit_max = fmax(limit_max, facts->demand);

    return law;
}


static void *
gradient2_create(const sim_law_facts_t *facts)
{
    return limiter_new(facts, GRADIENT_MAX);
}


static void
vegas_probe_later(limiter_t *law)
{
    law->probe = 0;
    law->probe_jitter = 0.5 + 0.5 * sim_uniform(sim_rng_next(&law->rng));
}


static void *
vegas_create(const sim_law_facts_t *facts)
{
    limiter_t  *law;

    law = limiter_new(facts, VEGAS_MAX);
    vegas_probe_later(law);

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
vegas_window(limiter_t *law, double latency_s)
{
    double  step, queue;

    law->probe++;

    if (law->probe_jitter * VEGAS_PROBE * law->limit <= law->probe) {
        vegas_probe_later(law);
        law->base_s = latency_s;
        return;
    }

    if (law->base_s == 0 || latency_s < law->base_s) {
        law->base_s = latency_s;
        return;
    }

    step = fmax(1, floor(log10(floor(law->limit))));
    queue = ceil(law->limit * (1 - law->base_s / latency_s));

    if (law->dropped) {
        law->limit -= step;

    } else if (law->in_flight_max * 2 < law->limit) {
        return;

    } else if (queue <= step) {
        law->limit += 6 * step;

    } else if (queue < 3 * step) {
        law->limit += step;

    } else if (queue > 6 * step) {
        law->limit -= step;
    }

    law->limit = fmax(1, fmin(law->limit_max, law->limit));
}


static void
vegas_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    double      now_s;
    limiter_t  *law = data;

    law->in_flight_max = fmax(law->in_flight_max, law->in_flight);
    law->in_flight -= pass->weight;

    if (result == SIM_RESULT_ERROR) {
        return;
    }

    now_s = sim_seconds(now_ns);

    law->samples += pass->weight;
    law->latency_sum += sim_seconds(now_ns - pass->at_ns) * pass->weight;
    law->dropped |= (result != SIM_RESULT_OK);

    if (now_s <= law->window_end_s) {
        return;
    }

    if (law->samples >= VEGAS_SAMPLES) {
        vegas_window(law, law->latency_sum / law->samples + 1e-9);
    }

    law->window_end_s = now_s + VEGAS_WINDOW_S;
    law->samples = 0;
    law->latency_sum = 0;
    law->in_flight_max = 0;
    law->dropped = 0;
}


static void
gradient2_sample(limiter_t *law, double latency_s)
{
    double  gradient, factor;

    law->samples++;
    factor = (law->samples <= GRADIENT_WARM_UP) ? 1 / law->samples
                                                : 2 / (GRADIENT_LONG + 1);
    law->base_s += factor * (latency_s - law->base_s);

    if (law->base_s / latency_s > 2) {
        law->base_s *= 0.95;
    }

    if (law->in_flight < law->limit / 2) {
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
        if (result != SIM_RESULT_ERROR) {
            gradient2_sample(law, sim_seconds(now_ns - pass->at_ns) + 1e-9);
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
    "vegas", "a limit in flight: VegasLimit of concurrency-limits",
    vegas_create, free, limiter_admit, vegas_done, limiter_retry_after_s,
    limiter_tick, NULL, limiter_show, 0
};


const sim_law_t  sim_law_gradient2 = {
    "gradient2", "a limit in flight: Gradient2Limit of concurrency-limits",
    gradient2_create, free, limiter_admit, gradient2_done,
    limiter_retry_after_s, limiter_tick, NULL, limiter_show, 0
};
