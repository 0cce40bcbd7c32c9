
/*
 * What came of it, for people.
 */

#ifndef SIM_REPORT_H_INCLUDED_
#define SIM_REPORT_H_INCLUDED_


#include <stdio.h>

#include "batch.h"


/* A line for each scenario. */
void sim_report(const sim_batch_t *batch, FILE *file);

/* A line for each scenario, a column for each law: goodput and critical. */
void sim_report_laws(const sim_batch_t *batches, unsigned n, FILE *file);

/* A line for each law, over all scenarios. */
void sim_report_sums(const sim_batch_t *batches, unsigned n, FILE *file);

/* The time series; 0, or -1 with errno. */
int sim_csv(const sim_batch_t *batch, const char *path);

/* The first seed of each scenario as a plot; 0, or -1 with errno. */
int sim_svg(const sim_batch_t *batch, const char *path);


#endif /* SIM_REPORT_H_INCLUDED_ */
