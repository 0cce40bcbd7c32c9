
#define _GNU_SOURCE                     /* ppoll() */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"
#include "terminal.h"


#define TERMINAL_ROWS     24
#define TERMINAL_COLUMNS  80


/* Alternate screen, no cursor, empty; and all of it back. */

static const char  terminal_enter[] = "\033[?1049h\033[?25l\033[H\033[2J";
static const char  terminal_leave[] = "\033[0m\033[?25h\033[?1049l";

static struct termios         terminal_saved;
static volatile sig_atomic_t  terminal_known;       /* what is saved */
static volatile sig_atomic_t  terminal_resized;


/* All calls below are those that a signal handler may make. */

static void
terminal_write(const char *text, size_t len)
{
    ssize_t  n;

    while (len != 0) {
        n = write(STDOUT_FILENO, text, len);

        if (n < 0 && errno != EINTR) {
            return;
        }

        if (n > 0) {
            text += n;
            len -= (size_t) n;
        }
    }
}


static void
terminal_take(void)
{
    struct termios  quiet;

    if (terminal_known) {
        quiet = terminal_saved;
        quiet.c_lflag &= ~(tcflag_t) ECHO;
        (void) tcsetattr(STDOUT_FILENO, TCSANOW, &quiet);
    }

    terminal_write(terminal_enter, sizeof(terminal_enter) - 1);
}


/* What was typed meanwhile was not meant for whoever reads next. */

static void
terminal_give(void)
{
    terminal_write(terminal_leave, sizeof(terminal_leave) - 1);

    if (terminal_known) {
        (void) tcsetattr(STDOUT_FILENO, TCSAFLUSH, &terminal_saved);
    }
}


static void
terminal_ended(int signo)
{
    terminal_give();

    if (signo == SIGINT) {
        _exit(0);
    }

    (void) signal(signo, SIG_DFL);
    (void) raise(signo);
}


static void
terminal_stopped(int signo)
{
    int  error;

    (void) signo;
    error = errno;

    terminal_give();
    (void) raise(SIGSTOP);

    /* here we are when somebody has said "fg" */

    terminal_take();
    terminal_resized = 1;
    errno = error;
}


static void
terminal_changed(int signo)
{
    (void) signo;
    terminal_resized = 1;
}


static void
terminal_on(int signo, void (*handler)(int signo))
{
    struct sigaction  action;

    memset(&action, 0, sizeof(action));

    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);

    (void) sigaction(signo, &action, NULL);
}


void
ctl_terminal_begin(void)
{
    size_t  i;

    static const int  ends[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };

    terminal_known = (tcgetattr(STDOUT_FILENO, &terminal_saved) == 0);

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        terminal_on(ends[i], terminal_ended);
    }

    terminal_on(SIGTSTP, terminal_stopped);
    terminal_on(SIGWINCH, terminal_changed);

    terminal_take();
}


void
ctl_terminal_end(void)
{
    terminal_give();
}


void
ctl_terminal_size(unsigned *rows, unsigned *columns)
{
    struct winsize  size;

    *rows = TERMINAL_ROWS;
    *columns = TERMINAL_COLUMNS;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0
        && size.ws_col != 0)
    {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
}


/* A line up to the last column, with all its escapes. */

static void
terminal_line(FILE *to, const char *line, size_t len, unsigned columns)
{
    char         piece[8];
    size_t       n, width;
    const char  *end;

    width = 0;
    end = line + len;

    while (line < end) {

        if (*line == '\033') {
            n = strcspn(line, "m") + 1;
            fwrite(line, 1, n, to);
            line += n;
            continue;
        }

        for (n = 1; line + n < end && (line[n] & 0xc0) == 0x80; n++) {
            /* the rest of a character of UTF-8 */
        }

        n = (n < sizeof(piece)) ? n : sizeof(piece) - 1;
        memcpy(piece, line, n);
        piece[n] = '\0';

        width += ctl_width(piece);

        if (width <= columns) {
            fwrite(piece, 1, n, to);
        }

        line += n;
    }
}


static size_t
terminal_lines(const char *text)
{
    size_t  n;

    for (n = 0; (text = strchr(text, '\n')) != NULL; text++) {
        n++;
    }

    return n;
}


/* Every line ends with an erasure, so nothing flickers that stays. */

static void
terminal_frame(FILE *to, const char *text, unsigned rows, unsigned columns)
{
    char         more[64];
    size_t       len, n, lines;

    lines = terminal_lines(text);
    fputs("\033[H", to);

    for (n = 0; n < lines && n < rows; n++) {

        if (n != 0) {
            fputc('\n', to);
        }

        if (n + 1 == rows && lines > rows) {
            len = (size_t) snprintf(more, sizeof(more), "... %zu more lines",
                                    lines - n);
            terminal_line(to, more, len, columns);

        } else {
            len = strcspn(text, "\n");
            terminal_line(to, text, len, columns);
            text += len + 1;
        }

        fputs("\033[0m\033[K", to);
    }

    fputs("\033[J", to);
}


int
ctl_terminal_draw(const char *text)
{
    char      *frame;
    FILE      *to;
    size_t     size;
    unsigned   rows, columns;

    ctl_terminal_size(&rows, &columns);

    frame = NULL;
    to = open_memstream(&frame, &size);

    if (to == NULL) {
        return -1;
    }

    terminal_frame(to, text, rows, columns);
    (void) fclose(to);

    errno = 0;
    terminal_write(frame, size);
    free(frame);

    return (errno == EPIPE || errno == EIO) ? -1 : 0;
}


int
ctl_terminal_pause(uint64_t ms)
{
    int              resized;
    sigset_t         winch, old;
    struct timespec  ts;

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    /* one that comes between the question and the wait is not missed */

    sigemptyset(&winch);
    sigaddset(&winch, SIGWINCH);
    (void) sigprocmask(SIG_BLOCK, &winch, &old);

    if (!terminal_resized) {
        (void) ppoll(NULL, 0, &ts, &old);
    }

    resized = (terminal_resized != 0);
    terminal_resized = 0;

    (void) sigprocmask(SIG_SETMASK, &old, NULL);

    return resized;
}
