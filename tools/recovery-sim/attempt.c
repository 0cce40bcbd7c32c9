
#include "attempt.h"


/* A refusal and an error of a dead backend are quick. */
#define SIM_REFUSAL_NS  (2 * SIM_MS)


/* The proxy hears what came of it, then the client. */

static void
attempt_over(sim_world_t *world, uint32_t index, sim_result_t result)
{
    uint32_t        op;
    sim_second_t   *second;
    sim_attempt_t  *attempt;

    attempt = sim_attempt(world, index);
    second = sim_world_second(world);

    attempt->over = 1;
    op = attempt->op;

    world->law->done(world->laws[attempt->node], &attempt->pass, result,
                     world->engine.now_ns);

    switch (result) {

    case SIM_RESULT_OK:
    case SIM_RESULT_ASIDE:
        sim_op_served(world, op);
        return;

    case SIM_RESULT_TIMEOUT:
    case SIM_RESULT_GONE:
        second->timeouts += attempt->pass.weight;
        break;

    default:
        second->errors += attempt->pass.weight;
        break;
    }

    sim_op_failed(world, op, 0);
}


static void
attempt_work(sim_world_t *world, uint32_t index)
{
    int             error, miss;
    double          s;
    sim_attempt_t  *attempt;

    attempt = sim_attempt(world, index);

    s = sim_backend_begin(&world->backend, attempt->pass.weight,
                          attempt->asks_s, attempt->luck, &error, &miss);

    attempt->work_s = s;
    attempt->error = (uint8_t) error;
    attempt->miss = (uint8_t) miss;
    attempt->life = world->backend.life;

    sim_engine_at(&world->engine, world->engine.now_ns + sim_ns(s),
                  SIM_EVENT_SERVED, index);
}


static void
attempt_refused(sim_world_t *world, uint32_t index)
{
    sim_engine_at(&world->engine, world->engine.now_ns + SIM_REFUSAL_NS,
                  SIM_EVENT_ANSWER, index);
}


static void
attempt_arrives(sim_world_t *world, uint32_t index)
{
    sim_attempt_t  *attempt;
    sim_backend_t  *backend;

    attempt = sim_attempt(world, index);
    backend = &world->backend;

    if (backend->mode == SIM_BACKEND_HANG) {
        sim_attempt_unref(world, index);

    } else if (backend->mode == SIM_BACKEND_FAIL) {
        attempt_refused(world, index);

    } else if (sim_backend_has_worker(backend)) {
        attempt_work(world, index);

    } else if (sim_backend_has_place(backend)) {
        sim_backend_queue(backend, index, attempt->pass.weight);

    } else {
        attempt_refused(world, index);
    }
}


/* What the log says came of it, and when; 0: it does not say. */

static int
attempt_logged(sim_world_t *world, uint32_t index)
{
    double          s;
    sim_result_t    result;
    sim_attempt_t  *attempt;
    const sim_op_t *op;

    if (world->play == NULL) {
        return 0;
    }

    attempt = sim_attempt(world, index);
    op = sim_op(world, attempt->op);

    s = world->play->answer_s(world->play->data, op, &result);

    if (s < 0) {
        attempt->asks_s = world->play->work_s(world->play->data, op);
        return 0;
    }

    attempt->logged = 1;
    attempt->result = (uint8_t) result;
    attempt->life = world->backend.life;
    attempt->refs = 1;

    sim_engine_at(&world->engine, world->engine.now_ns + sim_ns(s),
                  SIM_EVENT_SERVED, index);

    return 1;
}


static void
attempt_send(sim_world_t *world, uint32_t op_index, const sim_pass_t *pass,
    uint64_t luck)
{
    double          s;
    uint32_t        index;
    sim_attempt_t  *attempt;

    index = sim_attempt_new(world);
    attempt = sim_attempt(world, index);

    attempt->pass = *pass;
    attempt->op = op_index;
    attempt->node = sim_op(world, op_index)->node;
    attempt->luck = luck;
    attempt->refs = 2;

    sim_world_second(world)->passed += pass->weight;

    if (attempt_logged(world, index)) {
        return;
    }

    s = world->scenario->patience_s;
    s = (s < world->scenario->proxy_s) ? s : world->scenario->proxy_s;

    sim_engine_at(&world->engine, world->engine.now_ns + sim_ns(s),
                  SIM_EVENT_TIMEOUT, index);

    attempt_arrives(world, index);
}


void
sim_attempt_begin(sim_world_t *world, uint32_t op_index)
{
    double       retry_after_s;
    void        *law;
    uint32_t     rest, weight;
    sim_op_t    *op;
    sim_ask_t    ask;
    sim_pass_t   pass;

    op = sim_op(world, op_index);
    law = world->laws[op->node];
    weight = op->weight;

    ask.now_ns = world->engine.now_ns;
    ask.traffic = op->traffic;
    ask.weight = weight;
    ask.classified = (world->play != NULL);
    ask.retry = (op->attempts != 0 || op->again);
    ask.random = sim_hash(op->id, op->visits, op->attempts);
    ask.user = op->user;

    pass = (sim_pass_t) { 0 };
    pass.at_ns = ask.now_ns;
    pass.traffic = op->traffic;
    pass.weight = world->law->admit(law, &ask, &pass);

    sim_world_second(world)->offered += weight;

    if (world->play != NULL) {
        world->play->decided(world->play->data, op, &pass);
    }

    if (!world->broken) {
        world->run->calm_offered += weight;
        world->run->calm_shed += weight - pass.weight;
    }

    if (pass.weight == weight) {
        attempt_send(world, op_index, &pass, ask.random);
        return;
    }

    rest = op_index;
    retry_after_s = world->law->retry_after_s(law, &ask);

    if (pass.weight != 0) {
        rest = sim_op_split(world, op_index, pass.weight);
        attempt_send(world, op_index, &pass, ask.random);
    }

    sim_op_failed(world, rest, retry_after_s);
}


void
sim_on_timeout(void *data, uint32_t index)
{
    sim_world_t  *world = data;

    if (!sim_attempt(world, index)->over) {
        attempt_over(world, index,
                     world->scenario->proxy_s < world->scenario->patience_s
                     ? SIM_RESULT_TIMEOUT : SIM_RESULT_GONE);
    }

    sim_attempt_unref(world, index);
}


void
sim_on_answer(void *data, uint32_t index)
{
    sim_world_t  *world = data;

    if (!sim_attempt(world, index)->over) {
        attempt_over(world, index, SIM_RESULT_OVERLOAD);
    }

    sim_attempt_unref(world, index);
}


/* Workers that have become free take from the queue. */

static void
attempts_next(sim_world_t *world)
{
    uint32_t  next;

    while (sim_backend_has_worker(&world->backend)
           && sim_backend_unqueue(&world->backend, &next))
    {
        world->backend.queued -= sim_attempt(world, next)->pass.weight;
        attempt_work(world, next);
    }
}


void
sim_on_served(void *data, uint32_t index)
{
    double          work_s;
    sim_world_t    *world = data;
    sim_second_t   *second;
    sim_attempt_t  *attempt;

    attempt = sim_attempt(world, index);

    if (attempt->life != world->backend.life
        && attempt->result != SIM_RESULT_ASIDE)
    {
        /* it broke meanwhile */
        sim_on_answer(data, index);
        return;
    }

    if (attempt->logged) {
        attempt_over(world, index, (sim_result_t) attempt->result);
        sim_attempt_unref(world, index);
        return;
    }

    sim_backend_end(&world->backend, attempt->pass.weight, attempt->miss);

    second = sim_world_second(world);
    work_s = attempt->work_s * attempt->pass.weight;
    second->work_s += work_s;

    if (attempt->over) {
        second->wasted_s += work_s;

    } else {
        attempt_over(world, index,
                     sim_attempt(world, index)->error ? SIM_RESULT_ERROR
                                                      : SIM_RESULT_OK);
    }

    sim_attempt_unref(world, index);
    attempts_next(world);
}


void
sim_attempts_lost(sim_world_t *world, sim_backend_mode_t mode)
{
    uint32_t  index;

    while (sim_backend_unqueue(&world->backend, &index)) {

        if (mode == SIM_BACKEND_HANG) {
            sim_attempt_unref(world, index);

        } else {
            attempt_refused(world, index);
        }
    }

    sim_backend_break(&world->backend, mode);
}
