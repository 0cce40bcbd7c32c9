
/*
 * A terminal that is drawn upon again and again, and left as it was found:
 * its own screen, no cursor, no echo.
 */

#ifndef CTL_TERMINAL_H_INCLUDED_
#define CTL_TERMINAL_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/*
 * stdout is the terminal.  SIGINT, SIGQUIT, SIGTERM and SIGHUP end the
 * process at once, wherever it is, with the terminal restored: SIGINT as what
 * it was waited for, with exit code 0.  SIGTSTP and SIGCONT give it back and
 * take it again.
 */
void ctl_terminal_begin(void);
void ctl_terminal_end(void);

/* Rows and columns it has now. */
void ctl_terminal_size(unsigned *rows, unsigned *columns);

/*
 * Draws the text over what is there, in one piece: lines are cut at the right,
 * what does not fit below is told in the last row.  -1: the terminal is gone.
 */
int ctl_terminal_draw(const char *text);

/* Waits, but not longer than until the size has changed: then it is 1. */
int ctl_terminal_pause(uint64_t ms);


#endif /* CTL_TERMINAL_H_INCLUDED_ */
