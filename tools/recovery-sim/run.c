
#include <stdlib.h>
#include <string.h>

#include "attempt.h"


/* Half a period of a source that cannot make up its mind. */
#define SIM_FLAP_NS  (500 * SIM_MS)


sim_second_t *
sim_world_second(sim_world_t *world)
{
    unsigned  i;

    i = (unsigned) (world->engine.now_ns / SIM_S);

    if (i >= world->run->nseconds) {
        i = world->run->nseconds - 1;
    }

    return &world->run->seconds[i];
}


static void
world_say(sim_world_t *world, const char *health)
{
    unsigned  i;

    for (i = 0; i < world->nlaws; i++) {
        if (world->law->hear != NULL) {
            world->law->hear(world->laws[i], health, world->engine.now_ns);
        }
    }
}


static void
world_strength(sim_world_t *world, const sim_step_t *step)
{
    sim_backend_t  *backend;

    backend = &world->backend;
    backend->strength_to = step->value;

    if (step->over_s == 0) {
        backend->strength = step->value;

    } else {
        backend->strength_step = (step->value - backend->strength)
                                 / (step->over_s * (double) SIM_S
                                    / (double) SIM_TICK_NS);
    }
}


static void
world_flap(sim_world_t *world, const sim_step_t *step, uint32_t index)
{
    uint32_t  k;

    k = index / SIM_STEPS_MAX;

    if ((double) (k * SIM_FLAP_NS) >= step->over_s * (double) SIM_S) {
        world_say(world, "up");
        return;
    }

    world_say(world, (k % 2) ? "up" : "down");

    sim_engine_at(&world->engine, world->engine.now_ns + SIM_FLAP_NS,
                  SIM_EVENT_STEP, index + SIM_STEPS_MAX);
}


static void
world_backlog(sim_world_t *world, const sim_step_t *step)
{
    unsigned  i;

    world->clients.wave = step->value;

    for (i = 0; i < step->over_s; i++) {
        sim_engine_at(&world->engine, world->engine.now_ns + i * SIM_S,
                      SIM_EVENT_WAVE, 0);
    }
}


static void
on_step(void *data, uint32_t index)
{
    sim_world_t       *world = data;
    const sim_step_t  *step;

    step = &world->scenario->steps[index % SIM_STEPS_MAX];

    world->broken = 1;

    switch (step->kind) {

    case SIM_STEP_ALIVE:
        sim_attempts_lost(world, SIM_BACKEND_ALIVE);
        break;

    case SIM_STEP_FAIL:
        sim_attempts_lost(world, SIM_BACKEND_FAIL);
        break;

    case SIM_STEP_HANG:
        sim_attempts_lost(world, SIM_BACKEND_HANG);
        break;

    case SIM_STEP_COLD:
        world->backend.warmth = 0;
        break;

    case SIM_STEP_STRENGTH:
        world_strength(world, step);
        break;

    case SIM_STEP_SLOW:
        world->backend.slow = step->value;
        break;

    case SIM_STEP_ERRORS:
        world->backend.errors = step->value;
        break;

    case SIM_STEP_DEMAND:
        world->clients.demand = step->value;
        break;

    case SIM_STEP_BACKLOG:
        world_backlog(world, step);
        break;

    case SIM_STEP_SAY:
        world_say(world, step->word);
        break;

    case SIM_STEP_FLAP:
        world_flap(world, step, index);
        break;

    default:
        break;
    }
}


/* Means over the second are added up tick by tick, states overwritten. */

static void
world_note(sim_world_t *world)
{
    double         ticks;
    unsigned       i;
    sim_show_t     show;
    sim_second_t  *second;

    second = sim_world_second(world);
    ticks = (double) SIM_S / (double) SIM_TICK_NS;

    second->capacity += sim_backend_capacity(&world->backend) / ticks;
    second->warmth = world->backend.warmth;
    second->queue = world->backend.queued;
    second->dead |= (world->backend.mode != SIM_BACKEND_ALIVE);
    second->in_flight = 0;
    second->limit = 0;
    second->rate = 0;

    for (i = 0; i < world->nlaws; i++) {
        show = (sim_show_t) { .limit = -1, .rate = -1, .phase = "-" };
        world->law->show(world->laws[i], &show);

        second->in_flight += show.in_flight;
        second->limit = (show.limit < 0 || second->limit < 0)
                        ? -1 : second->limit + show.limit;
        second->rate = (show.rate < 0 || second->rate < 0)
                       ? -1 : second->rate + show.rate;
        second->phase = show.phase;
    }
}


static void
on_tick(void *data, uint32_t index)
{
    unsigned      i;
    sim_world_t  *world = data;

    sim_backend_tick(&world->backend, world->engine.now_ns);

    for (i = 0; i < world->nlaws; i++) {
        world->law->tick(world->laws[i], world->engine.now_ns);
    }

    world_note(world);

    sim_engine_at(&world->engine, world->engine.now_ns + SIM_TICK_NS,
                  SIM_EVENT_TICK, index);
}


static void
world_laws(sim_world_t *world)
{
    unsigned               i, n;
    sim_law_facts_t        facts;
    const sim_scenario_t  *scenario;

    scenario = world->scenario;
    n = (world->law == &sim_law_oracle) ? 1 : scenario->nodes;

    for (i = 0; i < n; i++) {
        facts.policy = world->policy;
        facts.scenario = scenario;
        facts.backend = &world->backend;
        facts.demand = scenario->demand
                       * (n == 1 ? 1 : sim_clients_share(&world->clients, i));
        facts.capacity = scenario->capacity_x
                         * sim_scenario_capacity(scenario);
        facts.seed = sim_hash(world->run->seed, i, 13);

        /* those who share leases share a leader */
        facts.without = world->law->without;
        facts.leader = (scenario->leases && i != 0) ? world->laws[0] : NULL;

        world->laws[i] = world->law->create(&facts);
    }

    world->nlaws = n;

    /* all nodes to the same one */
    for (/* void */ ; i < scenario->nodes; i++) {
        world->laws[i] = world->laws[0];
    }
}


static void
on_log(void *data, uint32_t index)
{
    sim_world_t  *world = data;

    (void) index;

    world->play->next(world->play->data);
}


static void
world_start(sim_world_t *world)
{
    unsigned       i;
    sim_engine_t  *engine;

    static const sim_event_pt  handlers[SIM_EVENTS] = {
        sim_on_session, sim_on_call, sim_on_attempt, sim_on_timeout,
        sim_on_answer, sim_on_served, on_tick, on_step, sim_on_wave, on_log
    };

    engine = &world->engine;

    sim_engine_init(engine, world);
    memcpy(engine->handlers, handlers, sizeof(handlers));

    for (i = 0; i < SIM_STEPS_MAX; i++) {
        if (world->scenario->steps[i].kind != SIM_STEP_NONE) {
            sim_engine_at(engine, sim_ns(world->scenario->steps[i].at_s),
                          SIM_EVENT_STEP, i);
        }
    }

    sim_engine_at(engine, 0, SIM_EVENT_TICK, 0);

    if (world->play != NULL) {
        sim_engine_at(engine, 0, SIM_EVENT_LOG, 0);

    } else {
        sim_clients_begin(world);
    }
}


void
sim_world_open(sim_world_t *world)
{
    sim_backend_init(&world->backend, world->scenario, world->run->seed);
    sim_clients_init(&world->clients, world->scenario, world->run->seed);
    world_laws(world);
    world_start(world);
}


void
sim_world_close(sim_world_t *world)
{
    unsigned  i;

    for (i = 0; i < world->nlaws; i++) {
        world->law->destroy(world->laws[i]);
    }

    sim_clients_done(&world->clients);
    sim_backend_done(&world->backend);
    sim_engine_done(&world->engine);
}


unsigned
sim_run_seconds(const sim_scenario_t *scenario)
{
    return (unsigned) scenario->end_s;
}


void
sim_run(sim_run_t *run, const sim_scenario_t *scenario, const sim_law_t *law,
    const rcv_policy_t *policy, uint64_t seed, sim_second_t *seconds)
{
    sim_world_t  *world;

    memset(run, 0, sizeof(*run));

    run->scenario = scenario;
    run->law = law;
    run->seed = seed;
    run->nseconds = sim_run_seconds(scenario);
    run->seconds = seconds;

    world = sim_alloc(sizeof(*world));
    world->run = run;
    world->scenario = scenario;
    world->policy = policy;
    world->law = law;
    world->judge_ns = sim_ns(scenario->judge_s);

    sim_world_open(world);
    sim_engine_run(&world->engine, sim_ns(scenario->end_s));
    sim_world_close(world);
    free(world);
}
