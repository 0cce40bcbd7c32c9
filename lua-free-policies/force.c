
#include "turn.h"
#include "allow.h"
#include "ramp.h"


/* A force that shut for less has kept nobody out worth speaking of. */
#define RCV_FORCE_BRIEF_MS  1000


/* Into a ramp from a level, if that is below what the phase would let in. */

static void
turn_ramp_from(rcv_turn_t *turn, uint32_t from_ppm, rcv_why_t why)
{
    rcv_state_t  *state;

    state = turn->state;

    if (state->phase == RCV_PHASE_UP
        || state->phase == RCV_PHASE_VERIFYING
        || ((state->phase == RCV_PHASE_RAMPING
             || state->phase == RCV_PHASE_DEGRADED)
            && state->control.level_ppm > from_ppm))
    {
        rcv_turn_enter(turn, RCV_PHASE_RAMPING, why, from_ppm);
    }
}


/*
 * A force that let less in than the phase below would have: behind it caches
 * went cold and users waited, so what follows begins where the force was.
 */

static void
turn_force_ended(rcv_turn_t *turn)
{
    rcv_state_t  *state;

    state = turn->state;

    if (state->force_ms < RCV_FORCE_BRIEF_MS
        || state->phase == RCV_PHASE_DOWN
        || state->phase == RCV_PHASE_PROBING)
    {
        return;
    }

    if (rcv_allow_shut(state)) {
        rcv_turn_enter(turn, RCV_PHASE_PROBING, RCV_WHY_FORCE_ENDED, 0);

    } else if (state->force == RCV_FORCE_LEVEL) {
        turn_ramp_from(turn, state->forced_ppm, RCV_WHY_FORCE_ENDED);
    }
}


/*
 * How much of the reference passes now, of whatever is in force: where a
 * forced level begins that lies above it.
 */

static uint32_t
turn_level_ppm(const rcv_turn_t *turn)
{
    uint64_t            level_ppm;
    const rcv_state_t  *state;

    state = turn->state;

    switch (state->phase) {

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
        level_ppm = RCV_PPM;
        break;

    case RCV_PHASE_DEGRADED:
    case RCV_PHASE_RAMPING:
        level_ppm = state->control.level_ppm;
        break;

    default:
        level_ppm = 0;
        break;
    }

    if (state->reference_milli != 0 && state->held_milli != RCV_UNLIMITED) {
        level_ppm = rcv_min(level_ppm,
                            rcv_mul_div(state->held_milli, RCV_PPM,
                                        state->reference_milli));
    }

    return (uint32_t) rcv_min(level_ppm, RCV_PPM);
}


/*
 * A forced level is a cut at once, and a rise no faster than the ramp: its
 * own clock runs along the schedule, by time and not by evidence, since it
 * was ordered.
 */

static void
turn_force_level(rcv_turn_t *turn, uint32_t wanted_ppm, unsigned begun)
{
    uint32_t           level_ppm, from_ppm;
    rcv_state_t       *state;
    const rcv_ramp_t  *ramp;

    state = turn->state;
    ramp = &turn->policy->ramp;

    if (begun) {
        from_ppm = turn_level_ppm(turn);
        state->forced_ramp_ms = 0;
        state->forced_ppm = wanted_ppm;

        if (from_ppm >= wanted_ppm) {
            return;
        }

    } else {
        from_ppm = state->forced_ppm;

        if (from_ppm >= wanted_ppm) {
            state->forced_ppm = wanted_ppm;
            state->forced_ramp_ms = 0;
            return;
        }
    }

    level_ppm = (uint32_t) rcv_max(from_ppm, rcv_ramp_level_ppm(ramp, 0));

    if (state->forced_ramp_ms == 0) {
        state->forced_ramp_ms =
            (uint32_t) rcv_min(rcv_ramp_time_ms(ramp, level_ppm), UINT32_MAX);
    }

    if (!begun) {
        state->forced_ramp_ms =
            (uint32_t) rcv_min(state->forced_ramp_ms + turn->dt_ms,
                               UINT32_MAX);
        level_ppm = (uint32_t) rcv_max(level_ppm,
                                       rcv_ramp_level_ppm(ramp,
                                                      state->forced_ramp_ms));
    }

    state->forced_ppm = (uint32_t) rcv_min(level_ppm, wanted_ppm);
}


/* Half of where it stands, or back to the probes where that is too little. */

static void
turn_step_back(rcv_turn_t *turn)
{
    uint32_t      from_ppm;
    rcv_state_t  *state;

    state = turn->state;
    from_ppm = turn_level_ppm(turn) / 2;

    if (state->phase == RCV_PHASE_DOWN || state->phase == RCV_PHASE_PROBING) {
        return;
    }

    if (from_ppm < rcv_ramp_level_ppm(&turn->policy->ramp, 0)) {
        rcv_turn_enter(turn, RCV_PHASE_PROBING, RCV_WHY_STEPPED_BACK, 0);

    } else {
        rcv_turn_enter(turn, RCV_PHASE_RAMPING, RCV_WHY_STEPPED_BACK,
                       from_ppm);
    }
}


/*
 * A source may say "open" while the backend fails; it is obeyed only by name
 * of the rule that it breaks.  Judged once, when it is given: where nothing
 * is let in there is no evidence, and that must not open the gate later.
 */

static void
turn_force_judge(rcv_turn_t *turn)
{
    rcv_signal_t  *signal;

    signal = &turn->state->signal;

    if (!signal->fresh) {
        return;
    }

    signal->fresh = 0;
    signal->refused = (rcv_signal_force(signal, turn->now_ms)
                       == RCV_FORCE_OPEN
                       && signal->safety != RCV_SAFETY_FAILING
                       && rcv_state_failing(turn->state));

    if (signal->refused) {
        turn->out->refused = 1;
        rcv_turn_event(turn, (rcv_phase_t) turn->state->phase,
                       RCV_WHY_FORCE_REFUSED);
    }
}


/* The force that counts, with its level: an operator's here first. */

static rcv_force_t
turn_force_now(rcv_turn_t *turn, uint32_t *level_ppm, rcv_from_t *from)
{
    rcv_force_t             force;
    const rcv_signal_t     *signal;
    const rcv_override_t   *override;

    signal = &turn->state->signal;
    override = &turn->state->override;

    if (override->force != RCV_FORCE_NONE) {
        *level_ppm = override->force_ppm;
        *from = RCV_FROM_ORDER;
        return (rcv_force_t) override->force;
    }

    *level_ppm = signal->force_ppm;
    *from = RCV_FROM_SOURCE;

    force = rcv_signal_force(signal, turn->now_ms);

    if ((force == RCV_FORCE_OPEN && signal->refused)
        || (force == RCV_FORCE_HOLD
            && (override->flags & RCV_OVERRIDE_RESUME)))
    {
        force = RCV_FORCE_NONE;
    }

    if (force == RCV_FORCE_NONE) {
        *from = RCV_FROM_NONE;
    }

    return force;
}


/* What an order has been waiting for. */

static void
turn_ordered(rcv_turn_t *turn)
{
    uint8_t          flags;
    rcv_phase_t      phase;
    rcv_override_t  *override;

    override = &turn->state->override;
    flags = override->flags;
    override->flags &= RCV_OVERRIDE_RESUME;

    if (flags & RCV_OVERRIDE_STEP_BACK) {
        turn_step_back(turn);
    }

    phase = (rcv_phase_t) turn->state->phase;

    if (flags & RCV_OVERRIDE_NEW_HEALTH) {
        rcv_turn_event(turn, phase, RCV_WHY_HEALTH_ORDERED);
    }

    if (flags & RCV_OVERRIDE_NEW_CLASS) {
        rcv_turn_event(turn, phase, RCV_WHY_PROMOTED);
    }
}


void
rcv_turn_ceiling(rcv_turn_t *turn)
{
    uint64_t      now_milli, held_milli, from_ppm;
    rcv_state_t  *state;

    state = turn->state;

    now_milli = rcv_allow_signal_ceiling_milli(state);
    held_milli = state->held_milli;
    state->held_milli = now_milli;

    if (now_milli <= held_milli) {
        return;
    }

    from_ppm = 0;

    if (state->reference_milli != 0) {
        from_ppm = rcv_mul_div(held_milli, RCV_PPM, state->reference_milli);
    }

    /* one that kept nobody out, and was not below what is normal either */

    if ((state->reference_milli == 0 || from_ppm >= RCV_PPM)
        && held_milli != 0 && rcv_window_shed(turn->window) == 0)
    {
        return;
    }

    turn_ramp_from(turn, (uint32_t) rcv_min(from_ppm, RCV_LEVEL_MAX_PPM),
                   RCV_WHY_CEILING_ENDED);
}


void
rcv_turn_force(rcv_turn_t *turn)
{
    uint32_t      level_ppm;
    unsigned      begun, changed;
    rcv_from_t    from;
    rcv_state_t  *state;
    rcv_force_t   force;

    state = turn->state;

    turn_force_judge(turn);

    force = turn_force_now(turn, &level_ppm, &from);
    begun = (force != state->force);
    changed = begun || (state->override.flags & RCV_OVERRIDE_NEW_FORCE)
              || (force != RCV_FORCE_NONE && from != state->force_from);

    state->force_ms = (uint32_t) rcv_min(rcv_add_sat(state->force_ms,
                                                     turn->window->dt_ms),
                                         UINT32_MAX);

    if (begun && state->force != RCV_FORCE_NONE) {
        turn_force_ended(turn);
    }

    if (begun) {
        state->force = (uint8_t) force;
        state->force_ms = 0;
    }

    state->force_from = (uint8_t) from;

    if (force == RCV_FORCE_LEVEL) {
        changed |= (begun || level_ppm != state->wanted_ppm);
        state->wanted_ppm = level_ppm;
        turn_force_level(turn, level_ppm, begun);
    }

    turn_ordered(turn);

    if (!changed) {
        return;
    }

    if (force != RCV_FORCE_NONE) {
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_FORCED);

    } else if (!turn->entered) {
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_FORCE_ENDED);
    }
}
