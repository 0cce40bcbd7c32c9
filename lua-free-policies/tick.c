
#include "turn.h"
#include "allow.h"
#include "phase.h"
#include "ramp.h"
#include "reference.h"
#include "retry.h"


/* More than one failure in so many, or so many in flight, is not quiet. */
#define RCV_RESTLESS_PART       50
#define RCV_RESTLESS_IN_FLIGHT  10


void
rcv_state_init(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_limits_t *limits, uint64_t now_ms)
{
    unsigned  i;

    (void) policy;

    *state = (rcv_state_t) { 0 };

    state->phase_since_ms = now_ms;
    state->why_ms = now_ms;
    state->why = RCV_WHY_START;
    state->held_milli = RCV_UNLIMITED;
    state->phase = (uint8_t) limits->initial;
    state->epoch = 1;
    state->calm_ms = (limits->initial == RCV_PHASE_UP) ? RCV_BUDGET_CALM_MS
                                                       : 0;

    state->error_ppm = RCV_PPM_UNKNOWN;
    state->p50_ms = RCV_MS_UNKNOWN;
    state->p90_ms = RCV_MS_UNKNOWN;
    state->eta_s = RCV_ETA_UNKNOWN;

    state->control.level_ppm = (limits->initial == RCV_PHASE_UP) ? RCV_PPM : 0;
    state->control.idle_ms = UINT32_MAX;

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        state->absent_ms[i] = UINT16_MAX;
    }

    rcv_reference_apply(state, limits);
}


void
rcv_turn_event(rcv_turn_t *turn, rcv_phase_t from, rcv_why_t why)
{
    rcv_change_t  *change;

    rcv_state_why(turn->state, why, turn->now_ms);

    if (turn->out->nchanges == RCV_CHANGES_MAX) {
        return;
    }

    change = &turn->out->changes[turn->out->nchanges++];

    change->from = from;
    change->to = (rcv_phase_t) turn->state->phase;
    change->why = why;
}


/* Of the last phase's results, that probes were answered in a row counts. */

static void
turn_round(rcv_round_t *round, rcv_phase_t from, rcv_phase_t to)
{
    rcv_round_t  fresh;

    fresh = (rcv_round_t) { 0 };

    if (from == RCV_PHASE_PROBING && to == RCV_PHASE_RAMPING) {
        /* how long an answer takes, with next to no load */
        fresh.dt_ms = round->dt_ms;
        fresh.works = round->works;
        fresh.work_us = round->work_us;
    }

    *round = fresh;
}


void
rcv_turn_enter(rcv_turn_t *turn, rcv_phase_t to, rcv_why_t why,
    uint32_t from_ppm)
{
    rcv_phase_t   from;
    rcv_state_t  *state;

    state = turn->state;
    from = (rcv_phase_t) state->phase;

    state->phase = (uint8_t) to;
    state->epoch = (uint16_t) (state->epoch + 1);
    state->phase_since_ms = turn->now_ms;
    state->why_ms = turn->now_ms;
    state->good_row = 0;
    state->verified_ms = 0;
    state->dead = (to == RCV_PHASE_DOWN && why == RCV_WHY_DEAD);

    rcv_control_leave(&state->control, from, to, turn->window->in_flight);
    turn_round(turn->round, from, to);
    turn->facts.full = (to == RCV_PHASE_UP || to == RCV_PHASE_VERIFYING
                        || to == RCV_PHASE_DEGRADED);

    switch (to) {

    case RCV_PHASE_RAMPING:
        rcv_control_start(&state->control, turn->policy, &turn->facts,
                          from_ppm);
        break;

    case RCV_PHASE_DEGRADED:
        state->control.level_ppm = rcv_allow_health_ppm(state);
        break;

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
        state->control.level_ppm = RCV_PPM;
        break;

    default:
        break;
    }

    turn->entered = 1;
    rcv_turn_event(turn, from, why);

    if (from == RCV_PHASE_UP) {
        /* an outage begins: the lots are drawn anew */
        state->cohort.salt = 0;
    }
}


/*
 * An order outranks the source, whether that can be heard or not.  Behind one
 * that has ended where nobody else has an opinion the backend comes back as
 * from any outage: an order that ends must not shut for ever what it shut for
 * a time.
 */

static void
turn_order(rcv_turn_t *turn)
{
    uint8_t           from;
    rcv_state_t      *state;
    rcv_effective_t  *effective;

    state = turn->state;
    effective = &turn->effective;
    from = state->health_from;

    state->health_from = (effective->health == RCV_HEALTH_NONE)
                         ? RCV_FROM_NONE : RCV_FROM_SOURCE;

    if (state->override.health != RCV_HEALTH_NONE) {
        effective->health = (rcv_health_t) state->override.health;
        effective->lost = 0;
        effective->stale = 0;
        turn->unheard = 0;
        state->health_from = RCV_FROM_ORDER;

    } else if (from == RCV_FROM_ORDER) {
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_ORDER_ENDED);
    }

    if (effective->health == RCV_HEALTH_NONE && !state->dead
        && turn->limits->initial != RCV_PHASE_DOWN
        && (state->phase == RCV_PHASE_DOWN
            || state->phase == RCV_PHASE_DEGRADED))
    {
        effective->health = RCV_HEALTH_UP;
        turn->unheard = 0;
    }
}


/* An operator's word is believed at once: he knows what he changes. */

static void
turn_flaps(rcv_turn_t *turn, rcv_health_t before)
{
    rcv_state_t        *state;
    rcv_flaps_facts_t   facts;

    state = turn->state;

    facts.down = (turn->effective.health == RCV_HEALTH_DOWN);
    facts.fell = (before != RCV_HEALTH_DOWN
                  && state->health_from == RCV_FROM_SOURCE
                  && (facts.down || (turn->recovering && state->started)));
    facts.fresh = !turn->effective.stale;

    switch (rcv_flaps_tick(&state->flaps, &facts, turn->dt_ms)) {

    case RCV_FLAPS_BEGAN:
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_FLAPS);
        break;

    case RCV_FLAPS_ENDED:
        rcv_turn_event(turn, (rcv_phase_t) state->phase, RCV_WHY_STEADY);
        break;

    default:
        break;
    }
}


/* What the source and an operator say now, and what is new about it. */

static void
turn_hear(rcv_turn_t *turn)
{
    unsigned      was_lost;
    rcv_state_t  *state;

    state = turn->state;
    was_lost = state->lost;

    rcv_override_expire(&state->override, turn->now_ms);
    turn_order(turn);

    turn->lost = (!was_lost && turn->effective.lost);
    turn->back = (was_lost && !turn->effective.lost
                  && state->health_from != RCV_FROM_ORDER);
    turn->recovering = (state->signal.health == RCV_HEALTH_RECOVERING
                        && state->said != RCV_HEALTH_RECOVERING
                        && state->health_from != RCV_FROM_ORDER);

    if (state->override.flags & RCV_OVERRIDE_RECOVERING) {
        state->override.flags &= (uint8_t) ~RCV_OVERRIDE_RECOVERING;
        turn->recovering = 1;
    }

    turn_flaps(turn, (rcv_health_t) state->health);

    if (turn->effective.health == RCV_HEALTH_DOWN) {
        /* from here on the source knows when it is back */
        state->dead = 0;
    }

    state->health = (uint8_t) turn->effective.health;
    state->said = state->signal.health;
    state->lost = (uint8_t) turn->effective.lost;
    state->stale = (uint8_t) turn->effective.stale;
}


static void
turn_facts(rcv_turn_t *turn)
{
    rcv_state_t  *state;

    state = turn->state;

    turn->facts.hold = (state->stale || state->force == RCV_FORCE_HOLD
                        || rcv_allow_shut(state));
    turn->facts.healthy_in_flight = state->healthy_in_flight;
    turn->facts.ceiling_ppm = (state->health == RCV_HEALTH_DEGRADED)
                              ? rcv_allow_health_ppm(state)
                              : RCV_LEVEL_MAX_PPM;
    turn->facts.now_ms = turn->now_ms;
    turn->facts.full = (state->phase == RCV_PHASE_UP
                        || state->phase == RCV_PHASE_VERIFYING
                        || state->phase == RCV_PHASE_DEGRADED);
    turn->facts.verified = (state->phase == RCV_PHASE_UP);
    turn->facts.guard = rcv_allow_guard(state);
}


/* Only demand may decide what is learned as normal. */

static void
turn_learn(rcv_turn_t *turn)
{
    rcv_state_t  *state;

    state = turn->state;

    if (state->phase == RCV_PHASE_UP
        && !turn->entered
        && state->force != RCV_FORCE_CLOSED
        && state->force != RCV_FORCE_LEVEL
        && state->signal.ceiling_kind == RCV_CEILING_NONE)
    {
        rcv_reference_learn(state, turn->window);
    }

    rcv_reference_apply(state, turn->limits);
}


static void
turn_phase(rcv_turn_t *turn)
{
    rcv_why_t          why;
    rcv_phase_t        next;
    rcv_state_t       *state;
    rcv_phase_facts_t  facts;

    state = turn->state;

    facts.phase = (rcv_phase_t) state->phase;
    facts.health = turn->effective.health;
    facts.lost = turn->effective.lost;
    facts.back = turn->back;
    facts.unheard = turn->unheard;
    facts.recovering = turn->recovering;
    facts.less_degraded = (state->health == RCV_HEALTH_DEGRADED
                           && rcv_allow_health_ppm(state)
                              > state->control.level_ppm);
    facts.probes_ok = (state->good_row >= RCV_PROBES_IN_A_ROW
                       && !turn->facts.hold);

    if (facts.probes_ok && state->flaps.damped
        && state->health_from == RCV_FROM_SOURCE)
    {
        facts.probes_ok = 0;
        rcv_state_why(state, RCV_WHY_FLAPS, turn->now_ms);
    }

    facts.relapse = (turn->verdict == RCV_VERDICT_RELAPSE
                     || turn->verdict == RCV_VERDICT_DEAD);
    facts.dead = (turn->verdict == RCV_VERDICT_DEAD);
    facts.found_dead = state->dead;
    facts.alive = (state->dead && state->good_row != 0);
    facts.ramp_done = (state->good_row >= RCV_GOOD_TICKS);
    facts.verified = (state->verified_ms >= turn->policy->ramp.verify_ms
                      && !turn->entered && !turn->facts.hold);

    next = rcv_phase_next(&facts, &why);

    if (next != facts.phase) {
        rcv_turn_enter(turn, next, why, (facts.phase == RCV_PHASE_DEGRADED)
                                    ? state->control.level_ppm : 0);

    } else if (turn->lost) {
        rcv_turn_event(turn, facts.phase, RCV_WHY_SIGNAL_LOST);

    } else if (turn->back) {
        rcv_turn_event(turn, facts.phase, RCV_WHY_SIGNAL_BACK);
    }
}


static void
turn_forecast(rcv_turn_t *turn)
{
    uint32_t            target_ppm;
    uint64_t            at_ms, eta_s;
    unsigned            i;
    rcv_state_t        *state;
    rcv_appointment_t   appointment;

    state = turn->state;

    switch (state->phase) {

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
        state->eta_s = 0;
        break;

    case RCV_PHASE_RAMPING:
        target_ppm = (uint32_t) rcv_min(turn->facts.ceiling_ppm, RCV_PPM);
        at_ms = rcv_ramp_time_ms(&turn->policy->ramp, target_ppm);
        eta_s = (rcv_since(at_ms, state->control.ramp_ms) + 999) / 1000;
        state->eta_s = (state->control.level_ppm >= target_ppm) ? 0
                       : (uint32_t) rcv_min(eta_s, RCV_ETA_UNKNOWN - 1);
        break;

    default:
        state->eta_s = RCV_ETA_UNKNOWN;
        break;
    }

    appointment.after_s = 0;
    rcv_climb_note(&turn->round->climb, state, turn->window);

    for (i = 0; i < turn->policy->nclasses; i++) {
        appointment = rcv_retry_appointment(state, turn->policy,
                                            &turn->round->climb, i,
                                            appointment.after_s);
        turn->out->retry[i] = rcv_retry_pack(&appointment);
    }
}


/* Signs that this may be the beginning of something. */

static int
turn_restless(const rcv_turn_t *turn)
{
    const rcv_state_t  *state;

    state = turn->state;

    return state->control.mode != RCV_MODE_WIDE
           || turn->round->silent_ms != 0
           || turn->window->gone + rcv_window_bad(turn->window)
              > turn->window->results[RCV_RESULT_OK] / RCV_RESTLESS_PART
           || turn->window->in_flight
              > rcv_max((uint64_t) state->healthy_in_flight * 2,
                        RCV_RESTLESS_IN_FLIGHT);
}


/*
 * On the floor one class is let in, and few of it: nothing to cut.  In full
 * service there is none while only the wide guard stands.
 */

static void
turn_cohort(rcv_turn_t *turn)
{
    unsigned                limited;
    rcv_state_t            *state;
    const rcv_gate_word_t  *word;

    state = turn->state;
    word = &turn->out->allowance.word;

    limited = (word->mode == RCV_GATE_LIMIT
               || (word->mode == RCV_GATE_OPEN
                   && word->in_flight_limit < rcv_allow_guard(state)))
              && state->phase != RCV_PHASE_PROBING
              && state->phase != RCV_PHASE_DOWN;

    rcv_cohort_tick(&state->cohort, &turn->round->cohort, turn->policy,
                    turn->window, limited);

    turn->out->allowance.cohort = rcv_cohort_word(&state->cohort);
}


static void
turn_publish(rcv_turn_t *turn)
{
    rcv_tick_t    *out;
    rcv_state_t   *state;
    rcv_reason_t   reason;

    out = turn->out;
    state = turn->state;

    rcv_allow(state, turn->policy, turn->limits, &out->allowance);
    turn_cohort(turn);

    rcv_budget_tick(state, turn->policy, turn->window, turn->round,
                    turn->dt_ms, &out->retries);

    out->ceiling_milli = rcv_allow_ceiling_milli(state, turn->limits);

    reason = out->allowance.word.reason;

    if ((reason == RCV_REASON_CEILING || reason == RCV_REASON_QUOTA)
        && state->bound != reason
        && state->started)
    {
        rcv_state_why(state, RCV_WHY_CEILING, turn->now_ms);
    }

    state->bound = (uint8_t) reason;

    out->quiet = (state->phase == RCV_PHASE_UP
                  && state->force == RCV_FORCE_NONE
                  && rcv_window_shed(turn->window) == 0
                  && !turn_restless(turn));

    state->quiet = (uint8_t) out->quiet;
}


/*
 * Whom the cut sheds would have found bucket or places full: he counts with
 * those who did in this tick.  If nobody did, by which of the two is near.
 */

static void
turn_attribute(const rcv_state_t *state, const rcv_window_t *window,
    rcv_window_t *attributed)
{
    uint64_t  cut, places;
    unsigned  i;

    *attributed = *window;
    cut = 0;

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        cut = rcv_add_sat(cut, window->shed_cohort[i]);
    }

    if (state->bound == RCV_REASON_NONE) {
        places = cut;

    } else if (window->shed_rate != 0) {
        places = rcv_mul_div(cut, window->shed_in_flight, window->shed_rate);

    } else {
        places = (window->in_flight
                  >= state->control.in_flight_limit / 4 * 3) ? cut : 0;
    }

    attributed->shed_rate = rcv_add_sat(window->shed_rate, cut);
    attributed->shed_in_flight = rcv_add_sat(window->shed_in_flight, places);
}


void
rcv_tick(rcv_state_t *state, rcv_round_t *round, const rcv_policy_t *policy,
    const rcv_limits_t *limits, const rcv_source_t *source,
    const rcv_window_t *window, uint64_t now_ms, rcv_tick_t *out)
{
    rcv_turn_t    turn;
    rcv_window_t  attributed;

    *out = (rcv_tick_t) { 0 };
    turn = (rcv_turn_t) { 0 };

    turn_attribute(state, window, &attributed);

    turn.state = state;
    turn.policy = policy;
    turn.limits = limits;
    turn.window = &attributed;
    turn.round = round;
    turn.out = out;
    turn.now_ms = now_ms;
    turn.dt_ms = rcv_min(window->dt_ms, RCV_PROGRESS_MAX_MS);
    turn.unheard = (source->configured && !source->heard);
    turn.effective = rcv_health_effective(&state->signal, source, policy);

    rcv_state_observe(state, policy, window);

    turn_hear(&turn);
    turn_facts(&turn);
    rcv_turn_ceiling(&turn);
    rcv_turn_force(&turn);
    turn_facts(&turn);
    turn_learn(&turn);
    rcv_turn_evidence(&turn);
    turn_phase(&turn);
    turn_forecast(&turn);
    turn_publish(&turn);

    state->started = 1;
}


int
rcv_state_quiet(const rcv_state_t *state)
{
    return state->quiet;
}
