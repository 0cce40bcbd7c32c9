
/*
 * status --watch where there is no terminal: a line for a backend when
 * something has changed, at most each second and at least every ten.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pause.h"
#include "status.h"


#define FOLLOW_MS        1000
#define FOLLOW_LEAST_MS  10000


/* What was last told of a backend. */

typedef struct {
    char      *name;
    char      *said;
    uint64_t   told_ms;
} follow_told_t;


typedef struct {
    follow_told_t  *told;
    size_t          n;
    uint64_t        line_ms;            /* of the last line of any kind */
    char           *said;               /* of the fleet */
} follow_t;


static void
follow_time(follow_t *follow)
{
    char        text[32];
    time_t      now;
    struct tm   tm;

    now = time(NULL);
    (void) gmtime_r(&now, &tm);
    (void) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);

    printf("%s ", text);
    follow->line_ms = ctl_now_ms();
}


static follow_told_t *
follow_find(follow_t *follow, const char *name)
{
    size_t          i;
    follow_told_t  *told;

    for (i = 0; i < follow->n; i++) {
        if (strcmp(follow->told[i].name, name) == 0) {
            return &follow->told[i];
        }
    }

    told = realloc(follow->told, (follow->n + 1) * sizeof(follow_told_t));

    if (told == NULL) {
        return NULL;
    }

    follow->told = told;
    told += follow->n;

    memset(told, 0, sizeof(follow_told_t));
    told->name = strdup(name);

    if (told->name == NULL) {
        return NULL;
    }

    follow->n++;

    return told;
}


static void
follow_word(FILE *to, const char *word)
{
    fprintf(to, "%s|", word ? word : "");
}


/* All whose change is worth a line; not what runs down or jitters. */

static char *
follow_said(const ctl_fleet_t *fleet, const ctl_backend_t *backend)
{
    char                *text;
    FILE                *to;
    size_t               i, size;
    const ctl_report_t  *report;

    text = NULL;
    to = open_memstream(&text, &size);

    if (to == NULL) {
        return NULL;
    }

    fprintf(to, "%.0f|", isnan(backend->sum.level)
                         ? -1 : backend->sum.level * 100);

    for (i = 0; i < fleet->nmembers; i++) {
        report = &backend->reports[i];

        if (report->json == NULL) {
            continue;
        }

        fprintf(to, "%s %u|", fleet->members[i].name,
                fleet->members[i].alive);
        follow_word(to, report->phase);
        follow_word(to, report->health);
        follow_word(to, report->health_by);
        follow_word(to, report->health_source);
        follow_word(to, report->signal_mode);
        follow_word(to, report->why);
        follow_word(to, report->force.word);
        follow_word(to, report->force.by);
        follow_word(to, report->force.reason);
    }

    (void) fclose(to);

    return text;
}


static void
follow_backend(follow_t *follow, const ctl_screen_t *screen,
    const ctl_fleet_t *fleet, const ctl_backend_t *backend)
{
    char           *said;
    uint64_t        now_ms;
    follow_told_t  *told;

    told = follow_find(follow, backend->name);
    said = follow_said(fleet, backend);
    now_ms = ctl_now_ms();

    if (told == NULL || said == NULL) {
        free(said);
        return;
    }

    /* of what is quietly up nothing is told but changes */

    if (told->said != NULL && strcmp(told->said, said) == 0
        && (now_ms - told->told_ms < FOLLOW_LEAST_MS
            || ctl_backend_quiet(fleet, backend)))
    {
        free(said);
        return;
    }

    free(told->said);
    told->said = said;
    told->told_ms = now_ms;

    follow_time(follow);
    ctl_view_line(screen, backend);
    fputc('\n', stdout);
}


static void
follow_members(follow_t *follow, const ctl_screen_t *screen,
    const ctl_fleet_t *fleet)
{
    char    *said;
    FILE    *to;
    size_t   i, size;

    said = NULL;
    to = open_memstream(&said, &size);

    if (to == NULL) {
        return;
    }

    for (i = 0; i < fleet->nmembers; i++) {
        fprintf(to, "%s %u|", fleet->members[i].name,
                fleet->members[i].alive);
    }

    (void) fclose(to);

    if (follow->said == NULL || strcmp(follow->said, said) != 0) {
        follow_time(follow);
        ctl_view_members(screen, fleet);
    }

    free(follow->said);
    follow->said = said;
}


static void
follow_fleet(follow_t *follow, const ctl_screen_t *screen,
    const ctl_fleet_t *fleet, const char *name)
{
    size_t  i;

    follow_members(follow, screen, fleet);

    for (i = 0; i < fleet->nbackends; i++) {
        if (name == NULL || strcmp(name, fleet->backends[i].name) == 0) {
            follow_backend(follow, screen, fleet, &fleet->backends[i]);
        }
    }

    if (ctl_now_ms() - follow->line_ms >= FOLLOW_LEAST_MS) {
        follow_time(follow);
        ctl_print(screen, CTL_PLAIN, "%s quietly up, nodes=%zu/%zu",
                  name ? name : "all", ctl_fleet_alive(fleet),
                  fleet->nmembers);
        fputc('\n', stdout);
    }
}


/* Said when it begins, and then no more often than anything else. */

static void
follow_failed(follow_t *follow, ctl_t *ctl, const ctl_screen_t *screen,
    const ctl_fleet_t *fleet)
{
    char  why[256];

    ctl_gather_why(ctl, fleet, why, sizeof(why));

    if (follow->said != NULL && strcmp(follow->said, why) == 0
        && ctl_now_ms() - follow->line_ms < FOLLOW_LEAST_MS)
    {
        return;
    }

    follow_time(follow);
    ctl_print(screen, CTL_PLAIN, "no answer: %s", why);
    fputc('\n', stdout);

    free(follow->said);
    follow->said = strdup(why);
}


static void
follow_free(follow_t *follow)
{
    size_t  i;

    for (i = 0; i < follow->n; i++) {
        free(follow->told[i].name);
        free(follow->told[i].said);
    }

    free(follow->told);
    free(follow->said);
}


int
ctl_follow(ctl_t *ctl, const char *name)
{
    int           rc;
    follow_t      follow;
    ctl_fleet_t   fleet, later;
    ctl_screen_t  screen;

    rc = ctl_status_first(ctl, name, &fleet);

    if (rc != CTL_OK && rc != CTL_UNCONFIRMED) {
        ctl_fleet_free(&fleet);
        return rc;
    }

    memset(&follow, 0, sizeof(follow));
    ctl_screen_of(&screen, ctl->options.no_color);
    ctl_pause_begin();

    /* the first line of a backend has rates, too */

    while (ctl_flush() == 0 && ctl_pause(FOLLOW_MS) == 0) {

        if (ctl_gather(ctl, name, &fleet, &later) != CTL_OK) {
            follow_failed(&follow, ctl, &screen, &later);
            ctl_fleet_free(&later);
            continue;
        }

        ctl_fleet_free(&fleet);
        fleet = later;
        follow_fleet(&follow, &screen, &fleet, name);
    }

    ctl_fleet_free(&fleet);
    follow_free(&follow);

    return CTL_OK;
}
