
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "status.h"
#include "target.h"


/*
 * Demand and what is shed are known from two readings.  A node that is busy
 * reports every second; whoever has asked waits for that, and no longer.
 */
#define STATUS_RATE_MS   1000
#define STATUS_AGAIN_MS  300
#define STATUS_TRIES     5


void
ctl_screen_of(ctl_screen_t *screen, unsigned no_color)
{
    const char      *term;
    struct winsize   size;

    term = getenv("TERM");

    screen->to = stdout;
    screen->colors = ctl_colors(stdout, no_color) != 0;
    screen->blocks = 0;
    screen->columns = 0;

    if (!isatty(STDOUT_FILENO) || term == NULL || *term == '\0'
        || strcmp(term, "dumb") == 0)
    {
        return;
    }

    screen->blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    screen->columns = (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
                       && size.ws_col != 0) ? size.ws_col : 80;
}


void
ctl_status_view(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const char *name)
{
    ctl_backend_t  *backend;

    if (name == NULL) {
        ctl_view_overview(screen, fleet);
        return;
    }

    backend = ctl_fleet_find(fleet, name);

    if (backend != NULL) {
        ctl_view_detail(screen, fleet, backend);
    }
}


static int
status_nobody(const ctl_t *ctl, const ctl_fleet_t *fleet)
{
    ctl_error("no nginx has reported to %s, prefix \"%s\"", fleet->source,
              ctl->options.redis.prefix);
    ctl_hint("are these the Redis, the database and the prefix of "
             "recovery_redis, and may its user +set and +hset?");
    ctl_hint("--url asks a node itself");

    return CTL_UNREACHABLE;
}


int
ctl_status_first(ctl_t *ctl, const char *name, ctl_fleet_t *fleet)
{
    int  rc;

    if (ctl_gather(ctl, name, NULL, fleet) != CTL_OK) {
        return ctl_gather_failed(ctl, fleet);
    }

    if (fleet->nmembers == 0) {
        return status_nobody(ctl, fleet);
    }

    rc = (name != NULL) ? ctl_gather_known(ctl, fleet, name) : CTL_OK;

    return (rc == CTL_OK && ctl_fleet_alive(fleet) < fleet->nmembers)
           ? CTL_UNCONFIRMED : rc;
}


/* Is there a busy node of which this reading knows no rates yet? */

static int
status_waits(const ctl_fleet_t *fleet, const char *name)
{
    size_t                i, n;
    const ctl_report_t   *report;
    const ctl_backend_t  *backend;

    for (i = 0; i < fleet->nbackends; i++) {
        backend = &fleet->backends[i];

        if (name != NULL && strcmp(name, backend->name) != 0) {
            continue;
        }

        for (n = 0; n < fleet->nmembers; n++) {
            report = &backend->reports[n];

            if (fleet->members[n].alive && ctl_report_busy(report)
                && report->nclasses != 0
                && report->classes[0].demand_per_s
                   != report->classes[0].demand_per_s)
            {
                return 1;
            }
        }
    }

    return 0;
}


static void
status_pause(unsigned ms)
{
    struct timespec  ts = { ms / 1000, (long) (ms % 1000) * 1000000 };

    (void) nanosleep(&ts, NULL);
}


/* Rates, if it takes no more than asking again; else what is known. */

static void
status_rates(ctl_t *ctl, const char *name, ctl_fleet_t *fleet)
{
    int          i;
    ctl_fleet_t  later;

    memset(&later, 0, sizeof(later));

    for (i = 0; i < STATUS_TRIES; i++) {

        if (!status_waits(i == 0 ? fleet : &later, name)) {
            break;
        }

        status_pause(i == 0 ? STATUS_RATE_MS : STATUS_AGAIN_MS);

        ctl_fleet_free(&later);

        if (ctl_gather(ctl, name, fleet, &later) != CTL_OK) {
            ctl_fleet_free(&later);
            return;
        }
    }

    if (i != 0) {
        ctl_fleet_free(fleet);
        *fleet = later;
    }
}


static int
status_once(ctl_t *ctl, const char *name)
{
    int           rc;
    ctl_fleet_t   fleet;
    ctl_screen_t  screen;

    rc = ctl_status_first(ctl, name, &fleet);

    if (rc == CTL_OK || rc == CTL_UNCONFIRMED) {

        if (ctl->options.json) {
            ctl_status_json(stdout, &fleet, name);

        } else {
            status_rates(ctl, name, &fleet);
            ctl_screen_of(&screen, ctl->options.no_color);
            ctl_status_view(&screen, &fleet, name);
        }
    }

    ctl_fleet_free(&fleet);

    return rc;
}


int
ctl_status(ctl_t *ctl)
{
    int           rc;
    const char   *name;
    ctl_screen_t  screen;

    name = (ctl->argc != 0) ? ctl->argv[0] : NULL;

    if (ctl->argc > 1) {
        return ctl_usage(ctl, "status kv", "status takes one NAME, or none "
                         "for all backends");
    }

    if (ctl->options.json && ctl->options.watch) {
        return ctl_usage(ctl, "status --json", "--json and --watch do not go "
                         "together");
    }

    rc = (name != NULL) ? ctl_name_check(name) : CTL_OK;

    if (rc != CTL_OK) {
        return rc;
    }

    (void) setlocale(LC_CTYPE, "");

    if (!ctl->options.watch) {
        return status_once(ctl, name);
    }

    ctl_screen_of(&screen, ctl->options.no_color);

    return screen.columns != 0 ? ctl_watch(ctl, name) : ctl_follow(ctl, name);
}
