
/* What came of a replay, for people. */

#include <string.h>

#include "replay.h"


/* Lines of the time series; it is in longer steps where they are more. */
#define REPORT_ROWS   40

#define REPORT_URIS   5
#define REPORT_NEVER  UINT64_MAX


typedef unsigned long long  number_t;   /* to be printed */


static const char *
report_plural(uint64_t n)
{
    return (n == 1) ? "" : "s";
}


/* A second of the replay as a time of day, with the date when it is long. */

static const char *
report_at(const sim_replay_t *replay, uint64_t s, char *text)
{
    uint64_t  ms;

    ms = replay->base_ms + s * 1000;

    return (replay->seconds > 86400)
           ? sim_time_text(text, ms, replay->sums->zone_s)
           : sim_clock_text(text, ms, replay->sums->zone_s);
}


static void
report_log(const sim_replay_t *replay, FILE *file)
{
    char                    from[SIM_TIME_TEXT], to[SIM_TIME_TEXT];
    const sim_feed_sums_t  *sums;

    sums = replay->sums;

    fprintf(file, "%llu requests, %s to %s, in the log %llu answered 5xx, "
            "%llu left (499)\n",
            (number_t) sums->requests,
            sim_time_text(from, replay->base_ms, sums->zone_s),
            report_at(replay, replay->seconds, to),
            (number_t) replay->logged_errors, (number_t) replay->logged_gone);

    if (sums->bad != 0) {
        fprintf(file, "%llu line%s could not be read\n",
                (number_t) sums->bad, report_plural(sums->bad));
    }

    if (sums->odd != 0) {
        fprintf(file, "%llu line%s no request, left out\n",
                (number_t) sums->odd, (sums->odd == 1) ? " is" : "s are");
    }

    if (sums->late != 0) {
        fprintf(file, "%llu request%s began more than a minute before the "
                "lines around, taken later%s\n",
                (number_t) sums->late, report_plural(sums->late),
                (sums->late > sums->requests / 100)
                ? ": is the log in order?" : "");
    }

    if (sums->untimed != 0) {
        fprintf(file, "%llu request%s without a time: taken to work %.0f ms\n",
                (number_t) sums->untimed, report_plural(sums->untimed),
                1000 * ((replay->conf->service_s > 0)
                        ? replay->conf->service_s : replay->service_s));
    }

    sim_facts_missing(replay->facts, file);
}


static void
report_backend(const sim_replay_t *replay, FILE *file)
{
    char                      from[SIM_TIME_TEXT], to[SIM_TIME_TEXT];
    const sim_replay_conf_t  *conf;

    conf = replay->conf;

    if (!conf->outage) {
        fprintf(file, "no outage: the backend answers as in the log\n");
        return;
    }

    fprintf(file, "outage %s to %s, %s; it comes back ",
            report_at(replay, replay->outage_s, from),
            report_at(replay, replay->back_s, to),
            conf->untold ? "nobody tells" : "told to Redis");

    if (conf->cold_x > 1) {
        fprintf(file, "cold (a miss takes %g times as long, %.0f fill the "
                "cache)", conf->cold_x, replay->keys);

    } else {
        fprintf(file, "warm");
    }

    fprintf(file, ",\nand can do %.1f requests a second warm (%s), %.1f ms "
            "each\n", replay->capacity,
            (conf->capacity > 0) ? "told" : "its best ten seconds are 70 %",
            1000 * replay->service_s);
}


static void
report_classes(const sim_replay_t *replay, FILE *file)
{
    uint64_t                   shed;
    unsigned                   i;
    const rcv_policy_t        *policy;
    const sim_replay_class_t  *class;

    policy = replay->conf->policy;

    fprintf(file, "\n%-14s %10s %10s %10s %7s %10s\n", "class", "wanted",
            "let in", "shed", "shed %", "served");

    for (i = 0; i < policy->nclasses; i++) {
        class = &replay->classes[i];
        shed = class->offered - class->passed;

        fprintf(file, "%-14s %10llu %10llu %10llu %7.2f %10llu\n",
                policy->classes[i].name, (number_t) class->offered,
                (number_t) class->passed, (number_t) shed,
                class->offered ? 100.0 * (double) shed
                                 / (double) class->offered : 0,
                (number_t) class->served);
    }
}


static uint64_t
report_shed(const sim_replay_t *replay, unsigned reason)
{
    uint64_t  n;
    unsigned  i;

    for (n = i = 0; i < replay->conf->policy->nclasses; i++) {
        n += replay->classes[i].shed[reason];
    }

    return n;
}


static void
report_reasons(const sim_replay_t *replay, FILE *file)
{
    unsigned             i, reason;
    const rcv_policy_t  *policy;

    if (replay->shed_seconds == 0) {
        fprintf(file, "\nnothing would have been shed\n");
        return;
    }

    policy = replay->conf->policy;

    fprintf(file, "\n%-14s", "shed because");

    for (reason = 0; reason < RCV_REASONS; reason++) {
        if (report_shed(replay, reason) != 0) {
            fprintf(file, " %12s", rcv_reason_names[reason]);
        }
    }

    fputc('\n', file);

    for (i = 0; i < policy->nclasses; i++) {
        fprintf(file, "%-14s", policy->classes[i].name);

        for (reason = 0; reason < RCV_REASONS; reason++) {
            if (report_shed(replay, reason) != 0) {
                fprintf(file, " %12llu",
                        (number_t) replay->classes[i].shed[reason]);
            }
        }

        fputc('\n', file);
    }
}


static void
report_since(const sim_replay_t *replay, const char *what, uint64_t s,
    FILE *file)
{
    char  text[SIM_TIME_TEXT];

    fprintf(file, "  %-24s", what);

    if (s == REPORT_NEVER || s >= replay->seconds) {
        fprintf(file, "not before the log ends\n");
        return;
    }

    fprintf(file, "%s  +%llu s\n", report_at(replay, s, text),
            (number_t) (s - replay->back_s));
}


static void
report_service(const sim_replay_t *replay, FILE *file)
{
    char      from[SIM_TIME_TEXT], to[SIM_TIME_TEXT];
    uint64_t  shed_s, settled_s;

    if (!replay->conf->outage) {

        if (replay->shed_seconds != 0) {
            fprintf(file, "\nsomething is shed in %llu second%s, %s to %s\n",
                    (number_t) replay->shed_seconds,
                    report_plural(replay->shed_seconds),
                    report_at(replay, replay->shed_first_s, from),
                    report_at(replay, replay->shed_last_s, to));
        }

        return;
    }

    if (replay->back_s >= replay->seconds) {
        fprintf(file, "\nthe log ends in the outage\n");
        return;
    }

    shed_s = (replay->shed_last_s == REPORT_NEVER
              || replay->shed_last_s < replay->back_s)
             ? replay->back_s : replay->shed_last_s + 1;
    settled_s = (replay->unsettled_s == REPORT_NEVER
                 || replay->unsettled_s < replay->back_s)
                ? replay->back_s : replay->unsettled_s + 1;

    fprintf(file, "\nfull service, counted from the outage's end\n");

    report_since(replay, "95 % let in again", replay->passed_s, file);
    report_since(replay, "95 % served again", replay->served_s, file);

    if (replay->conf->law == &sim_law_product) {
        report_since(replay, "nothing shed any more", shed_s, file);
        report_since(replay, "phase up", settled_s, file);
    }
}


static void
report_phases(const sim_replay_t *replay, FILE *file)
{
    char      text[SIM_TIME_TEXT];
    unsigned  i;

    if (replay->nphases < 2) {
        return;
    }

    fprintf(file, "\nphases: %s", replay->phases[0].phase);

    for (i = 1; i < replay->nphases && i < SIM_REPLAY_PHASES; i++) {
        fprintf(file, ", %s %s",
                report_at(replay, replay->phases[i].at_s, text),
                replay->phases[i].phase);
    }

    if (i < replay->nphases) {
        fprintf(file, ", and %u more", replay->nphases - i);
    }

    fputc('\n', file);
}


static const char *
report_step(uint32_t step_s, char *text, size_t size)
{
    if (step_s == 1) {
        return "each second";
    }

    if (step_s < 60) {
        snprintf(text, size, "each %u seconds", step_s);

    } else if (step_s < 3600) {
        snprintf(text, size, "each %u minute%s", step_s / 60,
                 report_plural(step_s / 60));

    } else {
        snprintf(text, size, "each %u hour%s", step_s / 3600,
                 report_plural(step_s / 3600));
    }

    return text;
}


static void
report_rows(const sim_replay_t *replay, FILE *file)
{
    char                 text[SIM_TIME_TEXT];
    unsigned             i, k;
    uint32_t             step_s;
    uint64_t             end_s;
    sim_row_t            row;
    const rcv_policy_t  *policy;

    if (replay->rows.n == 0) {
        return;
    }

    policy = replay->conf->policy;
    step_s = sim_rows_step(&replay->rows, REPORT_ROWS);

    fprintf(file, "\nin %s; shed by class\n%-19s %-9s %8s %8s %8s %8s",
            report_step(step_s, text, sizeof(text)), "from", "phase",
            "wanted", "let in", "shed", "served");

    for (i = 0; i < policy->nclasses; i++) {
        fprintf(file, " %8.14s", policy->classes[i].name);
    }

    fputc('\n', file);

    for (i = 0, end_s = 0; sim_rows_next(&replay->rows, step_s, &i, &row);
         end_s = row.at_s + row.seconds)
    {
        if (end_s != 0
            && sim_rows_at(&replay->rows, row.at_s, step_s)
               > sim_rows_at(&replay->rows, end_s, step_s))
        {
            fprintf(file, "...\n");
        }

        fprintf(file, "%-19s %-9s %8.0f %8.0f %8.0f %8.0f",
                report_at(replay, row.at_s, text), row.phase, row.offered,
                row.passed, row.offered - row.passed, row.good);

        for (k = 0; k < policy->nclasses; k++) {
            fprintf(file, " %8llu", (number_t) row.class_shed[k]);
        }

        fputc('\n', file);
    }
}


static void
report_uris(sim_replay_t *replay, FILE *file)
{
    unsigned              i, k;
    sim_top_t            *top;
    const rcv_policy_t   *policy;
    const sim_top_uri_t  *uri;

    if (replay->shed_seconds == 0) {
        return;
    }

    policy = replay->conf->policy;

    fprintf(file, "\nmost often shed (\"~\": at most)\n");

    for (i = 0; i < policy->nclasses; i++) {
        top = &replay->classes[i].top;
        sim_top_sort(top);

        for (k = 0; k < top->n && k < REPORT_URIS; k++) {
            uri = &top->uris[k];
            fprintf(file, "%-14s %s%llu %s\n",
                    (k == 0) ? policy->classes[i].name : "",
                    uri->error ? "~" : "", (number_t) uri->count, uri->uri);
        }
    }
}


void
sim_replay_report(sim_replay_t *replay, FILE *file)
{
    fprintf(file, "policy \"%s\", law %s, seed %u\n",
            replay->conf->policy->name, replay->conf->law->name,
            replay->conf->seed);

    report_log(replay, file);
    report_backend(replay, file);
    report_classes(replay, file);
    report_reasons(replay, file);
    report_service(replay, file);
    report_phases(replay, file);
    report_rows(replay, file);
    report_uris(replay, file);
}
