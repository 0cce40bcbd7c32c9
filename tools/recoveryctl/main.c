
/*
 * recoveryctl: what operators hold in their hands.  The verbs are one table.
 */

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "near.h"


#define TAKES_ORDER  (CTL_TAKES_REASON|CTL_TAKES_BY|CTL_TAKES_WAIT)


static const ctl_verb_t  verbs[] = {

    { "status", "[NAME] [--watch]", ctl_status,
      CTL_TAKES_JSON|CTL_TAKES_WATCH|CTL_TAKES_COLOR,
      "what every node sees, and why" },

    { "down", "NAME", ctl_health, TAKES_ORDER|CTL_TAKES_FOR,
      "it is broken: nothing passes, or probes" },
    { "degraded", "NAME", ctl_health,
      TAKES_ORDER|CTL_TAKES_FOR|CTL_TAKES_LEVEL,
      "it can do a part of what is normal" },
    { "recover", "NAME", ctl_health, TAKES_ORDER|CTL_TAKES_FOR,
      "it is repaired: probes, then a ramp" },

    { "force", "open|closed|hold|35% NAME", ctl_force,
      TAKES_ORDER|CTL_TAKES_FOR|CTL_TAKES_SAFETY,
      "whatever anybody else says, for a time" },
    { "hold", "NAME", ctl_hold, TAKES_ORDER|CTL_TAKES_FOR,
      "the ramp stands still" },
    { "resume", "NAME", ctl_resume, TAKES_ORDER,
      "it goes on" },
    { "step-back", "NAME", ctl_step_back, TAKES_ORDER|CTL_TAKES_FOR,
      "half of what passes now" },
    { "promote", "CLASS NAME", ctl_promote, TAKES_ORDER|CTL_TAKES_FOR,
      "while it probes, let in more classes" },
    { "clear", "NAME", ctl_clear, TAKES_ORDER,
      "ends all orders; health stays" },

    { "audit", "[NAME] [--follow]", ctl_audit,
      CTL_TAKES_FOLLOW|CTL_TAKES_JSON,
      "who ordered what, and what became of it" },
    { "check", "CONFIG", ctl_check, CTL_TAKES_RAW,
      "lints a policy" },
    { "simulate", "POLICY ...", ctl_simulate, CTL_TAKES_RAW,
      "plays outages with it: recovery-sim" },

    { NULL, NULL, NULL, 0, NULL }
};


static const char  after_verbs[] =
    "\n"
    "NAME is that of recovery_backend; it may be left out where there is one\n"
    "alone.  Redis is the one of --redis, or of RECOVERY_REDIS, which holds\n"
    "what the directive recovery_redis holds.  Redis is dead?  --url sends\n"
    "the same orders to nginx itself.\n"
    "\n"
    "  recoveryctl status\n"
    "  recoveryctl down kv --reason \"disk full\"\n"
    "  recoveryctl recover kv --reason repaired\n"
    "  recoveryctl VERB --help\n"
    "\n"
    "Exit codes: 0 done and confirmed, 1 done but not confirmed by all, 2 bad\n"
    "words, 3 nobody reached or no right, 4 refused.\n";


static const ctl_verb_t *
verb_find(const char *name)
{
    const ctl_verb_t  *verb;

    for (verb = verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }

    return NULL;
}


static unsigned
verb_takes(const char *name)
{
    const ctl_verb_t  *verb;

    verb = verb_find(name);

    /* what is none is told of before its options */

    return verb != NULL ? verb->takes : CTL_TAKES_RAW;
}


static int
help_verbs(FILE *to)
{
    int                width;
    const ctl_verb_t  *verb;

    fprintf(to, "usage: recoveryctl VERB [NAME] [--OPTION ...]\n\n");

    for (verb = verbs; verb->name != NULL; verb++) {
        width = fprintf(to, "  %s %s", verb->name, verb->arguments);
        fprintf(to, "%*s%s\n", width < 35 ? 35 - width : 2, "", verb->what);
    }

    fputs(after_verbs, to);

    return to == stderr ? CTL_USAGE : CTL_OK;
}


static int
help_verb(const ctl_verb_t *verb)
{
    printf("usage: recoveryctl %s %s\n\n%s\n", verb->name, verb->arguments,
           verb->what);

    if (verb->takes & ~(unsigned) CTL_TAKES_RAW) {
        printf("\nOptions of this verb:\n");
        ctl_options_help(verb->takes);
    }

    if (!(verb->takes & CTL_TAKES_RAW)) {
        printf("\nWhere to:\n");
        ctl_options_help(0);
    }

    return CTL_OK;
}


static int
verb_unknown(const char *name)
{
    const char        *near;
    ctl_near_t         search;
    const ctl_verb_t  *verb;

    ctl_near_begin(&search, name, strlen(name));

    for (verb = verbs; verb->name != NULL; verb++) {
        ctl_near_try(&search, verb->name);
    }

    near = ctl_near_best(&search);
    ctl_error("there is no verb \"%s\"", name);

    if (near != NULL) {
        ctl_hint("is it \"%s\"?  recoveryctl --help has all of them", near);
        return CTL_USAGE;
    }

    fputc('\n', stderr);

    return help_verbs(stderr);
}


int
ctl_usage(const ctl_t *ctl, const char *example, const char *format, ...)
{
    char     text[1024];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    ctl_error("%s", text);
    ctl_hint("usage: recoveryctl %s %s", ctl->verb->name,
             ctl->verb->arguments);

    if (example != NULL) {
        ctl_hint("recoveryctl %s", example);
    }

    return CTL_USAGE;
}


static int
run(ctl_t *ctl)
{
    int  rc;

    if (!(ctl->verb->takes & CTL_TAKES_RAW) && ctl->options.nurls == 0) {
        ctl->redis = ctl_redis_new(&ctl->options.redis);

        if (ctl->redis == NULL) {
            return CTL_USAGE;
        }
    }

    rc = ctl->verb->run(ctl);

    ctl_redis_free(ctl->redis);

    return rc;
}


int
main(int argc, char **argv)
{
    int    help, rc;
    ctl_t  ctl;

    /* who reads our output may go before the order is confirmed */

    (void) signal(SIGPIPE, SIG_IGN);

    memset(&ctl, 0, sizeof(ctl));
    ctl_again_set(argc, argv);

    if (ctl_options_read(&ctl.options, &argc, argv, verb_takes) != 0) {
        return CTL_USAGE;
    }

    help = (argc > 1 && strcmp(argv[1], "help") == 0);
    argv += help;
    argc -= help;

    if (argc < 2) {
        return help_verbs(help || ctl.options.help ? stdout : stderr);
    }

    ctl.verb = verb_find(argv[1]);
    ctl.argc = argc - 2;
    ctl.argv = argv + 2;

    if (ctl.verb == NULL) {
        return verb_unknown(argv[1]);
    }

    if (help || ctl.options.help) {
        return help_verb(ctl.verb);
    }

    rc = run(&ctl);

    return ctl_flush_last() != 0 && rc == CTL_OK ? CTL_UNCONFIRMED : rc;
}
