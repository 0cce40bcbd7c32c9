
/*
 * One run: a scenario, a seed and a law, second by second.
 */

#ifndef SIM_RUN_H_INCLUDED_
#define SIM_RUN_H_INCLUDED_


#include "backend.h"
#include "clients.h"
#include "law.h"


/* All are requests, or seconds of work, in this second. */

typedef struct {
    double               demand;        /* operations begun */
    double               offered;       /* attempts at the proxy */
    double               passed;        /* ... let through to the backend */
    double               good;          /* operations answered in time */
    double               errors;
    double               timeouts;
    double               work_s;        /* of workers */
    double               wasted_s;      /* ... for nobody */

    /* at its end, or meant over it */
    double               capacity;
    double               warmth;
    double               queue;
    double               in_flight;
    double               limit;         /* < 0: none */
    double               rate;          /* < 0: none */
    unsigned             dead;          /* the backend, in part of it */
    const char          *phase;
} sim_second_t;


typedef struct {
    const sim_scenario_t  *scenario;
    const sim_law_t       *law;
    uint64_t               seed;

    sim_second_t          *seconds;
    unsigned               nseconds;

    /* operations begun in the recovery, and served at their first visit */
    double                 begun[SIM_TRAFFIC];
    double                 served[SIM_TRAFFIC];

    /* ... and those of users all of whose calls of the class were */
    double                 whole;

    /* attempts in the health before it: let through or not */
    double                 calm_offered;
    double                 calm_shed;
} sim_run_t;


/*
 * Whoever plays a log in the place of the users.  Its requests are operations
 * of the class that it gives them.
 */

typedef struct {
    void                  *data;
    unsigned               retries;     /* those not served try again */

    /* SIM_EVENT_LOG: it is time for the next one */
    void                 (*next)(void *data);

    /* An attempt was let through, or not. */
    void                 (*decided)(void *data, const sim_op_t *op,
                                    const sim_pass_t *pass);

    /* Seconds to the answer that the log has; < 0: ask the backend. */
    double               (*answer_s)(void *data, const sim_op_t *op,
                                     sim_result_t *result);

    /* ... whose work takes so long; 0: as luck has it. */
    double               (*work_s)(void *data, const sim_op_t *op);

    void                 (*over)(void *data, const sim_op_t *op, int served);
} sim_play_t;


/* The world of a run while it lasts. */

typedef struct {
    sim_run_t             *run;
    const sim_scenario_t  *scenario;
    const rcv_policy_t    *policy;
    const sim_law_t       *law;
    const sim_play_t      *play;        /* NULL: users */
    void                  *laws[SIM_NODES_MAX];
    unsigned               nlaws;
    sim_engine_t           engine;
    sim_backend_t          backend;
    sim_clients_t          clients;
    uint64_t               judge_ns;
    unsigned               broken;      /* anything has happened yet */
} sim_world_t;


/* Seconds that a run of the scenario needs. */
unsigned sim_run_seconds(const sim_scenario_t *scenario);

/* seconds: room for so many, zeroed. */
void sim_run(sim_run_t *run, const sim_scenario_t *scenario,
    const sim_law_t *law, const rcv_policy_t *policy, uint64_t seed,
    sim_second_t *seconds);

/*
 * The same step by step, for who plays a log: run, scenario, policy, law and
 * play are filled in.
 */
void sim_world_open(sim_world_t *world);
void sim_world_close(sim_world_t *world);

/* The second that it is now. */
sim_second_t *sim_world_second(sim_world_t *world);


#endif /* SIM_RUN_H_INCLUDED_ */
