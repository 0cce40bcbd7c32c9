
/*
 * Commands to Redis, one at a time, each answered or given up in time.
 *
 * The first command connects: servers in their order, every address of each,
 * TLS, AUTH, SELECT; with Sentinels the master that they name, who must say
 * so himself; and once to where a Cluster says that a key has MOVED.  A
 * connection that breaks is made anew by the next command.
 */

#ifndef CTL_REDIS_H_INCLUDED_
#define CTL_REDIS_H_INCLUDED_


#include <hiredis/hiredis.h>

#include "options.h"


typedef struct ctl_redis_s  ctl_redis_t;


/* Connects nowhere yet.  NULL: TLS cannot be set up, said why. */
ctl_redis_t *ctl_redis_new(const ctl_redis_conf_t *conf);
void ctl_redis_free(ctl_redis_t *redis);


/*
 * Words, each a string.  The reply is the caller's, for freeReplyObject().
 *
 * call: NULL is every failure, errors that Redis answers included; why is
 * told by ctl_redis_failed().
 * try: an error of Redis is a reply (REDIS_REPLY_ERROR), NULL is no reply.
 */
#define ctl_redis_call(redis, ...)                                            \
    ctl_redis_list(redis, (const char *[]) { __VA_ARGS__, NULL }, 0)
#define ctl_redis_try(redis, ...)                                             \
    ctl_redis_list(redis, (const char *[]) { __VA_ARGS__, NULL }, 1)

redisReply *ctl_redis_list(ctl_redis_t *redis, const char **words,
    unsigned errors_are_replies);
redisReply *ctl_redis_words(ctl_redis_t *redis, int n, const char **words,
    unsigned errors_are_replies);


typedef struct {
    int            n;
    const char   **words;
} ctl_words_t;

/* All of them or, after a failure that ctl_redis_failed() tells (-1), none. */
int ctl_redis_all(ctl_redis_t *redis, const ctl_words_t *commands,
    unsigned n);


/* Why the last one has failed, in words; valid until the next one. */
const char *ctl_redis_why(const ctl_redis_t *redis);

/* Says why on stderr, and what to do next.  Returns CTL_UNREACHABLE. */
int ctl_redis_failed(const ctl_redis_t *redis);

/* To whom we are connected, or were: "127.0.0.1:6379". */
const char *ctl_redis_address(const ctl_redis_t *redis);

/* The prefix and up to two words behind it; for free(). */
char *ctl_redis_key(const ctl_redis_t *redis, const char *a, const char *b);


#endif /* CTL_REDIS_H_INCLUDED_ */
