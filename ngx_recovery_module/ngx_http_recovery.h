
/*
 * The shell's own declarations: configuration, what a worker process holds,
 * what a request remembers, and the calls between the files.
 *
 * The way of a request:   _request.c   classify, admit, answer, release
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
#include "retry.h"
#include "words.h"


#define NGX_HTTP_RECOVERY_VERSION       "0.1.0"

#define NGX_HTTP_RECOVERY_BACKENDS_MAX  8       /* in one "recovery" */


typedef struct ngx_http_recovery_redis_s   ngx_http_recovery_redis_t;
typedef struct ngx_http_recovery_leader_s  ngx_http_recovery_leader_t;
typedef struct ngx_http_recovery_round_s   ngx_http_recovery_round_t;
typedef struct ngx_http_recovery_keeper_s  ngx_http_recovery_keeper_t;
typedef struct ngx_http_recovery_loaded_s  ngx_http_recovery_loaded_t;


/* A place in the configuration, for what is found out only later. */

typedef struct {
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_http_recovery_at_t;


typedef struct {
    rcv_policy_t               *core;
    ngx_http_complex_value_t   *subjects;       /* core->nsubjects of them */
    ngx_str_t                   name;
} ngx_http_recovery_policy_t;


typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   policy_name;    /* empty: the built-in one */
    ngx_http_recovery_policy_t *policy;
    rcv_limits_t                limits;
    ngx_uint_t                  index;          /* of its record */
    ngx_http_recovery_record_t *record;
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


typedef struct {
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
    uint64_t                    generation;     /* of this configuration */
    ngx_http_recovery_leader_t *leader;
} ngx_http_recovery_main_conf_t;


typedef struct {
    ngx_array_t                *backends;       /* ..._backend_t *; NULL: off */
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


/* One backend that a main request, or an attempt, was decided for. */

typedef struct {
    ngx_http_recovery_backend_t  *backend;
    rcv_ticket_t                  ticket;
    ngx_uint_t                    class_index;
    uint32_t                      cost_milli;   /* it was asked with */
    rcv_outcome_t                 outcome;
    rcv_reason_t                  reason;

    /* the request is in a location that stands on this backend */
    unsigned                      active:1;

    /* an attempt has been made on what was granted here */
    unsigned                      attempted:1;
} ngx_http_recovery_decision_t;


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
    ngx_http_recovery_policy_t     *policy;     /* that gave class_index */
    ngx_uint_t                      class_index;
    ngx_http_recovery_retry_t       retry;      /* by the policy's rule */
    rcv_str_t                       user;       /* that "cohort" names */
    ngx_uint_t                      user_known;
    uint32_t                        cost_milli;
    ngx_uint_t                      uploading;  /* nothing is booked yet */
    ngx_uint_t                      again;      /* an attempt failed before */
} ngx_http_recovery_ask_t;


/* A subrequest whose attempts are the work of these backends. */

typedef struct {
    ngx_http_request_t           *request;
    ngx_array_t                  *backends;     /* ..._backend_t * */
} ngx_http_recovery_subrequest_t;


/* What a main request remembers. */

typedef struct {
    ngx_http_recovery_main_conf_t  *main;
    ngx_msec_t                      start_ms;
    ngx_uint_t                      ndecisions;
    ngx_uint_t                      states_seen;    /* attempts counted */
    ngx_array_t                    *subrequests;    /* ..._subrequest_t */
    ngx_http_recovery_round_t      *rounds;         /* the latest first */
    ngx_uint_t                      retry_after_s;
    ngx_uint_t                      shed_status;
    void                          (*finalize)(ngx_http_request_t *r,
                                              ngx_int_t rc);
    unsigned                        uploading:1;    /* holds nothing yet */
    unsigned                        shed:1;     /* it, or what it waits for */
    unsigned                        shed_subrequest:1;
    unsigned                        observed:1;
    ngx_http_recovery_decision_t    decisions[NGX_HTTP_RECOVERY_BACKENDS_MAX];
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

/* NULL: the main request has not met a backend yet. */
ngx_http_recovery_ctx_t *ngx_http_recovery_ctx(ngx_http_request_t *r);

/* Makes it, where there is none; NULL: no memory, which is counted. */
ngx_http_recovery_ctx_t *ngx_http_recovery_ctx_create(ngx_http_request_t *r);

/* What a location has decided for a backend; NULL: nothing. */
ngx_http_recovery_decision_t *ngx_http_recovery_decided(
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_backend_t *backend);

/* Of the policy that is asked; _facts.c. */
ngx_uint_t ngx_http_recovery_class(ngx_http_recovery_ask_t *ask);
rcv_str_t ngx_http_recovery_user(ngx_http_recovery_ask_t *ask);
uint32_t ngx_http_recovery_cost(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf);

/* Found out when it matters: not while the backend is quietly up. */
ngx_uint_t ngx_http_recovery_is_retry(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend);

/*
 * One admission.  ask() fills the decision in: NGX_OK: let pass, or would be
 * shed but for the dry run; NGX_DECLINED: shed, nothing is held.  When all
 * backends have let it pass, each is told by ask_passed(), which counts; when
 * one has not, the others are told by ask_undo(), and it by ask_shed(), which
 * counts, logs, and says when to come back.
 */
void ngx_http_recovery_ask_init(ngx_http_recovery_ask_t *ask,
    ngx_http_request_t *r);
ngx_int_t ngx_http_recovery_ask(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_decision_t *decision);
void ngx_http_recovery_ask_passed(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision);
void ngx_http_recovery_ask_undo(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision);
void ngx_http_recovery_ask_shed(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_decision_t *decision);

/* Books the permits of what was let in with its body still to come. */
void ngx_http_recovery_book(ngx_http_recovery_ctx_t *ctx);

/* Gives all permits back; safe to call twice. */
void ngx_http_recovery_release(ngx_http_recovery_ctx_t *ctx);


static ngx_inline rcv_admit_at_t
ngx_http_recovery_at(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend)
{
    rcv_admit_at_t  at;

    at.gate = &backend->record->gate;
    at.slot = rmcf->slot;
    at.gate_index = (unsigned) backend->index;
    at.policy = backend->policy->core;
    at.user.data = NULL;
    at.user.len = 0;

    return at;
}


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


/* _answer.c */

/* Turns the request away; the value is the phase handler's to return. */
ngx_int_t ngx_http_recovery_answer(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_uint_t status);

ngx_int_t ngx_http_recovery_filter_init(ngx_conf_t *cf);


/* _hold.c */

void ngx_http_recovery_hold_init(void);

/*
 * At the headers of a main request's answer: sees to it that its permits come
 * back when the backend is done with it.
 */
void ngx_http_recovery_hold_answer(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);

/* Is the body of the main request still to come from the client? */
ngx_uint_t ngx_http_recovery_uploading(ngx_http_request_t *r);


/* _variables.c */

ngx_int_t ngx_http_recovery_add_variables(ngx_conf_t *cf);


/* _observe.c */

ngx_int_t ngx_http_recovery_log_handler(ngx_http_request_t *r);

/*
 * Counts what the request's attempts have come to: all that is known at the
 * end of it, or at the headers of an answer that may stream for hours.
 */
void ngx_http_recovery_observe(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);

/*
 * The main request moves to another location: counts what was attempted in
 * the old one, and stops attributing to its backends.
 */
void ngx_http_recovery_leave(ngx_http_request_t *r);

/* In times of ngx_http_upstream_state_t: it did not come to that. */
#define NGX_HTTP_RECOVERY_NO_TIME  ((ngx_msec_t) -1)

/* Beside the results of the core: an error by load, a client that left. */
#define NGX_HTTP_RECOVERY_OVERLOAD  RCV_RESULTS
#define NGX_HTTP_RECOVERY_GONE      (RCV_RESULTS + 1)

/* RCV_RESULT_ERROR or _OVERLOAD: the error that a status says. */
ngx_uint_t ngx_http_recovery_error_of(ngx_uint_t status);

/* One result of one attempt, for one backend. */
void ngx_http_recovery_result_add(ngx_http_recovery_decision_t *decision,
    ngx_uint_t result, ngx_msec_t latency_ms);

/* Notes a subrequest whose attempts count as the main request's. */
void ngx_http_recovery_subrequest(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_array_t *backends);


/* _leader.c */

/* At worker start, and whenever a request finds the lease run out. */
void ngx_http_recovery_lead(ngx_http_recovery_main_conf_t *rmcf);

/* One load: is the lease of somebody valid? */
static ngx_inline ngx_uint_t
ngx_http_recovery_led(ngx_http_recovery_zone_t *zone)
{
    return rcv_load(&zone->lease_deadline_ms) > (uint64_t) ngx_current_msec;
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


#endif /* _NGX_HTTP_RECOVERY_H_INCLUDED_ */
