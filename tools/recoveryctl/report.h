
/*
 * What one node says of one backend: a report in Redis, or an element of
 * "backends" of a recovery_status.  Both are the same object.
 *
 * Anything may be missing or of a wrong type: a number is then NAN and a text
 * NULL, as for null.  NAN of allowed_per_s and in_flight_limit is "no limit".
 */

#ifndef CTL_REPORT_H_INCLUDED_
#define CTL_REPORT_H_INCLUDED_


#include <jansson.h>
#include <stdint.h>

#include "rcv.h"


#define CTL_EVENTS_MAX  32


typedef struct {
    const char    *name;
    double         offered;             /* counters */
    double         passed;
    double         shed;
    double         shed_dry_run;
    double         cut_cohort;          /* of 128; NAN: not cut */

    /* since an earlier report; NAN: not known */
    double         demand_per_s;
    double         passed_per_s;
    double         shed_per_s;
    double         dry_per_s;
} ctl_class_t;


typedef struct {
    const char    *word;                /* NULL: none in force */
    double         level;
    double         left_s;              /* NAN: no end */
    const char    *by;
    const char    *reason;
    const char    *source;
} ctl_force_t;


/* What was ordered at this node, by recovery_control. */

typedef struct {
    unsigned       there;
    const char    *health;
    double         health_left_s;
    const char    *class_name;
    double         class_left_s;
} ctl_override_t;


typedef struct {
    const char    *time;
    const char    *from;
    const char    *to;
    const char    *why;
    const char    *by;
    const char    *force;
} ctl_event_t;


typedef struct {
    json_t        *json;                /* all texts are in it; NULL: none */

    uint64_t       reported_ms;         /* by the clock of Redis; 0: now */
    double         epoch;
    const char    *phase;
    double         phase_age_ms;
    const char    *health;
    const char    *health_source;
    const char    *health_by;
    const char    *health_reason;
    double         health_age_ms;
    unsigned       health_damped;
    unsigned       signal_lost;
    const char    *signal_mode;
    const char    *promote;             /* the class, by the hash in Redis */

    double         allowed_per_s;
    double         ceiling_per_s;
    double         reference_per_s;
    double         level;
    double         in_flight;
    double         in_flight_limit;
    double         delivered_per_s;
    double         error_ratio;
    double         p50_ms;
    double         p90_ms;
    double         eta_s;               /* 0: full service */
    const char    *why;

    ctl_force_t    force;
    ctl_override_t override;

    ctl_class_t    classes[RCV_CLASSES_MAX];
    unsigned       nclasses;
    ctl_event_t    events[CTL_EVENTS_MAX];      /* oldest first */
    unsigned       nevents;
} ctl_report_t;


/*
 * Takes a reference to the object, to be given back by ctl_report_free().
 * NULL, or no object: a report of nothing, whose json is NULL.
 */
void ctl_report_read(ctl_report_t *report, json_t *json);
void ctl_report_free(ctl_report_t *report);

/*
 * Rates of the classes, from the counters of an earlier report of the same
 * node.  elapsed_ms is the time between the two; where it is none, or too
 * little, the rates of the earlier one go on.  Counters that began anew: not
 * known.
 */
void ctl_report_rates(ctl_report_t *report, const ctl_report_t *before,
    uint64_t elapsed_ms);

/* The sum over all classes of one of the four rates. */
double ctl_report_demand(const ctl_report_t *report);
double ctl_report_shed(const ctl_report_t *report);

/* 0: quietly up, and nothing to be watched. */
int ctl_report_busy(const ctl_report_t *report);


#endif /* CTL_REPORT_H_INCLUDED_ */
