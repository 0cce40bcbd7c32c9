
/*
 * The tick of one backend: counters of all workers -> window -> the core's
 * decision -> state and gate.
 */

#include "ngx_http_recovery_slots.h"
#include "ngx_http_recovery_state.h"


static void ngx_http_recovery_classes_check(ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_backend_t *backend);
static void ngx_http_recovery_source_age(ngx_http_recovery_main_conf_t *rmcf,
    rcv_source_t *source, uint64_t now);
static void ngx_http_recovery_aggregate(ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window, uint64_t now);
static void ngx_http_recovery_aggregate_classes(
    ngx_http_recovery_backend_t *backend, ngx_http_recovery_seen_t *seen,
    rcv_window_t *window);
static void ngx_http_recovery_aggregate_dry(ngx_http_recovery_record_t *record,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window);
static uint64_t ngx_http_recovery_delta(uint64_t *counter, uint64_t *seen);
static uint32_t ngx_http_recovery_delta32(uint32_t *counter, uint32_t *seen);
static uint32_t ngx_http_recovery_draw(ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_news(ngx_http_recovery_turn_t *turn);
static void ngx_http_recovery_changes(ngx_http_recovery_backend_t *backend,
    const rcv_tick_t *tick, ngx_http_recovery_by_t by, rcv_force_t force);
static uint64_t ngx_http_recovery_shed_total(
    ngx_http_recovery_backend_t *backend, ngx_uint_t reason);


void
ngx_http_recovery_backend_begin(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i)
{
    ngx_uint_t                    reason;
    rcv_window_t                  window;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    seen = &leader->seen[i];
    backend = ngx_http_recovery_led_backend(leader, i);

    ngx_http_recovery_classes_check(leader->main->zone, backend);
    ngx_http_recovery_aggregate(backend, seen, &window, ngx_current_msec);

    for (reason = 0; reason < RCV_REASONS; reason++) {
        seen->logged[reason] = ngx_http_recovery_shed_total(backend, reason);
    }
}


/*
 * Counters lie in the order of the policy's classes.  After a reload with
 * other classes they begin anew: a total must not go on under another name.
 */

static void
ngx_http_recovery_classes_check(ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_backend_t *backend)
{
    uint32_t                    hash;
    ngx_uint_t                  i, j;
    ngx_http_recovery_class_t  *class;

    hash = ngx_http_recovery_classes_hash(backend->policy->core);

    if (rcv_load(&backend->record->classes) == hash) {
        return;
    }

    for (i = 0; i < zone->classes; i++) {
        class = ngx_http_recovery_record_class(backend->record, i);

        rcv_store(&class->passed, 0);
        rcv_store(&class->shed_dry_run, 0);

        for (j = 0; j < RCV_REASONS; j++) {
            rcv_store(&class->shed[j], 0);
        }
    }

    rcv_store(&backend->record->classes, hash);
}


void
ngx_http_recovery_backend_tick(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_signal_t *signal)
{
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_turn_t      turn;
    ngx_http_recovery_backend_t  *backend;

    /*
     * After a reload the old leader may hear from Redis before its timer
     * tells it that it leads no longer: what it counted, its successor has
     * counted too, and the same work would be evidence twice.
     */

    if (rcv_load_acquire(&leader->main->zone->lease_owner)
        != leader->identity)
    {
        return;
    }

    backend = ngx_http_recovery_led_backend(leader, i);
    seen = &leader->seen[i];

    /* an order is being carried out: the next tick is soon */

    if (ngx_http_recovery_pen_take(backend->record) != NGX_OK) {
        seen->quiet = 0;
        return;
    }

    ngx_http_recovery_turn_begin(leader->main, backend, &turn);

    if (signal != NULL) {
        turn.news = rcv_state_news(&turn.state.signal, signal);
        turn.state.signal = *signal;
        turn.by = NGX_HTTP_RECOVERY_BY_REDIS;
    }

    if (signal != NULL && !turn.source.heard) {
        /* this is the first answer, not yet all of it */
        turn.source.heard = 1;
        turn.source.age_ms = 0;
    }

    if (turn.state.epoch != seen->epoch) {
        /* an order has led to another phase */
        ngx_memzero(&seen->round, sizeof(rcv_round_t));
    }

    turn.round = seen->round;
    ngx_http_recovery_aggregate(backend, seen, &turn.window, turn.now_ms);
    turn.window.random = ngx_http_recovery_draw(leader);

    if (ngx_http_recovery_turn_end(&turn) == NGX_OK) {
        seen->round = turn.round;
        seen->epoch = turn.state.epoch;
        seen->quiet = turn.tick.quiet;

        if (leader->redis != NULL) {
            ngx_http_recovery_redis_note(leader->redis, i, &turn.state);
        }
    }

    ngx_http_recovery_pen_give(backend->record);

    if (turn.tick.refused) {
        rcv_add(&leader->main->zone->redis_bad_values, 1);
    }

    if (leader->keeper != NULL) {
        ngx_http_recovery_state_note(leader->keeper, i, &turn.state);
    }

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "recovery tick \"%V\": %s, offered %uL, passed %uL, "
                   "results %uL, rate %uL",
                   &backend->name, rcv_phase_names[turn.state.phase],
                   rcv_window_offered(&turn.window),
                   rcv_window_passed(&turn.window),
                   rcv_window_results(&turn.window),
                   turn.tick.allowance.rate_milli);
}


void
ngx_http_recovery_turn_begin(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, ngx_http_recovery_turn_t *turn)
{
    ngx_memzero(turn, sizeof(ngx_http_recovery_turn_t));

    turn->backend = backend;
    turn->now_ms = ngx_current_msec;
    turn->by = NGX_HTTP_RECOVERY_BY_SELF;
    turn->window.in_flight = ngx_http_recovery_in_flight(backend);

    turn->version = ngx_http_recovery_state_read(backend->record,
                                                 &turn->state);

    ngx_http_recovery_source_age(rmcf, &turn->source, turn->now_ms);
}


ngx_int_t
ngx_http_recovery_turn_end(ngx_http_recovery_turn_t *turn)
{
    ngx_http_recovery_record_t  *record;

    record = turn->backend->record;

    rcv_tick(&turn->state, &turn->round, turn->backend->policy->core,
             &turn->backend->limits, &turn->source, &turn->window,
             turn->now_ms, &turn->tick);

    if (ngx_http_recovery_state_write(record, turn->version, &turn->state)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    turn->tick.allowance.word.processes =
                              rcv_load(&turn->backend->main->zone->processes);

    ngx_http_recovery_allowance_publish(record, &turn->tick, turn->now_ms);
    ngx_http_recovery_news(turn);
    ngx_http_recovery_changes(turn->backend, &turn->tick, turn->by,
                              (rcv_force_t) turn->state.force);

    return NGX_OK;
}


/* An answer is as old as it is overdue: between two polls none is due. */

static void
ngx_http_recovery_source_age(ngx_http_recovery_main_conf_t *rmcf,
    rcv_source_t *source, uint64_t now)
{
    uint64_t  heard_ms;

    ngx_memzero(source, sizeof(rcv_source_t));

    if (rmcf->redis == NULL) {
        return;
    }

    heard_ms = rcv_load(&rmcf->zone->redis_last_success_ms);

    source->configured = 1;
    source->heard = (heard_ms != 0);
    source->age_ms = rcv_since(rcv_since(now, heard_ms),
                               rmcf->redis->poll_ms);
}


/* Counters of all workers since the last tick. */

static void
ngx_http_recovery_aggregate(ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window, uint64_t now)
{
    ngx_uint_t                   i;
    ngx_http_recovery_record_t  *record;

    record = backend->record;

    ngx_memzero(window, sizeof(rcv_window_t));

    window->dt_ms = rcv_since(now, seen->tick_ms);
    seen->tick_ms = now;

    ngx_http_recovery_aggregate_classes(backend, seen, window);

    window->cost_milli += ngx_http_recovery_delta(&record->extra_milli,
                                                  &seen->extra_milli);

    for (i = 0; i < RCV_RESULTS; i++) {
        window->results[i] = ngx_http_recovery_delta(&record->evidence[i],
                                                     &seen->results[i]);
    }

    window->overload = ngx_http_recovery_delta32(&record->overload,
                                                 &seen->overload);
    window->gone = ngx_http_recovery_delta32(&record->gone, &seen->gone);
    window->work_us = ngx_http_recovery_delta(&record->work_us,
                                              &seen->work_us);

    for (i = 0; i < RCV_LATENCY_BUCKETS; i++) {
        window->latency[i] = ngx_http_recovery_delta(&record->latency[i],
                                                     &seen->latency[i]);
    }

    window->latency_sum_us = ngx_http_recovery_delta(&record->latency_sum_us,
                                                     &seen->latency_sum_us);
    window->in_flight = ngx_http_recovery_in_flight(backend);
}


/* What was let in and shed, in earnest or in a dry run. */

static void
ngx_http_recovery_aggregate_classes(ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window)
{
    uint64_t                     shed, limit, rate, in_flight, retries;
    uint64_t                     by[RCV_REASONS];
    ngx_uint_t                   i, j;
    ngx_http_recovery_class_t   *class;
    ngx_http_recovery_record_t  *record;

    record = backend->record;
    rate = 0;
    in_flight = 0;
    retries = 0;

    for (i = 0; i < backend->policy->core->nclasses; i++) {
        class = ngx_http_recovery_record_class(record, i);

        shed = 0;

        for (j = 0; j < RCV_REASONS; j++) {
            by[j] = rcv_load(&class->shed[j]);
            shed += by[j];
        }

        limit = by[RCV_REASON_RATE] + by[RCV_REASON_IN_FLIGHT]
                + by[RCV_REASON_FORCED] + by[RCV_REASON_QUOTA]
                + by[RCV_REASON_CEILING] + by[RCV_REASON_DEGRADED];

        shed += rcv_load(&class->shed_dry_run);
        rate += by[RCV_REASON_RATE] + by[RCV_REASON_IN_FLIGHT];
        in_flight += by[RCV_REASON_IN_FLIGHT];
        retries += by[RCV_REASON_RETRY_BUDGET];

        window->shed[i] = ngx_http_recovery_delta(&shed, &seen->shed[i]);
        window->shed_limit[i] = ngx_http_recovery_delta(&limit,
                                                        &seen->shed_limit[i]);
        window->shed_cohort[i] =
            ngx_http_recovery_delta(&by[RCV_REASON_COHORT],
                                    &seen->shed_cohort[i]);
        window->passed[i] = ngx_http_recovery_delta(&class->passed,
                                                    &seen->passed[i]);
        window->offered[i] = window->passed[i] + window->shed[i];
        window->cost_milli += window->passed[i] * RCV_MILLI;
    }

    window->spilled = ngx_http_recovery_delta32(&record->gate.spilled,
                                                &seen->spilled);
    window->shed_rate = ngx_http_recovery_delta(&rate, &seen->shed_rate);
    window->shed_in_flight = ngx_http_recovery_delta(&in_flight,
                                                     &seen->shed_in_flight);
    window->shed_retries = ngx_http_recovery_delta(&retries,
                                                   &seen->shed_retries);

    ngx_http_recovery_aggregate_dry(record, seen, window);
}


/*
 * A dry run is no reason of its own: what the ramp would have shed counts like
 * what it did shed, so that it ends when it would have.
 */

static void
ngx_http_recovery_aggregate_dry(ngx_http_recovery_record_t *record,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window)
{
    uint32_t    n;
    ngx_uint_t  reason;

    for (reason = 0; reason < RCV_REASONS; reason++) {
        n = ngx_http_recovery_delta32(&record->dry[reason],
                                      &seen->dry[reason]);

        switch (reason) {

        case RCV_REASON_IN_FLIGHT:
            window->shed_in_flight += n;
            window->shed_rate += n;
            break;

        case RCV_REASON_RATE:
        case RCV_REASON_COHORT:
            window->shed_rate += n;
            break;

        case RCV_REASON_RETRY_BUDGET:
            window->shed_retries += n;
            break;

        default:
            break;
        }
    }
}


static uint64_t
ngx_http_recovery_delta(uint64_t *counter, uint64_t *seen)
{
    uint64_t  now, delta;

    now = rcv_load(counter);
    delta = rcv_since(now, *seen);
    *seen = now;

    return delta;
}


static uint32_t
ngx_http_recovery_delta32(uint32_t *counter, uint32_t *seen)
{
    uint32_t  now, delta;

    now = rcv_load(counter);
    delta = now - *seen;
    *seen = now;

    return delta;
}


/* By nobody to be foretold, whatever he has seen of those before. */

static uint32_t
ngx_http_recovery_draw(ngx_http_recovery_leader_t *leader)
{
    leader->draws++;

    return (uint32_t) rcv_siphash(leader->key[0], leader->key[1],
                                  &leader->draws, sizeof(leader->draws));
}


/* A word of the source that has changed nothing was said all the same. */

static void
ngx_http_recovery_news(ngx_http_recovery_turn_t *turn)
{
    rcv_change_t  *change;

    if (turn->news == RCV_WHY_START || turn->tick.nchanges != 0) {
        return;
    }

    change = &turn->tick.changes[turn->tick.nchanges++];

    change->from = (rcv_phase_t) turn->state.phase;
    change->to = change->from;
    change->why = turn->news;
}


static void
ngx_http_recovery_changes(ngx_http_recovery_backend_t *backend,
    const rcv_tick_t *tick, ngx_http_recovery_by_t by, rcv_force_t force)
{
    ngx_uint_t           i;
    const rcv_change_t  *change;

    for (i = 0; i < tick->nchanges; i++) {
        change = &tick->changes[i];

        ngx_http_recovery_event_add(backend->record, change, by, force);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "recovery: backend \"%V\" %s -> %s: %s",
                      &backend->name, rcv_phase_names[change->from],
                      rcv_phase_names[change->to],
                      rcv_why_texts[change->why]);
    }
}


void
ngx_http_recovery_summary(ngx_http_recovery_leader_t *leader, ngx_uint_t i)
{
    u_char                       *p, *last, text[256];
    uint64_t                      n, shed, total;
    ngx_uint_t                    reason;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    backend = ngx_http_recovery_led_backend(leader, i);
    seen = &leader->seen[i];
    p = text;
    last = text + sizeof(text);
    total = 0;

    for (reason = 0; reason < RCV_REASONS; reason++) {
        shed = ngx_http_recovery_shed_total(backend, reason);
        n = ngx_http_recovery_delta(&shed, &seen->logged[reason]);

        if (n != 0) {
            p = ngx_slprintf(p, last, "%s%s %uL", total ? ", " : "",
                             rcv_reason_names[reason], n);
            total += n;
        }
    }

    if (total != 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "recovery: backend \"%V\" shed %uL requests in the "
                      "last second: %*s",
                      &backend->name, total, (size_t) (p - text), text);
    }
}


static uint64_t
ngx_http_recovery_shed_total(ngx_http_recovery_backend_t *backend,
    ngx_uint_t reason)
{
    uint64_t                    shed;
    ngx_uint_t                  i;
    ngx_http_recovery_class_t  *class;

    shed = 0;

    for (i = 0; i < backend->policy->core->nclasses; i++) {
        class = ngx_http_recovery_record_class(backend->record, i);
        shed += rcv_load(&class->shed[reason]);
    }

    return shed;
}
