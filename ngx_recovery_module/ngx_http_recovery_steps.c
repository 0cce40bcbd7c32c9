
/*
 * The steps of a link on its way up.
 */

#include "ngx_http_recovery_redis.h"


static ngx_int_t ngx_http_recovery_step_auth(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_step_select(ngx_http_recovery_link_t *link);


const ngx_http_recovery_step_t  ngx_http_recovery_steps[] = {
    { "waiting", NULL },
    { "connecting", ngx_http_recovery_link_connect },
    { "securing the connection", ngx_http_recovery_tls_handshake },
    { "authenticating", ngx_http_recovery_step_auth },
    { "selecting the database", ngx_http_recovery_step_select }
};


/* Without a user name: AUTH as all versions of Redis understand it. */

static ngx_int_t
ngx_http_recovery_step_auth(ngx_http_recovery_link_t *link)
{
    ngx_str_t                         words[3];
    ngx_uint_t                        n;
    ngx_http_recovery_redis_conf_t   *conf;
    ngx_http_recovery_redis_server_t *server;

    conf = link->redis->conf;
    server = link->redis->targets[link->target].server;

    if (conf->password.len == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "AUTH");
    n = 1;

    if (server->user.len) {
        words[n++] = server->user;
    }

    words[n++] = conf->password;

    return ngx_http_recovery_link_command(link, n, words);
}


static ngx_int_t
ngx_http_recovery_step_select(ngx_http_recovery_link_t *link)
{
    u_char                            db[NGX_INT_T_LEN];
    ngx_str_t                         words[2];
    ngx_http_recovery_redis_server_t *server;

    server = link->redis->targets[link->target].server;

    if (server->db == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "SELECT");
    words[1].data = db;
    words[1].len = ngx_sprintf(db, "%ui", server->db) - db;

    return ngx_http_recovery_link_command(link, 2, words);
}


/* Every step on the way up asks for one thing, which is answered by OK. */

void
ngx_http_recovery_step_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    if (value->type != NGX_HTTP_RECOVERY_RESP_STATUS
        || !ngx_http_recovery_reply_starts(value, "OK"))
    {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
                                    0, "unknown reply");
        return;
    }

    ngx_http_recovery_link_advance(link);
}
