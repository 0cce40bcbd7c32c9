
/*
 * URIs of Redis, as "recovery_redis" has them.
 */

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "options.h"
#include "out.h"
#include "words.h"


#define SERVER_URIS  "redis://[user@]host[:port][/db], rediss://... (TLS) or " \
                     "unix:/path"
#define SERVER_PORT    6379
#define SERVER_DB_MAX  65535


/* Nothing that could be a password is repeated. */

static int
server_bad(const char *where, const char *what)
{
    ctl_error("%s: %s, a URI must be " SERVER_URIS, where, what);

    return -1;
}


static int
server_number(const char *text, size_t len, uint64_t max, uint64_t *n)
{
    rcv_str_t  word = { text, len };

    return rcv_parse_integer(word, n) == 0 && *n <= max ? 0 : -1;
}


/* Takes "user@" off the beginning. */

static int
server_user(ctl_server_t *server, const char **rest, const char *where)
{
    size_t       len;
    const char  *at;

    at = strrchr(*rest, '@');

    if (at == NULL) {
        return 0;
    }

    len = (size_t) (at - *rest);

    if (memchr(*rest, ':', len) != NULL) {
        ctl_error("%s: no password in a URI, everybody on this machine may "
                  "see it", where);
        ctl_hint("name the user alone (redis://user@host) and use "
                 "--password-file FILE, or RECOVERY_REDIS_PASSWORD in the "
                 "environment");
        return -1;
    }

    if (len == 0 || len > CTL_WORD_MAX) {
        return server_bad(where, "before the \"@\" must be a user of at most "
                                 "128 bytes");
    }

    memcpy(server->user, *rest, len);
    server->user[len] = '\0';
    *rest = at + 1;

    return 0;
}


/* host[:port], [v6][:port] */

static int
server_host(ctl_server_t *server, const char *host, size_t len,
    const char *where)
{
    uint64_t     port;
    const char  *end, *colon;

    end = host + len;
    port = SERVER_PORT;

    if (len != 0 && *host == '[') {
        host++;
        colon = memchr(host, ']', len - 1);

        if (colon == NULL) {
            return server_bad(where, "\"[\" without \"]\"");
        }

        len = (size_t) (colon++ - host);

        if (colon < end && *colon != ':') {
            return server_bad(where, "behind \"]\" must be a port");
        }

    } else {
        colon = len ? memchr(host, ':', len) : NULL;
        colon = colon ? colon : end;
        len = (size_t) (colon - host);
    }

    if (colon < end
        && (server_number(colon + 1, (size_t) (end - colon - 1), 65535, &port)
            != 0
            || port == 0))
    {
        return server_bad(where, "the port must be a number from 1 to 65535");
    }

    if (len == 0 || len > CTL_HOST_MAX) {
        return server_bad(where, "no host, or a long one");
    }

    memcpy(server->host, host, len);
    server->host[len] = '\0';
    server->port = (uint16_t) port;

    return 0;
}


static int
server_inet(ctl_server_t *server, const char *rest, const char *where)
{
    size_t       len;
    uint64_t     db;
    const char  *slash;

    if (server_user(server, &rest, where) != 0) {
        return -1;
    }

    len = strcspn(rest, "/");
    slash = rest + len;
    db = 0;

    if (slash[0] == '/' && slash[1] != '\0'
        && server_number(slash + 1, strlen(slash + 1), SERVER_DB_MAX, &db)
           != 0)
    {
        return server_bad(where, "behind the host must be the number of a "
                                 "database");
    }

    server->db = (unsigned) db;

    return server_host(server, rest, len, where);
}


int
ctl_server_read(ctl_redis_conf_t *conf, const char *uri, const char *where)
{
    ctl_server_t  *server;

    if (conf->nservers == CTL_SERVERS_MAX) {
        ctl_error("%s: too many URIs, at most 8 are allowed", where);
        return -1;
    }

    server = &conf->servers[conf->nservers++];
    memset(server, 0, sizeof(*server));
    server->uri = uri;

    if (strncmp(uri, "unix:", 5) == 0) {
        uri += 5;

        if (*uri == '\0'
            || strlen(uri) >= sizeof(((struct sockaddr_un *) 0)->sun_path))
        {
            return server_bad(where, "no path, or a long one");
        }

        strcpy(server->host, uri);
        return 0;
    }

    if (strncmp(uri, "redis://", 8) == 0) {
        return server_inet(server, uri + 8, where);
    }

    if (strncmp(uri, "rediss://", 9) == 0) {
        server->tls = 1;
        return server_inet(server, uri + 9, where);
    }

    return server_bad(where, "unknown scheme");
}


/* What Sentinels' URIs say besides an address is of the master. */

static const char *
servers_sentinel(const ctl_redis_conf_t *conf)
{
    unsigned             i;
    const ctl_server_t  *s, *first;

    first = &conf->servers[0];

    for (i = 0; i < conf->nservers; i++) {
        s = &conf->servers[i];

        if (s->port == 0) {
            return "with --sentinel URIs must be redis:// or rediss://";
        }

        if (s->tls != first->tls || s->db != first->db
            || strcmp(s->user, first->user) != 0)
        {
            return "with --sentinel scheme, user and database are those of "
                   "the master, all URIs must have the same";
        }
    }

    return NULL;
}


static const char *
servers_wrong(ctl_redis_conf_t *conf)
{
    unsigned       i, secured, sockets;
    ctl_server_t  *s;

    secured = 0;
    sockets = 0;

    for (i = 0; i < conf->nservers; i++) {
        s = &conf->servers[i];
        secured |= s->tls;

        if (s->port == 0) {
            s->db = conf->db;
            sockets++;
        }

        if (s->user[0] != '\0' && conf->password == NULL) {
            return "a URI names a user, which needs --password-file FILE, or "
                   "RECOVERY_REDIS_PASSWORD in the environment";
        }
    }

    if (conf->db != 0 && sockets == 0) {
        return "--db is for unix: URIs, others name it as "
               "redis://host:port/db";
    }

    if (conf->sentinel == NULL
        && (conf->sentinel_user || conf->sentinel_password))
    {
        return "--sentinel-... is for Sentinels, --sentinel must name the "
               "master";
    }

    if (conf->sentinel_user && conf->sentinel_password == NULL) {
        return "--sentinel-user needs --sentinel-password-file";
    }

    if ((conf->tls_cert == NULL) != (conf->tls_key == NULL)) {
        return "--tls-cert and --tls-key must be given together";
    }

    if (!secured
        && (conf->tls_ca || conf->tls_cert || !conf->tls_verify))
    {
        return "--tls-... is for rediss:// URIs, at least one must be given";
    }

    return conf->sentinel ? servers_sentinel(conf) : NULL;
}


int
ctl_servers_check(ctl_redis_conf_t *conf)
{
    const char  *wrong;

    wrong = servers_wrong(conf);

    if (wrong != NULL) {
        ctl_error("%s", wrong);
        return -1;
    }

    return 0;
}
