
#include "ngx_http_recovery_status.h"


/* Where the values of an object stand: inline, or each on its own line. */

static const ngx_str_t  ngx_http_recovery_json_inline = ngx_string(" ");
static const ngx_str_t  ngx_http_recovery_json_top = ngx_string("\n  ");
static const ngx_str_t  ngx_http_recovery_json_backend =
    ngx_string("\n      ");


static void ngx_http_recovery_json_backend_fields(
    ngx_http_recovery_out_t *out, const ngx_http_recovery_field_t *fields,
    const ngx_http_recovery_view_t *view);
static void ngx_http_recovery_json_fields(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view,
    const ngx_str_t *between);
static void ngx_http_recovery_json_value(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *between);
static void ngx_http_recovery_json_number(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, uint64_t n);
static void ngx_http_recovery_json_counts(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_words_t *words, const uint64_t *counts);
static void ngx_http_recovery_json_list(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const ngx_array_t *list,
    const ngx_str_t *between);
static void ngx_http_recovery_json_text(ngx_http_recovery_out_t *out,
    const ngx_str_t *s);
static void ngx_http_recovery_json_word(ngx_http_recovery_out_t *out,
    const ngx_str_t *s);


ngx_int_t
ngx_http_recovery_render_json(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor)
{
    const ngx_http_recovery_view_t  *view;

    if (cursor->view == 0) {
        ngx_http_recovery_out_text(out, "{");
        ngx_http_recovery_json_fields(out, ngx_http_recovery_node_fields, node,
                                      &ngx_http_recovery_json_top);
        ngx_http_recovery_out_text(out, ",\n  \"backends\": {");
    }

    view = node->backends.elts;

    while (cursor->view < node->backends.nelts) {
        if (cursor->view > 0) {
            ngx_http_recovery_out_text(out, ",");
        }

        ngx_http_recovery_json_backend_fields(out,
                                              ngx_http_recovery_backend_fields,
                                              &view[cursor->view++]);

        if (ngx_http_recovery_piece_done(out, cursor)) {
            return NGX_AGAIN;
        }
    }

    if (cursor->view > 0) {
        ngx_http_recovery_out_text(out, "\n  ");
    }

    ngx_http_recovery_out_text(out, "}\n}\n");

    return NGX_OK;
}


void
ngx_http_recovery_render_report(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_report_view_t *report)
{
    ngx_http_recovery_out_text(out, "{");
    ngx_http_recovery_json_fields(out, ngx_http_recovery_report_fields, report,
                                  &ngx_http_recovery_json_inline);
    ngx_http_recovery_out_text(out, ",");
    ngx_http_recovery_json_fields(out, ngx_http_recovery_backend_fields,
                                  &report->backend,
                                  &ngx_http_recovery_json_inline);
    ngx_http_recovery_out_text(out, " }");
}


void
ngx_http_recovery_render_control(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node, const ngx_str_t *only)
{
    ngx_uint_t                       i, n;
    const ngx_http_recovery_view_t  *view;

    view = node->backends.elts;

    for (i = 0; only->len && i < node->backends.nelts; i++) {

        if (view[i].name.data == only->data) {
            ngx_http_recovery_out_text(out, "{\n  \"backend\": ");
            ngx_http_recovery_json_text(out, only);
            ngx_http_recovery_out_text(out, ",");
            ngx_http_recovery_json_fields(out,
                                          ngx_http_recovery_control_fields,
                                          &view[i],
                                          &ngx_http_recovery_json_top);
            ngx_http_recovery_out_text(out, "\n}\n");
            return;
        }
    }

    ngx_http_recovery_out_text(out, "{\n  \"backends\": {");

    for (i = 0, n = 0; i < node->backends.nelts; i++) {

        if (!view[i].forced && !view[i].ordered && view[i].promote.len == 0) {
            continue;
        }

        if (n++) {
            ngx_http_recovery_out_text(out, ",");
        }

        ngx_http_recovery_json_backend_fields(out,
                                              ngx_http_recovery_control_fields,
                                              &view[i]);
    }

    ngx_http_recovery_out_text(out, "\n  }\n}\n");
}


static void
ngx_http_recovery_json_backend_fields(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields,
    const ngx_http_recovery_view_t *view)
{
    ngx_http_recovery_out_text(out, "\n    ");
    ngx_http_recovery_json_text(out, &view->name);
    ngx_http_recovery_out_text(out, ": {");
    ngx_http_recovery_json_fields(out, fields, view,
                                  &ngx_http_recovery_json_backend);
    ngx_http_recovery_out_text(out, "\n    }");
}


static void
ngx_http_recovery_json_fields(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view,
    const ngx_str_t *between)
{
    ngx_uint_t                        n;
    const ngx_http_recovery_field_t  *field;

    n = 0;

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {
        if (field->key.len == 0) {
            continue;
        }

        if (n++) {
            ngx_http_recovery_out_text(out, ",");
        }

        ngx_http_recovery_out_str(out, between);
        ngx_http_recovery_json_word(out, &field->key);
        ngx_http_recovery_out_text(out, ": ");
        ngx_http_recovery_json_value(out, field, view, between);
    }
}


static void
ngx_http_recovery_json_value(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *between)
{
    switch (field->kind) {

    case NGX_HTTP_RECOVERY_TEXT:
        ngx_http_recovery_json_text(out,
                                    ngx_http_recovery_field_text(field, view));
        return;

    case NGX_HTTP_RECOVERY_LIST:
        ngx_http_recovery_json_list(out, field->of,
                                    ngx_http_recovery_field_list(field, view),
                                    between);
        return;

    case NGX_HTTP_RECOVERY_COUNTS:
        ngx_http_recovery_json_counts(out, field->of,
                                  ngx_http_recovery_field_counts(field, view));
        return;

    case NGX_HTTP_RECOVERY_OBJECT:
        if (!ngx_http_recovery_field_number(field, view)) {
            ngx_http_recovery_out_text(out, "null");
            return;
        }

        ngx_http_recovery_out_text(out, "{");
        ngx_http_recovery_json_fields(out, field->of, view,
                                      &ngx_http_recovery_json_inline);
        ngx_http_recovery_out_text(out, " }");
        return;

    default:
        ngx_http_recovery_json_number(out, field,
                                  ngx_http_recovery_field_number(field, view));
    }
}


static void
ngx_http_recovery_json_number(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, uint64_t n)
{
    ngx_str_t  word;

    if (n == NGX_HTTP_RECOVERY_UNKNOWN || n == RCV_UNLIMITED) {
        ngx_http_recovery_out_text(out, "null");
        return;
    }

    switch (field->kind) {

    case NGX_HTTP_RECOVERY_WORD:
        word = ngx_http_recovery_field_word(field, n);
        ngx_http_recovery_json_word(out, &word);
        return;

    case NGX_HTTP_RECOVERY_TIME:
        ngx_http_recovery_out_text(out, "\"");
        ngx_http_recovery_out_time(out, n);
        ngx_http_recovery_out_text(out, "\"");
        return;

    case NGX_HTTP_RECOVERY_BOOL:
        if (n) {
            ngx_http_recovery_out_text(out, "true");

        } else {
            ngx_http_recovery_out_text(out, "false");
        }

        return;

    case NGX_HTTP_RECOVERY_RATE:
        ngx_http_recovery_out_decimal(out, n, 3);
        return;

    case NGX_HTTP_RECOVERY_RATIO:
        ngx_http_recovery_out_decimal(out, n, 6);
        return;

    default:
        /* COUNT, MS, US, SECONDS: the key ends in the unit */
        ngx_http_recovery_out_decimal(out, n, 0);
    }
}


static void
ngx_http_recovery_json_counts(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_words_t *words, const uint64_t *counts)
{
    ngx_str_t   word;
    ngx_uint_t  i, n;

    n = 0;
    ngx_http_recovery_out_text(out, "{");

    for (i = 0; i < words->n; i++) {
        if (counts[i] == 0) {
            continue;
        }

        if (n++) {
            ngx_http_recovery_out_text(out, ",");
        }

        word.data = (u_char *) words->word[i];
        word.len = ngx_strlen(word.data);

        ngx_http_recovery_out_text(out, " ");
        ngx_http_recovery_json_word(out, &word);
        ngx_http_recovery_out_text(out, ": ");
        ngx_http_recovery_out_decimal(out, counts[i], 0);
    }

    if (n) {
        ngx_http_recovery_out_text(out, " ");
    }

    ngx_http_recovery_out_text(out, "}");
}


static void
ngx_http_recovery_json_list(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const ngx_array_t *list,
    const ngx_str_t *between)
{
    ngx_uint_t     i;
    const u_char  *element;

    ngx_http_recovery_out_text(out, "[");

    element = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (i > 0) {
            ngx_http_recovery_out_text(out, ",");
        }

        ngx_http_recovery_out_str(out, between);

        if (between != &ngx_http_recovery_json_inline) {
            ngx_http_recovery_out_text(out, "  ");
        }

        ngx_http_recovery_out_text(out, "{");
        ngx_http_recovery_json_fields(out, fields, element,
                                      &ngx_http_recovery_json_inline);
        ngx_http_recovery_out_text(out, " }");

        element += list->size;
    }

    if (i > 0) {
        ngx_http_recovery_out_str(out, between);
    }

    ngx_http_recovery_out_text(out, "]");
}


static void
ngx_http_recovery_json_text(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    if (s->data == NULL) {
        ngx_http_recovery_out_text(out, "null");
        return;
    }

    ngx_http_recovery_out_text(out, "\"");
    ngx_http_recovery_out_json(out, s);
    ngx_http_recovery_out_text(out, "\"");
}


/* All words of ours are such that they need no escaping. */

static void
ngx_http_recovery_json_word(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    u_char  *p;

    p = ngx_http_recovery_out_room(out, s->len + 2);

    if (p) {
        *p++ = '"';
        p = ngx_cpymem(p, s->data, s->len);
        *p++ = '"';
        ngx_http_recovery_out_advance(out, p);
    }
}
