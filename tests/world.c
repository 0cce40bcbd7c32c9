
#include "world.h"
#include "policy_text.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>


void
world_init(world_t *world, const char *policy)
{
    memset(world, 0, sizeof(*world));

    policy_text_good(&world->policy, policy);

    world->limits.quota_milli = RCV_UNLIMITED;
    world->limits.initial = RCV_PHASE_UP;

    world->source.configured = 1;
    world->source.heard = 1;

    world->now_ms = 1000000;
    world->unix_s = 1700000000;
    world->tick_ms = RCV_TICK_MS;
    world->latency_ms = 20;

    rcv_state_init(&world->state, &world->policy, &world->limits,
                   world->now_ms);
    world->out.allowance.rate_milli = RCV_UNLIMITED;
    world->out.allowance.word.in_flight_limit = RCV_GUARD_MIN;
    world->out.allowance.word.class_max = RCV_CLASSES_MAX - 1;
}


void
world_done(world_t *world)
{
    rcv_policy_free(&world->policy);
}


void
world_demand(world_t *world, uint64_t rate_milli)
{
    memset(world->demand_milli, 0, sizeof(world->demand_milli));
    world->demand_milli[world->policy.default_class] = rate_milli;
}


unsigned
world_say(world_t *world, const char *health, const char *ceiling,
    const char *force, const char *until)
{
    rcv_fields_t  fields;

    memset(&fields, 0, sizeof(fields));

    if (health != NULL) {
        fields.value[RCV_FIELD_HEALTH] = str(health);
    }

    if (ceiling != NULL) {
        fields.value[RCV_FIELD_CEILING] = str(ceiling);
    }

    if (force != NULL) {
        fields.value[RCV_FIELD_FORCE] = str(force);
    }

    if (until != NULL) {
        fields.value[RCV_FIELD_FORCE_UNTIL] = str(until);
    }

    return rcv_signal_update(&world->state.signal, &fields, &world->policy,
                             world->unix_s, world->now_ms);
}


void
world_health(world_t *world, const char *health)
{
    assert_int_equal(world_say(world, health, NULL, NULL, NULL), 0);
}


/* How many whole requests a rate brings in this tick. */

static uint64_t
world_due(uint64_t *carry, uint64_t rate_milli, uint64_t dt_ms)
{
    uint64_t  due;

    *carry += rate_milli * dt_ms;
    due = *carry / 1000000;
    *carry %= 1000000;

    return due;
}


static void
world_answer(world_t *world, uint64_t passed)
{
    uint64_t       bad;
    rcv_window_t  *window;

    window = &world->window;

    if (world->mute) {
        return;
    }

    world->bad_carry += passed * world->bad_ppm;
    bad = world->bad_carry / RCV_PPM;
    world->bad_carry %= RCV_PPM;

    window->results[RCV_RESULT_ERROR] = bad;
    window->results[RCV_RESULT_OK] = passed - bad;
    window->latency[rcv_latency_bucket(world->latency_ms)] = passed;
    window->latency_sum_us = passed * world->latency_ms * 1000;
    window->work_us = (passed - bad) * world->latency_ms * 1000;
}


static void
world_pass(world_t *world)
{
    uint64_t               offered, passed, tokens, places, room, total;
    unsigned               i, by_rate;
    rcv_window_t          *window;
    const rcv_allowance_t  *allowance;

    window = &world->window;
    allowance = &world->out.allowance;

    tokens = UINT64_MAX;
    places = allowance->word.in_flight_limit * window->dt_ms
             / world->latency_ms;

    if (allowance->word.mode == RCV_GATE_CLOSED) {
        tokens = 0;

    } else if (allowance->word.mode == RCV_GATE_LIMIT) {
        world->tokens_milli += allowance->rate_milli * window->dt_ms / 1000;
        world->tokens_milli = rcv_min(world->tokens_milli,
                                      rcv_max(allowance->burst_milli,
                                              allowance->rate_milli
                                              * window->dt_ms / 1000));
        tokens = world->tokens_milli / RCV_MILLI;
    }

    total = 0;

    for (i = 0; i < world->policy.nclasses; i++) {
        offered = world_due(&world->carry[i], world->demand_milli[i],
                            window->dt_ms);
        by_rate = (allowance->word.reason == RCV_REASON_RATE);
        room = rcv_min(tokens - rcv_min(total, tokens),
                       places - rcv_min(total, places));

        if (i > allowance->word.class_max) {
            room = 0;
        }

        passed = rcv_min(offered, room);
        total += passed;

        window->offered[i] = offered;
        window->passed[i] = passed;
        window->shed[i] = offered - passed;

        if (by_rate || places < tokens) {
            window->shed_rate += offered - passed;
        }

        if (places < tokens) {
            window->shed_in_flight += offered - passed;
        }
    }

    window->cost_milli = total * RCV_MILLI;
    window->in_flight = (uint32_t) rcv_min(total, 1);
    world->tokens_milli -= rcv_min(world->tokens_milli, total * RCV_MILLI);

    world_answer(world, total);
}


void
world_tick(world_t *world)
{
    unsigned  i;

    memset(&world->window, 0, sizeof(world->window));
    world->window.dt_ms = world->tick_ms;
    world->now_ms += world->tick_ms;
    world->window.random = (uint32_t) world->now_ms * 2654435761u | 1;

    world_pass(world);

    rcv_tick(&world->state, &world->round, &world->policy, &world->limits,
             &world->source, &world->window, world->now_ms, &world->out);

    for (i = 0; i < world->out.nchanges; i++) {
        if (world->nchanges
            < sizeof(world->changes) / sizeof(world->changes[0]))
        {
            world->changes[world->nchanges++] = world->out.changes[i];
        }
    }
}


void
world_run(world_t *world, uint64_t ms)
{
    uint64_t  end_ms;

    for (end_ms = world->now_ms + ms; world->now_ms < end_ms; /* void */ ) {
        world_tick(world);
    }
}


void
world_until(world_t *world, rcv_phase_t phase, uint64_t limit_ms)
{
    uint64_t  end_ms;

    end_ms = world->now_ms + limit_ms;

    while (world->state.phase != phase) {

        if (world->now_ms >= end_ms) {
            fail_msg("still \"%s\" after %llu ms, not \"%s\": %s",
                     rcv_phase_names[world->state.phase],
                     (unsigned long long) limit_ms, rcv_phase_names[phase],
                     rcv_why_texts[world->state.why]);
        }

        world_tick(world);
    }
}


void
world_learn(world_t *world, uint64_t rate_milli)
{
    world_demand(world, rate_milli);
    world_run(world, 120000);

    assert_int_equal(world->state.phase, RCV_PHASE_UP);
    assert_in_range(world->state.reference_milli, rate_milli / 100 * 95,
                    rate_milli / 100 * 105 + 50);
}


uint64_t
world_allowed(const world_t *world)
{
    switch (world->out.allowance.word.mode) {

    case RCV_GATE_OPEN:
        return RCV_UNLIMITED;

    case RCV_GATE_LIMIT:
        return world->out.allowance.rate_milli;

    default:
        return 0;
    }
}


void
world_assert_phases(const world_t *world, const rcv_phase_t *phases,
    unsigned n)
{
    unsigned  i, seen;

    seen = 0;

    for (i = 0; i < world->nchanges; i++) {

        if (world->changes[i].from == world->changes[i].to) {
            continue;
        }

        if (seen == n || world->changes[i].to != phases[seen]) {
            fail_msg("change %u is from \"%s\" to \"%s\"", seen,
                     rcv_phase_names[world->changes[i].from],
                     rcv_phase_names[world->changes[i].to]);
        }

        seen++;
    }

    assert_int_equal(seen, n);
}
