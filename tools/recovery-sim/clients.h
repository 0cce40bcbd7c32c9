
/*
 * Users who do not wait for each other (an open loop): when the service
 * slows down they come all the same.
 *
 * A user comes, makes a heavy-tailed number of calls, and thinks between
 * them.  Each call is an operation of one of four classes.  An operation is
 * attempted until it is answered, four times at most; who gave up may come
 * back later, as somebody new.
 */

#ifndef SIM_CLIENTS_H_INCLUDED_
#define SIM_CLIENTS_H_INCLUDED_


#include "engine.h"
#include "law.h"


typedef enum {
    SIM_MANNER_HONOUR = 0,              /* waits as long as Retry-After says */
    SIM_MANNER_BACKOFF,                 /* twice as long each time */
    SIM_MANNER_RUDE,                    /* after about 100 ms */
    SIM_MANNER_TOGETHER                 /* at the next full second */
} sim_manner_t;


typedef struct {
    uint64_t             id;            /* what its luck hangs on */
    uint32_t             left;          /* calls */
    uint32_t             open;          /* calls begun, not over yet */
    uint32_t             next;          /* free list */
    uint8_t              begun[SIM_TRAFFIC];    /* of them, in the recovery */
    uint8_t              lost[SIM_TRAFFIC];     /* a call failed for good */
} sim_session_t;


typedef struct {
    uint64_t             id;
    uint64_t             user;
    uint32_t             session;       /* SIM_NOBODY: it has none */
    uint32_t             weight;
    uint8_t              traffic;
    uint8_t              manner;
    uint8_t              node;
    uint8_t              attempts;
    uint8_t              visits;
    uint8_t              judged;        /* begun in the recovery */
    uint8_t              again;         /* the log says: a retry */
    uint32_t             request;       /* of the log */
    uint32_t             next;
} sim_op_t;


typedef struct {
    sim_pass_t           pass;
    uint64_t             luck;
    double               work_s;
    double               asks_s;        /* of a worker; 0: as luck has it */
    uint32_t             op;
    uint32_t             life;          /* of the backend that has it */
    uint8_t              node;
    uint8_t              refs;          /* events and the queue */
    uint8_t              over;          /* answered, or the client left */
    uint8_t              miss;
    uint8_t              error;
    uint8_t              logged;        /* the log has the answer */
    uint8_t              result;        /* ... which is it */
    uint32_t             next;
} sim_attempt_t;


/* A pool of things with an index; the free ones are a list. */

typedef struct {
    void                *items;
    uint32_t             size;
    uint32_t             next_at;       /* offset of "next" in an item */
    uint32_t             room;
    uint32_t             free;          /* SIM_NOBODY: none */
} sim_pool_t;

#define SIM_NOBODY  UINT32_MAX


typedef struct {
    sim_rng_t            rng;           /* who comes */
    sim_pool_t           sessions;
    sim_pool_t           ops;
    sim_pool_t           attempts;
    double               demand;        /* now, times the nominal */
    double               calls;         /* of a user, mean */
    double               share[SIM_NODES_MAX];  /* of the nodes, added up */
    uint64_t             nusers;
    uint64_t             nwaves;
    double               wave;          /* times the nominal demand */
} sim_clients_t;


void sim_clients_init(sim_clients_t *clients, const sim_scenario_t *scenario,
    uint64_t seed);
void sim_clients_done(sim_clients_t *clients);

/* Share of the demand that comes to a node. */
double sim_clients_share(const sim_clients_t *clients, unsigned node);

/* Handlers of the engine; data is the world. */
void sim_on_session(void *data, uint32_t index);
void sim_on_call(void *data, uint32_t index);
void sim_on_attempt(void *data, uint32_t index);
void sim_on_wave(void *data, uint32_t index);
void sim_on_timeout(void *data, uint32_t index);
void sim_on_answer(void *data, uint32_t index);
void sim_on_served(void *data, uint32_t index);


#endif /* SIM_CLIENTS_H_INCLUDED_ */
