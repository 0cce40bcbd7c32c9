
/*
 * The Redis link, between its files: _link.c is one connection, _site.c where
 * to, _steps.c its way up, _tls.c the handshake, _link_io.c what goes over
 * it; _redis.c is all of them and what a failure leads to; _source.c has the
 * commands and what replies mean, and knows no socket; _sentinel.c and
 * _cluster.c know of servers that are not in the configuration.
 *
 * There are two links.  "commands" goes through the servers in their order
 * until one answers, "subscriber" follows it to the same address once a
 * poll was answered there; a subscriber that fails harms nobody.  With
 * Sentinels a third one goes through these, and "commands" where they say.
 *
 * A link goes up by steps, each of which may wait for a reply:
 *
 *     idle -> resolve -> connect -> tls -> auth -> select -> role -> ready
 *
 * Any failure at any step closes it and leads back to
 * idle, where the timer waits for the next try.  Nothing is tried again in
 * the same call: after _link_fail() the link has no connection until the
 * event loop comes round.
 *
 * One timer per link: in idle the next try, with commands outstanding their
 * deadline, else what the user of the link has asked for by _link_wait().
 * A second one is set only while a flood is not being read.
 *
 * Everything runs in one worker, on its event loop.  A call to the leader
 * may end in _redis_destroy() of the very link that is calling: see "busy".
 */

#ifndef _NGX_HTTP_RECOVERY_REDIS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

#include "ngx_http_recovery.h"
#include "ngx_http_recovery_resp.h"


#define NGX_HTTP_RECOVERY_REDIS_BACKOFF_MIN_MS  100
#define NGX_HTTP_RECOVERY_REDIS_BACKOFF_MAX_MS  5000
#define NGX_HTTP_RECOVERY_REDIS_STABLE_MS       5000
#define NGX_HTTP_RECOVERY_REDIS_TURN_BYTES      32768
#define NGX_HTTP_RECOVERY_REDIS_TURN_MS         10
#define NGX_HTTP_RECOVERY_REDIS_SAID_MAX        128
#define NGX_HTTP_RECOVERY_REDIS_HOST_MAX        253
#define NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX       8       /* of one host */


typedef enum {
    NGX_HTTP_RECOVERY_LINK_IDLE = 0,
    NGX_HTTP_RECOVERY_LINK_RESOLVE,
    NGX_HTTP_RECOVERY_LINK_CONNECT,
    NGX_HTTP_RECOVERY_LINK_TLS,
    NGX_HTTP_RECOVERY_LINK_AUTH,
    NGX_HTTP_RECOVERY_LINK_SELECT,
    NGX_HTTP_RECOVERY_LINK_ROLE,
    NGX_HTTP_RECOVERY_LINK_READY
} ngx_http_recovery_link_step_t;


/* Kinds of failure; a failure of the kind last logged is not logged again. */

typedef enum {
    NGX_HTTP_RECOVERY_FAILURE_NONE = 0,
    NGX_HTTP_RECOVERY_FAILURE_RESOLVE,
    NGX_HTTP_RECOVERY_FAILURE_CONNECT,
    NGX_HTTP_RECOVERY_FAILURE_TIMEOUT,
    NGX_HTTP_RECOVERY_FAILURE_CLOSED,
    NGX_HTTP_RECOVERY_FAILURE_LATER,    /* LOADING and the like */
    NGX_HTTP_RECOVERY_FAILURE_ANSWER,   /* any other error */
    NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
    NGX_HTTP_RECOVERY_FAILURE_TLS,
    NGX_HTTP_RECOVERY_FAILURE_DENIED
} ngx_http_recovery_failure_t;


typedef struct ngx_http_recovery_link_s    ngx_http_recovery_link_t;
typedef struct ngx_http_recovery_source_s  ngx_http_recovery_source_t;


/* What a link is used for.  Called on a link that is ready only. */

typedef struct {
    char                   *action;     /* for the log */
    void                  (*ready)(ngx_http_recovery_link_t *link);
    void                  (*reply)(ngx_http_recovery_link_t *link,
                                const ngx_http_recovery_resp_value_t *value);
    void                  (*due)(ngx_http_recovery_link_t *link);
} ngx_http_recovery_link_use_t;


/*
 * A step on the way to "ready".  start: NGX_OK, a command is in the buffer;
 * NGX_AGAIN, wait for what it began; NGX_DECLINED, nothing to wait for;
 * NGX_ERROR, the link has failed.  wrong: what is wrong with a reply to that
 * command that is no error, NULL: nothing.
 */

typedef struct {
    char                   *action;     /* for the log */
    ngx_int_t             (*start)(ngx_http_recovery_link_t *link);
    const char           *(*wrong)(
                                const ngx_http_recovery_resp_value_t *value);
} ngx_http_recovery_step_t;


typedef struct {
    ngx_sockaddr_t                       sockaddr;
    socklen_t                            socklen;
    ngx_str_t                            name;
    u_char                               text[NGX_SOCKADDR_STRLEN];
} ngx_http_recovery_redis_addr_t;


/* A host to connect to, and as whom; its addresses are tried in order. */

typedef struct {
    ngx_http_recovery_redis_server_t    *server;    /* user, database, TLS */
    ngx_str_t                            host;
    in_port_t                            port;
    ngx_uint_t                           naddrs;
    ngx_http_recovery_redis_addr_t
                             addrs[NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX];
    unsigned                             is_name:1; /* to be looked up */
    unsigned                             stale:1;   /* which failed last */
    u_char                       text[NGX_HTTP_RECOVERY_REDIS_HOST_MAX];
} ngx_http_recovery_redis_site_t;


struct ngx_http_recovery_link_s {
    ngx_http_recovery_redis_t           *redis;
    const ngx_http_recovery_link_use_t  *use;
    void                                *dummy;
    /* ident of the timer: after 3 pointers as in ngx_connection_t */
    ngx_int_t                            ident;

    ngx_event_t                          timer;
    ngx_event_t                          pause;     /* of reading */
    ngx_http_recovery_link_step_t        step;

    ngx_connection_t                    *connection;    /* NULL: none */
    ngx_http_recovery_resp_t            *resp;          /* in its pool */
    ngx_buf_t                           *out;           /* in its pool */
    ngx_uint_t                           outstanding;   /* replies */

    ngx_http_recovery_redis_site_t      *site;
    ngx_uint_t                           addr;          /* of the site */
    ngx_resolver_ctx_t                  *resolving;     /* NULL: nothing */
    ngx_int_t                            resolved;      /* how it ended */
    ngx_uint_t                           tries;
    ngx_msec_t                           backoff_ms;
    ngx_msec_t                           good_since_ms;
    unsigned                             good:1;
    unsigned                             moved:1;       /* and not good yet */
    u_char                              *reported;      /* per address */

    ngx_log_t                            log;
    ngx_log_t                            quiet;

    /* why TLS has failed, in the words of the library; empty: it has not */
    u_char                       tls_said[NGX_HTTP_RECOVERY_REDIS_SAID_MAX];
};


struct ngx_http_recovery_redis_s {
    ngx_http_recovery_main_conf_t       *main;
    ngx_http_recovery_redis_conf_t      *conf;
    ngx_pool_t                          *pool;
    ngx_http_recovery_redis_site_t      *sites;     /* in their order */
    ngx_uint_t                           nsites;
    ngx_http_recovery_redis_site_t      *named;     /* by others; after them */
    ngx_http_recovery_link_t             sentinel;
    ngx_http_recovery_link_t             commands;
    ngx_http_recovery_link_t             subscriber;
    ngx_http_recovery_source_t          *source;
    ngx_uint_t                           connects;
    ngx_uint_t                           busy;      /* handlers on the stack */
    unsigned                             stopped:1; /* shutting down */
    unsigned                             dead:1;    /* free when not busy */
};


/* _link.c */

ngx_int_t ngx_http_recovery_link_init(ngx_http_recovery_redis_t *redis,
    ngx_http_recovery_link_t *link, const ngx_http_recovery_link_use_t *use,
    ngx_log_t *log);

/* The next step, and those after it that need no waiting. */
void ngx_http_recovery_link_advance(ngx_http_recovery_link_t *link);

/* The step of that name; what ends the wait for it. */
ngx_int_t ngx_http_recovery_link_connect(ngx_http_recovery_link_t *link);
void ngx_http_recovery_link_connected(ngx_http_recovery_link_t *link);

/* What the link does now, for the log. */
void ngx_http_recovery_link_action(ngx_http_recovery_link_t *link,
    char *action);

/*
 * Sets the timer: the next try when idle, the deadline of what is
 * outstanding, else when use->due is called.
 */
void ngx_http_recovery_link_wait(ngx_http_recovery_link_t *link,
    ngx_msec_t ms);

/* Closes; stop also forgets back-off and tries. */
void ngx_http_recovery_link_close(ngx_http_recovery_link_t *link);
void ngx_http_recovery_link_stop(ngx_http_recovery_link_t *link);


/* _link_io.c */

/* Of one command. */
#define NGX_HTTP_RECOVERY_LINK_WORDS_MAX  28

/* A command into the buffer.  NGX_ERROR: did not fit, the link has failed. */
ngx_int_t ngx_http_recovery_link_command(ngx_http_recovery_link_t *link,
    ngx_uint_t n, const ngx_str_t *words);

/* Sends the buffer, and gives what is outstanding its deadline. */
void ngx_http_recovery_link_send(ngx_http_recovery_link_t *link);

/* A reply that was asked for; NGX_ERROR: it was not, the link has failed. */
ngx_int_t ngx_http_recovery_link_expected(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);

/* Takes the events of the connection. */
void ngx_http_recovery_link_listen(ngx_http_recovery_link_t *link);

/* Of the timer "pause": goes on reading. */
void ngx_http_recovery_link_resume(ngx_event_t *ev);


/* _site.c */

ngx_int_t ngx_http_recovery_sites_create(ngx_http_recovery_redis_t *redis);

/* Addresses in all that are known, at least one of each site. */
ngx_uint_t ngx_http_recovery_sites_places(ngx_http_recovery_redis_t *redis);

/* NGX_ERROR: no host, or one that is too long; the site is as it was. */
ngx_int_t ngx_http_recovery_site_set(ngx_http_recovery_redis_site_t *site,
    ngx_http_recovery_redis_server_t *server, const ngx_str_t *host,
    in_port_t port);

/* The next address, of the next site after its last one, round and round. */
void ngx_http_recovery_site_next(ngx_http_recovery_link_t *link);

/* For people. */
ngx_str_t *ngx_http_recovery_site_address(ngx_http_recovery_link_t *link);

/* The step: a name to addresses.  Its deadline has passed; its end. */
ngx_int_t ngx_http_recovery_site_resolve(ngx_http_recovery_link_t *link);
void ngx_http_recovery_site_timeout(ngx_http_recovery_link_t *link);
void ngx_http_recovery_site_cancel(ngx_http_recovery_link_t *link);


/* _sentinel.c */

extern const ngx_http_recovery_link_use_t  ngx_http_recovery_sentinel;

/* Whom they have named cannot be had: the next one is asked. */
void ngx_http_recovery_sentinel_doubt(ngx_http_recovery_redis_t *redis);


/* _cluster.c */

/* The reply is an error that begins with MOVED: goes there. */
void ngx_http_recovery_link_moved(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);


/* _steps.c */

/* By step; none for "ready". */
extern const ngx_http_recovery_step_t  ngx_http_recovery_steps[];

/* A reply that came while the link is not ready. */
void ngx_http_recovery_step_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);


/* _tls.c */

void ngx_http_recovery_tls_init(ngx_http_recovery_link_t *link);

/* The step: a handshake, and whether it is who it should be. */
ngx_int_t ngx_http_recovery_tls_handshake(ngx_http_recovery_link_t *link);

/* Is anything known of why TLS has failed?  It may be said by _tls_fail(). */
ngx_uint_t ngx_http_recovery_tls_said(ngx_http_recovery_link_t *link);
void ngx_http_recovery_tls_fail(ngx_http_recovery_link_t *link);

/* Before the connection is closed. */
void ngx_http_recovery_tls_close(ngx_connection_t *c);


/* _redis.c */

/* Closes, reports, and sees to the next try. */
void ngx_http_recovery_link_fail(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure, ngx_err_t err, const char *text);

/* The same for an error reply. */
void ngx_http_recovery_link_refused(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);

/* The link has done what it is there for, for the first time or again. */
void ngx_http_recovery_link_good(ngx_http_recovery_link_t *link);

/* Before going to somebody else: nobody is connected any more. */
void ngx_http_recovery_redis_leave_master(ngx_http_recovery_redis_t *redis);

/* All links down, for good. */
void ngx_http_recovery_redis_stop(ngx_http_recovery_redis_t *redis);

/* The end of every handler of an event, after redis->busy++. */
void ngx_http_recovery_redis_leave(ngx_http_recovery_redis_t *redis);

/* Does the reply begin with these words? */
ngx_uint_t ngx_http_recovery_reply_starts(
    const ngx_http_recovery_resp_value_t *value, const char *words);


#endif /* _NGX_HTTP_RECOVERY_REDIS_H_INCLUDED_ */
