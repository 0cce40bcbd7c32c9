
#include "turn.h"
#include "allow.h"


/* A force that shut for less has kept nobody out worth speaking of. */
#define RCV_FORCE_BRIEF_MS  1000


/*
 * A force that let less in than the phase below would have: behind it caches
 * went cold and users waited, so what follows begins where the force was.
 */

static void
turn_force_ended(rcv_turn_t *turn)
{
    uint32_t      from_ppm;
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
        return;
    }

    if (state->force != RCV_FORCE_LEVEL) {
        return;
    }

    from_ppm = state->forced_ppm;

    if (state->phase == RCV_PHASE_UP
        || state->phase == RCV_PHASE_VERIFYING
        || state->control.level_ppm > from_ppm)
    {
        rcv_turn_enter(turn, RCV_PHASE_RAMPING, RCV_WHY_FORCE_ENDED, from_ppm);
    }
}


void
rcv_turn_force(rcv_turn_t *turn)
{
    unsigned      changed;
    rcv_state_t  *state;
    rcv_force_t   force;

    state = turn->state;
    force = rcv_signal_force(&state->signal, turn->now_ms);
    changed = (force != state->force);

    state->force_ms = (uint32_t) rcv_min(rcv_add_sat(state->force_ms,
                                                     turn->window->dt_ms),
                                         UINT32_MAX);

    if (changed && state->force != RCV_FORCE_NONE) {
        turn_force_ended(turn);
    }

    if (changed) {
        state->force = (uint8_t) force;
        state->force_ms = 0;
    }

    if (force == RCV_FORCE_LEVEL
        && (changed || state->forced_ppm != state->signal.force_ppm))
    {
        state->forced_ppm = state->signal.force_ppm;
        changed = 1;
    }

    if (!changed) {
        return;
    }

    if (force != RCV_FORCE_NONE) {
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_FORCED);

    } else if (!turn->entered) {
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_FORCE_ENDED);
    }
}
