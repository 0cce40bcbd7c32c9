
/*
 * One worker leads: it holds the lease in the zone, runs the tick of every
 * backend, and owns the Redis link.
 *
 *   aggregate  counters of all workers since the last tick -> window
 *   tick       the core's decision (tick.h)
 *   publish    state, then the gate
 *
 * The lease is taken at worker start when it is free, has run out, belongs
 * to a dead process or to the workers of an older configuration; and later
 * by any request that finds it run out.  So nobody has to wake up only to
 * watch the leader: when no request comes, nothing needs a decision.
 *
 * A leader that finds another one in the lease resigns at once.  Whatever it
 * may still write then is refused by the version of the state.
 */

#include "ngx_http_recovery.h"
#include "ngx_http_recovery_slots.h"


#define NGX_HTTP_RECOVERY_LEASE_SPARE_MS  500
#define NGX_HTTP_RECOVERY_HOUSEKEEP_MS    1000


/* What the leader remembers of one backend between two ticks. */

typedef struct {
    uint64_t                        tick_ms;
    uint64_t                        offered[RCV_CLASSES_MAX];
    uint64_t                        passed[RCV_CLASSES_MAX];
    uint64_t                        shed[RCV_CLASSES_MAX];
    uint64_t                        shed_rate;
    uint64_t                        cost_milli;
    uint64_t                        results[RCV_RESULTS];
    uint64_t                        latency[RCV_LATENCY_BUCKETS];
    uint64_t                        latency_sum_us;
    uint64_t                        logged[RCV_REASONS];
    unsigned                        bad;        /* fields, when last read */
    unsigned                        quiet:1;
} ngx_http_recovery_seen_t;


struct ngx_http_recovery_leader_s {
    ngx_http_recovery_main_conf_t  *main;
    uint64_t                        identity;   /* in the lease */
    ngx_event_t                     timer;
    uint64_t                        housekept_ms;
    uint64_t                        interval_ms;
    ngx_http_recovery_redis_t      *redis;
    ngx_http_recovery_seen_t       *seen;       /* one a backend */
    ngx_pool_t                     *pool;
};


static ngx_uint_t ngx_http_recovery_lease_open(
    ngx_http_recovery_main_conf_t *rmcf, uint64_t owner);
static ngx_int_t ngx_http_recovery_leader_start(
    ngx_http_recovery_main_conf_t *rmcf, uint64_t identity);
static void ngx_http_recovery_leader_stop(
    ngx_http_recovery_main_conf_t *rmcf);
static ngx_uint_t ngx_http_recovery_leader_renew(
    ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_leader_tick(ngx_event_t *ev);
static void ngx_http_recovery_leader_schedule(
    ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_backend_tick(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_signal_t *signal);
static void ngx_http_recovery_aggregate(ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window, uint64_t now);
static uint64_t ngx_http_recovery_delta(uint64_t *counter, uint64_t *seen);
static void ngx_http_recovery_changes(ngx_http_recovery_leader_t *leader,
    ngx_http_recovery_backend_t *backend, const rcv_tick_t *tick,
    ngx_http_recovery_by_t by);
static void ngx_http_recovery_housekeep(ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_summary(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i);
static void ngx_http_recovery_bad_fields(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_fields_t *fields, unsigned bad);
static void ngx_http_recovery_text(char *to, rcv_str_t from);


void
ngx_http_recovery_lead(ngx_http_recovery_main_conf_t *rmcf)
{
    uint64_t                   owner, identity;
    ngx_http_recovery_zone_t  *zone;

    zone = rmcf->zone;

    if (rmcf->leader != NULL || ngx_exiting || ngx_terminate) {
        return;
    }

    owner = rcv_load_acquire(&zone->lease_owner);

    if (!ngx_http_recovery_lease_open(rmcf, owner)) {
        return;
    }

    identity = (rmcf->generation << 32) | (uint64_t) ngx_pid;

    if (!rcv_cas(&zone->lease_owner, &owner, identity)) {
        return;
    }

    rcv_store(&zone->lease_deadline_ms,
              (uint64_t) ngx_current_msec + NGX_HTTP_RECOVERY_LEASE_SPARE_MS);

    if (ngx_http_recovery_leader_start(rmcf, identity) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "recovery: this worker could not start to lead");
        rcv_store(&zone->lease_deadline_ms, 0);
    }
}


/* May the lease be taken from this owner? */

static ngx_uint_t
ngx_http_recovery_lease_open(ngx_http_recovery_main_conf_t *rmcf,
    uint64_t owner)
{
    ngx_pid_t  pid;

    if (owner == 0 || !ngx_http_recovery_led(rmcf->zone)) {
        return 1;
    }

    /* workers of an older configuration do not know the new backends */

    if ((owner >> 32) < rmcf->generation) {
        return 1;
    }

    pid = (ngx_pid_t) (owner & 0xffffffff);

    return pid == ngx_pid || ngx_http_recovery_process_gone(pid, 0);
}


static ngx_int_t
ngx_http_recovery_leader_start(ngx_http_recovery_main_conf_t *rmcf,
    uint64_t identity)
{
    uint64_t                     now;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    rcv_window_t                 window;
    ngx_http_recovery_leader_t  *leader;

    /* its own pool: a worker may lead, resign and lead again for years */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    leader = ngx_pcalloc(pool, sizeof(ngx_http_recovery_leader_t));
    if (leader == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    leader->seen = ngx_pcalloc(pool, rmcf->backends.nelts
                                     * sizeof(ngx_http_recovery_seen_t));
    if (leader->seen == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    leader->pool = pool;
    leader->main = rmcf;
    leader->identity = identity;
    leader->interval_ms = RCV_TICK_MS;
    leader->timer.handler = ngx_http_recovery_leader_tick;
    leader->timer.data = leader;
    leader->timer.log = ngx_cycle->log;
    leader->timer.cancelable = 1;

    rmcf->leader = leader;
    now = ngx_current_msec;

    /* what happened before is not evidence of this leader's first tick */

    for (i = 0; i < rmcf->backends.nelts; i++) {
        ngx_http_recovery_aggregate(
            ((ngx_http_recovery_backend_t **) rmcf->backends.elts)[i],
            &leader->seen[i], &window, now);
        ngx_http_recovery_summary(leader, i);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recovery: this worker leads");

    ngx_http_recovery_housekeep(leader);

    if (rmcf->redis != NULL) {
        leader->redis = ngx_http_recovery_redis_create(rmcf, ngx_cycle->log);

        if (leader->redis == NULL) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "recovery: the link to redis could not be made");
        }
    }

    ngx_http_recovery_leader_tick(&leader->timer);

    return NGX_OK;
}


void
ngx_http_recovery_resign(ngx_http_recovery_main_conf_t *rmcf)
{
    uint64_t  identity;

    if (rmcf->leader == NULL) {
        return;
    }

    identity = rmcf->leader->identity;

    ngx_http_recovery_leader_stop(rmcf);

    /* free for the next one, if nobody has taken it already */

    if (rcv_load(&rmcf->zone->lease_owner) == identity) {
        rcv_store(&rmcf->zone->lease_deadline_ms, 0);
        (void) rcv_cas(&rmcf->zone->lease_owner, &identity, 0);
    }
}


static void
ngx_http_recovery_leader_stop(ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_http_recovery_leader_t  *leader;

    leader = rmcf->leader;
    rmcf->leader = NULL;

    if (leader->timer.timer_set) {
        ngx_del_timer(&leader->timer);
    }

    if (leader->redis != NULL) {
        ngx_http_recovery_redis_destroy(leader->redis);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recovery: this worker leads no longer");

    ngx_destroy_pool(leader->pool);
}


/* Still the leader?  Then for at least one more interval. */

static ngx_uint_t
ngx_http_recovery_leader_renew(ngx_http_recovery_leader_t *leader)
{
    ngx_http_recovery_zone_t  *zone;

    zone = leader->main->zone;

    if (rcv_load_acquire(&zone->lease_owner) != leader->identity) {
        return 0;
    }

    rcv_store(&zone->lease_deadline_ms,
              (uint64_t) ngx_current_msec + leader->interval_ms
              + NGX_HTTP_RECOVERY_LEASE_SPARE_MS);

    return 1;
}


static void
ngx_http_recovery_leader_tick(ngx_event_t *ev)
{
    uint64_t                        now;
    ngx_uint_t                      i;
    ngx_http_recovery_seen_t       *seen;
    ngx_http_recovery_leader_t     *leader;
    ngx_http_recovery_main_conf_t  *rmcf;

    leader = ev->data;
    rmcf = leader->main;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_recovery_resign(rmcf);
        return;
    }

    if (!ngx_http_recovery_leader_renew(leader)) {
        ngx_http_recovery_leader_stop(rmcf);
        return;
    }

    now = ngx_current_msec;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        seen = &leader->seen[i];

        if (!seen->quiet
            || rcv_since(now, seen->tick_ms) >= RCV_TICK_QUIET_MS - 1)
        {
            ngx_http_recovery_backend_tick(leader, i, NULL);
        }
    }

    if (rcv_since(now, leader->housekept_ms) >= NGX_HTTP_RECOVERY_HOUSEKEEP_MS)
    {
        ngx_http_recovery_housekeep(leader);

        for (i = 0; i < rmcf->backends.nelts; i++) {
            ngx_http_recovery_summary(leader, i);
        }
    }

    ngx_http_recovery_leader_schedule(leader);
}


static void
ngx_http_recovery_leader_schedule(ngx_http_recovery_leader_t *leader)
{
    ngx_uint_t  i;

    leader->interval_ms = RCV_TICK_QUIET_MS;

    for (i = 0; i < leader->main->backends.nelts; i++) {
        if (!leader->seen[i].quiet) {
            leader->interval_ms = RCV_TICK_MS;
            break;
        }
    }

    (void) ngx_http_recovery_leader_renew(leader);

    if (leader->timer.timer_set) {
        ngx_del_timer(&leader->timer);
    }

    ngx_add_timer(&leader->timer, leader->interval_ms);
}


/*
 * One backend's tick.  A signal given is one that has just been read; it
 * becomes part of the state with the tick that acts on it.
 */

static void
ngx_http_recovery_backend_tick(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_signal_t *signal)
{
    uint64_t                      now, version;
    rcv_tick_t                    tick;
    rcv_state_t                   state;
    rcv_source_t                  source;
    rcv_window_t                  window;
    ngx_http_recovery_zone_t     *zone;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    backend = ((ngx_http_recovery_backend_t **)
                   leader->main->backends.elts)[i];
    seen = &leader->seen[i];
    zone = leader->main->zone;
    now = ngx_current_msec;

    version = ngx_http_recovery_state_read(backend->record, &state);

    if (signal != NULL) {
        state.signal = *signal;
    }

    source.configured = (leader->main->redis != NULL);
    source.heard = (rcv_load(&zone->redis_last_success_ms) != 0);
    source.age_ms = rcv_since(now, rcv_load(&zone->redis_last_success_ms));

    ngx_http_recovery_aggregate(backend, seen, &window, now);

    rcv_tick(&state, backend->policy->core, &backend->limits, &source,
             &window, now, &tick);

    if (ngx_http_recovery_state_write(backend->record, version, &state)
        != NGX_OK)
    {
        return;
    }

    ngx_http_recovery_allowance_publish(backend->record, &tick, now);
    ngx_http_recovery_changes(leader, backend, &tick,
                              signal != NULL ? NGX_HTTP_RECOVERY_BY_REDIS
                                             : NGX_HTTP_RECOVERY_BY_SELF);

    seen->quiet = tick.quiet;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "recovery tick \"%V\": %s, offered %uL, passed %uL, "
                   "results %uL, rate %uL",
                   &backend->name, rcv_phase_names[state.phase],
                   rcv_window_offered(&window), rcv_window_passed(&window),
                   rcv_window_results(&window), tick.allowance.rate_milli);
}


/* Counters of all workers since the last tick. */

static void
ngx_http_recovery_aggregate(ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_seen_t *seen, rcv_window_t *window, uint64_t now)
{
    uint64_t                     shed, dry_run, rate;
    ngx_uint_t                   i, j;
    ngx_http_recovery_class_t   *class;
    ngx_http_recovery_record_t  *record;

    record = backend->record;
    rate = 0;

    ngx_memzero(window, sizeof(rcv_window_t));

    window->dt_ms = rcv_since(now, seen->tick_ms);
    seen->tick_ms = now;

    for (i = 0; i < backend->policy->core->nclasses; i++) {
        class = ngx_http_recovery_record_class(record, i);

        shed = 0;
        for (j = 0; j < RCV_REASONS; j++) {
            shed += rcv_load(&class->shed[j]);
        }

        dry_run = rcv_load(&class->shed_dry_run);
        shed += dry_run;
        rate += dry_run + rcv_load(&class->shed[RCV_REASON_RATE])
                + rcv_load(&class->shed[RCV_REASON_IN_FLIGHT]);

        window->shed[i] = ngx_http_recovery_delta(&shed, &seen->shed[i]);
        window->passed[i] = ngx_http_recovery_delta(&class->passed,
                                                    &seen->passed[i]);
        window->offered[i] = window->passed[i] + window->shed[i];
    }

    window->shed_rate = ngx_http_recovery_delta(&rate, &seen->shed_rate);
    window->cost_milli = ngx_http_recovery_delta(&record->cost_milli,
                                                 &seen->cost_milli);

    for (i = 0; i < RCV_RESULTS; i++) {
        window->results[i] = ngx_http_recovery_delta(&record->evidence[i],
                                                     &seen->results[i]);
    }

    for (i = 0; i < RCV_LATENCY_BUCKETS; i++) {
        window->latency[i] = ngx_http_recovery_delta(&record->latency[i],
                                                     &seen->latency[i]);
    }

    window->latency_sum_us = ngx_http_recovery_delta(&record->latency_sum_us,
                                                     &seen->latency_sum_us);
    window->in_flight = rcv_load(&record->gate.in_flight);
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


static void
ngx_http_recovery_changes(ngx_http_recovery_leader_t *leader,
    ngx_http_recovery_backend_t *backend, const rcv_tick_t *tick,
    ngx_http_recovery_by_t by)
{
    ngx_uint_t           i;
    const rcv_change_t  *change;

    for (i = 0; i < tick->nchanges; i++) {
        change = &tick->changes[i];

        ngx_http_recovery_event_add(backend->record, change, by);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "recovery: backend \"%V\" %s -> %s: %s",
                      &backend->name, rcv_phase_names[change->from],
                      rcv_phase_names[change->to],
                      rcv_why_texts[change->why]);
    }
}


/* Once a second: permits of dead processes come back. */

static void
ngx_http_recovery_housekeep(ngx_http_recovery_leader_t *leader)
{
    ngx_uint_t                      i;
    rcv_slots_t                     slots;
    ngx_http_recovery_main_conf_t  *rmcf;
    ngx_http_recovery_backend_t   **backends;

    rmcf = leader->main;
    leader->housekept_ms = ngx_current_msec;

    ngx_http_recovery_slots_reclaim(rmcf->zone);

    slots = ngx_http_recovery_slots(rmcf->zone);
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        (void) rcv_inflight_reconcile(&backends[i]->record->gate, &slots,
                                      (unsigned) backends[i]->index);
    }
}


/* One line a second instead of one for each shed request. */

static void
ngx_http_recovery_summary(ngx_http_recovery_leader_t *leader, ngx_uint_t i)
{
    u_char                       *p, *last, text[256];
    uint64_t                      n, shed, total;
    ngx_uint_t                    j, reason, starting;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    backend = ((ngx_http_recovery_backend_t **)
                   leader->main->backends.elts)[i];
    seen = &leader->seen[i];
    starting = !leader->timer.timer_set && leader->housekept_ms == 0;
    p = text;
    last = text + sizeof(text);
    total = 0;

    for (reason = 0; reason < RCV_REASONS; reason++) {
        shed = 0;

        for (j = 0; j < backend->policy->core->nclasses; j++) {
            shed += rcv_load(&ngx_http_recovery_record_class(backend->record,
                                                         j)->shed[reason]);
        }

        n = ngx_http_recovery_delta(&shed, &seen->logged[reason]);

        if (n != 0) {
            p = ngx_slprintf(p, last, "%s%s %uL", total ? ", " : "",
                             rcv_reason_names[reason], n);
            total += n;
        }
    }

    if (total == 0 || starting) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "recovery: backend \"%V\" shed %uL requests in the last "
                  "second: %*s",
                  &backend->name, total, (size_t) (p - text), text);
}


void
ngx_http_recovery_leader_fields(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t i, const rcv_fields_t *fields, uint64_t unix_s)
{
    unsigned                      bad;
    rcv_state_t                   state;
    rcv_signal_t                  signal;
    ngx_http_recovery_leader_t   *leader;
    ngx_http_recovery_backend_t  *backend;

    leader = rmcf->leader;

    if (leader == NULL || i >= rmcf->backends.nelts) {
        return;
    }

    backend = ((ngx_http_recovery_backend_t **) rmcf->backends.elts)[i];

    (void) ngx_http_recovery_state_read(backend->record, &state);

    signal = state.signal;
    bad = rcv_signal_update(&signal, fields, unix_s, ngx_current_msec);

    ngx_http_recovery_bad_fields(leader, i, fields, bad);

    if (!(bad & (1u << RCV_FIELD_EPOCH))) {
        ngx_http_recovery_text(backend->record->by,
                               fields->value[RCV_FIELD_BY]);
        ngx_http_recovery_text(backend->record->reason,
                               fields->value[RCV_FIELD_REASON]);
    }

    if (ngx_memcmp(&signal, &state.signal, sizeof(rcv_signal_t)) != 0) {
        ngx_http_recovery_backend_tick(leader, i, &signal);

        if (!leader->seen[i].quiet && leader->interval_ms != RCV_TICK_MS) {
            ngx_http_recovery_leader_schedule(leader);
        }
    }
}


void
ngx_http_recovery_leader_heard(ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    rcv_store(&rmcf->zone->redis_last_success_unix_ms,
              (uint64_t) tp->sec * 1000 + tp->msec);
    rcv_store(&rmcf->zone->redis_last_success_ms,
              (uint64_t) ngx_max(ngx_current_msec, 1));
}


/* A bad value is counted and logged when it appears, not at every poll. */

static void
ngx_http_recovery_bad_fields(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_fields_t *fields, unsigned bad)
{
    u_char                       *p, text[RCV_TEXT_MAX];
    ngx_uint_t                    f;
    const rcv_str_t              *value;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    seen = &leader->seen[i];
    backend = ((ngx_http_recovery_backend_t **)
                   leader->main->backends.elts)[i];

    for (f = 0; f < RCV_FIELDS; f++) {

        if (!(bad & (1u << f)) || (seen->bad & (1u << f))) {
            continue;
        }

        value = &fields->value[f];
        p = ngx_cpymem(text, value->data ? value->data : "",
                       ngx_min(value->len, sizeof(text)));

        rcv_add(&leader->main->zone->redis_bad_values, 1);

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "recovery: backend \"%V\" keeps its last good state, "
                      "redis has a bad \"%s\": \"%*s\"",
                      &backend->name, rcv_field_names[f],
                      (size_t) (p - text), text);
    }

    seen->bad = bad;
}


/* Display only: printable as it is, cut to what fits. */

static void
ngx_http_recovery_text(char *to, rcv_str_t from)
{
    size_t  i, len;

    len = from.data ? ngx_min(from.len, RCV_TEXT_MAX) : 0;

    for (i = 0; i < len; i++) {
        to[i] = (u_char) from.data[i] < 0x20 ? ' ' : from.data[i];
    }

    ngx_memzero(to + len, RCV_TEXT_MAX + 1 - len);
}
