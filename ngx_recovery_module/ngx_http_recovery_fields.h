
/*
 * The one table: every number of the status with its JSON key, its HTML
 * title and its metric.  A format walks the table and asks the view; none
 * knows a number by itself, so none can show another one.
 *
 * A row's value lies "offset" bytes into the view.  "of" is what the kind
 * needs: the words of a WORD, the rows of an OBJECT or of a LIST's elements,
 * the ngx_http_recovery_words_t of COUNTS, of which those that are 0 are left
 * out.
 * An OBJECT groups values of the same view; its offset is that of the flag
 * that says whether it is there.
 *
 * A metric is the row's own value, one sample per view, or what its
 * "samples" gives: sample i of that view, or NGX_DONE.
 */

#ifndef _NGX_HTTP_RECOVERY_FIELDS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_FIELDS_H_INCLUDED_


#include "ngx_http_recovery_out.h"
#include "ngx_http_recovery_view.h"


#define NGX_HTTP_RECOVERY_METRIC_PREFIX  "nginx_recovery_"
#define NGX_HTTP_RECOVERY_LABELS_MAX     2


typedef enum {
    NGX_HTTP_RECOVERY_END = 0,          /* no more rows */
    NGX_HTTP_RECOVERY_NONE,             /* samples only */

    /* uint64_t */
    NGX_HTTP_RECOVERY_COUNT,
    NGX_HTTP_RECOVERY_RATE,             /* thousandths per second */
    NGX_HTTP_RECOVERY_RATIO,            /* millionths */
    NGX_HTTP_RECOVERY_MS,
    NGX_HTTP_RECOVERY_US,
    NGX_HTTP_RECOVERY_SECONDS,
    NGX_HTTP_RECOVERY_BOOL,
    NGX_HTTP_RECOVERY_TIME,             /* unix time in ms */
    NGX_HTTP_RECOVERY_WORD,

    NGX_HTTP_RECOVERY_COUNTS,           /* uint64_t[], one for each word */
    NGX_HTTP_RECOVERY_TEXT,             /* ngx_str_t */
    NGX_HTTP_RECOVERY_OBJECT,           /* uint64_t: is it there? */
    NGX_HTTP_RECOVERY_LIST              /* ngx_array_t */
} ngx_http_recovery_kind_t;


typedef enum {
    NGX_HTTP_RECOVERY_GAUGE = 0,
    NGX_HTTP_RECOVERY_COUNTER,
    NGX_HTTP_RECOVERY_HISTOGRAM,
    NGX_HTTP_RECOVERY_TYPES
} ngx_http_recovery_type_t;


typedef struct {
    const char *const              *word;
    ngx_uint_t                      n;
} ngx_http_recovery_words_t;


typedef struct {
    ngx_str_t                       suffix;
    ngx_uint_t                      nlabels;
    ngx_str_t                       label[NGX_HTTP_RECOVERY_LABELS_MAX];
    ngx_str_t                       text[NGX_HTTP_RECOVERY_LABELS_MAX];
    ngx_http_recovery_kind_t        kind;
    uint64_t                        value;
    u_char                          scratch[NGX_HTTP_RECOVERY_DECIMAL_LEN];
} ngx_http_recovery_sample_t;

typedef ngx_int_t (*ngx_http_recovery_samples_pt)(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);


typedef struct {
    ngx_str_t                       name;       /* without the prefix */
    ngx_http_recovery_type_t        type;
    ngx_http_recovery_samples_pt    samples;    /* NULL: the value itself */
    ngx_str_t                       help;
} ngx_http_recovery_metric_t;


typedef struct {
    ngx_str_t                       key;        /* empty: not in JSON */
    ngx_str_t                       title;      /* empty: not in HTML */
    ngx_http_recovery_kind_t        kind;
    size_t                          offset;
    const void                     *of;
    ngx_http_recovery_metric_t      metric;     /* no name: none */
} ngx_http_recovery_field_t;


/* Rows over ngx_http_recovery_node_view_t; JSON's "backends" follow them. */
extern const ngx_http_recovery_field_t  ngx_http_recovery_node_fields[];

/* Rows over ngx_http_recovery_view_t; of them what an operator ordered. */
extern const ngx_http_recovery_field_t  ngx_http_recovery_backend_fields[];
extern const ngx_http_recovery_field_t  ngx_http_recovery_control_fields[];

/* Rows over ngx_http_recovery_report_view_t; those of its backend follow. */
extern const ngx_http_recovery_field_t  ngx_http_recovery_report_fields[];


static ngx_inline uint64_t
ngx_http_recovery_field_number(const ngx_http_recovery_field_t *field,
    const void *view)
{
    return *(const uint64_t *) ((const u_char *) view + field->offset);
}


static ngx_inline const ngx_str_t *
ngx_http_recovery_field_text(const ngx_http_recovery_field_t *field,
    const void *view)
{
    return (const ngx_str_t *) ((const u_char *) view + field->offset);
}


/* Of COUNTS: as many as there are words. */

static ngx_inline const uint64_t *
ngx_http_recovery_field_counts(const ngx_http_recovery_field_t *field,
    const void *view)
{
    return (const uint64_t *) ((const u_char *) view + field->offset);
}


static ngx_inline const ngx_array_t *
ngx_http_recovery_field_list(const ngx_http_recovery_field_t *field,
    const void *view)
{
    return (const ngx_array_t *) ((const u_char *) view + field->offset);
}


/* Any valid value of a WORD. */

static ngx_inline ngx_str_t
ngx_http_recovery_field_word(const ngx_http_recovery_field_t *field,
    uint64_t n)
{
    ngx_str_t  s;

    s.data = (u_char *) ((const char *const *) field->of)[n];
    s.len = ngx_strlen(s.data);

    return s;
}


#endif /* _NGX_HTTP_RECOVERY_FIELDS_H_INCLUDED_ */
