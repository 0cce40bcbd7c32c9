
/*
 * The retry budget: the bucket that a retry takes from, what a tick puts in,
 * and when it is in force.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "admit.h"
#include "bucket.h"
#include "budget.h"
#include "world.h"


#define SECOND  1000000000ull
#define NOW     (1000 * SECOND)
#define UNIT    ((int32_t) RCV_MILLI)

#define RULE    "retries $http_x_retry ~ ^[1-9] budget=10%;"


static world_t     world;
static rcv_gate_t  gate;


static int
teardown(void **unused)
{
    (void) unused;

    world_done(&world);

    return 0;
}


static void
fill(unsigned on, uint32_t add_milli, uint32_t most_milli)
{
    rcv_budget_t  budget = { on, add_milli, most_milli };

    rcv_budget_fill(&gate, &budget);
}


static unsigned
takes(void)
{
    unsigned  n;

    n = 0;

    while (n < 1000 && rcv_budget_take(&gate, RCV_PPM, 0)) {
        n++;
    }

    return n;
}


static void
test_bucket(void **unused)
{
    (void) unused;

    /* nothing published yet: nothing passes, as in the rest of the gate */

    memset(&gate, 0, sizeof(gate));
    assert_false(rcv_budget_fits(&gate, RCV_PPM, 0));
    assert_false(rcv_budget_take(&gate, RCV_PPM, 0));

    /* off: all pass, and nothing is noted */

    fill(0, 0, 0);
    assert_false(rcv_budget_on(&gate));
    assert_int_equal(takes(), 1000);
    rcv_budget_charge(&gate);
    rcv_budget_refund(&gate);
    assert_int_equal(gate.retries_milli, RCV_BUDGET_OFF);

    /* comes into force full; whole retries only */

    fill(1, 0, 3500);
    assert_true(rcv_budget_on(&gate) && rcv_budget_fits(&gate, RCV_PPM, 0));
    assert_int_equal(takes(), 3);
    assert_false(rcv_budget_fits(&gate, RCV_PPM, 0));
    assert_int_equal(gate.retries_milli, 500);

    fill(1, 400, 3500);
    assert_int_equal(takes(), 0);
    fill(1, 400, 3500);
    assert_int_equal(takes(), 1);

    /* holds no more than it may, also when that falls */

    fill(1, 9000, 3500);
    assert_int_equal(gate.retries_milli, 3500);
    fill(1, 9000, 2000);
    assert_int_equal(gate.retries_milli, 2000);

    rcv_budget_refund(&gate);
    assert_int_equal(gate.retries_milli, 3000);
    fill(1, 0, 2000);
    assert_int_equal(gate.retries_milli, 2000);

    fill(0, 0, 0);
    assert_int_equal(takes(), 1000);
}


/*
 * Those above find room where those below find none: each class leaves its
 * reserve, and a token at least, as far as there are so many.
 */

static void
test_classes(void **unused)
{
    static const struct {
        uint32_t  most_milli;
        int32_t   left_milli[4];        /* by each class, taking all it can */
    } cases[] = {
        { 1000,   { 0, 0, 0, 0 } },
        { 2000,   { 0, 1000, 1000, 1000 } },
        { 4000,   { 0, 1000, 2000, 3000 } },
        { 100000, { 0, 10000, 20000, 30000 } },
    };

    size_t    i;
    unsigned  rank;

    (void) unused;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        for (rank = 0; rank < 4; rank++) {
            memset(&gate, 0, sizeof(gate));
            fill(0, 0, 0);
            fill(1, 0, cases[i].most_milli);

            while (rcv_budget_fits(&gate, RCV_PPM - rank * (RCV_PPM / 10),
                                   rank))
            {
                assert_true(rcv_budget_take(&gate, RCV_PPM
                                            - rank * (RCV_PPM / 10), rank));
            }

            assert_false(rcv_budget_take(&gate, RCV_PPM
                                         - rank * (RCV_PPM / 10), rank));
            assert_int_equal(gate.retries_milli, cases[i].left_milli[rank]);
        }
    }
}


/* What has been made already may put it into debt, which is bounded. */

static void
test_debt(void **unused)
{
    unsigned  i;

    (void) unused;

    memset(&gate, 0, sizeof(gate));
    fill(0, 0, 0);
    fill(1, 0, 2000);

    for (i = 0; i < 5; i++) {
        rcv_budget_charge(&gate);
    }

    assert_int_equal(gate.retries_milli, -3 * UNIT);
    assert_false(rcv_budget_fits(&gate, RCV_PPM, 0));
    assert_false(rcv_budget_take(&gate, RCV_PPM, 0));

    /* it never owes more than it could hold */

    fill(1, 500, 2000);
    assert_int_equal(gate.retries_milli, -1500);
    fill(1, 2500, 2000);
    assert_int_equal(takes(), 1);

    gate.retries_milli = -RCV_BUDGET_MAX;
    rcv_budget_charge(&gate);
    assert_int_equal(gate.retries_milli, -RCV_BUDGET_MAX);
    assert_true(rcv_budget_on(&gate));

    gate.retries_milli = RCV_BUDGET_MAX;
    rcv_budget_refund(&gate);
    assert_int_equal(gate.retries_milli, RCV_BUDGET_MAX);
    fill(1, RCV_BUDGET_MAX, RCV_BUDGET_MAX);
    assert_int_equal(gate.retries_milli, RCV_BUDGET_MAX);
}


/*
 * The gate's own order: what is shut or not let in yet says so; a retry
 * without a token is told that, whatever else is full; one that another gate
 * turns away keeps its token.
 */

static void
test_admit(void **unused)
{
    static const struct {
        rcv_gate_mode_t  mode;
        unsigned         class_index;
        int32_t          held_milli;
        unsigned         full;
        unsigned         owing;
        rcv_reason_t     expected;
    } cases[] = {
        { RCV_GATE_CLOSED, 0, 0,    0, 0, RCV_REASON_CEILING },
        { RCV_GATE_LIMIT, 3,  0,    0, 0, RCV_REASON_PROBING },
        { RCV_GATE_LIMIT, 1,  999,  1, 1, RCV_REASON_RETRY_BUDGET },
        { RCV_GATE_OPEN, 1,   -500, 0, 0, RCV_REASON_RETRY_BUDGET },
        { RCV_GATE_LIMIT, 1,  2000, 0, 1, RCV_REASON_CEILING },
        { RCV_GATE_LIMIT, 1,  2000, 1, 0, RCV_REASON_IN_FLIGHT },
        { RCV_GATE_LIMIT, 1,  2000, 0, 0, RCV_REASON_NONE },
        { RCV_GATE_OPEN, 1,   2000, 0, 0, RCV_REASON_NONE },
        { RCV_GATE_OPEN, 1,   1999, 0, 0, RCV_REASON_RETRY_BUDGET },
        { RCV_GATE_OPEN, 0,   1000, 0, 0, RCV_REASON_NONE },
        { RCV_GATE_OPEN, 1, RCV_BUDGET_OFF, 0, 0, RCV_REASON_NONE },
    };

    size_t           i;
    int              taken;
    rcv_policy_t     policy = { .nclasses = 4 };
    rcv_ticket_t     ticket;
    rcv_admit_at_t   at = { &gate, NULL, 0, &policy };
    rcv_allowance_t  a;

    (void) unused;

    for (i = 0; i < 4; i++) {
        policy.classes[i].share_ppm = RCV_PPM;
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&gate, 0, sizeof(gate));
        memset(&a, 0, sizeof(a));

        a.word.mode = cases[i].mode;
        a.word.phase = RCV_PHASE_RAMPING;
        a.word.reason = RCV_REASON_CEILING;
        a.word.class_max = 2;
        a.word.epoch = 77;
        a.word.in_flight_limit = 10;
        a.rate_milli = 10 * RCV_MILLI;
        a.burst_milli = 8 * RCV_MILLI;

        rcv_gate_publish(&gate, &a, NOW);

        gate.retries_milli = cases[i].held_milli;
        gate.retries_most_milli = 2 * RCV_MILLI;
        gate.in_flight = cases[i].full ? 11 : 0;
        gate.tat_ns = cases[i].owing ? NOW + SECOND : 0;

        assert_int_equal(rcv_admit_retry(&at, cases[i].class_index, RCV_MILLI,
                                         NOW, &ticket),
                         cases[i].expected);
        assert_int_equal(ticket.phase, RCV_PHASE_RAMPING);
        assert_int_equal(ticket.epoch, 77);

        taken = (cases[i].expected == RCV_REASON_NONE);
        assert_int_equal(ticket.budgeted, taken);
        assert_int_equal(gate.retries_milli,
                         cases[i].held_milli == RCV_BUDGET_OFF || !taken
                         ? cases[i].held_milli
                         : cases[i].held_milli - UNIT);

        /* others are not concerned */

        gate.in_flight = 0;
        gate.tat_ns = 0;

        if (cases[i].expected == RCV_REASON_RETRY_BUDGET) {
            assert_int_equal(rcv_admit(&at, cases[i].class_index, RCV_MILLI,
                                       NOW, &ticket),
                             RCV_REASON_NONE);
            assert_false(ticket.budgeted);
        }
    }

    /* all of it back, once */

    gate.retries_milli = UNIT;
    gate.tat_ns = 0;
    gate.word = 0;
    rcv_gate_publish(&gate, &a, NOW);
    gate.interval_ns = SECOND / 10;
    gate.burst_ns = SECOND;

    assert_int_equal(rcv_admit_retry(&at, 0, RCV_MILLI, NOW, &ticket),
                     RCV_REASON_NONE);
    rcv_admit_undo(&at, RCV_MILLI, &ticket);
    rcv_admit_undo(&at, RCV_MILLI, &ticket);
    assert_int_equal(gate.retries_milli, UNIT);
}


/* One more attempt costs as much again, in both, and is never refused. */

static void
test_attempt(void **unused)
{
    unsigned         i;
    rcv_policy_t     policy = { .nclasses = 1 };
    rcv_ticket_t     ticket;
    rcv_admit_at_t   at = { &gate, NULL, 0, &policy };
    rcv_allowance_t  a;

    (void) unused;

    policy.classes[0].share_ppm = RCV_PPM;

    memset(&gate, 0, sizeof(gate));
    memset(&a, 0, sizeof(a));

    a.word.mode = RCV_GATE_LIMIT;
    a.word.reason = RCV_REASON_RATE;
    a.word.class_max = 15;
    a.word.in_flight_limit = 100;
    a.rate_milli = 10 * RCV_MILLI;
    a.burst_milli = 4 * RCV_MILLI;

    rcv_gate_publish(&gate, &a, NOW);
    gate.retries_milli = 5 * UNIT;
    gate.retries_most_milli = 5 * RCV_MILLI;

    rcv_admit_attempt(&at, 2 * RCV_MILLI, NOW);
    assert_true(gate.tat_ns == NOW + 2 * SECOND / 10);
    assert_int_equal(gate.retries_milli, 4 * UNIT);

    /* the debt ends: a second beyond the burst */

    for (i = 0; i < 100; i++) {
        rcv_admit_attempt(&at, RCV_MILLI, NOW);
    }

    assert_true(gate.tat_ns == NOW + 4 * SECOND / 10 + SECOND);
    assert_int_equal(rcv_admit(&at, 0, RCV_MILLI, NOW, &ticket),
                     RCV_REASON_RATE);
    assert_true(gate.tat_ns == NOW + 4 * SECOND / 10 + SECOND);
    assert_int_equal(rcv_admit(&at, 0, RCV_MILLI, NOW + 2 * SECOND, &ticket),
                     RCV_REASON_NONE);

    /* or after the one thing that costs more */

    gate.tat_ns = 0;
    rcv_admit_attempt(&at, 50 * RCV_MILLI, NOW);
    assert_true(gate.tat_ns == NOW + 5 * SECOND);
    rcv_admit_attempt(&at, RCV_MILLI, NOW);
    assert_true(gate.tat_ns == NOW + 5 * SECOND);

    /* no rate: nothing is owed */

    a.word.mode = RCV_GATE_OPEN;
    a.rate_milli = RCV_UNLIMITED;
    rcv_gate_publish(&gate, &a, NOW);
    gate.tat_ns = 0;
    rcv_admit_attempt(&at, RCV_MILLI, NOW);
    assert_true(gate.tat_ns == 0);
}


/* A healthy service: never in force, and quiet ticks stay quiet. */

static void
test_up_is_free(void **unused)
{
    (void) unused;

    world_init(&world, RULE);
    assert_int_equal(world.state.calm_ms, RCV_BUDGET_CALM_MS);

    world_demand(&world, 100000);
    world.bad_ppm = 10000;

    while (world.now_ms < 1000000 + 60000) {
        world_tick(&world);
        assert_false(world.out.retries.on);
    }

    /* twice and a half the demand is no trouble either */

    world_learn(&world, 100000);
    world_demand(&world, 250000);

    while (world.now_ms < 1000000 + 300000) {
        world_tick(&world);
        assert_false(world.out.retries.on);
    }
}


/* What was delivered earns a tenth; from the outage until it is calm. */

static void
test_outage(void **unused)
{
    int       seen;
    uint64_t  ok, earned, calm_ms;

    (void) unused;

    world_init(&world, RULE);
    world_learn(&world, 100000);

    world_health(&world, "down");
    world_tick(&world);
    assert_true(world.out.retries.on);

    /* nothing delivered: the floor */

    world_run(&world, 5000);
    assert_int_equal(world.out.retries.add_milli, 100);
    assert_int_equal(world.out.retries.most_milli, 4000);

    world_health(&world, "up");
    world_until(&world, RCV_PHASE_RAMPING, 20000);

    ok = 0;
    earned = 0;

    while (world.state.phase == RCV_PHASE_RAMPING) {
        world_tick(&world);
        assert_true(world.out.retries.on);
        ok += world.window.results[RCV_RESULT_OK];
        earned += world.out.retries.add_milli;
    }

    assert_in_range(earned, ok * 100, ok * 100 + 20 * 100);
    assert_in_range(world.out.retries.most_milli, 8000, 10500);

    /* full service, nothing shed: ten seconds, and it is over */

    seen = 0;
    calm_ms = world.now_ms;

    while (world.state.phase != RCV_PHASE_UP) {
        world_tick(&world);
        seen |= !world.out.retries.on;

        if (world.out.retries.on) {
            assert_true(world.now_ms <= calm_ms + RCV_BUDGET_CALM_MS);
        }
    }

    assert_true(seen);
    assert_false(world.out.retries.on);
}


/*
 * A storm begins in "up": errors, or more in flight than demand explains, or
 * silence; and what the budget sheds is no sign of trouble.
 */

static void
test_trouble_in_up(void **unused)
{
    unsigned      i;
    rcv_round_t   round;
    rcv_state_t   state;
    rcv_budget_t  budget;
    rcv_window_t  window;

    static const struct {
        uint64_t  ok;                   /* a second */
        uint64_t  failed;
        uint64_t  gone;
        uint32_t  background_ppm;
        uint64_t  shed;
        uint64_t  shed_retries;
        uint32_t  in_flight;
        uint64_t  silent_ms;
        unsigned  on;
    } cases[] = {
        { 1000, 0,   0,  0,      0, 0, 20, 0, 0 },
        { 1000, 50,  0,  0,      0, 0, 20, 0, 0 },
        { 1000, 51,  0,  0,      0, 0, 20, 0, 1 },
        { 1000, 200, 0,  150000, 0, 0, 20, 0, 0 },
        { 1000, 300, 0,  150000, 0, 0, 20, 0, 1 },
        { 1000, 30,  21, 0,      0, 0, 20, 0, 1 },
        { 20,   5,   0,  0,      0, 0, 20, 0, 0 },
        { 20,   6,   0,  0,      0, 0, 20, 0, 1 },
        { 1000, 0,   0,  0,      5, 5, 20, 0, 0 },
        { 1000, 0,   0,  0,      6, 5, 20, 0, 1 },
        { 1000, 0,   0,  0,      0, 0, 80, 0, 0 },
        { 1000, 0,   0,  0,      0, 0, 81, 0, 1 },
        { 0,    0,   0,  0,      0, 0, 20, 1, 1 },
        { 0,    0,   0,  0,      0, 0, 0,  0, 0 },
    };

    (void) unused;

    world_init(&world, RULE);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        state = world.state;
        state.healthy_in_flight = 20;
        state.delivered_milli = cases[i].ok * RCV_MILLI;
        state.failed_milli = (uint32_t) (cases[i].failed * RCV_MILLI);
        state.control.background_ppm = cases[i].background_ppm;

        memset(&round, 0, sizeof(round));
        memset(&window, 0, sizeof(window));

        window.dt_ms = 100;
        window.gone = cases[i].gone;
        window.shed[1] = cases[i].shed;
        window.shed_retries = cases[i].shed_retries;
        window.in_flight = cases[i].in_flight;
        round.silent_ms = cases[i].silent_ms;

        rcv_budget_tick(&state, &world.policy, &window, &round, 100, &budget);
        assert_int_equal(budget.on, cases[i].on);
        assert_int_equal(state.calm_ms, cases[i].on ? 0 : RCV_BUDGET_CALM_MS);
    }

    /* ten seconds of calm end it, and not a tick less */

    state.calm_ms = 0;
    memset(&round, 0, sizeof(round));
    memset(&window, 0, sizeof(window));

    for (i = 1; i <= RCV_BUDGET_CALM_MS / 100; i++) {
        rcv_budget_tick(&state, &world.policy, &window, &round, 100, &budget);
        assert_int_equal(budget.on, i < RCV_BUDGET_CALM_MS / 100);
    }

    /* nobody asked for a budget: what is calm is known all the same */

    world.policy.retries = 0;
    state.phase = RCV_PHASE_DOWN;
    rcv_budget_tick(&state, &world.policy, &window, &round, 100, &budget);
    assert_false(budget.on);
    assert_int_equal(state.calm_ms, 0);
    world.policy.retries = 1;
}


/* A ramp is not over because the budget sheds while places are short. */

static void
test_ramp_goes_on(void **unused)
{
    unsigned  i;

    (void) unused;

    world_init(&world, RULE "ramp over=1s;");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_run(&world, 1000);
    world_health(&world, "up");
    world_until(&world, RCV_PHASE_RAMPING, 20000);
    world.state.control.level_ppm = 2 * RCV_PPM;

    for (i = 0; i < 20; i++) {
        memset(&world.window, 0, sizeof(world.window));
        world.now_ms += 100;
        world.window.dt_ms = 100;
        world.window.offered[2] = 30;
        world.window.passed[2] = 10;
        world.window.shed[2] = 20;
        world.window.shed_rate = 10;
        world.window.shed_retries = 10;
        world.window.results[RCV_RESULT_OK] = 10;

        rcv_tick(&world.state, &world.round, &world.policy, &world.limits,
                 &world.source, &world.window, world.now_ms, &world.out);
        assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
        assert_int_equal(world.state.good_row, 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_debt),
        cmocka_unit_test(test_admit),
        cmocka_unit_test(test_attempt),
        cmocka_unit_test_teardown(test_up_is_free, teardown),
        cmocka_unit_test_teardown(test_outage, teardown),
        cmocka_unit_test_teardown(test_trouble_in_up, teardown),
        cmocka_unit_test_teardown(test_ramp_goes_on, teardown)
    };

    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
