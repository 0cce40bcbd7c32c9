
/*
 * Prometheus' text format, version 0.0.4: all samples of a metric stand
 * together under its HELP and TYPE, so the outer loop is the table and the
 * inner one the backends.
 */

#include "ngx_http_recovery_status.h"


/* The views that one table's rows are asked of. */

typedef struct {
    const u_char   *first;
    size_t          size;
    ngx_uint_t      count;
    ngx_uint_t      labelled;           /* backend="NAME" */
} ngx_http_recovery_views_t;


static void ngx_http_recovery_prometheus_table(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields,
    const ngx_http_recovery_views_t *views);
static void ngx_http_recovery_prometheus_metric(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field,
    const ngx_http_recovery_views_t *views);
static void ngx_http_recovery_prometheus_view(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *backend);
static void ngx_http_recovery_prometheus_sample(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_metric_t *metric,
    const ngx_http_recovery_sample_t *sample, const ngx_str_t *backend);
static void ngx_http_recovery_prometheus_label(ngx_http_recovery_out_t *out,
    const ngx_str_t *label, const ngx_str_t *text, ngx_uint_t first);
static void ngx_http_recovery_prometheus_number(ngx_http_recovery_out_t *out,
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


void
ngx_http_recovery_render_prometheus(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node)
{
    ngx_http_recovery_views_t  views;

    views.first = (const u_char *) node;
    views.size = sizeof(ngx_http_recovery_node_view_t);
    views.count = 1;
    views.labelled = 0;

    ngx_http_recovery_prometheus_table(out, ngx_http_recovery_node_fields,
                                       &views);

    views.first = node->backends.elts;
    views.size = node->backends.size;
    views.count = node->backends.nelts;
    views.labelled = 1;

    ngx_http_recovery_prometheus_table(out, ngx_http_recovery_backend_fields,
                                       &views);
}


static void
ngx_http_recovery_prometheus_table(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields,
    const ngx_http_recovery_views_t *views)
{
    const ngx_http_recovery_field_t  *field;

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {

        if (field->kind == NGX_HTTP_RECOVERY_OBJECT) {
            ngx_http_recovery_prometheus_table(out, field->of, views);
        }

        if (field->metric.name.len) {
            ngx_http_recovery_prometheus_metric(out, field, views);
        }
    }
}


static void
ngx_http_recovery_prometheus_metric(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field,
    const ngx_http_recovery_views_t *views)
{
    ngx_uint_t                         i;
    const u_char                      *view;
    const ngx_http_recovery_metric_t  *metric;

    metric = &field->metric;

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

    view = views->first;

    for (i = 0; i < views->count; i++) {
        ngx_http_recovery_prometheus_view(out, field, view,
                 views->labelled
                 ? &((const ngx_http_recovery_view_t *) view)->name : NULL);

        view += views->size;
    }
}


/* All samples of one metric that one view has. */

static void
ngx_http_recovery_prometheus_view(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view,
    const ngx_str_t *backend)
{
    ngx_uint_t                   i;
    ngx_http_recovery_sample_t   sample;

    sample.suffix.len = 0;
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
    ngx_uint_t  i;

    if (sample->value == NGX_HTTP_RECOVERY_UNKNOWN) {
        return;
    }

    ngx_http_recovery_out_text(out, NGX_HTTP_RECOVERY_METRIC_PREFIX);
    ngx_http_recovery_out_str(out, &metric->name);
    ngx_http_recovery_out_str(out, &sample->suffix);

    if (backend) {
        ngx_http_recovery_prometheus_label(out,
                                           &ngx_http_recovery_backend_label,
                                           backend, 1);
    }

    for (i = 0; i < sample->nlabels; i++) {
        ngx_http_recovery_prometheus_label(out, &sample->label[i],
                                           &sample->text[i],
                                           i == 0 && backend == NULL);
    }

    if (backend || sample->nlabels) {
        ngx_http_recovery_out_text(out, "}");
    }

    ngx_http_recovery_out_text(out, " ");
    ngx_http_recovery_prometheus_number(out, sample->kind, sample->value);
    ngx_http_recovery_out_text(out, "\n");
}


static void
ngx_http_recovery_prometheus_label(ngx_http_recovery_out_t *out,
    const ngx_str_t *label, const ngx_str_t *text, ngx_uint_t first)
{
    ngx_http_recovery_out_bytes(out, first ? "{" : ",", 1);
    ngx_http_recovery_out_str(out, label);
    ngx_http_recovery_out_text(out, "=\"");
    ngx_http_recovery_out_label(out, text);
    ngx_http_recovery_out_text(out, "\"");
}


/* In base units, as Prometheus wants them: seconds and ratios. */

static void
ngx_http_recovery_prometheus_number(ngx_http_recovery_out_t *out,
    ngx_http_recovery_kind_t kind, uint64_t n)
{
    ngx_uint_t  digits;

    if (n == RCV_UNLIMITED) {
        ngx_http_recovery_out_text(out, "+Inf");
        return;
    }

    switch (kind) {

    case NGX_HTTP_RECOVERY_RATE:
    case NGX_HTTP_RECOVERY_MS:
        digits = 3;
        break;

    case NGX_HTTP_RECOVERY_RATIO:
    case NGX_HTTP_RECOVERY_US:
        digits = 6;
        break;

    default:
        digits = 0;
    }

    ngx_http_recovery_out_decimal(out, n, digits);
}
