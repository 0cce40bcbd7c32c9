
/*
 * An attempt on its way: through the law, to the backend, and back to the
 * operation that it belongs to.
 */

#ifndef SIM_ATTEMPT_H_INCLUDED_
#define SIM_ATTEMPT_H_INCLUDED_


#include "run.h"


void sim_clients_begin(sim_world_t *world);

sim_op_t *sim_op(sim_world_t *world, uint32_t i);
sim_attempt_t *sim_attempt(sim_world_t *world, uint32_t i);

uint32_t sim_attempt_new(sim_world_t *world);
void sim_attempt_unref(sim_world_t *world, uint32_t i);

/*
 * An operation of a log begins: as->id, user, traffic (a class of the
 * policy), again and request.
 */
void sim_op_play(sim_world_t *world, const sim_op_t *as);

/* Asks the law for an operation, and sends what it lets in. */
void sim_attempt_begin(sim_world_t *world, uint32_t op);

/* What becomes of an operation; it may be gone afterwards. */
void sim_op_served(sim_world_t *world, uint32_t i);
void sim_op_failed(sim_world_t *world, uint32_t i, double retry_after_s);
uint32_t sim_op_split(sim_world_t *world, uint32_t i, uint32_t passed);

/* The backend breaks: what it has is lost. */
void sim_attempts_lost(sim_world_t *world, sim_backend_mode_t mode);


#endif /* SIM_ATTEMPT_H_INCLUDED_ */
