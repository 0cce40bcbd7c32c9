
#include "restore.h"
#include "allow.h"
#include "controller.h"
#include "reference.h"


/* The unit in which the end of a local order is kept. */
#define RESTORE_ORDER_STEP_MS  100

/* A reference that moved by less than a part of so many is the same one. */
#define RESTORE_DRIFT_PART  16

#define RESTORE_CEILING_MAX_PPM  (100ull * RCV_PPM)


rcv_restore_t
rcv_restore_judge(uint64_t written_ms, uint64_t unix_ms, uint64_t *age_ms)
{
    if (rcv_since(written_ms, unix_ms) > RCV_RESTORE_FUTURE_MS) {
        return RCV_RESTORE_FUTURE;
    }

    *age_ms = rcv_since(unix_ms, written_ms);

    return (*age_ms > RCV_RESTORE_OLD_MS) ? RCV_RESTORE_OLD
                                          : RCV_RESTORE_GOOD;
}


static void
restore_take_signal(rcv_snapshot_t *snapshot, const rcv_state_t *state,
    uint64_t now_ms)
{
    const rcv_signal_t  *signal;

    signal = &state->signal;

    snapshot->said = signal->health;
    snapshot->said_ppm = signal->health_ppm;
    snapshot->ceiling_kind = signal->ceiling_kind;
    snapshot->ceiling = signal->ceiling;
    snapshot->has_epoch = signal->has_epoch;
    snapshot->epoch = signal->epoch;

    snapshot->force = signal->force;
    snapshot->force_ppm = (signal->force == RCV_FORCE_LEVEL)
                          ? signal->force_ppm : 0;
    snapshot->force_ends = (signal->force_until_ms != 0);
    snapshot->force_left_ms = rcv_since(signal->force_until_ms, now_ms);

    snapshot->force_safety = signal->safety;
    snapshot->force_refused = signal->refused;

    snapshot->in_force = state->force;
    snapshot->in_force_ppm = state->forced_ppm;
    snapshot->in_force_ms = state->force_ms;
}


static void
restore_take_override(rcv_snapshot_t *snapshot,
    const rcv_override_t *override, uint64_t now_ms)
{
    snapshot->order_force = override->force;
    snapshot->order_force_ppm = override->force_ppm;
    snapshot->order_resume = ((override->flags & RCV_OVERRIDE_RESUME) != 0);
    snapshot->order_force_left_ms =
        rcv_override_left_ms(override->force_until_ds, now_ms);

    snapshot->order_health = override->health;
    snapshot->order_health_milli = override->health_milli;
    snapshot->order_health_left_ms =
        rcv_override_left_ms(override->health_until_ds, now_ms);

    snapshot->order_classes = override->classes;
    snapshot->order_class_left_ms =
        rcv_override_left_ms(override->class_until_ds, now_ms);
}


void
rcv_restore_take(rcv_snapshot_t *snapshot, const rcv_state_t *state,
    uint64_t now_ms)
{
    const rcv_control_t  *control;

    control = &state->control;

    snapshot->phase = state->phase;
    snapshot->health = state->health;
    snapshot->lost = state->lost;
    snapshot->dead = state->dead;
    snapshot->verified_ms = state->verified_ms;
    snapshot->level_ppm = control->level_ppm;

    restore_take_signal(snapshot, state, now_ms);
    restore_take_override(snapshot, &state->override, now_ms);

    snapshot->mean_micro = state->mean_micro;
    snapshot->learned_milli = state->learned_milli;
    snapshot->learned_ms = state->learned_ms;
    snapshot->learned_requests = state->learned_requests;
    snapshot->healthy_milli = state->healthy_milli;

    snapshot->mode = control->mode;
    snapshot->limit_milli = control->limit_milli;
    snapshot->base_us = control->base_us;
    snapshot->background_ppm = control->background_ppm;
    snapshot->failed_milli = control->failed_milli;

    snapshot->cohort_salt = state->cohort.salt;
    snapshot->cohort_cut = state->cohort.cut;
    snapshot->cohort_marginal = state->cohort.marginal;
}


/*
 * What a source has ordered holds until it takes it back, or until its end,
 * which did not wait for us.
 */

static void
restore_orders(rcv_state_t *state, const rcv_snapshot_t *snapshot,
    uint64_t age_ms, uint64_t now_ms)
{
    uint64_t       left_ms;
    rcv_signal_t  *signal;

    signal = &state->signal;

    signal->has_epoch = (uint8_t) snapshot->has_epoch;
    signal->epoch = snapshot->epoch;
    signal->ceiling_kind = (uint8_t) snapshot->ceiling_kind;
    signal->ceiling = snapshot->ceiling;

    if (signal->ceiling_kind == RCV_CEILING_LEVEL) {
        signal->ceiling = rcv_min(signal->ceiling, RESTORE_CEILING_MAX_PPM);
    }

    signal->force = (uint8_t) snapshot->force;
    signal->force_ppm = (uint32_t) snapshot->force_ppm;

    signal->safety = (uint8_t) snapshot->force_safety;
    signal->refused = (uint8_t) snapshot->force_refused;

    if (snapshot->force_ends) {
        left_ms = rcv_since(snapshot->force_left_ms, age_ms);
        signal->force_until_ms = rcv_max(rcv_add_sat(now_ms, left_ms), 1);

    } else if (snapshot->force == RCV_FORCE_OPEN
               || snapshot->force == RCV_FORCE_CLOSED)
    {
        /* none such has ever been accepted */
        signal->force = RCV_FORCE_NONE;
    }
}


/* Local orders need no source: all of them have an end. */

static void
restore_override(rcv_override_t *override, const rcv_snapshot_t *snapshot,
    uint64_t age_ms, uint64_t now_ms)
{
    override->force = (uint8_t) snapshot->order_force;
    override->force_ppm = (uint32_t) snapshot->order_force_ppm;
    override->flags = snapshot->order_resume ? RCV_OVERRIDE_RESUME : 0;
    override->force_until_ds =
        rcv_override_until_ds(now_ms, rcv_since(snapshot->order_force_left_ms,
                                                age_ms));

    override->health = (uint8_t) snapshot->order_health;
    override->health_milli = (uint16_t) snapshot->order_health_milli;
    override->health_until_ds =
        rcv_override_until_ds(now_ms,
                              rcv_since(snapshot->order_health_left_ms,
                                        age_ms));

    override->classes = (uint8_t) snapshot->order_classes;
    override->class_until_ds =
        rcv_override_until_ds(now_ms, rcv_since(snapshot->order_class_left_ms,
                                                age_ms));

    /* until_ds is rounded up, and none that has ended may begin again */

    rcv_override_expire(override, rcv_add_sat(now_ms, RESTORE_ORDER_STEP_MS));
}


/* "pass" let it in against what was said, and nobody has said more since. */

static void
restore_said(rcv_state_t *state, const rcv_snapshot_t *snapshot)
{
    rcv_signal_t  *signal;

    signal = &state->signal;

    signal->health = (uint8_t) snapshot->said;
    signal->health_ppm = (uint32_t) snapshot->said_ppm;

    if (snapshot->lost && snapshot->health == RCV_HEALTH_UP) {
        signal->health = RCV_HEALTH_UP;
        signal->health_ppm = RCV_PPM;
    }

    state->said = signal->health;
    state->health = (uint8_t) snapshot->health;
}


static void
restore_references(rcv_state_t *state, const rcv_snapshot_t *snapshot,
    const rcv_limits_t *limits)
{
    state->mean_micro = snapshot->mean_micro;
    state->learned_milli = snapshot->learned_milli;
    state->learned_ms = (uint32_t) snapshot->learned_ms;
    state->learned_requests = (uint32_t) snapshot->learned_requests;
    state->healthy_milli = (uint32_t) snapshot->healthy_milli;

    rcv_reference_apply(state, limits);
}


/* The phase in which it goes on; see the table in restore.h. */

static rcv_phase_t
restore_phase(const rcv_snapshot_t *snapshot, const rcv_limits_t *limits,
    unsigned told, uint64_t age_ms)
{
    if (age_ms > RCV_RESTORE_OLD_MS) {

        if (snapshot->phase == RCV_PHASE_UP
            || limits->initial == RCV_PHASE_DOWN)
        {
            return limits->initial;
        }

        return RCV_PHASE_PROBING;
    }

    switch (snapshot->phase) {

    case RCV_PHASE_DOWN:
        /* nobody is left to say that it is back */
        return (told || snapshot->dead || limits->initial == RCV_PHASE_DOWN)
               ? RCV_PHASE_DOWN : RCV_PHASE_PROBING;

    case RCV_PHASE_DEGRADED:
        return told ? RCV_PHASE_DEGRADED : RCV_PHASE_PROBING;

    case RCV_PHASE_RAMPING:
        return (age_ms <= RCV_RESTORE_RESUME_MS) ? RCV_PHASE_RAMPING
                                                 : RCV_PHASE_PROBING;

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
        /* the ceiling that held it down goes with the source */
        return (!told && snapshot->ceiling_kind != RCV_CEILING_NONE)
               ? RCV_PHASE_PROBING : (rcv_phase_t) snapshot->phase;

    default:
        return (rcv_phase_t) snapshot->phase;
    }
}


static void
restore_control(rcv_state_t *state, const rcv_snapshot_t *snapshot,
    const rcv_policy_t *policy, uint64_t now_ms)
{
    rcv_control_t        *control;
    rcv_control_facts_t   facts;

    control = &state->control;

    control->failed_milli = (uint32_t) snapshot->failed_milli;

    switch (state->phase) {

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
    case RCV_PHASE_DEGRADED:
        control->level_ppm = (state->phase == RCV_PHASE_DEGRADED)
                             ? rcv_allow_health_ppm(state) : RCV_PPM;
        control->base_us = (uint32_t) snapshot->base_us;
        control->latency_us = control->base_us;
        control->background_ppm = (uint32_t) snapshot->background_ppm;

        if (snapshot->mode != RCV_MODE_WIDE) {
            rcv_control_limit(control, (uint32_t) snapshot->limit_milli);
        }

        break;

    case RCV_PHASE_RAMPING:
        facts = (rcv_control_facts_t) { 0 };
        facts.hold = 1;
        facts.now_ms = now_ms;
        facts.ceiling_ppm = (uint32_t) snapshot->level_ppm;
        facts.healthy_in_flight = state->healthy_in_flight;
        facts.guard = rcv_allow_guard(state);

        rcv_control_resume(control, policy, &facts,
                           (uint32_t) snapshot->limit_milli);
        break;

    default:
        control->level_ppm = 0;
        break;
    }
}


void
rcv_restore_apply(rcv_state_t *state, const rcv_snapshot_t *snapshot,
    const rcv_policy_t *policy, const rcv_limits_t *limits, unsigned told,
    uint64_t age_ms, uint64_t now_ms)
{
    unsigned  old;

    old = (age_ms > RCV_RESTORE_OLD_MS);

    restore_references(state, snapshot, limits);

    if (told) {
        restore_orders(state, snapshot, age_ms, now_ms);

        if (!old) {
            restore_said(state, snapshot);
        }
    }

    restore_override(&state->override, snapshot, age_ms, now_ms);

    /* one that has ended meanwhile ends in the first tick, into the ramp */

    state->force = (uint8_t) snapshot->in_force;
    state->forced_ppm = (uint32_t) snapshot->in_force_ppm;
    state->force_ms = (uint32_t) snapshot->in_force_ms;

    state->phase = (uint8_t) restore_phase(snapshot, limits, told, age_ms);

    if (old && state->phase == limits->initial) {
        return;
    }

    state->why = RCV_WHY_RESTORED;
    state->dead = (state->phase == RCV_PHASE_DOWN && snapshot->dead && !old);
    state->verified_ms = (state->phase == RCV_PHASE_VERIFYING)
                         ? (uint32_t) snapshot->verified_ms : 0;

    restore_control(state, snapshot, policy, now_ms);

    if (!old) {
        /* who was let in goes on with what he was doing */
        state->cohort.salt = (uint32_t) snapshot->cohort_salt;
        state->cohort.cut = (uint16_t) snapshot->cohort_cut;
        state->cohort.marginal = (uint8_t) snapshot->cohort_marginal;
    }
}


static uint32_t
restore_words(const rcv_state_t *state)
{
    uint64_t               values;
    const rcv_signal_t    *signal;
    const rcv_override_t  *override;

    signal = &state->signal;
    override = &state->override;

    values = (uint64_t) state->forced_ppm ^ signal->health_ppm
             ^ signal->ceiling ^ signal->force_until_ms
             ^ (uint64_t) signal->refused << 60
             ^ (uint64_t) override->force << 40
             ^ (uint64_t) override->health << 44
             ^ (uint64_t) override->classes << 48
             ^ (uint64_t) override->flags << 52
             ^ override->force_until_ds ^ override->force_ppm
             ^ (uint64_t) override->health_until_ds << 8
             ^ (uint64_t) override->class_until_ds << 16;

    return (uint32_t) state->phase
           | (uint32_t) state->health << 3
           | (uint32_t) signal->health << 6
           | (uint32_t) state->force << 9
           | (uint32_t) signal->force << 12
           | (uint32_t) signal->ceiling_kind << 15
           | (uint32_t) (state->dead != 0) << 17
           | (uint32_t) (state->lost != 0) << 18
           | (uint32_t) (values % 4093) << 19;
}


static int
restore_moved(uint64_t now, uint64_t then)
{
    return rcv_max(now, then) - rcv_min(now, then)
           > then / RESTORE_DRIFT_PART;
}


void
rcv_restore_mark(rcv_restore_mark_t *mark, const rcv_state_t *state)
{
    mark->learned_milli = state->learned_milli;
    mark->healthy_milli = state->healthy_milli;
    mark->level_ppm = state->control.level_ppm;
    mark->limit_milli = state->control.limit_milli;
    mark->words = restore_words(state);
}


rcv_due_t
rcv_restore_due(const rcv_restore_mark_t *mark, const rcv_state_t *state)
{
    unsigned              steered;
    const rcv_control_t  *control;

    control = &state->control;
    steered = (control->mode != RCV_MODE_WIDE);

    if (mark->words != restore_words(state)
        || control->level_ppm < mark->level_ppm
        || (steered && control->limit_milli < mark->limit_milli
            && restore_moved(control->limit_milli, mark->limit_milli)))
    {
        return RCV_DUE_SOON;
    }

    if (control->level_ppm != mark->level_ppm
        || (steered && restore_moved(control->limit_milli, mark->limit_milli))
        || restore_moved(state->learned_milli, mark->learned_milli)
        || restore_moved(state->healthy_milli, mark->healthy_milli))
    {
        return RCV_DUE_LATER;
    }

    return RCV_DUE_NONE;
}
