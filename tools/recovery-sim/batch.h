
/*
 * Many runs at a time: every scenario with every seed, each beside its
 * omniscient run, on as many processors as there are.  What they bring does
 * not depend on how many that is.
 */

#ifndef SIM_BATCH_H_INCLUDED_
#define SIM_BATCH_H_INCLUDED_


#include "score.h"


typedef struct {
    sim_run_t            run;
    sim_run_t            oracle;
    sim_score_t          score;
} sim_case_t;


typedef struct sim_batch_s {
    const rcv_policy_t  *policy;
    const sim_law_t     *law;
    unsigned             first;         /* scenarios */
    unsigned             nscenarios;
    unsigned             seed;          /* the first */
    unsigned             nseeds;
    unsigned             jobs;

    /* one with the same scenarios and seeds, for its omniscient runs */
    const struct sim_batch_s  *beside;

    sim_case_t          *cases;         /* scenario by scenario */
    size_t               size;
} sim_batch_t;


/* 0, or -1 with a message on stderr. */
int sim_batch_run(sim_batch_t *batch);
void sim_batch_done(sim_batch_t *batch);

const sim_case_t *sim_batch_case(const sim_batch_t *batch, unsigned scenario,
    unsigned seed);

/* Over all seeds of a scenario. */
void sim_batch_sum(const sim_batch_t *batch, unsigned scenario,
    sim_score_t *median, sim_score_t *worst);


#endif /* SIM_BATCH_H_INCLUDED_ */
