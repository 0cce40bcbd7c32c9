
/*
 * The answer to a request that is shed.
 *
 * The phase handler only returns the status, so that error_page works; the
 * header filter adds Retry-After to what finally carries that status, and
 * not to the 200 of a fallback.
 */

#include "ngx_http_recovery_ask.h"


static void ngx_http_recovery_hand_up(ngx_http_request_t *r);
static void ngx_http_recovery_handed_up(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_header_add(ngx_http_request_t *r,
    ngx_str_t name, ngx_str_t value);
static ngx_inline ngx_int_t ngx_http_recovery_header_push(
    ngx_http_request_t *r, ngx_str_t name, ngx_str_t value);
static ngx_int_t ngx_http_recovery_retry_after_add(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);


/*
 * gRPC clients read grpc-status, and take 14 (UNAVAILABLE) for what it is:
 * try again later.
 */

ngx_int_t
ngx_http_recovery_answer_grpc(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_int_t  rc;

    static ngx_str_t  status = ngx_string("grpc-status");
    static ngx_str_t  unavailable = ngx_string("14");
    static ngx_str_t  message = ngx_string("grpc-message");
    static ngx_str_t  why = ngx_string("the backend is recovering");

    r->expect_tested = 1;   /* the body is not wanted */

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->err_status = 0;      /* perhaps an error_page led here */
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.status_line.len = 0;

    r->headers_out.content_length_n =
                           r->http_version < NGX_HTTP_VERSION_20 ? 0 : -1;
    ngx_str_set(&r->headers_out.content_type, "application/grpc");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_recovery_header_add(r, status, unavailable) != NGX_OK
        || ngx_http_recovery_header_add(r, message, why) != NGX_OK
        || ngx_http_recovery_retry_after_add(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * Over HTTP/2 the headers alone are the whole answer ("Trailers-Only").
     * Below it even an empty body must be sent: a filter may have made it a
     * chunked one.
     */

    if (r->http_version >= NGX_HTTP_VERSION_20) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


ngx_int_t
ngx_http_recovery_answer_header(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    if (r->headers_out.status != ctx->shed_status) {
        return NGX_OK;
    }

    if (r == r->main) {
        return ngx_http_recovery_retry_after_add(r, ctx);
    }

    if (ctx->shed_subrequest) {
        ngx_http_recovery_hand_up(r);
    }

    return NGX_OK;
}


/*
 * auth_request turns whatever a subrequest of its own answers into 500, and
 * a client that is told 500 does not know that it may retry.  The main
 * request, which waits for it in the access phase, is therefore woken into
 * the status itself instead; from there on it is shed like any other.
 *
 * Only auth_request asks for headers alone.  Others that wait there have a
 * subrequest's answer for themselves, and may know better.
 */

static void
ngx_http_recovery_hand_up(ngx_http_request_t *r)
{
    ngx_http_request_t         *mr;
    ngx_http_phase_handler_t   *waits;
    ngx_http_core_main_conf_t  *cmcf;

    mr = r->main;

    if (!r->header_only || r->background || r->parent != mr
        || mr->header_sent
        || mr->write_event_handler != ngx_http_core_run_phases)
    {
        return;
    }

    cmcf = ngx_http_get_module_main_conf(mr, ngx_http_core_module);
    waits = &cmcf->phase_engine.handlers[mr->phase_handler];

    if (waits->checker == ngx_http_core_access_phase) {
        mr->write_event_handler = ngx_http_recovery_handed_up;
    }
}


static void
ngx_http_recovery_handed_up(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_recovery_ctx_t  *ctx;

    r->write_event_handler = ngx_http_request_empty_handler;

    ctx = ngx_http_recovery_ctx(r);
    rc = ngx_http_recovery_answer(r, ctx, ctx->shed_status);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_recovery_retry_after_add(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    void       *room;
    u_char     *p, *last;
    uint32_t    s;
    ngx_str_t   value;

    static ngx_str_t  retry_after = ngx_string("Retry-After");
    static ngx_str_t  cache_control = ngx_string("Cache-Control");
    static ngx_str_t  no_store = ngx_string("no-store");

    if (!ngx_http_recovery_room(r->pool, NGX_INT32_LEN, &room)) {
        room = ngx_pnalloc(r->pool, NGX_INT32_LEN);

        if (room == NULL) {
            return NGX_ERROR;
        }
    }

    last = (u_char *) room + NGX_INT32_LEN;
    s = ctx->retry_after_s;

    p = last;

    do {
        *--p = (u_char) ('0' + s % 10);
        s /= 10;
    } while (s != 0);

    value.data = p;
    value.len = last - p;

    if (r->headers_out.headers.part.nelts == 0) {       /* mostly */

        return (ngx_http_recovery_header_push(r, retry_after, value)
                == NGX_OK)
               ? ngx_http_recovery_header_push(r, cache_control, no_store)
               : NGX_ERROR;
    }

    return (ngx_http_recovery_header_add(r, retry_after, value) == NGX_OK)
           ? ngx_http_recovery_header_add(r, cache_control, no_store)
           : NGX_ERROR;
}


/* Adds a header unless the response has it already. */

static ngx_int_t
ngx_http_recovery_header_add(ngx_http_request_t *r, ngx_str_t name,
    ngx_str_t value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0 && h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return NGX_OK;
            }
        }
    }

    return ngx_http_recovery_header_push(r, name, value);
}


static ngx_inline ngx_int_t
ngx_http_recovery_header_push(ngx_http_request_t *r, ngx_str_t name,
    ngx_str_t value)
{
    ngx_list_t       *headers;
    ngx_table_elt_t  *h;

    headers = &r->headers_out.headers;

    if (headers->last->nelts < headers->nalloc) {
        h = headers->last->elts;
        h += headers->last->nelts++;

    } else {
        h = ngx_list_push(headers);

        if (h == NULL) {
            return NGX_ERROR;
        }
    }

    h->hash = 1;
    h->key = name;
    h->value = value;
    h->lowcase_key = NULL;
    ngx_http_recovery_header_end(h);

    return NGX_OK;
}
