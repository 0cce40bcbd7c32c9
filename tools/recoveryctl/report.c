
#include <math.h>
#include <string.h>

#include "report.h"


#define REPORT_LEAST_MS  200            /* less is no base for a rate */


static double
report_number(const json_t *object, const char *key)
{
    const json_t  *value;

    value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}


static const char *
report_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}


static unsigned
report_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) != 0;
}


static void
report_force(ctl_force_t *force, const json_t *json)
{
    force->word = report_text(json, "force");
    force->level = report_number(json, "level");
    force->left_s = report_number(json, "until_s");
    force->by = report_text(json, "by");
    force->reason = report_text(json, "reason");
    force->source = report_text(json, "source");
}


static void
report_override(ctl_override_t *override, const json_t *json)
{
    override->there = json_is_object(json) != 0;
    override->health = report_text(json, "health");
    override->health_left_s = report_number(json, "health_until_s");
    override->class_name = report_text(json, "class");
    override->class_left_s = report_number(json, "class_until_s");
}


static void
report_classes(ctl_report_t *report, const json_t *list)
{
    size_t        i;
    json_t       *json;
    ctl_class_t  *class;

    json_array_foreach(list, i, json) {

        if (report->nclasses == RCV_CLASSES_MAX) {
            break;
        }

        if (report_text(json, "name") == NULL) {
            continue;
        }

        class = &report->classes[report->nclasses++];

        class->name = report_text(json, "name");
        class->offered = report_number(json, "offered");
        class->passed = report_number(json, "passed");
        class->shed = report_number(json, "shed");
        class->shed_dry_run = report_number(json, "shed_dry_run");
        class->cut_cohort = report_number(json, "cut_cohort");

        class->demand_per_s = NAN;
        class->passed_per_s = NAN;
        class->shed_per_s = NAN;
        class->dry_per_s = NAN;
    }
}


/* The last ones, when they are more than there is room for. */

static void
report_events(ctl_report_t *report, const json_t *list)
{
    size_t        i, n;
    json_t       *json;
    ctl_event_t  *event;

    n = json_array_size(list);

    for (i = (n > CTL_EVENTS_MAX) ? n - CTL_EVENTS_MAX : 0; i < n; i++) {
        json = json_array_get(list, i);
        event = &report->events[report->nevents++];

        event->time = report_text(json, "time");
        event->from = report_text(json, "from");
        event->to = report_text(json, "to");
        event->why = report_text(json, "why");
        event->by = report_text(json, "by");
        event->force = report_text(json, "force");
    }
}


void
ctl_report_read(ctl_report_t *report, json_t *json)
{
    double  reported_ms;

    memset(report, 0, sizeof(ctl_report_t));

    if (!json_is_object(json)) {
        return;
    }

    report->json = json_incref(json);

    reported_ms = report_number(json, "reported_ms");
    report->reported_ms = (reported_ms > 0 && reported_ms < 1e15)
                          ? (uint64_t) reported_ms : 0;

    report->epoch = report_number(json, "epoch");
    report->phase = report_text(json, "phase");
    report->phase_age_ms = report_number(json, "phase_age_ms");
    report->health = report_text(json, "health");
    report->health_source = report_text(json, "health_source");
    report->health_by = report_text(json, "health_by");
    report->health_reason = report_text(json, "health_reason");
    report->health_age_ms = report_number(json, "health_age_ms");
    report->health_damped = report_true(json, "health_damped");
    report->signal_lost = report_true(json, "signal_lost");
    report->signal_mode = report_text(json, "signal_mode");
    report->promote = report_text(json, "promote");

    report->allowed_per_s = report_number(json, "allowed_per_s");
    report->ceiling_per_s = report_number(json, "ceiling_per_s");
    report->reference_per_s = report_number(json, "reference_per_s");
    report->level = report_number(json, "level");
    report->in_flight = report_number(json, "in_flight");
    report->in_flight_limit = report_number(json, "in_flight_limit");
    report->delivered_per_s = report_number(json, "delivered_per_s");
    report->error_ratio = report_number(json, "error_ratio");
    report->p50_ms = report_number(json, "latency_p50_ms");
    report->p90_ms = report_number(json, "latency_p90_ms");
    report->eta_s = report_number(json, "eta_s");
    report->why = report_text(json, "why");

    report_force(&report->force, json_object_get(json, "force"));
    report_override(&report->override, json_object_get(json, "override"));
    report_classes(report, json_object_get(json, "classes"));
    report_events(report, json_object_get(json, "events"));
}


void
ctl_report_free(ctl_report_t *report)
{
    json_decref(report->json);
    report->json = NULL;
}


/* Counters never go down: where one has, nginx was restarted. */

static double
report_rate(double now, double before, uint64_t elapsed_ms)
{
    return (now >= before) ? (now - before) * 1000 / (double) elapsed_ms
                           : NAN;
}


static void
report_class_rates(ctl_class_t *now, const ctl_class_t *before,
    uint64_t elapsed_ms)
{
    if (elapsed_ms == 0) {
        now->demand_per_s = before->demand_per_s;
        now->passed_per_s = before->passed_per_s;
        now->shed_per_s = before->shed_per_s;
        now->dry_per_s = before->dry_per_s;
        return;
    }

    now->demand_per_s = report_rate(now->offered, before->offered,
                                    elapsed_ms);
    now->passed_per_s = report_rate(now->passed, before->passed, elapsed_ms);
    now->shed_per_s = report_rate(now->shed, before->shed, elapsed_ms);
    now->dry_per_s = report_rate(now->shed_dry_run, before->shed_dry_run,
                                 elapsed_ms);
}


void
ctl_report_rates(ctl_report_t *report, const ctl_report_t *before,
    uint64_t elapsed_ms)
{
    unsigned  i;

    if (elapsed_ms < REPORT_LEAST_MS) {
        elapsed_ms = 0;
    }

    for (i = 0; i < report->nclasses && i < before->nclasses; i++) {

        /* a reload has changed the list */

        if (strcmp(report->classes[i].name, before->classes[i].name) != 0) {
            return;
        }

        report_class_rates(&report->classes[i], &before->classes[i],
                           elapsed_ms);
    }
}


/* NAN when any is not known. */

double
ctl_report_demand(const ctl_report_t *report)
{
    double    sum;
    unsigned  i;

    for (i = 0, sum = 0; i < report->nclasses; i++) {
        sum += report->classes[i].demand_per_s;
    }

    return (report->nclasses == 0) ? NAN : sum;
}


double
ctl_report_shed(const ctl_report_t *report)
{
    double    sum;
    unsigned  i;

    for (i = 0, sum = 0; i < report->nclasses; i++) {
        sum += report->classes[i].shed_per_s;
    }

    return (report->nclasses == 0) ? NAN : sum;
}


int
ctl_report_busy(const ctl_report_t *report)
{
    return report->json != NULL
           && (report->phase == NULL || strcmp(report->phase, "up") != 0
               || !isnan(report->allowed_per_s)
               || report->force.word != NULL || report->override.there
               || report->promote != NULL
               || report->signal_lost || report->health_damped);
}
