
/*
 * Laws side by side, and what remains of each over all scenarios.
 */

#include <stdlib.h>
#include <string.h>

#include "report.h"


static const char  legend[] =
    "\n"
    "over all scenarios, a median of seeds each: goodput, critical, wasted\n"
    "and dead are medians; worst and missed (critical class, points behind\n"
    "the omniscient run) are of the scenario where they are worst; seed is\n"
    "the goodput of the worst single run; loses: points of goodput behind\n"
    "the first law where that is most; collapsed: of so many runs\n";


/* Over all scenarios of a batch. */

typedef struct {
    sim_score_t          median;
    sim_score_t          worst;
    unsigned             worst_at;      /* goodput is, in this scenario */
    double               seed;          /* goodput of the worst run */
    unsigned             seed_at;
    double               loses;
    unsigned             loses_at;
    unsigned             collapsed;
} sums_t;


/* Against the first law, scenario by scenario. */

static void
compare_loses(const sim_batch_t *first, const sim_score_t *medians,
    sums_t *sums)
{
    double       loses;
    unsigned     i;
    sim_score_t  median, worst;

    for (i = 0; i < first->nscenarios; i++) {
        sim_batch_sum(first, i, &median, &worst);

        loses = median.value[SIM_FIGURE_GOODPUT]
                - medians[i].value[SIM_FIGURE_GOODPUT];

        if (loses > sums->loses) {
            sums->loses = loses;
            sums->loses_at = i;
        }
    }
}


static void
compare_sums(const sim_batch_t *first, const sim_batch_t *batch,
    sums_t *sums)
{
    unsigned      i, seed;
    sim_score_t  *medians, worst;

    medians = sim_alloc(batch->nscenarios * sizeof(sim_score_t));
    memset(sums, 0, sizeof(*sums));
    sums->seed = SIM_NEVER;

    for (i = 0; i < batch->nscenarios; i++) {
        sim_batch_sum(batch, i, &medians[i], &worst);

        if (medians[i].value[SIM_FIGURE_GOODPUT]
            < medians[sums->worst_at].value[SIM_FIGURE_GOODPUT])
        {
            sums->worst_at = i;
        }

        if (worst.value[SIM_FIGURE_GOODPUT] < sums->seed) {
            sums->seed = worst.value[SIM_FIGURE_GOODPUT];
            sums->seed_at = i;
        }

        for (seed = 0; seed < batch->nseeds; seed++) {
            sums->collapsed += (sim_batch_case(batch, i, seed)
                                ->score.value[SIM_FIGURE_COLLAPSED] != 0);
        }
    }

    compare_loses(first, medians, sums);
    sim_score_sum(medians, batch->nscenarios, &sums->median, &sums->worst);
    free(medians);
}


void
sim_report_sums(const sim_batch_t *batches, unsigned n, FILE *file)
{
    char           text[32];
    sums_t         sums;
    unsigned       law, first;
    const double  *median;

    first = batches->first;

    fprintf(file, "\n%-20s %7s %6s %-18s %6s %-18s %5s %-18s %8s %6s %6s "
            "%6s  %s\n", "law", "goodput", "worst", "in", "seed", "in",
            "loses", "in", "critical", "missed", "wasted", "dead",
            "collapsed");

    for (law = 0; law < n; law++) {
        compare_sums(batches, &batches[law], &sums);
        median = sums.median.value;

        snprintf(text, sizeof(text), "%u/%u", sums.collapsed,
                 batches->nscenarios * batches->nseeds);

        fprintf(file, "%-20s %7.1f %6.1f %-18s %6.1f %-18s %5.1f %-18s "
                "%8.1f %6.1f %6.1f %6.1f  %s\n", batches[law].law->name,
                100 * median[SIM_FIGURE_GOODPUT],
                100 * sums.worst.value[SIM_FIGURE_GOODPUT],
                sim_scenario(first + sums.worst_at)->name,
                100 * sums.seed, sim_scenario(first + sums.seed_at)->name,
                100 * sums.loses, sums.loses > 0
                ? sim_scenario(first + sums.loses_at)->name : "-",
                100 * median[SIM_FIGURE_CRITICAL],
                100 * sums.worst.value[SIM_FIGURE_MISSED],
                100 * median[SIM_FIGURE_WASTED],
                100 * median[SIM_FIGURE_DEAD], text);
    }

    fputs(legend, file);
}


void
sim_report_laws(const sim_batch_t *batches, unsigned n, FILE *file)
{
    int          width;
    char         text[32];
    unsigned     i, law;
    sim_score_t  median, worst;

    fprintf(file, "policy \"%s\", %u seed%s from %u: goodput / critical "
            "class served, %%\n\n%-18s", batches->policy->name,
            batches->nseeds, batches->nseeds == 1 ? "" : "s", batches->seed,
            "scenario");

    for (law = 0; law < n; law++) {
        fprintf(file, " %11s", batches[law].law->name);
    }

    fprintf(file, "\n");

    for (i = 0; i < batches->nscenarios; i++) {
        fprintf(file, "%-18s", sim_scenario(batches->first + i)->name);

        for (law = 0; law < n; law++) {
            sim_batch_sum(&batches[law], i, &median, &worst);
            snprintf(text, sizeof(text), "%.1f/%.1f",
                     100 * median.value[SIM_FIGURE_GOODPUT],
                     100 * median.value[SIM_FIGURE_CRITICAL]);

            width = (int) strlen(batches[law].law->name);
            fprintf(file, " %*s", width > 11 ? width : 11, text);
        }

        fprintf(file, "\n");
    }
}
