
#include <stddef.h>
#include <string.h>

#include "scenario.h"


/*
 * Most scenarios: a minute of health, in which a controller may learn what
 * is normal, half a minute of outage, and the recovery.
 */

#define BREAK_S  60
#define BACK_S   90
#define END_S    240

#define OUTAGE                                                                \
    { BREAK_S, SIM_STEP_FAIL, .value = 0 },                                   \
    { BREAK_S, SIM_STEP_SAY, .word = "down" },                                \
    { BACK_S, SIM_STEP_ALIVE, .value = 0 },                                   \
    { BACK_S, SIM_STEP_SAY, .word = "up" }

#define COLD  { BACK_S, SIM_STEP_COLD, .value = 0 }


static const sim_scenario_t  scenarios[] = {
    {
        .name = "warm",
        .what = "comes back warm and whole",
        .steps = { OUTAGE },
    },
    {
        .name = "cold",
        .what = "comes back whole, its cache empty",
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "slow-return",
        .what = "cold, from 20 % of its strength to all of it in 2 minutes",
        .end_s = 300,
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_STRENGTH, .value = 0.2 },
            { BACK_S, SIM_STEP_STRENGTH, .value = 1, .over_s = 120 },
        },
    },
    {
        .name = "partial",
        .what = "cold, and 70 % of its strength for good",
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_STRENGTH, .value = 0.7 },
        },
    },
    {
        .name = "relapse-honest",
        .what = "breaks again after 20 s for 15 s, and Redis is told",
        .steps = {
            OUTAGE, COLD,
            { 110, SIM_STEP_FAIL, .value = 0 },
            { 110, SIM_STEP_SAY, .word = "down" },
            { 125, SIM_STEP_ALIVE, .value = 0 },
            { 125, SIM_STEP_COLD, .value = 0 },
            { 125, SIM_STEP_SAY, .word = "up" },
        },
    },
    {
        .name = "relapse-lying",
        .what = "breaks again after 20 s for 15 s, and Redis says up",
        .steps = {
            OUTAGE, COLD,
            { 110, SIM_STEP_FAIL, .value = 0 },
            { 125, SIM_STEP_ALIVE, .value = 0 },
            { 125, SIM_STEP_COLD, .value = 0 },
        },
    },
    {
        .name = "backlog",
        .what = "cold, 12 times the demand for 5 s, all retry every second",
        .comeback = 0.8,
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_BACKLOG, .value = 12, .over_s = 5 },
        },
    },
    {
        .name = "slow-success",
        .what = "no outage: for a minute all takes 10 times as long, no error",
        .judge_s = BREAK_S,
        .end_s = 210,
        .steps = {
            { BREAK_S, SIM_STEP_SLOW, .value = 10 },
            { 120, SIM_STEP_SLOW, .value = 1 },
        },
    },
    {
        .name = "noisy",
        .what = "cold, with very noisy latency",
        .noise = 0.8,
        .cold_x = 5,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "pauses",
        .what = "cold, every 7 s work begun in half a second takes 4 times",
        .cold_x = 5,
        .stall_every_s = 7,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "noisy-timeouts",
        .what = "so noisy that one in ten times out, however low the load",
        .noise = 1.0,
        .stall_every_s = 7,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "app-errors",
        .what = "cold, and 15 % of answers are errors that load does not cause",
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_ERRORS, .value = 0.15 },
        },
    },
    {
        .name = "degrading",
        .what = "cold, and loses time to contention above 80 % load",
        .demand = 560,
        .contention = 2,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "rate-2",
        .what = "2 requests a second, 2 workers",
        .demand = 2,
        .workers = 2,
        .service_s = 0.2,
        .cold_x = 5,
        .keys = 60,
        .queue = 50,
        .patience_s = 5,
        .end_s = 330,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "rate-30",
        .what = "30 requests a second, 3 workers",
        .demand = 30,
        .workers = 3,
        .service_s = 0.07,
        .keys = 214,
        .queue = 50,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "rate-100k",
        .what = "100,000 requests a second, 7,000 workers",
        .demand = 100000,
        .weight = 50,
        .workers = 7143,
        .keys = 714300,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "capacity-high",
        .what = "cold, `capacity` says 3 times too much",
        .capacity_x = 3,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "capacity-low",
        .what = "cold, `capacity` says a third of the truth",
        .capacity_x = 0.3333,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "capacity-absent",
        .what = "cold, and the proxy started in the outage: nothing learned",
        .told_down = 1,
        .judge_s = 20,
        .end_s = 170,
        .steps = {
            { 0, SIM_STEP_FAIL, .value = 0 },
            { 0, SIM_STEP_SAY, .word = "down" },
            { 20, SIM_STEP_ALIVE, .value = 0 },
            { 20, SIM_STEP_COLD, .value = 0 },
            { 20, SIM_STEP_SAY, .word = "up" },
        },
    },
    {
        .name = "burst-after-quiet",
        .what = "cold, nearly no users for 40 s, then 1.3 times the usual",
        .end_s = 270,
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_DEMAND, .value = 0.05 },
            { 130, SIM_STEP_DEMAND, .value = 1.3 },
            { 160, SIM_STEP_DEMAND, .value = 1 },
        },
    },
    {
        .name = "second-peak",
        .what = "warm, and 2 minutes later 1.6 times the demand for 20 s",
        .end_s = 300,
        .steps = {
            OUTAGE,
            { 210, SIM_STEP_DEMAND, .value = 1.6 },
            { 230, SIM_STEP_DEMAND, .value = 1 },
        },
    },
    {
        .name = "flapping",
        .what = "cold, and for 10 s Redis says down, up, down at 1 Hz",
        .steps = {
            OUTAGE, COLD,
            { BACK_S, SIM_STEP_FLAP, .value = 0, .over_s = 10 },
        },
    },
    {
        .name = "two-services",
        .what = "cold, two proxies that do not know of each other, 2 to 1",
        .nodes = 2,
        .skew = 2,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "eight-nodes",
        .what = "cold, eight nodes, skewed 1.5 to 1 each, with leases",
        .nodes = 8,
        .leases = 1,
        .skew = 1.5,
        .steps = { OUTAGE, COLD },
    },
    {
        .name = "dies-silently",
        .what = "stops answering for 30 s, cold after; nobody tells Redis",
        .proxy_s = 0.8,
        .steps = {
            { BREAK_S, SIM_STEP_HANG, .value = 0 },
            { BACK_S, SIM_STEP_ALIVE, .value = 0 }, COLD,
        },
    },
};

#define SCENARIOS  (sizeof(scenarios) / sizeof(scenarios[0]))

const unsigned  sim_nscenarios = SCENARIOS;


static const sim_scenario_t  defaults = {
    .demand = 700,
    .weight = 1,
    .workers = 50,
    .service_s = 0.05,
    .cold_x = 8,
    .keys = 5000,
    .queue = 20,
    .noise = 0.3,
    .patience_s = 1,
    .proxy_s = 60,
    .honour = 0.5,
    .rude = 0.2,
    .comeback = 0.3,
    .nodes = 1,
    .skew = 1,
    .judge_s = BACK_S,
    .end_s = END_S,
};


#define DEFAULT(field)                                                        \
    if (scenario->field == 0) {                                               \
        scenario->field = defaults.field;                                     \
    }


static void
scenario_complete(sim_scenario_t *scenario)
{
    DEFAULT(demand)
    DEFAULT(weight)
    DEFAULT(workers)
    DEFAULT(service_s)
    DEFAULT(cold_x)
    DEFAULT(keys)
    DEFAULT(queue)
    DEFAULT(noise)
    DEFAULT(patience_s)
    DEFAULT(proxy_s)
    DEFAULT(honour)
    DEFAULT(rude)
    DEFAULT(comeback)
    DEFAULT(nodes)
    DEFAULT(skew)
    DEFAULT(judge_s)
    DEFAULT(end_s)
}


const sim_scenario_t *
sim_scenario(unsigned i)
{
    static sim_scenario_t  complete[SCENARIOS];

    if (i >= SCENARIOS) {
        return NULL;
    }

    if (complete[i].name == NULL) {
        complete[i] = scenarios[i];
        scenario_complete(&complete[i]);
    }

    return &complete[i];
}


int
sim_scenario_find(const char *name)
{
    unsigned  i;

    for (i = 0; i < SCENARIOS; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return (int) i;
        }
    }

    return -1;
}


double
sim_scenario_capacity(const sim_scenario_t *scenario)
{
    return scenario->workers / scenario->service_s
           * (scenario->contention > 0 ? 0.8 : 1);
}
