
#define _GNU_SOURCE                     /* vasprintf() */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ctl.h"


static const char  check_help[] =
    "usage: recoveryctl check CONFIG\n"
    "\n"
    "Reads recovery_policy, recovery_backend and what names them, in a whole\n"
    "nginx.conf or in a file that it includes, with all that it includes, and\n"
    "says file:line: what nginx would refuse, and with \"warning:\" what is\n"
    "legal and most likely not meant.  Needs neither nginx nor Redis.\n"
    "\n"
    "Exit code: 0 nothing to say, 1 warnings, 2 errors.\n";


void *
ctl_grow(void *list, size_t n, size_t size)
{
    void  *grown;

    /* full whenever n is a power of two */

    if (n & (n - 1)) {
        return list;
    }

    grown = realloc(list, (n ? 2 * n : 1) * size);

    if (grown == NULL) {
        ctl_error("no memory");
        exit(CTL_USAGE);
    }

    memset((char *) grown + n * size, 0, (n ? n : 1) * size);

    return grown;
}


static void
check_found(check_t *check, check_place_t place, unsigned warning,
    const char *format, va_list args)
{
    size_t            i;
    check_finding_t  *finding;

    check->findings = ctl_grow(check->findings, check->nfindings,
                               sizeof(check_finding_t));
    finding = &check->findings[check->nfindings];

    finding->place = place;
    finding->order = check->nfindings;
    finding->warning = warning;

    for (i = 0; check->findings[i].place.path != place.path; i++) {
        /* void */
    }

    finding->file = i;
    check->nfindings++;

    if (vasprintf(&finding->text, format, args) < 0) {
        ctl_error("no memory");
        exit(CTL_USAGE);
    }
}


void
ctl_bad(check_t *check, check_place_t place, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    check_found(check, place, 0, format, args);
    va_end(args);
}


void
ctl_warn(check_t *check, check_place_t place, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    check_found(check, place, 1, format, args);
    va_end(args);
}


/* Files as they came, then by line. */

static int
check_before(const void *one, const void *other)
{
    const check_finding_t  *a = one, *b = other;

    if (a->file != b->file) {
        return (a->file > b->file) ? 1 : -1;
    }

    if (a->place.line != b->place.line) {
        return (a->place.line > b->place.line) ? 1 : -1;
    }

    return (a->order > b->order) - (a->order < b->order);
}


static int
check_report(check_t *check, const char *path)
{
    size_t                  i, errors;
    const check_finding_t  *finding;

    if (check->nfindings != 0) {
        qsort(check->findings, check->nfindings, sizeof(check_finding_t),
              check_before);
    }

    errors = 0;

    for (i = 0; i < check->nfindings; i++) {
        finding = &check->findings[i];
        errors += !finding->warning;

        ctl_text(stdout, finding->place.path);

        if (finding->place.line != 0) {
            printf(":%u", finding->place.line);
        }

        printf(": %s", finding->warning ? "warning: " : "");
        ctl_text(stdout, finding->text);
        fputc('\n', stdout);
    }

    ctl_text(stdout, path);
    printf(": %zu polic%s, %zu backend%s: %zu error%s, %zu warning%s\n",
           check->npolicies, check->npolicies == 1 ? "y" : "ies",
           check->nbackends, check->nbackends == 1 ? "" : "s",
           errors, errors == 1 ? "" : "s",
           check->nfindings - errors,
           check->nfindings - errors == 1 ? "" : "s");

    return errors ? CTL_USAGE : check->nfindings ? CTL_UNCONFIRMED : CTL_OK;
}


int
ctl_check(ctl_t *ctl)
{
    check_t      check;
    const char  *path;

    if (ctl->argc == 1 && strcmp(ctl->argv[0], "--help") == 0) {
        fputs(check_help, stdout);
        return CTL_OK;
    }

    if (ctl->argc != 1 || ctl->argv[0][0] == '-') {
        return ctl_usage(ctl, "check /etc/nginx/nginx.conf",
                         "check takes one file: a whole nginx.conf, or one "
                         "that it includes");
    }

    path = ctl->argv[0];
    memset(&check, 0, sizeof(check));

    ctl_check_read(&check, path);
    ctl_check_names(&check);
    ctl_check_policies(&check);
    ctl_check_forged(&check);

    return check_report(&check, path);
}
