
/*
 * Between the parts of the verb "status".
 */

#ifndef CTL_STATUS_H_INCLUDED_
#define CTL_STATUS_H_INCLUDED_


#include "gather.h"
#include "view.h"


/* For machines: reports as they are, and the sums that people are shown. */
void ctl_status_json(FILE *to, const ctl_fleet_t *fleet, const char *name);

/* Again and again; name NULL: all backends.  They return an exit code. */
int ctl_watch(ctl_t *ctl, const char *name);    /* on a terminal */
int ctl_follow(ctl_t *ctl, const char *name);   /* elsewhere: lines */

/* What stdout can do. */
void ctl_screen_of(ctl_screen_t *screen, unsigned no_color);

/* All backends, or one. */
void ctl_status_view(const ctl_screen_t *screen, const ctl_fleet_t *fleet,
    const char *name);

/*
 * The first reading: an exit code, and a message unless it is CTL_OK or
 * CTL_UNCONFIRMED, which is that some node is silent.
 */
int ctl_status_first(ctl_t *ctl, const char *name, ctl_fleet_t *fleet);


#endif /* CTL_STATUS_H_INCLUDED_ */
