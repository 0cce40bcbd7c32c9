
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conffile.h"
#include "engine.h"
#include "line.h"
#include "walk.h"
#include "words.h"


#define SIM_POLICIES_MAX  64


typedef struct {
    const char          *wanted;        /* NULL: any */
    rcv_policy_t        *policy;
    rcv_policy_t        *at;            /* the block we are in; NULL: none */
    rcv_policy_t        *other;         /* for those not wanted */
    unsigned             found;         /* the wanted one */
    rcv_str_t            names[SIM_POLICIES_MAX];
    unsigned             nnames;

    char                *err;
    size_t               err_size;
} conf_t;


static int
conf_error(conf_t *conf, const conf_token_t *token, const char *format, ...)
    __attribute__((format(printf, 3, 4)));


static int
conf_error(conf_t *conf, const conf_token_t *token, const char *format, ...)
{
    char     what[RCV_ERROR_MAX];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(what, sizeof(what), format, args);
    va_end(args);

    if (token != NULL) {
        snprintf(conf->err, conf->err_size, "%s in %s:%u", what, token->path,
                 token->line);
    } else {
        snprintf(conf->err, conf->err_size, "%s", what);
    }

    return -1;
}


static int
conf_policy(conf_t *conf, const conf_token_t *token)
{
    unsigned   i;
    rcv_str_t  name;

    if (token->nwords != 2) {
        return conf_error(conf, token, "invalid number of arguments in "
                                       "\"recovery_policy\" directive");
    }

    name = token->words[1];

    if (!rcv_name_valid(name)) {
        return conf_error(conf, token, "\"recovery_policy\": invalid name "
                          "\"%.*s\", it must be 1 to %d letters, digits, "
                          "\"_\", \"-\" or \".\" and start with a letter or "
                          "a digit", (int) name.len, name.data, RCV_NAME_MAX);
    }

    for (i = 0; i < conf->nnames; i++) {
        if (name.len == conf->names[i].len
            && memcmp(name.data, conf->names[i].data, name.len) == 0)
        {
            return conf_error(conf, token, "\"recovery_policy %.*s\" is "
                              "duplicate, a policy must be defined once",
                              (int) name.len, name.data);
        }
    }

    if (conf->nnames == SIM_POLICIES_MAX) {
        return conf_error(conf, token, "too many policies");
    }

    conf->names[conf->nnames++] = name;
    conf->at = conf->other;

    if ((conf->wanted == NULL && !conf->found)
        || (conf->wanted != NULL && rcv_str_eq(name, conf->wanted)))
    {
        conf->at = conf->policy;
        conf->found = 1;
    }

    rcv_policy_init(conf->at, name);

    return 0;
}


static int
conf_policy_line(conf_t *conf, const conf_token_t *token)
{
    char  err[RCV_ERROR_MAX];

    if (rcv_policy_line(conf->at, token->words, token->nwords, err,
                        sizeof(err))
        != 0)
    {
        return conf_error(conf, token, "%s in recovery_policy \"%s\"", err,
                          conf->at->name);
    }

    return 0;
}


static int
conf_policy_end(conf_t *conf, const conf_token_t *token)
{
    char  err[RCV_ERROR_MAX];

    if (rcv_policy_finish(conf->at, err, sizeof(err)) != 0) {
        return conf_error(conf, token, "%s in recovery_policy \"%s\"", err,
                          conf->at->name);
    }

    conf->at = NULL;

    return 0;
}


static int
conf_line(void *data, const conf_token_t *token, conf_token_kind_t kind)
{
    conf_t  *conf = data;

    if (conf->at != NULL) {

        switch (kind) {

        case CONF_TOKEN_LINE:
            return conf_policy_line(conf, token);

        case CONF_TOKEN_END:
            return conf_policy_end(conf, token);

        default:
            return conf_error(conf, token, "unexpected \"{\"");
        }
    }

    if (kind == CONF_TOKEN_END
        || !rcv_str_eq(token->words[0], "recovery_policy"))
    {
        return 0;
    }

    return (kind == CONF_TOKEN_BLOCK)
           ? conf_policy(conf, token)
           : conf_error(conf, token, "directive \"recovery_policy\" has no "
                                     "opening \"{\"");
}


static void
conf_broken(void *data, const char *path, unsigned line, const char *what)
{
    conf_t  *conf = data;

    if (path != NULL) {
        snprintf(conf->err, conf->err_size, "%s in %s:%u", what, path, line);
    } else {
        snprintf(conf->err, conf->err_size, "%s", what);
    }
}


static int
conf_found(conf_t *conf, const char *path)
{
    unsigned    i;
    rcv_list_t  list = { .len = 0 };

    for (i = 0; i < conf->nnames; i++) {
        rcv_list_add(&list, strndup(conf->names[i].data, conf->names[i].len),
                     "");
    }

    if (conf->nnames == 0) {
        return conf_error(conf, NULL, "no \"recovery_policy\" in %s", path);
    }

    if (!conf->found) {
        return conf_error(conf, NULL, "no \"recovery_policy %s\" in %s, it "
                          "must be one of %s", conf->wanted, path, list.text);
    }

    if (conf->wanted == NULL && conf->nnames > 1) {
        return conf_error(conf, NULL, "several policies in %s, choose one "
                          "with --policy: %s", path, list.text);
    }

    return 0;
}


int
sim_conf_read(const char *path, const char *name, rcv_policy_t *policy,
    char *err, size_t err_size)
{
    conf_t         conf;
    conf_reader_t  reader = { conf_line, conf_broken, &conf };

    memset(&conf, 0, sizeof(conf));

    conf.wanted = name;
    conf.policy = policy;
    conf.other = sim_alloc(sizeof(rcv_policy_t));
    conf.err = err;
    conf.err_size = err_size;

    if (conf_walk(path, &reader) != 0) {
        return -1;
    }

    return conf_found(&conf, path);
}


void
sim_conf_default(rcv_policy_t *policy)
{
    char       err[RCV_ERROR_MAX];
    rcv_str_t  name = { "default", 7 };

    rcv_policy_init(policy, name);

    if (rcv_policy_finish(policy, err, sizeof(err)) != 0) {
        fprintf(stderr, "recovery-sim: %s\n", err);
        exit(2);
    }
}
