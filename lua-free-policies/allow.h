
/*
 * Phase, force and limits -> what may reach the backend now.  Of the rates
 * that apply the lowest wins and gives the reason.
 */

#ifndef RCV_ALLOW_H_INCLUDED_
#define RCV_ALLOW_H_INCLUDED_


#include "gate.h"
#include "state.h"


/*
 * Reads state->phase, force, health, control, reference and class_max;
 * limits->quota_milli holds in every phase and under every force.
 */
void rcv_allow(const rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_limits_t *limits, rcv_allowance_t *allowance);

/*
 * What binds beside the schedule: quota, ceiling, degraded health, a forced
 * level; RCV_UNLIMITED: nothing.
 */
uint64_t rcv_allow_ceiling_milli(const rcv_state_t *state,
    const rcv_limits_t *limits);

/* The floor of down and probing; quota aside. */
uint64_t rcv_allow_floor_milli(const rcv_state_t *state,
    const rcv_policy_t *policy);

/* The source's ceiling as a rate; RCV_UNLIMITED: there is none. */
uint64_t rcv_allow_signal_ceiling_milli(const rcv_state_t *state);

/* How far health lets the level go: RCV_PPM unless degraded. */
uint32_t rcv_allow_health_ppm(const rcv_state_t *state);

/* The in-flight guard of full service. */
uint32_t rcv_allow_guard(const rcv_state_t *state);

/* Is nothing let in, by order? */
int rcv_allow_shut(const rcv_state_t *state);


#endif /* RCV_ALLOW_H_INCLUDED_ */
