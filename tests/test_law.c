
/*
 * The number in flight that the controller finds, on a backend in virtual
 * time: so many workers, a queue, and clients who do not wait for ever.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "controller.h"
#include "gate.h"
#include "law.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define TICK_MS  100


/*
 * A fluid model: what is in flight beyond the workers waits, and from
 * patience_ms on clients leave instead of being answered.
 */

typedef struct {
    uint64_t             demand;        /* in flight if nobody were shed */
    uint64_t             workers;
    uint64_t             work_ms;
    uint64_t             patience_ms;
    uint64_t             slower_milli;  /* per worker's worth of queue */
    uint32_t             bad_ppm;       /* fails whatever the load */
    unsigned             hangs;
} plant_t;


static const rcv_policy_t  policy = {
    .ramp = { .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 1000 },
    .feedback = 1,
    .feedback_errors_ppm = 20000,
    .feedback_latency_milli = 2000,
};

static rcv_control_t        control;
static rcv_round_t          rounds;
static rcv_control_facts_t  facts;
static rcv_verdict_t        verdict;
static uint64_t             delivered;  /* in the last tick, thousandths */


static void
begin(uint32_t healthy)
{
    memset(&control, 0, sizeof(control));
    memset(&rounds, 0, sizeof(rounds));
    memset(&facts, 0, sizeof(facts));

    facts.ceiling_ppm = 100 * RCV_PPM;
    facts.healthy_in_flight = healthy;
    facts.guard = 100000;

    rcv_control_start(&control, &policy, &facts, 0);
}


static void
step(const plant_t *plant)
{
    uint64_t        in_flight, latency_ms, n, bad, work_ms;
    rcv_window_t    window;
    static uint64_t carry;

    memset(&window, 0, sizeof(window));

    window.dt_ms = TICK_MS;
    facts.now_ms += TICK_MS;

    in_flight = rcv_min(plant->demand, control.in_flight_limit);
    in_flight = rcv_min(in_flight, facts.guard);
    window.in_flight = (uint32_t) in_flight;
    window.shed_in_flight = (plant->demand > in_flight) ? 10 : 0;
    window.shed_rate = window.shed_in_flight;

    work_ms = plant->work_ms;

    if (in_flight > plant->workers) {
        work_ms += plant->work_ms * plant->slower_milli
                   * (in_flight - plant->workers) / plant->workers / 1000;
    }

    latency_ms = rcv_max(work_ms, work_ms * in_flight / plant->workers);
    carry += rcv_min(in_flight, plant->workers) * TICK_MS * 1000 / work_ms;
    n = plant->hangs ? 0 : carry / 1000;
    delivered = carry;
    carry %= 1000;

    bad = n * plant->bad_ppm / RCV_PPM;

    if (plant->patience_ms != 0 && latency_ms > plant->patience_ms) {
        window.gone = n;
        window.work_us = n * plant->patience_ms * 1000;
        delivered = 0;

    } else {
        window.results[RCV_RESULT_ERROR] = bad;
        window.results[RCV_RESULT_OK] = n - bad;
        window.work_us = (n - bad) * latency_ms * 1000;
    }

    verdict = rcv_control_tick(&control, &rounds, &policy, &facts, &window);
}


static void
run(const plant_t *plant, unsigned ticks)
{
    while (ticks-- != 0) {
        step(plant);
    }
}


/* Mean of the limit, and of what was delivered, over so many ticks. */

static uint64_t
mean_limit(const plant_t *plant, unsigned ticks, uint64_t *ok)
{
    uint64_t  sum, sum_ok;
    unsigned  i;

    sum = 0;
    sum_ok = 0;

    for (i = 0; i < ticks; i++) {
        step(plant);
        sum += control.limit_milli;
        sum_ok += delivered;
    }

    if (ok != NULL) {
        *ok = sum_ok / ticks;
    }

    return sum / ticks / RCV_MILLI;
}


/* Whatever the size and the pace: between what works and thrice that. */

static void
test_finds(void **unused)
{
    size_t    i;
    uint64_t  limit, ok, full;

    static const plant_t  plants[] = {
        { 4000, 2, 100, 0, 0, 0, 0 }, { 4000, 20, 5, 0, 0, 0, 0 },
        { 4000, 50, 400, 0, 0, 0, 0 }, { 4000, 50, 400, 1000, 0, 0, 0 },
        { 90000, 5000, 50, 0, 0, 0, 0 }, { 4000, 50, 2000, 0, 0, 0, 0 },
        { 4000, 50, 400, 0, 0, 150000, 0 },
    };

    (void) unused;

    for (i = 0; i < nelts(plants); i++) {
        begin(0);
        run(&plants[i], 1200);
        limit = mean_limit(&plants[i], 300, &ok);

        full = plants[i].workers * TICK_MS * 1000 / plants[i].work_ms;

        if (limit < plants[i].workers * 9 / 10
            || limit > plants[i].workers * 3 + 10
            || ok < full * 93 / 100)
        {
            fail_msg("plant %zu: limit %llu, delivers %llu of %llu", i,
                     (unsigned long long) limit, (unsigned long long) ok,
                     (unsigned long long) full);
        }
    }
}


/* Cold work takes eight times as long, and warms: no memory of the warm. */

static void
test_cold(void **unused)
{
    uint64_t  limit;
    plant_t   plant = { 4000, 50, 400, 1000, 0, 0, 0 };

    (void) unused;

    begin(60);
    assert_int_equal(control.in_flight_limit, 6);
    run(&plant, 100);
    assert_in_range(control.limit_milli / RCV_MILLI, 30, 130);

    for (/* void */ ; plant.work_ms > 50; plant.work_ms -= 10) {
        run(&plant, 10);
    }

    limit = mean_limit(&plant, 100, NULL);
    assert_in_range(limit, 40, 150);
}


/*
 * Suddenly all takes ten times as long, without a queue.  Latency cuts, sees
 * that it does not help, and learns.
 */

static void
test_slower_for_good(void **unused)
{
    uint64_t  limit;
    plant_t   plant = { 60, 100, 20, 0, 0, 0, 0 };

    (void) unused;

    begin(50);
    run(&plant, 300);

    plant.work_ms = 200;
    run(&plant, 100);
    limit = mean_limit(&plant, 100, NULL);
    assert_true(limit >= 50);
}


/* Time lost to contention: more in flight deliver less. */

static void
test_contention(void **unused)
{
    uint64_t  ok, best;
    plant_t   plant = { 4000, 40, 50, 0, 1500, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 600);
    (void) mean_limit(&plant, 300, &ok);

    best = plant.workers * TICK_MS * 1000 / plant.work_ms;
    assert_true(ok >= best * 70 / 100);
}


/* Failures that follow load are cut, and the cut stays. */

static void
test_damage(void **unused)
{
    uint64_t  before, limit;
    plant_t   plant = { 4000, 200, 400, 1000, 0, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 300);
    before = mean_limit(&plant, 50, NULL);

    /* a quarter of its strength is left: what is in flight waits too long */

    plant.workers = 50;
    run(&plant, 60);
    assert_int_not_equal(verdict, RCV_VERDICT_DEAD);
    limit = mean_limit(&plant, 100, NULL);
    assert_true(limit < before * 2 / 3);
    assert_in_range(limit, 40, 150);
}


/* What gets worse behind a cut was not the cut's doing: cut again. */

static void
test_damage_deep(void **unused)
{
    unsigned  i;
    uint64_t  limit, before;
    plant_t   plant = { 4000, 200, 400, 1000, 0, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 300);
    before = control.limit_milli;

    plant.workers = 40;

    for (i = 0; i < 60; i++) {
        step(&plant);
        assert_int_not_equal(verdict, RCV_VERDICT_DEAD);
        assert_true(control.limit_milli <= before + before / 5);
        assert_true(control.background_ppm <= RCV_PPM / 2);
    }

    run(&plant, 60);
    limit = mean_limit(&plant, 100, NULL);
    assert_in_range(limit, 30, 120);
}


static void
test_background(void **unused)
{
    uint64_t  limit;
    plant_t   plant = { 4000, 50, 100, 0, 0, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 300);

    plant.bad_ppm = 200000;
    run(&plant, 100);
    assert_in_range(control.background_ppm, 150000, 250000);
    limit = mean_limit(&plant, 100, NULL);
    assert_true(limit >= 45);

    /* it is over, and forgotten */

    plant.bad_ppm = 0;
    run(&plant, 200);
    assert_in_range(control.background_ppm, 0, 10000);
}


/* No use, no growth; and held by an operator neither. */

static void
test_unused(void **unused)
{
    uint32_t  limit_milli;
    plant_t   plant = { 5, 50, 100, 0, 0, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 600);
    assert_true(control.limit_milli <= 16 * RCV_MILLI);

    begin(0);
    plant.demand = 4000;
    facts.hold = 1;
    limit_milli = control.limit_milli;
    run(&plant, 600);
    assert_true(control.limit_milli <= limit_milli);
}


static void
test_trip(void **unused)
{
    unsigned  i;
    plant_t   plant = { 40, 50, 100, 0, 0, 0, 0 };

    (void) unused;

    /* hangs: more in flight than ever, and nothing comes back */

    begin(50);
    run(&plant, 100);
    plant.hangs = 1;

    for (i = 0; i < 100 && verdict != RCV_VERDICT_DEAD; i++) {
        step(&plant);
    }

    assert_in_range(i, 10, 15);

    /* answers with nothing but errors */

    begin(50);
    plant.hangs = 0;
    run(&plant, 100);
    plant.bad_ppm = RCV_PPM;
    step(&plant);
    assert_int_equal(verdict, RCV_VERDICT_DEAD);

    /* nobody asks anything of it */

    begin(50);
    plant.demand = 0;
    plant.bad_ppm = 0;
    run(&plant, 600);
    assert_int_equal(verdict, RCV_VERDICT_HOLD);

    /* two reports that take their time, of a service that has few */

    plant.demand = 2;
    plant.hangs = 1;
    run(&plant, 600);
    assert_int_equal(verdict, RCV_VERDICT_HOLD);
}


/* Full service: wide until there is damage, and wide again after it. */

static void
test_full(void **unused)
{
    unsigned  i;
    plant_t   plant = { 40, 50, 20, 1000, 0, 0, 0 };

    (void) unused;

    memset(&control, 0, sizeof(control));
    memset(&rounds, 0, sizeof(rounds));
    memset(&facts, 0, sizeof(facts));
    facts.ceiling_ppm = 100 * RCV_PPM;
    facts.healthy_in_flight = 50;
    facts.guard = 1024;
    facts.full = 1;
    facts.verified = 1;
    control.in_flight_limit = RCV_IN_FLIGHT_MAX;

    run(&plant, 300);
    assert_int_equal(control.mode, RCV_MODE_WIDE);
    assert_true(control.in_flight_limit >= facts.guard);

    /* an error in ten, but no queue: somebody's bug, nobody is shed for it */

    plant.bad_ppm = 100000;
    run(&plant, 300);
    assert_int_equal(control.mode, RCV_MODE_WIDE);
    plant.bad_ppm = 0;

    /* everybody comes at once, and waits twenty times as long as usual */

    plant.demand = 100000;

    for (i = 0; i < 50 && control.mode == RCV_MODE_WIDE; i++) {
        step(&plant);
        assert_int_not_equal(verdict, RCV_VERDICT_DEAD);
    }

    assert_in_range(i, 1, 20);

    plant.demand = 40;
    run(&plant, 300);
    assert_int_equal(control.mode, RCV_MODE_WIDE);
}


/*
 * The limit that failed is remembered: near it small steps, until the wave
 * has shown that more deliver more.
 */

static void
test_failed_level(void **unused)
{
    uint32_t  before;
    unsigned  i, slow;
    plant_t   plant = { 4000, 500, 100, 0, 0, 0, 0 };

    (void) unused;

    begin(0);
    run(&plant, 200);
    control.limit_milli = 100 * RCV_MILLI;
    rcv_control_leave(&control, RCV_PHASE_RAMPING, RCV_PHASE_PROBING, 0);
    rcv_control_leave(&control, RCV_PHASE_PROBING, RCV_PHASE_RAMPING, 0);
    assert_int_equal(control.failed_milli, 100 * RCV_MILLI);
    rcv_control_start(&control, &policy, &facts, 0);
    memset(&rounds, 0, sizeof(rounds));
    slow = 0;

    for (i = 0; i < 200; i++) {
        before = control.limit_milli;
        step(&plant);

        if (rounds.wave.halves == 0 && before >= 75 * RCV_MILLI) {
            assert_true(control.limit_milli <= before + before / 50);
        }

        slow += (control.limit_milli < 100 * RCV_MILLI);
    }

    assert_in_range(slow, 20, 150);
    assert_true(control.limit_milli > 200 * RCV_MILLI);
}


/* What hung before does not take the places of those who come now. */

static void
test_stuck(void **unused)
{
    rcv_window_t  window;

    (void) unused;

    begin(50);
    rcv_control_leave(&control, RCV_PHASE_UP, RCV_PHASE_DOWN, 700);
    assert_int_equal(control.stuck, 700);

    memset(&window, 0, sizeof(window));
    window.dt_ms = TICK_MS;
    window.in_flight = 650;
    rcv_control_floor(&control, &rounds, &window);
    assert_int_equal(control.stuck, 650);

    rcv_control_leave(&control, RCV_PHASE_DOWN, RCV_PHASE_PROBING, 652);
    rcv_control_leave(&control, RCV_PHASE_PROBING, RCV_PHASE_RAMPING, 652);
    rcv_control_start(&control, &policy, &facts, 0);
    assert_in_range(control.in_flight_limit, 655, 660);
}


/*
 * Silence: five who wait are given a second.  Fewer are as much longer, if
 * others have no place because of them, and never in full service.
 */

static void
test_trip_silent(void **unused)
{
    static const struct {
        uint32_t  live;
        unsigned  full;
        unsigned  shed;                 /* for want of a place */
        uint64_t  alive_ms;             /* not yet ... */
        uint64_t  dead_ms;              /* ... and then */
    } cases[] = {
        { 20, 0, 0, 1000, 1001 },
        { 5,  0, 0, 1000, 1001 },
        { 4,  0, 1, 1250, 1251 },
        { 2,  0, 1, 2500, 2501 },
        { 1,  0, 1, 60000, 0 },
        { 4,  0, 0, 60000, 0 },
        { 20, 1, 0, 3000, 3001 },
        { 5,  1, 0, 3000, 3001 },
        { 4,  1, 1, 60000, 0 },
    };

    size_t               i;
    rcv_round_t          round = { 0 };
    rcv_window_t         window = { 0 };
    rcv_control_t        steering = { 0 };
    rcv_control_facts_t  aims = { .healthy_in_flight = 4 };

    (void) unused;

    steering.stuck = 3;
    steering.base_us = 100000;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        window.in_flight = steering.stuck + cases[i].live;
        aims.full = cases[i].full;
        window.shed_in_flight = cases[i].shed;

        round.silent_ms = cases[i].alive_ms;
        assert_false(rcv_trip(&steering, &round, &aims, &window));

        round.silent_ms = cases[i].dead_ms;
        assert_int_equal(rcv_trip(&steering, &round, &aims, &window),
                         cases[i].dead_ms != 0);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_slower_for_good),
        cmocka_unit_test(test_contention),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_damage_deep),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_trip),
        cmocka_unit_test(test_trip_silent),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_failed_level),
        cmocka_unit_test(test_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
