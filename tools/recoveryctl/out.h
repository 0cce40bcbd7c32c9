
/*
 * Output.  What comes from elsewhere - Redis, a node, the command line - may
 * hold anything: it is printed by ctl_text(), which lets nothing get to a
 * terminal that it would obey, and no broken UTF-8.
 */

#ifndef CTL_OUT_H_INCLUDED_
#define CTL_OUT_H_INCLUDED_


#include <stdint.h>
#include <stdio.h>


#define CTL_SPAN_MAX  32


/* "recoveryctl: ..." on stderr; what is not printable is shown as \xNN. */
void ctl_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A further line of it, indented. */
void ctl_hint(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * The line that was typed, once more, as a hint: "before" stands in front of
 * the verb, "after" at the end.  NULL: nothing.
 */
void ctl_again_set(int argc, char **argv);
void ctl_again(const char *before, const char *after);

/*
 * The same with "--url", for when Redis is gone.  What has to be added then
 * is set before; "instead" is what stands for a verb that needs Redis.
 */
void ctl_again_url(void);
void ctl_again_url_set(const char *after, const char *instead);

/*
 * s as it may be shown; control characters, those that turn the direction of
 * writing, and broken UTF-8 as \xNN.
 */
void ctl_text(FILE *to, const char *s);

/* The same of whole JSON, which stays what it is: \uNNNN. */
void ctl_text_json(FILE *to, const char *json);

/* A word for a shell: as it is where that is safe, else in quotes. */
void ctl_shell_word(FILE *to, const char *s);

/* "400 ms", "7 s", "3 min", "2 h", "5 days"; returns buf. */
const char *ctl_span(char buf[CTL_SPAN_MAX], uint64_t ms);

/* Whether to colour what goes to "to": a terminal, and nobody says no. */
int ctl_colors(FILE *to, unsigned no_color);

/* Monotonic. */
uint64_t ctl_now_ms(void);

/*
 * stdout is flushed.  -1: whoever read it is gone, or the disk is full; then
 * there is nothing more to be printed.
 */
int ctl_flush(void);

/* At the end.  A reader that has had enough is none; -1: said what it is. */
int ctl_flush_last(void);


#endif /* CTL_OUT_H_INCLUDED_ */
