
#include "phase.h"


static rcv_why_t
phase_health_why(const rcv_phase_facts_t *facts)
{
    if (facts->lost) {
        return RCV_WHY_SIGNAL_LOST;
    }

    if (facts->back) {
        return RCV_WHY_SIGNAL_BACK;
    }

    switch (facts->health) {

    case RCV_HEALTH_DOWN:
        return RCV_WHY_HEALTH_DOWN;

    case RCV_HEALTH_DEGRADED:
        return RCV_WHY_HEALTH_DEGRADED;

    case RCV_HEALTH_RECOVERING:
        return RCV_WHY_HEALTH_RECOVERING;

    default:
        return RCV_WHY_HEALTH_UP;
    }
}


/* In full service: up or verifying. */

static rcv_phase_t
phase_next_full(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    if (facts->dead) {
        *why = RCV_WHY_DEAD;
        return RCV_PHASE_DOWN;
    }

    if (facts->health == RCV_HEALTH_DEGRADED) {
        *why = phase_health_why(facts);
        return RCV_PHASE_DEGRADED;
    }

    if (facts->recovering) {
        *why = phase_health_why(facts);
        return RCV_PHASE_PROBING;
    }

    if (facts->phase == RCV_PHASE_VERIFYING && facts->verified) {
        *why = RCV_WHY_VERIFIED;
        return RCV_PHASE_UP;
    }

    return facts->phase;
}


static rcv_phase_t
phase_next_degraded(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    if (facts->dead) {
        *why = RCV_WHY_DEAD;
        return RCV_PHASE_DOWN;
    }

    if (facts->health == RCV_HEALTH_UP
        || facts->health == RCV_HEALTH_RECOVERING
        || facts->less_degraded)
    {
        *why = phase_health_why(facts);
        return RCV_PHASE_RAMPING;
    }

    return RCV_PHASE_DEGRADED;
}


static rcv_phase_t
phase_next_down(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    if (facts->found_dead && !facts->recovering) {

        if (facts->alive) {
            *why = RCV_WHY_ALIVE;
            return RCV_PHASE_PROBING;
        }

        return RCV_PHASE_DOWN;
    }

    if (facts->health == RCV_HEALTH_NONE || facts->unheard) {
        return RCV_PHASE_DOWN;
    }

    *why = phase_health_why(facts);

    return RCV_PHASE_PROBING;
}


static rcv_phase_t
phase_next_ramping(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    if (facts->relapse) {
        *why = RCV_WHY_RELAPSE;
        return RCV_PHASE_PROBING;
    }

    if (facts->ramp_done) {
        *why = RCV_WHY_RAMP_DONE;
        return (facts->health == RCV_HEALTH_DEGRADED) ? RCV_PHASE_DEGRADED
                                                      : RCV_PHASE_VERIFYING;
    }

    return RCV_PHASE_RAMPING;
}


rcv_phase_t
rcv_phase_next(const rcv_phase_facts_t *facts, rcv_why_t *why)
{
    if (facts->health == RCV_HEALTH_DOWN) {

        if (facts->phase != RCV_PHASE_DOWN) {
            *why = phase_health_why(facts);
        }

        return RCV_PHASE_DOWN;
    }

    switch (facts->phase) {

    case RCV_PHASE_DEGRADED:
        return phase_next_degraded(facts, why);

    case RCV_PHASE_DOWN:
        return phase_next_down(facts, why);

    case RCV_PHASE_PROBING:

        if (facts->probes_ok) {
            *why = RCV_WHY_PROBES_OK;
            return RCV_PHASE_RAMPING;
        }

        return RCV_PHASE_PROBING;

    case RCV_PHASE_RAMPING:
        return phase_next_ramping(facts, why);

    default:
        return phase_next_full(facts, why);
    }
}
