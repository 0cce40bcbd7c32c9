
#include "turn.h"
#include "allow.h"


static void
turn_probes(rcv_turn_t *turn)
{
    rcv_state_t  *state;

    state = turn->state;

    if (rcv_window_bad(turn->window) != 0) {
        state->good_row = 0;
        rcv_state_why(state, RCV_WHY_PROBE_FAILED, turn->now_ms);
        return;
    }

    state->good_row =
        (uint32_t) rcv_min(rcv_add_sat(state->good_row,
                                       turn->window->results[RCV_RESULT_OK]),
                           UINT32_MAX);

    if (state->stale) {
        rcv_state_why(state, RCV_WHY_STALE, turn->now_ms);
    }
}


/*
 * Is this a tick in which the ramp had nothing left to give?  What an
 * operator's limit sheds does not count against it, once the schedule is at
 * its end.
 */

static int
turn_ramp_satisfied(const rcv_turn_t *turn)
{
    unsigned            reached, calm, bound;
    const rcv_state_t  *state;

    state = turn->state;

    reached = (state->control.level_ppm
               >= rcv_min(turn->facts.ceiling_ppm, RCV_PPM));

    calm = (turn->window->shed_rate == 0);

    bound = (state->health == RCV_HEALTH_DEGRADED
             || rcv_window_shed(turn->window)
                > turn->window->shed_rate + turn->window->shed_retries);

    if (state->reference_milli == 0) {
        return calm || (reached && bound);
    }

    return reached && (calm || bound);
}


static void
turn_ramp_why(rcv_turn_t *turn, uint32_t level_before_ppm)
{
    rcv_why_t     why;
    rcv_state_t  *state;

    state = turn->state;

    if (turn->verdict == RCV_VERDICT_RISE) {

        /* what has not moved the limit is no reason for it */

        if (state->control.level_ppm == level_before_ppm
            || state->bound == RCV_REASON_CEILING
            || state->bound == RCV_REASON_QUOTA)
        {
            return;
        }

        why = RCV_WHY_SCHEDULE;

    } else if (turn->verdict == RCV_VERDICT_ERRORS) {
        why = RCV_WHY_ERRORS;

    } else if (state->force != RCV_FORCE_NONE) {
        why = RCV_WHY_FORCED;

    } else if (state->stale) {
        why = RCV_WHY_STALE;

    } else {
        why = RCV_WHY_NO_EVIDENCE;
    }

    rcv_state_why(state, why, turn->now_ms);
}


static void
turn_control(rcv_turn_t *turn)
{
    uint32_t      cut_from_milli, background_ppm;
    rcv_state_t  *state;

    state = turn->state;
    cut_from_milli = state->control.cut_from_milli;
    background_ppm = state->control.background_ppm;

    turn->verdict = rcv_control_tick(&state->control, turn->round,
                                     turn->policy, &turn->facts,
                                     turn->window);

    if (cut_from_milli == 0 && state->control.cut_from_milli != 0) {
        rcv_state_why(state, RCV_WHY_CUT, turn->now_ms);

    } else if (cut_from_milli != 0 && state->control.cut_from_milli == 0
               && state->control.background_ppm > background_ppm)
    {
        rcv_state_why(state, RCV_WHY_CUT_UNDONE, turn->now_ms);
    }
}


/*
 * Full service: the brakes are armed, and only they.  The level is the
 * phase's.
 */

static void
turn_full(rcv_turn_t *turn)
{
    uint32_t      level_ppm;
    rcv_state_t  *state;

    state = turn->state;
    level_ppm = state->control.level_ppm;

    if (turn->policy->feedback && state->force == RCV_FORCE_NONE) {
        turn_control(turn);
    }

    state->control.level_ppm = level_ppm;
}


static void
turn_ramp(rcv_turn_t *turn)
{
    uint32_t      level_ppm;
    rcv_state_t  *state;

    state = turn->state;
    level_ppm = state->control.level_ppm;

    turn_control(turn);

    if (turn->verdict == RCV_VERDICT_RELAPSE
        || turn->verdict == RCV_VERDICT_DEAD)
    {
        return;
    }

    turn_ramp_why(turn, level_ppm);

    if (turn->verdict == RCV_VERDICT_HOLD) {
        return;
    }

    if (turn->verdict == RCV_VERDICT_RISE && turn_ramp_satisfied(turn)) {
        state->good_row++;

    } else {
        state->good_row = 0;
    }
}


/*
 * What the backend delivered since the last tick.  Results that come in
 * behind a closed gate were let in before it and prove nothing about now.
 */

void
rcv_turn_evidence(rcv_turn_t *turn)
{
    rcv_state_t  *state;

    state = turn->state;

    if (turn->entered || rcv_allow_shut(state)) {
        return;
    }

    switch (state->phase) {

    case RCV_PHASE_DEGRADED:
        state->control.level_ppm =
            (uint32_t) rcv_min(state->control.level_ppm,
                               rcv_allow_health_ppm(state));
        turn_full(turn);
        break;

    case RCV_PHASE_UP:
        turn_full(turn);
        break;

    case RCV_PHASE_DOWN:

        rcv_control_floor(&state->control, turn->round, turn->window);

        if (state->dead) {
            turn_probes(turn);
        }

        break;

    case RCV_PHASE_PROBING:
        rcv_control_floor(&state->control, turn->round, turn->window);
        turn_probes(turn);
        break;

    case RCV_PHASE_RAMPING:
        turn_ramp(turn);
        break;

    case RCV_PHASE_VERIFYING:
        turn_full(turn);

        if (!turn->facts.hold) {
            state->verified_ms =
                (uint32_t) rcv_min(rcv_add_sat(state->verified_ms,
                                               turn->dt_ms),
                                   UINT32_MAX);
        }

        break;

    default:
        break;
    }
}
