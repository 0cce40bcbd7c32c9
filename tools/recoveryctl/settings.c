
/*
 * The one table of options, and what each of them does.  The same words come
 * from RECOVERY_REDIS, where they are those of the directive:
 * "password_file=x" is "--password-file x".
 */

#include <stdio.h>
#include <string.h>

#include "json.h"
#include "out.h"
#include "settings.h"
#include "words.h"


#define OPTIONS_TIMEOUT_MIN_MS  10
#define OPTIONS_TIME_MAX_MS     60000
#define OPTIONS_WAIT_MAX_MS     3600000
#define OPTIONS_DB_MAX          65535


static rcv_str_t
option_str(const char *value)
{
    rcv_str_t  s = { value, strlen(value) };

    return s;
}


static const char *
set_redis(ctl_options_t *o, const char *value)
{
    /* the command line stands in place of the environment */

    if (!o->own_servers) {
        o->own_servers = 1;
        o->redis.nservers = 0;
    }

    return ctl_server_read(&o->redis, value, "--redis") ? "" : NULL;
}


static const char *
set_password_file(ctl_options_t *o, const char *value)
{
    o->password_file = value;
    o->own_password = 1;

    return NULL;
}


static const char *
set_prefix(ctl_options_t *o, const char *value)
{
    size_t  i;

    for (i = 0; (unsigned char) value[i] > 0x20 && value[i] != 0x7f; i++) {
        /* void */
    }

    if (i == 0 || i > CTL_PREFIX_MAX || value[i] != '\0') {
        return "1 to 64 bytes without blanks and control characters";
    }

    o->redis.prefix = value;

    return NULL;
}


static const char *
set_timeout(ctl_options_t *o, const char *value)
{
    uint64_t  ms;

    if (rcv_parse_duration(option_str(value), &ms) != 0
        || ms < OPTIONS_TIMEOUT_MIN_MS || ms > OPTIONS_TIME_MAX_MS)
    {
        return "a time from 10ms to 1m";
    }

    o->redis.timeout_ms = ms;

    return NULL;
}


static const char *
set_db(ctl_options_t *o, const char *value)
{
    uint64_t  n;

    if (rcv_parse_integer(option_str(value), &n) != 0 || n > OPTIONS_DB_MAX) {
        return "the number of a database";
    }

    o->redis.db = (unsigned) n;

    return NULL;
}


static const char *
option_name(const char **to, const char *value)
{
    size_t  i;

    for (i = 0; (unsigned char) value[i] > 0x20; i++) {
        /* void */
    }

    if (i == 0 || i > CTL_WORD_MAX || value[i] != '\0') {
        return "a name of 1 to 128 bytes without blanks";
    }

    *to = value;

    return NULL;
}


static const char *
set_sentinel(ctl_options_t *o, const char *value)
{
    return option_name(&o->redis.sentinel, value);
}


static const char *
set_sentinel_user(ctl_options_t *o, const char *value)
{
    return option_name(&o->redis.sentinel_user, value);
}


static const char *
set_sentinel_password_file(ctl_options_t *o, const char *value)
{
    o->sentinel_password_file = value;

    return NULL;
}


static const char *
set_tls_ca(ctl_options_t *o, const char *value)
{
    o->redis.tls_ca = value;

    return NULL;
}


static const char *
set_tls_cert(ctl_options_t *o, const char *value)
{
    o->redis.tls_cert = value;

    return NULL;
}


static const char *
set_tls_key(ctl_options_t *o, const char *value)
{
    o->redis.tls_key = value;

    return NULL;
}


static const char *
set_tls_verify(ctl_options_t *o, const char *value)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return "\"on\" or \"off\"";
    }

    o->redis.tls_verify = (strcmp(value, "on") == 0);

    return NULL;
}


static const char *
option_url(const char *value)
{
    const char  *rest, *at;

    rest = strstr(value, "://");

    if ((strncmp(value, "http://", 7) != 0
         && strncmp(value, "https://", 8) != 0)
        || rest[3] == '\0' || rest[3] == '/')
    {
        return "http://HOST[:PORT]/PATH or https://..., the place of "
               "recovery_control";
    }

    rest += 3;
    at = strchr(rest, '@');

    if (at != NULL && at < rest + strcspn(rest, "/?#")) {
        ctl_error("\"--url\": no user and password in a URL, everybody on "
                  "this machine sees the command line");
        ctl_hint("put them into ~/.netrc (machine HOST login USER "
                 "password ...)");
        return "";
    }

    return NULL;
}


static const char *
set_url(ctl_options_t *o, const char *value)
{
    if (o->nurls == CTL_URLS_MAX) {
        return "at most 64 of them";
    }

    o->urls[o->nurls++] = value;

    return option_url(value);
}


static const char *
set_status_url(ctl_options_t *o, const char *value)
{
    o->status_url = value;

    return option_url(value);
}


static const char *
option_text(const char **to, const char *value)
{
    size_t       n;
    const char  *p, *last;

    last = value + strlen(value);

    for (p = value; p < last; p += n) {
        n = rcv_utf8_length(p, last);

        if (n == 0) {
            break;
        }
    }

    if (last == value || last - value > CTL_TEXT_MAX || p < last) {
        return "a text of 1 to 512 bytes in UTF-8, of which nginx shows 63";
    }

    *to = value;

    return NULL;
}


static const char *
set_by(ctl_options_t *o, const char *value)
{
    return option_text(&o->by, value);
}


static const char *
set_reason(ctl_options_t *o, const char *value)
{
    return option_text(&o->reason, value);
}


static const char *
set_for(ctl_options_t *o, const char *value)
{
    if (rcv_parse_duration(option_str(value), &o->for_ms) != 0
        || o->for_ms < 1000)
    {
        return "a time such as 90s, 10m or 2h, from 1s to 30d";
    }

    return NULL;
}


static const char *
set_wait(ctl_options_t *o, const char *value)
{
    if (rcv_parse_duration(option_str(value), &o->wait_ms) != 0
        || o->wait_ms > OPTIONS_WAIT_MAX_MS)
    {
        return "a time such as 5s, up to 1h; 0: do not wait";
    }

    return NULL;
}


static const char *
set_level(ctl_options_t *o, const char *value)
{
    uint64_t  milli;

    if (rcv_parse_decimal(option_str(value), 1000, &milli) != 0) {
        return "a number from 0 to 1, the part of normal that it can do";
    }

    o->level = value;

    return NULL;
}


static const char *
set_safety(ctl_options_t *o, const char *value)
{
    if (strcmp(value, "failing") != 0) {
        return "\"failing\": the rule that \"force open\" is refused while "
               "the backend fails";
    }

    o->override_safety = 1;

    return NULL;
}


static const char *
set_json(ctl_options_t *o, const char *value)
{
    (void) value;
    o->json = 1;

    return NULL;
}


static const char *
set_watch(ctl_options_t *o, const char *value)
{
    (void) value;
    o->watch = 1;

    return NULL;
}


static const char *
set_follow(ctl_options_t *o, const char *value)
{
    (void) value;
    o->follow = 1;

    return NULL;
}


static const char *
set_no_color(ctl_options_t *o, const char *value)
{
    (void) value;
    o->no_color = 1;

    return NULL;
}


static const char *
set_help(ctl_options_t *o, const char *value)
{
    (void) value;
    o->help = 1;

    return NULL;
}


const ctl_option_t  ctl_options_table[] = {

    { "reason", "TEXT", CTL_TAKES_REASON, 0, set_reason,
      "why; all who look will read it" },
    { "by", "NAME", CTL_TAKES_BY, 0, set_by, "who; default your login name" },
    { "for", "TIME", CTL_TAKES_FOR, 0, set_for,
      "when it ends: 90s, 10m, 2h, at most 30d" },
    { "level", "0..1", CTL_TAKES_LEVEL, 0, set_level,
      "the part of normal that it can do; default 0.5" },
    { "override-safety", "failing", CTL_TAKES_SAFETY, 0, set_safety,
      "open it although it is failing" },
    { "wait", "TIME", CTL_TAKES_WAIT, 0, set_wait,
      "for nodes to confirm; default 5s, 0: do not" },
    { "json", NULL, CTL_TAKES_JSON, 0, set_json, "as JSON" },
    { "watch", NULL, CTL_TAKES_WATCH, 0, set_watch,
      "again and again, until Ctrl-C" },
    { "follow", NULL, CTL_TAKES_FOLLOW, 0, set_follow,
      "and what comes, until Ctrl-C" },
    { "no-color", NULL, CTL_TAKES_COLOR, 0, set_no_color,
      "plain; so is what goes to no terminal" },

    { "redis", "URI", 0, 0, set_redis,
      "redis://[user@]host[:port][/db], rediss://...,\n"
      "unix:/path; several are tried in order;\n"
      "default redis://127.0.0.1:6379" },
    { "password-file", "FILE", 0, 1, set_password_file,
      "its first line is the password; or, in the\n"
      "environment, RECOVERY_REDIS_PASSWORD" },
    { "prefix", "TEXT", 0, 1, set_prefix,
      "of the keys; default recovery:" },
    { "timeout", "TIME", 0, 1, set_timeout,
      "to connect, and for each answer; default 1s" },
    { "db", "NUMBER", 0, 1, set_db, "of unix: URIs" },
    { "sentinel", "NAME", 0, 1, set_sentinel,
      "the URIs are Sentinels; their master's name" },
    { "sentinel-user", "NAME", 0, 1, set_sentinel_user, "at Sentinels" },
    { "sentinel-password-file", "FILE", 0, 1, set_sentinel_password_file,
      "at Sentinels" },
    { "tls-ca", "FILE", 0, 1, set_tls_ca, "who may sign for a server (PEM)" },
    { "tls-cert", "FILE", 0, 1, set_tls_cert, "our certificate ..." },
    { "tls-key", "FILE", 0, 1, set_tls_key, "... and its key" },
    { "tls-verify", "on|off", 0, 1, set_tls_verify,
      "off: whoever answers is believed" },

    { "url", "URL", 0, 0, set_url,
      "a node's recovery_control, instead of Redis;\n"
      "one for each node" },
    { "status-url", "URL", 0, 0, set_status_url,
      "its recovery_status; default: beside it,\n"
      "called status" },
    { "help", NULL, 0, 0, set_help, "of the verb" },

    { NULL, NULL, 0, 0, NULL, NULL }
};
