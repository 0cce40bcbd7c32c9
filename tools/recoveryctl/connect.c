
/*
 * The way to a server: the URIs in their order, Sentinels, AUTH, SELECT.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "out.h"


#define LINK_REPLY_BYTES     (16 * 1024 * 1024)
#define LINK_REPLY_ELEMENTS  65536
#define LINK_READ            16384


/*
 * The reader of hiredis 0.14 believes an array that claims 10^9 elements; so
 * does nobody else's.
 */

static redisReplyObjectFunctions  link_functions;
static redisReplyObjectFunctions  link_originals;

#if (HIREDIS_MAJOR >= 1)

static void *
link_array(const redisReadTask *task, size_t n)
{
    return n > LINK_REPLY_ELEMENTS ? NULL
                                   : link_originals.createArray(task, n);
}

#else

static void *
link_array(const redisReadTask *task, int n)
{
    return n > LINK_REPLY_ELEMENTS ? NULL
                                   : link_originals.createArray(task, n);
}

#endif


static redisReader *
link_reader(void)
{
    redisReader  *reader;

    reader = redisReaderCreate();

    if (reader != NULL) {
        link_originals = *reader->fn;
        link_functions = link_originals;
        link_functions.createArray = link_array;
        reader->fn = &link_functions;
    }

    return reader;
}


void
ctl_disconnect(ctl_redis_t *redis)
{
    if (redis->connected) {
        ctl_stream_close(&redis->stream);
        redis->connected = 0;
    }

    if (redis->reader != NULL) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }
}


/* What changes something must not be given twice. */

int
ctl_link_writes(const char *word)
{
    return strcmp(word, "HSET") == 0 || strcmp(word, "HDEL") == 0
           || strcmp(word, "PUBLISH") == 0 || strcmp(word, "XADD") == 0
           || strcmp(word, "EXEC") == 0;
}


/* A whole reply, or NULL after a message. */

static redisReply *
link_reply(ctl_redis_t *redis, ctl_failure_t lost, uint64_t deadline_ms)
{
    char     buf[LINK_READ];
    void    *reply;
    size_t   bytes;
    ssize_t  n;

    bytes = 0;

    for ( ;; ) {

        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            ctl_link_fail(redis, CTL_FAILURE_ANSWER,
                          "this does not speak the protocol of Redis; "
                          "is it TLS, which is rediss://?");
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        n = ctl_stream_read(&redis->stream, buf, sizeof(buf), deadline_ms);

        if (n <= 0) {
            ctl_link_fail(redis, lost, "%s",
                          n == 0 ? "the server has hung up"
                                 : redis->stream.why);
            return NULL;
        }

        bytes += (size_t) n;

        if (bytes > LINK_REPLY_BYTES
            || redisReaderFeed(redis->reader, buf, (size_t) n) != REDIS_OK)
        {
            ctl_link_fail(redis, CTL_FAILURE_ANSWER,
                          "an answer without an end");
            return NULL;
        }
    }
}


redisReply *
ctl_link_command(ctl_redis_t *redis, int n, const char **words)
{
    int             rc;
    char           *bytes;
    long long       len;
    uint64_t        deadline_ms;
    redisReply     *reply;
    ctl_failure_t   lost;

    len = redisFormatCommandArgv(&bytes, n, words, NULL);

    if (len < 0) {
        ctl_link_fail(redis, CTL_FAILURE_AWAY, "no memory");
        ctl_disconnect(redis);
        return NULL;
    }

    lost = ctl_link_writes(words[0]) ? CTL_FAILURE_LOST : CTL_FAILURE_AWAY;
    deadline_ms = ctl_now_ms() + redis->conf->timeout_ms;

    rc = ctl_stream_write(&redis->stream, bytes, (size_t) len, deadline_ms);
    redisFreeCommand(bytes);
    reply = NULL;

    if (rc != 0) {
        ctl_link_fail(redis, lost, "%s", redis->stream.why);

    } else {
        reply = link_reply(redis, lost, deadline_ms);
    }

    if (reply == NULL) {
        ctl_disconnect(redis);
    }

    return reply;
}


/* A command of which nothing but OK is good. */

static int
connect_step(ctl_redis_t *redis, int n, const char **words)
{
    int          rc;
    redisReply  *reply;

    reply = ctl_link_command(redis, n, words);

    if (reply == NULL) {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_link_fail(redis, ctl_link_kind(reply), "%s: %s", words[0],
                      reply->str);
        rc = -1;
    }

    freeReplyObject(reply);

    return rc;
}


static int
connect_auth(ctl_redis_t *redis, const char *user, const char *password)
{
    const char  *words[3];

    if (password == NULL) {
        return 0;
    }

    words[0] = "AUTH";
    words[1] = (user != NULL && *user != '\0') ? user : password;
    words[2] = password;

    return connect_step(redis, words[1] == user ? 3 : 2, words);
}


static int
connect_select(ctl_redis_t *redis, unsigned db)
{
    char         number[16];
    const char  *words[2];

    if (db == 0) {
        return 0;
    }

    (void) snprintf(number, sizeof(number), "%u", db);
    words[0] = "SELECT";
    words[1] = number;

    return connect_step(redis, 2, words);
}


/* A connection that nothing has been said on. */

static int
connect_bare(ctl_redis_t *redis, const ctl_server_t *server, const char *host,
    uint16_t port)
{
    ctl_disconnect(redis);

    if (host != redis->host) {
        (void) snprintf(redis->host, sizeof(redis->host), "%s", host);
    }

    redis->port = port;

    if (port == 0) {
        (void) snprintf(redis->address, sizeof(redis->address), "%s", host);

    } else {
        (void) snprintf(redis->address, sizeof(redis->address),
                        strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    }

    if (ctl_stream_open(&redis->stream, redis->host, port,
                        server->tls ? redis->tls : NULL,
                        redis->conf->tls_verify, redis->conf->timeout_ms)
        != 0)
    {
        ctl_link_fail(redis, CTL_FAILURE_AWAY, "%s", redis->stream.why);
        return -1;
    }

    redis->connected = 1;
    redis->reader = link_reader();

    if (redis->reader == NULL) {
        ctl_link_fail(redis, CTL_FAILURE_AWAY, "no memory");
        ctl_disconnect(redis);
        return -1;
    }

    return 0;
}


int
ctl_connect_to(ctl_redis_t *redis, const char *host, uint16_t port)
{
    const ctl_server_t  *server;

    server = &redis->conf->servers[redis->server];

    if (connect_bare(redis, server, host, port) != 0) {
        return -1;
    }

    if (connect_auth(redis, server->user, redis->conf->password) != 0
        || connect_select(redis, server->db) != 0)
    {
        ctl_disconnect(redis);
        return -1;
    }

    return 0;
}


/* "host", "port" of the master, as a Sentinel names it. */

static int
sentinel_names(ctl_redis_t *redis, const redisReply *reply, char *host,
    uint16_t *port)
{
    unsigned long  n;

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_link_fail(redis, ctl_link_kind(reply), "SENTINEL: %s",
                      reply->str);
        return -1;
    }

    if (reply->type == REDIS_REPLY_NIL) {
        ctl_link_fail(redis, CTL_FAILURE_ANSWER,
                      "the Sentinel knows no master \"%s\" (--sentinel)",
                      redis->conf->sentinel);
        return -1;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        n = 0;

    } else {
        n = strtoul(reply->element[1]->str, NULL, 10);
    }

    if (n == 0 || n > 65535 || reply->element[0]->len == 0
        || reply->element[0]->len > CTL_HOST_MAX)
    {
        ctl_link_fail(redis, CTL_FAILURE_ANSWER,
                      "not the address of a master; is this a Sentinel?");
        return -1;
    }

    (void) snprintf(host, CTL_HOST_MAX + 1, "%s", reply->element[0]->str);
    *port = (uint16_t) n;

    return 0;
}


static int
sentinel_ask(ctl_redis_t *redis, char *host, uint16_t *port)
{
    int                  rc;
    const char          *words[3];
    redisReply          *reply;
    const ctl_server_t  *server;

    server = &redis->conf->servers[redis->server];

    if (connect_bare(redis, server, server->host, server->port) != 0
        || connect_auth(redis, redis->conf->sentinel_user,
                        redis->conf->sentinel_password)
           != 0)
    {
        return -1;
    }

    words[0] = "SENTINEL";
    words[1] = "get-master-addr-by-name";
    words[2] = redis->conf->sentinel;

    reply = ctl_link_command(redis, 3, words);

    if (reply == NULL) {
        return -1;
    }

    rc = sentinel_names(redis, reply, host, port);
    freeReplyObject(reply);

    return rc;
}


/* A Sentinel that was cut off from the others names an old master. */

static int
sentinel_role(ctl_redis_t *redis)
{
    int          rc;
    const char  *words[1];
    redisReply  *reply;

    words[0] = "ROLE";
    reply = ctl_link_command(redis, 1, words);

    if (reply == NULL) {
        return -1;
    }

    rc = -1;

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_link_fail(redis, ctl_link_kind(reply), "ROLE: %s", reply->str);

    } else if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
               || reply->element[0]->type != REDIS_REPLY_STRING
               || strcmp(reply->element[0]->str, "master") != 0)
    {
        ctl_link_fail(redis, CTL_FAILURE_REPLICA, "the Sentinel named it, "
                      "but it does not say that it is the master");

    } else {
        rc = 0;
    }

    freeReplyObject(reply);

    return rc;
}


static int
connect_server(ctl_redis_t *redis)
{
    char                 host[CTL_HOST_MAX + 1];
    uint16_t             port;
    const ctl_server_t  *server;

    server = &redis->conf->servers[redis->server];

    if (redis->conf->sentinel == NULL) {
        return ctl_connect_to(redis, server->host, server->port);
    }

    if (sentinel_ask(redis, host, &port) == 0
        && ctl_connect_to(redis, host, port) == 0
        && sentinel_role(redis) == 0)
    {
        return 0;
    }

    ctl_disconnect(redis);

    return -1;
}


int
ctl_connect(ctl_redis_t *redis)
{
    redis->moved = 0;

    for ( /* void */ ; redis->server < redis->conf->nservers;
         redis->server++)
    {
        if (connect_server(redis) == 0) {
            return 0;
        }
    }

    redis->server = 0;

    return -1;
}
