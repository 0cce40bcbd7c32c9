
/*
 * The handlers of "recovery_status", and how an answer of ours goes out.  They
 * read shared memory only and change nothing, by any method.
 */

#include "ngx_http_recovery_page.h"
#include "ngx_http_recovery_status.h"


static ngx_int_t ngx_http_recovery_status(ngx_http_request_t *r,
    const ngx_http_recovery_format_t *format);
static ngx_int_t ngx_http_recovery_status_refuse(ngx_http_request_t *r);


const ngx_http_recovery_format_t  ngx_http_recovery_format_json = {
    ngx_http_recovery_render_json,
    "application/json; charset=utf-8",
    NULL
};


static const ngx_http_recovery_format_t
    ngx_http_recovery_format_prometheus =
{
    ngx_http_recovery_render_prometheus,
    "text/plain; version=0.0.4; charset=utf-8",
    NULL
};


static const ngx_http_recovery_format_t  ngx_http_recovery_format_html = {
    ngx_http_recovery_render_html,
    "text/html; charset=utf-8",
    &ngx_http_recovery_page_policy
};


ngx_int_t
ngx_http_recovery_status_json(ngx_http_request_t *r)
{
    return ngx_http_recovery_status(r, &ngx_http_recovery_format_json);
}


ngx_int_t
ngx_http_recovery_status_prometheus(ngx_http_request_t *r)
{
    return ngx_http_recovery_status(r, &ngx_http_recovery_format_prometheus);
}


/* The page asks its own address for the numbers: it knows no other one. */

ngx_int_t
ngx_http_recovery_status_html(ngx_http_request_t *r)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK
        && value.len == 4
        && ngx_strncmp(value.data, "json", 4) == 0)
    {
        return ngx_http_recovery_status(r, &ngx_http_recovery_format_json);
    }

    return ngx_http_recovery_status(r, &ngx_http_recovery_format_html);
}


static ngx_int_t
ngx_http_recovery_status(ngx_http_request_t *r,
    const ngx_http_recovery_format_t *format)
{
    ngx_int_t                       rc;
    ngx_http_recovery_main_conf_t  *rmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_recovery_status_refuse(r);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    if (rmcf->zone && !ngx_http_recovery_led(rmcf->zone)) {
        ngx_http_recovery_lead(rmcf);
    }

    return ngx_http_recovery_stream(r, format);
}


ngx_int_t
ngx_http_recovery_status_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_http_recovery_format_t *format, ngx_http_recovery_out_t *out)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    rc = ngx_http_recovery_status_head(r, status, format,
                                       ngx_http_recovery_out_size(out));

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    cl = ngx_http_recovery_out_chain(out);

    out->buf->last_buf = (r == r->main);
    out->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, cl);
}


ngx_int_t
ngx_http_recovery_status_head(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_http_recovery_format_t *format, off_t length)
{
    if (ngx_http_recovery_status_header(r, "Cache-Control", "no-store")
        != NGX_OK
        || ngx_http_recovery_status_header(r, "X-Content-Type-Options",
                                           "nosniff")
           != NGX_OK
        || (format->policy
            && ngx_http_recovery_status_header(r, "Content-Security-Policy",
                                        (const char *) format->policy->data)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* other modules compare the type up to the ";" */

    r->headers_out.content_type.data = (u_char *) format->type;
    r->headers_out.content_type.len = ngx_strlen(format->type);
    r->headers_out.content_type_len = ngx_strchr(format->type, ';')
                                      - format->type;
    r->headers_out.content_type_lowcase = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = length;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_recovery_status_refuse(ngx_http_request_t *r)
{
    if (ngx_http_recovery_status_header(r, "Allow", "GET, HEAD") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


ngx_int_t
ngx_http_recovery_status_header(ngx_http_request_t *r, const char *key,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_recovery_header_end(h);

    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}
