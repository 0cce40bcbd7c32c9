
/*
 * Envoy's adaptive concurrency (envoyproxy/envoy, GradientController of
 * extensions/filters/http/adaptive_concurrency) with its defaults; the two
 * intervals that have none as in its documentation: 100 ms and a minute.
 *
 * Every so often all but three in flight are turned away until 50 samples
 * have shown what latency is without load.  In between the limit follows
 * that (and a quarter) over the median of each interval, plus a square root.
 * Every answer is a sample, also an error; one whose client has left is not.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law.h"


#define ENVOY_BASE_EVERY_S   60.0
#define ENVOY_JITTER         0.15
#define ENVOY_BASE_SAMPLES   50
#define ENVOY_BUFFER         0.25
#define ENVOY_MIN            3.0
#define ENVOY_MAX            1000.0
#define ENVOY_QUANTILE       0.5

/* So often at the least limit in a row, and the base is taken anew. */
#define ENVOY_LEAST_ROW      5

/* Its histogram has two digits: steps of 5 % from 0.1 ms on. */
#define ENVOY_BUCKETS        300
#define ENVOY_BUCKET_FIRST   1e-4
#define ENVOY_BUCKET_STEP    1.05


typedef struct {
    sim_rng_t            rng;
    double               limit;
    double               limit_max;
    double               limit_before;  /* while the base is taken */
    double               base_s;
    double               base_at_s;     /* taken since */
    double               next_s;        /* ... and next */
    unsigned             taking;
    unsigned             least_row;
    unsigned             in_flight;
    double               samples;
    double               bucket[ENVOY_BUCKETS];
} envoy_t;


static void
envoy_clear(envoy_t *law)
{
    law->samples = 0;
    memset(law->bucket, 0, sizeof(law->bucket));
}


static void
envoy_limit(envoy_t *law, double limit)
{
    if (!law->taking && law->limit <= ENVOY_MIN && limit <= ENVOY_MIN) {
        law->least_row++;

    } else {
        law->least_row = 0;
    }

    law->limit = limit;
}


static void
envoy_take(envoy_t *law, double now_s)
{
    law->taking = 1;
    law->limit_before = law->limit;
    law->base_at_s = now_s;
    envoy_limit(law, ENVOY_MIN);
    envoy_clear(law);
}


static void *
envoy_create(const sim_law_facts_t *facts)
{
    envoy_t  *law;

    law = sim_alloc(sizeof(*law));
    law->rng.state = facts->seed;
    law->limit = ENVOY_MIN;
    law->limit_max = fmax(ENVOY_MAX, facts->demand);
    envoy_take(law, 0);

    return law;
}


static uint32_t
envoy_admit(void *data, const sim_ask_t *ask, sim_pass_t *pass)
{
    double    room;
    uint32_t  n;
    envoy_t  *law = data;

    (void) pass;

    room = floor(law->limit) - law->in_flight;
    n = (room <= 0) ? 0 : (room >= ask->weight) ? ask->weight
                                                : (uint32_t) room;
    law->in_flight += n;

    return n;
}


static double
envoy_quantile_s(envoy_t *law)
{
    double    n;
    unsigned  i;

    n = 0;

    for (i = 0; i < ENVOY_BUCKETS - 1; i++) {
        n += law->bucket[i];

        if (n >= law->samples * ENVOY_QUANTILE) {
            break;
        }
    }

    envoy_clear(law);

    return ENVOY_BUCKET_FIRST * pow(ENVOY_BUCKET_STEP, i + 0.5);
}


static void
envoy_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    double    at_s, now_s, i;
    envoy_t  *law = data;

    law->in_flight -= pass->weight;

    at_s = sim_seconds(pass->at_ns);
    now_s = sim_seconds(now_ns);

    if (result == SIM_RESULT_GONE || at_s < law->base_at_s) {
        return;
    }

    i = log(fmax(now_s - at_s, ENVOY_BUCKET_FIRST) / ENVOY_BUCKET_FIRST)
        / log(ENVOY_BUCKET_STEP);

    law->bucket[(unsigned) fmin(i, ENVOY_BUCKETS - 1)] += pass->weight;
    law->samples += pass->weight;

    if (law->taking && law->samples >= ENVOY_BASE_SAMPLES) {
        law->base_s = envoy_quantile_s(law);
        envoy_limit(law, law->limit_before);
        law->taking = 0;
        law->next_s = now_s + ENVOY_BASE_EVERY_S
                      * (1 + ENVOY_JITTER
                             * sim_uniform(sim_rng_next(&law->rng)));
    }
}


static void
envoy_tick(void *data, uint64_t now_ns)
{
    double    now_s, gradient, limit;
    envoy_t  *law = data;

    now_s = sim_seconds(now_ns);

    if (law->taking) {
        return;
    }

    if (now_s >= law->next_s || law->least_row >= ENVOY_LEAST_ROW) {
        envoy_take(law, now_s);
        return;
    }

    if (law->samples == 0) {
        return;
    }

    gradient = law->base_s * (1 + ENVOY_BUFFER) / envoy_quantile_s(law);
    limit = law->limit * fmax(0.5, fmin(2, gradient));
    limit = floor(limit + sqrt(limit));

    envoy_limit(law, fmax(ENVOY_MIN, fmin(law->limit_max, limit)));
}


static double
envoy_retry_after_s(void *data, const sim_ask_t *ask)
{
    (void) data;
    (void) ask;

    return 0;
}


static void
envoy_show(void *data, sim_show_t *show)
{
    envoy_t  *law = data;

    show->limit = law->limit;
    show->in_flight = law->in_flight;
}


const sim_law_t  sim_law_envoy = {
    "envoy", "a limit in flight: Envoy's adaptive concurrency",
    envoy_create, free, envoy_admit, envoy_done, envoy_retry_after_s,
    envoy_tick, NULL, envoy_show, 0
};
