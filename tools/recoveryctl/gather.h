
/*
 * One reading of the fleet: out of Redis, or from the nodes of --url.
 */

#ifndef CTL_GATHER_H_INCLUDED_
#define CTL_GATHER_H_INCLUDED_


#include "ctl.h"
#include "fleet.h"


/*
 * Reads all backends, or the one of that name; rates are since "before", which
 * may be NULL.  CTL_OK, or CTL_UNREACHABLE when nobody answers at all: then
 * ctl_gather_failed() says why.  The fleet is to be freed in either case.
 */
int ctl_gather(ctl_t *ctl, const char *name, const ctl_fleet_t *before,
    ctl_fleet_t *fleet);

/* Says why on stderr, and what to do next.  Returns CTL_UNREACHABLE. */
int ctl_gather_failed(ctl_t *ctl, const ctl_fleet_t *fleet);

/* The same in one line, for a screen that is drawn again. */
void ctl_gather_why(ctl_t *ctl, const ctl_fleet_t *fleet, char *buf,
    size_t size);

/* Is there such a backend?  CTL_USAGE after a message. */
int ctl_gather_known(ctl_t *ctl, const ctl_fleet_t *fleet, const char *name);


#endif /* CTL_GATHER_H_INCLUDED_ */
