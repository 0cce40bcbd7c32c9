
/*
 * Prometheus' text format, version 0.0.4: all samples of a metric stand
 * together under its HELP and TYPE, so the outer loop is the table and the
 * inner one the backends.
 *
 * A thousand backends have a hundred thousand samples: a line is written into
 * room that is asked for once.  No label needs escaping: names of backends and
 * classes are letters, digits, "_", "-" and ".", and the rest is ours.
 */

#include "ngx_http_recovery_status.h"


/* The views that one table's rows are asked of. */

typedef struct {
    const u_char   *first;
    size_t          size;
    ngx_uint_t      count;
    ngx_uint_t      labelled;           /* backend="NAME" */
} ngx_http_recovery_views_t;


static const ngx_http_recovery_field_t *ngx_http_recovery_prometheus_find(
    const ngx_http_recovery_field_t *fields, ngx_uint_t *n);
static ngx_int_t ngx_http_recovery_prometheus_metric(
    ngx_http_recovery_out_t *out, const ngx_http_recovery_field_t *field,
    const ngx_http_recovery_views_t *views,
    ngx_http_recovery_cursor_t *cursor);
static void ngx_http_recovery_prometheus_head(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_metric_t *metric);
static void ngx_http_recovery_prometheus_view(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *backend);
static void ngx_http_recovery_prometheus_sample(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_metric_t *metric,
    const ngx_http_recovery_sample_t *sample, const ngx_str_t *backend);
static u_char *ngx_http_recovery_prometheus_label(u_char *p,
    const ngx_str_t *label, const ngx_str_t *text);
static u_char *ngx_http_recovery_prometheus_number(u_char *p,
    ngx_http_recovery_kind_t kind, uint64_t n);


static const ngx_str_t
    ngx_http_recovery_type_names[NGX_HTTP_RECOVERY_TYPES] =
{
    ngx_string("gauge"),
    ngx_string("counter"),
    ngx_string("histogram")
};


static const ngx_str_t  ngx_http_recovery_backend_label =
    ngx_string("backend");


ngx_int_t
ngx_http_recovery_render_prometheus(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor)
{
    ngx_uint_t                        n;
    ngx_http_recovery_views_t         views;
    const ngx_http_recovery_field_t  *field;

    for ( ;; ) {
        n = cursor->part;

        views.first = (const u_char *) node;
        views.size = sizeof(ngx_http_recovery_node_view_t);
        views.count = 1;
        views.labelled = 0;

        field = ngx_http_recovery_prometheus_find(ngx_http_recovery_node_fields,
                                                  &n);

        if (field == NULL) {
            views.first = node->backends.elts;
            views.size = node->backends.size;
            views.count = node->backends.nelts;
            views.labelled = 1;

            field = ngx_http_recovery_prometheus_find(
                                         ngx_http_recovery_backend_fields, &n);
        }

        if (field == NULL) {
            return NGX_OK;
        }

        if (ngx_http_recovery_prometheus_metric(out, field, &views, cursor)
            == NGX_AGAIN)
        {
            return NGX_AGAIN;
        }

        cursor->part++;
        cursor->view = 0;
    }
}


/* The row with metric *n, or NULL and *n less the metrics that there are. */

static const ngx_http_recovery_field_t *
ngx_http_recovery_prometheus_find(const ngx_http_recovery_field_t *fields,
    ngx_uint_t *n)
{
    const ngx_http_recovery_field_t  *field, *inner;

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {

        if (field->kind == NGX_HTTP_RECOVERY_OBJECT) {
            inner = ngx_http_recovery_prometheus_find(field->of, n);

            if (inner) {
                return inner;
            }
        }

        if (field->metric.name.len && (*n)-- == 0) {
            return field;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_recovery_prometheus_metric(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field,
    const ngx_http_recovery_views_t *views,
    ngx_http_recovery_cursor_t *cursor)
{
    const u_char     *view;
    const ngx_str_t  *backend;

    if (cursor->view == 0) {
        ngx_http_recovery_prometheus_head(out, &field->metric);
    }

    while (cursor->view < views->count) {
        view = views->first + cursor->view++ * views->size;
        backend = views->labelled
                  ? &((const ngx_http_recovery_view_t *) view)->name : NULL;

        ngx_http_recovery_prometheus_view(out, field, view, backend);

        if (ngx_http_recovery_piece_done(out, cursor)) {
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


static void
ngx_http_recovery_prometheus_head(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_metric_t *metric)
{
    ngx_http_recovery_out_text(out, "# HELP " NGX_HTTP_RECOVERY_METRIC_PREFIX);
    ngx_http_recovery_out_str(out, &metric->name);
    ngx_http_recovery_out_text(out, " ");
    ngx_http_recovery_out_str(out, &metric->help);
    ngx_http_recovery_out_text(out,
                               "\n# TYPE " NGX_HTTP_RECOVERY_METRIC_PREFIX);
    ngx_http_recovery_out_str(out, &metric->name);
    ngx_http_recovery_out_text(out, " ");
    ngx_http_recovery_out_str(out,
                              &ngx_http_recovery_type_names[metric->type]);
    ngx_http_recovery_out_text(out, "\n");
}


/* All samples of one metric that one view has. */

static void
ngx_http_recovery_prometheus_view(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *backend)
{
    ngx_uint_t                   i;
    ngx_http_recovery_sample_t   sample;

    ngx_str_null(&sample.suffix);
    sample.nlabels = 0;

    if (field->metric.samples == NULL) {
        sample.kind = field->kind;
        sample.value = ngx_http_recovery_field_number(field, view);

        ngx_http_recovery_prometheus_sample(out, &field->metric, &sample,
                                            backend);
        return;
    }

    sample.kind = NGX_HTTP_RECOVERY_COUNT;

    for (i = 0; field->metric.samples(view, i, &sample) == NGX_OK; i++) {
        ngx_http_recovery_prometheus_sample(out, &field->metric, &sample,
                                            backend);

        sample.kind = NGX_HTTP_RECOVERY_COUNT;
        sample.nlabels = 0;
    }
}


static void
ngx_http_recovery_prometheus_sample(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_metric_t *metric,
    const ngx_http_recovery_sample_t *sample, const ngx_str_t *backend)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    if (sample->value == NGX_HTTP_RECOVERY_UNKNOWN) {
        return;
    }

    len = sizeof(NGX_HTTP_RECOVERY_METRIC_PREFIX "{backend=\"\"} \n")
          + metric->name.len + sample->suffix.len
          + (backend ? backend->len : 0) + NGX_HTTP_RECOVERY_DECIMAL_LEN;

    for (i = 0; i < sample->nlabels; i++) {
        len += sizeof(",=\"\"") + sample->label[i].len + sample->text[i].len;
    }

    p = ngx_http_recovery_out_room(out, len);
    if (p == NULL) {
        return;
    }

    p = ngx_cpymem(p, NGX_HTTP_RECOVERY_METRIC_PREFIX,
                   sizeof(NGX_HTTP_RECOVERY_METRIC_PREFIX) - 1);
    p = ngx_cpymem(p, metric->name.data, metric->name.len);
    p = ngx_cpymem(p, sample->suffix.data, sample->suffix.len);

    if (backend || sample->nlabels) {
        *p++ = '{';

        if (backend) {
            p = ngx_http_recovery_prometheus_label(p,
                                    &ngx_http_recovery_backend_label, backend);
        }

        for (i = 0; i < sample->nlabels; i++) {
            p = ngx_http_recovery_prometheus_label(p, &sample->label[i],
                                                   &sample->text[i]);
        }

        /* over the last comma */

        p[-1] = '}';
    }

    *p++ = ' ';
    p = ngx_http_recovery_prometheus_number(p, sample->kind, sample->value);
    *p++ = '\n';

    ngx_http_recovery_out_advance(out, p);
}


static u_char *
ngx_http_recovery_prometheus_label(u_char *p, const ngx_str_t *label,
    const ngx_str_t *text)
{
    p = ngx_cpymem(p, label->data, label->len);
    *p++ = '=';
    *p++ = '"';
    p = ngx_cpymem(p, text->data, text->len);
    *p++ = '"';
    *p++ = ',';

    return p;
}


/* In base units, as Prometheus wants them: seconds and ratios. */

static u_char *
ngx_http_recovery_prometheus_number(u_char *p, ngx_http_recovery_kind_t kind,
    uint64_t n)
{
    if (n == RCV_UNLIMITED) {
        return ngx_cpymem(p, "+Inf", 4);
    }

    switch (kind) {

    case NGX_HTTP_RECOVERY_RATE:
    case NGX_HTTP_RECOVERY_MS:
        return ngx_http_recovery_decimal(p, n, 3);

    case NGX_HTTP_RECOVERY_RATIO:
    case NGX_HTTP_RECOVERY_US:
        return ngx_http_recovery_decimal(p, n, 6);

    default:
        return ngx_http_recovery_decimal(p, n, 0);
    }
}
