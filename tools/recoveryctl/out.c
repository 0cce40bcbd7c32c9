
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "json.h"


#define OUT_LINE_MAX   4096
#define OUT_WORDS_MAX  256


/* Of the first write to stdout that has failed. */
static int  out_error;


/* What was typed. */

static struct {
    int          n;
    const char  *words[OUT_WORDS_MAX];

    /* with --url */
    const char  *after;
    const char  *instead;
} out_typed;


static uint32_t
out_code(const char *s, size_t n)
{
    size_t    i;
    uint32_t  code;

    code = (unsigned char) s[0] & (n == 1 ? 0x7f : 0xff >> (n + 1));

    for (i = 1; i < n; i++) {
        code = code << 6 | ((unsigned char) s[i] & 0x3f);
    }

    return code;
}


/*
 * What a terminal obeys, both sets of control characters, and what makes it
 * show letters in another order than they have.
 */

static int
out_obeyed(uint32_t code)
{
    size_t  i;

    static const struct {
        uint32_t  first;
        uint32_t  last;
    } codes[] = {
        { 0, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f },
        { 0x2028, 0x202e }, { 0x2066, 0x2069 },
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (code >= codes[i].first && code <= codes[i].last) {
            return 1;
        }
    }

    return 0;
}


void
ctl_text(FILE *to, const char *s)
{
    size_t       n;
    const char  *last;

    last = s + strlen(s);

    while (s < last) {
        n = rcv_utf8_length(s, last);

        if (n == 0 || out_obeyed(out_code(s, n))) {

            /* all bytes of it: the others alone are no character, either */

            fprintf(to, "\\x%02x", (unsigned char) *s);
            s++;
            continue;
        }

        fwrite(s, 1, n, to);
        s += n;
    }
}


/* In JSON all of them stand inside of strings, where \u says the same. */

void
ctl_text_json(FILE *to, const char *json)
{
    size_t       n;
    uint32_t     code;
    const char  *last;

    last = json + strlen(json);

    while (json < last) {
        n = rcv_utf8_length(json, last);
        n = n ? n : 1;
        code = out_code(json, n);

        if (code != '\n' && out_obeyed(code)) {
            fprintf(to, "\\u%04x", code);

        } else {
            fwrite(json, 1, n, to);
        }

        json += n;
    }
}


static void
out_line(const char *lead, const char *format, va_list args)
{
    char  line[OUT_LINE_MAX];

    (void) vsnprintf(line, sizeof(line), format, args);

    fputs(lead, stderr);
    ctl_text(stderr, line);
    fputc('\n', stderr);
}


void
ctl_error(const char *format, ...)
{
    va_list  args;

    fflush(stdout);

    va_start(args, format);
    out_line("recoveryctl: ", format, args);
    va_end(args);
}


void
ctl_hint(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    out_line("  ", format, args);
    va_end(args);
}


void
ctl_shell_word(FILE *to, const char *s)
{
    static const char  safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz"
                                "0123456789-_./:%@=+,";

    if (*s != '\0' && s[strspn(s, safe)] == '\0') {
        fputs(s, to);
        return;
    }

    fputc('\'', to);

    for ( /* void */ ; *s != '\0'; s++) {
        if (*s == '\'') {
            fputs("'\\''", to);

        } else {
            fputc((unsigned char) *s < 0x20 || *s == 0x7f ? '?' : *s, to);
        }
    }

    fputc('\'', to);
}


void
ctl_again_set(int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc && i <= OUT_WORDS_MAX; i++) {
        out_typed.words[out_typed.n++] = argv[i];
    }
}


void
ctl_again(const char *before, const char *after)
{
    int  i;

    fputs("  recoveryctl", stderr);

    if (before != NULL) {
        fprintf(stderr, " %s", before);
    }

    for (i = 0; i < out_typed.n; i++) {
        fputc(' ', stderr);
        ctl_shell_word(stderr, out_typed.words[i]);
    }

    if (after != NULL) {
        fprintf(stderr, " %s", after);
    }

    fputc('\n', stderr);
}


void
ctl_again_url_set(const char *after, const char *instead)
{
    out_typed.after = after;
    out_typed.instead = instead;
}


void
ctl_again_url(void)
{
    static const char  url[] = "--url http://NODE/recovery/control";

    if (out_typed.instead != NULL) {
        ctl_hint("recoveryctl %s %s", url, out_typed.instead);

    } else {
        ctl_again(url, out_typed.after);
    }
}


const char *
ctl_span(char buf[CTL_SPAN_MAX], uint64_t ms)
{
    unsigned long long  n;

    n = ms;

    if (n < 1000) {
        (void) snprintf(buf, CTL_SPAN_MAX, "%llu ms", n);

    } else if (n < 120 * 1000) {
        (void) snprintf(buf, CTL_SPAN_MAX, "%llu s", n / 1000);

    } else if (n < 2 * 3600 * 1000) {
        (void) snprintf(buf, CTL_SPAN_MAX, "%llu min", n / 60000);

    } else if (n < 2 * 86400 * 1000) {
        (void) snprintf(buf, CTL_SPAN_MAX, "%llu h", n / 3600000);

    } else {
        (void) snprintf(buf, CTL_SPAN_MAX, "%llu days", n / 86400000);
    }

    return buf;
}


int
ctl_colors(FILE *to, unsigned no_color)
{
    const char  *no, *term;

    no = getenv("NO_COLOR");
    term = getenv("TERM");

    return !no_color && (no == NULL || *no == '\0')
           && term != NULL && strcmp(term, "dumb") != 0
           && isatty(fileno(to));
}


uint64_t
ctl_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


int
ctl_flush(void)
{
    errno = 0;

    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return 0;
    }

    if (out_error == 0) {
        out_error = errno ? errno : EIO;
    }

    return -1;
}


int
ctl_flush_last(void)
{
    if (ctl_flush() == 0 || out_error == EPIPE) {
        return 0;
    }

    ctl_error("the output could not be written: %s", strerror(out_error));

    return -1;
}
