
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"


/* Calls of a user: Pareto, of exponent 1.5, so that few make most of them. */
#define SIM_CALLS_MAX    100
#define SIM_CALLS_SHAPE  (1 / 1.5)
#define SIM_THINK_S      1.0

#define SIM_ATTEMPTS     4
#define SIM_VISITS       3

/* Those who gave up come back after so long. */
#define SIM_COMEBACK_MIN_S  5
#define SIM_COMEBACK_MAX_S  25

#define SIM_BACKOFF_S    0.2
#define SIM_RUDE_S       0.1
#define SIM_WAVE_S       0.05           /* how sharp a wave is */

/* What the luck of an operation is asked for. */

enum {
    LUCK_CLASS = 100,
    LUCK_MANNER,
    LUCK_NODE,
    LUCK_COMEBACK,
    LUCK_COMEBACK_WHEN,
    LUCK_WAVE,
    LUCK_WAIT,
    LUCK_CALL = 1000
};

/* Shares of the four classes, added up. */
static const double  traffic_share[SIM_TRAFFIC] = { 0.1, 0.3, 0.8, 1 };


static void
pool_init(sim_pool_t *pool, size_t size, size_t next_at)
{
    memset(pool, 0, sizeof(*pool));

    pool->size = (uint32_t) size;
    pool->next_at = (uint32_t) next_at;
    pool->free = SIM_NOBODY;
}


static inline void *
pool_at(const sim_pool_t *pool, uint32_t i)
{
    return (char *) pool->items + (size_t) i * pool->size;
}


static inline uint32_t *
pool_next(const sim_pool_t *pool, uint32_t i)
{
    return (uint32_t *) (void *) ((char *) pool_at(pool, i) + pool->next_at);
}


static uint32_t
pool_take(sim_pool_t *pool)
{
    uint32_t  i, room;

    if (pool->free == SIM_NOBODY) {
        room = pool->room ? 2 * pool->room : 1024;
        pool->items = sim_grow(pool->items, (size_t) room * pool->size);

        for (i = room; i > pool->room; i--) {
            *pool_next(pool, i - 1) = pool->free;
            pool->free = i - 1;
        }

        pool->room = room;
    }

    i = pool->free;
    pool->free = *pool_next(pool, i);
    memset(pool_at(pool, i), 0, pool->size);

    return i;
}


static void
pool_give(sim_pool_t *pool, uint32_t i)
{
    *pool_next(pool, i) = pool->free;
    pool->free = i;
}


sim_op_t *
sim_op(sim_world_t *world, uint32_t i)
{
    return pool_at(&world->clients.ops, i);
}


sim_attempt_t *
sim_attempt(sim_world_t *world, uint32_t i)
{
    return pool_at(&world->clients.attempts, i);
}


uint32_t
sim_attempt_new(sim_world_t *world)
{
    return pool_take(&world->clients.attempts);
}


void
sim_attempt_unref(sim_world_t *world, uint32_t i)
{
    if (--sim_attempt(world, i)->refs == 0) {
        pool_give(&world->clients.attempts, i);
    }
}


void
sim_clients_init(sim_clients_t *clients, const sim_scenario_t *scenario,
    uint64_t seed)
{
    int       n;
    double    sum, part;
    unsigned  i;

    memset(clients, 0, sizeof(*clients));

    clients->rng.state = sim_hash(seed, 0, 11);
    clients->demand = 1;

    pool_init(&clients->sessions, sizeof(sim_session_t),
              offsetof(sim_session_t, next));
    pool_init(&clients->ops, sizeof(sim_op_t), offsetof(sim_op_t, next));
    pool_init(&clients->attempts, sizeof(sim_attempt_t),
              offsetof(sim_attempt_t, next));

    for (n = 1; n <= SIM_CALLS_MAX; n++) {
        clients->calls += pow(n, -1 / SIM_CALLS_SHAPE);
    }

    sum = 0;
    part = 1;

    for (i = 0; i < scenario->nodes; i++) {
        sum += part;
        clients->share[i] = sum;
        part /= scenario->skew;
    }

    for (i = 0; i < scenario->nodes; i++) {
        clients->share[i] /= sum;
    }
}


void
sim_clients_done(sim_clients_t *clients)
{
    free(clients->sessions.items);
    free(clients->ops.items);
    free(clients->attempts.items);
}


double
sim_clients_share(const sim_clients_t *clients, unsigned node)
{
    return clients->share[node] - (node ? clients->share[node - 1] : 0);
}


static double
op_luck(const sim_op_t *op, uint64_t what)
{
    return sim_uniform(sim_hash(op->id, op->visits, what));
}


/* The first of the shares, added up, that a number is below. */

static uint8_t
pick(const double *shares, unsigned n, double x)
{
    unsigned  i;

    for (i = 0; i + 1 < n && x >= shares[i]; i++) { /* void */ }

    return (uint8_t) i;
}


/*
 * A call is over.  When it was the user's last: of the classes in which none
 * has failed he has had all that he came for.
 */

static void
session_over(sim_world_t *world, const sim_op_t *op, int lost)
{
    unsigned        i;
    sim_session_t  *session;

    if (op->session == SIM_NOBODY) {
        return;
    }

    session = pool_at(&world->clients.sessions, op->session);
    session->lost[op->traffic] |= (uint8_t) lost;

    if (--session->open != 0 || session->left != 0) {
        return;
    }

    for (i = 0; i < SIM_TRAFFIC; i++) {
        if (!session->lost[i]) {
            world->run->whole += session->begun[i] * world->scenario->weight;
        }
    }

    pool_give(&world->clients.sessions, op->session);
}


static uint32_t
op_new(sim_world_t *world, uint64_t id, uint64_t user)
{
    double                 x;
    uint32_t               i;
    sim_op_t              *op;
    const sim_scenario_t  *scenario;

    scenario = world->scenario;

    i = pool_take(&world->clients.ops);
    op = sim_op(world, i);

    op->id = id;
    op->user = user;
    op->session = SIM_NOBODY;
    op->weight = scenario->weight;
    op->traffic = pick(traffic_share, SIM_TRAFFIC, op_luck(op, LUCK_CLASS));
    op->node = pick(world->clients.share, scenario->nodes,
                    sim_uniform(sim_hash(user, 0, LUCK_NODE)));
    op->judged = (world->engine.now_ns >= world->judge_ns);

    x = op_luck(op, LUCK_MANNER);
    op->manner = (x < scenario->honour) ? SIM_MANNER_HONOUR
                 : (x < 1 - scenario->rude) ? SIM_MANNER_BACKOFF
                 : SIM_MANNER_RUDE;

    return i;
}


static void
op_begin(sim_world_t *world, uint32_t i)
{
    sim_op_t  *op;

    op = sim_op(world, i);

    sim_world_second(world)->demand += op->weight;

    if (op->judged && op->visits == 0) {
        world->run->begun[op->traffic] += op->weight;
    }

    sim_attempt_begin(world, i);
}


static void
op_over(sim_world_t *world, uint32_t i, int served)
{
    const sim_op_t  *op;

    op = sim_op(world, i);

    if (world->play != NULL) {
        world->play->over(world->play->data, op, served);
    }

    session_over(world, op, !served || op->visits != 0);
    pool_give(&world->clients.ops, i);
}


void
sim_op_served(sim_world_t *world, uint32_t i)
{
    sim_op_t  *op;

    op = sim_op(world, i);

    sim_world_second(world)->good += op->weight;

    if (op->judged && op->visits == 0) {
        world->run->served[op->traffic] += op->weight;
    }

    op_over(world, i, 1);
}


static double
op_wait_s(sim_world_t *world, const sim_op_t *op, double retry_after_s)
{
    double  jitter, now_s;

    jitter = 0.5 + op_luck(op, LUCK_WAIT + op->attempts);

    switch (op->manner) {

    case SIM_MANNER_RUDE:
        return SIM_RUDE_S * jitter;

    case SIM_MANNER_TOGETHER:
        now_s = sim_seconds(world->engine.now_ns);
        return floor(now_s) + 1 - now_s + SIM_WAVE_S * (jitter - 0.5);

    case SIM_MANNER_HONOUR:

        if (retry_after_s > 0) {
            return retry_after_s;
        }

        break;

    default:
        break;
    }

    return SIM_BACKOFF_S * (double) (1u << op->attempts) * jitter;
}


void
sim_op_failed(sim_world_t *world, uint32_t i, double retry_after_s)
{
    double     wait_s;
    sim_op_t  *op;

    op = sim_op(world, i);

    if (world->play != NULL && !world->play->retries) {
        op_over(world, i, 0);
        return;
    }

    if (++op->attempts < SIM_ATTEMPTS) {
        wait_s = op_wait_s(world, op, retry_after_s);

    } else {

        if (op->visits + 1 >= SIM_VISITS
            || op_luck(op, LUCK_COMEBACK) >= world->scenario->comeback)
        {
            op_over(world, i, 0);
            return;
        }

        wait_s = SIM_COMEBACK_MIN_S
                 + op_luck(op, LUCK_COMEBACK_WHEN)
                   * (SIM_COMEBACK_MAX_S - SIM_COMEBACK_MIN_S);
        op->visits++;
        op->attempts = 0;
    }

    sim_engine_at(&world->engine, world->engine.now_ns + sim_ns(wait_s),
                  SIM_EVENT_ATTEMPT, i);
}


void
sim_op_play(sim_world_t *world, const sim_op_t *as)
{
    uint32_t   i;
    sim_op_t  *op;

    i = op_new(world, as->id, as->user);
    op = sim_op(world, i);

    op->traffic = as->traffic;
    op->again = as->again;
    op->request = as->request;

    op_begin(world, i);
}


/* Of a batch some were let in; the rest goes its own way. */

uint32_t
sim_op_split(sim_world_t *world, uint32_t i, uint32_t passed)
{
    uint32_t        rest_index;
    sim_op_t       *op, *rest;
    sim_session_t  *session;

    rest_index = pool_take(&world->clients.ops);
    op = sim_op(world, i);
    rest = sim_op(world, rest_index);

    *rest = *op;
    rest->weight = op->weight - passed;
    rest->id = sim_hash(op->id, op->attempts, passed);
    op->weight = passed;

    if (op->session != SIM_NOBODY) {
        session = pool_at(&world->clients.sessions, op->session);
        session->open++;
    }

    return rest_index;
}


void
sim_on_attempt(void *data, uint32_t index)
{
    sim_op_t     *op;
    sim_world_t  *world = data;

    op = sim_op(world, index);

    if (op->attempts == 0) {
        op_begin(world, index);

    } else {
        sim_attempt_begin(world, index);
    }
}


static void
session_call(sim_world_t *world, uint32_t index)
{
    uint32_t        i;
    uint64_t        bits, id;
    sim_op_t       *op;
    sim_session_t  *session;

    session = pool_at(&world->clients.sessions, index);
    id = session->id;
    session->left--;
    session->open++;

    bits = sim_hash(id, session->left, LUCK_CALL);

    if (session->left != 0) {
        sim_engine_at(&world->engine,
                      world->engine.now_ns
                      + sim_ns(SIM_THINK_S * sim_exponential(bits)),
                      SIM_EVENT_CALL, index);
    }

    i = op_new(world, bits, id);
    op = sim_op(world, i);
    op->session = index;
    session->begun[op->traffic] += op->judged;

    op_begin(world, i);
}


void
sim_on_call(void *data, uint32_t index)
{
    session_call(data, index);
}


static uint32_t
session_new(sim_world_t *world, uint32_t calls)
{
    uint32_t        i;
    sim_session_t  *session;

    i = pool_take(&world->clients.sessions);
    session = pool_at(&world->clients.sessions, i);
    session->id = sim_hash(world->run->seed, world->clients.nusers++, 12);
    session->left = calls;

    return i;
}


/*
 * Those who are there when the run begins: as many with so many calls left
 * as there always are, or the first minute would be one of growth.
 */

void
sim_clients_begin(sim_world_t *world)
{
    double          mean;
    uint32_t        left, n;
    sim_clients_t  *clients;

    clients = &world->clients;

    for (left = 1; left < SIM_CALLS_MAX; left++) {
        mean = world->scenario->demand / world->scenario->weight
               / clients->calls * SIM_THINK_S
               * pow(left + 1, -1 / SIM_CALLS_SHAPE);

        n = (uint32_t) (mean + sim_uniform(sim_rng_next(&clients->rng)));

        while (n-- != 0) {
            sim_engine_at(&world->engine,
                          sim_ns(SIM_THINK_S * sim_exponential(
                                                 sim_rng_next(&clients->rng))),
                          SIM_EVENT_CALL, session_new(world, left));
        }
    }

    sim_engine_at(&world->engine, 0, SIM_EVENT_SESSION, 0);
}


/* A user comes, and the next one is on the way. */

void
sim_on_session(void *data, uint32_t index)
{
    double          calls, rate;
    sim_world_t    *world = data;
    sim_clients_t  *clients;

    (void) index;

    clients = &world->clients;

    rate = world->scenario->demand * clients->demand
           / world->scenario->weight / clients->calls;

    sim_engine_at(&world->engine,
                  world->engine.now_ns
                  + sim_ns(sim_exponential(sim_rng_next(&clients->rng))
                           / rate),
                  SIM_EVENT_SESSION, 0);

    calls = pow(1 - sim_uniform(sim_rng_next(&clients->rng)),
                -SIM_CALLS_SHAPE);

    session_call(world, session_new(world, (uint32_t) fmin(calls,
                                                           SIM_CALLS_MAX)));
}


/* The pent-up demand of an outage, all within a moment. */

void
sim_on_wave(void *data, uint32_t index)
{
    double          n;
    uint32_t        i;
    uint64_t        id;
    sim_op_t       *op;
    sim_world_t    *world = data;
    sim_clients_t  *clients;

    (void) index;

    clients = &world->clients;

    n = world->scenario->demand * (clients->wave - 1)
        / world->scenario->weight;

    for (/* void */ ; n >= 1; n--) {
        id = sim_hash(world->run->seed, clients->nwaves++, LUCK_WAVE);
        i = op_new(world, id, id);
        op = sim_op(world, i);
        op->manner = SIM_MANNER_TOGETHER;

        sim_engine_at(&world->engine,
                      world->engine.now_ns
                      + sim_ns(SIM_WAVE_S * op_luck(op, LUCK_WAVE)),
                      SIM_EVENT_ATTEMPT, i);
    }
}
