
#include "report.h"


static void
csv_unlimited(double value, FILE *file)
{
    if (value < 0) {
        fputc(',', file);
    } else {
        fprintf(file, ",%.1f", value);
    }
}


static void
csv_run(const sim_case_t *one, FILE *file)
{
    unsigned             i;
    const sim_run_t     *run;
    const sim_second_t  *second;

    run = &one->run;

    for (i = 0; i < run->nseconds; i++) {
        second = &run->seconds[i];

        fprintf(file, "%s,%s,%llu,%u,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,"
                "%.3f,%.3f,%.1f,%.4f,%.0f,%.0f",
                run->scenario->name, run->law->name,
                (unsigned long long) run->seed, i, second->demand,
                second->offered, second->passed,
                second->offered - second->passed, second->good,
                second->errors, second->timeouts, second->work_s,
                second->wasted_s, second->capacity, second->warmth,
                second->queue, second->in_flight);
        csv_unlimited(second->limit, file);
        csv_unlimited(second->rate, file);
        fprintf(file, ",%s,%u,%.0f\n", second->phase, second->dead,
                one->oracle.seconds[i].good);
    }
}


int
sim_csv(const sim_batch_t *batch, const char *path)
{
    FILE      *file;
    unsigned   i;

    file = fopen(path, "w");
    if (file == NULL) {
        return -1;
    }

    fprintf(file, "scenario,law,seed,second,demand,offered,passed,shed,good,"
            "errors,timeouts,work_s,wasted_s,capacity,warmth,queue,in_flight,"
            "limit,rate,phase,dead,oracle_good\n");

    for (i = 0; i < batch->nscenarios * batch->nseeds; i++) {
        csv_run(&batch->cases[i], file);
    }

    return fclose(file);
}
