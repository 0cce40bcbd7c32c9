
/*
 * Words to options.  There are two who say them: the environment, and above
 * it the command line.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "out.h"
#include "settings.h"


#define OPTIONS_WAIT_MS     5000
#define OPTIONS_TIMEOUT_MS  1000


void
ctl_options_help(unsigned takes)
{
    int              width;
    const char      *line, *end;
    const ctl_option_t  *option;

    for (option = ctl_options_table; option->name != NULL; option++) {

        if (takes ? !(option->takes & takes) : option->takes != 0) {
            continue;
        }

        width = printf("  --%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");

        for (line = option->what; line != NULL; line = end) {
            end = strchr(line, '\n');

            printf("%*s%.*s\n", width < 32 ? 32 - width : 1, "",
                   end ? (int) (end - line) : (int) strlen(line), line);

            width = 0;
            end = end ? end + 1 : NULL;
        }
    }
}


/* "name" or "name=..."; '_' is '-' in the environment. */

static const ctl_option_t *
option_find(const char *word, unsigned environment)
{
    size_t           i;
    const ctl_option_t  *option;

    for (option = ctl_options_table; option->name != NULL; option++) {

        for (i = 0; option->name[i] != '\0'; i++) {
            if (word[i] != option->name[i]
                && !(environment && word[i] == '_' && option->name[i] == '-'))
            {
                break;
            }
        }

        if (option->name[i] == '\0' && (word[i] == '\0' || word[i] == '=')
            && (!environment || option->in_environment))
        {
            return option;
        }
    }

    return NULL;
}


/* It may be a password in the wrong place: only its name is repeated. */

static int
option_unknown(const char *word, const char *lead)
{
    int              len;
    const char      *near;
    ctl_near_t       search;
    const ctl_option_t  *option;

    len = (int) strcspn(word, "=");

    if (strncmp(word, "password", 8) == 0
        && (len == 8 || strncmp(word, "password-file", (size_t) len) != 0))
    {
        ctl_error("no password on the command line, everybody on this "
                  "machine sees it");
        ctl_hint("use --password-file FILE, or RECOVERY_REDIS_PASSWORD in "
                 "the environment");
        return -1;
    }

    ctl_near_begin(&search, word, (size_t) len);

    for (option = ctl_options_table; option->name != NULL; option++) {
        ctl_near_try(&search, option->name);
    }

    near = ctl_near_best(&search);
    ctl_error("there is no option \"%s%.*s\"", lead, len, word);

    if (near != NULL) {
        ctl_hint("is it --%s?  recoveryctl --help has all of them", near);

    } else {
        ctl_hint("recoveryctl --help has all of them");
    }

    return -1;
}


static int
option_set(ctl_options_t *o, const ctl_option_t *option, const char *value,
    const char *lead)
{
    const char  *allowed;

    allowed = option->set(o, value);

    if (allowed == NULL) {
        return 0;
    }

    if (*allowed != '\0') {
        ctl_error("invalid value \"%s\" of \"%s%s\", it must be %s",
                  value, lead, option->name, allowed);
    }

    return -1;
}


static int
option_wrong_verb(const ctl_option_t *option, const char *verb, unsigned takes)
{
    const ctl_option_t  *other;

    ctl_error("\"%s\" takes no \"--%s\"", verb ? verb : "recoveryctl",
              option->name);

    for (other = ctl_options_table; takes && other->name != NULL; other++) {
        if (other->takes & takes) {
            ctl_hint("it takes --%s%s%s", other->name,
                     other->value ? " " : "",
                     other->value ? other->value : "");
        }
    }

    ctl_hint("see: recoveryctl %s --help", verb ? verb : "");

    return -1;
}


/* One option at argv[*i], which moves to its last word. */

static int
option_read(ctl_options_t *o, int argc, char **argv, int *i,
    const char *verb, unsigned takes)
{
    const char      *word, *value;
    const ctl_option_t  *option;

    word = argv[*i];

    if (strcmp(word, "-h") == 0) {
        word = "--help";
    }

    if (strncmp(word, "--", 2) != 0) {
        return option_unknown(word + 1, "-");
    }

    option = option_find(word + 2, 0);

    if (option == NULL) {
        return option_unknown(word + 2, "--");
    }

    if (option->takes && !(option->takes & takes)) {
        return option_wrong_verb(option, verb, takes);
    }

    value = strchr(word, '=');

    if (value != NULL) {
        value++;

    } else if (option->value != NULL && *i + 1 < argc) {
        value = argv[++*i];
    }

    if ((value == NULL) != (option->value == NULL)) {
        ctl_error(value ? "\"--%s\" takes no value"
                        : "\"--%s\" needs a value: %s",
                  option->name, option->value);
        return -1;
    }

    return option_set(o, option, value, "--");
}


/* "recovery_redis" in the environment: URIs, and key=value. */

static int
option_environment_word(ctl_options_t *o, const char *word)
{
    const char          *value;
    const ctl_option_t  *option;

    if (strncmp(word, "unix:", 5) == 0 || strstr(word, "://") != NULL) {
        return ctl_server_read(&o->redis, word, "RECOVERY_REDIS");
    }

    /* how often nginx asks, and who it is, is nothing to us */

    if (strncmp(word, "poll=", 5) == 0 || strncmp(word, "node=", 5) == 0) {
        return 0;
    }

    value = strchr(word, '=');
    option = (value != NULL) ? option_find(word, 1) : NULL;

    if (option != NULL) {
        return option_set(o, option, value + 1, "RECOVERY_REDIS: ");
    }

    ctl_error("RECOVERY_REDIS: unknown word \"%.*s\"",
              (int) strcspn(word, "=:@"), word);
    ctl_hint("it holds what the directive recovery_redis holds: URIs, and "
             "password_file=, prefix=, timeout=, db=, sentinel=, "
             "sentinel_user=, sentinel_password_file=, tls_ca=, tls_cert=, "
             "tls_key=, tls_verify=");

    return -1;
}


static int
option_environment(ctl_options_t *o)
{
    int          bad;
    char        *word;
    const char  *text;

    text = getenv("RECOVERY_REDIS");
    bad = 0;

    while (text != NULL && (word = ctl_word_next(&text, &bad)) != NULL) {

        /* the options point into the word */

        if (option_environment_word(o, word) != 0) {
            free(word);
            return -1;
        }
    }

    if (bad) {
        ctl_error("RECOVERY_REDIS: a quote is not closed");
        return -1;
    }

    o->own_servers = 0;
    o->own_password = 0;

    return 0;
}


static int
option_passwords(ctl_options_t *o)
{
    const char  *password;

    password = getenv("RECOVERY_REDIS_PASSWORD");

    if (password != NULL && *password != '\0' && !o->own_password) {
        o->redis.password = password;

    } else if (o->password_file != NULL) {
        o->redis.password = ctl_password_read(o->password_file,
                                              "--password-file");
        if (o->redis.password == NULL) {
            return -1;
        }
    }

    if (o->sentinel_password_file != NULL) {
        o->redis.sentinel_password =
            ctl_password_read(o->sentinel_password_file,
                              "--sentinel-password-file");
        if (o->redis.sentinel_password == NULL) {
            return -1;
        }
    }

    return 0;
}


/* What can be judged when all is read. */

static int
option_finish(ctl_options_t *o)
{
    if (o->status_url != NULL && o->nurls != 1) {
        ctl_error("\"--status-url\" goes with one \"--url\"");
        return -1;
    }

    /* with --url Redis is not touched, nor its files */

    if (o->nurls != 0 || o->help) {
        return 0;
    }

    if (o->redis.nservers == 0) {
        o->redis.guessed = 1;
        (void) ctl_server_read(&o->redis, "redis://127.0.0.1:6379", "default");
    }

    if (option_passwords(o) != 0) {
        return -1;
    }

    return ctl_servers_check(&o->redis);
}


/* The verb: the first word that is no option; argc: there is none. */

static int
option_verb(int argc, char **argv)
{
    int                  i;
    const ctl_option_t  *option;

    for (i = 1; i < argc; i++) {

        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            break;
        }

        option = (argv[i][1] == '-') ? option_find(argv[i] + 2, 0) : NULL;

        if (option != NULL && option->value != NULL
            && strchr(argv[i], '=') == NULL)
        {
            i++;
        }
    }

    return i < argc ? i : argc;
}


int
ctl_options_read(ctl_options_t *o, int *argc, char **argv,
    unsigned (*takes)(const char *verb))
{
    int          i, n, verb;
    unsigned     taken;
    const char  *name;

    memset(o, 0, sizeof(*o));

    o->redis.prefix = "recovery:";
    o->redis.timeout_ms = OPTIONS_TIMEOUT_MS;
    o->redis.tls_verify = 1;
    o->wait_ms = OPTIONS_WAIT_MS;
    o->by = ctl_login();

    verb = option_verb(*argc, argv);
    name = (verb < *argc) ? argv[verb] : NULL;
    taken = (name != NULL) ? takes(name) : 0;

    if (!(taken & CTL_TAKES_RAW) && option_environment(o) != 0) {
        return -1;
    }

    for (i = 1, n = 1; i < *argc; i++) {

        if (i >= verb && (taken & CTL_TAKES_RAW)) {
            argv[n++] = argv[i];

        } else if (strcmp(argv[i], "--") == 0) {
            taken |= CTL_TAKES_RAW;
            verb = i + 1;

        } else if (argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[n++] = argv[i];

        } else if (option_read(o, *argc, argv, &i, name, taken) != 0) {
            return -1;
        }
    }

    *argc = n;

    return (taken & CTL_TAKES_RAW) && name != NULL && verb < *argc
           ? 0 : option_finish(o);
}
