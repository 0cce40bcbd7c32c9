
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "link.h"


/* What docs/redis.md names, which t/recoveryctl_redis.t compares. */
#define REDIS_RIGHTS  "+hset +hdel +multi +exec +hgetall +publish +time "     \
                      "+mget +scan +xrevrange +xrange +xadd"


ctl_redis_t *
ctl_redis_new(const ctl_redis_conf_t *conf)
{
    unsigned      i;
    ctl_redis_t  *redis;

    redis = calloc(1, sizeof(*redis));

    if (redis == NULL) {
        ctl_error("no memory");
        return NULL;
    }

    redis->conf = conf;
    redis->stream.fd = -1;

    for (i = 0; i < conf->nservers; i++) {

        if (!conf->servers[i].tls || redis->tls != NULL) {
            continue;
        }

        redis->tls = ctl_tls_new(conf);

        if (redis->tls == NULL) {
            free(redis);
            return NULL;
        }
    }

    return redis;
}


void
ctl_redis_free(ctl_redis_t *redis)
{
    if (redis == NULL) {
        return;
    }

    ctl_disconnect(redis);
    SSL_CTX_free(redis->tls);
    free(redis);
}


void
ctl_link_fail(ctl_redis_t *redis, ctl_failure_t failure, const char *format,
    ...)
{
    int       n;
    size_t    room;
    va_list   args;
    char      text[CTL_WHY_MAX];

    /* one that says no is more than one that is not there */

    if (failure > redis->failure || redis->failure == CTL_FAILURE_NONE) {
        redis->failure = failure;
    }

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    room = sizeof(redis->why) - redis->nwhy;
    n = snprintf(redis->why + redis->nwhy, room, "%s%s: %s",
                 redis->nwhy ? "\n" : "", redis->address, text);

    if (n > 0 && (size_t) n < room) {
        redis->nwhy += (size_t) n;

    } else {
        redis->why[redis->nwhy] = '\0';
    }
}


static int
redis_starts(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}


ctl_failure_t
ctl_link_kind(const redisReply *reply)
{
    size_t  i;

    static const struct {
        const char     *word;
        ctl_failure_t   failure;
    } kinds[] = {
        { "NOAUTH", CTL_FAILURE_DENIED },
        { "NOPERM", CTL_FAILURE_DENIED },
        { "WRONGPASS", CTL_FAILURE_DENIED },
        { "ERR invalid password", CTL_FAILURE_DENIED },
        { "READONLY", CTL_FAILURE_REPLICA },
        { "MASTERDOWN", CTL_FAILURE_REPLICA },
        { "LOADING", CTL_FAILURE_AWAY },
        { "CLUSTERDOWN", CTL_FAILURE_AWAY },
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (redis_starts(reply, kinds[i].word)) {
            return kinds[i].failure;
        }
    }

    return CTL_FAILURE_ANSWER;
}


/* "MOVED slot host:port"; a host that is missing is the one that says it. */

static int
redis_moved(ctl_redis_t *redis, const redisReply *reply)
{
    char         *colon, host[CTL_HOST_MAX + 1];
    const char   *last;
    unsigned long  port;

    last = strrchr(reply->str, ' ');

    if (redis->moved || redis->conf->sentinel != NULL || last == NULL
        || strlen(last + 1) > CTL_HOST_MAX)
    {
        return -1;
    }

    (void) snprintf(host, sizeof(host), "%s", last + 1);
    colon = strrchr(host, ':');
    port = (colon != NULL) ? strtoul(colon + 1, NULL, 10) : 0;

    if (port == 0 || port > 65535 || strcmp(host, "?") == 0) {
        return -1;
    }

    *colon = '\0';
    redis->moved = 1;

    return ctl_connect_to(redis, *host ? host : redis->host, (uint16_t) port);
}


/* What the next server may answer better. */

static int
redis_next(ctl_redis_t *redis, const redisReply *reply)
{
    ctl_failure_t  kind;

    kind = ctl_link_kind(reply);

    if (kind != CTL_FAILURE_AWAY && kind != CTL_FAILURE_REPLICA) {
        return 0;
    }

    ctl_link_fail(redis, kind, "%s", reply->str);
    ctl_disconnect(redis);
    redis->server++;

    return 1;
}


/* Is another server to be asked instead?  It is connected, or -1: to none. */

static int
redis_elsewhere(ctl_redis_t *redis, const redisReply *reply)
{
    if (!redis_starts(reply, "MOVED ")) {
        return redis_next(redis, reply);
    }

    if (redis_moved(redis, reply) != 0) {
        ctl_link_fail(redis, CTL_FAILURE_ANSWER, "%s: all keys must be in "
                      "one slot, as with --prefix \"recovery:{x}:\"",
                      reply->str);
        return -1;
    }

    return 1;
}


/*
 * A reply that counts.  An error is an answer, and what it answers was not
 * done; a command that was lost is given once more if it only reads, to the
 * same servers where the connection was an old one, else to the next.
 */

static redisReply *
redis_answer(ctl_redis_t *redis, int n, const char **words)
{
    int          again, fresh;
    redisReply  *reply;

    fresh = !redis->connected;

    if (fresh) {
        redis->server = 0;
    }

    for ( ;; ) {

        if (!redis->connected && ctl_connect(redis) != 0) {
            return NULL;
        }

        reply = ctl_link_command(redis, n, words);

        if (reply == NULL && !ctl_link_writes(words[0])) {
            redis->server = fresh ? redis->server + 1 : 0;
            fresh = 1;
            continue;
        }

        if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
            return reply;
        }

        again = redis_elsewhere(redis, reply);

        if (again == 0) {
            return reply;
        }

        freeReplyObject(reply);

        if (again < 0) {
            return NULL;
        }
    }
}


static void
redis_begin(ctl_redis_t *redis)
{
    redis->failure = CTL_FAILURE_NONE;
    redis->nwhy = 0;
    redis->why[0] = '\0';
}


/*
 * Commands that Redis only notes, to do them all at the word EXEC.  An error
 * ends that: who hangs up has ordered nothing.
 */

static redisReply *
redis_note(ctl_redis_t *redis, const ctl_words_t *commands, unsigned n,
    const char **word)
{
    unsigned      i;
    redisReply   *reply;

    static const char  *multi[] = { "MULTI" };

    *word = multi[0];
    reply = redis_answer(redis, 1, multi);

    for (i = 0; i < n; i++) {

        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            break;
        }

        freeReplyObject(reply);
        *word = commands[i].words[0];
        reply = ctl_link_command(redis, commands[i].n, commands[i].words);
    }

    return reply;
}


/* What was done, and of it the first that has failed. */

static redisReply *
redis_exec(ctl_redis_t *redis, const ctl_words_t *commands,
    const char **word)
{
    size_t       i;
    redisReply  *reply, *error;

    static const char  *exec[] = { "EXEC" };

    *word = exec[0];
    reply = ctl_link_command(redis, 1, exec);

    for (i = 0; reply != NULL && i < reply->elements; i++) {
        error = reply->element[i];

        if (error->type == REDIS_REPLY_ERROR) {
            *word = commands[i].words[0];
            reply->element[i] = NULL;
            freeReplyObject(reply);
            return error;
        }
    }

    return reply;
}


/* An error of the server, of which another one may know better. */

static int
redis_again(ctl_redis_t *redis, redisReply **reply)
{
    int  again;

    if (*reply == NULL || (*reply)->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    ctl_disconnect(redis);
    again = redis_elsewhere(redis, *reply);

    if (again != 0) {
        freeReplyObject(*reply);
        *reply = NULL;
    }

    return again > 0 && (redis->connected || ctl_connect(redis) == 0);
}


int
ctl_redis_all(ctl_redis_t *redis, const ctl_words_t *commands, unsigned n)
{
    unsigned     tries;
    const char  *word;
    redisReply  *reply;

    redis_begin(redis);
    tries = redis->conf->nservers + 1;

    do {
        reply = redis_note(redis, commands, n, &word);
    } while (redis_again(redis, &reply) && --tries > 0);

    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        freeReplyObject(reply);
        reply = redis_exec(redis, commands, &word);
    }

    if (reply == NULL) {
        return -1;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_link_fail(redis, ctl_link_kind(reply), "%s: %s", word, reply->str);
        freeReplyObject(reply);
        return -1;
    }

    freeReplyObject(reply);

    return 0;
}


redisReply *
ctl_redis_words(ctl_redis_t *redis, int n, const char **words,
    unsigned errors_are_replies)
{
    redisReply  *reply;

    redis_begin(redis);

    reply = redis_answer(redis, n, words);

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR
        && !errors_are_replies)
    {
        ctl_link_fail(redis, ctl_link_kind(reply), "%s: %s", words[0],
                      reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


redisReply *
ctl_redis_list(ctl_redis_t *redis, const char **words,
    unsigned errors_are_replies)
{
    int  n;

    for (n = 0; words[n] != NULL; n++) {
        /* void */
    }

    return ctl_redis_words(redis, n, words, errors_are_replies);
}


const char *
ctl_redis_why(const ctl_redis_t *redis)
{
    return redis->why;
}


const char *
ctl_redis_address(const ctl_redis_t *redis)
{
    return redis->address;
}


char *
ctl_redis_key(const ctl_redis_t *redis, const char *a, const char *b)
{
    char    *key;
    size_t   size;

    b = b ? b : "";
    size = strlen(redis->conf->prefix) + strlen(a) + strlen(b) + 1;
    key = malloc(size);

    if (key != NULL) {
        (void) snprintf(key, size, "%s%s%s", redis->conf->prefix, a, b);
    }

    return key;
}


static void
redis_advise_denied(const ctl_redis_t *redis)
{
    const char              *user;
    const ctl_redis_conf_t  *conf;

    conf = redis->conf;

    if (conf->sentinel != NULL) {
        ctl_hint("Sentinels have passwords of their own: "
                 "--sentinel-password-file FILE");
    }

    if (strstr(redis->why, "NOPERM") != NULL) {
        user = conf->servers[redis->server].user;
        ctl_hint("a right is missing; somebody who may has to say: ACL "
                 "SETUSER %s ~%s* &%s* " REDIS_RIGHTS "%s%s",
                 *user ? user : "default", conf->prefix, conf->prefix,
                 conf->servers[redis->server].db ? " +select" : "",
                 conf->sentinel ? " +role" : "");

    } else if (conf->password != NULL) {
        ctl_hint("the password is not the one of this user: put it right in "
                 "the password file");

    } else {
        ctl_hint("a password: --password-file FILE, or "
                 "RECOVERY_REDIS_PASSWORD in the environment; a user: "
                 "--redis redis://USER@HOST");
    }
}


static void
redis_advise(const ctl_redis_t *redis)
{
    switch (redis->failure) {

    case CTL_FAILURE_DENIED:
        redis_advise_denied(redis);
        return;

    case CTL_FAILURE_REPLICA:
        ctl_hint("orders go to the master: name it with --redis, or have "
                 "Sentinels name it with --sentinel");
        return;

    case CTL_FAILURE_LOST:
        ctl_hint("whether it was done is not known; look: "
                 "recoveryctl status");
        break;

    default:
        break;
    }

    if (redis->conf->guessed) {
        ctl_hint("that was a guess: --redis URI, or RECOVERY_REDIS in the "
                 "environment, says where Redis is");
    }

    ctl_hint("nginx goes on with what Redis said last.  To talk to nginx "
             "itself, one --url for each node:");
    ctl_again_url();
}


int
ctl_redis_failed(const ctl_redis_t *redis)
{
    const char  *line, *end;

    ctl_error(redis->failure == CTL_FAILURE_DENIED
              ? "Redis says no"
              : redis->failure == CTL_FAILURE_AWAY
              ? "Redis does not answer"
              : "Redis has failed");

    for (line = redis->why; *line != '\0'; line = end) {
        end = line + strcspn(line, "\n");
        ctl_hint("%.*s", (int) (end - line), line);
        end += (*end == '\n');
    }

    redis_advise(redis);

    return CTL_UNREACHABLE;
}
