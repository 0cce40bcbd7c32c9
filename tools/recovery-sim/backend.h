
/*
 * A backend: workers, a finite queue, a cache that only serving warms.
 *
 * Work goes on after its client has gone, since nobody tells the worker.
 * That is what keeps a fallen service down: it is busy with answers that
 * nobody waits for.
 */

#ifndef SIM_BACKEND_H_INCLUDED_
#define SIM_BACKEND_H_INCLUDED_


#include "engine.h"
#include "rng.h"
#include "scenario.h"


/* Above this share of its workers a backend that degrades loses time. */
#define SIM_CONTENTION_FROM  0.8

/* How long an entry of the cache lives. */
#define SIM_CACHE_S          600


typedef enum {
    SIM_BACKEND_ALIVE = 0,
    SIM_BACKEND_FAIL,
    SIM_BACKEND_HANG
} sim_backend_mode_t;


typedef struct {
    const sim_scenario_t  *scenario;
    sim_noise_t            noise;
    uint64_t               seed;

    sim_backend_mode_t     mode;
    uint32_t               life;        /* changes with each break */
    double                 strength;    /* share of its workers */
    double                 strength_to;
    double                 strength_step;   /* per tick */
    double                 slow;
    double                 errors;
    double                 warmth;      /* share of hits */
    uint64_t               warmth_ns;   /* when it was last reckoned */
    uint64_t               stalled_ns;  /* until then */

    double                 busy;        /* requests in service */
    double                 queued;      /* requests waiting */

    uint32_t              *ring;        /* attempts that wait */
    uint32_t               head;
    uint32_t               n;
    uint32_t               room;        /* a power of two */
} sim_backend_t;


void sim_backend_init(sim_backend_t *backend,
    const sim_scenario_t *scenario, uint64_t seed);
void sim_backend_done(sim_backend_t *backend);

double sim_backend_workers(const sim_backend_t *backend);

/* Mean time of a request that runs alone, as warm as the cache is. */
double sim_backend_service_s(const sim_backend_t *backend);

/* Requests a second that it can do now; dead: what it did when it lived. */
double sim_backend_capacity(const sim_backend_t *backend);

int sim_backend_has_worker(const sim_backend_t *backend);
int sim_backend_has_place(const sim_backend_t *backend);

void sim_backend_queue(sim_backend_t *backend, uint32_t attempt,
    uint32_t weight);

/* 0: nobody waits. */
int sim_backend_unqueue(sim_backend_t *backend, uint32_t *attempt);

/*
 * A worker begins: how long it will take; *error: it ends in a 500.  work_s:
 * of a hit that runs alone; 0: as luck has it.
 */
double sim_backend_begin(sim_backend_t *backend, uint32_t weight,
    double work_s, uint64_t luck, int *error, int *miss);

/* ... and is done. */
void sim_backend_end(sim_backend_t *backend, uint32_t weight, int miss);

/* Every 100 ms: what changes by time alone. */
void sim_backend_tick(sim_backend_t *backend, uint64_t now_ns);

void sim_backend_break(sim_backend_t *backend, sim_backend_mode_t mode);


#endif /* SIM_BACKEND_H_INCLUDED_ */
