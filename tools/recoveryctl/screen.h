
/*
 * Text for people: styles, bars, numbers, tables.  Where to and what the
 * place can do is in the screen; no function here asks for anything else, so
 * that the same text comes out in a test as on a terminal.
 *
 * Texts of others (names, reasons) go through ctl_text().
 */

#ifndef CTL_SCREEN_H_INCLUDED_
#define CTL_SCREEN_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>


typedef enum {
    CTL_PLAIN = 0,
    CTL_BOLD,
    CTL_DIM,
    CTL_RED,
    CTL_YELLOW,
    CTL_GREEN,
    CTL_MAGENTA
} ctl_style_t;


typedef struct {
    FILE          *to;
    unsigned       colors;
    unsigned       blocks;              /* bars of UTF-8 instead of "#" */
    unsigned       columns;             /* of a terminal; 0: it is none */
} ctl_screen_t;


#define CTL_NUMBER_MAX  32


/* "0", "2.5", "640", "12.3k", "1.2M"; "-" for NAN; they return buf. */
const char *ctl_number(char buf[CTL_NUMBER_MAX], double n);
/* "35%"; "0.4%" below ten. */
const char *ctl_percent(char buf[CTL_NUMBER_MAX], double ratio);
/* "12 ms", "1.3 s" */
const char *ctl_latency(char buf[CTL_NUMBER_MAX], double ms);
/* As ctl_span(), of seconds. */
const char *ctl_seconds(char buf[CTL_NUMBER_MAX], double s);
/* What runs down: "0:42", "8:12", "2:05:00". */
const char *ctl_countdown(char buf[CTL_NUMBER_MAX], double s);


/* Columns that a text takes on a terminal, escapes apart. */
size_t ctl_width(const char *s);

/* Formatted, with nothing in it that a terminal would act on; for free(). */
char *ctl_clean(const char *format, va_list args);


void ctl_style(const ctl_screen_t *screen, ctl_style_t style);

/* A piece of a line: a newline would be shown as what it is. */
void ctl_print(const ctl_screen_t *screen, ctl_style_t style,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

#define CTL_BAR_COLUMNS  40
#define CTL_BAR_MAX      (CTL_BAR_COLUMNS * 3 + 1)

/*
 * A bar of so many columns, up to 40: "part" of it full, then up to "more" in
 * a lighter tone, the rest empty.  Both are parts of the whole, 0 to 1; NAN is
 * 0.  What is not nothing shows, and what is not all is not full.
 */
const char *ctl_bar(const ctl_screen_t *screen, char buf[CTL_BAR_MAX],
    unsigned columns, double part, double more);


typedef struct {
    const char    *title;
    unsigned       right;               /* numbers stand at the right */
} ctl_column_t;


/* A table is printed when all is known of its columns. */

typedef struct ctl_table_s  ctl_table_t;

ctl_table_t *ctl_table_new(const ctl_column_t *columns, size_t ncolumns);

/* The next cell, from left to right and from line to line. */
void ctl_cell(ctl_table_t *table, ctl_style_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line of its own below the last one. */
void ctl_note(ctl_table_t *table, ctl_style_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints and frees it; NULL is an empty one. */
void ctl_table_print(const ctl_screen_t *screen, ctl_table_t *table);


#endif /* CTL_SCREEN_H_INCLUDED_ */
