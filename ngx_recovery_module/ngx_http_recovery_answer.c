
/*
 * The answer to a request that is shed.
 *
 * The phase handler only returns the status, so that error_page works; the
 * header filter adds Retry-After to what finally carries that status, and
 * not to the 200 of a fallback.
 */

#include "ngx_http_recovery.h"


static ngx_int_t ngx_http_recovery_answer_grpc(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static void ngx_http_recovery_hand_up(ngx_http_request_t *r);
static void ngx_http_recovery_handed_up(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_header_add(ngx_http_request_t *r,
    const char *name, const char *value);
static ngx_int_t ngx_http_recovery_retry_after_add(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);


ngx_int_t
ngx_http_recovery_answer(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx,
    ngx_uint_t status)
{
    ctx->shed_status = status;

    /* nobody waits for a mirror: the main request's answer is its own */

    if (!r->background) {
        ctx->shed = 1;
        ctx->shed_subrequest = (r != r->main);
    }

    if (r == r->main && r->headers_in.content_type != NULL
        && ngx_http_recovery_is_grpc(&r->headers_in.content_type->value))
    {
        return ngx_http_recovery_answer_grpc(r, ctx);
    }

    return (ngx_int_t) status;
}


/*
 * gRPC clients read grpc-status, and take 14 (UNAVAILABLE) for what it is:
 * try again later.
 */

static ngx_int_t
ngx_http_recovery_answer_grpc(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_int_t  rc;

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

    if (ngx_http_recovery_header_add(r, "grpc-status", "14") != NGX_OK
        || ngx_http_recovery_header_add(r, "grpc-message",
                                        "the backend is recovering")
           != NGX_OK
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
    u_char  text[NGX_INT_T_LEN + 1];

    (void) ngx_sprintf(text, "%ui%Z", ctx->retry_after_s);

    if (ngx_http_recovery_header_add(r, "Retry-After", (char *) text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_recovery_header_add(r, "Cache-Control", "no-store");
}


/* Adds a header unless the response has it already. */

static ngx_int_t
ngx_http_recovery_header_add(ngx_http_request_t *r, const char *name,
    const char *value)
{
    size_t            len;
    u_char           *p;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0 && h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return NGX_OK;
            }
        }
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 0;    /* no header until it is whole */

    p = ngx_pnalloc(r->pool, ngx_strlen(value));
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->key.len = len;
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = p;
    ngx_memcpy(p, value, h->value.len);
    h->lowcase_key = NULL;
    ngx_http_recovery_header_end(h);
    h->hash = 1;

    return NGX_OK;
}
