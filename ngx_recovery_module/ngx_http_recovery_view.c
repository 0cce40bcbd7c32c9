
#include "ngx_http_recovery_view.h"
#include "ngx_http_recovery_slots.h"
#include "ngx_http_recovery_texts.h"


static ngx_int_t ngx_http_recovery_view_node(
    ngx_http_recovery_main_conf_t *rmcf, ngx_pool_t *pool,
    ngx_http_recovery_node_view_t *node);
static ngx_int_t ngx_http_recovery_view_redis(
    ngx_http_recovery_main_conf_t *rmcf, ngx_pool_t *pool,
    ngx_http_recovery_node_view_t *node);
static ngx_int_t ngx_http_recovery_view_kept(
    ngx_http_recovery_main_conf_t *rmcf, ngx_pool_t *pool,
    ngx_http_recovery_node_view_t *node);
static ngx_int_t ngx_http_recovery_view_backend(
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_backend_t *backend,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_view_t *view);
static void ngx_http_recovery_view_signal(
    ngx_http_recovery_backend_t *backend, rcv_state_t *state,
    ngx_http_recovery_node_view_t *node, ngx_http_recovery_view_t *view);
static uint64_t ngx_http_recovery_view_mode(
    ngx_http_recovery_backend_t *backend, rcv_state_t *state,
    ngx_http_recovery_node_view_t *node);
static void ngx_http_recovery_view_limits(
    ngx_http_recovery_backend_t *backend, rcv_state_t *state,
    ngx_http_recovery_view_t *view);
static uint64_t ngx_http_recovery_view_level(rcv_state_t *state,
    ngx_http_recovery_view_t *view);
static ngx_int_t ngx_http_recovery_view_texts(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, rcv_state_t *state, ngx_pool_t *pool,
    ngx_http_recovery_view_t *view);
static void ngx_http_recovery_view_force(rcv_state_t *state,
    ngx_http_recovery_view_t *view);
static void ngx_http_recovery_view_order(rcv_state_t *state,
    const rcv_policy_t *policy, ngx_http_recovery_view_t *view);
static void ngx_http_recovery_view_class(const rcv_policy_t *policy,
    ngx_uint_t classes, ngx_str_t *name);
static uint64_t ngx_http_recovery_view_left(uint32_t until_ds);
static void ngx_http_recovery_view_results(ngx_http_recovery_record_t *record,
    ngx_http_recovery_view_t *view);
static ngx_int_t ngx_http_recovery_view_classes(
    ngx_http_recovery_backend_t *backend, ngx_pool_t *pool,
    ngx_http_recovery_view_t *view, ngx_uint_t nclasses);
static ngx_int_t ngx_http_recovery_view_events(
    ngx_http_recovery_record_t *record, ngx_pool_t *pool,
    ngx_http_recovery_view_t *view);
static ngx_int_t ngx_http_recovery_view_text(ngx_pool_t *pool,
    const void *text, size_t size, ngx_str_t *s);
static size_t ngx_http_recovery_view_utf8(const u_char *p, const u_char *end);


const char *const
    ngx_http_recovery_source_names[NGX_HTTP_RECOVERY_SOURCES] =
{
    "initial", "redis", "local"
};


const char *const  ngx_http_recovery_mode_names[NGX_HTTP_RECOVERY_MODES] = {
    "live", "held", "kept", "shed", "pass"
};


const char *const  ngx_http_recovery_by_names[NGX_HTTP_RECOVERY_BYS] = {
    "self", "redis", "local"
};


/* A number of a closed list; memory may hold anything. */

static ngx_inline uint64_t
ngx_http_recovery_view_word(uint64_t n, uint64_t count)
{
    return n < count ? n : NGX_HTTP_RECOVERY_UNKNOWN;
}


static ngx_inline uint64_t
ngx_http_recovery_view_known(uint32_t n)
{
    return n == UINT32_MAX ? NGX_HTTP_RECOVERY_UNKNOWN : n;
}


ngx_int_t
ngx_http_recovery_view_take(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node)
{
    if (ngx_http_recovery_view_begin(rmcf, pool, node) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_recovery_view_more(rmcf, pool, node,
                                       rmcf->backends.nelts);
}


ngx_int_t
ngx_http_recovery_view_begin(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node)
{
    ngx_memzero(node, sizeof(ngx_http_recovery_node_view_t));

    if (ngx_http_recovery_view_node(rmcf, pool, node) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_array_init(&node->backends, pool,
                          rmcf->zone ? ngx_max(rmcf->backends.nelts, 1) : 1,
                          sizeof(ngx_http_recovery_view_t));
}


ngx_int_t
ngx_http_recovery_view_more(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node, ngx_uint_t n)
{
    ngx_uint_t                     i, last, all;
    ngx_http_recovery_view_t      *view;
    ngx_http_recovery_backend_t  **backends;

    all = rmcf->zone ? rmcf->backends.nelts : 0;
    backends = rmcf->backends.elts;
    i = node->backends.nelts;
    last = ngx_min(all, i + n);

    for ( /* void */ ; i < last; i++) {
        view = ngx_array_push(&node->backends);
        if (view == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(view, sizeof(ngx_http_recovery_view_t));

        if (ngx_http_recovery_view_backend(rmcf->zone, backends[i], pool, node,
                                           view)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return last < all ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_http_recovery_view_report(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t i, ngx_pool_t *pool, ngx_http_recovery_report_view_t *report)
{
    ngx_http_recovery_backend_t  **backends;

    backends = rmcf->backends.elts;

    ngx_memzero(report, sizeof(ngx_http_recovery_report_view_t));

    if (ngx_http_recovery_view_node(rmcf, pool, &report->node) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_recovery_view_backend(rmcf->zone, backends[i], pool,
                                          &report->node, &report->backend);
}


static ngx_int_t
ngx_http_recovery_view_node(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node)
{
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_time_t                *tp;
    ngx_http_recovery_zone_t  *zone;

    tp = ngx_timeofday();
    zone = rmcf->zone;

    node->schema = NGX_HTTP_RECOVERY_SCHEMA;
    ngx_str_set(&node->version, NGX_HTTP_RECOVERY_VERSION);
    ngx_str_set(&node->nginx, NGINX_VERSION);
    node->unix_ms = (uint64_t) tp->sec * 1000 + tp->msec;

    name = rmcf->redis ? rmcf->redis->node : ngx_cycle->hostname;

    if (ngx_http_recovery_view_text(pool, name.data, name.len,
                                    &node->instance)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    node->has_redis = 1;
    node->redis_state = NGX_HTTP_RECOVERY_REDIS_OFF;
    node->redis_up = NGX_HTTP_RECOVERY_UNKNOWN;
    node->redis_age_ms = NGX_HTTP_RECOVERY_UNKNOWN;
    node->redis_success_unix_ms = NGX_HTTP_RECOVERY_UNKNOWN;

    node->has_kept = 1;
    node->kept_written = NGX_HTTP_RECOVERY_UNKNOWN;
    node->kept_age_ms = NGX_HTTP_RECOVERY_UNKNOWN;
    node->kept_unix_ms = NGX_HTTP_RECOVERY_UNKNOWN;

    if (zone == NULL) {
        return NGX_OK;
    }

    if (ngx_http_recovery_view_kept(rmcf, pool, node) != NGX_OK) {
        return NGX_ERROR;
    }

    node->uptime_s = rcv_since(ngx_current_msec, rcv_load(&zone->started_ms))
                     / 1000;

    node->redis_reconnects = rcv_load(&zone->redis_reconnects);
    node->redis_bad_values = rcv_load(&zone->redis_bad_values);
    node->audit_dropped = rcv_load(&zone->audit_dropped);
    node->slots_reclaimed = rcv_load(&zone->slots_reclaimed);

    for (i = 0; i < NGX_HTTP_RECOVERY_UNDECIDED; i++) {
        node->undecided[i] = rcv_load(&zone->undecided[i]);
    }

    return rmcf->redis ? ngx_http_recovery_view_redis(rmcf, pool, node)
                       : NGX_OK;
}


static ngx_int_t
ngx_http_recovery_view_redis(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node)
{
    uint64_t                   state, success_ms;
    ngx_http_recovery_zone_t  *zone;

    zone = rmcf->zone;
    state = rcv_load(&zone->redis_state);

    node->redis_state = ngx_http_recovery_view_word(state,
                                               NGX_HTTP_RECOVERY_REDIS_STATES);
    node->redis_up = (state == NGX_HTTP_RECOVERY_REDIS_CONNECTED);

    success_ms = rcv_load(&zone->redis_last_success_ms);

    if (success_ms) {
        node->redis_age_ms = rcv_since(ngx_current_msec, success_ms);
        node->redis_success_unix_ms =
                                   rcv_load(&zone->redis_last_success_unix_ms);
    }

    return ngx_http_recovery_view_text(pool, zone->redis_address,
                                       sizeof(zone->redis_address),
                                       &node->redis_address);
}


static ngx_int_t
ngx_http_recovery_view_kept(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node)
{
    uint64_t                   state;
    ngx_http_recovery_kept_t  *kept;

    kept = &rmcf->zone->kept;

    node->kept_errors = rcv_load(&kept->errors);

    if (rmcf->state_file.len == 0) {
        return NGX_OK;
    }

    state = rcv_load(&kept->state);

    node->kept_state = ngx_http_recovery_view_word(state,
                                                NGX_HTTP_RECOVERY_KEPT_STATES);
    node->kept_loaded = ngx_http_recovery_view_word(rcv_load(&kept->loaded),
                                                    NGX_HTTP_RECOVERY_LOADED);
    node->kept_written = (state == NGX_HTTP_RECOVERY_KEPT_WRITTEN);

    if (rcv_load(&kept->written_unix_ms) != 0) {
        node->kept_unix_ms = rcv_load(&kept->written_unix_ms);
        node->kept_age_ms = rcv_since(node->unix_ms, node->kept_unix_ms);
    }

    return ngx_http_recovery_view_text(pool, kept->error, sizeof(kept->error),
                                       &node->kept_error);
}


static ngx_int_t
ngx_http_recovery_view_backend(ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_backend_t *backend, ngx_pool_t *pool,
    ngx_http_recovery_node_view_t *node, ngx_http_recovery_view_t *view)
{
    rcv_state_t                  state;
    ngx_http_recovery_record_t  *record;

    record = backend->record;

    ngx_http_recovery_state_read(record, &state);

    view->name = backend->name;

    ngx_http_recovery_view_signal(backend, &state, node, view);
    ngx_http_recovery_view_limits(backend, &state, view);
    ngx_http_recovery_view_results(record, view);

    view->delivered_milli = state.delivered_milli;
    view->error_ppm = ngx_http_recovery_view_known(state.error_ppm);
    view->p50_ms = ngx_http_recovery_view_known(state.p50_ms);
    view->p90_ms = ngx_http_recovery_view_known(state.p90_ms);
    view->eta_s = ngx_http_recovery_view_known(state.eta_s);
    view->why = ngx_http_recovery_view_word(state.why, RCV_WHYS);

    ngx_http_recovery_view_force(&state, view);

    if (ngx_http_recovery_view_texts(zone, backend->index, &state, pool, view)
        != NGX_OK
        || ngx_http_recovery_view_classes(backend, pool, view, zone->classes)
           != NGX_OK
        || ngx_http_recovery_view_events(record, pool, view) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_recovery_view_order(&state, backend->policy->core, view);

    return NGX_OK;
}


static void
ngx_http_recovery_view_signal(ngx_http_recovery_backend_t *backend,
    rcv_state_t *state, ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_view_t *view)
{
    view->phase = ngx_http_recovery_view_word(state->phase, RCV_PHASES);

    view->phase_age_ms = state->started
                         ? rcv_since(ngx_current_msec, state->phase_since_ms)
                         : NGX_HTTP_RECOVERY_UNKNOWN;

    view->health = (state->health == RCV_HEALTH_NONE)
                   ? NGX_HTTP_RECOVERY_UNKNOWN
                   : ngx_http_recovery_view_word(state->health, RCV_HEALTHS);

    view->health_source = (state->signal.health == RCV_HEALTH_NONE)
                          ? NGX_HTTP_RECOVERY_SOURCE_INITIAL
                          : NGX_HTTP_RECOVERY_SOURCE_REDIS;
    view->health_age_ms = node->redis_age_ms;

    if (state->health_from == RCV_FROM_ORDER) {
        view->health_source = NGX_HTTP_RECOVERY_SOURCE_LOCAL;
        view->health_age_ms = NGX_HTTP_RECOVERY_UNKNOWN;
    }

    view->epoch = state->signal.has_epoch ? state->signal.epoch
                                          : NGX_HTTP_RECOVERY_UNKNOWN;

    if (state->signal.classes != 0) {
        ngx_http_recovery_view_class(backend->policy->core,
                                     state->signal.classes, &view->promote);
    }

    view->health_damped = state->flaps.damped;
    view->signal_lost = (state->lost != 0);
    view->signal_mode = ngx_http_recovery_view_mode(backend, state, node);
}


static uint64_t
ngx_http_recovery_view_mode(ngx_http_recovery_backend_t *backend,
    rcv_state_t *state, ngx_http_recovery_node_view_t *node)
{
    if (!state->lost) {

        if (state->stale) {
            return NGX_HTTP_RECOVERY_MODE_HELD;
        }

        return (node->redis_age_ms == NGX_HTTP_RECOVERY_UNKNOWN)
               ? NGX_HTTP_RECOVERY_UNKNOWN : NGX_HTTP_RECOVERY_MODE_LIVE;
    }

    switch (backend->policy->core->lost_mode) {

    case RCV_LOST_SHED:
        return NGX_HTTP_RECOVERY_MODE_SHED;

    case RCV_LOST_PASS:
        return NGX_HTTP_RECOVERY_MODE_PASS;

    default:
        return NGX_HTTP_RECOVERY_MODE_KEPT;
    }
}


/*
 * What is in force is read from the gate, not from the intention of the last
 * tick: the two differ while nobody leads.
 */

static void
ngx_http_recovery_view_limits(ngx_http_recovery_backend_t *backend,
    rcv_state_t *state, ngx_http_recovery_view_t *view)
{
    rcv_gate_word_t              word;
    ngx_http_recovery_record_t  *record;

    record = backend->record;
    word = rcv_gate_unpack(rcv_load(&record->gate.word));

    switch (word.mode) {

    case RCV_GATE_LIMIT:
        view->allowed_milli = rcv_load(&record->rate_milli);
        break;

    case RCV_GATE_CLOSED:
        view->allowed_milli = 0;
        break;

    default:
        view->allowed_milli = RCV_UNLIMITED;
    }

    view->ceiling_milli = state->started ? rcv_load(&record->ceiling_milli)
                                         : NGX_HTTP_RECOVERY_UNKNOWN;

    view->reference_milli = backend->limits.capacity_milli;

    if (view->reference_milli == 0) {
        view->reference_milli = state->reference_milli
                                ? state->reference_milli
                                : NGX_HTTP_RECOVERY_UNKNOWN;
    }

    view->level_ppm = ngx_http_recovery_view_level(state, view);

    view->in_flight = ngx_http_recovery_in_flight(backend);
    view->in_flight_limit = word.in_flight_limit < RCV_IN_FLIGHT_MAX
                            ? word.in_flight_limit : RCV_UNLIMITED;
}


/*
 * The level is the two numbers beside it, divided: an operator who checks
 * must find the same.  Without a rate a ramp still has the level that its
 * in-flight limit follows.  A ramp ends beyond the reference, a quota may
 * lie beyond it; all of it is shown as all.
 */

static uint64_t
ngx_http_recovery_view_level(rcv_state_t *state,
    ngx_http_recovery_view_t *view)
{
    if (view->allowed_milli == RCV_UNLIMITED) {
        return state->phase == RCV_PHASE_RAMPING
               ? rcv_min(state->control.level_ppm, RCV_PPM) : RCV_UNLIMITED;
    }

    if (view->allowed_milli == 0) {
        return 0;
    }

    if (view->reference_milli == NGX_HTTP_RECOVERY_UNKNOWN) {
        return NGX_HTTP_RECOVERY_UNKNOWN;
    }

    return rcv_min(rcv_mul_div(view->allowed_milli, RCV_PPM,
                               view->reference_milli), RCV_PPM);
}


/*
 * The source's texts go with all that it says, those of an order with what
 * was ordered.
 */

static ngx_int_t
ngx_http_recovery_view_texts(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, rcv_state_t *state, ngx_pool_t *pool,
    ngx_http_recovery_view_t *view)
{
    ngx_http_recovery_texts_t  source, force, health;

    ngx_http_recovery_texts_get(zone, record, &source);
    force = source;
    health = source;

    if (state->force_from == RCV_FROM_ORDER) {
        ngx_http_recovery_texts_at(zone, record, state->override.force_text,
                                   &force);
    }

    if (state->health_from == RCV_FROM_ORDER) {
        ngx_http_recovery_texts_at(zone, record, state->override.health_text,
                                   &health);
    }

    if (ngx_http_recovery_view_text(pool, force.by, sizeof(force.by),
                                    &view->force_by)
        != NGX_OK
        || ngx_http_recovery_view_text(pool, force.reason,
                                       sizeof(force.reason),
                                       &view->force_reason)
           != NGX_OK
        || ngx_http_recovery_view_text(pool, health.by, sizeof(health.by),
                                       &view->health_by)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_recovery_view_text(pool, health.reason,
                                       sizeof(health.reason),
                                       &view->health_reason);
}


static void
ngx_http_recovery_view_force(rcv_state_t *state,
    ngx_http_recovery_view_t *view)
{
    uint64_t  until_ms;

    view->forced = (state->force != RCV_FORCE_NONE
                    && state->force < RCV_FORCES);

    if (!view->forced) {
        return;
    }

    view->force = state->force;
    view->force_ppm = (state->force == RCV_FORCE_LEVEL)
                      ? state->forced_ppm : NGX_HTTP_RECOVERY_UNKNOWN;
    view->force_source = NGX_HTTP_RECOVERY_SOURCE_REDIS;

    until_ms = state->signal.force_until_ms;
    view->force_left_s = NGX_HTTP_RECOVERY_UNKNOWN;

    if (state->force_from == RCV_FROM_ORDER) {
        view->force_source = NGX_HTTP_RECOVERY_SOURCE_LOCAL;
        view->force_left_s =
            ngx_http_recovery_view_left(state->override.force_until_ds);

    } else if (until_ms) {
        view->force_left_s = (rcv_since(until_ms, ngx_current_msec) + 999)
                             / 1000;
    }
}


static void
ngx_http_recovery_view_order(rcv_state_t *state, const rcv_policy_t *policy,
    ngx_http_recovery_view_t *view)
{
    rcv_override_t  *override;

    override = &state->override;

    /* as the next tick will see it */

    rcv_override_expire(override, ngx_current_msec);

    view->ordered = rcv_override_any(override);
    view->order_force = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_force_ppm = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_force_left_s = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_health = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_health_ppm = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_health_left_s = NGX_HTTP_RECOVERY_UNKNOWN;
    view->order_class_left_s = NGX_HTTP_RECOVERY_UNKNOWN;

    if (override->force != RCV_FORCE_NONE
        || (override->flags & RCV_OVERRIDE_RESUME))
    {
        view->order_force = ngx_http_recovery_view_word(override->force,
                                                        RCV_FORCES);
        view->order_force_left_s =
            ngx_http_recovery_view_left(override->force_until_ds);
    }

    if (override->force == RCV_FORCE_LEVEL) {
        view->order_force_ppm = override->force_ppm;
    }

    if (override->health != RCV_HEALTH_NONE) {
        view->order_health = ngx_http_recovery_view_word(override->health,
                                                         RCV_HEALTHS);
        view->order_health_ppm = (uint64_t) override->health_milli * 1000;
        view->order_health_left_s =
            ngx_http_recovery_view_left(override->health_until_ds);
    }

    if (override->classes != 0) {
        ngx_http_recovery_view_class(policy, override->classes,
                                     &view->order_class);
        view->order_class_left_s =
            ngx_http_recovery_view_left(override->class_until_ds);
    }
}


/* The last one of so many. */

static void
ngx_http_recovery_view_class(const rcv_policy_t *policy, ngx_uint_t classes,
    ngx_str_t *name)
{
    const char  *text;

    text = policy->classes[ngx_min(classes, policy->nclasses) - 1].name;

    name->data = (u_char *) text;
    name->len = ngx_strlen(text);
}


static uint64_t
ngx_http_recovery_view_left(uint32_t until_ds)
{
    return (rcv_override_left_ms(until_ds, ngx_current_msec) + 999) / 1000;
}


static void
ngx_http_recovery_view_results(ngx_http_recovery_record_t *record,
    ngx_http_recovery_view_t *view)
{
    uint64_t    sum;
    ngx_uint_t  i;

    for (i = 0; i < RCV_RESULTS; i++) {
        view->results[i] = rcv_load(&record->results[i]);
    }

    view->dry = 0;

    for (i = 0; i < RCV_REASONS; i++) {
        view->dry_by[i] = rcv_load(&record->dry[i]);
        view->dry |= view->dry_by[i];
    }

    sum = 0;

    for (i = 0; i < RCV_LATENCY_BUCKETS; i++) {
        sum += rcv_load(&record->latency[i]);
        view->latency[i] = sum;
    }

    view->latency_sum_us = rcv_load(&record->latency_sum_us);
}


/* Slots let in of a class: those before the cut are whole. */

static uint64_t
ngx_http_recovery_view_cut(uint64_t cut, ngx_uint_t class_index)
{
    ngx_uint_t  marginal;

    marginal = rcv_cut_class(cut);

    if (cut == 0 || class_index < marginal) {
        return NGX_HTTP_RECOVERY_UNKNOWN;
    }

    return (class_index == marginal) ? rcv_cut_slots(cut) : 0;
}


static ngx_int_t
ngx_http_recovery_view_classes(ngx_http_recovery_backend_t *backend,
    ngx_pool_t *pool, ngx_http_recovery_view_t *view, ngx_uint_t nclasses)
{
    uint64_t                         cut;
    ngx_uint_t                       i, k;
    const rcv_policy_t              *policy;
    ngx_http_recovery_class_t       *counters;
    ngx_http_recovery_class_view_t  *class;

    policy = backend->policy->core;
    nclasses = ngx_min(nclasses, policy->nclasses);
    cut = rcv_load(&backend->record->gate.cohort);

    if (ngx_array_init(&view->classes, pool, ngx_max(nclasses, 1),
                       sizeof(ngx_http_recovery_class_view_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < nclasses; i++) {
        class = ngx_array_push(&view->classes);
        if (class == NULL) {
            return NGX_ERROR;
        }

        counters = ngx_http_recovery_record_class(backend->record, i);

        class->name.data = (u_char *) policy->classes[i].name;
        class->name.len = ngx_strlen(policy->classes[i].name);
        class->passed = rcv_load(&counters->passed);
        class->shed_dry_run = rcv_load(&counters->shed_dry_run);
        class->cut_cohort = ngx_http_recovery_view_cut(cut, i);
        class->shed = 0;

        for (k = 0; k < RCV_REASONS; k++) {
            class->shed_by[k] = rcv_load(&counters->shed[k]);
            class->shed += class->shed_by[k];
        }

        class->offered = class->passed + class->shed + class->shed_dry_run;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_view_events(ngx_http_recovery_record_t *record,
    ngx_pool_t *pool, ngx_http_recovery_view_t *view)
{
    uint32_t                         i, last, count;
    ngx_http_recovery_event_t        event;
    ngx_http_recovery_event_view_t  *shown;

    last = rcv_load_acquire(&record->nevents);
    count = ngx_min(last, NGX_HTTP_RECOVERY_EVENTS);

    if (ngx_array_init(&view->events, pool, ngx_max(count, 1),
                       sizeof(ngx_http_recovery_event_view_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = last - count; i != last; i++) {
        event = ngx_http_recovery_event_at(record, i);

        if (event.unix_ms == 0) {
            continue;
        }

        shown = ngx_array_push(&view->events);
        if (shown == NULL) {
            return NGX_ERROR;
        }

        shown->unix_ms = event.unix_ms;
        shown->from = ngx_http_recovery_view_word(event.from, RCV_PHASES);
        shown->to = ngx_http_recovery_view_word(event.to, RCV_PHASES);
        shown->why = ngx_http_recovery_view_word(event.why, RCV_WHYS);
        shown->by = ngx_http_recovery_view_word(event.by,
                                                NGX_HTTP_RECOVERY_BYS);
        shown->force = ngx_http_recovery_view_word(event.force, RCV_FORCES);
    }

    return NGX_OK;
}


/*
 * A text of at most size bytes, up to the first NUL, as valid UTF-8 without
 * control characters: one stray byte that somebody wrote into Redis must not
 * make the whole answer unreadable.  An empty one is unknown.
 */

static ngx_int_t
ngx_http_recovery_view_text(ngx_pool_t *pool, const void *text, size_t size,
    ngx_str_t *s)
{
    size_t   len;
    u_char  *p, *end, *last;

    ngx_str_null(s);

    size = ngx_strnlen((u_char *) text, size);

    if (size == 0) {
        return NGX_OK;
    }

    /* a copy first: the leader may be writing it */

    p = ngx_pnalloc(pool, 4 * size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->data = p;
    last = p + 3 * size;
    ngx_memcpy(last, text, size);
    end = last + size;
    *end = '\0';

    while (*last) {
        len = ngx_http_recovery_view_utf8(last, end);

        if (len == 0) {
            p = ngx_cpymem(p, "\xef\xbf\xbd", 3);
            last++;
            continue;
        }

        p = ngx_movemem(p, last, len);
        last += len;
    }

    s->len = p - s->data;

    if (s->len == 0) {
        ngx_str_null(s);
    }

    return NGX_OK;
}


/*
 * Bytes of the printable or white character at p, 0 when there is none.
 * (ngx_utf8_decode() takes surrogates and any byte above 0x7f in second
 * place, which JSON parsers refuse.)
 */

static size_t
ngx_http_recovery_view_utf8(const u_char *p, const u_char *end)
{
    size_t    i, len;
    uint32_t  code;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        return (p[0] >= 0x20 && p[0] != 0x7f)
               || p[0] == '\t' || p[0] == '\n' || p[0] == '\r';
    }

    len = (p[0] >= 0xf0) ? 4 : (p[0] >= 0xe0) ? 3 : 2;

    if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t) (end - p) < len) {
        return 0;
    }

    code = p[0] & (0x7f >> len);

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = (code << 6) | (p[i] & 0x3f);
    }

    if (code < least[len] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return len;
}
