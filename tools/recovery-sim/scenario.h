
/*
 * What happens to a backend and its users: figures that hold for the whole
 * run, and a script of what changes when.
 */

#ifndef SIM_SCENARIO_H_INCLUDED_
#define SIM_SCENARIO_H_INCLUDED_


#define SIM_NODES_MAX    8
#define SIM_STEPS_MAX    20
#define SIM_TRAFFIC      4              /* classes of traffic */


typedef enum {
    SIM_STEP_NONE = 0,
    SIM_STEP_ALIVE,                     /* the backend answers */
    SIM_STEP_FAIL,                      /* ... with an error, at once */
    SIM_STEP_HANG,                      /* ... never */
    SIM_STEP_COLD,                      /* its cache is empty */
    SIM_STEP_STRENGTH,                  /* share of its workers; over_s */
    SIM_STEP_SLOW,                      /* all work takes so many times */
    SIM_STEP_ERRORS,                    /* share of answers that are 500 */
    SIM_STEP_DEMAND,                    /* times the nominal demand */
    SIM_STEP_BACKLOG,                   /* ... in waves, for over_s */
    SIM_STEP_SAY,                       /* what Redis says: word */
    SIM_STEP_FLAP                       /* down, up at 1 Hz, for over_s */
} sim_step_kind_t;


typedef struct {
    double               at_s;
    sim_step_kind_t      kind;
    double               value;
    double               over_s;
    const char          *word;
} sim_step_t;


/* Zero stands for the default, see scenario.c. */

typedef struct {
    const char          *name;
    const char          *what;

    double               demand;        /* requests a second, nominal */
    unsigned             weight;        /* requests moved at a time */

    unsigned             workers;
    double               service_s;     /* of a hit, mean */
    double               cold_x;        /* a miss takes so many times */
    double               keys;          /* misses that fill the cache */
    double               queue;         /* places, in times the workers */
    double               contention;    /* cost of load above 80 % */
    double               noise;         /* sigma of the service times */
    double               stall_every_s; /* pauses of half a second */

    double               patience_s;    /* of a client, for an attempt */
    double               proxy_s;       /* of the proxy */
    double               honour;        /* share that keeps Retry-After */
    double               rude;          /* share that retries at once */
    double               comeback;      /* of those who gave up */

    unsigned             nodes;         /* proxies in front of it */
    unsigned             leases;        /* ... that share one allowance */
    double               skew;          /* each has so many times the next */

    double               capacity_x;    /* configured: times the truth */
    unsigned             told_down;     /* starts in the outage */

    double               judge_s;       /* the recovery begins */
    double               end_s;

    sim_step_t           steps[SIM_STEPS_MAX];
} sim_scenario_t;


extern const unsigned  sim_nscenarios;

/* With the defaults filled in; NULL: no such one. */
const sim_scenario_t *sim_scenario(unsigned i);
int sim_scenario_find(const char *name);

/* Requests a second that the backend can do, warm and whole. */
double sim_scenario_capacity(const sim_scenario_t *scenario);


#endif /* SIM_SCENARIO_H_INCLUDED_ */
