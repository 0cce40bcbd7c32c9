
/*
 * status --watch on a terminal.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "status.h"
#include "terminal.h"


#define WATCH_MS  1000


typedef struct {
    ctl_t          *ctl;
    const char     *name;
    ctl_fleet_t     fleet;              /* the last that was read */
    uint64_t        answered_ms;
    char            why[256];           /* of no answer since; "": there is */
} watch_t;


static void
watch_head(const watch_t *watch, const ctl_screen_t *screen)
{
    char        clock[16], span[CTL_SPAN_MAX];
    time_t      now;
    struct tm   tm;

    now = time(NULL);
    (void) localtime_r(&now, &tm);
    (void) strftime(clock, sizeof(clock), "%H:%M:%S", &tm);

    ctl_print(screen, CTL_DIM, "%s  %s  Ctrl-C ends", clock,
              watch->fleet.source ? watch->fleet.source : "");
    fputc('\n', screen->to);

    if (watch->why[0] != '\0') {
        ctl_print(screen, CTL_RED, "no answer for %s, below is what was: %s",
                  ctl_span(span, ctl_now_ms() - watch->answered_ms),
                  watch->why);
        fputc('\n', screen->to);
    }
}


static int
watch_draw(const watch_t *watch)
{
    int            rc;
    char          *text;
    size_t         size;
    unsigned       rows;
    ctl_screen_t   screen;

    ctl_screen_of(&screen, watch->ctl->options.no_color);
    ctl_terminal_size(&rows, &screen.columns);

    text = NULL;
    screen.to = open_memstream(&text, &size);

    if (screen.to == NULL) {
        return -1;
    }

    watch_head(watch, &screen);
    ctl_status_view(&screen, &watch->fleet, watch->name);

    (void) fclose(screen.to);
    rc = ctl_terminal_draw(text);
    free(text);

    return rc;
}


static void
watch_read(watch_t *watch)
{
    ctl_fleet_t  later;

    if (ctl_gather(watch->ctl, watch->name, &watch->fleet, &later) != CTL_OK) {
        ctl_gather_why(watch->ctl, &later, watch->why, sizeof(watch->why));
        ctl_fleet_free(&later);
        return;
    }

    ctl_fleet_free(&watch->fleet);
    watch->fleet = later;
    watch->answered_ms = ctl_now_ms();
    watch->why[0] = '\0';
}


int
ctl_watch(ctl_t *ctl, const char *name)
{
    int       rc;
    watch_t   watch;
    uint64_t  next_ms, now_ms;

    memset(&watch, 0, sizeof(watch));
    watch.ctl = ctl;
    watch.name = name;

    rc = ctl_status_first(ctl, name, &watch.fleet);

    if (rc != CTL_OK && rc != CTL_UNCONFIRMED) {
        ctl_fleet_free(&watch.fleet);
        return rc;
    }

    watch.answered_ms = ctl_now_ms();
    next_ms = watch.answered_ms + WATCH_MS;

    ctl_terminal_begin();

    while (watch_draw(&watch) == 0) {
        now_ms = ctl_now_ms();

        if (now_ms < next_ms && ctl_terminal_pause(next_ms - now_ms)) {
            continue;
        }

        if (ctl_now_ms() >= next_ms) {
            watch_read(&watch);
            next_ms = ctl_now_ms() + WATCH_MS;
        }
    }

    ctl_terminal_end();
    ctl_fleet_free(&watch.fleet);

    return CTL_OK;
}
