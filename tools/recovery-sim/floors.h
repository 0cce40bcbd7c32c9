
/*
 * Figures that a change must not make worse: a file with a line for each,
 *
 *     SCENARIO FIGURE median|worst RECORDED TARGET
 *
 * RECORDED is what was reached and fails when it is not reached any more,
 * TARGET is where it is to go.
 */

#ifndef SIM_FLOORS_H_INCLUDED_
#define SIM_FLOORS_H_INCLUDED_


#include "batch.h"


/* How many lines fail, with a message each; -1: bad file. */
int sim_floors_check(const sim_batch_t *batch, const char *path);

/* 0, or -1 with errno. */
int sim_floors_write(const sim_batch_t *batch, const char *path);


#endif /* SIM_FLOORS_H_INCLUDED_ */
