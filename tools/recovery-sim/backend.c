
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"


/* A stalled backend (collecting garbage, compacting) takes so many times. */
#define SIM_STALL_X   4
#define SIM_STALL_NS  (500 * SIM_MS)

/* No contention makes work take more than so many times. */
#define SIM_CONTENTION_MAX  10

/* An application error comes after so much of the work. */
#define SIM_ERROR_WORK  0.3


void
sim_backend_init(sim_backend_t *backend, const sim_scenario_t *scenario,
    uint64_t seed)
{
    memset(backend, 0, sizeof(*backend));

    backend->scenario = scenario;
    backend->seed = seed;
    backend->strength = 1;
    backend->strength_to = 1;
    backend->slow = 1;
    backend->warmth = 1;
    backend->room = 1024;
    backend->ring = sim_alloc(backend->room * sizeof(uint32_t));

    sim_noise_init(&backend->noise, scenario->noise);
}


void
sim_backend_done(sim_backend_t *backend)
{
    free(backend->ring);
}


double
sim_backend_workers(const sim_backend_t *backend)
{
    double  workers;

    workers = floor(backend->scenario->workers * backend->strength + 0.5);

    return workers > 1 ? workers : 1;
}


double
sim_backend_service_s(const sim_backend_t *backend)
{
    const sim_scenario_t  *scenario;

    scenario = backend->scenario;

    return scenario->service_s * backend->slow
           * (1 + (1 - backend->warmth) * (scenario->cold_x - 1));
}


double
sim_backend_capacity(const sim_backend_t *backend)
{
    double  workers;

    if (backend->mode != SIM_BACKEND_ALIVE) {
        return sim_scenario_capacity(backend->scenario);
    }

    workers = sim_backend_workers(backend);

    if (backend->scenario->contention > 0) {
        workers *= SIM_CONTENTION_FROM;
    }

    return workers / sim_backend_service_s(backend);
}


int
sim_backend_has_worker(const sim_backend_t *backend)
{
    return backend->busy < sim_backend_workers(backend);
}


int
sim_backend_has_place(const sim_backend_t *backend)
{
    return backend->queued < backend->scenario->queue
                             * backend->scenario->workers;
}


void
sim_backend_queue(sim_backend_t *backend, uint32_t attempt, uint32_t weight)
{
    uint32_t   i;
    uint32_t  *ring;

    if (backend->n == backend->room) {
        ring = sim_alloc(2 * backend->room * sizeof(uint32_t));

        for (i = 0; i < backend->n; i++) {
            ring[i] = backend->ring[(backend->head + i) % backend->room];
        }

        free(backend->ring);
        backend->ring = ring;
        backend->head = 0;
        backend->room *= 2;
    }

    backend->ring[(backend->head + backend->n++) % backend->room] = attempt;
    backend->queued += weight;
}


int
sim_backend_unqueue(sim_backend_t *backend, uint32_t *attempt)
{
    if (backend->n == 0) {
        return 0;
    }

    *attempt = backend->ring[backend->head];
    backend->head = (backend->head + 1) % backend->room;
    backend->n--;

    return 1;
}


/* Time lost to each other by those who are in it together. */

static double
backend_contention(const sim_backend_t *backend)
{
    double  load, factor;

    if (backend->scenario->contention == 0) {
        return 1;
    }

    load = (backend->busy + backend->queued) / sim_backend_workers(backend);

    if (load <= SIM_CONTENTION_FROM) {
        return 1;
    }

    factor = 1 + backend->scenario->contention * (load - SIM_CONTENTION_FROM);

    return factor < SIM_CONTENTION_MAX ? factor : SIM_CONTENTION_MAX;
}


double
sim_backend_begin(sim_backend_t *backend, uint32_t weight, double work_s,
    uint64_t luck, int *error, int *miss)
{
    double  s;

    backend->busy += weight;

    *miss = (sim_uniform(sim_hash(luck, 1, 0)) >= backend->warmth);
    *error = (sim_uniform(sim_hash(luck, 2, 0)) < backend->errors);

    s = (work_s > 0) ? work_s : backend->scenario->service_s;
    s = s * backend->slow * backend_contention(backend);

    if (work_s == 0) {
        s *= sim_noise(&backend->noise, sim_hash(luck, 3, 0));
    }

    if (*error) {
        *miss = 0;
        return s * SIM_ERROR_WORK;
    }

    if (*miss) {
        s *= backend->scenario->cold_x;
    }

    return backend->stalled_ns != 0 ? s * SIM_STALL_X : s;
}


void
sim_backend_end(sim_backend_t *backend, uint32_t weight, int miss)
{
    backend->busy -= weight;

    if (miss) {
        backend->warmth = fmin(1, backend->warmth
                                  + weight / backend->scenario->keys);
    }
}


void
sim_backend_tick(sim_backend_t *backend, uint64_t now_ns)
{
    double    every_s;
    uint64_t  every_ns, n;

    backend->warmth -= backend->warmth
                       * sim_seconds(now_ns - backend->warmth_ns)
                       / SIM_CACHE_S;
    backend->warmth_ns = now_ns;

    if (backend->strength != backend->strength_to) {
        backend->strength += backend->strength_step;

        if ((backend->strength - backend->strength_to)
            * backend->strength_step >= 0)
        {
            backend->strength = backend->strength_to;
        }
    }

    every_s = backend->scenario->stall_every_s;
    backend->stalled_ns = 0;

    if (every_s > 0) {
        /* one in each period, anywhere in it */
        every_ns = sim_ns(every_s);
        n = now_ns / every_ns;

        if (now_ns % every_ns - (uint64_t) (sim_uniform(sim_hash(
                backend->seed, n, 7)) * (double) (every_ns - SIM_STALL_NS))
            < SIM_STALL_NS)
        {
            backend->stalled_ns = now_ns;
        }
    }
}


void
sim_backend_break(sim_backend_t *backend, sim_backend_mode_t mode)
{
    backend->mode = mode;
    backend->life++;
    backend->busy = 0;
    backend->queued = 0;
    backend->n = 0;
    backend->head = 0;
}
