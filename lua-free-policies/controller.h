
/*
 * Evidence of one tick -> how far the ramp may be, and how many may be in
 * flight.
 *
 * Two things in a row.  The schedule is a ceiling: its clock runs only in
 * ticks that delivered work with few errors ("no evidence, no increase").
 * What steers is the number in flight (law.h); with "feedback off" it
 * follows the schedule.
 */

#ifndef RCV_CONTROLLER_H_INCLUDED_
#define RCV_CONTROLLER_H_INCLUDED_


#include "state.h"
#include "window.h"


/* A ramp begins with so many in flight where nothing is known. */
#define RCV_RAMP_IN_FLIGHT_MIN  10


typedef struct {
    unsigned             hold;          /* stale signal, or an operator */
    uint32_t             healthy_in_flight;     /* 0: unknown */
    uint32_t             ceiling_ppm;   /* the level stops here */
    uint64_t             now_ms;        /* for the wave, which is periodic */
    unsigned             full;          /* service: no ramp */
    unsigned             verified;      /* ... and the limit may go unused */
    uint32_t             guard;         /* in flight, in full service */
} rcv_control_facts_t;


typedef enum {
    RCV_VERDICT_HOLD = 0,               /* no evidence, or held */
    RCV_VERDICT_ERRORS,                 /* held for errors */
    RCV_VERDICT_RISE,
    RCV_VERDICT_RELAPSE,                /* mostly errors: not back at all */
    RCV_VERDICT_DEAD                    /* nothing but errors, or silence */
} rcv_verdict_t;


/* At the beginning of a ramp; from_ppm > 0 starts higher on the schedule. */
void rcv_control_start(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t from_ppm);

/*
 * A ramp that a restart interrupted: at facts->ceiling_ppm, which is the
 * level that it had reached, and with no more in flight than before.
 */
void rcv_control_resume(rcv_control_t *control, const rcv_policy_t *policy,
    const rcv_control_facts_t *facts, uint32_t limit_milli);

/* Full service with a limit that steers, as before a restart. */
void rcv_control_limit(rcv_control_t *control, uint32_t limit_milli);

/* One tick of a ramp or of full service; pure. */
rcv_verdict_t rcv_control_tick(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts,
    const rcv_window_t *window);

/*
 * Another phase begins: what is known of the backend goes with it, what was
 * known of its load does not.  in_flight: of the phase before.
 */
void rcv_control_leave(rcv_control_t *control, rcv_phase_t from,
    rcv_phase_t to, uint32_t in_flight);

/*
 * Permits that hung from before are not the floor's.  One tick of down or
 * probing.
 */
void rcv_control_floor(rcv_control_t *control, rcv_round_t *round,
    const rcv_window_t *window);


#endif /* RCV_CONTROLLER_H_INCLUDED_ */
