
/*
 * Bounded replies: every stream of bytes is read in one piece, cut at every
 * byte, and byte by byte, and must come to the same each time.
 *
 * A reply is written down as one line: "str" 'sta' -err 42 nil [a b].
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../ngx_recovery_module/ngx_http_recovery_resp.c"


#define TEXT_MAX  8192
#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define WHOLE  SIZE_MAX


/* In the text, "!" is the end of the stream by an error. */

typedef struct {
    const char  *bytes;
    const char  *text;
} row_t;


static ngx_http_recovery_resp_t  resp;
static char                      text[TEXT_MAX];
static size_t                    ntext;


static void
say(const char *data, size_t len)
{
    assert_true(len < TEXT_MAX - ntext);

    memcpy(text + ntext, data, len);
    ntext += len;
    text[ntext] = '\0';
}


static void
say_value(const ngx_http_recovery_resp_value_t *value)
{
    char    number[32];
    size_t  i;

    static const char *const  quotes[] = {
        [NGX_HTTP_RECOVERY_RESP_STRING] = "\"",
        [NGX_HTTP_RECOVERY_RESP_STATUS] = "'",
        [NGX_HTTP_RECOVERY_RESP_ERROR] = "-"
    };

    switch (value->type) {

    case NGX_HTTP_RECOVERY_RESP_NIL:
        assert_null(value->data);
        say("nil", 3);
        break;

    case NGX_HTTP_RECOVERY_RESP_INTEGER:
        say(number, (size_t) sprintf(number, "%lld",
                                     (long long) value->integer));
        break;

    case NGX_HTTP_RECOVERY_RESP_ARRAY:
        say("[", 1);

        for (i = 0; i < value->len; i++) {
            say(" ", i != 0);
            say_value(&value->elements[i]);
        }

        say("]", 1);
        break;

    default:
        assert_non_null(value->data);
        say(quotes[value->type], 1);
        say(value->data, value->len);
        say(quotes[value->type], 1);
    }
}


/* Returns 0 at the end of the stream. */

static int
feed(const char *data, size_t len)
{
    int                                    rc;
    const ngx_http_recovery_resp_value_t  *value;

    rc = ngx_http_recovery_resp_feed(&resp, data, len);

    while (rc == 0) {
        rc = ngx_http_recovery_resp_next(&resp, &value);

        if (rc == 0) {
            return 1;
        }

        if (rc == 1) {
            say_value(value);
            say(";", 1);
            rc = 0;
        }
    }

    assert_non_null(resp.error);
    say("!", 1);

    return 0;
}


/* First so many bytes, then the rest; or each by itself. */

static const char *
read_cut(const char *data, size_t len, size_t cut)
{
    size_t  i;

    ntext = 0;
    text[0] = '\0';

    assert_int_equal(ngx_http_recovery_resp_init(&resp), 0);

    if (cut == WHOLE) {
        for (i = 0; i < len && feed(data + i, 1); i++) { /* void */ }

    } else if (feed(data, cut)) {
        (void) feed(data + cut, len - cut);
    }

    ngx_http_recovery_resp_free(&resp);

    return text;
}


static void
check(const char *data, size_t len, const char *expected)
{
    size_t  cut;

    for (cut = 0; cut <= len; cut++) {
        assert_string_equal(read_cut(data, len, cut), expected);
    }

    assert_string_equal(read_cut(data, len, WHOLE), expected);
}


static void
check_rows(const row_t *rows, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        check(rows[i].bytes, strlen(rows[i].bytes), rows[i].text);
    }
}


static void
test_replies(void **state)
{
    static const row_t  rows[] = {
        { "", "" },
        { "+OK\r\n", "'OK';" },
        { "-ERR no\r\n", "-ERR no-;" },
        { "+\r\n", "'';" },
        { ":0\r\n", "0;" },
        { ":-9223372036854775808\r\n", "-9223372036854775808;" },
        { "$2\r\nup\r\n", "\"up\";" },
        { "$0\r\n\r\n", "\"\";" },
        { "$4\r\n\r\n\r\n\r\n", "\"\r\n\r\n\";" },
        { "$-1\r\n", "nil;" },
        { "*-1\r\n", "nil;" },
        { "*0\r\n", "[];" },
        { "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n",
          "[\"1700000000\" \"123456\"];" },
        { "*3\r\n$-1\r\n:1\r\n+x\r\n", "[nil 1 'x'];" }
    };

    (void) state;
    check_rows(rows, nelts(rows));
}


static void
test_pipelined(void **state)
{
    static const row_t  rows[] = {
        { "+OK\r\n+OK\r\n:1\r\n", "'OK';'OK';1;" },
        { "*1\r\n$1\r\na\r\n-WRONGTYPE x\r\n*1\r\n$1\r\nb\r\n",
          "[\"a\"];-WRONGTYPE x-;[\"b\"];" },
        { "+OK\r\n*2\r\n$1\r\na\r\n", "'OK';" }         /* not all of it */
    };

    (void) state;
    check_rows(rows, nelts(rows));
}


static void
test_nested(void **state)
{
    static const row_t  rows[] = {
        { "*2\r\n*1\r\n:1\r\n*2\r\n:2\r\n:3\r\n", "[[1] [2 3]];" },
        { "*2\r\n*0\r\n*-1\r\n", "[[] nil];" },
        { "*3\r\n$6\r\nmaster\r\n:9\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
          "[\"master\" 9 [[\"a\" \"b\"]]];" },
        { "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "!" },
        { "*1\r\n*1\r\n*1\r\n*0\r\n", "!" }
    };

    (void) state;
    check_rows(rows, nelts(rows));
}


static void
test_garbage(void **state)
{
    static const row_t  rows[] = {
        { "HTTP/1.1 400 Bad Request\r\n", "!" },
        { "+OK\r\nx", "'OK';!" },
        { ":1x\r\n", "!" },
        { ":\r\n", "!" },
        { ":99999999999999999999\r\n", "!" },
        { "$x\r\n", "!" },
        { "*x\r\n", "!" },
        { "$-2\r\n", "!" },
        { "*-2\r\n", "!" },
        { "%1\r\n+a\r\n+b\r\n", "!" },                  /* RESP3 */
        { "#t\r\n", "!" },
        { ",1.5\r\n", "!" },
        { ">1\r\n+a\r\n", "!" },
        { "~1\r\n+a\r\n", "!" },
        { "(1\r\n", "!" },
        { "=5\r\ntxt:a\r\n", "!" }
    };

    (void) state;
    check_rows(rows, nelts(rows));
}


/* Claims are refused at their header, before anything is waited for. */

static void
test_claims(void **state)
{
    static const row_t  rows[] = {
        { "*64\r\n", "" },
        { "*65\r\n", "!" },
        { "*1000000000\r\n", "!" },
        { "*2147483648\r\n", "!" },
        { "*9223372036854775807\r\n", "!" },
        { "*1\r\n*1000000000\r\n", "!" },
        { "$1048576\r\n", "" },
        { "$1048577\r\n", "!" },
        { "+OK\r\n$1048577\r\n", "'OK';!" },
        { "$9223372036854775807\r\n", "!" },
        { "$99999999999999999999999999\r\n", "!" },
        { "*2\r\n$1048577\r\nx", "!" }
    };

    (void) state;
    check_rows(rows, nelts(rows));
}


/* The largest reply there can be, filled to the last value. */

static void
test_full(void **state)
{
    int     i, k;
    char    bytes[4096], expected[4096];
    size_t  len, n;

    (void) state;

    len = (size_t) sprintf(bytes, "*16\r\n");
    n = (size_t) sprintf(expected, "[");

    for (i = 0; i < 16; i++) {
        len += (size_t) sprintf(bytes + len, "*16\r\n");
        n += (size_t) sprintf(expected + n, i ? " [" : "[");

        for (k = 0; k < 16; k++) {
            len += (size_t) sprintf(bytes + len, "$1\r\n%x\r\n", k);
            n += (size_t) sprintf(expected + n, k ? " \"%x\"" : "\"%x\"", k);
        }

        n += (size_t) sprintf(expected + n, "]");
    }

    (void) sprintf(expected + n, "];");

    check(bytes, len, expected);
}


/* A string that never ends, fed as a socket gives it. */

static void
endless(const char *start, char byte, size_t chunk)
{
    char    bytes[4096];
    size_t  fed;

    assert_true(chunk <= sizeof(bytes));
    memset(bytes, byte, sizeof(bytes));

    ntext = 0;
    text[0] = '\0';

    assert_int_equal(ngx_http_recovery_resp_init(&resp), 0);
    assert_true(feed(start, strlen(start)));

    for (fed = strlen(start);
         fed + chunk <= NGX_HTTP_RECOVERY_RESP_BYTES;
         fed += chunk)
    {
        assert_true(feed(bytes, chunk));
    }

    assert_false(feed(bytes, chunk));
    assert_string_equal(text, "!");

    /* and nothing more comes of it */

    assert_int_equal(ngx_http_recovery_resp_feed(&resp, "+OK\r\n", 5), -1);

    ngx_http_recovery_resp_free(&resp);
}


static void
test_endless(void **state)
{
    (void) state;

    endless("+", 'x', 4096);
    endless("+", 'x', 1000);
    endless("-", '\r', 4096);
    endless("*", '1', 4096);
    endless("*16\r\n$1\r\na\r\n:", '1', 4096);
}


/* The bound is one of an unfinished reply, not of the connection. */

static void
test_many(void **state)
{
    int  i;

    static const char  bytes[] = "*2\r\n$5\r\nhello\r\n$-1\r\n";

    (void) state;

    ntext = 0;
    assert_int_equal(ngx_http_recovery_resp_init(&resp), 0);

    for (i = 0; i < 100000; i++) {
        ntext = 0;
        assert_true(feed(bytes, strlen(bytes)));
        assert_string_equal(text, "[\"hello\" nil];");
        assert_int_equal(resp.unfinished, 0);
    }

    ngx_http_recovery_resp_free(&resp);
}


/* Strings of the largest size cost no memory, and all of them are read. */

static void
test_huge_texts(void **state)
{
    char    *bytes, *p;
    size_t   i, k, len, n, size;

    static const size_t  pieces[] = { 1, 7, 4096, 100000, WHOLE };

    (void) state;

    size = NGX_HTTP_RECOVERY_RESP_STRING_MAX;
    bytes = malloc(3 * (size + 16) + 32);
    assert_non_null(bytes);

    p = bytes + sprintf(bytes, "*4\r\n");

    for (i = 0; i < 3; i++) {
        p += sprintf(p, "$%zu\r\n", size);
        memset(p, '$', size);
        p += size + (size_t) sprintf(p + size, "\r\n");
    }

    p += sprintf(p, "$2\r\nup\r\n");
    len = (size_t) (p - bytes);

    for (k = 0; k < nelts(pieces); k++) {
        const ngx_http_recovery_resp_value_t  *value = NULL;

        assert_int_equal(ngx_http_recovery_resp_init(&resp), 0);

        for (i = 0; i < len; i += n) {
            n = (pieces[k] < len - i) ? pieces[k] : len - i;
            assert_int_equal(ngx_http_recovery_resp_feed(&resp, bytes + i, n),
                             0);
            assert_true(resp.unfinished <= NGX_HTTP_RECOVERY_RESP_BYTES);
            assert_int_equal(ngx_http_recovery_resp_next(&resp, &value),
                             i + n == len);
        }

        assert_int_equal(value->len, 4);
        assert_int_equal(value->elements[2].len, NGX_HTTP_RECOVERY_RESP_TEXT);
        assert_memory_equal(value->elements[3].data, "up", 2);

        ngx_http_recovery_resp_free(&resp);
    }

    free(bytes);
}


/* Somebody's long text is cut, and what follows it is still read. */

static void
test_long_text(void **state)
{
    char                                   bytes[8192];
    size_t                                 i, len, start;
    const ngx_http_recovery_resp_value_t  *value;

    static const size_t  sizes[] = { 4095, 4096, 4097, 7000 };

    (void) state;

    for (i = 0; i < nelts(sizes); i++) {
        assert_int_equal(ngx_http_recovery_resp_init(&resp), 0);

        start = (size_t) sprintf(bytes, "*2\r\n$%zu\r\n", sizes[i]);
        memset(bytes + start, 'a', sizes[i]);
        len = start + sizes[i];
        len += (size_t) sprintf(bytes + len, "\r\n$2\r\nup\r\n");

        assert_int_equal(ngx_http_recovery_resp_feed(&resp, bytes, len), 0);
        assert_int_equal(ngx_http_recovery_resp_next(&resp, &value), 1);

        assert_int_equal(value->len, 2);
        assert_int_equal(value->elements[0].len,
                         sizes[i] < 4096 ? sizes[i] : 4096);
        assert_memory_equal(value->elements[0].data, bytes + start, 4095);
        assert_int_equal(value->elements[1].len, 2);
        assert_memory_equal(value->elements[1].data, "up", 2);

        ngx_http_recovery_resp_free(&resp);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_huge_texts),
        cmocka_unit_test(test_long_text)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
