
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floors.h"


/*
 * Another compiler or libm may differ in the last place of a long sum.  Of
 * what is shed in a healthy service that would be sixty times what may be.
 */
#define FLOOR_SLACK        0.005
#define FLOOR_SHED_SLACK   0.00005

#define FLOOR_PLACES       3
#define FLOOR_SHED_PLACES  5

#define FLOOR_LINE_MAX  256


typedef struct {
    sim_figure_t         figure;
    unsigned             worst;
    double               target;
} floor_t;


/* What is recorded of each scenario, and the usual target. */

static const floor_t  floors[] = {
    { SIM_FIGURE_GOODPUT, 0, 0.95 },
    { SIM_FIGURE_GOODPUT, 1, 0.85 },
    { SIM_FIGURE_LAG, 0, 5 },
    { SIM_FIGURE_PEAK, 1, 1.2 },
    { SIM_FIGURE_PEAK_FULL, 1, 1.2 },
    { SIM_FIGURE_WASTED, 0, 0.03 },
    { SIM_FIGURE_DEAD, 1, 0.015 },
    { SIM_FIGURE_SHED, 1, 0.0001 },
    { SIM_FIGURE_MISSED, 0, 0.02 },
    { SIM_FIGURE_RELAPSES, 1, 0 },
    { SIM_FIGURE_COLLAPSED, 1, 0 },
};

#define FLOORS  (sizeof(floors) / sizeof(floors[0]))


static double
floor_target(const floor_t *floor, const sim_scenario_t *scenario)
{
    if (floor->figure == SIM_FIGURE_GOODPUT && !floor->worst
        && (scenario->contention > 0 || scenario->demand == 30))
    {
        return 0.90;
    }

    /* below 10 results a second */

    if ((floor->figure == SIM_FIGURE_PEAK
         || floor->figure == SIM_FIGURE_PEAK_FULL)
        && scenario->demand < 10)
    {
        return 1.5;
    }

    return floor->target;
}


static double
floor_value(const sim_batch_t *batch, unsigned scenario, sim_figure_t figure,
    unsigned worst)
{
    sim_score_t  medians, worsts;

    sim_batch_sum(batch, scenario, &medians, &worsts);

    return worst ? worsts.value[figure] : medians.value[figure];
}


static int
floor_places(sim_figure_t figure)
{
    return figure == SIM_FIGURE_SHED ? FLOOR_SHED_PLACES : FLOOR_PLACES;
}


/* Rounded to the safe side. */

static double
floor_recorded(double value, sim_figure_t figure)
{
    double  parts;

    if (value >= SIM_NEVER) {
        return value;
    }

    if (figure == SIM_FIGURE_RELAPSES || figure == SIM_FIGURE_COLLAPSED
        || figure == SIM_FIGURE_LAG)
    {
        return value;
    }

    parts = pow(10, floor_places(figure));

    return sim_figure_rises(figure) ? floor(value * parts - 0.5) / parts
                                    : ceil(value * parts + 0.5) / parts;
}


int
sim_floors_write(const sim_batch_t *batch, const char *path)
{
    FILE          *file;
    double         value;
    unsigned       i, k;

    file = fopen(path, "w");
    if (file == NULL) {
        return -1;
    }

    fprintf(file, "# Written by recovery-sim --record; `make sim` checks "
            "it.\n#\n# scenario         figure     of seeds   recorded   "
            "target\n");

    for (i = 0; i < batch->nscenarios; i++) {
        fprintf(file, "\n");

        for (k = 0; k < FLOORS; k++) {
            value = floor_value(batch, i, floors[k].figure, floors[k].worst);
            value = floor_recorded(value, floors[k].figure);

            fprintf(file, "%-18s %-10s %-8s ",
                    sim_scenario(batch->first + i)->name,
                    sim_figure_names[floors[k].figure],
                    floors[k].worst ? "worst" : "median");

            if (value >= SIM_NEVER) {
                fprintf(file, "%10s", "never");
            } else {
                fprintf(file, "%10.*f", floor_places(floors[k].figure),
                        value);
            }

            fprintf(file, " %8.4g\n",
                    floor_target(&floors[k],
                                 sim_scenario(batch->first + i)));
        }
    }

    return fclose(file);
}


static int
floor_figure(const char *name)
{
    int  i;

    for (i = 0; i < SIM_FIGURES; i++) {
        if (strcmp(sim_figure_names[i], name) == 0) {
            return i;
        }
    }

    return -1;
}


/* 1: holds, or is of a scenario that did not run; 0: fails; -1: bad line. */

static int
floor_check(const sim_batch_t *batch, const char *line)
{
    int       scenario, figure;
    char      name[64], word[64], of[64], recorded[64], *end;
    double    value, limit, slack, target;
    unsigned  worst;

    if (sscanf(line, "%63s %63s %63s %63s %lf", name, word, of, recorded,
               &target) != 5)
    {
        return -1;
    }

    scenario = sim_scenario_find(name);
    figure = floor_figure(word);
    worst = (strcmp(of, "worst") == 0);
    limit = strtod(recorded, &end);

    if (strcmp(recorded, "never") == 0) {
        return 1;
    }

    if (scenario < 0 || figure < 0 || *end != '\0'
        || (!worst && strcmp(of, "median") != 0))
    {
        return -1;
    }

    if ((unsigned) scenario < batch->first
        || (unsigned) scenario >= batch->first + batch->nscenarios)
    {
        return 1;
    }

    value = floor_value(batch, (unsigned) scenario - batch->first,
                        (sim_figure_t) figure, worst);

    slack = (figure == SIM_FIGURE_SHED) ? FLOOR_SHED_SLACK : FLOOR_SLACK;

    if (sim_figure_rises((sim_figure_t) figure) ? value >= limit - slack
                                                : value <= limit + slack)
    {
        return 1;
    }

    fprintf(stderr, "recovery-sim: %s: %s (%s) is %.4g, recorded %s, target "
            "%.4g\n", name, word, of, value, recorded, target);

    return 0;
}


int
sim_floors_check(const sim_batch_t *batch, const char *path)
{
    int        rc, bad;
    char       line[FLOOR_LINE_MAX];
    FILE      *file;
    unsigned   n;

    file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "recovery-sim: open() \"%s\" failed (%s)\n", path,
                strerror(errno));
        return -1;
    }

    bad = 0;

    for (n = 1; fgets(line, sizeof(line), file) != NULL; n++) {

        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }

        rc = floor_check(batch, line);

        if (rc < 0) {
            fprintf(stderr, "recovery-sim: not a floor in %s:%u\n", path, n);
            bad = -1;
            break;
        }

        bad += (rc == 0);
    }

    fclose(file);

    return bad;
}
