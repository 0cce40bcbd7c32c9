
/*
 * "simulate" hands all its words to recovery-sim: the one beside us, which is
 * of our own version, else the one in PATH.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"


#define SIMULATOR  "recovery-sim"
#define PATH_SIZE  4096


/* The path beside our own binary; -1: it cannot be known. */

static int
simulate_beside(char *path)
{
    char     *slash;
    ssize_t   n;

    n = readlink("/proc/self/exe", path, PATH_SIZE - sizeof("/" SIMULATOR));

    if (n <= 0) {
        return -1;
    }

    path[n] = '\0';
    slash = strrchr(path, '/');

    if (slash == NULL) {
        return -1;
    }

    strcpy(slash + 1, SIMULATOR);

    return 0;
}


int
ctl_simulate(ctl_t *ctl)
{
    int    i;
    char   path[PATH_SIZE], **argv;

    argv = calloc((size_t) ctl->argc + 2, sizeof(char *));

    if (argv == NULL) {
        ctl_error("no memory");
        return CTL_UNREACHABLE;
    }

    argv[0] = SIMULATOR;

    for (i = 0; i < ctl->argc; i++) {
        argv[i + 1] = ctl->argv[i];
    }

    (void) ctl_flush();
    (void) signal(SIGPIPE, SIG_DFL);

    if (simulate_beside(path) == 0) {
        (void) execv(path, argv);
    }

    (void) execvp(SIMULATOR, argv);

    if (errno == ENOENT) {
        ctl_error("%s is neither beside recoveryctl nor in PATH", SIMULATOR);
        ctl_hint("make and make install build and install both");

    } else {
        ctl_error("%s cannot be run: %s", SIMULATOR, strerror(errno));
    }

    free(argv);

    return CTL_USAGE;
}
