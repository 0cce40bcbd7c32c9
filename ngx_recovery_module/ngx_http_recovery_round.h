
/*
 * A round is one upstream of one request and all its attempts, where
 * "recovery" stands in upstream {}.  It lives as long as the request.
 *
 *     _upstream.c  stands in front of the balancer: asks, refuses
 *     _round.c     what an attempt came to; what others ask of rounds
 */

#ifndef _NGX_HTTP_RECOVERY_ROUND_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_ROUND_H_INCLUDED_


#include "ngx_http_recovery_ask.h"
#include "ngx_http_recovery_result.h"


/* One backend of a round. */

typedef struct {
    ngx_http_recovery_decision_t   decision;

    /* the attempt stands on what the location was granted; NULL: on its own */
    ngx_http_recovery_decision_t  *granted;
} ngx_http_recovery_charge_t;


struct ngx_http_recovery_round_s {
    ngx_http_recovery_round_t       *next;
    ngx_http_recovery_ctx_t         *ctx;
    ngx_http_request_t              *request;
    ngx_http_upstream_t             *upstream;
    ngx_http_recovery_ask_t          ask;

    /* the balancer's */
    void                            *data;
    ngx_event_get_peer_pt            get;
    ngx_event_free_peer_pt           free;
    ngx_event_notify_peer_pt         notify;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt    set_session;
    ngx_event_save_peer_session_pt   save_session;
#endif

    /* the protocol's */
    void                           (*finalize_request)(ngx_http_request_t *r,
                                                       ngx_int_t rc);
    ngx_int_t                        rc;        /* it was called with */

    /* entries of r->upstream_states; none while first > last */
    ngx_uint_t                       first;
    ngx_uint_t                       last;

    unsigned                         refused:1;     /* the last one */
    unsigned                         attempting:1;
    unsigned                         counted:1;     /* its result */
    unsigned                         spared:1;      /* the next is paid for */

    ngx_uint_t                       ncharges;
    ngx_http_recovery_charge_t       charges[];
};


/* An attempt is over: counts its result, once. */
void ngx_http_recovery_round_over(ngx_http_recovery_round_t *round,
    ngx_peer_connection_t *pc, ngx_uint_t state);

/* Gives back what the attempt holds; safe to call twice. */
void ngx_http_recovery_round_release(ngx_http_recovery_round_t *round);


#endif /* _NGX_HTTP_RECOVERY_ROUND_H_INCLUDED_ */
