
#include "ngx_http_recovery_audit.h"
#include "ngx_http_recovery_source.h"
#include "ngx_http_recovery_texts.h"
#include "ngx_http_recovery_view.h"


static ngx_int_t ngx_http_recovery_audit_xadd(ngx_http_recovery_link_t *link,
    ngx_uint_t backend, uint32_t n);
static void ngx_http_recovery_audit_texts(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_backend_t *backend,
    uint32_t n, ngx_http_recovery_texts_t *texts);


static ngx_inline ngx_http_recovery_backend_t *
ngx_http_recovery_audit_backend(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t i)
{
    return ((ngx_http_recovery_backend_t **) rmcf->backends.elts)[i];
}


void
ngx_http_recovery_audit_ready(ngx_http_recovery_audit_t *audit)
{
    audit->n = 0;
    audit->answered = 0;
    audit->off = 0;
}


ngx_int_t
ngx_http_recovery_audit_send(ngx_http_recovery_audit_t *audit,
    ngx_http_recovery_link_t *link)
{
    uint32_t                        n, last;
    ngx_uint_t                      i, tried;
    ngx_http_recovery_record_t     *record;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = link->redis->main;

    audit->n = 0;
    audit->answered = 0;

    if (audit->off) {
        return NGX_OK;
    }

    for (tried = 0; tried < rmcf->backends.nelts; tried++) {
        i = (audit->next + tried) % rmcf->backends.nelts;
        record = ngx_http_recovery_audit_backend(rmcf, i)->record;
        last = rcv_load_acquire(&record->nevents);

        for (n = rcv_load(&record->audited); n != last; n++) {

            if (audit->n == NGX_HTTP_RECOVERY_AUDIT_BATCH) {
                audit->next = i;
                return NGX_OK;
            }

            audit->backend[audit->n] = i;
            audit->event[audit->n] = n;
            audit->n++;

            if (ngx_http_recovery_audit_xadd(link, i, n) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_audit_xadd(ngx_http_recovery_link_t *link,
    ngx_uint_t backend, uint32_t n)
{
    u_char                          key[NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX
                                        + sizeof("audit")];
    u_char                          entries[NGX_INT_T_LEN];
    u_char                          time[NGX_INT64_LEN];
    ngx_str_t                       words[NGX_HTTP_RECOVERY_LINK_WORDS_MAX];
    ngx_uint_t                      i;
    ngx_http_recovery_event_t       event;
    ngx_http_recovery_texts_t       texts;
    ngx_http_recovery_backend_t    *to;

    const char  *const  fixed[] = { "XADD", NULL, "MAXLEN", "~", NULL, "*" };
    const char  *pairs[20];

    to = ngx_http_recovery_audit_backend(link->redis->main, backend);
    event = ngx_http_recovery_event_at(to->record, n);
    ngx_http_recovery_audit_texts(link->redis->main, to, n, &texts);

    for (i = 0; i < 6; i++) {
        words[i].data = (u_char *) fixed[i];
        words[i].len = fixed[i] ? ngx_strlen(fixed[i]) : 0;
    }

    words[1].data = key;
    words[1].len = ngx_snprintf(key, sizeof(key), "%Vaudit",
                                &link->redis->conf->prefix)
                   - key;
    words[4].data = entries;
    words[4].len = ngx_sprintf(entries, "%d", NGX_HTTP_RECOVERY_AUDIT_ENTRIES)
                   - entries;

    pairs[0] = "node";
    pairs[1] = NULL;
    pairs[2] = "backend";
    pairs[3] = NULL;
    pairs[4] = "time_ms";
    pairs[5] = NULL;
    pairs[6] = "what";
    pairs[7] = rcv_why_texts[ngx_min(event.why, RCV_WHYS - 1)];
    pairs[8] = "from";
    pairs[9] = rcv_phase_names[ngx_min(event.from, RCV_PHASES - 1)];
    pairs[10] = "to";
    pairs[11] = rcv_phase_names[ngx_min(event.to, RCV_PHASES - 1)];
    pairs[12] = "force";
    pairs[13] = rcv_force_names[ngx_min(event.force, RCV_FORCES - 1)];
    pairs[14] = "through";
    pairs[15] = ngx_http_recovery_by_names[ngx_min(event.by,
                                              NGX_HTTP_RECOVERY_BYS - 1)];
    pairs[16] = "by";
    pairs[17] = texts.by;
    pairs[18] = "reason";
    pairs[19] = texts.reason;

    for (i = 0; i < 20; i++) {
        words[6 + i].data = (u_char *) pairs[i];
        words[6 + i].len = pairs[i] ? ngx_strlen(pairs[i]) : 0;
    }

    words[7] = link->redis->conf->node;
    words[9] = to->name;
    words[11].data = time;
    words[11].len = ngx_sprintf(time, "%uL", event.unix_ms) - time;

    return ngx_http_recovery_link_command(link, 26, words);
}


/*
 * Of those who brought it about.  Nobody for what came by itself; nor where
 * others have given orders since, whose texts these are now.
 */

static void
ngx_http_recovery_audit_texts(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, uint32_t n,
    ngx_http_recovery_texts_t *texts)
{
    uint32_t                    last;
    rcv_state_t                 state;
    rcv_override_t             *override;
    ngx_http_recovery_event_t   event, later;

    ngx_memzero(texts, sizeof(ngx_http_recovery_texts_t));

    event = ngx_http_recovery_event_at(backend->record, n);
    last = rcv_load_acquire(&backend->record->nevents);

    while (++n != last) {
        later = ngx_http_recovery_event_at(backend->record, n);

        if (later.by == event.by && later.unix_ms != event.unix_ms) {
            return;
        }
    }

    if (event.by == NGX_HTTP_RECOVERY_BY_REDIS) {
        ngx_http_recovery_texts_get(rmcf->zone, backend->index, texts);
        return;
    }

    if (event.by != NGX_HTTP_RECOVERY_BY_LOCAL) {
        return;
    }

    (void) ngx_http_recovery_state_read(backend->record, &state);
    override = &state.override;

    ngx_http_recovery_texts_at(rmcf->zone, backend->index,
                               (event.force != RCV_FORCE_NONE
                                && override->force_text != 0)
                               ? override->force_text
                               : override->health_text,
                               texts);
}


/*
 * Whoever may not write may still read: the audit is given up on this
 * connection, and nothing else.
 */

void
ngx_http_recovery_audit_reply(ngx_http_recovery_audit_t *audit,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    uint32_t                     event;
    ngx_uint_t                   i;
    ngx_http_recovery_record_t  *record;

    i = audit->answered++;
    event = audit->event[i];
    record = ngx_http_recovery_audit_backend(link->redis->main,
                                             audit->backend[i])->record;

    if (value->type != NGX_HTTP_RECOVERY_RESP_ERROR) {

        if (!audit->off && rcv_load(&record->audited) == event) {
            rcv_store(&record->audited, event + 1);
        }

        return;
    }

    audit->off = 1;

    if (!audit->said) {
        audit->said = 1;

        ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                      "recovery_redis: the audit is not written: %*s",
                      ngx_min(value->len, 128), value->data);
    }
}


void
ngx_http_recovery_audit_trim(ngx_http_recovery_main_conf_t *rmcf)
{
    uint32_t                     last, behind;
    ngx_uint_t                   i;
    ngx_http_recovery_record_t  *record;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        record = ngx_http_recovery_audit_backend(rmcf, i)->record;
        last = rcv_load_acquire(&record->nevents);
        behind = last - rcv_load(&record->audited);

        if (behind > NGX_HTTP_RECOVERY_EVENTS) {
            rcv_store(&record->audited, last - NGX_HTTP_RECOVERY_EVENTS);
            rcv_add(&rmcf->zone->audit_dropped,
                    behind - NGX_HTTP_RECOVERY_EVENTS);
        }
    }
}
