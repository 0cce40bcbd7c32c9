
/*
 * A fleet as text.  Pure: a fleet and a screen in, text out.
 */

#ifndef CTL_VIEW_H_INCLUDED_
#define CTL_VIEW_H_INCLUDED_


#include "fleet.h"
#include "screen.h"


/* All backends, a line each. */
void ctl_view_overview(const ctl_screen_t *screen, const ctl_fleet_t *fleet);

/* One backend: all nodes together, then each. */
void ctl_view_detail(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const ctl_backend_t *backend);

/*
 * One line of a log: what an operator follows without a terminal.  No newline,
 * no time.
 */
void ctl_view_line(const ctl_screen_t *screen, const ctl_backend_t *backend);

/* Who is heard, and who is not since when. */
void ctl_view_members(const ctl_screen_t *screen, const ctl_fleet_t *fleet);


/* Pieces of the above. */

#define CTL_WORDS_MAX  512

ctl_style_t ctl_phase_style(rcv_phase_t phase);

/* "down by jo", "up by redis", "not said". */
const char *ctl_health_words(const ctl_report_t *report,
    char buf[CTL_WORDS_MAX]);
/* "closed by jo, 8:12 left: disk swap" */
const char *ctl_force_words(const ctl_force_t *force,
    char buf[CTL_WORDS_MAX]);
/* What else was ordered at this node; "" for nothing. */
const char *ctl_override_words(const ctl_override_t *override,
    char buf[CTL_WORDS_MAX]);
/* Why the source is not to be relied on; "" when it is. */
const char *ctl_signal_words(const ctl_report_t *report);


#endif /* CTL_VIEW_H_INCLUDED_ */
