
#include "controller.h"
#include "gate.h"
#include "law.h"
#include "ramp.h"
#include "tick.h"


/* One delivered result speaks for so much time on the ramp's clock. */
#define RCV_EVIDENCE_MS  1000

/* A probe without an answer for so long is not waited for. */
#define RCV_PROBE_LOST_MS  1000


/* In flight, at least, while it is verified. */
#define RCV_VERIFYING_MIN  64

/* A ramp begins with so small a part of the healthy number. */
#define RCV_START_PART  10


/* Without feedback the number in flight follows the schedule. */

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


/*
 * Small, so that what fails at the start is no load of ours; but as many as
 * the level asks for where a ramp begins higher.
 */

static void
control_law_start(rcv_control_t *control, const rcv_control_facts_t *facts,
    uint32_t from_ppm)
{
    uint64_t  healthy, limit;

    healthy = facts->healthy_in_flight;
    limit = RCV_RAMP_IN_FLIGHT_MIN;

    if (healthy != 0) {
        limit = rcv_max(healthy / RCV_START_PART,
                        rcv_mul_div(healthy, from_ppm, RCV_PPM));
    }

    rcv_limit_set(control, limit * RCV_MILLI);
    control->mode = RCV_MODE_SLOW_START;
}


/*
 * What the gate gets: whole requests; what is left of a fraction comes with
 * the next ticks, since at a limit of three a tenth is no whole one.
 */

static void
control_publish(rcv_control_t *control, const rcv_control_facts_t *facts,
    uint64_t dt_ms)
{
    uint64_t  limit_milli, limit;

    if (control->mode == RCV_MODE_WIDE) {
        control->in_flight_limit = RCV_IN_FLIGHT_MAX;
        return;
    }

    limit_milli = rcv_wave_limit_milli(control, facts->now_ms, dt_ms)
                  + control->carry_milli;
    limit = limit_milli / RCV_MILLI;
    control->carry_milli = (uint16_t) (limit_milli % RCV_MILLI);

    if (facts->full && limit >= facts->guard) {
        control->mode = RCV_MODE_WIDE;
        limit = RCV_IN_FLIGHT_MAX;
    }

    limit = rcv_add_sat(limit, control->stuck);

    control->in_flight_limit = (uint32_t) rcv_min(limit, RCV_IN_FLIGHT_MAX);
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

    if (policy->feedback) {
        control_law_start(control, facts, from_ppm);
        control_publish(control, facts, 0);

    } else {
        control->in_flight_limit = control_in_flight(control, policy, facts);
    }
}


void
rcv_control_resume(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t limit_milli)
{
    rcv_control_start(control, policy, facts, facts->ceiling_ppm);

    if (policy->feedback && limit_milli != 0) {
        rcv_limit_set(control, rcv_min(control->limit_milli, limit_milli));
        control_publish(control, facts, 0);
    }
}


void
rcv_control_limit(rcv_control_t *control, uint32_t limit_milli)
{
    control->mode = RCV_MODE_STEER;
    rcv_limit_set(control, limit_milli);
    control->in_flight_limit = control->limit_milli / RCV_MILLI;
}


/*
 * Out of the way: what was enough for the ramp while this is verified, and at
 * least what no service would call much; then the guard alone.
 */

static void
control_widen(rcv_control_t *control, rcv_phase_t to)
{
    if (control->mode == RCV_MODE_WIDE) {
        return;
    }

    if (to == RCV_PHASE_UP) {
        control->mode = RCV_MODE_WIDE;
        return;
    }

    control->mode = RCV_MODE_STEER;
    control->dip_from_milli = 0;
    control->dip_low = 0;
    control->cut_from_milli = 0;

    rcv_limit_set(control, rcv_max(control->limit_milli,
                                   RCV_VERIFYING_MIN * RCV_MILLI));
}


void
rcv_control_leave(rcv_control_t *control, rcv_phase_t from, rcv_phase_t to,
    uint32_t in_flight)
{
    rcv_control_t  before;

    before = *control;

    *control = (rcv_control_t) { .idle_ms = UINT32_MAX };

    if (to == RCV_PHASE_VERIFYING || to == RCV_PHASE_UP) {
        /* the same backend under the same load */
        *control = before;
        control->ok = 0;
        control->bad = 0;
        control->idle_ms = UINT32_MAX;
        control->ramp_ms = 0;
        control_widen(control, to);
        return;
    }

    control->failed_milli = before.failed_milli;

    if (from == RCV_PHASE_RAMPING && to == RCV_PHASE_PROBING) {
        control->failed_milli = before.limit_milli;

    } else if (to == RCV_PHASE_DEGRADED) {
        control->failed_milli = 0;
    }

    /* of those in flight now none may ever come back */

    control->stuck = (from == RCV_PHASE_PROBING) ? before.stuck : in_flight;
}


void
rcv_control_floor(rcv_control_t *control, rcv_round_t *round,
    const rcv_window_t *window)
{
    control->stuck = (uint32_t) rcv_min(control->stuck, window->in_flight);

    rcv_round_add(round, control, window);

    if (round->silent_ms >= RCV_PROBE_LOST_MS) {
        /* these hang as well: others may try */
        control->stuck = window->in_flight;
        round->silent_ms = 0;
    }
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

    if (control->cut_from_milli == 0 || control->wait_ms == 0) {
        /* in the wait behind a cut comes what was let in before it */
        bad = rcv_add_sat(bad, rcv_window_bad(window));
    }

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

        if (rcv_brake_damage(control, policy, ok, bad)) {
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


/*
 * What hung when it broke comes back by and by; those who hang on are told
 * from the work by how much of it there is.
 */

static void
control_unstick(rcv_control_t *control, const rcv_round_t *round,
    const rcv_window_t *window)
{
    uint64_t  busy;

    control->stuck = (uint32_t) rcv_min(control->stuck, window->in_flight);

    if (control->stuck != 0 && round->works >= RCV_ROUND_WORKS) {
        busy = round->work_us / 1000 / rcv_max(round->dt_ms, 1);
        control->stuck = (uint32_t) rcv_min(control->stuck,
                                            rcv_since(window->in_flight,
                                                      busy));
    }
}


static void
control_law(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts,
    const rcv_window_t *window)
{
    rcv_brake_t  brake;

    if (control->wait_ms != 0) {
        control->wait_ms = (uint16_t) rcv_since(control->wait_ms,
                                                window->dt_ms);
        rcv_round_clear(round);
        round->silent_ms = 0;
        return;
    }

    rcv_start_tick(control, facts, window);

    if (!rcv_round_full(round)) {
        return;
    }

    control_unstick(control, round, window);

    brake = rcv_brake(control, round, policy, facts);

    if (brake == RCV_BRAKE_WAIT) {
        return;
    }

    if (brake != RCV_BRAKE_NONE) {
        rcv_round_clear(round);
        round->silent_ms = 0;

    } else if (rcv_vegas(control, round, policy, facts)) {
        rcv_round_clear(round);
    }
}


rcv_verdict_t
rcv_control_tick(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts,
    const rcv_window_t *window)
{
    rcv_verdict_t  verdict;

    control_note(control, window);

    if (control->level_ppm > facts->ceiling_ppm) {
        control_seek(control, &policy->ramp, facts->ceiling_ppm);
    }

    if (policy->feedback) {
        rcv_round_add(round, control, window);

        if (rcv_trip(control, round, facts, window)) {
            return RCV_VERDICT_DEAD;
        }
    }

    verdict = control_judge(control, policy, facts);

    if (policy->feedback) {
        rcv_wave_note(control, round, facts, window);
        control_law(control, round, policy, facts, window);
        control_publish(control, facts, window->dt_ms);
    }

    if (verdict == RCV_VERDICT_RISE) {
        control_rise(control, policy, facts, window->dt_ms);
    }

    if (!policy->feedback) {
        control->in_flight_limit = control_in_flight(control, policy, facts);
    }

    return verdict;
}
