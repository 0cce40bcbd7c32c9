
/*
 * The event queue: what happens next, in virtual time.  Events of the same
 * time come in the order in which they were asked for, so that a run is
 * repeated to the byte.
 */

#ifndef SIM_ENGINE_H_INCLUDED_
#define SIM_ENGINE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define SIM_S   1000000000ull           /* in ns, as all times are */
#define SIM_MS  1000000ull


typedef enum {
    SIM_EVENT_SESSION = 0,              /* a user comes */
    SIM_EVENT_CALL,                     /* a user's next call */
    SIM_EVENT_ATTEMPT,                  /* an operation is tried, again */
    SIM_EVENT_TIMEOUT,                  /* of an attempt */
    SIM_EVENT_ANSWER,                   /* an error, from the backend */
    SIM_EVENT_SERVED,                   /* a worker is done */
    SIM_EVENT_TICK,
    SIM_EVENT_STEP,                     /* of the scenario's script */
    SIM_EVENT_WAVE,                     /* of a backlog */
    SIM_EVENT_LOG,                      /* the next request of a log */
    SIM_EVENTS
} sim_event_kind_t;


typedef void (*sim_event_pt)(void *data, uint32_t index);


typedef struct {
    uint64_t             at_ns;
    uint32_t             order;
    uint32_t             tag;           /* kind and index */
} sim_event_t;


typedef struct {
    uint64_t             now_ns;
    uint32_t             order;
    sim_event_pt         handlers[SIM_EVENTS];
    void                *data;
    sim_event_t         *heap;
    size_t               n;
    size_t               room;
} sim_engine_t;


#define SIM_INDEX_BITS  26


void sim_engine_init(sim_engine_t *engine, void *data);
void sim_engine_done(sim_engine_t *engine);

/* index: below 2^SIM_INDEX_BITS.  Never earlier than now. */
void sim_engine_at(sim_engine_t *engine, uint64_t at_ns,
    sim_event_kind_t kind, uint32_t index);

void sim_engine_run(sim_engine_t *engine, uint64_t end_ns);

uint64_t sim_ns(double seconds);
double sim_seconds(uint64_t ns);

/* malloc and realloc that end the program when there is none. */
void *sim_alloc(size_t size);
void *sim_grow(void *p, size_t size);


#endif /* SIM_ENGINE_H_INCLUDED_ */
