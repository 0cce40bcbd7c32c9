
/*
 * The answer to a request that is shed, and the one thing that is done at
 * response headers: permits of answers that stream for hours are given back.
 *
 * The phase handler only returns the status, so that error_page works; the
 * header filter adds Retry-After to what finally carries that status, and
 * not to the 200 of a fallback.
 */

#include "ngx_http_recovery.h"


static ngx_uint_t ngx_http_recovery_is_grpc(ngx_str_t *type);
static ngx_int_t ngx_http_recovery_answer_grpc(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_unmask(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static ngx_uint_t ngx_http_recovery_streams(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_header_add(ngx_http_request_t *r,
    const char *name, const char *value);
static ngx_int_t ngx_http_recovery_retry_after_add(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_int_t
ngx_http_recovery_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_recovery_header_filter;

    return NGX_OK;
}


ngx_int_t
ngx_http_recovery_answer(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx,
    const rcv_policy_t *policy)
{
    if (r == r->main && r->headers_in.content_type != NULL
        && ngx_http_recovery_is_grpc(&r->headers_in.content_type->value))
    {
        return ngx_http_recovery_answer_grpc(r, ctx);
    }

    return (ngx_int_t) policy->shed_status;
}


/* "application/grpc", also with "+proto", "-web" or parameters behind it */

static ngx_uint_t
ngx_http_recovery_is_grpc(ngx_str_t *type)
{
    size_t  len;

    len = sizeof("application/grpc") - 1;

    return type->len >= len
           && ngx_strncasecmp(type->data, (u_char *) "application/grpc", len)
              == 0;
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

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;
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

    r->header_only = 1;

    ngx_http_finalize_request(r, ngx_http_send_header(r));

    return NGX_DONE;
}


static ngx_int_t
ngx_http_recovery_header_filter(ngx_http_request_t *r)
{
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    if (rmcf->zone == NULL || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (ctx->shed) {

        if (ctx->shed_subrequest
            && r->headers_out.status == NGX_HTTP_INTERNAL_SERVER_ERROR
            && !r->filter_finalize
            && ngx_http_recovery_unmask(r, ctx) == NGX_DECLINED)
        {
            return ngx_http_filter_finalize_request(r,
                                                    &ngx_http_recovery_module,
                                                    ctx->shed_status);
        }

        if (r->headers_out.status == ctx->shed_status
            && ngx_http_recovery_retry_after_add(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_recovery_streams(r)) {
        ngx_http_recovery_observe(r, ctx);
        ngx_http_recovery_rounds_stream(r, ctx);
        ngx_http_recovery_release(ctx);
    }

    return ngx_http_next_header_filter(r);
}


/*
 * auth_request turns whatever a subrequest of its own answers into 500; a
 * client that is told 500 does not know that it may retry.  A page that the
 * operator has for 500 is kept and only gets the status.  NGX_DECLINED: it
 * is nginx's own page, and ours is to be made from the beginning.
 */

static ngx_int_t
ngx_http_recovery_unmask(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx)
{
    if (r->uri_changes == ctx->shed_uri_changes) {

        /* set by the search for a page of 500, none was found */

        r->error_page = 0;

        return NGX_DECLINED;
    }

    r->err_status = ctx->shed_status;
    r->headers_out.status = ctx->shed_status;
    r->headers_out.status_line.len = 0;

    return NGX_OK;
}


/*
 * Will it go on for as long as the client likes?  Then it is no work that
 * the backend has to get done, and would only use up what is allowed.
 */

static ngx_uint_t
ngx_http_recovery_streams(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return 1;
    }

    type = &r->headers_out.content_type;
    len = sizeof("text/event-stream") - 1;

    if (type->len >= len
        && ngx_strncasecmp(type->data, (u_char *) "text/event-stream", len)
           == 0)
    {
        return 1;
    }

    return ngx_http_recovery_is_grpc(type);
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
