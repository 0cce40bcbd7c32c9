
#include "ngx_http_recovery_state.h"
#include "ngx_http_recovery_texts.h"


#define NGX_HTTP_RECOVERY_STATE_PEN_TRIES  1000


static ngx_int_t ngx_http_recovery_state_open(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_file_outcome_t *outcome);
static void ngx_http_recovery_state_refused(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_file_outcome_t *outcome, ngx_log_t *log);
static void ngx_http_recovery_state_wake_backend(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_backend_t *backend);


void
ngx_http_recovery_state_load(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_loaded_t *loaded,
    ngx_log_t *log)
{
    rcv_restore_t                     judged;
    ngx_http_recovery_file_outcome_t  outcome;

    ngx_memzero(loaded, sizeof(ngx_http_recovery_loaded_t));

    if (rmcf->state_file.len == 0
        || ngx_http_recovery_state_open(rmcf, loaded, &outcome) != NGX_OK)
    {
        if (rmcf->state_file.len != 0
            && outcome.result != NGX_HTTP_RECOVERY_FILE_NONE)
        {
            ngx_http_recovery_state_refused(rmcf, zone, &outcome, log);
        }

        ngx_http_recovery_state_unload(loaded);
        return;
    }

    judged = rcv_restore_judge(loaded->reader.head.written_ms,
                               ngx_http_recovery_unix_ms(), &loaded->age_ms);

    if (judged == RCV_RESTORE_FUTURE) {
        outcome.result = NGX_HTTP_RECOVERY_FILE_FOREIGN;
        outcome.step = "from the future, a clock was set back";

        ngx_http_recovery_state_refused(rmcf, zone, &outcome, log);
        ngx_http_recovery_state_unload(loaded);
        return;
    }

    rcv_store(&zone->kept.loaded, judged == RCV_RESTORE_OLD
                                  ? NGX_HTTP_RECOVERY_LOADED_OLD
                                  : NGX_HTTP_RECOVERY_LOADED_CONTINUED);

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "recovery_state_file \"%V\" is %uL s old and has %uD "
                  "backends%s", &rmcf->state_file, loaded->age_ms / 1000,
                  loaded->reader.head.records,
                  judged == RCV_RESTORE_OLD
                  ? ", only references are taken from it" : "");
}


/* Bytes that are a snapshot, whole and with every value in its range. */

static ngx_int_t
ngx_http_recovery_state_open(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_file_outcome_t *outcome)
{
    size_t                  len;
    ngx_core_conf_t        *ccf;
    rcv_snapshot_result_t   result;

    ccf = (ngx_core_conf_t *) ngx_get_conf(rmcf->cycle->conf_ctx,
                                           ngx_core_module);

    *outcome = ngx_http_recovery_file_read((char *) rmcf->state_file.data,
                                    (uid_t) ccf->user,
                                    RCV_SNAPSHOT_SIZE(RCV_SNAPSHOT_RECORDS_MAX),
                                    &loaded->data, &len);

    if (outcome->result != NGX_HTTP_RECOVERY_FILE_OK) {
        return NGX_DECLINED;
    }

    result = rcv_snapshot_open(&loaded->reader, loaded->data, len);

    if (result != RCV_SNAPSHOT_OK) {
        outcome->result = NGX_HTTP_RECOVERY_FILE_FOREIGN;
        outcome->step = rcv_snapshot_texts[result];
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_recovery_state_refused(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_file_outcome_t *outcome,
    ngx_log_t *log)
{
    ngx_http_recovery_kept_t  *kept;

    kept = &zone->kept;

    ngx_http_recovery_state_error(kept, "not used", outcome);

    rcv_store(&kept->loaded, NGX_HTTP_RECOVERY_LOADED_REFUSED);
    rcv_add(&kept->errors, 1);

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "recovery_state_file \"%V\" is %s in %V:%ui",
                  &rmcf->state_file, kept->error, &rmcf->state_at.file,
                  rmcf->state_at.line);
}


void
ngx_http_recovery_state_unload(ngx_http_recovery_loaded_t *loaded)
{
    free(loaded->data);
    loaded->data = NULL;
}


ngx_uint_t
ngx_http_recovery_state_apply(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_loaded_t *loaded,
    ngx_http_recovery_backend_t *backend, rcv_state_t *state)
{
    rcv_str_t                  name;
    rcv_snapshot_t             snapshot;
    ngx_http_recovery_texts_t  texts;

    name.data = (char *) backend->name.data;
    name.len = backend->name.len;

    if (loaded == NULL || loaded->data == NULL
        || !rcv_snapshot_find(&loaded->reader, name, &snapshot))
    {
        return 0;
    }

    rcv_restore_apply(state, &snapshot, backend->policy->core,
                      &backend->limits, rmcf->redis != NULL, loaded->age_ms,
                      ngx_current_msec);

    ngx_memcpy(texts.by, snapshot.by, sizeof(texts.by));
    ngx_memcpy(texts.reason, snapshot.reason, sizeof(texts.reason));

    if (state->override.force != RCV_FORCE_NONE) {
        state->override.force_text =
            ngx_http_recovery_texts_put(zone, backend->index, &texts);

    } else if (state->override.health != RCV_HEALTH_NONE) {
        state->override.health_text =
            ngx_http_recovery_texts_put(zone, backend->index, &texts);

    } else if (state->signal.health != RCV_HEALTH_NONE
               || state->signal.force != RCV_FORCE_NONE)
    {
        (void) ngx_http_recovery_texts_set(zone, backend->index,
                                    state->signal.force != RCV_FORCE_NONE,
                                    &texts);
    }

    return 1;
}


void
ngx_http_recovery_state_wake(ngx_http_recovery_main_conf_t *rmcf,
    ngx_log_t *log)
{
    uint64_t                       led_ms;
    ngx_uint_t                     i;
    ngx_http_recovery_zone_t      *zone;
    ngx_http_recovery_loaded_t     loaded;
    ngx_http_recovery_backend_t  **backends;

    zone = rmcf->zone;
    backends = rmcf->backends.elts;
    led_ms = rcv_load(&zone->kept.led_unix_ms);

    if (rmcf->state_file.len == 0 || led_ms == 0
        || rcv_since(ngx_http_recovery_unix_ms(), led_ms)
           < NGX_HTTP_RECOVERY_STATE_SLEPT_MS)
    {
        return;
    }

    ngx_http_recovery_state_load(rmcf, zone, &loaded, log);

    if (loaded.data != NULL
        && loaded.reader.head.writer != zone->kept.writer
        && loaded.reader.head.written_ms > led_ms)
    {
        zone->kept.predecessor = loaded.reader.head.writer;

        for (i = 0; i < rmcf->backends.nelts; i++) {
            ngx_http_recovery_state_wake_backend(rmcf, &loaded, backends[i]);
        }
    }

    ngx_http_recovery_state_unload(&loaded);
}


/* The state alone: the leader's first tick puts it into force. */

static void
ngx_http_recovery_state_wake_backend(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_loaded_t *loaded, ngx_http_recovery_backend_t *backend)
{
    uint64_t     version;
    ngx_uint_t   tries;
    rcv_state_t  before, state;

    /* an order is written in some microseconds, and is written over */

    for (tries = 0; ngx_http_recovery_pen_take(backend->record) != NGX_OK;
         tries++)
    {
        if (tries == NGX_HTTP_RECOVERY_STATE_PEN_TRIES) {
            return;
        }

        ngx_sched_yield();
    }

    version = ngx_http_recovery_state_read(backend->record, &before);

    rcv_state_init(&state, backend->policy->core, &backend->limits,
                   ngx_current_msec);

    if (ngx_http_recovery_state_apply(rmcf, rmcf->zone, loaded, backend,
                                      &state))
    {
        state.epoch = (uint16_t) (before.epoch + 1);
        state.started = before.started;

        (void) ngx_http_recovery_state_write(backend->record, version,
                                             &state);
    }

    ngx_http_recovery_pen_give(backend->record);
}
