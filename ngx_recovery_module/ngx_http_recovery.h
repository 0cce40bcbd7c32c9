
/*
 * The shell's own declarations: configuration, what a worker process holds,
 * what a request remembers, and the calls between the files.
 *
 * The way of a request:   _request.c, _ask.h  classify, admit
 *                         _upstream.c, _round.c  the same for each attempt,
 *                                      where "recovery" is in upstream {}
 *                         _observe.c   attempts -> results
 * The tick beside it:     _leader.c    aggregate -> tick (core) -> publish
 *                         _redis.c, _source.c  the signal
 */

#ifndef _NGX_HTTP_RECOVERY_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_recovery_compat.h"
#include "ngx_http_recovery_zone.h"
#include "classify.h"
#include "sieve.h"
#include "retry.h"
#include "words.h"


/* Seen by nobody else, and so without a way round in each use of it. */
#pragma GCC visibility push(hidden)


#define NGX_HTTP_RECOVERY_VERSION       "0.1.0"

#define NGX_HTTP_RECOVERY_BACKENDS_MAX  8       /* in one "recovery" */


typedef struct ngx_http_recovery_redis_s   ngx_http_recovery_redis_t;
typedef struct ngx_http_recovery_leader_s  ngx_http_recovery_leader_t;
typedef struct ngx_http_recovery_round_s   ngx_http_recovery_round_t;
typedef struct ngx_http_recovery_keeper_s  ngx_http_recovery_keeper_t;
typedef struct ngx_http_recovery_loaded_s  ngx_http_recovery_loaded_t;
typedef struct ngx_http_recovery_main_conf_s  ngx_http_recovery_main_conf_t;
typedef struct ngx_http_recovery_special_s  ngx_http_recovery_special_t;


/* A place in the configuration, for what is found out only later. */

typedef struct {
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_http_recovery_at_t;


/* A string with variables; a lone variable needs none of nginx's scripts. */

typedef struct {
    ngx_http_complex_value_t    value;
    ngx_int_t                   variable;       /* NGX_ERROR: not a lone one */
    ngx_uint_t                  uri;            /* and that is $uri */
} ngx_http_recovery_string_t;


typedef struct {
    rcv_policy_t               *core;
    ngx_http_recovery_string_t *subjects;       /* core->nsubjects of them */
    const rcv_subject_sieve_t  *uri_sieve;      /* NULL: not of $uri alone */
    ngx_str_t                   name;
} ngx_http_recovery_policy_t;


typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   policy_name;    /* empty: the built-in one */
    ngx_http_recovery_policy_t *policy;
    rcv_limits_t                limits;
    ngx_uint_t                  index;          /* of its record */
    ngx_http_recovery_main_conf_t  *main;
    ngx_http_recovery_zone_t   *zone;
    ngx_http_recovery_record_t *record;
    rcv_admit_at_t              gate;           /* of nobody's user */
    uint64_t                   *passed;         /* of the default class */
    ngx_int_t                   content_phase;  /* first of its handlers */
    ngx_uint_t                  declared;       /* has a block of its own */
    ngx_http_recovery_at_t      at;             /* its block, else first use */
} ngx_http_recovery_backend_t;


/* One server of recovery_redis, in the order of the directive. */

typedef struct {
    ngx_str_t                   uri;            /* as given, for messages */
    ngx_addr_t                 *addrs;
    ngx_uint_t                  naddrs;         /* 0: the resolver knows */
    ngx_str_t                   host;           /* to be verified by TLS */
    in_port_t                   port;
    ngx_str_t                   user;           /* empty: default user */
    ngx_uint_t                  db;
    unsigned                    tls:1;
} ngx_http_recovery_redis_server_t;


typedef struct {
    ngx_array_t                 servers;        /* ..._redis_server_t */
    ngx_str_t                   password;       /* empty: no AUTH */
    ngx_str_t                   sentinel;       /* master; empty: no such */
    ngx_str_t                   sentinel_user;
    ngx_str_t                   sentinel_password;
    ngx_resolver_t             *resolver;       /* NULL: none */
    ngx_http_recovery_at_t      at;
    ngx_str_t                   prefix;         /* "recovery:" */
    ngx_str_t                   node;           /* who we are */
    ngx_msec_t                  poll_ms;
    ngx_msec_t                  timeout_ms;
    ngx_ssl_t                  *ssl;            /* NULL: no server with TLS */
    ngx_str_t                   tls_ca;         /* empty: the machine's */
    ngx_str_t                   tls_cert;       /* empty: none */
    ngx_str_t                   tls_key;
    ngx_uint_t                  tls_verify;
} ngx_http_recovery_redis_conf_t;


struct ngx_http_recovery_main_conf_s {
    ngx_array_t                 policies;       /* ..._policy_t * */
    ngx_array_t                 backends;       /* ..._backend_t * */
    ngx_shm_zone_t             *shm_zone;
    ngx_http_recovery_at_t      zone_at;
    ngx_http_recovery_redis_conf_t  *redis;     /* NULL: none */
    ngx_str_t                   state_file;     /* empty: none */
    ngx_http_recovery_at_t      state_at;
    ngx_cycle_t                *cycle;

    /* of this worker process, from init_process on */
    ngx_http_recovery_zone_t   *zone;
    rcv_slot_t                 *slot;           /* NULL: none free */
    ngx_event_t                 lots_event;     /* _lots.c */
    uint64_t                    generation;     /* of this configuration */
    ngx_http_recovery_leader_t *leader;
    uint32_t                    random;         /* 0: not begun */
};


/* One backend that a main request, or an attempt, was decided for. */

typedef struct ngx_http_recovery_decision_s  ngx_http_recovery_decision_t;

struct ngx_http_recovery_decision_s {
    ngx_http_recovery_decision_t *next;         /* in ctx->decisions */
    ngx_http_recovery_backend_t  *backend;
    rcv_ticket_t                  ticket;
    uint32_t                      cost_milli;   /* it was asked with */
    uint8_t                       class_index;
    uint8_t                       outcome;      /* rcv_outcome_t */
    uint8_t                       reason;       /* rcv_reason_t */

    /* the request is in a location that stands on this backend */
    unsigned                      active:1;

    /* an attempt has been made on what was granted here */
    unsigned                      attempted:1;
};


typedef struct {
    ngx_array_t                *backends;       /* ..._backend_t *; NULL: off */

    /* how each decision begins, when there is one backend and nothing that
       requests say counts; else without a backend */
    ngx_http_recovery_decision_t  plain;

    /* the same when rules on $uri alone count, for whom these leave none */
    ngx_http_recovery_decision_t  unruled;
    const rcv_subject_sieve_t    *rules;

    ngx_http_recovery_special_t  *special;      /* NULL: nginx's own way */
    ngx_flag_t                    msie_padding;

    ngx_http_complex_value_t   *class_name;
    ngx_uint_t                  class_client_chosen;
    ngx_http_recovery_at_t      class_at;
    ngx_http_complex_value_t   *cost;           /* NULL: cost_milli */
    ngx_uint_t                  cost_milli;
    ngx_flag_t                  dry_run;
    ngx_uint_t                  log_level;
    ngx_uint_t                  set;            /* "recovery" on this level */
} ngx_http_recovery_loc_conf_t;


/* Of upstream {}; server {} has one too, which is not used. */

typedef struct {
    ngx_array_t                    *backends;   /* ..._backend_t *; NULL: off */
    ngx_http_upstream_init_peer_pt  init_peer;  /* of the balancer */
    ngx_uint_t                      set;
} ngx_http_recovery_srv_conf_t;


typedef enum {
    NGX_HTTP_RECOVERY_RETRY_UNKNOWN = 0,        /* nobody had to know yet */
    NGX_HTTP_RECOVERY_RETRY_NO,
    NGX_HTTP_RECOVERY_RETRY_YES
} ngx_http_recovery_retry_t;


/* What is asked of one backend after the other, for a request or attempt. */

typedef struct {
    ngx_http_request_t             *request;
    ngx_http_recovery_loc_conf_t   *conf;
    ngx_http_recovery_main_conf_t  *main;
    uint32_t                        cost_milli;
    uint8_t                         uploading;  /* nothing is booked yet */
    uint8_t                         again;      /* an attempt failed before */

    /* what the policy makes of it */
    uint8_t                         retry;      /* by its rule: ..._retry_t */
    uint8_t                         user_known;
    ngx_http_recovery_policy_t     *policy;
    ngx_uint_t                      class_index;
    rcv_str_t                       user;       /* that "cohort" names */
} ngx_http_recovery_ask_t;


/* A subrequest whose attempts are the work of these backends. */

typedef struct {
    ngx_http_request_t           *request;
    ngx_array_t                  *backends;     /* ..._backend_t * */
} ngx_http_recovery_subrequest_t;


typedef enum {
    NGX_HTTP_RECOVERY_ASKED = 0,
    NGX_HTTP_RECOVERY_SIMPLE,           /* let in, by its first decision */
    NGX_HTTP_RECOVERY_SETTLED           /* counted, and holds nothing */
} ngx_http_recovery_stage_t;


/*
 * What a main request remembers; lies in its pool and ends with it.  The
 * first decision, mostly the only one, comes with it.  What is not needed of
 * each request is not here: a pool that needs one more block for it costs
 * more than all that we do.
 */

typedef struct {
    ngx_pool_cleanup_t              cleanup;
    ngx_http_request_t             *request;        /* the main one */
    ngx_msec_t                      start_ms;

    ngx_http_recovery_round_t      *rounds;         /* the latest first */
    ngx_array_t                    *subrequests;    /* ..._subrequest_t */
    ngx_uint_t                      states_seen;    /* attempts counted */
    void                          (*finalize)(ngx_http_request_t *r,
                                              ngx_int_t rc);
    uint32_t                        retry_after_s;
    uint16_t                        shed_status;
    uint8_t                         stage;          /* ..._stage_t */
    unsigned                        uploading:1;    /* holds nothing yet */
    unsigned                        shed:1;     /* it, or what it waits for */
    unsigned                        shed_subrequest:1;
    unsigned                        observed:1;
    unsigned                        compares:1;     /* see _special.c */
    unsigned                        unused:3;

    ngx_http_recovery_decision_t   *decisions;      /* the first one first */
    ngx_http_recovery_decision_t    first;
} ngx_http_recovery_ctx_t;


extern ngx_module_t  ngx_http_recovery_module;


/* _conf.c, _conf_policy.c, _conf_backend.c, _conf_redis.c */

void *ngx_http_recovery_create_main_conf(ngx_conf_t *cf);
char *ngx_http_recovery_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_recovery_create_srv_conf(ngx_conf_t *cf);
void *ngx_http_recovery_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_recovery_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
char *ngx_http_recovery_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_state_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_backend(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_recovery(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_class(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_cost(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_recovery_set_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* _request.c */

ngx_int_t ngx_http_recovery_handler(ngx_http_request_t *r);

/* Makes it, where there is none; NULL: no memory, which is counted. */
ngx_http_recovery_ctx_t *ngx_http_recovery_ctx_create(ngx_http_request_t *r);

/* Its cleanup: the end of the request, on every way that it may end. */
void ngx_http_recovery_over(void *data);

/* Finds it by its cleanup, when nginx has wiped the contexts. */
ngx_http_recovery_ctx_t *ngx_http_recovery_ctx_find(ngx_http_request_t *mr);


/*
 * Could it have one that nginx's list does not show?  Only a main request on
 * its first way through the phases surely has not.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_ctx_hidden(ngx_http_request_t *r)
{
    return r->internal || r->filter_finalize;
}


/* NULL: the main request has not met a backend yet. */

static ngx_inline ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx(ngx_http_request_t *r)
{
    ngx_http_request_t       *mr;
    ngx_http_recovery_ctx_t  *ctx;

    mr = r->main;
    ctx = ngx_http_get_module_ctx(mr, ngx_http_recovery_module);

    return (ctx == NULL && ngx_http_recovery_ctx_hidden(mr))
           ? ngx_http_recovery_ctx_find(mr) : ctx;
}


/*
 * What ngx_palloc() does when the pool's current block has room, in place:
 * the call would cost more than all that we remember.  0: ask it.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_room(ngx_pool_t *pool, size_t size, void **room)
{
#if (NGX_DEBUG_PALLOC)

    return 0;

#else

    u_char           *p;
    ngx_pool_data_t  *block;

    block = &pool->current->d;
    p = ngx_align_ptr(block->last, NGX_ALIGNMENT);

    if (block->end - p < (ssize_t) size) {
        return 0;
    }

    block->last = p + size;
    *room = p;

    return 1;

#endif
}


/* What a location has decided for a backend; NULL: nothing. */

static ngx_inline ngx_http_recovery_decision_t *
ngx_http_recovery_decided(ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_backend_t *backend)
{
    ngx_http_recovery_decision_t  *decision;

    decision = ctx->decisions;

    while (decision != NULL && decision->backend != backend) {
        decision = decision->next;
    }

    return decision;
}


/* Counts a request that could not be decided, and was let pass. */
void ngx_http_recovery_undecided(ngx_http_request_t *r,
    ngx_http_recovery_undecided_t why);

/* Books the permits of what was let in with its body still to come. */
void ngx_http_recovery_book(ngx_http_recovery_ctx_t *ctx);

static ngx_inline uint64_t
ngx_http_recovery_now_ns(void)
{
    return (uint64_t) ngx_current_msec * 1000000;
}


/* _upstream.c */

/* Puts the gate in front of the balancers; in postconfiguration. */
ngx_int_t ngx_http_recovery_upstream_init(ngx_conf_t *cf);


/* _round.c */

/* The decision that tells of all attempts; NULL: none was decided. */
ngx_http_recovery_decision_t *ngx_http_recovery_rounds_told(
    ngx_http_recovery_ctx_t *ctx);

/* Was an attempt of this very request shed by the backend? */
ngx_http_recovery_decision_t *ngx_http_recovery_rounds_shed(
    ngx_http_recovery_ctx_t *ctx, ngx_http_request_t *r,
    ngx_http_recovery_backend_t *backend);

/* The round that made the i-th entry of r->upstream_states; NULL: none. */
ngx_http_recovery_round_t *ngx_http_recovery_round_of(
    ngx_http_recovery_ctx_t *ctx, ngx_http_request_t *r, ngx_uint_t i);

/* The i-th entry is the one that was turned away: nobody was asked. */
ngx_uint_t ngx_http_recovery_round_refused(ngx_http_recovery_round_t *round,
    ngx_uint_t i);

/* Does the round itself count what comes of its attempts at the backend? */
ngx_uint_t ngx_http_recovery_round_concerns(ngx_http_recovery_round_t *round,
    ngx_http_recovery_backend_t *backend);

/* The answer may stream for hours: counts the attempt that brought it. */
void ngx_http_recovery_rounds_stream(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);

/* Gives back what attempts hold; safe to call twice. */
void ngx_http_recovery_rounds_release(ngx_http_recovery_ctx_t *ctx);


/* Gives all permits back; safe to call twice. */

static ngx_inline void
ngx_http_recovery_release(ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_decision_t  *decision;

    for (decision = ctx->decisions; decision; decision = decision->next) {
        rcv_admit_release(&decision->backend->gate, &decision->ticket);
    }

    if (ctx->rounds != NULL) {
        ngx_http_recovery_rounds_release(ctx);
    }
}


/* _answer.c */

/*
 * At the headers of any answer of a main request that was shed, or of a
 * subrequest of it: is it the one that tells?
 */
ngx_int_t ngx_http_recovery_answer_header(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);


/* _special.c */

/* NULL: unknown, or it is not nginx's own page that is to be sent. */
ngx_http_recovery_special_t *ngx_http_recovery_special_find(
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t status);

/* At the end of an answer for which ctx->compares. */
void ngx_http_recovery_special_seen(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_chain_t *in);


/* Of a content type, whatever follows; the last byte first: it differs. */

static ngx_inline ngx_uint_t
ngx_http_recovery_is_type(ngx_str_t *type, const char *name, size_t len)
{
    return type->len >= len
           && ngx_tolower(type->data[len - 1]) == name[len - 1]
           && ngx_strncasecmp(type->data, (u_char *) name, len) == 0;
}


/* "application/grpc", also with "+proto", "-web" or parameters behind it */

static ngx_inline ngx_uint_t
ngx_http_recovery_is_grpc(ngx_str_t *type)
{
    return ngx_http_recovery_is_type(type, "application/grpc",
                                     sizeof("application/grpc") - 1);
}


/* _hold.c */

void ngx_http_recovery_hold_init(void);


/* _variables.c */

ngx_int_t ngx_http_recovery_add_variables(ngx_conf_t *cf);


/* _observe.c */

/* There is something to come again, perhaps after the end was seen. */

static ngx_inline void
ngx_http_recovery_reopen(ngx_http_recovery_ctx_t *ctx)
{
    ctx->stage = NGX_HTTP_RECOVERY_ASKED;
    ctx->cleanup.handler = ngx_http_recovery_over;
}


/*
 * Counts what the request's attempts have come to: all that is known at the
 * end of it, or at the headers of an answer that may stream for hours.
 */
void ngx_http_recovery_observe(ngx_http_recovery_ctx_t *ctx);

/*
 * The same, and gives back what is held: there is no more to come.  Returns
 * the second argument, for those who would have nothing else to do.
 */
ngx_int_t ngx_http_recovery_settle(ngx_http_recovery_ctx_t *ctx,
    ngx_int_t rc);

/*
 * The main request moves to another location: counts what was attempted in
 * the old one, and stops attributing to its backends.
 */
void ngx_http_recovery_leave(ngx_http_request_t *r);

/* In times of ngx_http_upstream_state_t: it did not come to that. */
#define NGX_HTTP_RECOVERY_NO_TIME  ((ngx_msec_t) -1)

/* Notes a subrequest whose attempts count as the main request's. */
void ngx_http_recovery_subrequest(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_array_t *backends);


/* _leader.c */

/* At worker start, and whenever a request finds the lease run out. */
void ngx_http_recovery_lead(ngx_http_recovery_main_conf_t *rmcf);

/* One load: is the lease of somebody valid? */
static ngx_inline ngx_uint_t
ngx_http_recovery_led_at(ngx_http_recovery_zone_t *zone, ngx_msec_t now_ms)
{
    return rcv_load(&zone->lease_deadline_ms) > (uint64_t) now_ms;
}


static ngx_inline ngx_uint_t
ngx_http_recovery_led(ngx_http_recovery_zone_t *zone)
{
    return ngx_http_recovery_led_at(zone, ngx_current_msec);
}

/* Stops leading, gives the lease back; at exit and from the tick. */
void ngx_http_recovery_resign(ngx_http_recovery_main_conf_t *rmcf);

/*
 * The signal's door to the leader (called by _source.c).  Fields of one
 * backend were read: updates its signal, counts and logs bad values, and
 * ticks the backend at once when that changed anything.
 */
void ngx_http_recovery_leader_fields(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t backend, const rcv_fields_t *fields, uint64_t unix_s);

/* A whole poll was answered: the signal is fresh. */
void ngx_http_recovery_leader_heard(ngx_http_recovery_main_conf_t *rmcf);


/* _redis.c: created by the leader, one for its whole reign */

ngx_http_recovery_redis_t *ngx_http_recovery_redis_create(
    ngx_http_recovery_main_conf_t *rmcf, ngx_log_t *log);
void ngx_http_recovery_redis_destroy(ngx_http_recovery_redis_t *redis);

/* A backend has ticked: others may have to be told; _source.c. */
void ngx_http_recovery_redis_note(ngx_http_recovery_redis_t *redis,
    ngx_uint_t i, const rcv_state_t *state);


/* _status.c */

ngx_int_t ngx_http_recovery_status_json(ngx_http_request_t *r);
ngx_int_t ngx_http_recovery_status_prometheus(ngx_http_request_t *r);
ngx_int_t ngx_http_recovery_status_html(ngx_http_request_t *r);


/* _control.c */

ngx_int_t ngx_http_recovery_control_handler(ngx_http_request_t *r);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_RECOVERY_H_INCLUDED_ */
