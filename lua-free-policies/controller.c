
#include "controller.h"
#include "gate.h"
#include "ramp.h"
#include "tick.h"


/* One delivered result speaks for so much time on the ramp's clock. */
#define RCV_EVIDENCE_MS  1000


static uint32_t
control_in_flight(const rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts)
{
    uint64_t  limit;

    if (facts->healthy_in_flight != 0) {
        limit = rcv_mul_div((uint64_t) facts->healthy_in_flight * 2,
                            control->level_ppm, RCV_PPM);

    } else {
        /* grows as the level does, from the least there is */
        limit = rcv_mul_div(RCV_RAMP_IN_FLIGHT_MIN, control->level_ppm,
                            rcv_ramp_level_ppm(&policy->ramp, 0));
    }

    limit = rcv_max(limit, RCV_RAMP_IN_FLIGHT_MIN);

    return (uint32_t) rcv_min(limit, RCV_IN_FLIGHT_MAX);
}


/*
 * Sets the clock to where the schedule has a level, or for a staircase to
 * the beginning of the last stair that is not above it.
 */

static void
control_seek(rcv_control_t *control, const rcv_ramp_t *ramp,
    uint32_t level_ppm)
{
    uint32_t  below_ppm;

    control->level_ppm = level_ppm;
    control->ramp_ms = rcv_ramp_time_ms(ramp, level_ppm);

    if (control->ramp_ms != 0
        && rcv_ramp_level_ppm(ramp, control->ramp_ms) > level_ppm)
    {
        below_ppm = rcv_ramp_level_ppm(ramp, control->ramp_ms - 1);
        control->ramp_ms = rcv_ramp_time_ms(ramp, below_ppm);
    }
}


void
rcv_control_start(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t from_ppm)
{
    uint64_t  level_ppm;

    level_ppm = rcv_max(from_ppm, rcv_ramp_level_ppm(&policy->ramp, 0));
    level_ppm = rcv_min(level_ppm, facts->ceiling_ppm);

    control_seek(control, &policy->ramp, (uint32_t) level_ppm);

    control->ok = 0;
    control->bad = 0;
    control->idle_ms = UINT32_MAX;
    control->in_flight_limit = control_in_flight(control, policy, facts);
}


/*
 * Evidence of the last results: at least RCV_RELAPSE_RESULTS of them where
 * there are so many, and what is older than twice that weighs half.
 */

static void
control_note(rcv_control_t *control, const rcv_window_t *window)
{
    uint64_t  ok, bad;

    ok = control->ok;
    bad = control->bad;

    if (ok + bad >= 2 * RCV_RELAPSE_RESULTS) {
        ok /= 2;
        bad /= 2;
    }

    ok = rcv_add_sat(ok, window->results[RCV_RESULT_OK]);
    bad = rcv_add_sat(bad, rcv_window_bad(window));

    control->ok = (uint32_t) rcv_min(ok, UINT32_MAX);
    control->bad = (uint32_t) rcv_min(bad, UINT32_MAX);

    if (window->results[RCV_RESULT_OK] != 0) {
        control->idle_ms = 0;

    } else {
        control->idle_ms = (uint32_t) rcv_min(rcv_add_sat(control->idle_ms,
                                                          window->dt_ms),
                                              UINT32_MAX);
    }
}


static rcv_verdict_t
control_judge(const rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts)
{
    uint64_t  ok, bad, total;

    ok = control->ok;
    bad = control->bad;
    total = ok + bad;

    if (policy->feedback && total >= RCV_RELAPSE_RESULTS) {

        if (bad > ok) {
            return RCV_VERDICT_RELAPSE;
        }

        if (bad * RCV_PPM > total * policy->feedback_errors_ppm) {
            return RCV_VERDICT_ERRORS;
        }
    }

    if (facts->hold || control->idle_ms >= RCV_EVIDENCE_MS) {
        return RCV_VERDICT_HOLD;
    }

    return RCV_VERDICT_RISE;
}


static void
control_rise(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint64_t dt_ms)
{
    uint32_t  level_ppm;

    if (control->level_ppm >= facts->ceiling_ppm) {
        return;
    }

    control->ramp_ms = rcv_add_sat(control->ramp_ms,
                                   rcv_min(dt_ms, RCV_PROGRESS_MAX_MS));

    level_ppm = rcv_ramp_level_ppm(&policy->ramp, control->ramp_ms);

    if (level_ppm > facts->ceiling_ppm) {
        /* the clock waits with the level, or it would leap afterwards */
        control_seek(control, &policy->ramp, facts->ceiling_ppm);

    } else if (level_ppm > control->level_ppm) {
        control->level_ppm = level_ppm;
    }
}


rcv_verdict_t
rcv_control_tick(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    rcv_verdict_t  verdict;

    control_note(control, window);

    if (control->level_ppm > facts->ceiling_ppm) {
        control_seek(control, &policy->ramp, facts->ceiling_ppm);
    }

    verdict = control_judge(control, policy, facts);

    if (verdict == RCV_VERDICT_RISE) {
        control_rise(control, policy, facts, window->dt_ms);
    }

    control->in_flight_limit = control_in_flight(control, policy, facts);

    return verdict;
}
