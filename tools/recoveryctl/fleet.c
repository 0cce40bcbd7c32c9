
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"


/* From what an operator has to look at first, to what he need not. */

static const rcv_phase_t  fleet_order[RCV_PHASES] = {
    RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING, RCV_PHASE_DEGRADED,
    RCV_PHASE_VERIFYING, RCV_PHASE_UP
};


ctl_member_t *
ctl_fleet_member(ctl_fleet_t *fleet, const char *name)
{
    ctl_member_t  *member, *grown;

    grown = realloc(fleet->members,
                    (fleet->nmembers + 1) * sizeof(ctl_member_t));

    if (grown == NULL) {
        return NULL;
    }

    fleet->members = grown;
    member = &grown[fleet->nmembers];

    memset(member, 0, sizeof(ctl_member_t));
    member->name = strdup(name);

    if (member->name == NULL) {
        return NULL;
    }

    fleet->nmembers++;

    return member;
}


ctl_backend_t *
ctl_fleet_find(const ctl_fleet_t *fleet, const char *name)
{
    size_t  i;

    for (i = 0; i < fleet->nbackends; i++) {
        if (strcmp(fleet->backends[i].name, name) == 0) {
            return &fleet->backends[i];
        }
    }

    return NULL;
}


ctl_backend_t *
ctl_fleet_backend(ctl_fleet_t *fleet, const char *name)
{
    ctl_backend_t  *backend, *grown;

    backend = ctl_fleet_find(fleet, name);

    if (backend != NULL) {
        return backend;
    }

    grown = realloc(fleet->backends,
                    (fleet->nbackends + 1) * sizeof(ctl_backend_t));

    if (grown == NULL) {
        return NULL;
    }

    fleet->backends = grown;
    backend = &grown[fleet->nbackends];

    memset(backend, 0, sizeof(ctl_backend_t));
    backend->name = strdup(name);
    backend->reports = calloc(fleet->nmembers + 1, sizeof(ctl_report_t));

    if (backend->name == NULL || backend->reports == NULL) {
        free(backend->name);
        free(backend->reports);
        return NULL;
    }

    fleet->nbackends++;

    return backend;
}


void
ctl_fleet_free(ctl_fleet_t *fleet)
{
    size_t  i, n;

    for (i = 0; i < fleet->nbackends; i++) {
        for (n = 0; n < fleet->nmembers; n++) {
            ctl_report_free(&fleet->backends[i].reports[n]);
        }

        free(fleet->backends[i].reports);
        free(fleet->backends[i].name);
    }

    for (n = 0; n < fleet->nmembers; n++) {
        free(fleet->members[n].name);
        free(fleet->members[n].why);
    }

    free(fleet->backends);
    free(fleet->members);
    free(fleet->source);

    memset(fleet, 0, sizeof(ctl_fleet_t));
}


rcv_phase_t
ctl_phase(const char *word)
{
    int  phase;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        if (word != NULL && strcmp(word, rcv_phase_names[phase]) == 0) {
            break;
        }
    }

    return (rcv_phase_t) phase;
}


/* 0 is looked at first; also what we do not know. */

static int
fleet_rank(const ctl_report_t *report)
{
    int          i;
    rcv_phase_t  phase;

    phase = ctl_phase(report->phase);

    for (i = 0; i < RCV_PHASES; i++) {
        if (fleet_order[i] == phase) {
            return i;
        }
    }

    return 0;
}


rcv_phase_t
ctl_sum_phase(const ctl_sum_t *sum)
{
    return (sum->speaker != NULL) ? ctl_phase(sum->speaker->phase)
                                  : RCV_PHASES;
}


const char *
ctl_sum_phases(const ctl_sum_t *sum, char buf[CTL_PHASES_MAX])
{
    int          i;
    size_t       len;
    unsigned     n;
    const char  *name;

    buf[0] = '\0';
    len = 0;

    for (i = 0; i <= RCV_PHASES && len < CTL_PHASES_MAX; i++) {
        n = (i < RCV_PHASES) ? sum->phases[fleet_order[i]] : sum->others;
        name = (i < RCV_PHASES) ? rcv_phase_names[fleet_order[i]] : "unknown";

        if (n == 0) {
            continue;
        }

        if (n == sum->heard) {
            return strcpy(buf, name);
        }

        len += (size_t) snprintf(buf + len, CTL_PHASES_MAX - len, "%s%s %u",
                                 len ? ", " : "", name, n);
    }

    return buf;
}


static double
fleet_worst(double a, double b)
{
    return (isnan(a) || b > a) ? b : a;
}


/* All are there when the last one is; one that does not know is waited for. */

static double
fleet_last(double a, double b)
{
    return (isnan(a) || isnan(b)) ? NAN : fmax(a, b);
}


static int
fleet_differ(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}


/* Classes are summed by name: a reload may have reached one node alone. */

static void
fleet_add_classes(ctl_sum_t *sum, const ctl_report_t *report)
{
    unsigned            i, k;
    ctl_class_t        *total;
    const ctl_class_t  *class;

    for (i = 0; i < report->nclasses; i++) {
        class = &report->classes[i];

        for (k = 0; k < sum->nclasses; k++) {
            if (strcmp(sum->classes[k].name, class->name) == 0) {
                break;
            }
        }

        if (k == RCV_CLASSES_MAX) {
            continue;
        }

        total = &sum->classes[k];

        if (k == sum->nclasses) {
            *total = *class;
            sum->nclasses++;
            continue;
        }

        total->offered += class->offered;
        total->passed += class->passed;
        total->shed += class->shed;
        total->shed_dry_run += class->shed_dry_run;
        total->cut_cohort = fmin(total->cut_cohort, class->cut_cohort);

        total->demand_per_s += class->demand_per_s;
        total->passed_per_s += class->passed_per_s;
        total->shed_per_s += class->shed_per_s;
        total->dry_per_s += class->dry_per_s;
    }
}


static void
fleet_add(ctl_sum_t *sum, const ctl_report_t *report)
{
    rcv_phase_t  phase;

    sum->heard++;
    phase = ctl_phase(report->phase);

    if (phase < RCV_PHASES) {
        sum->phases[phase]++;
    } else {
        sum->others++;
    }

    sum->allowed_per_s += report->allowed_per_s;
    sum->reference_per_s += report->reference_per_s;
    sum->demand_per_s += ctl_report_demand(report);
    sum->delivered_per_s += report->delivered_per_s;
    sum->shed_per_s += ctl_report_shed(report);
    sum->in_flight += report->in_flight;
    sum->in_flight_limit += report->in_flight_limit;

    sum->error_ratio = fleet_worst(sum->error_ratio, report->error_ratio);
    sum->p50_ms = fleet_worst(sum->p50_ms, report->p50_ms);
    sum->p90_ms = fleet_worst(sum->p90_ms, report->p90_ms);
    sum->eta_s = fleet_last(sum->eta_s, report->eta_s);

    fleet_add_classes(sum, report);

    if (sum->speaker == NULL || fleet_rank(report) < fleet_rank(sum->speaker))
    {
        sum->speaker = report;
    }
}


/*
 * How much of all: by what each node normally has, or, as long as one does
 * not know that, as if all had the same.  A node without a limit counts as
 * whole; all without one: NAN.
 */

static double
fleet_level(const ctl_fleet_t *fleet, const ctl_backend_t *backend)
{
    size_t               i;
    double               level, weight, sum, weights;
    unsigned             limits;
    const ctl_report_t  *report;

    sum = 0;
    weights = 0;
    limits = 0;

    for (i = 0; i < fleet->nmembers; i++) {
        report = &backend->reports[i];

        if (!fleet->members[i].alive || report->json == NULL) {
            continue;
        }

        level = report->level;

        if (isnan(level)) {
            if (!isnan(report->allowed_per_s)) {
                continue;
            }

            level = 1;

        } else {
            limits++;
        }

        weight = isnan(backend->sum.reference_per_s)
                 ? 1 : report->reference_per_s;
        sum += level * weight;
        weights += weight;
    }

    return (limits != 0 && weights > 0) ? sum / weights : NAN;
}


/* Does everybody say what the speaker says? */

static void
fleet_agree(ctl_sum_t *sum, const ctl_report_t *report)
{
    const ctl_report_t  *speaker;

    speaker = sum->speaker;

    sum->health_differs |= fleet_differ(report->health, speaker->health)
                           || fleet_differ(report->health_source,
                                           speaker->health_source)
                           || fleet_differ(report->health_by,
                                           speaker->health_by);
    sum->force_differs |= fleet_differ(report->force.word,
                                       speaker->force.word)
                          || fleet_differ(report->force.by,
                                          speaker->force.by);
    sum->why_differs |= fleet_differ(report->why, speaker->why);
}


static void
fleet_sum(const ctl_fleet_t *fleet, ctl_backend_t *backend)
{
    size_t      i;
    ctl_sum_t  *sum;

    sum = &backend->sum;

    sum->error_ratio = NAN;
    sum->p50_ms = NAN;
    sum->p90_ms = NAN;

    for (i = 0; i < fleet->nmembers; i++) {

        if (backend->reports[i].json == NULL) {
            continue;
        }

        if (fleet->members[i].alive) {
            fleet_add(sum, &backend->reports[i]);

        } else {
            sum->silent++;
        }
    }

    sum->eta_s = (sum->eta_s > 0) ? sum->eta_s : NAN;
    sum->level = fleet_level(fleet, backend);

    for (i = 0; i < fleet->nmembers; i++) {
        if (backend->reports[i].json != NULL && fleet->members[i].alive) {
            fleet_agree(sum, &backend->reports[i]);
        }
    }
}


static void
fleet_rates(const ctl_fleet_t *fleet, ctl_backend_t *backend,
    const ctl_fleet_t *earlier)
{
    size_t          i, k;
    uint64_t        elapsed_ms;
    ctl_report_t   *now, *was;
    ctl_backend_t  *before;

    before = ctl_fleet_find(earlier, backend->name);

    for (i = 0; before != NULL && i < fleet->nmembers; i++) {

        for (k = 0; k < earlier->nmembers; k++) {
            if (strcmp(earlier->members[k].name, fleet->members[i].name) == 0)
            {
                break;
            }
        }

        if (k == earlier->nmembers) {
            continue;
        }

        now = &backend->reports[i];
        was = &before->reports[k];

        elapsed_ms = (now->reported_ms != 0)
                     ? rcv_since(now->reported_ms, was->reported_ms)
                     : rcv_since(fleet->taken_ms, earlier->taken_ms);

        if (now->json != NULL && was->json != NULL) {
            ctl_report_rates(now, was, elapsed_ms);
        }
    }
}


static int
fleet_compare(const void *a, const void *b)
{
    return strcmp(((const ctl_backend_t *) a)->name,
                  ((const ctl_backend_t *) b)->name);
}


void
ctl_fleet_finish(ctl_fleet_t *fleet, const ctl_fleet_t *before)
{
    size_t  i;

    if (fleet->nbackends > 1) {
        qsort(fleet->backends, fleet->nbackends, sizeof(ctl_backend_t),
              fleet_compare);
    }

    for (i = 0; i < fleet->nbackends; i++) {
        if (before != NULL) {
            fleet_rates(fleet, &fleet->backends[i], before);
        }

        memset(&fleet->backends[i].sum, 0, sizeof(ctl_sum_t));
        fleet_sum(fleet, &fleet->backends[i]);
    }
}


int
ctl_backend_quiet(const ctl_fleet_t *fleet, const ctl_backend_t *backend)
{
    size_t  i;

    if (backend->sum.heard == 0) {
        return 0;
    }

    for (i = 0; i < fleet->nmembers; i++) {
        if (fleet->members[i].alive && ctl_report_busy(&backend->reports[i])) {
            return 0;
        }
    }

    return 1;
}


size_t
ctl_fleet_alive(const ctl_fleet_t *fleet)
{
    size_t  i, n;

    for (i = 0, n = 0; i < fleet->nmembers; i++) {
        n += fleet->members[i].alive;
    }

    return n;
}
