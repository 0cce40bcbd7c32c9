
#include <string.h>

#include "logline.h"
#include "logtime.h"


typedef struct {
    const char  *p;
    const char  *end;
} log_input_t;


static const char  log_long[] = "a time of more than a day";


static int
log_is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}


static int
log_is_name(char ch)
{
    return log_is_digit(ch) || ch == '_' || (ch >= 'a' && ch <= 'z')
           || (ch >= 'A' && ch <= 'Z');
}


static int
log_is(rcv_str_t s, const char *word)
{
    return rcv_str_eq(s, word);
}


static rcv_str_t
log_str(const char *from, const char *to)
{
    rcv_str_t  s = { from, (size_t) (to - from) };

    return s;
}


static int
log_skip(log_input_t *in, char ch)
{
    if (in->p == in->end || *in->p != ch) {
        return 0;
    }

    in->p++;

    return 1;
}


static rcv_str_t
log_word(log_input_t *in)
{
    const char  *from;

    from = in->p;

    while (in->p < in->end && *in->p != ' ') {
        in->p++;
    }

    return log_str(from, in->p);
}


/* What stands up to the quote that ends it; 0, or -1: there is none. */

static int
log_quoted(log_input_t *in, rcv_str_t *s)
{
    const char  *from;

    if (!log_skip(in, '"')) {
        return -1;
    }

    for (from = in->p; in->p < in->end; in->p++) {

        if (*in->p == '"') {
            *s = log_str(from, in->p++);
            return 0;
        }

        if (*in->p == '\\' && in->end - in->p > 1) {
            in->p++;
        }
    }

    return -1;
}


/*
 * Up to the request.  The user's name may have anything in it but a quote, so
 * the time is what stands right before the first one.
 */

static const char *
log_head(sim_logline_t *line, log_input_t *in)
{
    rcv_str_t    head, time;
    const char  *open, *quote, *user;

    quote = memchr(in->p, '"', (size_t) (in->end - in->p));

    if (quote == NULL) {
        return "no request in quotes";
    }

    head = log_str(in->p, quote);

    if (head.len < 2 || memcmp(quote - 2, "] ", 2) != 0) {
        return "no time in brackets before the request";
    }

    for (open = quote - 2; open > in->p && *open != '['; open--) { /* void */ }

    time = log_str(open + 1, quote - 2);

    if (*open != '['
        || sim_time_read(time, &line->logged_ms, &line->zone_s) != 0)
    {
        return "no time in brackets before the request";
    }

    line->addr = log_word(in);

    if (line->addr.len == 0 || open - in->p < 5
        || memcmp(in->p, " - ", 3) != 0 || open[-1] != ' ')
    {
        return "no address, \"-\" and user before the time";
    }

    user = in->p + 3;
    line->user = log_str(user, open - 1);
    in->p = quote;

    return NULL;
}


static const char *
log_body(sim_logline_t *line, log_input_t *in)
{
    unsigned   i;
    rcv_str_t  status, bytes;

    if (log_quoted(in, &line->request) != 0 || !log_skip(in, ' ')) {
        return "no end of the request";
    }

    status = log_word(in);
    line->status = 0;

    for (i = 0; i < status.len && i < 3 && log_is_digit(status.data[i]); i++) {
        line->status = line->status * 10 + (unsigned) (status.data[i] - '0');
    }

    if (status.len != 3 || i != 3 || !log_skip(in, ' ')) {
        return "no status of three digits behind the request";
    }

    bytes = log_word(in);

    if (bytes.len == 0 || (!log_is_digit(bytes.data[0]) && !log_is(bytes, "-"))
        || !log_skip(in, ' '))
    {
        return "no number of bytes behind the status";
    }

    if (log_quoted(in, &line->referer) != 0 || !log_skip(in, ' ')
        || log_quoted(in, &line->agent) != 0)
    {
        return "no referer and user agent in quotes";
    }

    return NULL;
}


/* "0.123"; 0, 1: it is none, -1: it is too large. */

static int
log_time(rcv_str_t s, uint64_t most_ms, uint64_t *ms)
{
    size_t    i;
    uint64_t  n;
    unsigned  scale;

    n = 0;

    for (i = 0; i < s.len && log_is_digit(s.data[i]); i++) {
        n = n * 10 + (uint64_t) (s.data[i] - '0');

        if (n > most_ms / 1000) {
            return -1;
        }
    }

    if (i == 0 || i + 1 >= s.len || s.data[i] != '.') {
        return 1;
    }

    n *= 1000;

    for (i++, scale = 100; i < s.len; i++, scale /= 10) {

        if (!log_is_digit(s.data[i])) {
            return 1;
        }

        n += (uint64_t) (s.data[i] - '0') * scale;
    }

    *ms = n;

    return 0;
}


/*
 * Times of attempts, "0.120, 0.003 : 0.001": the last one counts.  0, 1, -1
 * as above; *ms is SIM_LOG_UNKNOWN when none of them is a number.
 */

static int
log_times(rcv_str_t s, uint32_t *ms)
{
    int          rc;
    uint64_t     n;
    rcv_str_t    word;
    log_input_t  in = { s.data, s.data + s.len };

    *ms = SIM_LOG_UNKNOWN;

    do {
        word = log_word(&in);

        if (word.len != 0 && word.data[word.len - 1] == ',') {
            word.len--;
        }

        if (word.len == 0 || log_is(word, "-") || log_is(word, ":")) {
            continue;
        }

        rc = log_time(word, SIM_LOG_TIME_MAX, &n);

        if (rc != 0) {
            return rc;
        }

        *ms = (uint32_t) n;

    } while (log_skip(&in, ' '));

    return 0;
}


/* A bare value; a list of times has blanks in it. */

static rcv_str_t
log_bare(log_input_t *in)
{
    rcv_str_t  s, word;

    s = log_word(in);

    while (s.len != 0 && in->end - in->p > 1
           && (s.data[s.len - 1] == ',' || s.data[s.len - 1] == ':'
               || in->p[1] == ':'))
    {
        in->p++;
        word = log_word(in);
        s = log_str(s.data, word.data + word.len);
    }

    return s;
}


static const char *
log_upstream(sim_logline_t *line, rcv_str_t value)
{
    switch (log_times(value, &line->upstream_ms)) {

    case 0:
        line->aside = (line->upstream_ms == SIM_LOG_UNKNOWN);
        return NULL;

    case 1:
        return "the upstream's response time is no time";

    default:
        return log_long;
    }
}


static const char *
log_named(sim_logline_t *line, rcv_str_t name, rcv_str_t value)
{
    uint64_t  ms;

    if (line->nfields < SIM_LOG_FIELDS_MAX) {
        line->fields[line->nfields].name = name;
        line->fields[line->nfields++].value = value;
    }

    if (log_is(name, "upstream_response_time") || log_is(name, "urt")) {
        return log_upstream(line, value);
    }

    if (log_is(name, "request_time") || log_is(name, "rt")) {

        switch (log_time(value, SIM_LOG_TIME_MAX, &ms)) {

        case 0:
            line->request_ms = (uint32_t) ms;
            return NULL;

        case 1:
            return "the request's time is no time";

        default:
            return log_long;
        }
    }

    if (log_is(name, "msec")) {

        if (log_time(value, UINT64_MAX / 1000, &ms) != 0) {
            return "msec is no time";
        }

        line->logged_ms = ms;
        line->exact = 1;
    }

    return NULL;
}


/* A bare one without a name. */

static const char *
log_unnamed(sim_logline_t *line, rcv_str_t value)
{
    uint32_t  list_ms;
    uint64_t  ms;

    if (line->request_ms == SIM_LOG_UNKNOWN) {

        if (log_time(value, SIM_LOG_TIME_MAX, &ms) == 0) {
            line->request_ms = (uint32_t) ms;
        }

        return NULL;
    }

    if (line->upstream_ms == SIM_LOG_UNKNOWN && !line->aside
        && log_times(value, &list_ms) == 0)
    {
        return log_upstream(line, value);
    }

    return NULL;
}


static const char *
log_more(sim_logline_t *line, log_input_t *in)
{
    rcv_str_t    name, value;
    const char  *from, *bad;

    for (bad = NULL; bad == NULL && in->p < in->end; /* void */) {

        if (log_skip(in, ' ')) {
            continue;
        }

        for (from = in->p; in->p < in->end && log_is_name(*in->p); in->p++) {
            /* void */
        }

        name = log_str(from, in->p);

        if (name.len == 0 || !log_skip(in, '=')) {
            name.len = 0;
            in->p = from;
        }

        if (in->p < in->end && *in->p == '"') {

            if (log_quoted(in, &value) != 0) {
                return "a quote that does not end";
            }

            bad = (name.len != 0) ? log_named(line, name, value) : NULL;

        } else {
            value = log_bare(in);
            bad = (name.len != 0) ? log_named(line, name, value)
                                  : log_unnamed(line, value);
        }
    }

    return bad;
}


const char *
sim_logline_read(sim_logline_t *line, const char *text, size_t len)
{
    const char   *bad;
    log_input_t   in = { text, text + len };

    if (memchr(text, '\0', len) != NULL) {
        return "a byte of 0";
    }

    line->exact = 0;
    line->request_ms = SIM_LOG_UNKNOWN;
    line->upstream_ms = SIM_LOG_UNKNOWN;
    line->aside = 0;
    line->nfields = 0;

    bad = log_head(line, &in);

    if (bad == NULL) {
        bad = log_body(line, &in);
    }

    return (bad != NULL) ? bad : log_more(line, &in);
}
