
/*
 * The status as one page without scripts: a table per backend that reloads
 * itself.  It asks nothing of anybody else and its policy lets it apply
 * nothing but the style below.
 */

#include "ngx_http_recovery_status.h"


#define NGX_HTTP_RECOVERY_HTML_EVENTS  8    /* newest first */


static void ngx_http_recovery_html_backend(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_view_t *view);
static void ngx_http_recovery_html_rows(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view);
static void ngx_http_recovery_html_row(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view);
static void ngx_http_recovery_html_lists(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view);
static void ngx_http_recovery_html_list(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const ngx_array_t *list);
static void ngx_http_recovery_html_cell(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *element);
static void ngx_http_recovery_html_value(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view);
static void ngx_http_recovery_html_counts(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_words_t *words, const uint64_t *counts);
static void ngx_http_recovery_html_number(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, uint64_t n);
static void ngx_http_recovery_html_duration(ngx_http_recovery_out_t *out,
    uint64_t ms);
static void ngx_http_recovery_html_time(ngx_http_recovery_out_t *out,
    uint64_t unix_ms);


/*
 * A change of the style needs a new hash in the policy; t/status_style.t
 * compares them and tells the right one.
 */

static const ngx_str_t  ngx_http_recovery_html_style = ngx_string(
    ":root{color-scheme:light dark;--ink:#1c1e21;--dim:#5b6169;"
    "--line:#d9dce0;--paper:#fff;--good:#176b32;--bad:#b3261e;"
    "--busy:#8a5a00}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--dim:#a0a7af;"
    "--line:#3a3f45;--paper:#16181b;--good:#6fce8a;--bad:#ff8a80;"
    "--busy:#f0c060}}"
    "body{margin:0 auto;padding:.75rem;max-width:44rem;color:var(--ink);"
    "background:var(--paper);font:15px/1.4 system-ui,sans-serif}"
    "h1{font-size:1.3rem;margin:0 0 .5rem}"
    "h2{font-size:1.1rem;margin:1.5rem 0 .25rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%;margin:0 0 .75rem}"
    "caption{text-align:left;color:var(--dim);padding:.25rem 0}"
    "th,td{text-align:left;vertical-align:top;font-weight:400;"
    "padding:.15rem .5rem .15rem 0;border-bottom:1px solid var(--line)}"
    "th{color:var(--dim)}"
    "td{overflow-wrap:anywhere;font-variant-numeric:tabular-nums}"
    ".rows th{width:42%}"
    ".list{font-size:13px}"
    ".list td{overflow-wrap:break-word}"
    ".n{text-align:right}"
    "b{font-weight:600;color:var(--busy)}"
    ".up{color:var(--good)}"
    ".down{color:var(--bad)}");


const ngx_str_t  ngx_http_recovery_html_policy = ngx_string(
    "default-src 'none'; "
    "style-src 'sha256-qlVVzPJmXNS/gwyys+LgVlQ9UzQV1EEJA1IBP5OsT5A='");


void
ngx_http_recovery_render_html(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node)
{
    ngx_uint_t                       i;
    const ngx_http_recovery_view_t  *view;

    ngx_http_recovery_out_text(out,
        "<!DOCTYPE html>\n"
        "<html lang=\"en\">\n"
        "<head>\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta http-equiv=\"refresh\" content=\"2\">\n"
        "<title>Recovery</title>\n"
        "<style>");
    ngx_http_recovery_out_str(out, &ngx_http_recovery_html_style);
    ngx_http_recovery_out_text(out,
        "</style>\n"
        "</head>\n"
        "<body>\n"
        "<h1>Recovery</h1>\n");

    ngx_http_recovery_html_rows(out, ngx_http_recovery_node_fields, node);

    view = node->backends.elts;

    for (i = 0; i < node->backends.nelts; i++) {
        ngx_http_recovery_html_backend(out, &view[i]);
    }

    if (i == 0) {
        ngx_http_recovery_out_text(out, "<p>No backend is configured.</p>\n");
    }

    ngx_http_recovery_out_text(out, "</body>\n</html>\n");
}


static void
ngx_http_recovery_html_backend(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_view_t *view)
{
    ngx_str_t  phase;

    if (view->phase < RCV_PHASES) {
        phase.data = (u_char *) rcv_phase_names[view->phase];
        phase.len = ngx_strlen(phase.data);

    } else {
        ngx_str_set(&phase, "unknown");
    }

    ngx_http_recovery_out_text(out, "<h2>");
    ngx_http_recovery_out_html(out, &view->name);
    ngx_http_recovery_out_text(out, " <b class=\"");
    ngx_http_recovery_out_str(out, &phase);
    ngx_http_recovery_out_text(out, "\">");
    ngx_http_recovery_out_str(out, &phase);
    ngx_http_recovery_out_text(out, "</b></h2>\n");

    ngx_http_recovery_html_rows(out, ngx_http_recovery_backend_fields, view);
    ngx_http_recovery_html_lists(out, ngx_http_recovery_backend_fields, view);
}


static void
ngx_http_recovery_html_rows(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view)
{
    const ngx_http_recovery_field_t  *field, *inner;

    ngx_http_recovery_out_text(out, "<table class=\"rows\">\n");

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {
        if (field->title.len == 0 || field->kind == NGX_HTTP_RECOVERY_LIST) {
            continue;
        }

        if (field->kind != NGX_HTTP_RECOVERY_OBJECT) {
            ngx_http_recovery_html_row(out, field, view);
            continue;
        }

        if (!ngx_http_recovery_field_number(field, view)) {
            continue;
        }

        for (inner = field->of;
             inner->kind != NGX_HTTP_RECOVERY_END;
             inner++)
        {
            if (inner->title.len) {
                ngx_http_recovery_html_row(out, inner, view);
            }
        }
    }

    ngx_http_recovery_out_text(out, "</table>\n");
}


static void
ngx_http_recovery_html_row(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view)
{
    ngx_http_recovery_out_text(out, "<tr><th scope=\"row\">");
    ngx_http_recovery_out_str(out, &field->title);
    ngx_http_recovery_out_text(out, "</th><td>");
    ngx_http_recovery_html_value(out, field, view);
    ngx_http_recovery_out_text(out, "</td></tr>\n");
}


static void
ngx_http_recovery_html_lists(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields, const void *view)
{
    const ngx_array_t                *list;
    const ngx_http_recovery_field_t  *field;

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {
        if (field->title.len == 0 || field->kind != NGX_HTTP_RECOVERY_LIST) {
            continue;
        }

        list = ngx_http_recovery_field_list(field, view);

        if (list->nelts) {
            ngx_http_recovery_html_list(out, field, list);
        }
    }
}


/* Lists in time order grow without end: the newest of those come first. */

static void
ngx_http_recovery_html_list(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const ngx_array_t *list)
{
    ngx_uint_t                        i, n, newest;
    const u_char                     *element;
    const ngx_http_recovery_field_t  *column;

    ngx_http_recovery_out_text(out, "<table class=\"list\"><caption>");
    ngx_http_recovery_out_str(out, &field->title);
    ngx_http_recovery_out_text(out, "</caption>\n<tr>");

    newest = 0;

    for (column = field->of; column->kind != NGX_HTTP_RECOVERY_END; column++) {
        newest |= (column->kind == NGX_HTTP_RECOVERY_TIME);

        if (column->title.len) {
            ngx_http_recovery_html_cell(out, column, NULL);
        }
    }

    n = newest ? ngx_min(list->nelts, NGX_HTTP_RECOVERY_HTML_EVENTS)
               : list->nelts;

    for (i = 0; i < n; i++) {
        element = list->elts;
        element += list->size * (newest ? list->nelts - 1 - i : i);

        ngx_http_recovery_out_text(out, "</tr>\n<tr>");

        for (column = field->of;
             column->kind != NGX_HTTP_RECOVERY_END;
             column++)
        {
            if (column->title.len) {
                ngx_http_recovery_html_cell(out, column, element);
            }
        }
    }

    ngx_http_recovery_out_text(out, "</tr>\n</table>\n");
}


/* A cell of the heading when there is no element. */

static void
ngx_http_recovery_html_cell(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *element)
{
    if (element) {
        ngx_http_recovery_out_text(out, "<td");

    } else {
        ngx_http_recovery_out_text(out, "<th scope=\"col\"");
    }

    if (field->kind == NGX_HTTP_RECOVERY_COUNT) {
        ngx_http_recovery_out_text(out, " class=\"n\"");
    }

    ngx_http_recovery_out_text(out, ">");

    if (element) {
        ngx_http_recovery_html_value(out, field, element);
        ngx_http_recovery_out_text(out, "</td>");

    } else {
        ngx_http_recovery_out_str(out, &field->title);
        ngx_http_recovery_out_text(out, "</th>");
    }
}


static void
ngx_http_recovery_html_value(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const void *view)
{
    const ngx_str_t  *text;

    if (field->kind == NGX_HTTP_RECOVERY_COUNTS) {
        ngx_http_recovery_html_counts(out, field->of,
                                  ngx_http_recovery_field_counts(field, view));
        return;
    }

    if (field->kind != NGX_HTTP_RECOVERY_TEXT) {
        ngx_http_recovery_html_number(out, field,
                                  ngx_http_recovery_field_number(field, view));
        return;
    }

    text = ngx_http_recovery_field_text(field, view);

    if (text->data) {
        ngx_http_recovery_out_html(out, text);

    } else {
        ngx_http_recovery_out_text(out, "&ndash;");
    }
}


/* "rate 12, cohort 3" */

static void
ngx_http_recovery_html_counts(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_words_t *words, const uint64_t *counts)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < words->n; i++) {
        if (counts[i] == 0) {
            continue;
        }

        if (n++) {
            ngx_http_recovery_out_text(out, ", ");
        }

        ngx_http_recovery_out_bytes(out, words->word[i],
                                    ngx_strlen(words->word[i]));
        ngx_http_recovery_out_text(out, " ");
        ngx_http_recovery_out_decimal(out, counts[i], 0);
    }

    if (n == 0) {
        ngx_http_recovery_out_text(out, "&ndash;");
    }
}


static void
ngx_http_recovery_html_number(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, uint64_t n)
{
    ngx_str_t  word;

    if (n == NGX_HTTP_RECOVERY_UNKNOWN) {
        ngx_http_recovery_out_text(out, "&ndash;");
        return;
    }

    if (n == RCV_UNLIMITED) {
        ngx_http_recovery_out_text(out, "no limit");
        return;
    }

    switch (field->kind) {

    case NGX_HTTP_RECOVERY_WORD:
        word = ngx_http_recovery_field_word(field, n);
        ngx_http_recovery_out_html(out, &word);
        return;

    case NGX_HTTP_RECOVERY_BOOL:
        word.data = (u_char *) (n ? "yes" : "no");
        word.len = n ? 3 : 2;
        ngx_http_recovery_out_str(out, &word);
        return;

    case NGX_HTTP_RECOVERY_RATE:
        ngx_http_recovery_out_decimal(out, (n + 50) / 100, 1);
        ngx_http_recovery_out_text(out, " /s");
        return;

    case NGX_HTTP_RECOVERY_RATIO:
        ngx_http_recovery_out_decimal(out, (n + 500) / 1000, 1);
        ngx_http_recovery_out_text(out, " %");
        return;

    case NGX_HTTP_RECOVERY_MS:
        ngx_http_recovery_html_duration(out, n);
        return;

    case NGX_HTTP_RECOVERY_SECONDS:
        ngx_http_recovery_html_duration(out, n * 1000);
        return;

    case NGX_HTTP_RECOVERY_TIME:
        ngx_http_recovery_html_time(out, n);
        return;

    default:
        ngx_http_recovery_out_decimal(out, n, 0);
    }
}


/* "350 ms", "12.3 s", "5 min 3 s", "2 h 5 min", "3 d 4 h" */

static void
ngx_http_recovery_html_duration(ngx_http_recovery_out_t *out, uint64_t ms)
{
    u_char    *p;
    uint64_t   s;

    p = ngx_http_recovery_out_room(out, 2 * NGX_INT64_LEN + sizeof(" min  s"));
    if (p == NULL) {
        return;
    }

    s = ms / 1000;

    if (ms < 1000) {
        p = ngx_sprintf(p, "%uL ms", ms);

    } else if (s < 60) {
        p = ngx_http_recovery_decimal(p, ms / 100, 1);
        p = ngx_cpymem(p, " s", 2);

    } else if (s < 3600) {
        p = ngx_sprintf(p, "%uL min %uL s", s / 60, s % 60);

    } else if (s < 86400) {
        p = ngx_sprintf(p, "%uL h %uL min", s / 3600, s / 60 % 60);

    } else {
        p = ngx_sprintf(p, "%uL d %uL h", s / 86400, s / 3600 % 24);
    }

    ngx_http_recovery_out_advance(out, p);
}


/* With a blank, so that a narrow column can break it. */

static void
ngx_http_recovery_html_time(ngx_http_recovery_out_t *out, uint64_t unix_ms)
{
    u_char    *p;
    ngx_tm_t   tm;

    p = ngx_http_recovery_out_room(out, sizeof("1970-01-01 00:00:00Z")
                                        + NGX_INT64_LEN);
    if (p == NULL) {
        return;
    }

    ngx_gmtime((time_t) (unix_ms / 1000), &tm);

    p = ngx_sprintf(p, "%4d-%02d-%02d %02d:%02d:%02dZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);

    ngx_http_recovery_out_advance(out, p);
}
