
/*
 * One tick on its way through the core: tick.c has the order, force.c and
 * evidence.c the two longer stations.  Private to them.
 */

#ifndef RCV_TURN_H_INCLUDED_
#define RCV_TURN_H_INCLUDED_


#include "controller.h"
#include "tick.h"


typedef struct {
    rcv_state_t         *state;
    const rcv_policy_t  *policy;
    const rcv_limits_t  *limits;
    const rcv_window_t  *window;
    rcv_round_t         *round;
    rcv_tick_t          *out;

    uint64_t             now_ms;
    uint64_t             dt_ms;         /* of progress */

    rcv_effective_t      effective;
    unsigned             recovering;    /* said for the first time */
    unsigned             lost;          /* the signal, in this tick */
    unsigned             back;          /* it was lost until now */
    unsigned             unheard;       /* the source; not since the start */
    unsigned             entered;       /* the phase is new in this tick */

    rcv_control_facts_t  facts;
    rcv_verdict_t        verdict;
} rcv_turn_t;


/* An event with the phase as it is now; also sets state->why. */
void rcv_turn_event(rcv_turn_t *turn, rcv_phase_t from, rcv_why_t why);

/*
 * The only way into a phase: a new epoch, all its counters at zero.
 * from_ppm: where a ramp begins; 0: where its schedule does.
 */
void rcv_turn_enter(rcv_turn_t *turn, rcv_phase_t to, rcv_why_t why,
    uint32_t from_ppm);

/* A ceiling that rose or ended: the way up from it is a ramp's. */
void rcv_turn_ceiling(rcv_turn_t *turn);

/* Which force is in force, and what its beginning and end bring about. */
void rcv_turn_force(rcv_turn_t *turn);

/* What the backend delivered since the last tick, and what that proves. */
void rcv_turn_evidence(rcv_turn_t *turn);


#endif /* RCV_TURN_H_INCLUDED_ */
