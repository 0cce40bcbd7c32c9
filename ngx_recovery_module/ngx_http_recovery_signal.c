
/*
 * The signal's door: fields that Redis holds of a backend -> its state.
 */

#include "ngx_http_recovery_leader.h"
#include "ngx_http_recovery_texts.h"


static void ngx_http_recovery_bad_fields(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_fields_t *fields, unsigned bad);
static void ngx_http_recovery_signal_texts(
    ngx_http_recovery_leader_t *leader, ngx_uint_t i,
    const rcv_fields_t *fields, ngx_uint_t forced);
static void ngx_http_recovery_signal_text(char *to, rcv_str_t from);


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

    backend = ngx_http_recovery_led_backend(leader, i);

    (void) ngx_http_recovery_state_read(backend->record, &state);

    signal = state.signal;
    bad = rcv_signal_update(&signal, fields, backend->policy->core, unix_s,
                            ngx_current_msec);

    ngx_http_recovery_bad_fields(leader, i, fields, bad);

    if (!(bad & (1u << RCV_FIELD_EPOCH))) {
        ngx_http_recovery_signal_texts(leader, i, fields,
                                       rcv_signal_force(&signal,
                                                        ngx_current_msec)
                                       != RCV_FORCE_NONE);
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
    char                          text[RCV_TEXT_MAX + 1];
    uint32_t                      hash;
    ngx_uint_t                    f;
    const rcv_str_t              *value;
    ngx_http_recovery_seen_t     *seen;
    ngx_http_recovery_backend_t  *backend;

    seen = &leader->seen[i];
    backend = ngx_http_recovery_led_backend(leader, i);

    for (f = 0; f < RCV_FIELDS; f++) {
        value = &fields->value[f];

        hash = (bad & (1u << f))
               ? ngx_murmur_hash2((u_char *) value->data, value->len) | 1 : 0;

        if (hash == seen->bad[f]) {
            continue;
        }

        seen->bad[f] = hash;

        if (hash == 0) {
            continue;
        }

        ngx_http_recovery_signal_text(text, *value);
        rcv_add(&leader->main->zone->redis_bad_values, 1);

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "recovery: backend \"%V\" keeps its last good state, "
                      "redis has a bad \"%s\": \"%s\"",
                      &backend->name, rcv_field_names[f], text);
    }
}


static void
ngx_http_recovery_signal_texts(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_fields_t *fields, ngx_uint_t forced)
{
    ngx_http_recovery_zone_t     *zone;
    ngx_http_recovery_texts_t     texts;
    ngx_http_recovery_backend_t  *backend;

    zone = leader->main->zone;
    backend = ngx_http_recovery_led_backend(leader, i);

    ngx_http_recovery_signal_text(texts.by, fields->value[RCV_FIELD_BY]);
    ngx_http_recovery_signal_text(texts.reason,
                                  fields->value[RCV_FIELD_REASON]);

    if (ngx_http_recovery_texts_set(zone, backend->index, forced, &texts)
        == NGX_OK || leader->texts_full)
    {
        return;
    }

    leader->texts_full = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "recovery: the zone has room for \"by\" and \"reason\" of "
                  "%uD backends, those of \"%V\" are not shown",
                  zone->texts, &backend->name);
}


/* Display and log: one line without control characters, cut to what fits. */

static void
ngx_http_recovery_signal_text(char *to, rcv_str_t from)
{
    size_t  i, len;

    len = from.data ? ngx_min(from.len, RCV_TEXT_MAX) : 0;

    for (i = 0; i < len; i++) {
        to[i] = ((u_char) from.data[i] < 0x20 || from.data[i] == 0x7f)
                ? ' ' : from.data[i];
    }

    ngx_memzero(to + len, RCV_TEXT_MAX + 1 - len);
}
