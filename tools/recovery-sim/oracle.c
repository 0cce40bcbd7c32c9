
/*
 * The omniscient law, by which the others are measured: it sees the
 * backend's workers, queue and warmth, and lets in as much as they can do in
 * time, the first class first.
 *
 * A strong heuristic and not a bound: nobody knows the best one.  Tried with
 * two seeds of 13 scenarios: spare time x 0.5 and x 1.4, less 1 and 3 times
 * the service, 2, 6 and 10 places at least, contention from 75 and 90 %.
 * The best gain anywhere was 0.5 % (rate-30), the worst loss 5 %.
 */

#include <stdlib.h>

#include "law.h"


typedef struct {
    const sim_backend_t   *backend;
    const sim_scenario_t  *scenario;
    double                 offered;     /* lately */
    double                 admitted;
    unsigned               in_flight;
} oracle_t;


/* How much of the spare time a class may find used up before it. */
static const double  oracle_share[SIM_TRAFFIC] = { 0.7, 0.5, 0.35, 0.2 };


static void *
oracle_create(const sim_law_facts_t *facts)
{
    oracle_t  *oracle;

    oracle = sim_alloc(sizeof(*oracle));
    oracle->backend = facts->backend;
    oracle->scenario = facts->scenario;

    return oracle;
}


/* Requests that the backend may have, this class included. */

static double
oracle_room(const oracle_t *oracle, unsigned traffic)
{
    double                workers, service_s, spare_s, queue;
    const sim_backend_t  *backend;

    backend = oracle->backend;

    if (backend->mode != SIM_BACKEND_ALIVE) {
        return 0;
    }

    workers = sim_backend_workers(backend);

    if (oracle->scenario->contention > 0) {
        /* the knee, and a place between the classes */
        return workers * SIM_CONTENTION_FROM + 1 - traffic;
    }

    service_s = sim_backend_service_s(backend);
    spare_s = oracle->scenario->patience_s - 2 * service_s;

    queue = (spare_s > 0) ? spare_s * oracle_share[traffic] * workers
                            / service_s : 0;

    if (queue < 3 - traffic) {
        queue = 3.0 - traffic;
    }

    return workers + queue;
}


static uint32_t
oracle_admit(void *law, const sim_ask_t *ask, sim_pass_t *pass)
{
    double     room;
    uint32_t   n;
    oracle_t  *oracle = law;

    (void) pass;

    room = oracle_room(oracle, ask->traffic)
           - (oracle->backend->busy + oracle->backend->queued);

    n = (room >= ask->weight) ? ask->weight : (room >= 1) ? (uint32_t) room
                                                          : 0;

    oracle->offered += ask->weight;
    oracle->admitted += n;
    oracle->in_flight += n;

    return n;
}


static void
oracle_done(void *law, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    oracle_t  *oracle = law;

    (void) result;
    (void) now_ns;

    oracle->in_flight -= pass->weight;
}


static double
oracle_retry_after_s(void *law, const sim_ask_t *ask)
{
    double     wait_s;
    oracle_t  *oracle = law;

    if (oracle->backend->mode != SIM_BACKEND_ALIVE) {
        wait_s = 3;

    } else {
        wait_s = oracle->offered / (oracle->admitted + 1) - 1;
        wait_s = (wait_s < 1) ? 1 : (wait_s > 8) ? 8 : wait_s;
    }

    return wait_s * (0.5 + sim_uniform(ask->random));
}


static void
oracle_tick(void *law, uint64_t now_ns)
{
    oracle_t  *oracle = law;

    (void) now_ns;

    oracle->offered *= 0.9;
    oracle->admitted *= 0.9;
}


static void
oracle_show(void *law, sim_show_t *show)
{
    oracle_t  *oracle = law;

    show->limit = oracle_room(oracle, 0);
    show->in_flight = oracle->in_flight;
}


const sim_law_t  sim_law_oracle = {
    "oracle", "omniscient: sees workers, queue and warmth",
    oracle_create, free, oracle_admit, oracle_done, oracle_retry_after_s,
    oracle_tick, NULL, oracle_show, 0
};
