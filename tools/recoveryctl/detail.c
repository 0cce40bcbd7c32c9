
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "view.h"


#define DETAIL_LABEL   11               /* columns */
#define DETAIL_LEAST   10               /* columns of a bar */
#define DETAIL_CLASS   20
#define DETAIL_EVENTS  6
#define DETAIL_ERRORS  0.02             /* more are red */


static const ctl_column_t  detail_classes[] = {
    { "CLASS", 0 },
    { "DEMAND/s", 1 },
    { "LET IN/s", 1 },
    { "SHED/s", 1 },
    { "USERS", 1 },
    { "", 0 }
};

static const ctl_column_t  detail_nodes[] = {
    { "NODE", 0 },
    { "HEARD", 1 },
    { "PHASE", 0 },
    { "LEVEL", 1 },
    { "ALLOWED/s", 1 },
    { "DELIVERED/s", 1 },
    { "SHED/s", 1 },
    { "IN FLIGHT", 1 },
    { "ERRORS", 1 },
    { "P90", 1 },
    { "ETA", 1 }
};


static void
detail_label(const ctl_screen_t *screen, const char *label)
{
    ctl_print(screen, CTL_DIM, "%-*s", DETAIL_LABEL, label);
}


static void
detail_end(const ctl_screen_t *screen)
{
    fputc('\n', screen->to);
}


static unsigned
detail_bar(const ctl_screen_t *screen)
{
    unsigned  taken;

    /* a label, and "12.3k of 12.3k" behind it */

    taken = DETAIL_LABEL + 28;

    if (screen->columns == 0 || screen->columns >= taken + CTL_BAR_COLUMNS) {
        return CTL_BAR_COLUMNS;
    }

    return (screen->columns > taken + DETAIL_LEAST) ? screen->columns - taken
                                                    : DETAIL_LEAST;
}


static void
detail_head(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const ctl_backend_t *backend)
{
    char              phases[CTL_PHASES_MAX], number[CTL_NUMBER_MAX];
    const ctl_sum_t  *sum;

    sum = &backend->sum;

    ctl_print(screen, CTL_BOLD, "%s", backend->name);
    fputs("  ", screen->to);
    ctl_print(screen, ctl_phase_style(ctl_sum_phase(sum)), "%s",
              ctl_sum_phases(sum, phases));

    if (sum->heard == 1 && !isnan(sum->speaker->phase_age_ms)) {
        ctl_print(screen, CTL_PLAIN, " for %s",
                  ctl_seconds(number, sum->speaker->phase_age_ms / 1000));
    }

    if (!isnan(sum->eta_s)) {
        ctl_print(screen, CTL_PLAIN, ", full service in %s",
                  ctl_seconds(number, sum->eta_s));
    }

    fputs("  ", screen->to);
    ctl_view_members(screen, fleet);
}


/* Who has a hand on it. */

static void
detail_orders(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    char                 words[CTL_WORDS_MAX];
    const ctl_report_t  *report;

    report = sum->speaker;

    if (report->force.word != NULL) {
        detail_label(screen, "force");
        ctl_print(screen, CTL_MAGENTA, "%s%s",
                  ctl_force_words(&report->force, words),
                  sum->force_differs ? " (other nodes: see below)" : "");
        detail_end(screen);

    } else if (sum->force_differs) {
        detail_label(screen, "force");
        ctl_print(screen, CTL_MAGENTA, "at some nodes: see below");
        detail_end(screen);
    }

    if (ctl_override_words(&report->override, words)[0] != '\0') {
        detail_label(screen, "ordered");
        ctl_print(screen, CTL_MAGENTA, "at a node: %s", words);
        detail_end(screen);
    }

    if (report->promote != NULL) {
        detail_label(screen, "promoted");
        ctl_print(screen, CTL_MAGENTA, "on the floor classes up to %s are "
                  "let in", report->promote);
        detail_end(screen);
    }
}


/* Why it moves, and what it goes by. */

static void
detail_words(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    char                 words[CTL_WORDS_MAX];
    const ctl_report_t  *report;

    report = sum->speaker;

    detail_label(screen, "why");
    ctl_print(screen, CTL_PLAIN, "%s%s", report->why ? report->why : "-",
              sum->why_differs ? " (other nodes: see below)" : "");
    detail_end(screen);

    detail_label(screen, "health");
    ctl_print(screen, CTL_PLAIN, "%s", ctl_health_words(report, words));

    if (report->health_reason != NULL) {
        ctl_print(screen, CTL_PLAIN, ": %s", report->health_reason);
    }

    if (sum->health_differs) {
        ctl_print(screen, CTL_YELLOW, " (nodes differ)");
    }

    detail_end(screen);

    if (ctl_signal_words(report)[0] != '\0') {
        detail_label(screen, "signal");
        ctl_print(screen, CTL_YELLOW, "%s", ctl_signal_words(report));
        detail_end(screen);
    }
}


/* Bars of one scale: what is wanted, what may pass, what comes back. */

static void
detail_rate(const ctl_screen_t *screen, const char *label, ctl_style_t style,
    double rate, double scale, const char *unknown)
{
    char  bar[CTL_BAR_MAX], number[CTL_NUMBER_MAX];

    detail_label(screen, label);

    if (isnan(rate)) {
        ctl_print(screen, CTL_PLAIN, "%s", unknown);

    } else {
        ctl_print(screen, style, "%s",
                  ctl_bar(screen, bar, detail_bar(screen),
                          scale > 0 ? rate / scale : 0, NAN));
        ctl_print(screen, CTL_PLAIN, " %s/s", ctl_number(number, rate));
    }

    detail_end(screen);
}


static void
detail_level(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    char  bar[CTL_BAR_MAX], number[CTL_NUMBER_MAX];

    detail_label(screen, "level");

    if (isnan(sum->level)) {
        ctl_print(screen, CTL_PLAIN, "%s", isnan(sum->allowed_per_s)
                  ? "no limit" : "not known: no reference yet");

    } else {
        ctl_print(screen, ctl_phase_style(ctl_sum_phase(sum)), "%s",
                  ctl_bar(screen, bar, detail_bar(screen), sum->level, NAN));
        ctl_print(screen, CTL_PLAIN, " %s", ctl_percent(number, sum->level));
    }

    if (!isnan(sum->reference_per_s)) {
        ctl_print(screen, CTL_DIM, " of %s/s",
                  ctl_number(number, sum->reference_per_s));
    }

    detail_end(screen);
}


static void
detail_gauges(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    char    a[CTL_NUMBER_MAX], b[CTL_NUMBER_MAX];
    double  scale;

    detail_level(screen, sum);

    scale = fmax(fmax(sum->demand_per_s, sum->delivered_per_s),
                 sum->allowed_per_s);

    detail_rate(screen, "demand", CTL_PLAIN, sum->demand_per_s, scale, "-");
    detail_rate(screen, "allowed", CTL_YELLOW, sum->allowed_per_s, scale,
                "no limit");
    detail_rate(screen, "delivered", CTL_GREEN, sum->delivered_per_s, scale,
                "-");

    detail_label(screen, "in flight");
    ctl_print(screen, CTL_PLAIN, "%s%s%s", ctl_number(a, sum->in_flight),
              isnan(sum->in_flight_limit) ? "" : " of ",
              isnan(sum->in_flight_limit)
              ? "" : ctl_number(b, sum->in_flight_limit));
    detail_end(screen);

    detail_label(screen, "errors");
    ctl_print(screen, sum->error_ratio >= DETAIL_ERRORS ? CTL_RED : CTL_PLAIN,
              "%s", ctl_percent(a, sum->error_ratio));
    detail_end(screen);

    detail_label(screen, "latency");
    ctl_print(screen, CTL_PLAIN, "%s median, %s 90%%",
              ctl_latency(a, sum->p50_ms), ctl_latency(b, sum->p90_ms));
    detail_end(screen);
}


/*
 * "12/128": the users of so many cohorts are let in.  The bar is full as far
 * as requests are let in, and light as far as they would be.
 */

static void
detail_class(const ctl_screen_t *screen, ctl_table_t *table,
    const ctl_class_t *class, double scale)
{
    char    a[CTL_NUMBER_MAX], bar[CTL_BAR_MAX];
    double  shed;

    shed = class->shed_per_s;

    ctl_cell(table, CTL_PLAIN, "%s", class->name);
    ctl_cell(table, CTL_PLAIN, "%s", ctl_number(a, class->demand_per_s));
    ctl_cell(table, CTL_PLAIN, "%s", ctl_number(a, class->passed_per_s));
    ctl_cell(table, shed > 0 ? CTL_YELLOW : CTL_PLAIN, "%s",
             ctl_number(a, shed));

    if (isnan(class->cut_cohort)) {
        ctl_cell(table, CTL_PLAIN, "all");

    } else {
        ctl_cell(table, CTL_YELLOW, "%.0f/128", class->cut_cohort);
    }

    if (scale > 0) {
        ctl_cell(table, CTL_PLAIN, "%s",
                 ctl_bar(screen, bar, DETAIL_CLASS,
                         class->passed_per_s / scale,
                         class->demand_per_s / scale));
    } else {
        ctl_cell(table, CTL_PLAIN, "%s", "");
    }
}


static void
detail_by_class(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    double        dry, scale;
    char          number[CTL_NUMBER_MAX];
    unsigned      i;
    ctl_table_t  *table;

    detail_end(screen);

    for (i = 0, scale = 0; i < sum->nclasses; i++) {
        scale = fmax(scale, sum->classes[i].demand_per_s);
    }

    table = ctl_table_new(detail_classes, sizeof(detail_classes)
                                          / sizeof(detail_classes[0]));
    dry = 0;

    for (i = 0; i < sum->nclasses; i++) {
        detail_class(screen, table, &sum->classes[i], scale);
        dry += sum->classes[i].dry_per_s;
    }

    ctl_table_print(screen, table);

    if (dry > 0) {
        ctl_print(screen, CTL_YELLOW, "dry run: %s/s more would be shed",
                  ctl_number(number, dry));
        detail_end(screen);
    }
}


static void
detail_node(ctl_table_t *table, const ctl_member_t *member,
    const ctl_report_t *report)
{
    char         a[CTL_NUMBER_MAX], b[CTL_NUMBER_MAX];
    rcv_phase_t  phase;

    phase = ctl_phase(report->phase);

    ctl_cell(table, CTL_PLAIN, "%s", member->name);

    if (member->alive) {
        ctl_cell(table, CTL_PLAIN, "now");
    } else {
        ctl_cell(table, CTL_RED, "%s ago", ctl_span(a, member->age_ms));
    }

    ctl_cell(table, member->alive ? ctl_phase_style(phase) : CTL_DIM, "%s",
             report->phase ? report->phase : "-");
    ctl_cell(table, CTL_PLAIN, "%s", ctl_percent(a, report->level));
    ctl_cell(table, CTL_PLAIN, "%s", isnan(report->allowed_per_s)
             ? "no limit" : ctl_number(a, report->allowed_per_s));
    ctl_cell(table, CTL_PLAIN, "%s", ctl_number(a, report->delivered_per_s));
    ctl_cell(table, CTL_PLAIN, "%s", ctl_number(a, ctl_report_shed(report)));
    ctl_cell(table, CTL_PLAIN, "%s%s%s", ctl_number(a, report->in_flight),
             isnan(report->in_flight_limit) ? "" : "/",
             isnan(report->in_flight_limit)
             ? "" : ctl_number(b, report->in_flight_limit));
    ctl_cell(table, CTL_PLAIN, "%s", ctl_percent(a, report->error_ratio));
    ctl_cell(table, CTL_PLAIN, "%s", ctl_latency(a, report->p90_ms));
    ctl_cell(table, CTL_PLAIN, "%s",
             ctl_seconds(a, report->eta_s > 0 ? report->eta_s : NAN));
}


/* What a node says otherwise than the one that speaks for all. */

static void
detail_node_words(ctl_table_t *table, const ctl_sum_t *sum,
    const ctl_report_t *report)
{
    char  words[CTL_WORDS_MAX];

    if (report == sum->speaker) {
        return;
    }

    if (sum->why_differs && report->why != NULL) {
        ctl_note(table, CTL_DIM, "%s", report->why);
    }

    if (sum->force_differs && report->force.word != NULL) {
        ctl_note(table, CTL_MAGENTA, "force %s",
                 ctl_force_words(&report->force, words));
    }

    if (sum->health_differs) {
        ctl_note(table, CTL_DIM, "health %s",
                 ctl_health_words(report, words));
    }

    if (ctl_override_words(&report->override, words)[0] != '\0') {
        ctl_note(table, CTL_MAGENTA, "ordered here: %s", words);
    }
}


static void
detail_by_node(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const ctl_backend_t *backend)
{
    size_t         i;
    ctl_table_t   *table;
    ctl_report_t  *report;

    detail_end(screen);

    table = ctl_table_new(detail_nodes,
                          sizeof(detail_nodes) / sizeof(detail_nodes[0]));

    for (i = 0; i < fleet->nmembers; i++) {
        report = &backend->reports[i];

        if (table == NULL || report->json == NULL) {
            continue;
        }

        detail_node(table, &fleet->members[i], report);

        if (fleet->members[i].alive) {
            detail_node_words(table, &backend->sum, report);
        }
    }

    ctl_table_print(screen, table);
}


typedef struct {
    const char         *node;
    const ctl_event_t  *event;
} detail_event_t;


/* ISO times of one zone sort as text. */

static int
detail_event_compare(const void *a, const void *b)
{
    const char  *one, *other;

    one = ((const detail_event_t *) a)->event->time;
    other = ((const detail_event_t *) b)->event->time;

    return strcmp(one ? one : "", other ? other : "");
}


static void
detail_event(const ctl_screen_t *screen, const detail_event_t *line,
    unsigned nodes)
{
    const ctl_event_t  *event;

    event = line->event;

    ctl_print(screen, CTL_DIM, "%s ", event->time ? event->time : "-");

    if (nodes > 1) {
        ctl_print(screen, CTL_DIM, "%s ", line->node);
    }

    if (event->from != NULL && event->to != NULL
        && strcmp(event->from, event->to) != 0)
    {
        ctl_print(screen, CTL_PLAIN, "%s -> ", event->from);
    }

    ctl_print(screen, ctl_phase_style(ctl_phase(event->to)), "%s",
              event->to ? event->to : "-");
    ctl_print(screen, CTL_PLAIN, ": %s", event->why ? event->why : "-");

    if (event->by != NULL && strcmp(event->by, "self") != 0) {
        ctl_print(screen, CTL_DIM, " (%s)", event->by);
    }

    detail_end(screen);
}


static void
detail_events(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const ctl_backend_t *backend)
{
    size_t           i, n, all;
    unsigned         k;
    detail_event_t  *lines;

    for (i = 0, all = 0; i < fleet->nmembers; i++) {
        all += backend->reports[i].nevents;
    }

    lines = calloc(all ? all : 1, sizeof(detail_event_t));

    if (all == 0 || lines == NULL) {
        free(lines);
        return;
    }

    for (i = 0, n = 0; i < fleet->nmembers; i++) {
        for (k = 0; k < backend->reports[i].nevents; k++) {
            lines[n].node = fleet->members[i].name;
            lines[n++].event = &backend->reports[i].events[k];
        }
    }

    qsort(lines, n, sizeof(detail_event_t), detail_event_compare);
    detail_end(screen);

    for (i = (n > DETAIL_EVENTS) ? n - DETAIL_EVENTS : 0; i < n; i++) {
        detail_event(screen, &lines[i],
                     backend->sum.heard + backend->sum.silent);
    }

    free(lines);
}


void
ctl_view_detail(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const ctl_backend_t *backend)
{
    detail_head(screen, fleet, backend);

    if (backend->sum.heard != 0) {
        detail_orders(screen, &backend->sum);
        detail_words(screen, &backend->sum);
        detail_gauges(screen, &backend->sum);
        detail_by_class(screen, &backend->sum);
    }

    detail_by_node(screen, fleet, backend);
    detail_events(screen, fleet, backend);
}
