
#define _GNU_SOURCE                     /* ppoll() */

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "pause.h"


static sigset_t               pause_signals;
static volatile sig_atomic_t  pause_ended;


static void
pause_handler(int signo)
{
    (void) signo;
    pause_ended = 1;
}


/*
 * Blocked but while we wait: one that comes in between is seen by the next
 * pause, not by nobody.
 */

void
ctl_pause_begin(void)
{
    size_t            i;
    struct sigaction  action;

    static const int  signals[] = { SIGINT, SIGTERM, SIGHUP };

    action.sa_handler = pause_handler;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigemptyset(&pause_signals);

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaddset(&pause_signals, signals[i]);
    }

    (void) sigprocmask(SIG_BLOCK, &pause_signals, NULL);

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void) sigaction(signals[i], &action, NULL);
    }
}


/* Of a pipe that nobody reads any more poll() tells without being asked. */

int
ctl_pause(uint64_t ms)
{
    sigset_t         none;
    struct pollfd    out = { STDOUT_FILENO, 0, 0 };
    struct timespec  ts;

    sigemptyset(&none);

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    if (!pause_ended && ppoll(&out, 1, &ts, &none) > 0) {
        return -1;
    }

    return pause_ended ? -1 : 0;
}
