
#include "replay.h"


static void
csv_unlimited(double value, FILE *file)
{
    if (value < 0) {
        fputc(',', file);
    } else {
        fprintf(file, ",%.1f", value);
    }
}


void
sim_replay_csv_head(const sim_replay_t *replay, FILE *file)
{
    unsigned             i;
    const rcv_policy_t  *policy;

    policy = replay->conf->policy;

    fprintf(file, "time,second,demand,offered,passed,shed,good,failed,"
            "capacity,warmth,in_flight,limit,rate,phase,dead");

    for (i = 0; i < policy->nclasses; i++) {
        fprintf(file, ",offered_%s,shed_%s", policy->classes[i].name,
                policy->classes[i].name);
    }

    fputc('\n', file);
}


void
sim_replay_csv(const sim_replay_t *replay, const sim_row_t *row, FILE *file)
{
    char      text[SIM_TIME_TEXT];
    unsigned  i;

    fprintf(file, "%s,%llu,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.1f,%.4f,%.0f",
            sim_time_text(text, replay->base_ms + row->at_s * 1000,
                          replay->sums->zone_s),
            (unsigned long long) row->at_s, row->demand, row->offered,
            row->passed, row->offered - row->passed, row->good, row->failed,
            row->capacity, row->warmth, row->in_flight);

    csv_unlimited(row->limit, file);
    csv_unlimited(row->rate, file);
    fprintf(file, ",%s,%u", row->phase, row->dead);

    for (i = 0; i < replay->conf->policy->nclasses; i++) {
        fprintf(file, ",%llu,%llu",
                (unsigned long long) row->class_offered[i],
                (unsigned long long) row->class_shed[i]);
    }

    fputc('\n', file);
}
