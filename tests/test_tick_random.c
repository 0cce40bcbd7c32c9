
/*
 * Nonsense for many ticks: whatever source, operator, traffic and clock do,
 * some things always hold.  The seeds are fixed: a failure comes again.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "allow.h"
#include "policy_text.h"
#include "ramp.h"
#include "tick.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define TICKS  40000                    /* of every policy */


static const char *const  texts[] = {
    "",
    "ramp steps=5%:3s,25%:6s,100% verify=1s; when down probe=3%;"
        "when signal_lost hold=5s then=shed;",
    "ramp over=20s verify=0s; feedback off; class only default;"
        "when signal_lost hold=5s then=pass;",
    "ramp from=0.1% double=5s; when down pass;",
    "ramp from=50% double=200ms verify=3s; when signal_lost hold=0s then=keep;"
};


static const char *const  healths[] = {
    NULL, "up", "up", "up", "recovering", "recovering", "degraded", "down",
    "0.3", "0.9", "0", "1", "rubbish", "", "7"
};

static const char *const  ceilings[] = {
    NULL, NULL, NULL, NULL, NULL, "50r/s", "1r/m", "40%", "0%", "300%", "x"
};

static const char *const  forces[] = {
    NULL, NULL, NULL, NULL, NULL, NULL, "open", "closed", "hold", "35%",
    "0%", "100%", "x"
};


/* One backend under a policy, and what the last ticks were like. */

typedef struct {
    uint64_t       seed;
    rcv_policy_t   policy;
    rcv_limits_t   limits;
    rcv_source_t   source;
    rcv_state_t    before;
    rcv_state_t    state;
    rcv_window_t   window;
    rcv_round_t    round;
    rcv_tick_t     out;
    uint64_t       now_ms;
    unsigned       tick;

    /* of the ramp that is going on */
    uint64_t       start_ms;            /* on the schedule */
    uint64_t       progress_ms;
    uint64_t       since_ok_ms;

    unsigned       seen[RCV_PHASES];
} chaos_t;


static chaos_t  chaos;


static uint64_t
dice(uint64_t sides)
{
    uint64_t  x;

    /* splitmix64 */

    x = (chaos.seed += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;

    return (x ^ (x >> 31)) % sides;
}


static void
shake_signal(void)
{
    char          until[24];
    const char   *word;
    rcv_fields_t  fields;

    memset(&fields, 0, sizeof(fields));

    word = healths[dice(nelts(healths))];

    if (word != NULL) {
        fields.value[RCV_FIELD_HEALTH] = str(word);
    }

    word = ceilings[dice(nelts(ceilings))];

    if (word != NULL) {
        fields.value[RCV_FIELD_CEILING] = str(word);
    }

    word = forces[dice(nelts(forces))];

    if (word != NULL) {
        fields.value[RCV_FIELD_FORCE] = str(word);
    }

    (void) snprintf(until, sizeof(until), "%u", 1000 + (unsigned) dice(30));

    if (dice(4) != 0) {
        fields.value[RCV_FIELD_FORCE_UNTIL] = str(until);
    }

    if (dice(8) == 0) {
        fields.value[RCV_FIELD_PROMOTE] =
            str(chaos.policy.classes[dice(chaos.policy.nclasses)].name);
    }

    (void) rcv_signal_update(&chaos.state.signal, &fields, &chaos.policy,
                             1001, chaos.now_ms);
}


static uint64_t
shake_dt(void)
{
    switch (dice(200)) {

    case 0:
        return 0;

    case 1:
        return 1 + dice(5000);

    case 2:
        return 3600000;

    case 3:
        return UINT64_MAX;

    case 4:
    case 5:
        return RCV_TICK_QUIET_MS;

    default:
        return RCV_TICK_MS;
    }
}


static void
shake_window(void)
{
    unsigned       i;
    uint64_t       scale, total;
    rcv_window_t  *window;

    window = &chaos.window;
    memset(window, 0, sizeof(*window));

    window->dt_ms = shake_dt();
    scale = (dice(500) == 0) ? UINT64_MAX / 64
            : (dice(3) == 0) ? 1 : 1 + dice(100);
    total = 0;

    for (i = 0; i < chaos.policy.nclasses; i++) {
        window->offered[i] = dice(scale);
        window->passed[i] = dice(window->offered[i] + 1);
        window->shed[i] = window->offered[i] - window->passed[i];
        total += window->passed[i];
    }

    window->shed_rate = (dice(4) == 0) ? dice(rcv_window_shed(window) + 1) : 0;
    window->shed_in_flight = dice(window->shed_rate + 1);
    window->cost_milli = rcv_mul_sat(total, RCV_MILLI);
    window->results[RCV_RESULT_OK] = dice(total + 1);

    if (dice((chaos.tick / 2000) % 2 ? 4000 : 40) == 0) {
        window->results[RCV_RESULT_ERROR] = dice(total + 1);
        window->overload = dice(window->results[RCV_RESULT_ERROR] + 1);
        window->gone = dice(total + 1);
        window->results[RCV_RESULT_TIMEOUT] = dice(total + 1);
    }

    window->latency[dice(RCV_LATENCY_BUCKETS)] = total;
    window->latency_sum_us = rcv_mul_sat(total, dice(100000));
    window->work_us = rcv_mul_sat(total, dice(100000));
    window->in_flight = (uint32_t) dice((dice(2) == 0) ? 30 : 2000);
}


static void
shake(void)
{
    unsigned  calm;

    /* now and then there is peace for long enough to get anywhere */

    calm = (chaos.tick / 2000) % 2;

    if (dice(calm ? 2000 : 60) == 0) {
        shake_signal();
    }

    if (dice(calm ? 2000 : 100) == 0) {
        chaos.source.age_ms = (dice(2) == 0) ? 0 : dice(40000);
    }

    if (dice(2000) == 0) {
        chaos.limits.quota_milli = (dice(2) == 0) ? RCV_UNLIMITED
                                                  : 1 + dice(200000);
    }

    shake_window();

    chaos.now_ms += (dice(100) == 0) ? dice(10000)
                    : rcv_min(chaos.window.dt_ms, 10000);
    chaos.now_ms -= (dice(100) == 0) ? dice(50) : 0;
}


/* What is let in, by its own bounds. */

static void
check_allowance(void)
{
    const rcv_state_t      *state;
    const rcv_allowance_t  *allowance;

    state = &chaos.state;
    allowance = &chaos.out.allowance;

    assert_true(allowance->word.class_max < chaos.policy.nclasses);
    assert_true(allowance->word.in_flight_limit <= RCV_IN_FLIGHT_MAX);
    assert_true(allowance->word.reason < RCV_REASONS);
    assert_int_equal(allowance->word.phase, state->phase);
    assert_int_equal(allowance->word.epoch, state->epoch);
    assert_true(allowance->burst_milli >= RCV_MILLI);

    switch (allowance->word.mode) {

    case RCV_GATE_OPEN:
        assert_true(allowance->rate_milli == RCV_UNLIMITED);
        assert_true(chaos.limits.quota_milli == RCV_UNLIMITED);
        assert_true(allowance->word.in_flight_limit > 0);
        assert_int_equal(allowance->word.reason, RCV_REASON_NONE);
        break;

    case RCV_GATE_LIMIT:
        assert_true(allowance->rate_milli > 0);
        assert_true(allowance->rate_milli <= chaos.limits.quota_milli);
        assert_true(allowance->rate_milli <= chaos.out.ceiling_milli);
        assert_true(allowance->word.in_flight_limit > 0);
        assert_int_not_equal(allowance->word.reason, RCV_REASON_NONE);
        break;

    default:
        assert_int_equal(allowance->rate_milli, 0);
        assert_int_equal(allowance->word.in_flight_limit, 0);
        assert_int_not_equal(allowance->word.reason, RCV_REASON_NONE);
        break;
    }

    if (rcv_allow_shut(state)) {
        assert_int_equal(allowance->word.mode, RCV_GATE_CLOSED);
    }

    if (state->force != RCV_FORCE_NONE && state->force != RCV_FORCE_HOLD) {
        return;
    }

    if (state->phase == RCV_PHASE_PROBING) {
        assert_true(allowance->rate_milli
                    <= rcv_allow_floor_milli(state, &chaos.policy));
        assert_true(allowance->word.in_flight_limit
                    <= state->control.stuck + RCV_PROBE_IN_FLIGHT);
    }

    if (state->phase == RCV_PHASE_DOWN
        && chaos.policy.down_mode == RCV_DOWN_SHED && !state->dead)
    {
        assert_int_equal(allowance->word.mode, RCV_GATE_CLOSED);
    }
}


static void
check_phase(void)
{
    unsigned  i, moved;

    static const unsigned char  may[RCV_PHASES][RCV_PHASES] = {
        /*               up  deg down prob ramp verify */
        /* up */        { 1,  1,  1,   1,   1,   0 },
        /* degraded */  { 0,  1,  1,   1,   1,   0 },
        /* down */      { 0,  0,  1,   1,   0,   0 },
        /* probing */   { 0,  0,  1,   1,   1,   0 },
        /* ramping */   { 0,  1,  1,   1,   1,   1 },
        /* verifying */ { 1,  1,  1,   1,   1,   1 },
    };

    moved = 0;

    assert_true(chaos.out.nchanges <= RCV_CHANGES_MAX);

    for (i = 0; i < chaos.out.nchanges; i++) {
        assert_true(may[chaos.out.changes[i].from][chaos.out.changes[i].to]);
        assert_true(chaos.out.changes[i].why < RCV_WHYS);
        moved |= (chaos.out.changes[i].from != chaos.out.changes[i].to);
    }

    assert_true(chaos.state.phase == chaos.before.phase || moved);
    assert_true(chaos.state.epoch <= 0xffff);

    if (chaos.state.phase != chaos.before.phase) {
        assert_int_not_equal(chaos.state.epoch, chaos.before.epoch);
    }

    if (chaos.state.health == RCV_HEALTH_DOWN) {
        assert_int_equal(chaos.state.phase, RCV_PHASE_DOWN);
    }

    assert_int_equal(chaos.out.quiet, rcv_state_quiet(&chaos.state));
    assert_true(!chaos.out.quiet || chaos.state.phase == RCV_PHASE_UP);
}


/*
 * A ramp is never ahead of its schedule, and rises only on evidence from a
 * fresh source.
 */

static void
check_ramp(void)
{
    uint32_t           level_ppm;
    uint64_t           held_ppm;
    const rcv_ramp_t  *ramp;

    ramp = &chaos.policy.ramp;
    level_ppm = chaos.state.control.level_ppm;
    held_ppm = 0;

    if (chaos.state.reference_milli != 0
        && chaos.before.held_milli != RCV_UNLIMITED)
    {
        held_ppm = rcv_mul_div(chaos.before.held_milli, RCV_PPM,
                               chaos.state.reference_milli);
    }

    assert_true(level_ppm <= RCV_LEVEL_MAX_PPM);

    if (chaos.window.results[RCV_RESULT_OK] != 0) {
        chaos.since_ok_ms = 0;

    } else {
        chaos.since_ok_ms = rcv_add_sat(chaos.since_ok_ms,
                                        chaos.window.dt_ms);
    }

    if (chaos.state.phase != RCV_PHASE_RAMPING) {
        return;
    }

    if (chaos.before.epoch != chaos.state.epoch) {
        assert_true(level_ppm
                    <= rcv_max(rcv_ramp_level_ppm(ramp, 0),
                               rcv_max(rcv_max(chaos.before.forced_ppm,
                                               held_ppm),
                                       chaos.before.control.level_ppm)));
        chaos.progress_ms = 0;
        chaos.start_ms = rcv_ramp_time_ms(ramp, level_ppm);
        return;
    }

    chaos.progress_ms += rcv_min(chaos.window.dt_ms, RCV_PROGRESS_MAX_MS);

    assert_true(level_ppm <= rcv_ramp_level_ppm(ramp, chaos.start_ms
                                                      + chaos.progress_ms));

    if (level_ppm > chaos.before.control.level_ppm) {
        assert_true(chaos.since_ok_ms < 1000);
        assert_false(chaos.state.stale);
        assert_int_not_equal(chaos.state.force, RCV_FORCE_HOLD);
        assert_false(rcv_allow_shut(&chaos.state));
    }
}


/* Nothing that would show as nonsense. */

static void
check_display(void)
{
    unsigned            i;
    const rcv_state_t  *state;

    state = &chaos.state;

    assert_true(state->error_ppm <= RCV_PPM
                || state->error_ppm == RCV_PPM_UNKNOWN);
    assert_true(state->p50_ms <= state->p90_ms);
    assert_true(state->reference_milli <= RCV_RATE_MAX_MILLI);
    assert_true(state->why < RCV_WHYS);

    for (i = 0; i < chaos.policy.nclasses; i++) {
        assert_true((chaos.out.retry[i] & 0xfff)
                    >= chaos.policy.retry_after_min_s);
        assert_true((chaos.out.retry[i] & 0xfff)
                    <= chaos.policy.retry_after_max_s);
    }

    /* outside "up" the reference stands still */

    if (chaos.before.started && chaos.before.phase != RCV_PHASE_UP) {
        assert_true(state->learned_milli == chaos.before.learned_milli);
    }
}


static void
run(const char *text, uint64_t seed)
{
    unsigned  i;

    memset(&chaos, 0, sizeof(chaos));
    policy_text_good(&chaos.policy, text);

    chaos.seed = seed;
    chaos.now_ms = 1000000;
    chaos.source.configured = 1;
    chaos.source.heard = 1;
    chaos.limits.quota_milli = RCV_UNLIMITED;
    chaos.limits.initial = RCV_PHASE_UP;
    chaos.limits.capacity_milli = (seed % 2 == 0) ? 0 : 100000;

    rcv_state_init(&chaos.state, &chaos.policy, &chaos.limits, chaos.now_ms);

    for (chaos.tick = 0; chaos.tick < TICKS; chaos.tick++) {
        chaos.before = chaos.state;

        shake();

        rcv_tick(&chaos.state, &chaos.round, &chaos.policy, &chaos.limits,
                 &chaos.source, &chaos.window, chaos.now_ms, &chaos.out);

        check_allowance();
        check_phase();
        check_ramp();
        check_display();

        chaos.seen[chaos.state.phase]++;
    }

    /* it has been everywhere, or it has shown nothing */

    for (i = 0; i < RCV_PHASES; i++) {
        if (chaos.seen[i] < 10) {
            fail_msg("seed %llu: %u ticks \"%s\"", (unsigned long long) seed,
                     chaos.seen[i], rcv_phase_names[i]);
        }
    }

    rcv_policy_free(&chaos.policy);
}


static void
test_nonsense(void **unused)
{
    size_t  i;

    (void) unused;

    for (i = 0; i < nelts(texts); i++) {
        run(texts[i], 2 * i);
        run(texts[i], 2 * i + 1);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
