
/*
 * The handler of "recovery_control": a JSON body -> an order; what is in
 * force <- GET.
 *
 * The header X-Recovery-Control is one that a page of another site cannot
 * make a browser send (it would have to ask first, and nobody here answers
 * that), nor a form or a link.
 */

#include "ngx_http_recovery_control.h"
#include "ngx_http_recovery_status.h"


typedef struct {
    ngx_uint_t                       status;
    const char                      *error;     /* NULL: none */
    ngx_str_t                        only;      /* a backend; empty: all */
} ngx_http_recovery_reply_t;


static void ngx_http_recovery_control_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_control_refused(ngx_http_request_t *r,
    ngx_http_recovery_reply_t *reply);
static ngx_uint_t ngx_http_recovery_control_marked(ngx_http_request_t *r);
static ngx_uint_t ngx_http_recovery_control_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_control_read(ngx_http_request_t *r,
    u_char *to, size_t *len);
static void ngx_http_recovery_control_order(ngx_http_request_t *r,
    rcv_str_t body, rcv_order_t *order, char *error,
    ngx_http_recovery_reply_t *reply);
static ngx_http_recovery_backend_t *ngx_http_recovery_control_backend(
    ngx_http_recovery_main_conf_t *rmcf, const char *name);
static void ngx_http_recovery_control_result(ngx_http_request_t *r,
    const rcv_order_t *order, rcv_order_result_t result,
    ngx_http_recovery_reply_t *reply);
static ngx_int_t ngx_http_recovery_control_reply(ngx_http_request_t *r,
    const ngx_http_recovery_reply_t *reply);


ngx_int_t
ngx_http_recovery_control_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_recovery_reply_t       reply;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    if (rmcf->zone && !ngx_http_recovery_led(rmcf->zone)) {
        ngx_http_recovery_lead(rmcf);
    }

    ngx_memzero(&reply, sizeof(ngx_http_recovery_reply_t));
    reply.status = NGX_HTTP_OK;

    if (ngx_http_recovery_control_refused(r, &reply) == NGX_OK
        && r->method == NGX_HTTP_POST)
    {
        r->request_body_in_single_buf = 1;
        r->request_body_in_file_only = 0;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_recovery_control_body);

        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);

    return rc != NGX_OK ? rc : ngx_http_recovery_control_reply(r, &reply);
}


/* All that is known before the body is read. */

static ngx_int_t
ngx_http_recovery_control_refused(ngx_http_request_t *r,
    ngx_http_recovery_reply_t *reply)
{
    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return NGX_OK;
    }

    if (r->method != NGX_HTTP_POST) {
        reply->status = NGX_HTTP_NOT_ALLOWED;
        reply->error = "an order is a POST; GET shows what is in force";

    } else if (!ngx_http_recovery_control_marked(r)) {
        reply->status = NGX_HTTP_FORBIDDEN;
        reply->error = "the header \"X-Recovery-Control: 1\" is missing; it "
                       "is required so that no web page can give orders";

    } else if (!ngx_http_recovery_control_json(r)) {
        reply->status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        reply->error = "an order has \"Content-Type: application/json\"";

    } else if (r->headers_in.content_length_n > RCV_ORDER_BODY_MAX) {
        reply->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        reply->error = "an order has at most 4096 bytes";

    } else {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_recovery_control_marked(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_str_t  name = ngx_string("x-recovery-control");

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            part = part->next;

            if (part == NULL) {
                return 0;
            }

            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name.len
            && ngx_strncmp(h[i].lowcase_key, name.data, name.len) == 0)
        {
            return h[i].value.len == 1 && h[i].value.data[0] == '1';
        }
    }
}


/* "application/json", with or without parameters. */

static ngx_uint_t
ngx_http_recovery_control_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    static const char  json[] = "application/json";

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    len = sizeof(json) - 1;

    return type->len >= len
           && ngx_strncasecmp(type->data, (u_char *) json, len) == 0
           && (type->len == len || type->data[len] == ';'
               || type->data[len] == ' ');
}


static void
ngx_http_recovery_control_body(ngx_http_request_t *r)
{
    char                       error[RCV_ERROR_MAX];
    size_t                     len;
    u_char                     data[RCV_ORDER_BODY_MAX];
    ngx_int_t                  rc;
    rcv_str_t                  body;
    rcv_order_t                order;
    ngx_http_recovery_reply_t  reply;

    ngx_memzero(&reply, sizeof(ngx_http_recovery_reply_t));
    reply.status = NGX_HTTP_OK;

    rc = ngx_http_recovery_control_read(r, data, &len);

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (rc == NGX_DECLINED) {
        reply.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        reply.error = "an order has at most 4096 bytes";

    } else {
        body.data = (char *) data;
        body.len = len;
        ngx_http_recovery_control_order(r, body, &order, error, &reply);
    }

    ngx_http_finalize_request(r, ngx_http_recovery_control_reply(r, &reply));
}


/* The whole body in one piece; NGX_DECLINED: it is too long. */

static ngx_int_t
ngx_http_recovery_control_read(ngx_http_request_t *r, u_char *to, size_t *len)
{
    off_t         size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *len = 0;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (size > (off_t) (RCV_ORDER_BODY_MAX - *len)) {
            return NGX_DECLINED;
        }

        if (!b->in_file) {
            ngx_memcpy(to + *len, b->pos, (size_t) size);

        } else {
            n = ngx_read_file(b->file, to + *len, (size_t) size, b->file_pos);

            if (n != (ssize_t) size) {
                return NGX_ERROR;
            }
        }

        *len += (size_t) size;
    }

    return NGX_OK;
}


static void
ngx_http_recovery_control_order(ngx_http_request_t *r, rcv_str_t body,
    rcv_order_t *order, char *error, ngx_http_recovery_reply_t *reply)
{
    ngx_int_t                       rc;
    rcv_order_result_t              result;
    ngx_http_recovery_backend_t    *backend;
    ngx_http_recovery_main_conf_t  *rmcf;

    if (rcv_order_parse(order, body, (uint64_t) ngx_time(), error) != 0) {
        reply->status = NGX_HTTP_BAD_REQUEST;
        reply->error = error;
        return;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);
    backend = ngx_http_recovery_control_backend(rmcf, order->backend);

    if (backend == NULL) {
        reply->status = NGX_HTTP_NOT_FOUND;
        reply->error = "there is no recovery_backend of that name";
        return;
    }

    reply->only = backend->name;

    rc = ngx_http_recovery_order(rmcf, backend, order, &result);

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "recovery: backend \"%V\" order %s for %uL s "
                      "by \"%s\": \"%s\"",
                      &backend->name, rcv_action_names[order->action],
                      order->left_ms / 1000, order->by, order->reason);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_recovery_control_result(r, order, result, reply);
        return;
    }

    reply->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    reply->error = "others were writing all the time; try again";
}


static ngx_http_recovery_backend_t *
ngx_http_recovery_control_backend(ngx_http_recovery_main_conf_t *rmcf,
    const char *name)
{
    size_t                         len;
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    len = ngx_strlen(name);
    backends = rmcf->backends.elts;

    for (i = 0; rmcf->zone && i < rmcf->backends.nelts; i++) {
        if (backends[i]->name.len == len
            && ngx_memcmp(backends[i]->name.data, name, len) == 0)
        {
            return backends[i];
        }
    }

    return NULL;
}


static void
ngx_http_recovery_control_result(ngx_http_request_t *r,
    const rcv_order_t *order, rcv_order_result_t result,
    ngx_http_recovery_reply_t *reply)
{
    switch (result) {

    case RCV_ORDER_UNKNOWN_CLASS:
        reply->status = NGX_HTTP_BAD_REQUEST;
        reply->error = "the policy of this backend has no class of that name";
        return;

    case RCV_ORDER_FAILING:
        reply->status = NGX_HTTP_CONFLICT;
        reply->error = "force open is refused while the backend is failing; "
                       "\"override_safety\": \"failing\" breaks that rule";
        break;

    default: /* RCV_ORDER_NO_HOLD */
        reply->status = NGX_HTTP_CONFLICT;
        reply->error = "there is no hold to resume from; \"clear\" ends "
                       "another order";
        break;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "recovery: backend \"%s\" order %s by \"%s\" refused: %s",
                  order->backend, rcv_action_names[order->action], order->by,
                  reply->error);
}


static ngx_int_t
ngx_http_recovery_control_reply(ngx_http_request_t *r,
    const ngx_http_recovery_reply_t *reply)
{
    ngx_str_t                       error;
    ngx_http_recovery_out_t         out;
    ngx_http_recovery_node_view_t   node;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    ngx_http_recovery_out_init(&out, r->pool);

    if (reply->error) {
        error.data = (u_char *) reply->error;
        error.len = ngx_strlen(error.data);

        ngx_http_recovery_out_text(&out, "{ \"error\": \"");
        ngx_http_recovery_out_json(&out, &error);
        ngx_http_recovery_out_text(&out, "\" }\n");

    } else if (ngx_http_recovery_view_take(rmcf, r->pool, &node) == NGX_OK) {
        ngx_http_recovery_render_control(&out, &node, &reply->only);

    } else {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (out.failed
        || (reply->status == NGX_HTTP_NOT_ALLOWED
            && ngx_http_recovery_status_header(r, "Allow", "GET, HEAD, POST")
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_recovery_status_send(r, reply->status,
                                         &ngx_http_recovery_format_json, &out);
}
