
/*
 * Logged requests, played against a policy: what would it have shed?
 *
 * Until the outage begins, and if there is none, the backend is the log: it
 * answers what the log has, after as long.  From the outage's end on it is
 * the simulator's store, cold or warm, which works on each request as long as
 * the log says; how much it can do is told, or taken from the log.
 */

#ifndef SIM_REPLAY_H_INCLUDED_
#define SIM_REPLAY_H_INCLUDED_


#include "logfeed.h"
#include "logtime.h"
#include "rows.h"
#include "run.h"
#include "topuri.h"


#define SIM_REPLAY_PHASES  64


/* A miss takes so many times, unless told. */
#define SIM_COLD_X      8
#define SIM_PATIENCE_S  10


typedef struct {
    const char         **paths;
    unsigned             npaths;
    unsigned             asked;         /* any of the rest was given */

    unsigned             outage;        /* there is one, from .. to */
    sim_moment_t         from;
    sim_moment_t         to;
    unsigned             untold;        /* nobody tells Redis */
    double               cold_x;        /* a miss takes so many times */
    double               keys;          /* 0: as many as come in 7 s */
    double               capacity;      /* a second, warm; 0: of the log */
    double               service_s;     /* where the log has none; 0 */
    double               patience_s;
    unsigned             retries;

    const sim_law_t     *law;
    const rcv_policy_t  *policy;
    unsigned             seed;
    const char          *csv;
    const char          *svg;
} sim_replay_conf_t;


typedef struct {
    uint64_t             offered;
    uint64_t             passed;
    uint64_t             shed[RCV_REASONS];
    uint64_t             served;
    sim_top_t            top;           /* of what was shed */
} sim_replay_class_t;


typedef struct {
    uint64_t             at_s;
    const char          *phase;
} sim_replay_phase_t;


/* Times are seconds since the beginning; UINT64_MAX: not reached. */

typedef struct {
    const sim_replay_conf_t  *conf;
    const sim_feed_sums_t    *sums;
    const sim_facts_t        *facts;

    uint64_t             base_ms;       /* unix time of the beginning */
    uint64_t             seconds;
    uint64_t             outage_s;
    uint64_t             back_s;
    double               capacity;      /* at the end */
    double               service_s;
    double               keys;

    sim_replay_class_t   classes[RCV_CLASSES_MAX];
    uint64_t             logged_errors; /* 5xx */
    uint64_t             logged_gone;   /* 499 */

    uint64_t             shed_first_s;
    uint64_t             shed_last_s;
    uint64_t             shed_seconds;
    uint64_t             passed_s;      /* 95 % let in again */
    uint64_t             served_s;      /* ... served */
    uint64_t             unsettled_s;   /* the last one not "up" */

    sim_replay_phase_t   phases[SIM_REPLAY_PHASES];
    unsigned             nphases;       /* may be more */

    sim_rows_t           rows;
} sim_replay_t;


/* 0, or 2 with a message on stderr: what the program ends with. */
int sim_replay(const sim_replay_conf_t *conf);

void sim_replay_report(sim_replay_t *replay, FILE *file);

/* The time series of all of the log, a second at a time. */
void sim_replay_csv_head(const sim_replay_t *replay, FILE *file);
void sim_replay_csv(const sim_replay_t *replay, const sim_row_t *row,
    FILE *file);

/* The troubles as a plot; 0, or -1 with errno. */
int sim_replay_svg(const sim_replay_t *replay, const char *path);


#endif /* SIM_REPLAY_H_INCLUDED_ */
