
/*
 * Between redis.c, which gives commands and judges answers, and connect.c,
 * which knows the way to a server.
 */

#ifndef CTL_LINK_H_INCLUDED_
#define CTL_LINK_H_INCLUDED_


#include <hiredis/hiredis.h>

#include "redis.h"
#include "stream.h"


#define CTL_REPORT_MAX  4096            /* a line for each server */


/* What kind of failure: what to do next depends on it. */

typedef enum {
    CTL_FAILURE_NONE = 0,
    CTL_FAILURE_AWAY,                   /* nobody answers */
    CTL_FAILURE_LOST,                   /* was lost behind a command */
    CTL_FAILURE_DENIED,                 /* password, or a right is missing */
    CTL_FAILURE_REPLICA,                /* takes no writes */
    CTL_FAILURE_ANSWER                  /* answers something else */
} ctl_failure_t;


struct ctl_redis_s {
    const ctl_redis_conf_t  *conf;
    SSL_CTX                 *tls;       /* NULL: no rediss:// */

    ctl_stream_t             stream;
    redisReader             *reader;
    unsigned                 connected;

    /* where we are: a server of the list, and what it has led to */
    unsigned                 server;
    char                     host[CTL_HOST_MAX + 1];
    uint16_t                 port;
    unsigned                 moved;     /* by a Cluster, once */
    char                     address[CTL_HOST_MAX + 16];

    ctl_failure_t            failure;
    size_t                   nwhy;
    char                     why[CTL_REPORT_MAX];
};


/*
 * Connects to the first server that will have us, from redis->server on.
 * -1: none; why[] has a line for each.
 */
int ctl_connect(ctl_redis_t *redis);

/* To a host instead: where a server has sent us. */
int ctl_connect_to(ctl_redis_t *redis, const char *host, uint16_t port);

void ctl_disconnect(ctl_redis_t *redis);

/* One command on what is connected; NULL: lost, and said in why[]. */
redisReply *ctl_link_command(ctl_redis_t *redis, int n, const char **words);

/* Is it a command that changes something? */
int ctl_link_writes(const char *word);

/* Adds a line to why[]. */
void ctl_link_fail(ctl_redis_t *redis, ctl_failure_t failure,
    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What an error of Redis is. */
ctl_failure_t ctl_link_kind(const redisReply *reply);


#endif /* CTL_LINK_H_INCLUDED_ */
