
/*
 * What all nodes say of all backends, and their sum.  The same structure
 * whether it comes out of Redis or, with --url, from the nodes themselves.
 */

#ifndef CTL_FLEET_H_INCLUDED_
#define CTL_FLEET_H_INCLUDED_


#include <stddef.h>

#include "report.h"


typedef struct {
    char          *name;
    unsigned       alive;               /* heard within the last 10 s */
    uint64_t       age_ms;              /* since it was heard */
    char          *why;                 /* of a URL: why it is not heard */
} ctl_member_t;


/*
 * Reports of nodes that are alive, together.  Rates and places in flight are
 * summed, of latencies, errors and ETA the worst is taken.  NAN as in a
 * report; where one node has no limit, all have none, and where one does not
 * know its ETA, nobody knows that of all.
 */

typedef struct {
    unsigned       heard;               /* nodes that count here */
    unsigned       silent;              /* that do not, and have reported */
    unsigned       phases[RCV_PHASES];  /* nodes in each */
    unsigned       others;              /* in one that we do not know */

    double         level;               /* weighed by the references */
    double         allowed_per_s;
    double         reference_per_s;
    double         demand_per_s;
    double         delivered_per_s;
    double         shed_per_s;
    double         in_flight;
    double         in_flight_limit;
    double         error_ratio;
    double         p50_ms;
    double         p90_ms;
    double         eta_s;               /* NAN also for full service */

    ctl_class_t    classes[RCV_CLASSES_MAX];    /* in the order of the first */
    unsigned       nclasses;

    /*
     * Whose words are shown for all: the node that is furthest from "up".
     * Each bit is set when other nodes say something else.  NULL: heard is 0.
     */
    const ctl_report_t  *speaker;
    unsigned       health_differs;
    unsigned       force_differs;
    unsigned       why_differs;
} ctl_sum_t;


typedef struct {
    char          *name;
    ctl_report_t  *reports;             /* of each member; json NULL: none */
    ctl_sum_t      sum;
} ctl_backend_t;


typedef struct {
    ctl_member_t  *members;             /* by name, or as URLs were given */
    size_t         nmembers;
    ctl_backend_t *backends;            /* by name */
    size_t         nbackends;

    uint64_t       taken_ms;            /* monotonic */
    uint64_t       named_ms;            /* when names were last asked for */
    char          *source;              /* "redis 127.0.0.1:6379" */
} ctl_fleet_t;


/* They return NULL when there is no memory. */
ctl_member_t *ctl_fleet_member(ctl_fleet_t *fleet, const char *name);
/* All members must be there; one that is there already is returned. */
ctl_backend_t *ctl_fleet_backend(ctl_fleet_t *fleet, const char *name);
void ctl_fleet_free(ctl_fleet_t *fleet);

ctl_backend_t *ctl_fleet_find(const ctl_fleet_t *fleet, const char *name);

/*
 * When all is read: rates since "before" (may be NULL), and sums.  What is in
 * neither is left alone.
 */
void ctl_fleet_finish(ctl_fleet_t *fleet, const ctl_fleet_t *before);

/* Is it quietly up at all nodes, and is there one? */
int ctl_backend_quiet(const ctl_fleet_t *fleet, const ctl_backend_t *backend);

/* Members that are alive, and the others. */
size_t ctl_fleet_alive(const ctl_fleet_t *fleet);

/* The phases that nodes are in: "ramping", or "down 1, ramping 2". */
#define CTL_PHASES_MAX  128
const char *ctl_sum_phases(const ctl_sum_t *sum, char buf[CTL_PHASES_MAX]);

/* The one that is furthest from "up"; RCV_PHASES: none of ours. */
rcv_phase_t ctl_sum_phase(const ctl_sum_t *sum);

/* Of a word; RCV_PHASES: none of ours. */
rcv_phase_t ctl_phase(const char *word);


#endif /* CTL_FLEET_H_INCLUDED_ */
