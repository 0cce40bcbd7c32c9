
/*
 * The product's law with one ingredient left out, from outside: the core
 * knows nothing of it.
 *
 * The linker puts our functions in the place of some of the core's (--wrap,
 * see the Makefile), for calls from one of its files to another.  They go on
 * to the real one, but for what is left out.  Which that is holds for one
 * gateway and while it ticks.
 */

#ifndef SIM_ABLATION_H_INCLUDED_
#define SIM_ABLATION_H_INCLUDED_


#include "state.h"
#include "policy.h"


typedef enum {
    SIM_WITHOUT_NOTHING = 0,
    SIM_WITHOUT_IN_FLIGHT,
    SIM_WITHOUT_NEW_BASE,
    SIM_WITHOUT_DOWN,
    SIM_WITHOUT_CLASSES,
    SIM_WITHOUT_CUTS,
    SIM_WITHOUT_BRAKE,
    SIM_WITHOUT_UNDO,
    SIM_WITHOUT_BACKGROUND,
    SIM_WITHOUT_LATENCY,
    SIM_WITHOUT_DIP,
    SIM_WITHOUT_WAVE,
    SIM_WITHOUT_SLOW_START,
    SIM_WITHOUT_SCHEDULE,
    SIM_WITHOUT_TRIP,
    SIM_WITHOUT_PROBES,
    SIM_WITHOUT_RELAPSE,
    SIM_WITHOUT_ENGAGE,
    SIM_WITHOUT_EXEMPT,
    SIM_WITHOUT_GONE,
    SIM_WITHOUT_MEMORY,
    SIM_WITHOUT_WAIT,
    SIM_WITHOUT_CARRY,
    SIM_WITHOUT_STUCK,
    SIM_WITHOUT_VERIFYING,
    SIM_WITHOUT_RETRY_AFTER,
    SIM_WITHOUT_FEEDBACK,
    SIM_WITHOUTS
} sim_without_t;


/* What a gateway keeps for it. */

typedef struct {
    sim_without_t        without;
    uint32_t             base_us;       /* learned before the outage */
    rcv_policy_t         policy;        /* changed */
} sim_ablation_t;


extern const char *const  sim_without_names[SIM_WITHOUTS];
extern const char *const  sim_without_whats[SIM_WITHOUTS];


/* The policy to go by: the same one, or a changed copy. */
const rcv_policy_t *sim_ablation_begin(sim_ablation_t *ablation,
    sim_without_t without, const rcv_policy_t *policy);

/* Around each tick. */
void sim_ablation_tick(sim_ablation_t *ablation, rcv_state_t *state);
void sim_ablation_ticked(sim_ablation_t *ablation, rcv_state_t *state);


#endif /* SIM_ABLATION_H_INCLUDED_ */
