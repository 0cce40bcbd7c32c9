
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score.h"


/* Steady service is what the oracle gives at the end. */
#define SCORE_STEADY_S    30
#define SCORE_REACHED     0.95

/* Service is meant over as many seconds as have so many requests. */
#define SCORE_REQUESTS    300
#define SCORE_MEAN_MIN_S  5
#define SCORE_MEAN_MAX_S  30

/* A relapse: from nearly the oracle's service to less than half of it. */
#define SCORE_WELL        0.8
#define SCORE_RELAPSED    0.5

/* A peak is looked for in as many requests, at least a second. */
#define SCORE_PEAK_REQUESTS  20

/* A share of nominal below which the oracle has nothing to give. */
#define SCORE_NOTHING     0.05

const char *const  sim_figure_names[SIM_FIGURES] = {
    "goodput", "to_95", "lag", "peak", "peak_full", "wasted", "dead", "shed",
    "critical", "high", "normal", "low", "whole", "missed", "relapses",
    "collapsed"
};


int
sim_figure_rises(sim_figure_t figure)
{
    return figure == SIM_FIGURE_GOODPUT
           || (figure >= SIM_FIGURE_CRITICAL && figure <= SIM_FIGURE_WHOLE);
}


static unsigned
score_from(const sim_run_t *run)
{
    return (unsigned) run->scenario->judge_s;
}


static double
score_good(const sim_run_t *run, unsigned from, unsigned n)
{
    double    sum;
    unsigned  i;

    sum = 0;

    for (i = from; i < from + n && i < run->nseconds; i++) {
        sum += run->seconds[i].good;
    }

    return sum;
}


static unsigned
score_mean_s(const sim_run_t *run)
{
    double  s;

    s = ceil(SCORE_REQUESTS / run->scenario->demand);

    return (unsigned) fmin(fmax(s, SCORE_MEAN_MIN_S), SCORE_MEAN_MAX_S);
}


/*
 * The first second from which on, for a while, there is 95 % of steady
 * service, or of what the oracle gives then, if its users want less.
 */

static double
score_to_95(const sim_run_t *run, const sim_run_t *oracle, unsigned from)
{
    double    steady, target;
    unsigned  i, n;

    n = score_mean_s(run);
    steady = score_good(oracle, oracle->nseconds - SCORE_STEADY_S,
                        SCORE_STEADY_S) / SCORE_STEADY_S * n;

    for (i = from; i + n <= run->nseconds; i++) {
        target = steady;

        if (run != oracle) {
            target = fmin(target, score_good(oracle, i, n));
        }

        if (score_good(run, i, n) >= SCORE_REACHED * target) {
            return i - score_from(run);
        }
    }

    return SIM_NEVER;
}


static void
score_times(const sim_run_t *run, const sim_run_t *oracle, sim_score_t *score)
{
    double  ours, best;

    best = score_to_95(oracle, oracle, score_from(run));
    ours = SIM_NEVER;

    if (best < SIM_NEVER) {
        ours = score_to_95(run, oracle, score_from(run) + (unsigned) best);
    }

    score->value[SIM_FIGURE_TO_95] = ours;
    score->value[SIM_FIGURE_LAG] = (ours < SIM_NEVER) ? ours - best
                                                      : SIM_NEVER;
}


/*
 * The most that the backend was offered, in terms of what it could do: in a
 * second, or where that is few, in the time of so many requests.  full: as
 * if it could do so much all the time; 0: what it could.
 */

static double
score_peak(const sim_run_t *run, double full)
{
    double    peak, passed, capacity;
    unsigned  i, k;

    peak = 0;

    for (i = score_from(run); i < run->nseconds; i++) {
        passed = 0;
        capacity = 0;

        for (k = i; k < run->nseconds && capacity < SCORE_PEAK_REQUESTS; k++) {
            passed += run->seconds[k].passed;
            capacity += (full > 0) ? full : run->seconds[k].capacity;
        }

        if (capacity >= SCORE_PEAK_REQUESTS) {
            peak = fmax(peak, passed / capacity);
        }
    }

    return peak;
}


static void
score_backend(const sim_run_t *run, sim_score_t *score)
{
    double               work, wasted, dead, dead_s;
    unsigned             i;
    const sim_second_t  *second;

    work = 0;
    wasted = 0;
    dead = 0;
    dead_s = 0;

    for (i = 0; i < run->nseconds; i++) {
        second = &run->seconds[i];

        if (second->dead) {
            dead += second->passed;
            dead_s++;
        }

        if (i >= score_from(run)) {
            work += second->work_s;
            wasted += second->wasted_s;
        }
    }

    score->value[SIM_FIGURE_PEAK] = score_peak(run, 0);
    score->value[SIM_FIGURE_PEAK_FULL] =
        score_peak(run, sim_scenario_capacity(run->scenario));
    score->value[SIM_FIGURE_WASTED] = (work > 0) ? wasted / work : 0;
    score->value[SIM_FIGURE_DEAD] = (dead_s > 0)
        ? dead / dead_s / run->scenario->demand : 0;
    score->value[SIM_FIGURE_SHED] = (run->calm_offered > 0)
        ? run->calm_shed / run->calm_offered : 0;
}


static void
score_relapses(const sim_run_t *run, const sim_run_t *oracle,
    sim_score_t *score)
{
    int       well;
    double    ours, best, least;
    unsigned  i, n, relapses;

    n = score_mean_s(run);
    least = SCORE_NOTHING * run->scenario->demand * n;
    well = 0;
    relapses = 0;
    ours = 0;
    best = 0;

    for (i = score_from(run); i + n <= run->nseconds; i++) {
        ours = score_good(run, i, n);
        best = score_good(oracle, i, n);

        if (best < least) {
            /* the backend is gone: what falls now is not the law's doing */
            well = 0;
            continue;
        }

        if (ours >= SCORE_WELL * best) {
            well = 1;

        } else if (well && ours < SCORE_RELAPSED * best) {
            well = 0;
            relapses++;
        }
    }

    ours = score_good(run, run->nseconds - SCORE_STEADY_S, SCORE_STEADY_S);
    best = score_good(oracle, run->nseconds - SCORE_STEADY_S,
                      SCORE_STEADY_S);

    score->value[SIM_FIGURE_RELAPSES] = relapses;
    score->value[SIM_FIGURE_COLLAPSED] = (ours < SCORE_RELAPSED * best);
}


static double
score_served(const sim_run_t *run, unsigned traffic)
{
    return (run->begun[traffic] > 0) ? run->served[traffic]
                                       / run->begun[traffic] : 1;
}


/* Of all operations begun, those of users who lost none of the class. */

static double
score_whole(const sim_run_t *run)
{
    double    begun;
    unsigned  i;

    begun = 0;

    for (i = 0; i < SIM_TRAFFIC; i++) {
        begun += run->begun[i];
    }

    return (begun > 0) ? run->whole / begun : 1;
}


void
sim_score(const sim_run_t *run, const sim_run_t *oracle, sim_score_t *score)
{
    unsigned  i;

    score->value[SIM_FIGURE_GOODPUT] =
        score_good(run, score_from(run), run->nseconds)
        / fmax(1, score_good(oracle, score_from(run), run->nseconds));

    score_times(run, oracle, score);
    score_backend(run, score);
    score_relapses(run, oracle, score);

    for (i = 0; i < SIM_TRAFFIC; i++) {
        score->value[SIM_FIGURE_CRITICAL + i] = score_served(run, i);
    }

    score->value[SIM_FIGURE_WHOLE] = score_whole(run);
    score->value[SIM_FIGURE_MISSED] = score_served(oracle, 0)
                                      - score_served(run, 0);
}


static int
score_compare(const void *a, const void *b)
{
    const double  *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}


void
sim_score_sum(const sim_score_t *scores, unsigned n, sim_score_t *median,
    sim_score_t *worst)
{
    double    *values;
    unsigned   i, figure;

    values = sim_alloc(n * sizeof(double));

    for (figure = 0; figure < SIM_FIGURES; figure++) {

        for (i = 0; i < n; i++) {
            values[i] = scores[i].value[figure];
        }

        qsort(values, n, sizeof(double), score_compare);

        median->value[figure] = values[n / 2];
        worst->value[figure] = sim_figure_rises(figure) ? values[0]
                                                        : values[n - 1];
    }

    free(values);
}
