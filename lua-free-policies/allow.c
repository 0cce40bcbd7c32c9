
#include "allow.h"
#include "tick.h"


#define RCV_BURST_MS           200
#define RCV_BURST_PER_CLASS    2        /* requests, at least */
#define RCV_GUARD_HEALTHY      8        /* times the healthy number */


static void
allow_lower(rcv_allowance_t *allowance, uint64_t rate_milli,
    rcv_reason_t reason)
{
    if (rate_milli < allowance->rate_milli) {
        allowance->rate_milli = rate_milli;
        allowance->word.reason = reason;
    }
}


static void
allow_close(rcv_allowance_t *allowance, rcv_reason_t reason)
{
    allowance->word.mode = RCV_GATE_CLOSED;
    allowance->word.reason = reason;
    allowance->word.in_flight_limit = 0;
    allowance->rate_milli = 0;
}


/* A share of the reference; without one there is no rate to speak of. */

static uint64_t
allow_share_milli(const rcv_state_t *state, uint64_t share_ppm)
{
    if (state->reference_milli == 0) {
        return RCV_UNLIMITED;
    }

    return rcv_min(rcv_mul_div(state->reference_milli, share_ppm, RCV_PPM),
                   RCV_RATE_MAX_MILLI);
}


uint64_t
rcv_allow_signal_ceiling_milli(const rcv_state_t *state)
{
    switch (state->signal.ceiling_kind) {

    case RCV_CEILING_RATE:
        return state->signal.ceiling;

    case RCV_CEILING_LEVEL:
        return allow_share_milli(state, state->signal.ceiling);

    default:
        return RCV_UNLIMITED;
    }
}


/* Wide: it is there for the backend that stops answering at all. */

uint32_t
rcv_allow_guard(const rcv_state_t *state)
{
    uint64_t  guard;

    guard = rcv_max((uint64_t) state->healthy_in_flight * RCV_GUARD_HEALTHY,
                    RCV_GUARD_MIN);

    return (uint32_t) rcv_min(guard, RCV_IN_FLIGHT_MAX);
}


/*
 * The in-flight limit that stands in for a share of the reference: where
 * that is unknown, nothing else makes the share felt.
 */

static uint32_t
allow_share_in_flight(const rcv_state_t *state, uint32_t share_ppm,
    unsigned healthy_only)
{
    uint64_t  whole, limit;

    whole = state->healthy_in_flight;

    if (state->reference_milli != 0 || (whole == 0 && healthy_only)) {
        return rcv_allow_guard(state);
    }

    if (whole == 0) {
        whole = rcv_allow_guard(state);
    }

    limit = rcv_mul_div(whole, share_ppm, RCV_PPM);

    return (uint32_t) rcv_max(limit, RCV_PROBE_IN_FLIGHT);
}


uint64_t
rcv_allow_floor_milli(const rcv_state_t *state, const rcv_policy_t *policy)
{
    uint64_t  share_milli;

    share_milli = 0;

    if (state->reference_milli != 0) {
        share_milli = allow_share_milli(state, policy->probe_ppm);
    }

    return rcv_max(share_milli, RCV_PROBE_RATE_MILLI);
}


uint32_t
rcv_allow_health_ppm(const rcv_state_t *state)
{
    if (state->health != RCV_HEALTH_DEGRADED) {
        return RCV_PPM;
    }

    if (state->health_from == RCV_FROM_ORDER) {
        return (uint32_t) state->override.health_milli * (RCV_PPM / RCV_MILLI);
    }

    return state->signal.health_ppm;
}


int
rcv_allow_shut(const rcv_state_t *state)
{
    return state->force == RCV_FORCE_CLOSED
           || (state->force == RCV_FORCE_LEVEL && state->forced_ppm == 0);
}


static void
allow_floor(const rcv_state_t *state, const rcv_policy_t *policy,
    rcv_reason_t reason, rcv_allowance_t *allowance)
{
    uint64_t  classes;

    allow_lower(allowance, rcv_allow_floor_milli(state, policy), reason);

    allowance->burst_milli = RCV_MILLI;
    allowance->word.in_flight_limit =
        (uint32_t) rcv_min((uint64_t) state->control.stuck
                           + RCV_PROBE_IN_FLIGHT, RCV_IN_FLIGHT_MAX);
    classes = rcv_max(state->override.classes, state->signal.classes);
    classes = rcv_max(classes, state->class_max + 1u);

    allowance->word.class_max = (unsigned) rcv_min(classes,
                                                   policy->nclasses) - 1;
}


static void
allow_down(const rcv_state_t *state, const rcv_policy_t *policy,
    rcv_allowance_t *allowance)
{
    rcv_reason_t  reason;

    reason = (state->lost && policy->lost_mode == RCV_LOST_SHED)
             ? RCV_REASON_SIGNAL_LOST : RCV_REASON_DOWN;

    if (state->dead) {
        /* nobody else would tell us that it is back */
        allow_floor(state, policy, reason, allowance);
        return;
    }

    switch (policy->down_mode) {

    case RCV_DOWN_PASS:
        break;

    case RCV_DOWN_PROBE:
        allow_floor(state, policy, reason, allowance);
        break;

    default: /* RCV_DOWN_SHED */
        allow_close(allowance, reason);
        break;
    }
}


/*
 * A ramp may begin below the floor that the probes have just been good for:
 * 2 % of two requests a second is one in 25 s, which would also be all the
 * evidence there is.
 */

static void
allow_ramping(const rcv_state_t *state, const rcv_policy_t *policy,
    rcv_allowance_t *allowance)
{
    uint64_t  rate_milli;

    rate_milli = allow_share_milli(state, state->control.level_ppm);
    rate_milli = rcv_max(rate_milli, rcv_allow_floor_milli(state, policy));

    allow_lower(allowance, rate_milli, RCV_REASON_RATE);

    allowance->word.in_flight_limit = state->control.in_flight_limit;
}


/* In full service the controller counts only once it has had to cut. */

static void
allow_steer(const rcv_state_t *state, rcv_allowance_t *allowance)
{
    if (state->control.mode != RCV_MODE_WIDE) {
        allowance->word.in_flight_limit =
            (uint32_t) rcv_min(allowance->word.in_flight_limit,
                               state->control.in_flight_limit);
    }
}


static void
allow_phase(const rcv_state_t *state, const rcv_policy_t *policy,
    rcv_allowance_t *allowance)
{
    uint32_t  health_ppm;

    health_ppm = rcv_allow_health_ppm(state);

    switch (state->phase) {

    case RCV_PHASE_DOWN:
        allow_down(state, policy, allowance);
        break;

    case RCV_PHASE_PROBING:
        allow_floor(state, policy, RCV_REASON_PROBING, allowance);
        break;

    case RCV_PHASE_RAMPING:
        allow_ramping(state, policy, allowance);
        break;

    case RCV_PHASE_DEGRADED:
        allowance->word.in_flight_limit =
            allow_share_in_flight(state, health_ppm, 1);
        allow_steer(state, allowance);
        break;

    default: /* RCV_PHASE_UP, RCV_PHASE_VERIFYING */

        if (state->healthy_in_flight == 0) {
            /* nobody knows yet what would be much */
            allowance->word.in_flight_limit = RCV_IN_FLIGHT_MAX;
        }

        allow_steer(state, allowance);
        break;
    }

    if (health_ppm < RCV_PPM) {
        allow_lower(allowance, allow_share_milli(state, health_ppm),
                    RCV_REASON_DEGRADED);
    }

    allow_lower(allowance, rcv_allow_signal_ceiling_milli(state),
                RCV_REASON_CEILING);
}


/* Returns 1 when a force decides, whatever the phase. */

static int
allow_forced(const rcv_state_t *state, rcv_allowance_t *allowance)
{
    if (rcv_allow_shut(state)) {
        allow_close(allowance, RCV_REASON_FORCED);
        return 1;
    }

    switch (state->force) {

    case RCV_FORCE_OPEN:
        allowance->word.in_flight_limit = RCV_IN_FLIGHT_MAX;
        return 1;

    case RCV_FORCE_LEVEL:
        allow_lower(allowance, allow_share_milli(state, state->forced_ppm),
                    RCV_REASON_FORCED);
        allowance->word.in_flight_limit =
            allow_share_in_flight(state, state->forced_ppm, 0);
        return 1;

    default:
        return 0;
    }
}


void
rcv_allow(const rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_limits_t *limits, rcv_allowance_t *allowance)
{
    uint64_t  burst_milli;

    allowance->word.mode = RCV_GATE_OPEN;
    allowance->word.phase = (rcv_phase_t) state->phase;
    allowance->word.reason = RCV_REASON_NONE;
    allowance->word.class_max = policy->nclasses - 1;
    allowance->word.epoch = state->epoch;
    allowance->word.in_flight_limit = rcv_allow_guard(state);
    allowance->rate_milli = RCV_UNLIMITED;
    allowance->burst_milli = 0;

    if (!allow_forced(state, allowance)) {
        allow_phase(state, policy, allowance);
    }

    allow_lower(allowance, limits->quota_milli, RCV_REASON_QUOTA);

    if (allowance->burst_milli == 0) {
        burst_milli = rcv_mul_div(rcv_min(allowance->rate_milli,
                                          RCV_RATE_MAX_MILLI),
                                  RCV_BURST_MS, 1000);
        allowance->burst_milli =
            rcv_max(burst_milli, (uint64_t) policy->nclasses
                                 * RCV_BURST_PER_CLASS * RCV_MILLI);
    }

    if (allowance->rate_milli == 0) {
        /* by the reason that made it nothing */
        allow_close(allowance, allowance->word.reason);

    } else if (allowance->rate_milli != RCV_UNLIMITED) {
        allowance->word.mode = RCV_GATE_LIMIT;
    }
}


uint64_t
rcv_allow_ceiling_milli(const rcv_state_t *state, const rcv_limits_t *limits)
{
    uint64_t  ceiling_milli;

    ceiling_milli = limits->quota_milli;

    if (state->force == RCV_FORCE_OPEN) {
        return ceiling_milli;
    }

    if (state->force == RCV_FORCE_LEVEL) {
        return rcv_min(ceiling_milli,
                       allow_share_milli(state, state->forced_ppm));
    }

    ceiling_milli = rcv_min(ceiling_milli,
                            rcv_allow_signal_ceiling_milli(state));

    if (state->health == RCV_HEALTH_DEGRADED) {
        ceiling_milli =
            rcv_min(ceiling_milli,
                    allow_share_milli(state, rcv_allow_health_ppm(state)));
    }

    return ceiling_milli;
}
