
#include <math.h>
#include <string.h>

#include "out.h"
#include "view.h"


#define OVERVIEW_BAR    10
#define OVERVIEW_ROOM   100             /* columns that a bar asks for */


static const ctl_column_t  overview_columns[] = {
    { "BACKEND", 0 },
    { "PHASE", 0 },
    { "LEVEL", 1 },
    { "ALLOWED/s", 1 },
    { "DELIVERED/s", 1 },
    { "SHED/s", 1 },
    { "HEALTH", 0 },
    { "ETA", 1 },
    { "NODES", 1 }
};

#define OVERVIEW_COLUMNS                                                      \
    (sizeof(overview_columns) / sizeof(overview_columns[0]))


void
ctl_view_members(const ctl_screen_t *screen, const ctl_fleet_t *fleet)
{
    size_t               i, alive;
    char                 span[CTL_SPAN_MAX];
    const ctl_member_t  *member;

    alive = ctl_fleet_alive(fleet);

    ctl_print(screen, CTL_PLAIN, "%zu node%s heard", alive,
              alive == 1 ? "" : "s");

    for (i = 0; i < fleet->nmembers; i++) {
        member = &fleet->members[i];

        if (member->alive) {
            continue;
        }

        if (member->why != NULL) {
            ctl_print(screen, CTL_RED, ", %s: %s", member->name, member->why);

        } else {
            ctl_print(screen, CTL_RED, ", %s silent for %s", member->name,
                      ctl_span(span, member->age_ms));
        }
    }

    fputc('\n', screen->to);
}


/* "-" for a level that is no part of anything: there is no limit. */

static void
overview_level(const ctl_screen_t *screen, ctl_table_t *table,
    const ctl_sum_t *sum)
{
    char  bar[CTL_BAR_MAX], number[CTL_NUMBER_MAX];

    (void) ctl_percent(number, sum->level);

    if (screen->columns < OVERVIEW_ROOM || isnan(sum->level)) {
        ctl_cell(table, CTL_PLAIN, "%s", number);

    } else {
        ctl_cell(table, CTL_PLAIN, "%s %4s",
                 ctl_bar(screen, bar, OVERVIEW_BAR, sum->level, NAN), number);
    }
}


static void
overview_row(const ctl_screen_t *screen, ctl_table_t *table,
    const ctl_backend_t *backend)
{
    char              phases[CTL_PHASES_MAX], words[CTL_WORDS_MAX];
    char              number[CTL_NUMBER_MAX];
    const ctl_sum_t  *sum;

    sum = &backend->sum;

    ctl_cell(table, CTL_BOLD, "%s", backend->name);
    ctl_cell(table, ctl_phase_style(ctl_sum_phase(sum)), "%s",
             ctl_sum_phases(sum, phases));
    overview_level(screen, table, sum);
    ctl_cell(table, CTL_PLAIN, "%s", isnan(sum->allowed_per_s)
             ? "no limit" : ctl_number(number, sum->allowed_per_s));
    ctl_cell(table, CTL_PLAIN, "%s",
             ctl_number(number, sum->delivered_per_s));
    ctl_cell(table, sum->shed_per_s > 0 ? CTL_YELLOW : CTL_PLAIN, "%s",
             ctl_number(number, sum->shed_per_s));
    ctl_cell(table, CTL_PLAIN, "%s%s",
             ctl_health_words(sum->speaker, words),
             sum->health_differs ? ", differs" : "");
    ctl_cell(table, CTL_PLAIN, "%s", ctl_seconds(number, sum->eta_s));
    ctl_cell(table, sum->silent ? CTL_RED : CTL_PLAIN, "%u/%u", sum->heard,
             sum->heard + sum->silent);
}


/* Only silent nodes have reported it. */

static void
overview_silent(ctl_table_t *table, const ctl_backend_t *backend)
{
    size_t  i;

    ctl_cell(table, CTL_BOLD, "%s", backend->name);
    ctl_cell(table, CTL_RED, "silent");

    for (i = 2; i + 1 < OVERVIEW_COLUMNS; i++) {
        ctl_cell(table, CTL_PLAIN, "-");
    }

    ctl_cell(table, CTL_RED, "0/%u", backend->sum.silent);
}


static void
overview_notes(ctl_table_t *table, const ctl_sum_t *sum)
{
    char                 words[CTL_WORDS_MAX];
    const char          *signal;
    const ctl_report_t  *report;

    report = sum->speaker;
    signal = ctl_signal_words(report);

    if (report->force.word != NULL || sum->force_differs) {
        ctl_note(table, CTL_MAGENTA, "force %s%s",
                 report->force.word ? ctl_force_words(&report->force, words)
                                    : "at some nodes",
                 report->force.word && sum->force_differs
                 ? "; other nodes differ" : "");
    }

    if (ctl_override_words(&report->override, words)[0] != '\0') {
        ctl_note(table, CTL_MAGENTA, "ordered at a node: %s", words);
    }

    if (signal[0] != '\0') {
        ctl_note(table, CTL_YELLOW, "%s", signal);
    }
}


void
ctl_view_overview(const ctl_screen_t *screen, const ctl_fleet_t *fleet)
{
    int                   quiet;
    size_t                i;
    ctl_table_t          *table;
    const ctl_backend_t  *backend;

    ctl_view_members(screen, fleet);

    if (fleet->nbackends == 0) {
        return;
    }

    table = ctl_table_new(overview_columns, OVERVIEW_COLUMNS);

    /* what is quietly up comes last: there may be hundreds of it */

    for (quiet = 0; quiet <= 1; quiet++) {

        for (i = 0; i < fleet->nbackends; i++) {
            backend = &fleet->backends[i];

            if (ctl_backend_quiet(fleet, backend) != quiet) {
                continue;
            }

            if (backend->sum.heard != 0) {
                overview_row(screen, table, backend);
                overview_notes(table, &backend->sum);

            } else if (backend->sum.silent != 0) {
                overview_silent(table, backend);
            }
        }
    }

    ctl_table_print(screen, table);
}
