
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"


/* Four children a node: half the levels of a binary heap, same lines. */
#define SIM_CHILDREN  4


void *
sim_grow(void *p, size_t size)
{
    p = realloc(p, size);

    if (p == NULL) {
        fprintf(stderr, "recovery-sim: no memory\n");
        exit(2);
    }

    return p;
}


void *
sim_alloc(size_t size)
{
    return memset(sim_grow(NULL, size), 0, size);
}


uint64_t
sim_ns(double seconds)
{
    return (seconds <= 0) ? 0 : (uint64_t) (seconds * 1e9 + 0.5);
}


double
sim_seconds(uint64_t ns)
{
    return (double) ns / 1e9;
}


void
sim_engine_init(sim_engine_t *engine, void *data)
{
    memset(engine, 0, sizeof(*engine));

    engine->data = data;
    engine->room = 4096;
    engine->heap = sim_alloc(engine->room * sizeof(sim_event_t));
}


void
sim_engine_done(sim_engine_t *engine)
{
    free(engine->heap);
}


static inline int
engine_before(const sim_event_t *a, const sim_event_t *b)
{
    return a->at_ns < b->at_ns
           || (a->at_ns == b->at_ns && a->order < b->order);
}


void
sim_engine_at(sim_engine_t *engine, uint64_t at_ns, sim_event_kind_t kind,
    uint32_t index)
{
    size_t       i, parent;
    sim_event_t  event;

    if (engine->n == engine->room) {
        engine->room *= 2;
        engine->heap = sim_grow(engine->heap,
                                engine->room * sizeof(sim_event_t));
    }

    event.at_ns = (at_ns > engine->now_ns) ? at_ns : engine->now_ns;
    event.order = engine->order++;
    event.tag = (uint32_t) kind << SIM_INDEX_BITS | index;

    for (i = engine->n++; i != 0; i = parent) {
        parent = (i - 1) / SIM_CHILDREN;

        if (!engine_before(&event, &engine->heap[parent])) {
            break;
        }

        engine->heap[i] = engine->heap[parent];
    }

    engine->heap[i] = event;
}


static sim_event_t
engine_take(sim_engine_t *engine)
{
    size_t       i, child, least, end;
    sim_event_t  first, last;

    first = engine->heap[0];
    last = engine->heap[--engine->n];

    for (i = 0; ; i = least) {
        child = i * SIM_CHILDREN + 1;

        if (child >= engine->n) {
            break;
        }

        end = child + SIM_CHILDREN;
        end = (end < engine->n) ? end : engine->n;

        for (least = child++; child < end; child++) {
            if (engine_before(&engine->heap[child], &engine->heap[least])) {
                least = child;
            }
        }

        if (!engine_before(&engine->heap[least], &last)) {
            break;
        }

        engine->heap[i] = engine->heap[least];
    }

    engine->heap[i] = last;

    return first;
}


void
sim_engine_run(sim_engine_t *engine, uint64_t end_ns)
{
    sim_event_t  event;

    while (engine->n != 0 && engine->heap[0].at_ns < end_ns) {
        event = engine_take(engine);

        engine->now_ns = event.at_ns;
        engine->handlers[event.tag >> SIM_INDEX_BITS](
            engine->data, event.tag & ((1u << SIM_INDEX_BITS) - 1));
    }

    engine->now_ns = end_ns;
}
