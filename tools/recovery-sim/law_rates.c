
/*
 * Limits on the rate, and none: what is done without looking at the backend,
 * and a throttle that looks at how much succeeds.
 *
 *   fixed       limit_req at the usual demand, with bursts of 200 ms
 *   fixed-warm  ... at what the backend can do when it is warm
 *   linear      nothing while Redis says down, then from nothing to the
 *               usual demand in a minute, and no more
 *   linear-open ... then no limit: a slow start as balancers have it for a
 *               server (HAProxy, NGINX Plus), on the total
 *   throttle    "Site Reliability Engineering" (Beyer et al., 2016), chapter
 *               21, "Client-Side Throttling": turned away by chance,
 *               (requests - K accepts) / (requests + 1), K = 2, both over two
 *               minutes.  An error of the application was accepted.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law.h"


#define RAMP_S           60.0
#define BURST_S          0.2

/* The throttle lets twice of what was accepted in two minutes pass. */
#define THROTTLE_S       120
#define THROTTLE_K       2.0


typedef struct {
    sim_rng_t            rng;
    double               rate;          /* < 0: no limit */
    double               demand;
    unsigned             open;          /* no limit after the ramp */
    double               tokens;
    double               tokens_s;      /* when they were counted */
    double               up_s;          /* since when; < 0: down */
    unsigned             in_flight;

    double               asked[THROTTLE_S];     /* by second, a ring */
    double               accepted[THROTTLE_S];
    double               asked_sum;
    double               accepted_sum;
    unsigned             second;
} rates_t;


static void *
rates_create(const sim_law_facts_t *facts)
{
    rates_t  *law;

    law = sim_alloc(sizeof(*law));
    law->rng.state = facts->seed;
    law->demand = facts->demand;
    law->rate = -1;

    return law;
}


static void *
fixed_create(const sim_law_facts_t *facts)
{
    rates_t  *law;

    law = rates_create(facts);
    law->rate = facts->demand;

    return law;
}


static void *
fixed_warm_create(const sim_law_facts_t *facts)
{
    rates_t  *law;

    law = rates_create(facts);
    law->rate = sim_scenario_capacity(facts->scenario) * facts->demand
                / facts->scenario->demand;

    return law;
}


static void *
linear_open_create(const sim_law_facts_t *facts)
{
    rates_t  *law;

    law = rates_create(facts);
    law->open = 1;

    return law;
}


static uint32_t
rates_admit(void *data, const sim_ask_t *ask, sim_pass_t *pass)
{
    double    now_s;
    uint32_t  n;
    rates_t  *law = data;

    (void) pass;

    n = ask->weight;

    if (law->rate >= 0) {
        now_s = sim_seconds(ask->now_ns);
        law->tokens += (now_s - law->tokens_s) * law->rate;
        law->tokens = fmin(law->tokens, fmax(1, law->rate * BURST_S));
        law->tokens_s = now_s;

        n = (law->tokens >= n) ? n : (uint32_t) law->tokens;
        law->tokens -= n;
    }

    law->in_flight += n;

    return n;
}


static void
rates_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    rates_t  *law = data;

    (void) now_ns;

    law->in_flight -= pass->weight;

    if (result == SIM_RESULT_OK || result == SIM_RESULT_ERROR) {
        law->accepted[law->second] += pass->weight;
        law->accepted_sum += pass->weight;
    }
}


static uint32_t
throttle_admit(void *data, const sim_ask_t *ask, sim_pass_t *pass)
{
    double    refuse;
    rates_t  *law = data;

    (void) pass;

    refuse = (law->asked_sum - THROTTLE_K * law->accepted_sum)
             / (law->asked_sum + 1);

    law->asked[law->second] += ask->weight;
    law->asked_sum += ask->weight;

    if (sim_uniform(sim_rng_next(&law->rng)) < refuse) {
        return 0;
    }

    law->in_flight += ask->weight;

    return ask->weight;
}


static double
rates_retry_after_s(void *data, const sim_ask_t *ask)
{
    (void) data;
    (void) ask;

    return 0;
}


static void
rates_tick(void *data, uint64_t now_ns)
{
    (void) data;
    (void) now_ns;
}


static void
linear_tick(void *data, uint64_t now_ns)
{
    double    since_s;
    rates_t  *law = data;

    if (law->up_s < 0) {
        law->rate = 0;

    } else if (law->up_s > 0) {
        since_s = sim_seconds(now_ns) - law->up_s;
        law->rate = (since_s >= RAMP_S && law->open) ? -1
                    : law->demand * fmin(since_s / RAMP_S, 1);
    }
}


static void
linear_hear(void *data, const char *health, uint64_t now_ns)
{
    rates_t  *law = data;

    law->up_s = (strcmp(health, "down") == 0) ? -1 : sim_seconds(now_ns);
    linear_tick(data, now_ns);
}


static void
throttle_tick(void *data, uint64_t now_ns)
{
    unsigned  second;
    rates_t  *law = data;

    second = (unsigned) (now_ns / SIM_S) % THROTTLE_S;

    if (second != law->second) {
        law->second = second;
        law->asked_sum -= law->asked[second];
        law->accepted_sum -= law->accepted[second];
        law->asked[second] = 0;
        law->accepted[second] = 0;
    }
}


static void
rates_show(void *data, sim_show_t *show)
{
    rates_t  *law = data;

    show->in_flight = law->in_flight;
    show->rate = law->rate;
}


const sim_law_t  sim_law_none = {
    "none", "all pass",
    rates_create, free, rates_admit, rates_done, rates_retry_after_s,
    rates_tick, NULL, rates_show, 0
};


const sim_law_t  sim_law_fixed = {
    "fixed", "a fixed rate: the nominal demand",
    fixed_create, free, rates_admit, rates_done, rates_retry_after_s,
    rates_tick, NULL, rates_show, 0
};


const sim_law_t  sim_law_fixed_warm = {
    "fixed-warm", "a fixed rate: what the backend can do when it is warm",
    fixed_warm_create, free, rates_admit, rates_done, rates_retry_after_s,
    rates_tick, NULL, rates_show, 0
};


const sim_law_t  sim_law_linear = {
    "linear", "nothing while down, then a linear ramp of 60 s to the demand",
    rates_create, free, rates_admit, rates_done, rates_retry_after_s,
    linear_tick, linear_hear, rates_show, 0
};


const sim_law_t  sim_law_linear_open = {
    "linear-open", "nothing while down, a linear ramp of 60 s, then all",
    linear_open_create, free, rates_admit, rates_done, rates_retry_after_s,
    linear_tick, linear_hear, rates_show, 0
};


const sim_law_t  sim_law_throttle = {
    "throttle", "twice of what was accepted in the last two minutes",
    rates_create, free, throttle_admit, rates_done, rates_retry_after_s,
    throttle_tick, NULL, rates_show, 0
};
