
/*
 * What the status shows, as plain numbers.  A view is taken once from shared
 * memory and then formatted: the formats cannot disagree with each other, nor
 * one line of an answer with the next.
 *
 * Every number is a uint64_t and may be NGX_HTTP_RECOVERY_UNKNOWN or
 * RCV_UNLIMITED; a text without data is unknown.  Texts are valid UTF-8
 * without control characters.  All memory is the pool's that the view was
 * taken with.
 */

#ifndef _NGX_HTTP_RECOVERY_VIEW_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_VIEW_H_INCLUDED_


#include "ngx_http_recovery.h"


#define NGX_HTTP_RECOVERY_SCHEMA   1

#define NGX_HTTP_RECOVERY_UNKNOWN  (RCV_UNLIMITED - 1)


typedef enum {
    NGX_HTTP_RECOVERY_SOURCE_INITIAL = 0,
    NGX_HTTP_RECOVERY_SOURCE_REDIS,
    NGX_HTTP_RECOVERY_SOURCE_LOCAL,
    NGX_HTTP_RECOVERY_SOURCES
} ngx_http_recovery_voice_t;


/* What decides: the source, its last word, or "when signal_lost". */

typedef enum {
    NGX_HTTP_RECOVERY_MODE_LIVE = 0,
    NGX_HTTP_RECOVERY_MODE_HELD,            /* stale; nothing rises */
    NGX_HTTP_RECOVERY_MODE_KEPT,
    NGX_HTTP_RECOVERY_MODE_SHED,
    NGX_HTTP_RECOVERY_MODE_PASS,
    NGX_HTTP_RECOVERY_MODES
} ngx_http_recovery_mode_t;


typedef struct {
    ngx_str_t            name;
    uint64_t             offered;           /* the three below */
    uint64_t             passed;
    uint64_t             shed;
    uint64_t             shed_dry_run;
    uint64_t             cut_cohort;
    uint64_t             shed_by[RCV_REASONS];
} ngx_http_recovery_class_view_t;


typedef struct {
    uint64_t             unix_ms;
    uint64_t             from;              /* rcv_phase_t */
    uint64_t             to;
    uint64_t             why;               /* rcv_why_t */
    uint64_t             by;                /* ngx_http_recovery_by_t */
    uint64_t             force;             /* rcv_force_t */
} ngx_http_recovery_event_view_t;


/* One backend. */

typedef struct {
    ngx_str_t            name;

    uint64_t             phase;             /* rcv_phase_t */
    uint64_t             phase_age_ms;
    uint64_t             health;            /* rcv_health_t */
    uint64_t             health_source;
    uint64_t             health_age_ms;
    uint64_t             health_damped;
    uint64_t             signal_lost;
    uint64_t             signal_mode;       /* ngx_http_recovery_mode_t */
    uint64_t             epoch;             /* of the source; highest seen */
    ngx_str_t            promote;           /* by the source: let in up to */

    uint64_t             allowed_milli;
    uint64_t             ceiling_milli;
    uint64_t             reference_milli;
    uint64_t             level_ppm;
    uint64_t             in_flight;
    uint64_t             in_flight_limit;

    uint64_t             delivered_milli;
    uint64_t             error_ppm;
    uint64_t             p50_ms;
    uint64_t             p90_ms;
    uint64_t             eta_s;
    uint64_t             why;               /* rcv_why_t */

    uint64_t             forced;            /* 0: what follows is void */
    uint64_t             force;             /* rcv_force_t */
    uint64_t             force_ppm;
    uint64_t             force_left_s;
    uint64_t             force_source;      /* ..._voice_t */
    ngx_str_t            force_by;
    ngx_str_t            force_reason;

    uint64_t             ordered;           /* 0: what follows is void */
    uint64_t             order_force;       /* rcv_force_t */
    uint64_t             order_force_ppm;
    uint64_t             order_force_left_s;
    uint64_t             order_health;      /* rcv_health_t */
    uint64_t             order_health_ppm;
    uint64_t             order_health_left_s;
    ngx_str_t            order_class;
    uint64_t             order_class_left_s;

    ngx_str_t            health_by;         /* on whose word */
    ngx_str_t            health_reason;

    uint64_t             dry;               /* 0: what follows is void */
    uint64_t             dry_by[RCV_REASONS];

    uint64_t             results[RCV_RESULTS];
    uint64_t             latency[RCV_LATENCY_BUCKETS];  /* cumulative */
    uint64_t             latency_sum_us;

    ngx_array_t          classes;           /* ..._class_view_t */
    ngx_array_t          events;            /* ..._event_view_t, oldest first */
} ngx_http_recovery_view_t;


/* This nginx, and all backends in the order of the configuration. */

typedef struct {
    uint64_t             schema;
    ngx_str_t            version;
    ngx_str_t            nginx;
    ngx_str_t            instance;
    uint64_t             unix_ms;
    uint64_t             uptime_s;

    uint64_t             has_redis;         /* always: its state is "off" */
    uint64_t             redis_state;
    uint64_t             redis_up;
    ngx_str_t            redis_address;
    uint64_t             redis_age_ms;
    uint64_t             redis_success_unix_ms;
    uint64_t             redis_reconnects;
    uint64_t             redis_bad_values;
    uint64_t             audit_dropped;

    uint64_t             has_kept;          /* always, like has_redis */
    uint64_t             kept_state;
    uint64_t             kept_written;      /* 1: the last time it was */
    uint64_t             kept_age_ms;
    uint64_t             kept_unix_ms;
    uint64_t             kept_errors;
    uint64_t             kept_loaded;
    ngx_str_t            kept_error;

    uint64_t             slots_reclaimed;
    uint64_t             undecided[NGX_HTTP_RECOVERY_UNDECIDED];

    ngx_array_t          backends;          /* ..._view_t */
} ngx_http_recovery_node_view_t;


/* One backend for others, through Redis. */

typedef struct {
    ngx_http_recovery_node_view_t  node;    /* without backends */
    ngx_http_recovery_view_t       backend;
    uint64_t                       unix_ms; /* of Redis' clock */
} ngx_http_recovery_report_view_t;


extern const char *const
    ngx_http_recovery_source_names[NGX_HTTP_RECOVERY_SOURCES];
extern const char *const
    ngx_http_recovery_mode_names[NGX_HTTP_RECOVERY_MODES];
extern const char *const
    ngx_http_recovery_by_names[NGX_HTTP_RECOVERY_BYS];


/* NGX_ERROR: no memory.  rmcf->zone may be NULL: nothing is governed. */
ngx_int_t ngx_http_recovery_view_take(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node);

/* In pieces: this nginx, then n backends at a time; NGX_AGAIN: more to take. */
ngx_int_t ngx_http_recovery_view_begin(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node);
ngx_int_t ngx_http_recovery_view_more(ngx_http_recovery_main_conf_t *rmcf,
    ngx_pool_t *pool, ngx_http_recovery_node_view_t *node, ngx_uint_t n);

/* The same of the i-th backend; unix_ms is the caller's. */
ngx_int_t ngx_http_recovery_view_report(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t i, ngx_pool_t *pool, ngx_http_recovery_report_view_t *report);


#endif /* _NGX_HTTP_RECOVERY_VIEW_H_INCLUDED_ */
