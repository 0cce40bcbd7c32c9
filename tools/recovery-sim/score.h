
/*
 * What a run is worth, beside the omniscient run of the same seed.
 */

#ifndef SIM_SCORE_H_INCLUDED_
#define SIM_SCORE_H_INCLUDED_


#include "run.h"


typedef enum {
    SIM_FIGURE_GOODPUT = 0,             /* operations served / oracle's */
    SIM_FIGURE_TO_95,                   /* s until 95 % of steady service */
    SIM_FIGURE_LAG,                     /* ... longer than the oracle */
    SIM_FIGURE_PEAK,                    /* offered / capacity just then */
    SIM_FIGURE_PEAK_FULL,               /* ... / capacity warm and whole */
    SIM_FIGURE_WASTED,                  /* share of the work, for nobody */
    SIM_FIGURE_DEAD,                    /* sent to the dead / nominal */
    SIM_FIGURE_SHED,                    /* share shed while all was well */
    SIM_FIGURE_CRITICAL,                /* share served, by class */
    SIM_FIGURE_HIGH,
    SIM_FIGURE_NORMAL,
    SIM_FIGURE_LOW,
    SIM_FIGURE_WHOLE,                   /* share in sessions all served */
    SIM_FIGURE_MISSED,                  /* critical: oracle's less ours */
    SIM_FIGURE_RELAPSES,
    SIM_FIGURE_COLLAPSED,               /* 1: did not come back */
    SIM_FIGURES
} sim_figure_t;


/* A time that was never reached. */
#define SIM_NEVER  1e9


typedef struct {
    double               value[SIM_FIGURES];
} sim_score_t;


extern const char *const  sim_figure_names[SIM_FIGURES];


void sim_score(const sim_run_t *run, const sim_run_t *oracle,
    sim_score_t *score);

/* Of each figure over n seeds the middle one, and the worst one. */
void sim_score_sum(const sim_score_t *scores, unsigned n, sim_score_t *median,
    sim_score_t *worst);

/* Is more of it better? */
int sim_figure_rises(sim_figure_t figure);


#endif /* SIM_SCORE_H_INCLUDED_ */
