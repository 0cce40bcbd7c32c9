
#define _GNU_SOURCE                     /* vasprintf(), wcwidth() */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "out.h"
#include "screen.h"


const char *
ctl_number(char buf[CTL_NUMBER_MAX], double n)
{
    if (isnan(n)) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "-");

    } else if (n < 9999.5 && (n >= 9.95 || n == floor(n))) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%.0f", n);

    } else if (n < 9.95) {
        (void) snprintf(buf, CTL_NUMBER_MAX, n < 0.05 ? "%.3f" : "%.1f", n);

    } else if (n < 999950) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%.1fk", n / 1e3);

    } else {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%.1fM", n / 1e6);
    }

    return buf;
}


const char *
ctl_percent(char buf[CTL_NUMBER_MAX], double ratio)
{
    double  percent;

    percent = ratio * 100;

    if (isnan(ratio)) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "-");

    } else {
        (void) snprintf(buf, CTL_NUMBER_MAX,
                        percent == 0 || percent >= 9.95 ? "%.0f%%" : "%.1f%%",
                        percent);
    }

    return buf;
}


const char *
ctl_latency(char buf[CTL_NUMBER_MAX], double ms)
{
    if (isnan(ms)) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "-");

    } else if (ms < 1000) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%.0f ms", ms);

    } else {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%.1f s", ms / 1000);
    }

    return buf;
}


static uint64_t
screen_ms(double s)
{
    return (s <= 0) ? 0 : (s >= 1e12) ? (uint64_t) 1e15 : (uint64_t) (s * 1e3);
}


const char *
ctl_seconds(char buf[CTL_NUMBER_MAX], double s)
{
    _Static_assert(CTL_NUMBER_MAX >= CTL_SPAN_MAX, "room for a span");

    return isnan(s) ? strcpy(buf, "-") : ctl_span(buf, screen_ms(s));
}


const char *
ctl_countdown(char buf[CTL_NUMBER_MAX], double s)
{
    unsigned long long  n;

    if (isnan(s)) {
        return strcpy(buf, "-");
    }

    n = screen_ms(s) / 1000;

    if (n < 3600) {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%llu:%02llu", n / 60, n % 60);

    } else {
        (void) snprintf(buf, CTL_NUMBER_MAX, "%llu:%02llu:%02llu", n / 3600,
                        n / 60 % 60, n % 60);
    }

    return buf;
}


/* Where the locale is not UTF-8 nothing is known: a column for each byte. */

size_t
ctl_width(const char *s)
{
    int        columns;
    size_t     n, width;
    wchar_t    ch;
    mbstate_t  state;

    memset(&state, 0, sizeof(state));
    width = 0;

    while (*s != '\0') {

        if (*s == '\033') {
            s += strcspn(s, "m");
            s += (*s != '\0');
            continue;
        }

        n = mbrtowc(&ch, s, strlen(s), &state);

        if (n == 0 || n == (size_t) -1 || n == (size_t) -2) {
            memset(&state, 0, sizeof(state));
            width++;
            s++;
            continue;
        }

        columns = wcwidth(ch);
        width += (columns > 0) ? (size_t) columns : 0;
        s += n;
    }

    return width;
}


char *
ctl_clean(const char *format, va_list args)
{
    char    *raw, *text;
    FILE    *to;
    size_t   size;

    if (vasprintf(&raw, format, args) < 0) {
        return NULL;
    }

    text = NULL;
    to = open_memstream(&text, &size);

    if (to != NULL) {
        ctl_text(to, raw);
        (void) fclose(to);
    }

    free(raw);

    return text;
}


void
ctl_style(const ctl_screen_t *screen, ctl_style_t style)
{
    static const char *const  codes[] = {
        [CTL_PLAIN] = "\033[0m",
        [CTL_BOLD] = "\033[1m",
        [CTL_DIM] = "\033[2m",
        [CTL_RED] = "\033[1;31m",
        [CTL_YELLOW] = "\033[33m",
        [CTL_GREEN] = "\033[32m",
        [CTL_MAGENTA] = "\033[1;35m"
    };

    if (screen->colors) {
        fputs(codes[style], screen->to);
    }
}


void
ctl_print(const ctl_screen_t *screen, ctl_style_t style, const char *format,
    ...)
{
    char     *text;
    va_list   args;

    va_start(args, format);
    text = ctl_clean(format, args);
    va_end(args);

    if (text != NULL && style == CTL_PLAIN) {
        fputs(text, screen->to);

    } else if (text != NULL) {
        ctl_style(screen, style);
        fputs(text, screen->to);
        ctl_style(screen, CTL_PLAIN);
    }

    free(text);
}


static unsigned
bar_columns(double part, unsigned columns)
{
    unsigned  n;

    if (!(part > 0)) {
        return 0;
    }

    if (part >= 1) {
        return columns;
    }

    n = (unsigned) (part * columns + 0.5);

    return (n == 0) ? 1 : (n >= columns && columns > 1) ? columns - 1 : n;
}


const char *
ctl_bar(const ctl_screen_t *screen, char buf[CTL_BAR_MAX], unsigned columns,
    double part, double more)
{
    char        *to;
    unsigned     i, full, light, tone;

    /* U+2588, U+2592, U+00B7 */
    static const char *const  blocks[] = {
        "\342\226\210", "\342\226\222", "\302\267"
    };
    static const char *const  signs[] = { "#", "-", "." };

    full = bar_columns(part, columns);
    light = bar_columns(more, columns);

    for (i = 0, to = buf; i < columns && i < CTL_BAR_COLUMNS; i++) {
        tone = (i < full) ? 0 : (i < light) ? 1 : 2;
        to = stpcpy(to, screen->blocks ? blocks[tone] : signs[tone]);
    }

    *to = '\0';

    return buf;
}
