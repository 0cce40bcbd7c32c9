
/*
 * The law of the ramp: evidence of one tick -> how far the ramp may be.
 *
 * This is the seam for the feedback controller.  Behind it now is the plain
 * schedule with one brake: its clock runs only in ticks that delivered work
 * with few errors ("no evidence, no increase").
 */

#ifndef RCV_CONTROLLER_H_INCLUDED_
#define RCV_CONTROLLER_H_INCLUDED_


#include "state.h"
#include "window.h"


/* The in-flight limit of a ramp never goes below it. */
#define RCV_RAMP_IN_FLIGHT_MIN  10


typedef struct {
    unsigned             hold;          /* stale signal, or an operator */
    uint32_t             healthy_in_flight;     /* 0: unknown */
    uint32_t             ceiling_ppm;   /* the level stops here */
} rcv_control_facts_t;


typedef enum {
    RCV_VERDICT_HOLD = 0,               /* no evidence, or held */
    RCV_VERDICT_ERRORS,                 /* held for errors */
    RCV_VERDICT_RISE,
    RCV_VERDICT_RELAPSE                 /* mostly errors: not back at all */
} rcv_verdict_t;


/* At the beginning of a ramp; from_ppm > 0 starts higher on the schedule. */
void rcv_control_start(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t from_ppm);

/* One tick; pure. */
rcv_verdict_t rcv_control_tick(rcv_control_t *control,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts,
    const rcv_window_t *window);


#endif /* RCV_CONTROLLER_H_INCLUDED_ */
