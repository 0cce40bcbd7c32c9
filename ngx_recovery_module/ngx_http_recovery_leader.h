
/*
 * Between the files of the leader: the lease and the timer (_leader.c), one
 * backend's tick (_tick.c), what Redis says (_signal.c).
 */

#ifndef _NGX_HTTP_RECOVERY_LEADER_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_LEADER_H_INCLUDED_


#include "ngx_http_recovery.h"


/*
 * What the leader remembers of one backend between two ticks: counters as
 * they stood at the last one.  Private to the process: a new leader starts
 * counting from where it finds them.
 */

typedef struct {
    uint64_t                        tick_ms;
    uint64_t                        offered[RCV_CLASSES_MAX];
    uint64_t                        passed[RCV_CLASSES_MAX];
    uint64_t                        shed[RCV_CLASSES_MAX];
    uint64_t                        shed_limit[RCV_CLASSES_MAX];
    uint64_t                        shed_cohort[RCV_CLASSES_MAX];
    uint64_t                        shed_rate;
    uint64_t                        extra_milli;
    uint64_t                        results[RCV_RESULTS];
    uint64_t                        latency[RCV_LATENCY_BUCKETS];
    uint64_t                        latency_sum_us;
    uint64_t                        logged[RCV_REASONS];
    uint32_t                        bad[RCV_FIELDS];    /* hash; 0: good */
    uint32_t                        overload;
    uint32_t                        gone;
    uint32_t                        spilled;
    uint32_t                        dry[RCV_REASONS];
    uint64_t                        work_us;
    uint64_t                        shed_in_flight;
    uint64_t                        shed_retries;
    rcv_round_t                     round;      /* of the controller */
    uint32_t                        epoch;      /* that it is of */
    unsigned                        quiet:1;
} ngx_http_recovery_seen_t;


struct ngx_http_recovery_leader_s {
    ngx_http_recovery_main_conf_t  *main;
    uint64_t                        identity;   /* in the lease */
    ngx_event_t                     timer;
    uint64_t                        housekept_ms;
    uint64_t                        interval_ms;
    uint64_t                        key[2];     /* of what is drawn by lot */
    uint64_t                        draws;
    ngx_http_recovery_redis_t      *redis;
    ngx_http_recovery_keeper_t     *keeper;     /* of the state file */
    ngx_http_recovery_seen_t       *seen;       /* one a backend */
    ngx_pool_t                     *pool;
    uint64_t                        texts[NGX_HTTP_RECOVERY_TEXTS];
    unsigned                        texts_full:1;   /* said */
};


/* _leader.c: arms the timer for the pace that the backends need now */
void ngx_http_recovery_leader_schedule(ngx_http_recovery_leader_t *leader);


/* _tick.c */

/*
 * One turn of one backend, with the pen of its record: what is to be decided
 * on, then the decision.  The leader's ticks and the orders of an operator
 * are turns.
 */

typedef struct {
    ngx_http_recovery_backend_t    *backend;
    uint64_t                        now_ms;
    uint64_t                        version;    /* of the state */
    ngx_http_recovery_by_t          by;
    rcv_why_t                       news;       /* RCV_WHY_START: none */
    rcv_state_t                     state;
    rcv_source_t                    source;
    rcv_round_t                     round;
    rcv_window_t                    window;     /* empty: no time passes */
    rcv_tick_t                      tick;
} ngx_http_recovery_turn_t;

void ngx_http_recovery_turn_begin(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, ngx_http_recovery_turn_t *turn);

/* NGX_DECLINED: another process has written, nothing came of it. */
ngx_int_t ngx_http_recovery_turn_end(ngx_http_recovery_turn_t *turn);

/*
 * One backend's tick.  A signal given is one that has just been read; it
 * becomes part of the state with the tick that acts on it.
 */
void ngx_http_recovery_backend_tick(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i, const rcv_signal_t *signal);

/* Takes note of all counters, so that the first tick counts from here. */
void ngx_http_recovery_backend_begin(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i);

/* Once a second: one line instead of one for each shed request. */
void ngx_http_recovery_summary(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i);


static ngx_inline ngx_http_recovery_backend_t *
ngx_http_recovery_led_backend(ngx_http_recovery_leader_t *leader,
    ngx_uint_t i)
{
    return ((ngx_http_recovery_backend_t **) leader->main->backends.elts)[i];
}


#endif /* _NGX_HTTP_RECOVERY_LEADER_H_INCLUDED_ */
