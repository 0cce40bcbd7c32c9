
/*
 * What all of recoveryctl shares: exit codes, what was asked for, and the
 * verbs.  README.md has the way through the files.
 */

#ifndef CTL_H_INCLUDED_
#define CTL_H_INCLUDED_


#include "options.h"
#include "out.h"
#include "redis.h"


/* Exit codes: a contract, see recoveryctl(1). */

#define CTL_OK           0              /* done, and confirmed */
#define CTL_UNCONFIRMED  1              /* done; not all nodes have said so */
#define CTL_USAGE        2              /* bad words; nothing was done */
#define CTL_UNREACHABLE  3              /* no Redis, no node, or no right */
#define CTL_REFUSED      4              /* for safety, or by nginx */


typedef struct ctl_s  ctl_t;


typedef struct {
    const char    *name;
    const char    *arguments;           /* as the help shows them */
    int          (*run)(ctl_t *ctl);    /* returns an exit code */
    unsigned       takes;               /* CTL_TAKES_... of options.h */
    const char    *what;                /* one line of help */
} ctl_verb_t;


struct ctl_s {
    const ctl_verb_t  *verb;
    ctl_options_t      options;

    /* what stands behind the verb, without options; CTL_TAKES_RAW: with */
    int                argc;
    char             **argv;

    /* connects with the first command; NULL with --url */
    ctl_redis_t       *redis;
};


/*
 * Bad use of the verb: prints what is wrong (format), how the verb is called,
 * and an example where it is not NULL.  Returns CTL_USAGE.
 */
int ctl_usage(const ctl_t *ctl, const char *example, const char *format, ...)
    __attribute__((format(printf, 3, 4)));


/* The verbs. */

int ctl_status(ctl_t *ctl);             /* status.c, watch.c, report.c */
int ctl_check(ctl_t *ctl);              /* check.c */
int ctl_simulate(ctl_t *ctl);           /* simulate.c */
int ctl_audit(ctl_t *ctl);              /* audit.c */
int ctl_health(ctl_t *ctl);             /* orders.c: down, degraded, recover */
int ctl_force(ctl_t *ctl);
int ctl_hold(ctl_t *ctl);
int ctl_resume(ctl_t *ctl);
int ctl_step_back(ctl_t *ctl);
int ctl_promote(ctl_t *ctl);
int ctl_clear(ctl_t *ctl);


#endif /* CTL_H_INCLUDED_ */
