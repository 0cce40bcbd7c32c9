
/*
 * The steps of a link on its way up.
 */

#include "ngx_http_recovery_redis.h"


static ngx_int_t ngx_http_recovery_step_auth(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_step_select(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_step_role(ngx_http_recovery_link_t *link);
static const char *ngx_http_recovery_step_not_ok(
    const ngx_http_recovery_resp_value_t *value);
static const char *ngx_http_recovery_step_not_master(
    const ngx_http_recovery_resp_value_t *value);


const ngx_http_recovery_step_t  ngx_http_recovery_steps[] = {
    { "waiting", NULL, NULL },
    { "resolving the name", ngx_http_recovery_site_resolve, NULL },
    { "connecting", ngx_http_recovery_link_connect, NULL },
    { "securing the connection", ngx_http_recovery_tls_handshake, NULL },
    { "authenticating", ngx_http_recovery_step_auth,
      ngx_http_recovery_step_not_ok },
    { "selecting the database", ngx_http_recovery_step_select,
      ngx_http_recovery_step_not_ok },
    { "asking for the role", ngx_http_recovery_step_role,
      ngx_http_recovery_step_not_master }
};


/* Without a user name: AUTH as all versions of Redis understand it. */

static ngx_int_t
ngx_http_recovery_step_auth(ngx_http_recovery_link_t *link)
{
    ngx_str_t                       words[3], *user, *password;
    ngx_uint_t                      n;
    ngx_http_recovery_redis_conf_t *conf;

    conf = link->redis->conf;

    if (link == &link->redis->sentinel) {
        user = &conf->sentinel_user;
        password = &conf->sentinel_password;

    } else {
        user = &link->site->server->user;
        password = &conf->password;
    }

    if (password->len == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "AUTH");
    n = 1;

    if (user->len) {
        words[n++] = *user;
    }

    words[n++] = *password;

    return ngx_http_recovery_link_command(link, n, words);
}


static ngx_int_t
ngx_http_recovery_step_select(ngx_http_recovery_link_t *link)
{
    u_char                            db[NGX_INT_T_LEN];
    ngx_str_t                         words[2];
    ngx_http_recovery_redis_server_t *server;

    server = link->site->server;

    if (server->db == 0 || link == &link->redis->sentinel) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "SELECT");
    words[1].data = db;
    words[1].len = ngx_sprintf(db, "%ui", server->db) - db;

    return ngx_http_recovery_link_command(link, 2, words);
}


/* Whom a Sentinel names may have been put off meanwhile. */

static ngx_int_t
ngx_http_recovery_step_role(ngx_http_recovery_link_t *link)
{
    ngx_str_t  word;

    if (link->redis->conf->sentinel.len == 0
        || link != &link->redis->commands)
    {
        return NGX_DECLINED;
    }

    ngx_str_set(&word, "ROLE");

    return ngx_http_recovery_link_command(link, 1, &word);
}


static const char *
ngx_http_recovery_step_not_ok(const ngx_http_recovery_resp_value_t *value)
{
    return (value->type == NGX_HTTP_RECOVERY_RESP_STATUS
            && ngx_http_recovery_reply_starts(value, "OK"))
               ? NULL : "unknown reply";
}


static const char *
ngx_http_recovery_step_not_master(const ngx_http_recovery_resp_value_t *value)
{
    const ngx_http_recovery_resp_value_t  *role;

    role = value->elements;

    if (value->type != NGX_HTTP_RECOVERY_RESP_ARRAY || value->len == 0
        || role->type != NGX_HTTP_RECOVERY_RESP_STRING)
    {
        return "unknown reply";
    }

    return ngx_http_recovery_reply_starts(role, "master")
               ? NULL : "ROLE does not say \"master\"";
}


/* Every step on the way up asks for one thing. */

void
ngx_http_recovery_step_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    const char  *wrong;

    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    wrong = ngx_http_recovery_steps[link->step].wrong(value);

    if (wrong != NULL) {
        ngx_http_recovery_link_fail(link,
                                    link->step == NGX_HTTP_RECOVERY_LINK_ROLE
                                        ? NGX_HTTP_RECOVERY_FAILURE_LATER
                                        : NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
                                    0, wrong);
        return;
    }

    ngx_http_recovery_link_advance(link);
}
