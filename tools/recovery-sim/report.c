
#include <math.h>
#include <string.h>

#include "report.h"


static const char  legend[] =
    "\n"
    "goodput   operations served, % of the omniscient run; worst: of a seed\n"
    "to 95%    seconds until 95 % of steady service; best: omniscient run\n"
    "peak      most offered to the backend in a second (or the time of 20\n"
    "          requests) / what it could do just then; full: / warm and whole\n"
    "wasted    % of the backend's work that nobody waited for\n"
    "dead      sent to a dead backend, % of nominal traffic\n"
    "shed      % shed before anything had happened\n"
    "critical, high, normal, low\n"
    "          % served at their first visit; best: critical, omniscient run\n"
    "whole     % of all that are calls of users who lost none of their class\n"
    "relapses  falls from the omniscient run's service to half of it\n"
    "collapsed not back at the end; with several seeds: in how many\n";


static void
report_time(double s, double best, FILE *file)
{
    if (s >= SIM_NEVER) {
        fprintf(file, "  never");
    } else {
        fprintf(file, "%7.0f", s);
    }

    if (best >= SIM_NEVER || best < 0) {
        fprintf(file, "    -");
    } else {
        fprintf(file, " %4.0f", best);
    }
}


static unsigned
report_collapsed(const sim_batch_t *batch, unsigned scenario)
{
    unsigned  i, n;

    n = 0;

    for (i = 0; i < batch->nseeds; i++) {
        n += (sim_batch_case(batch, scenario, i)
                  ->score.value[SIM_FIGURE_COLLAPSED] != 0);
    }

    return n;
}


static void
report_line(const sim_batch_t *batch, unsigned scenario, FILE *file)
{
    char           text[32];
    double         best;
    unsigned       collapsed;
    const double  *m, *w;
    sim_score_t    median, worst;

    sim_batch_sum(batch, scenario, &median, &worst);
    m = median.value;
    w = worst.value;

    best = (m[SIM_FIGURE_TO_95] < SIM_NEVER)
           ? m[SIM_FIGURE_TO_95] - m[SIM_FIGURE_LAG] : SIM_NEVER;
    collapsed = report_collapsed(batch, scenario);

    snprintf(text, sizeof(text), "%u/%u", collapsed, batch->nseeds);

    if (batch->nseeds == 1 || collapsed == 0) {
        strcpy(text, collapsed ? "yes" : "no");
    }

    fprintf(file, "%-18s %7.1f %6.1f", sim_scenario(batch->first
                                                    + scenario)->name,
            100 * m[SIM_FIGURE_GOODPUT], 100 * w[SIM_FIGURE_GOODPUT]);
    report_time(m[SIM_FIGURE_TO_95], best, file);
    fprintf(file, " %6.2f %5.2f %6.1f %6.1f %6.2f %8.1f %5.1f %5.1f %6.1f "
            "%5.1f %5.1f %8.0f  %s\n",
            m[SIM_FIGURE_PEAK], m[SIM_FIGURE_PEAK_FULL],
            100 * m[SIM_FIGURE_WASTED],
            100 * m[SIM_FIGURE_DEAD], 100 * m[SIM_FIGURE_SHED],
            100 * m[SIM_FIGURE_CRITICAL],
            100 * (m[SIM_FIGURE_CRITICAL] + m[SIM_FIGURE_MISSED]),
            100 * m[SIM_FIGURE_HIGH], 100 * m[SIM_FIGURE_NORMAL],
            100 * m[SIM_FIGURE_LOW], 100 * m[SIM_FIGURE_WHOLE],
            w[SIM_FIGURE_RELAPSES], text);
}


void
sim_report(const sim_batch_t *batch, FILE *file)
{
    unsigned  i;

    fprintf(file, "policy \"%s\", law %s, seed", batch->policy->name,
            batch->law->name);

    if (batch->nseeds == 1) {
        fprintf(file, " %u\n\n", batch->seed);
    } else {
        fprintf(file, "s %u to %u, medians; worst goodput and relapses\n\n",
                batch->seed, batch->seed + batch->nseeds - 1);
    }

    fprintf(file, "%-18s %7s %6s %6s %4s %6s %5s %6s %6s %6s %8s %5s %5s "
            "%6s %5s %5s %8s  %s\n",
            "scenario", "goodput", "worst", "to 95%", "best", "peak",
            "full", "wasted", "dead", "shed", "critical", "best", "high",
            "normal", "low", "whole", "relapses", "collapsed");

    for (i = 0; i < batch->nscenarios; i++) {
        report_line(batch, i, file);
    }

    fputs(legend, file);

    if (batch->nscenarios > 1) {
        sim_report_sums(batch, 1, file);
    }
}
