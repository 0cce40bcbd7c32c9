
/*
 * Shared memory: made, inherited, and bound to the configuration.  The
 * contract is at the top of the header.
 *
 * Everything here runs in the master, while it reads a configuration that may
 * yet be thrown away.
 */

#include "ngx_http_recovery_state.h"
#include "ngx_http_recovery_texts.h"


const char *const  ngx_http_recovery_undecided_names[] = {
    "no_slot", "no_memory", "unknown_class", "pattern_limit"
};


const char *const  ngx_http_recovery_redis_state_names[] = {
    "off", "connecting", "connected", "disconnected", "denied"
};


const char *const  ngx_http_recovery_kept_names[] = {
    "off", "waiting", "written", "failed", "shared"
};


const char *const  ngx_http_recovery_loaded_names[] = {
    "none", "continued", "old", "refused"
};


static ngx_http_recovery_zone_t *ngx_http_recovery_zone_create(
    ngx_shm_zone_t *shm_zone, ngx_http_recovery_main_conf_t *rmcf);
static void ngx_http_recovery_zone_size(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone);
static ngx_http_recovery_zone_t *ngx_http_recovery_zone_previous(
    ngx_shm_zone_t *shm_zone);
static void ngx_http_recovery_zone_import(ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_zone_t *old, ngx_http_recovery_main_conf_t *rmcf);
static void ngx_http_recovery_record_import(ngx_http_recovery_zone_t *zone,
    ngx_uint_t n, ngx_http_recovery_zone_t *old, ngx_uint_t i);
static void ngx_http_recovery_texts_import(ngx_http_recovery_zone_t *zone,
    ngx_uint_t n, ngx_http_recovery_zone_t *old, ngx_uint_t i,
    rcv_override_t *override);
static uint8_t ngx_http_recovery_text_import(ngx_http_recovery_zone_t *zone,
    ngx_uint_t n, ngx_http_recovery_zone_t *old, ngx_uint_t i,
    ngx_uint_t number);
static ngx_uint_t ngx_http_recovery_record_named(
    ngx_http_recovery_record_t *record, ngx_http_recovery_main_conf_t *rmcf);
static ngx_int_t ngx_http_recovery_zone_check(ngx_shm_zone_t *shm_zone,
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone);
static ngx_int_t ngx_http_recovery_zone_bind(ngx_shm_zone_t *shm_zone,
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_loaded_t *loaded);
static ngx_int_t ngx_http_recovery_record_find(
    ngx_http_recovery_zone_t *zone, ngx_str_t *name);
static ngx_int_t ngx_http_recovery_record_take(
    ngx_http_recovery_zone_t *zone);
static uint64_t ngx_http_recovery_generation_min(
    ngx_http_recovery_zone_t *zone);
static void ngx_http_recovery_record_init(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_backend_t *backend, ngx_http_recovery_record_t *record);


ngx_int_t
ngx_http_recovery_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_int_t                       rc;
    ngx_slab_pool_t                *shpool;
    ngx_http_recovery_zone_t       *zone, *old;
    ngx_http_recovery_loaded_t      loaded;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    ngx_memzero(&loaded, sizeof(ngx_http_recovery_loaded_t));

    if (data != NULL || shm_zone->shm.exists) {
        zone = shpool->data;

        if (ngx_http_recovery_zone_check(shm_zone, rmcf, zone) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        zone = ngx_http_recovery_zone_create(shm_zone, rmcf);
        if (zone == NULL) {
            return NGX_ERROR;
        }

        shpool->data = zone;

        old = ngx_http_recovery_zone_previous(shm_zone);
        if (old != NULL) {
            ngx_http_recovery_zone_import(zone, old, rmcf);

        } else {
            ngx_http_recovery_state_load(rmcf, zone, &loaded,
                                         shm_zone->shm.log);

            /* a file that was there at the start may be replaced */

            zone->kept.predecessor = loaded.reader.head.writer;
        }
    }

    /*
     * A reload that fails after this leaves a number that nobody uses; the
     * next one just counts on.
     */
    rmcf->generation = rcv_fetch_add(&zone->generation, 1) + 1;
    rmcf->zone = zone;

    rc = ngx_http_recovery_zone_bind(shm_zone, rmcf, zone, &loaded);

    ngx_http_recovery_state_unload(&loaded);

    return rc;
}


static ngx_http_recovery_zone_t *
ngx_http_recovery_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_recovery_main_conf_t *rmcf)
{
    size_t                     available, fixed, each;
    ngx_slab_pool_t           *shpool;
    ngx_http_recovery_zone_t   layout, *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    shpool->log_nomem = 0;

    ngx_memzero(&layout, sizeof(ngx_http_recovery_zone_t));
    ngx_http_recovery_zone_size(rmcf, &layout);

    /* cells grow with the records; both are rounded up to a line */

    available = (size_t) shpool->pfree * ngx_pagesize;
    layout.texts = (uint32_t) ngx_http_recovery_texts_count(available);
    fixed = layout.records_offset
            + layout.texts * sizeof(ngx_http_recovery_text_t) + RCV_LINE
            + layout.slots * (sizeof(rcv_slot_t) + RCV_LINE);
    each = layout.record_stride + layout.slots * sizeof(uint32_t);

    if (available >= fixed) {
        layout.records = (uint32_t) ngx_min((available - fixed) / each,
                                            NGX_HTTP_RECOVERY_RECORDS_MAX);
    }

    if (layout.records < rmcf->backends.nelts || layout.records == 0) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "recovery_zone \"%V\" of %uzk is too small for "
                      "%ui backends and %uD worker slots, "
                      "it must have at least %uzk in %V:%ui",
                      &shm_zone->shm.name, shm_zone->shm.size / 1024,
                      rmcf->backends.nelts, layout.slots,
                      (fixed + each * ngx_max(rmcf->backends.nelts, 1)
                       + 8 * ngx_pagesize) / 1024,
                      &rmcf->zone_at.file, rmcf->zone_at.line);
        return NULL;
    }

    layout.slot_stride = (uint32_t) ngx_align(sizeof(rcv_slot_t)
                                              + layout.records
                                                * sizeof(uint32_t), RCV_LINE);
    layout.texts_offset = layout.records_offset
                          + (uint64_t) layout.records * layout.record_stride;
    layout.slots_offset = ngx_align(layout.texts_offset
                                    + layout.texts
                                      * sizeof(ngx_http_recovery_text_t),
                                    RCV_LINE);

    zone = ngx_slab_calloc(shpool, layout.slots_offset
                                   + (size_t) layout.slots
                                     * layout.slot_stride);
    if (zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "could not allocate in recovery_zone \"%V\"",
                      &shm_zone->shm.name);
        return NULL;
    }

    *zone = layout;
    zone->started_ms = ngx_current_msec;

    /* two trees do not begin in the same ms by the same process */

    zone->kept.writer = ngx_http_recovery_unix_ms() << 22
                        ^ (uint64_t) ngx_pid;

    return zone;
}


/* What the configuration asks of a new zone, all but the record count. */

static void
ngx_http_recovery_zone_size(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone)
{
    ngx_uint_t                     i, classes, slots;
    ngx_core_conf_t               *ccf;
    ngx_http_recovery_backend_t  **backends;

    classes = NGX_HTTP_RECOVERY_CLASSES;
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        classes = ngx_max(classes, backends[i]->policy->core->nclasses);
    }

    /* two generations that drain beside the one that serves, and a spare */

    ccf = (ngx_core_conf_t *) ngx_get_conf(rmcf->cycle->conf_ctx,
                                           ngx_core_module);
    slots = 4 * (ngx_uint_t) ngx_max(ccf->worker_processes, 1);
    slots = ngx_max(slots, NGX_HTTP_RECOVERY_SLOTS_MIN);
    slots = ngx_min(slots, NGX_HTTP_RECOVERY_SLOTS_MAX);

    zone->magic = NGX_HTTP_RECOVERY_MAGIC;
    zone->layout = NGX_HTTP_RECOVERY_LAYOUT;
    zone->size = sizeof(ngx_http_recovery_zone_t);
    zone->classes = (uint32_t) classes;
    zone->slots = (uint32_t) slots;
    zone->records_offset = ngx_align(sizeof(ngx_http_recovery_zone_t),
                                     RCV_LINE);
    zone->record_stride = (uint32_t)
        ngx_align(sizeof(ngx_http_recovery_record_t)
                  + classes * sizeof(ngx_http_recovery_class_t), RCV_LINE);
}


/*
 * A zone of the running cycle that nginx did not hand over because its size
 * or name has changed.
 */

static ngx_http_recovery_zone_t *
ngx_http_recovery_zone_previous(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                 i;
    ngx_list_part_t           *part;
    ngx_shm_zone_t            *zones;
    ngx_slab_pool_t           *shpool;
    ngx_http_recovery_zone_t  *old;

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part != NULL;
         part = part->next)
    {
        zones = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zones[i].tag != shm_zone->tag || &zones[i] == shm_zone
                || zones[i].shm.addr == NULL
                || zones[i].shm.addr == shm_zone->shm.addr)
            {
                continue;
            }

            shpool = (ngx_slab_pool_t *) zones[i].shm.addr;
            old = shpool->data;

            if (old != NULL && old->magic == NGX_HTTP_RECOVERY_MAGIC
                && old->layout == NGX_HTTP_RECOVERY_LAYOUT)
            {
                return old;
            }
        }
    }

    return NULL;
}


/*
 * Copies what must survive: phases, references, levels, counters.  Permits
 * are not copied: the old workers that hold them give them back to the old
 * zone, so while they drain two limits are in force.
 */

static void
ngx_http_recovery_zone_import(ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_zone_t *old, ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_uint_t                   i, n, named;
    ngx_http_recovery_record_t  *from;

    n = 0;

    /* a smaller zone has no room for all: first those still in use */

    for (named = 2; named-- > 0; /* void */) {

        for (i = 0; i < old->records && n < zone->records; i++) {
            from = ngx_http_recovery_record(old, i);

            if (from->generation != 0
                && ngx_http_recovery_record_named(from, rmcf) == named)
            {
                ngx_http_recovery_record_import(zone, n++, old, i);
            }
        }
    }

    zone->generation = old->generation;
    zone->started_ms = old->started_ms;
    zone->slots_reclaimed = old->slots_reclaimed;
    ngx_memcpy(zone->undecided, old->undecided, sizeof(zone->undecided));

    zone->redis_state = old->redis_state;
    zone->redis_last_success_ms = old->redis_last_success_ms;
    zone->redis_last_success_unix_ms = old->redis_last_success_unix_ms;
    zone->redis_reconnects = old->redis_reconnects;
    zone->redis_bad_values = old->redis_bad_values;
    zone->audit_dropped = old->audit_dropped;

    zone->kept = old->kept;
}


static void
ngx_http_recovery_record_import(ngx_http_recovery_zone_t *zone,
    ngx_uint_t n, ngx_http_recovery_zone_t *old, ngx_uint_t i)
{
    rcv_state_t                  state;
    ngx_http_recovery_record_t  *to, *from;

    to = ngx_http_recovery_record(zone, n);
    from = ngx_http_recovery_record(old, i);

    ngx_memcpy(to, from, sizeof(ngx_http_recovery_record_t));
    ngx_memcpy(ngx_http_recovery_record_class(to, 0),
               ngx_http_recovery_record_class(from, 0),
               ngx_min(zone->classes, old->classes)
               * sizeof(ngx_http_recovery_class_t));

    to->gate.in_flight = 0;
    to->pen = 0;

    (void) ngx_http_recovery_state_read(from, &state);
    ngx_http_recovery_texts_import(zone, n, old, i, &state.override);

    to->version = 2;                    /* not a new one, and an even one */
    to->state[0] = state;
}


/* As if all stood behind a force: the leader will know better. */

static void
ngx_http_recovery_texts_import(ngx_http_recovery_zone_t *zone, ngx_uint_t n,
    ngx_http_recovery_zone_t *old, ngx_uint_t i, rcv_override_t *override)
{
    ngx_http_recovery_texts_t  texts;

    ngx_http_recovery_texts_get(old, i, &texts);
    (void) ngx_http_recovery_texts_set(zone, n, 1, &texts);

    override->force_text = ngx_http_recovery_text_import(zone, n, old, i,
                                                     override->force_text);
    override->health_text = ngx_http_recovery_text_import(zone, n, old, i,
                                                     override->health_text);
}


static uint8_t
ngx_http_recovery_text_import(ngx_http_recovery_zone_t *zone, ngx_uint_t n,
    ngx_http_recovery_zone_t *old, ngx_uint_t i, ngx_uint_t number)
{
    ngx_http_recovery_texts_t  texts;

    ngx_http_recovery_texts_at(old, i, number, &texts);

    return ngx_http_recovery_texts_put(zone, n, &texts);
}


/* Does the configuration that is being read name this backend? */

static ngx_uint_t
ngx_http_recovery_record_named(ngx_http_recovery_record_t *record,
    ngx_http_recovery_main_conf_t *rmcf)
{
    size_t                         len;
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    len = ngx_strlen(record->name);
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        if (backends[i]->name.len == len
            && ngx_memcmp(backends[i]->name.data, record->name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* May this configuration go on with a zone that is in use? */

static ngx_int_t
ngx_http_recovery_zone_check(ngx_shm_zone_t *shm_zone,
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone)
{
    ngx_http_recovery_zone_t  wanted;

    if (zone == NULL || zone->magic != NGX_HTTP_RECOVERY_MAGIC
        || zone->layout != NGX_HTTP_RECOVERY_LAYOUT
        || zone->size != sizeof(ngx_http_recovery_zone_t))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "recovery_zone \"%V\" was made by another version of "
                      "the module, it must have another size, or nginx be "
                      "restarted, in %V:%ui",
                      &shm_zone->shm.name, &rmcf->zone_at.file,
                      rmcf->zone_at.line);
        return NGX_ERROR;
    }

    ngx_memzero(&wanted, sizeof(ngx_http_recovery_zone_t));
    ngx_http_recovery_zone_size(rmcf, &wanted);

    /* more workers than before may do without the room for a second drain */

    wanted.slots /= 2;

    if (wanted.classes > zone->classes || wanted.slots > zone->slots) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "recovery_zone \"%V\" was made for %uD classes and "
                      "%uD worker slots, %uD and %uD are needed now: "
                      "it must have another size, its state is then carried "
                      "over, in %V:%ui",
                      &shm_zone->shm.name, zone->classes, zone->slots,
                      wanted.classes, wanted.slots,
                      &rmcf->zone_at.file, rmcf->zone_at.line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Gives every configured backend its record, by name. */

static ngx_int_t
ngx_http_recovery_zone_bind(ngx_shm_zone_t *shm_zone,
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_loaded_t *loaded)
{
    ngx_int_t                      n;
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t   *backend, **backends;
    ngx_http_recovery_record_t    *record;

    backends = rmcf->backends.elts;

    /* the known ones first: no new one may take the record of a known one */

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backend = backends[i];
        n = ngx_http_recovery_record_find(zone, &backend->name);

        if (n == NGX_DECLINED) {
            backend->record = NULL;
            continue;
        }

        backend->index = n;
        backend->record = ngx_http_recovery_record(zone, n);
        backend->record->generation = (uint32_t) rmcf->generation;

        /* left by a reload that failed: no leader has seen it */

        if (rcv_load(&backend->record->version) == 0) {
            ngx_http_recovery_record_init(rmcf, zone, NULL, backend,
                                          backend->record);
        }
    }

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backend = backends[i];

        if (backend->record != NULL) {
            continue;
        }

        n = ngx_http_recovery_record_take(zone);

        if (n == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "recovery_zone \"%V\" has no room left for backend "
                          "\"%V\", it must be larger in %V:%ui",
                          &shm_zone->shm.name, &backend->name,
                          &rmcf->zone_at.file, rmcf->zone_at.line);
            return NGX_ERROR;
        }

        ngx_http_recovery_texts_drop(zone, n);

        record = ngx_http_recovery_record(zone, n);
        ngx_memzero(record, zone->record_stride);
        ngx_memcpy(record->name, backend->name.data, backend->name.len);

        backend->index = n;
        backend->record = record;

        ngx_http_recovery_record_init(rmcf, zone, loaded, backend, record);

        record->generation = (uint32_t) rmcf->generation;
    }

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backend = backends[i];

        backend->main = rmcf;
        backend->zone = zone;
        backend->passed = &ngx_http_recovery_record_class(backend->record,
                              backend->policy->core->default_class)->passed;

        backend->gate.gate = &backend->record->gate;
        backend->gate.gate_index = (unsigned) backend->index;
        backend->gate.policy = backend->policy->core;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_record_find(ngx_http_recovery_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_recovery_record_t  *record;

    for (i = 0; i < zone->records; i++) {
        record = ngx_http_recovery_record(zone, i);

        if (record->generation != 0
            && ngx_strlen(record->name) == name->len
            && ngx_memcmp(record->name, name->data, name->len) == 0)
        {
            return (ngx_int_t) i;
        }
    }

    return NGX_DECLINED;
}


/*
 * A free record; else the one longest out of use that no process can still
 * be using.
 */

static ngx_int_t
ngx_http_recovery_record_take(ngx_http_recovery_zone_t *zone)
{
    ngx_int_t                    best;
    uint64_t                     oldest, running;
    ngx_uint_t                   i;
    ngx_http_recovery_record_t  *record;

    best = NGX_DECLINED;
    running = ngx_http_recovery_generation_min(zone);
    oldest = running;

    for (i = 0; i < zone->records; i++) {
        record = ngx_http_recovery_record(zone, i);

        if (record->generation == 0) {
            return (ngx_int_t) i;
        }

        if (record->generation < oldest) {
            oldest = record->generation;
            best = (ngx_int_t) i;
        }
    }

    return best;
}


/* The oldest configuration that a worker may still run. */

static uint64_t
ngx_http_recovery_generation_min(ngx_http_recovery_zone_t *zone)
{
    uint64_t      generation;
    ngx_uint_t    i;
    rcv_slot_t   *slot;
    rcv_slots_t   slots;

    slots = ngx_http_recovery_slots(zone);
    generation = rcv_load(&zone->generation);

    for (i = 0; i < slots.count; i++) {
        slot = rcv_slot_at(&slots, (unsigned) i);

        if (rcv_load(&slot->owner) != 0) {
            generation = ngx_min(generation, rcv_load(&slot->generation));
        }
    }

    return generation;
}


/*
 * A backend that has never been seen starts as the state file says, else in
 * its initial phase, with its gate in force before the first worker looks at
 * it.
 */

static void
ngx_http_recovery_record_init(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_backend_t *backend, ngx_http_recovery_record_t *record)
{
    uint64_t      now;
    rcv_tick_t    tick;
    rcv_round_t   round;
    rcv_policy_t  *policy;
    rcv_source_t   source;
    rcv_window_t   window;

    now = ngx_current_msec;
    policy = backend->policy->core;

    ngx_memzero(&source, sizeof(rcv_source_t));
    ngx_memzero(&window, sizeof(rcv_window_t));
    ngx_memzero(&round, sizeof(rcv_round_t));
    source.configured = (rmcf->redis != NULL);

    rcv_state_init(&record->state[0], policy, &backend->limits, now);
    (void) ngx_http_recovery_state_apply(rmcf, zone, loaded, backend,
                                         &record->state[0]);
    rcv_tick(&record->state[0], &round, policy, &backend->limits, &source,
             &window, now, &tick);

    ngx_http_recovery_allowance_publish(record, &tick, now);

    record->classes = ngx_http_recovery_classes_hash(policy);
}


uint32_t
ngx_http_recovery_classes_hash(const rcv_policy_t *policy)
{
    uint32_t    hash;
    ngx_uint_t  i;

    ngx_crc32_init(hash);

    for (i = 0; i < policy->nclasses; i++) {
        ngx_crc32_update(&hash, (u_char *) policy->classes[i].name,
                         ngx_strlen(policy->classes[i].name) + 1);
    }

    ngx_crc32_final(hash);

    return hash;
}
