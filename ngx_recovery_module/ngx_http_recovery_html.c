
/*
 * The status as one page: the numbers as tables, which need no script, inside
 * the live page, which puts its own view in their place.  What that has to
 * know of the table of fields goes with them: it knows no title by itself.
 */

#include "ngx_http_recovery_page.h"
#include "ngx_http_recovery_status.h"


#define NGX_HTTP_RECOVERY_HTML_EVENTS  8    /* newest first */


static void ngx_http_recovery_html_fields(ngx_http_recovery_out_t *out);
static void ngx_http_recovery_html_titles(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields);
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


/* By ngx_http_recovery_kind_t, as dashboard/page/format.js calls them. */

static const ngx_str_t
    ngx_http_recovery_html_kinds[NGX_HTTP_RECOVERY_LIST + 1] =
{
    ngx_null_string, ngx_null_string,
    ngx_string("count"), ngx_string("rate"), ngx_string("ratio"),
    ngx_string("ms"), ngx_string("us"), ngx_string("seconds"),
    ngx_string("bool"), ngx_string("time"), ngx_string("word"),
    ngx_string("counts"), ngx_string("text"), ngx_string("object"),
    ngx_string("list")
};


ngx_int_t
ngx_http_recovery_render_html(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor)
{
    const ngx_http_recovery_view_t  *view;

    if (cursor->view == 0) {
        ngx_http_recovery_out_static(out, &ngx_http_recovery_page_head);

        ngx_http_recovery_html_rows(out, ngx_http_recovery_node_fields, node);
    }

    view = node->backends.elts;

    while (cursor->view < node->backends.nelts) {
        ngx_http_recovery_html_backend(out, &view[cursor->view++]);

        if (ngx_http_recovery_piece_done(out, cursor)) {
            return NGX_AGAIN;
        }
    }

    if (cursor->view == 0) {
        ngx_http_recovery_out_text(out, "<p>No backend is configured.</p>\n");
    }

    ngx_http_recovery_html_fields(out);

    ngx_http_recovery_out_static(out, &ngx_http_recovery_page_tail);

    return NGX_OK;
}


/* { "node": TITLES, "backend": TITLES }, for the script behind it. */

static void
ngx_http_recovery_html_fields(ngx_http_recovery_out_t *out)
{
    ngx_http_recovery_out_text(out,
        "<script type=\"application/json\" id=\"fields\">{\"node\":");
    ngx_http_recovery_html_titles(out, ngx_http_recovery_node_fields);
    ngx_http_recovery_out_text(out, ",\"backend\":");
    ngx_http_recovery_html_titles(out, ngx_http_recovery_backend_fields);
    ngx_http_recovery_out_text(out, "}</script>\n");
}


/*
 * [[KEY, TITLE, KIND, TITLES of what is inside], ...] of what has both.  All
 * of it is ours and needs no escaping.
 */

static void
ngx_http_recovery_html_titles(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *fields)
{
    ngx_uint_t                        n;
    const ngx_http_recovery_field_t  *field;

    n = 0;
    ngx_http_recovery_out_text(out, "[");

    for (field = fields; field->kind != NGX_HTTP_RECOVERY_END; field++) {
        if (field->key.len == 0 || field->title.len == 0) {
            continue;
        }

        if (n++) {
            ngx_http_recovery_out_text(out, ",");
        }

        ngx_http_recovery_out_text(out, "[\"");
        ngx_http_recovery_out_str(out, &field->key);
        ngx_http_recovery_out_text(out, "\",\"");
        ngx_http_recovery_out_str(out, &field->title);
        ngx_http_recovery_out_text(out, "\",\"");
        ngx_http_recovery_out_str(out,
                               &ngx_http_recovery_html_kinds[field->kind]);
        ngx_http_recovery_out_text(out, "\"");

        if (field->kind == NGX_HTTP_RECOVERY_OBJECT
            || field->kind == NGX_HTTP_RECOVERY_LIST)
        {
            ngx_http_recovery_out_text(out, ",");
            ngx_http_recovery_html_titles(out, field->of);
        }

        ngx_http_recovery_out_text(out, "]");
    }

    ngx_http_recovery_out_text(out, "]");
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


/*
 * Lists in time order grow without end: the newest of those come first.  On a
 * narrow screen a list scrolls by itself, with the keyboard, too.
 */

static void
ngx_http_recovery_html_list(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_field_t *field, const ngx_array_t *list)
{
    ngx_uint_t                        i, n, newest;
    const u_char                     *element;
    const ngx_http_recovery_field_t  *column;

    ngx_http_recovery_out_text(out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"");
    ngx_http_recovery_out_str(out, &field->title);
    ngx_http_recovery_out_text(out,
        "\">\n<table class=\"list\"><caption>");
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

    ngx_http_recovery_out_text(out, "</tr>\n</table>\n</div>\n");
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
