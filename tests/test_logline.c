
/*
 * Lines of access logs and the times in them: what recovery-sim --replay
 * reads of what anybody may have sent.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../tools/recovery-sim/logtime.c"
#include "../tools/recovery-sim/logline.c"
#include "../tools/recovery-sim/logtext.c"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define HEAD  "10.0.0.1 - - [23/Nov/2026:10:05:00 +0100] "
#define BODY  "\"GET /a HTTP/1.1\" 200 5 \"-\" \"curl\""
#define LINE  HEAD BODY

#define UNIX_MS  1795424700000ull       /* of HEAD */
#define NONE     SIM_LOG_UNKNOWN


static rcv_str_t
str(const char *text)
{
    rcv_str_t  s = { text, strlen(text) };

    return s;
}


static void
same(rcv_str_t s, const char *want)
{
    char  text[256];

    snprintf(text, sizeof(text), "%.*s", (int) s.len, s.data);
    assert_string_equal(text, want);
}


/* In a block of just its size, so that ASan sees a byte too far. */

static const char *
line_read(sim_logline_t *line, const char *text)
{
    static char  *copy;

    free(copy);
    copy = malloc(strlen(text) + 1);
    memcpy(copy, text, strlen(text));

    return sim_logline_read(line, copy, strlen(text));
}


static void
test_combined(void **state)
{
    sim_logline_t  line;

    (void) state;

    assert_null(line_read(&line, LINE));
    same(line.addr, "10.0.0.1");
    same(line.user, "-");
    same(line.request, "GET /a HTTP/1.1");
    same(line.referer, "-");
    same(line.agent, "curl");
    assert_int_equal(line.status, 200);
    assert_true(line.logged_ms == UNIX_MS);
    assert_int_equal(line.zone_s, 3600);
    assert_int_equal(line.exact, 0);
    assert_true(line.request_ms == NONE);
    assert_true(line.upstream_ms == NONE);
    assert_int_equal(line.aside, 0);
    assert_int_equal(line.nfields, 0);

    /* a user may call himself anything, but for a quote */

    assert_null(line_read(&line, "::1 - jo [01/Jan/1970:00:00:00 +0000] x ["
                          "23/Nov/2026:10:05:00 +0100] \"GET /a?b=\\x22 "
                          "HTTP/1.1\" 499 - \"http://r/\" \"a \\\"b\\\" c\""));
    same(line.user, "jo [01/Jan/1970:00:00:00 +0000] x");
    same(line.request, "GET /a?b=\\x22 HTTP/1.1");
    same(line.agent, "a \\\"b\\\" c");
    assert_int_equal(line.status, 499);
    assert_true(line.logged_ms == UNIX_MS);
}


static void
test_times(void **state)
{
    size_t         i;
    sim_logline_t  line;

    static const struct {
        const char  *more;
        uint32_t     request_ms;
        uint32_t     upstream_ms;
        unsigned     aside;
    } rows[] = {
        { "", NONE, NONE, 0 },
        { " 0.123", 123, NONE, 0 },
        { " 0.123 0.120", 123, 120, 0 },
        { " 0.123 -", 123, NONE, 1 },
        { "  0.123   0.120  ", 123, 120, 0 },
        { " 1.000 0.500, 0.003", 1000, 3, 0 },
        { " 1.000 0.500 : 0.003", 1000, 3, 0 },
        { " 1.000 0.500, 0.002 : 0.003, 0.004 k=v", 1000, 4, 0 },
        { " 1.000 -, 0.003", 1000, 3, 0 },
        { " 1.000 0.003, -", 1000, 3, 0 },
        { " 1.000 0.003, ", 1000, 3, 0 },
        { " rt=0.123 urt=0.120", 123, 120, 0 },
        { " urt=0.500, 0.120 rt=0.123", 123, 120, 0 },
        { " rt=0.123 urt=\"0.500, 0.120\"", 123, 120, 0 },
        { " request_time=0.1 upstream_response_time=\"-\"", 100, NONE, 1 },
        { " request_time=0.1 upstream_response_time=", 100, NONE, 1 },
        /* as in the format "main" of nginx.org's packages */
        { " \"-\" 0.123 0.120", 123, 120, 0 },
        { " \"203.0.113.7\" \"x=1\" 0.123 - 5", 123, NONE, 1 },
        /* lengths are no times */
        { " 512 0.123 17 0.120", 123, 120, 0 },
        { " 86400.000", 86400000, NONE, 0 },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        char  text[512];

        snprintf(text, sizeof(text), "%s%s", LINE, rows[i].more);

        assert_null(line_read(&line, text));
        assert_true(line.request_ms == rows[i].request_ms);
        assert_true(line.upstream_ms == rows[i].upstream_ms);
        assert_int_equal(line.aside, rows[i].aside);
    }
}


static void
test_fields(void **state)
{
    sim_logline_t  line;

    (void) state;

    assert_null(line_read(&line, LINE " 0.1 0.1 http_x_priority=high "
                          "cookie_s=\"a b\\x22c\" msec=1795424699.250 e= "
                          "host=\"\""));
    assert_int_equal(line.nfields, 5);
    same(line.fields[0].name, "http_x_priority");
    same(line.fields[0].value, "high");
    same(line.fields[1].name, "cookie_s");
    same(line.fields[1].value, "a b\\x22c");
    same(line.fields[3].name, "e");
    same(line.fields[3].value, "");
    same(line.fields[4].value, "");
    assert_true(line.logged_ms == 1795424699250ull);
    assert_int_equal(line.exact, 1);
}


static void
test_bad(void **state)
{
    size_t         i;
    const char    *bad;
    sim_logline_t  line;

    static const struct {
        const char  *text;
        const char  *what;
    } rows[] = {
        { "", "no request in quotes" },
        { "x", "no request in quotes" },
        { "\"", "no time in brackets" },
        { "] \"", "no time in brackets" },
        { "[] \"", "no time in brackets" },
        { "a - - 23/Nov/2026:10:05:00 +0100] \"", "no time in brackets" },
        { "a - - [23/Nov/2026:10:05:00] \"GET", "no time in brackets" },
        { "[23/Nov/2026:10:05:00 +0100] " BODY, "no address" },
        { "a [23/Nov/2026:10:05:00 +0100] " BODY, "no address" },
        { "a - [23/Nov/2026:10:05:00 +0100] " BODY, "no address" },
        { HEAD "\"GET /a HTTP/1.1 200 5", "no end of the request" },
        { HEAD "\"GET /a HTTP/1.1\\\"", "no end of the request" },
        { HEAD "\"GET /a HTTP/1.1\"", "no end of the request" },
        { HEAD "\"GET /a\" 20 5 \"-\" \"-\"", "no status" },
        { HEAD "\"GET /a\" 2000 5 \"-\" \"-\"", "no status" },
        { HEAD "\"GET /a\" 200", "no status" },
        { HEAD "\"GET /a\" 200 x \"-\" \"-\"", "no number of bytes" },
        { HEAD "\"GET /a\" 200 5", "no number of bytes" },
        { HEAD "\"GET /a\" 200 5 \"-\"", "no referer" },
        { HEAD "\"GET /a\" 200 5 \"-\" \"-", "no referer" },
        { LINE " x=\"", "a quote that does not end" },
        { LINE " \"", "a quote that does not end" },
        { LINE " rt=x", "the request's time is no time" },
        { LINE " rt=1", "the request's time is no time" },
        { LINE " rt=86401.000", "a time of more than a day" },
        { LINE " rt=99999999999999999999999.000",
          "a time of more than a day" },
        { LINE " urt=0.1,x", "the upstream's response time is no time" },
        { LINE " urt=86401.000", "a time of more than a day" },
        { LINE " msec=now", "msec is no time" },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        bad = line_read(&line, rows[i].text);

        if (bad == NULL
            || strncmp(bad, rows[i].what, strlen(rows[i].what)) != 0)
        {
            fail_msg("%s: %s", rows[i].text, bad ? bad : "good");
        }
    }

    assert_non_null(sim_logline_read(&line, LINE "\0x", sizeof(LINE) + 1));
}


/* More fields than there is room for: the first ones. */

static void
test_many(void **state)
{
    unsigned       i;
    char           text[4096];
    size_t         n;
    sim_logline_t  line;

    (void) state;

    n = (size_t) sprintf(text, "%s", LINE);

    for (i = 0; i < 2 * SIM_LOG_FIELDS_MAX; i++) {
        n += (size_t) sprintf(text + n, " f%u=%u", i, i);
    }

    assert_null(line_read(&line, text));
    assert_int_equal(line.nfields, SIM_LOG_FIELDS_MAX);
}


static void
test_requests(void **state)
{
    size_t     i;
    rcv_str_t  method, path, args;

    static const struct {
        const char  *request;
        const char  *method;            /* NULL: it is none */
        const char  *path;
        const char  *args;
    } rows[] = {
        { "GET / HTTP/1.1", "GET", "/", "" },
        { "GET /a?b=c&d HTTP/2.0", "GET", "/a", "b=c&d" },
        { "GET /a b HTTP/1.1", "GET", "/a b", "" },
        { "GET /old", "GET", "/old", "" },
        { "GET /?", "GET", "/", "" },
        { "OPTIONS * HTTP/1.1", "OPTIONS", "*", "" },
        { "M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "" },
        { "GET http://h:8/a?b HTTP/1.1", "GET", "/a", "b" },
        { "GET http://h HTTP/1.1", "GET", "/", "" },
        { "", NULL, NULL, NULL },
        { "-", NULL, NULL, NULL },
        { "GET", NULL, NULL, NULL },
        { "GET ", NULL, NULL, NULL },
        { "GET HTTP/1.1", NULL, NULL, NULL },
        { "get / HTTP/1.1", NULL, NULL, NULL },
        { "\x16\x03\x01", NULL, NULL, NULL },
        { "GET a HTTP/1.1", NULL, NULL, NULL },
        { "CONNECT h:443 HTTP/1.1", NULL, NULL, NULL },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {

        if (sim_log_request(str(rows[i].request), &method, &path, &args)
            != 0)
        {
            assert_null(rows[i].method);
            continue;
        }

        assert_non_null(rows[i].method);
        same(method, rows[i].method);
        same(path, rows[i].path);
        same(args, rows[i].args);
    }
}


/* As nginx 1.22 makes $uri of it; t/replay.t asks a real one. */

static void
test_uris(void **state)
{
    char       to[256];
    size_t     i;
    rcv_str_t  uri;

    static const struct {
        const char  *path;
        const char  *uri;
    } rows[] = {
        { "/", "/" },
        { "/a/b", "/a/b" },
        { "//a///b//", "/a/b/" },
        { "/a/./b/.", "/a/b/" },
        { "/a/../b", "/b" },
        { "/a/b/..", "/a/" },
        { "/a/b/../../c", "/c" },
        { "/..", "/" },
        { "/.a/..b/...", "/.a/..b/..." },
        { "/%61%2f%2Fb", "/a/b" },
        { "/a%2e%2e/x/%2e%2e/b", "/a../b" },
        { "/a%", "/a%" },
        { "/a%2", "/a%2" },
        { "/a%zz", "/a%zz" },
        { "/a#b", "/a" },
        { "/a%23b", "/a#b" },
        { "*", "*" },
        { "", "" },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        uri.data = to;
        uri.len = sim_log_uri(str(rows[i].path), to);
        same(uri, rows[i].uri);
    }
}


static void
test_escapes(void **state)
{
    char       to[64];
    size_t     i;
    rcv_str_t  s;

    static const struct {
        const char  *escaped;
        const char  *plain;
    } rows[] = {
        { "plain", "plain" },
        { "\\x22a\\x5C\\xe9", "\"a\\\xe9" },
        { "\\\"\\\\\\/", "\"\\/" },
        { "\\n\\t\\u0041", "\n\tA" },
        { "\\u20ac", "u20ac" },
        { "\\x2", "x2" },
        { "\\xzz", "xzz" },
        { "\\", "\\" },
        { "a\\", "a\\" },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        s.data = to;
        s.len = sim_log_unescape(str(rows[i].escaped), to);
        same(s, rows[i].plain);
    }
}


static void
test_time_words(void **state)
{
    char      text[SIM_TIME_TEXT];
    size_t    i;
    int32_t   zone_s;
    uint64_t  ms;

    static const struct {
        const char  *text;
        uint64_t     ms;                /* NONE: it is none */
        int32_t      zone_s;
    } rows[] = {
        { "23/Nov/2026:10:05:00 +0100", UNIX_MS, 3600 },
        { "23/Nov/2026:04:05:00 -0500", UNIX_MS, -18000 },
        { "23/Nov/2026:14:35:00 +0530", UNIX_MS, 19800 },
        { "2026-11-23T10:05:00+01:00", UNIX_MS, 3600 },
        { "2026-11-23T09:05:00Z", UNIX_MS, 0 },
        { "2026-11-23T09:05:00.25Z", UNIX_MS + 250, 0 },
        { "2026-11-23 09:05:00.1234567 +0000", UNIX_MS + 123, 0 },
        { "01/Jan/1970:00:00:00 +0000", 0, 0 },
        { "01/Jan/1970:00:00:00 +0100", 0, 3600 },
        { "29/Feb/2024:23:59:60 +0000", 1709251200000, 0 },
        { "31/Dec/9999:23:59:59 +0000", 253402300799000, 0 },
        { "23/Nov/2026:10:05:00", NONE, 0 },
        { "23/Nov/2026:10:05:00 0100", NONE, 0 },
        { "23/Nov/2026:10:05:00 +0160", NONE, 0 },
        { "23/nov/2026:10:05:00 +0100", NONE, 0 },
        { "00/Nov/2026:10:05:00 +0100", NONE, 0 },
        { "23/Nov/1969:10:05:00 +0100", NONE, 0 },
        { "23/Nov/2026:24:05:00 +0100", NONE, 0 },
        { "23/Nov/2026:10:05:00 +0100x", NONE, 0 },
        { "2026-13-23T10:05:00Z", NONE, 0 },
        { "", NONE, 0 },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {

        if (sim_time_read(str(rows[i].text), &ms, &zone_s) != 0) {
            ms = NONE;
            zone_s = 0;
        }

        assert_true(ms == rows[i].ms);
        assert_int_equal(zone_s, rows[i].zone_s);
    }

    assert_string_equal(sim_time_text(text, UNIX_MS, 3600),
                        "2026-11-23 10:05:00");
    assert_string_equal(sim_time_text(text, 1709251199999, 0),
                        "2024-02-29 23:59:59");
    assert_string_equal(sim_time_text(text, 0, -3600), "1970-01-01 00:00:00");
    assert_string_equal(sim_time_text(text, 4107542399000, 0),
                        "2100-02-28 23:59:59");
    assert_string_equal(sim_clock_text(text, UNIX_MS, 0), "09:05:00");
}


static void
test_moments(void **state)
{
    size_t        i;
    uint64_t      ms;
    sim_moment_t  moment;

    /* from HEAD's time, in its zone */

    static const struct {
        const char  *text;
        uint64_t     ms;                /* NONE: it is none */
    } rows[] = {
        { "+7m", UNIX_MS + 420000 },
        { "+1500ms", UNIX_MS + 1500 },
        { "10:05", UNIX_MS },
        { "10:06", UNIX_MS + 60000 },
        { "10:05:30", UNIX_MS + 30000 },
        { "10:04:59", UNIX_MS - 1000 + 86400000 },
        { "2026-11-23T10:07:00", UNIX_MS + 120000 },
        { "2026-11-23T09:07:00Z", UNIX_MS + 120000 },
        { "2026-11-23 10:07", UNIX_MS + 120000 },
        { "23/Nov/2026:10:07:00", UNIX_MS + 120000 },
        { "23/Nov/2026:09:07:00 +0000", UNIX_MS + 120000 },
        { "", NONE },
        { "+", NONE },
        { "+x", NONE },
        { "10", NONE },
        { "10:5", NONE },
        { "25:00", NONE },
        { "10:05x", NONE },
        { "tomorrow", NONE },
        { "2026-11-23", NONE },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        ms = (sim_moment_read(str(rows[i].text), &moment) == 0)
             ? sim_moment_ms(&moment, UNIX_MS, 3600) : NONE;

        if (ms != rows[i].ms) {
            fail_msg("%s: %llu", rows[i].text, (unsigned long long) ms);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_time_words),
        cmocka_unit_test(test_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
