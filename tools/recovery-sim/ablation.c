
#include <stddef.h>

#include "ablation.h"
#include "law.h"
#include "../../lua-free-policies/law.h"
#include "phase.h"


const char *const  sim_without_names[SIM_WITHOUTS] = {
    NULL, "without-in-flight", "without-new-base", "without-down",
    "without-classes", "without-cuts", "without-brake", "without-undo",
    "without-background", "without-latency", "without-dip", "without-wave",
    "without-slow-start", "without-schedule", "without-trip",
    "without-probes", "without-relapse",
    "without-engage", "without-exempt", "without-gone", "without-memory",
    "without-wait", "without-carry", "without-stuck", "without-verifying",
    "without-retry-after", "without-feedback"
};

const char *const  sim_without_whats[SIM_WITHOUTS] = {
    NULL,
    "no limit in flight: the schedule's rate, brakes that cut nothing",
    "the latency base is that of before the outage",
    "nothing is ever down: no probes, no ramp",
    "one class for all: no watermarks, no spare place",
    "neither errors nor latency ever lower the limit",
    "errors never lower the limit",
    "a cut by errors that did not help stays",
    "no errors pass as background",
    "latency never lowers the limit",
    "a cut by latency that did not help stays",
    "no wave on the limit: latency alone steers",
    "a ramp begins at the healthy number in flight",
    "no schedule above it",
    "a backend that is found dead stays up",
    "a ramp begins with the first tick of probing",
    "a ramp in which most fails goes on",
    "full service is never steered because of latency",
    "what fails at the start of a ramp counts like later on",
    "clients who gave up are no evidence",
    "the limit that failed is not remembered",
    "the next move does not wait for the last one",
    "the fraction of a place is lost",
    "what hangs from before takes up places",
    "no verifying after the ramp",
    "no Retry-After",
    "no feedback: the schedule alone"
};


/* Whose tick it is. */

static sim_ablation_t  *current;


static int
without(sim_without_t what)
{
    return current != NULL && current->without == what;
}


const rcv_policy_t *
sim_ablation_begin(sim_ablation_t *ablation, sim_without_t what,
    const rcv_policy_t *policy)
{
    rcv_policy_t  *changed;

    ablation->without = what;
    ablation->policy = *policy;

    changed = &ablation->policy;

    switch (what) {

    case SIM_WITHOUT_CLASSES:
        changed->nclasses = 1;
        changed->default_class = 0;
        changed->classes[0].share_ppm = RCV_PPM;
        break;

    case SIM_WITHOUT_SCHEDULE:
        changed->ramp.kind = RCV_RAMP_DOUBLE;
        changed->ramp.from_ppm = 100 * RCV_PPM;
        break;

    case SIM_WITHOUT_VERIFYING:
        changed->ramp.verify_ms = 0;
        break;

    case SIM_WITHOUT_FEEDBACK:
        changed->feedback = 0;
        break;

    default:
        return policy;
    }

    return changed;
}


void
sim_ablation_tick(sim_ablation_t *ablation, rcv_state_t *state)
{
    current = ablation;

    if (without(SIM_WITHOUT_MEMORY)) {
        state->control.failed_milli = 0;
    }
}


void
sim_ablation_ticked(sim_ablation_t *ablation, rcv_state_t *state)
{
    if (state->phase == RCV_PHASE_UP && state->control.base_us != 0) {
        ablation->base_us = state->control.base_us;
    }

    if (without(SIM_WITHOUT_WAIT)) {
        state->control.wait_ms = 0;
    }

    if (without(SIM_WITHOUT_CARRY)) {
        state->control.carry_milli = 0;
    }

    if (without(SIM_WITHOUT_STUCK)) {
        state->control.stuck = 0;
    }

    current = NULL;
}


/*
 * What the linker puts in the place of the core's functions.  Each pair has
 * the type of the real one, so that a change there does not pass unnoticed.
 */

__typeof__(rcv_brake)             __real_rcv_brake, __wrap_rcv_brake;
__typeof__(rcv_control_start)     __real_rcv_control_start,
                                  __wrap_rcv_control_start;
__typeof__(rcv_control_tick)      __real_rcv_control_tick,
                                  __wrap_rcv_control_tick;
__typeof__(rcv_phase_next)        __real_rcv_phase_next,
                                  __wrap_rcv_phase_next;
__typeof__(rcv_round_add)         __real_rcv_round_add,
                                  __wrap_rcv_round_add;
__typeof__(rcv_trip)              __real_rcv_trip, __wrap_rcv_trip;
__typeof__(rcv_vegas)             __real_rcv_vegas, __wrap_rcv_vegas;
__typeof__(rcv_wave_limit_milli)  __real_rcv_wave_limit_milli,
                                  __wrap_rcv_wave_limit_milli;
__typeof__(rcv_wave_note)         __real_rcv_wave_note,
                                  __wrap_rcv_wave_note;


/* A cut that stays: what it fell to is where it goes on from. */

static void
ablation_not_undone(rcv_control_t *control, const rcv_control_t *before)
{
    control->limit_milli = before->limit_milli;
    control->background_ppm = before->background_ppm;
}


rcv_brake_t
__wrap_rcv_brake(rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    rcv_brake_t    brake;
    rcv_control_t  before;

    if (without(SIM_WITHOUT_BRAKE) || without(SIM_WITHOUT_CUTS)) {
        return RCV_BRAKE_NONE;
    }

    before = *control;

    if (without(SIM_WITHOUT_EXEMPT) && control->mode == RCV_MODE_SLOW_START) {
        control->mode = RCV_MODE_STEER;
    }

    brake = __real_rcv_brake(control, round, policy, facts);

    if (without(SIM_WITHOUT_EXEMPT) && brake == RCV_BRAKE_NONE) {
        control->mode = before.mode;
    }

    if (without(SIM_WITHOUT_UNDO) && brake == RCV_BRAKE_UNDONE) {
        ablation_not_undone(control, &before);
    }

    if (without(SIM_WITHOUT_BACKGROUND)) {
        control->background_ppm = 0;
    }

    return brake;
}


void
__wrap_rcv_control_start(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t from_ppm)
{
    __real_rcv_control_start(control, policy, facts, from_ppm);

    if (without(SIM_WITHOUT_NEW_BASE)) {
        control->base_us = current->base_us;
        control->latency_us = current->base_us;
    }

    if (without(SIM_WITHOUT_SLOW_START)) {
        control->mode = RCV_MODE_STEER;

        if (facts->healthy_in_flight != 0) {
            control->limit_milli = facts->healthy_in_flight * RCV_MILLI;
            control->in_flight_limit = facts->healthy_in_flight;
        }
    }
}


rcv_verdict_t
__wrap_rcv_control_tick(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts,
    const rcv_window_t *window)
{
    rcv_verdict_t  verdict;

    verdict = __real_rcv_control_tick(control, round, policy, facts, window);

    if (without(SIM_WITHOUT_RELAPSE) && verdict == RCV_VERDICT_RELAPSE) {
        return RCV_VERDICT_ERRORS;
    }

    return verdict;
}


rcv_phase_t
__wrap_rcv_phase_next(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    rcv_phase_facts_t  changed;

    changed = *facts;

    if (without(SIM_WITHOUT_DOWN)) {
        changed.dead = 0;
        changed.relapse = 0;

        if (facts->health == RCV_HEALTH_DOWN) {
            changed.health = RCV_HEALTH_UP;
        }
    }

    if (without(SIM_WITHOUT_PROBES)) {
        changed.probes_ok = 1;
    }

    return __real_rcv_phase_next(&changed, why);
}


void
__wrap_rcv_round_add(rcv_round_t *round, const rcv_control_t *control,
    const rcv_window_t *window)
{
    rcv_window_t  changed;

    changed = *window;

    if (without(SIM_WITHOUT_GONE)) {
        changed.gone = 0;
    }

    __real_rcv_round_add(round, control, &changed);
}


int
__wrap_rcv_trip(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    return !without(SIM_WITHOUT_TRIP)
           && __real_rcv_trip(control, round, facts, window);
}


static void
ablation_vegas(rcv_control_t *control)
{
    if (without(SIM_WITHOUT_DIP)) {
        control->dip_from_milli = 0;
        control->dip_low = 0;
    }
}


int
__wrap_rcv_vegas(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    int            rc;
    rcv_control_t  before;

    ablation_vegas(control);
    before = *control;

    rc = __real_rcv_vegas(control, round, policy, facts);

    if (without(SIM_WITHOUT_ENGAGE) && before.mode == RCV_MODE_WIDE) {
        control->mode = RCV_MODE_WIDE;
        control->limit_milli = before.limit_milli;
    }

    if ((without(SIM_WITHOUT_LATENCY) || without(SIM_WITHOUT_CUTS))
        && control->limit_milli < before.limit_milli)
    {
        control->limit_milli = before.limit_milli;
    }

    return rc;
}


uint64_t
__wrap_rcv_wave_limit_milli(const rcv_control_t *control, uint64_t now_ms,
    uint64_t dt_ms)
{
    if (without(SIM_WITHOUT_IN_FLIGHT)) {
        return RCV_LIMIT_MAX_MILLI;
    }

    if (without(SIM_WITHOUT_WAVE)) {
        return control->limit_milli;
    }

    return __real_rcv_wave_limit_milli(control, now_ms, dt_ms);
}


void
__wrap_rcv_wave_note(const rcv_control_t *control, rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    if (!without(SIM_WITHOUT_WAVE)) {
        __real_rcv_wave_note(control, round, facts, window);
    }
}
