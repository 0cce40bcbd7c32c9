
/*
 * A restart in every phase: what comes back is what was known, and never
 * more is allowed than before.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "allow.h"

#include "policy_text.h"
#include "restore.h"
#include "world.h"


#define UNTIL  "1700000100"             /* in 100 s */

#define FRESH_MS  1000
#define LATE_MS   (RCV_RESTORE_RESUME_MS + 1)
#define OLD_MS    (RCV_RESTORE_OLD_MS + 1)


static world_t          world;
static rcv_allowance_t  before;
static rcv_state_t      was;


static void
to_phase(const char *policy, rcv_phase_t phase)
{
    world_init(&world, policy);
    world_learn(&world, 100000);

    if (phase == RCV_PHASE_UP) {
        world_health(&world, "up");
        world_tick(&world);
        return;
    }

    if (phase == RCV_PHASE_DEGRADED) {
        world_health(&world, "0.6");
        world_tick(&world);
        return;
    }

    world_health(&world, "down");
    world_run(&world, 5000);

    if (phase == RCV_PHASE_DOWN) {
        return;
    }

    if (phase == RCV_PHASE_PROBING) {
        world.mute = 1;
    }

    world_health(&world, "up");
    world_until(&world, phase, 60000);

    if (phase == RCV_PHASE_RAMPING || phase == RCV_PHASE_VERIFYING) {
        world_run(&world, 2000);
        assert_int_equal(world.state.phase, phase);
    }
}


/*
 * The process ends, another begins so much later, with another clock, and
 * has not heard from its source yet.
 */

static void
restart(uint64_t age_ms)
{
    uint64_t        now_ms;
    rcv_snapshot_t  snapshot;

    before = world.out.allowance;
    was = world.state;
    now_ms = 5000;

    memset(&snapshot, 0, sizeof(snapshot));
    rcv_restore_take(&snapshot, &world.state, world.now_ms);

    world.now_ms = now_ms;
    world.source.heard = 0;
    world.mute = 0;
    memset(&world.round, 0, sizeof(world.round));
    memset(&world.window, 0, sizeof(world.window));

    rcv_state_init(&world.state, &world.policy, &world.limits, now_ms);
    rcv_restore_apply(&world.state, &snapshot, &world.policy, &world.limits,
                      world.source.configured, age_ms, now_ms);
    rcv_tick(&world.state, &world.round, &world.policy, &world.limits,
             &world.source, &world.window, now_ms, &world.out);
}


static uint64_t
rate(const rcv_allowance_t *allowance)
{
    return (allowance->word.mode == RCV_GATE_CLOSED) ? 0
                                                     : allowance->rate_milli;
}


static void
assert_not_more(void)
{
    const rcv_allowance_t  *now;

    now = &world.out.allowance;
    assert_true(rate(now) <= rate(&before));
    assert_true(now->word.in_flight_limit <= before.word.in_flight_limit);
    assert_true(now->word.mode >= before.word.mode);
}


static void
assert_references(void)
{
    assert_true(was.learned_milli > 0);
    assert_true(was.healthy_in_flight > 0);
    assert_true(world.state.learned_milli == was.learned_milli);
    assert_true(world.state.mean_micro == was.mean_micro);
    assert_int_equal(world.state.learned_ms, was.learned_ms);
    assert_int_equal(world.state.learned_requests, was.learned_requests);
    assert_int_equal(world.state.healthy_in_flight, was.healthy_in_flight);
    assert_true(world.state.reference_milli == was.reference_milli);
}


static void
test_phases(void **unused)
{
    unsigned  i, j, phase;

    static const char *const  policies[] = { "", "feedback off" };
    static const uint64_t     ages_ms[] = { 0, FRESH_MS, LATE_MS };

    (void) unused;

    for (i = 0; i < 2; i++) {
        for (phase = 0; phase < RCV_PHASES; phase++) {
            for (j = 0; j < 3; j++) {
                to_phase(policies[i], (rcv_phase_t) phase);
                restart(ages_ms[j]);

                assert_not_more();
                assert_references();
                assert_int_equal(world.state.phase,
                                 (phase == RCV_PHASE_RAMPING && j == 2)
                                 ? RCV_PHASE_PROBING : phase);

                /* nothing rises before the source is heard */

                world_run(&world, 5000);

                if (phase != RCV_PHASE_UP) {
                    assert_not_more();
                }

                world_done(&world);
            }
        }
    }
}


/* Once it is heard, all come back to full service. */

static void
test_goes_on(void **unused)
{
    unsigned  phase;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        to_phase("", (rcv_phase_t) phase);
        restart(FRESH_MS);
        world.source.heard = 1;
        world_health(&world, "up");
        world_until(&world, RCV_PHASE_UP, 180000);
        world_done(&world);
    }
}


static void
test_ramping(void **unused)
{
    uint32_t  level_ppm;

    (void) unused;

    to_phase("", RCV_PHASE_RAMPING);
    restart(FRESH_MS);
    level_ppm = world.state.control.level_ppm;
    assert_int_equal(level_ppm, was.control.level_ppm);
    assert_int_equal(world.state.why, RCV_WHY_STALE);

    /* an answer of the source alone is no evidence */

    world.source.heard = 1;
    world_demand(&world, 0);
    world_run(&world, 3000);
    assert_int_equal(world.state.control.level_ppm, level_ppm);

    world_demand(&world, 100000);
    world_run(&world, 1000);
    assert_true(world.state.control.level_ppm > level_ppm);
    assert_true(world.state.control.level_ppm <= 3 * level_ppm);
    world_done(&world);
}


/* One that the policy starts higher than the file says stays where it was. */

static void
test_ramping_from(void **unused)
{
    (void) unused;

    to_phase("ramp from=2% double=1s", RCV_PHASE_RAMPING);
    world_done(&world);
    policy_text_good(&world.policy, "ramp from=90% double=1s");
    world.state.control.level_ppm = 50000;
    world.out.allowance.rate_milli = 5000;
    restart(FRESH_MS);
    assert_int_equal(world.state.control.level_ppm, 50000);
    assert_not_more();
    world_done(&world);
}


static void
test_old(void **unused)
{
    unsigned     i, phase;
    rcv_phase_t  want;

    static const rcv_phase_t  initial[] = {
        RCV_PHASE_UP, RCV_PHASE_DOWN, RCV_PHASE_PROBING
    };

    (void) unused;

    for (i = 0; i < 3; i++) {
        for (phase = 0; phase < RCV_PHASES; phase++) {
            to_phase("", (rcv_phase_t) phase);
            world.limits.initial = initial[i];
            restart(OLD_MS);

            want = (phase == RCV_PHASE_UP || initial[i] == RCV_PHASE_DOWN)
                   ? initial[i] : RCV_PHASE_PROBING;

            assert_int_equal(world.state.phase, want);
            assert_int_equal(world.state.signal.health, RCV_HEALTH_NONE);
            assert_references();

            /* it is not shut for good for what was once said */

            if (want == RCV_PHASE_PROBING) {
                world_until(&world, RCV_PHASE_UP, 180000);
            }

            world_done(&world);
        }
    }
}


/* Without a source nobody could take back what one has said. */

static void
test_no_source(void **unused)
{
    unsigned  phase;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        to_phase("", (rcv_phase_t) phase);
        assert_int_equal(world_say(&world, NULL, "50%", "hold", NULL), 0);
        world_tick(&world);
        world.source.configured = 0;
        restart(FRESH_MS);
        assert_int_equal(world.state.signal.health, RCV_HEALTH_NONE);
        assert_int_equal(world.state.signal.force, RCV_FORCE_NONE);
        assert_references();
        world_until(&world, RCV_PHASE_UP, 180000);
        world_done(&world);
    }
}


static void
test_found_dead(void **unused)
{
    (void) unused;

    to_phase("", RCV_PHASE_UP);
    world.bad_ppm = RCV_PPM;
    world_until(&world, RCV_PHASE_DOWN, 20000);
    assert_true(world.state.dead);

    restart(FRESH_MS);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_true(world.state.dead);
    assert_not_more();
    assert_true(rate(&world.out.allowance) > 0);

    world.bad_ppm = 0;
    world.source.heard = 1;
    world_until(&world, RCV_PHASE_UP, 180000);
    world_done(&world);
}


/* Signal lost: what the policy had decided holds until a source is heard. */

static void
test_lost(void **unused)
{
    (void) unused;

    to_phase("when signal_lost hold=3s then=shed", RCV_PHASE_UP);
    world.source.age_ms = 10000;
    world_until(&world, RCV_PHASE_DOWN, 1000);
    restart(FRESH_MS);
    assert_not_more();
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_int_equal(rate(&world.out.allowance), 0);

    world.source.age_ms = 0;
    world.source.heard = 1;
    world_until(&world, RCV_PHASE_UP, 180000);
    world_done(&world);

    to_phase("when signal_lost hold=3s then=pass", RCV_PHASE_DOWN);
    world.source.age_ms = 10000;
    world_until(&world, RCV_PHASE_UP, 180000);
    restart(FRESH_MS);
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);

    world.source.age_ms = 0;
    world.source.heard = 1;
    world_health(&world, "down");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    world_done(&world);
}


static void
test_force(void **unused)
{
    unsigned  i, phase;

    static const char *const  words[] = { "open", "closed", "hold", "30%" };

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        for (i = 0; i < 4; i++) {
            to_phase("", (rcv_phase_t) phase);
            assert_int_equal(world_say(&world, NULL, NULL, words[i], UNTIL)
                             & (1u << RCV_FIELD_FORCE), 0);
            world.unix_s = 1700000000;
            world_run(&world, 2000);

            restart(FRESH_MS);
            assert_int_equal(world.state.force, was.force);
            assert_not_more();

            /* with what was left of its time, less that of the restart */

            assert_true(world.state.signal.force_until_ms - world.now_ms
                        <= 100000 - 2000 - FRESH_MS);
            world_done(&world);
        }
    }
}


/* An order that ended while nobody was there: into the ramp, never to open. */

static void
test_force_ended(void **unused)
{
    (void) unused;

    to_phase("", RCV_PHASE_UP);
    assert_int_equal(world_say(&world, NULL, NULL, "closed", UNTIL), 0);
    world_run(&world, 2000);
    restart(110000);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    world_done(&world);

    to_phase("", RCV_PHASE_UP);
    assert_int_equal(world_say(&world, NULL, NULL, "30%", UNTIL), 0);
    world_run(&world, 2000);
    restart(110000);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_not_more();
    world_done(&world);

    /* and one that has not, however old the rest is */

    to_phase("", RCV_PHASE_UP);
    assert_int_equal(world_say(&world, NULL, NULL, "closed", "1700009999"),
                     0);
    world_run(&world, 2000);
    restart(OLD_MS);
    assert_int_equal(rate(&world.out.allowance), 0);
    world_done(&world);
}


/* An operator's own, which no source could take back. */

static void
test_order(void **unused)
{
    unsigned        i;
    rcv_override_t  *override;

    static const struct {
        rcv_force_t  force;
        uint64_t     age_ms;
        rcv_force_t  after;
        rcv_phase_t  phase;
    } cases[] = {
        { RCV_FORCE_CLOSED, FRESH_MS, RCV_FORCE_CLOSED, RCV_PHASE_UP },
        { RCV_FORCE_OPEN,   FRESH_MS, RCV_FORCE_OPEN,   RCV_PHASE_UP },
        { RCV_FORCE_CLOSED, 97000,    RCV_FORCE_CLOSED, RCV_PHASE_UP },
        { RCV_FORCE_CLOSED, 98000,    RCV_FORCE_NONE,   RCV_PHASE_PROBING },
        { RCV_FORCE_CLOSED, OLD_MS,   RCV_FORCE_NONE,   RCV_PHASE_PROBING },
        { RCV_FORCE_LEVEL,  97000,    RCV_FORCE_LEVEL,  RCV_PHASE_UP },
        { RCV_FORCE_LEVEL,  99000,    RCV_FORCE_NONE,   RCV_PHASE_RAMPING },
    };

    (void) unused;

    for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        to_phase("", RCV_PHASE_UP);
        world.source.configured = i % 2;

        override = &world.state.override;
        override->force = (uint8_t) cases[i / 2].force;
        override->force_ppm = 300000;
        override->force_until_ds = rcv_override_until_ds(world.now_ms, 100000);
        world_run(&world, 2000);
        assert_int_equal(world.state.force, cases[i / 2].force);

        restart(cases[i / 2].age_ms);
        assert_int_equal(world.state.force, cases[i / 2].after);
        assert_int_equal(world.state.phase, cases[i / 2].phase);

        if (cases[i / 2].phase == RCV_PHASE_PROBING) {
            assert_true(rate(&world.out.allowance) <= RCV_PROBE_RATE_MILLI);

        } else {
            assert_not_more();
        }

        assert_true(rcv_override_left_ms(override->force_until_ds,
                                         world.now_ms) <= 98000);
        world_done(&world);
    }
}


static void
test_order_health(void **unused)
{
    rcv_override_t  *override;

    (void) unused;

    to_phase("", RCV_PHASE_UP);
    world.source.configured = 0;

    override = &world.state.override;
    override->health = RCV_HEALTH_DOWN;
    override->health_until_ds = rcv_override_until_ds(world.now_ms, 60000);
    override->classes = 2;
    override->class_until_ds = rcv_override_until_ds(world.now_ms, 1000000);
    world_run(&world, 2000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);

    restart(FRESH_MS);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_int_equal(world.state.override.classes, 2);
    assert_not_more();

    /* its end comes, and leads into the ramp */

    world_run(&world, 50000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    world_until(&world, RCV_PHASE_PROBING, 20000);
    world_done(&world);
}


/* An "open" that was refused stays refused. */

static void
test_refused(void **unused)
{
    (void) unused;

    to_phase("", RCV_PHASE_UP);
    world.bad_ppm = RCV_PPM;
    world_until(&world, RCV_PHASE_DOWN, 20000);
    (void) world_say(&world, NULL, NULL, "open", UNTIL);
    world_run(&world, 1000);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    assert_true(world.state.signal.refused);

    restart(FRESH_MS);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    assert_not_more();
    world_done(&world);
}


/* A number in flight that steers in full service goes on steering. */

static void
test_steered(void **unused)
{
    (void) unused;

    to_phase("", RCV_PHASE_VERIFYING);
    assert_int_not_equal(world.state.control.mode, RCV_MODE_WIDE);
    restart(FRESH_MS);
    assert_int_not_equal(world.state.control.mode, RCV_MODE_WIDE);
    assert_not_more();
    assert_int_equal(world.state.verified_ms, was.verified_ms);
    world_done(&world);
}


static void
test_epoch(void **unused)
{
    rcv_fields_t  fields;

    (void) unused;

    to_phase("", RCV_PHASE_UP);
    memset(&fields, 0, sizeof(fields));
    fields.value[RCV_FIELD_EPOCH] = (rcv_str_t) { "7", 1 };
    assert_int_equal(rcv_signal_update(&world.state.signal, &fields,
                                       &world.policy, world.unix_s,
                                       world.now_ms), 0);
    restart(OLD_MS);

    fields.value[RCV_FIELD_EPOCH] = (rcv_str_t) { "6", 1 };
    assert_int_equal(rcv_signal_update(&world.state.signal, &fields,
                                       &world.policy, world.unix_s,
                                       world.now_ms),
                     1u << RCV_FIELD_EPOCH);
    world_done(&world);
}


/* The same users, as long as it is the same outage. */

static void
test_cohorts(void **unused)
{
    unsigned  i;

    static const uint64_t  ages_ms[] = { FRESH_MS, LATE_MS, OLD_MS };

    (void) unused;

    for (i = 0; i < 3; i++) {
        to_phase("", RCV_PHASE_RAMPING);
        world.state.cohort.salt = 77;
        restart(ages_ms[i]);
        assert_int_equal(world.state.cohort.salt, i < 2 ? 77 : 0);
        world_done(&world);
    }
}


static void
test_judge(void **unused)
{
    uint64_t  age_ms;

    static const uint64_t  now = 1795452904670ull;

    (void) unused;

    assert_int_equal(rcv_restore_judge(now, now, &age_ms), RCV_RESTORE_GOOD);
    assert_int_equal(age_ms, 0);
    assert_int_equal(rcv_restore_judge(now + RCV_RESTORE_FUTURE_MS, now,
                                       &age_ms), RCV_RESTORE_GOOD);
    assert_int_equal(age_ms, 0);
    assert_int_equal(rcv_restore_judge(now + RCV_RESTORE_FUTURE_MS + 1, now,
                                       &age_ms), RCV_RESTORE_FUTURE);
    assert_int_equal(rcv_restore_judge(UINT64_MAX, now, &age_ms),
                     RCV_RESTORE_FUTURE);
    assert_int_equal(rcv_restore_judge(now - RCV_RESTORE_OLD_MS, now,
                                       &age_ms), RCV_RESTORE_GOOD);
    assert_int_equal(rcv_restore_judge(now - RCV_RESTORE_OLD_MS - 1, now,
                                       &age_ms), RCV_RESTORE_OLD);
    assert_int_equal(rcv_restore_judge(0, now, &age_ms), RCV_RESTORE_OLD);
}


static void
test_due(void **unused)
{
    rcv_state_t         state;
    rcv_restore_mark_t  mark;

    (void) unused;

    to_phase("", RCV_PHASE_RAMPING);
    state = world.state;
    rcv_restore_mark(&mark, &state);
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_NONE);

    state.control.level_ppm++;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_LATER);
    state.control.level_ppm -= 2;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_SOON);

    state = world.state;
    state.control.limit_milli /= 2;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_SOON);
    state.control.limit_milli *= 4;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_LATER);

    state = world.state;
    state.learned_milli += state.learned_milli / 100;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_NONE);
    state.learned_milli *= 2;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_LATER);

    state = world.state;
    state.phase = RCV_PHASE_PROBING;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_SOON);

    state = world.state;
    state.signal.force_until_ms += 60000;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_SOON);

    state = world.state;
    state.signal.ceiling = 7;
    assert_int_equal(rcv_restore_due(&mark, &state), RCV_DUE_SOON);
    world_done(&world);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_ramping),
        cmocka_unit_test(test_ramping_from),
        cmocka_unit_test(test_old),
        cmocka_unit_test(test_no_source),
        cmocka_unit_test(test_found_dead),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_force_ended),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_health),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_steered),
        cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_cohorts),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
