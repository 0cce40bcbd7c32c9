
/* What a run asks of the log that is played. */

#include <math.h>
#include <string.h>

#include "replay_run.h"


/* The backend was loaded so far in the log's busiest ten seconds. */
#define REPLAY_LOAD    0.7

/* Cache entries: what comes in so many seconds, as in the scenarios. */
#define REPLAY_KEYS_S  7


static uint64_t
replay_second(const sim_replay_run_t *replay)
{
    return replay->world.engine.now_ns / SIM_S;
}


/* Did the backend answer it, and as it should? */

static int
request_answered(const sim_request_t *request)
{
    return !request->aside && request->status < 499;
}


/* Rates are those of whole spans of ten seconds. */

static void
replay_learn(sim_replay_run_t *replay, const sim_request_t *request)
{
    uint64_t  span;

    span = replay_second(replay) / SIM_REPLAY_MEAN_S;

    if (span != replay->mean_s) {
        replay->highest = fmax(replay->highest,
                               (double) replay->answered / SIM_REPLAY_MEAN_S);
        replay->mean_s = span;
        replay->answered = 0;
    }

    replay->out.logged_errors += (request->status >= 500);
    replay->out.logged_gone += (request->status == 499);

    if (!request_answered(request)) {
        return;
    }

    replay->answered++;

    if (request->took_ms != SIM_LOG_UNKNOWN) {
        replay->took_sum_s += request->took_ms / 1e3;
        replay->took_n++;
    }
}


/* Of a request of which the log does not say it. */

static double
replay_service_s(const sim_replay_run_t *replay)
{
    if (replay->took_n == 0) {
        return replay->conf->service_s;
    }

    return fmax(replay->took_sum_s / replay->took_n, 1e-3);
}


/* What the backend can do warm: what it was seen to do, and some more. */

void
sim_replay_size(sim_replay_run_t *replay)
{
    double           capacity;
    sim_scenario_t  *scenario;

    scenario = &replay->scenario;

    capacity = (replay->conf->capacity > 0)
               ? replay->conf->capacity : replay->highest / REPLAY_LOAD;

    scenario->service_s = fmax(replay_service_s(replay), 1e-3);
    scenario->workers = (unsigned) fmax(capacity * scenario->service_s + 0.5,
                                        1);
    scenario->keys = (replay->conf->keys > 0) ? replay->conf->keys
        : fmax(capacity * REPLAY_LOAD * REPLAY_KEYS_S, 1);

    replay->out.capacity = capacity;
    replay->out.service_s = scenario->service_s;
    replay->out.keys = scenario->keys;
}


sim_request_t *
sim_replay_request(const sim_replay_run_t *replay, uint32_t i)
{
    return sim_feed_request(replay->feed, i);
}


/* The request at hand is due when it is; that may be now. */

static uint64_t
play_due_ns(const sim_replay_run_t *replay)
{
    const sim_request_t  *request;

    request = sim_replay_request(replay, (uint32_t) replay->at_hand);

    return rcv_since(request->at_us, replay->out.base_ms * 1000) * 1000;
}


static void
play_request(sim_replay_run_t *replay)
{
    sim_op_t              op;
    const sim_request_t  *request;

    request = sim_replay_request(replay, (uint32_t) replay->at_hand);

    replay_learn(replay, request);

    if (request->took_ms == SIM_LOG_UNKNOWN && replay_service_s(replay) == 0) {
        replay->fatal = "the log does not say how long requests took: log "
                        "$request_time and $upstream_response_time, or say "
                        "--service TIME";
    }

    memset(&op, 0, sizeof(op));

    op.id = sim_hash(replay->run.seed, replay->played++, 14);
    op.user = request->user;
    op.traffic = request->class_index;
    op.again = request->retry;
    op.request = (uint32_t) replay->at_hand;

    sim_op_play(&replay->world, &op);

    replay->at_hand = sim_feed_next(replay->feed);
}


/* SIM_EVENT_LOG */

static void
play_next(void *data)
{
    uint64_t           due_ns;
    sim_replay_run_t  *replay = data;

    while (replay->at_hand >= 0) {
        due_ns = play_due_ns(replay);

        if (due_ns > replay->world.engine.now_ns) {
            sim_engine_at(&replay->world.engine, due_ns, SIM_EVENT_LOG, 0);
            return;
        }

        play_request(replay);
    }
}


static void
play_decided(void *data, const sim_op_t *op, const sim_pass_t *pass)
{
    sim_replay_run_t            *replay = data;
    sim_replay_class_t  *class;

    class = &replay->out.classes[op->traffic];

    class->offered++;
    replay->row.class_offered[op->traffic]++;

    if (pass->weight != 0) {
        class->passed++;
        return;
    }

    class->shed[pass->reason]++;
    replay->row.class_shed[op->traffic]++;
    sim_top_add(&class->top, sim_replay_request(replay, op->request)->uri);
}


static sim_result_t
request_result(const sim_request_t *request)
{
    if (request->aside) {
        return (request->status >= 500) ? SIM_RESULT_ASIDE_ERROR
                                        : SIM_RESULT_ASIDE;
    }

    switch (request->status) {

    case 0:
    case 499:
        return SIM_RESULT_GONE;

    case 502:
    case 503:
        return SIM_RESULT_OVERLOAD;

    case 504:
        return SIM_RESULT_TIMEOUT;

    default:
        return (request->status >= 500) ? SIM_RESULT_ERROR : SIM_RESULT_OK;
    }
}


static double
play_answer_s(void *data, const sim_op_t *op, sim_result_t *result)
{
    sim_replay_run_t             *replay = data;
    const sim_request_t  *request;

    request = sim_replay_request(replay, op->request);
    *result = request_result(request);

    /* what nginx refused by itself is wanted of the backend all the same */

    if (replay->world.broken && *result != SIM_RESULT_ASIDE) {
        return -1;
    }

    return (request->took_ms != SIM_LOG_UNKNOWN)
           ? request->took_ms / 1e3 : replay_service_s(replay);
}


static double
play_work_s(void *data, const sim_op_t *op)
{
    sim_replay_run_t             *replay = data;
    const sim_request_t  *request;

    request = sim_replay_request(replay, op->request);

    return (request_answered(request) && request->took_ms != SIM_LOG_UNKNOWN)
           ? fmax(request->took_ms / 1e3, 1e-4) : 0;
}


static void
play_over(void *data, const sim_op_t *op, int served)
{
    sim_replay_run_t            *replay = data;
    sim_replay_class_t  *class;

    class = &replay->out.classes[op->traffic];

    class->served += (served != 0);
    sim_feed_give(replay->feed, op->request);
}


const sim_play_t  sim_replay_play = {
    NULL, 0, play_next, play_decided, play_answer_s, play_work_s, play_over
};
