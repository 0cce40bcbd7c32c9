
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "pattern.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


static rcv_str_t
str(const char *word)
{
    rcv_str_t  s = { word, strlen(word) };

    return s;
}


static rcv_pattern_t *
compile(const char *text, int caseless)
{
    char            err[RCV_ERROR_MAX] = "";
    rcv_pattern_t  *pattern;

    pattern = rcv_pattern_compile(str(text), caseless, err, sizeof(err));
    if (pattern == NULL) {
        fail_msg("\"%s\": %s", text, err);
    }

    return pattern;
}


static void
test_match(void **state)
{
    size_t          i;
    rcv_pattern_t  *pattern;

    static const struct {
        const char            *text;
        int                    caseless;
        const char            *subject;
        rcv_pattern_result_t   result;
    } rows[] = {
        { "^/(login|token)(/|$)", 0, "/login", RCV_PATTERN_YES },
        { "^/(login|token)(/|$)", 0, "/token/x", RCV_PATTERN_YES },
        { "^/(login|token)(/|$)", 0, "/logins", RCV_PATTERN_NO },
        { "^/(login|token)(/|$)", 0, "/LOGIN", RCV_PATTERN_NO },
        { "^/(login|token)(/|$)", 1, "/LOGIN", RCV_PATTERN_YES },
        { "", 0, "", RCV_PATTERN_YES },
        { "", 0, "x", RCV_PATTERN_YES },
        { "^$", 0, "", RCV_PATTERN_YES },
        { "^$", 0, "x", RCV_PATTERN_NO },
        { "x", 0, "", RCV_PATTERN_NO },
        { "^[1-9]", 0, "3", RCV_PATTERN_YES },
        { "^[1-9]", 0, "0", RCV_PATTERN_NO },
        { "(a)(b)(c)", 0, "abc", RCV_PATTERN_YES },
        { "^.$", 0, "\xc3\xa9", RCV_PATTERN_NO },
        { "^..$", 0, "\xff\xfe", RCV_PATTERN_YES }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        pattern = compile(rows[i].text, rows[i].caseless);

        if (rcv_pattern_match(pattern, str(rows[i].subject))
            != rows[i].result)
        {
            fail_msg("\"%s\" on \"%s\"", rows[i].text, rows[i].subject);
        }

        rcv_pattern_free(pattern);
    }
}


static void
test_errors(void **state)
{
    char    err[RCV_ERROR_MAX];
    size_t  i;

    static const struct {
        const char  *text;
        const char  *message;
    } rows[] = {
        { "a(b", "missing closing parenthesis" },
        { "[z-a]", "range out of order" },
        { "a{2,1}", "numbers out of order" },
        { "*", "quantifier does not follow" },
        { "(*UTF)a", "UTF" },
        { "\\", "end of pattern" }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        err[0] = '\0';

        if (rcv_pattern_compile(str(rows[i].text), 0, err, sizeof(err))
            != NULL)
        {
            fail_msg("\"%s\" is a pattern", rows[i].text);
        }

        if (strstr(err, rows[i].message) == NULL
            || strstr(err, " at offset ") == NULL)
        {
            fail_msg("\"%s\": %s", rows[i].text, err);
        }
    }

    /* bounded */

    memset(err, '!', sizeof(err));
    assert_null(rcv_pattern_compile(str("a(b"), 0, err, 8));
    assert_int_equal(strlen(err), 7);
    assert_int_equal(err[8], '!');
}


/*
 * Hostile subjects: LIMIT and not NO, and at once; what is short is decided.
 * "(*NO_JIT)" is the same on a machine that has no JIT.
 */

static void
test_limits(void **state)
{
    char            subject[2000];
    size_t          i;
    rcv_str_t       hostile = { subject, sizeof(subject) };
    rcv_pattern_t  *pattern;

    static const struct {
        const char  *text;
        const char  *fill;
        const char  *tail;
        const char  *harmless;
    } rows[] = {
        { "^(x+x+)+y$", "x", "yz", "xxy" },
        { "(*NO_JIT)^(x+x+)+y$", "x", "yz", "xxy" },
        { "^(a+)+$", "a", "b", "aaa" },
        { "(*NO_JIT)^(a+)+$", "a", "b", "aaa" },
        { "^(a|a)*$", "a", "b", "aaa" },
        { "(*NO_JIT)^(a|a)*$", "a", "b", "aaa" },
        { "^(([a-z])+.)+[A-Z]$", "a", "0", "abC" }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        pattern = compile(rows[i].text, 0);

        memset(subject, rows[i].fill[0], sizeof(subject));
        memcpy(subject + sizeof(subject) - strlen(rows[i].tail), rows[i].tail,
               strlen(rows[i].tail));

        if (rcv_pattern_match(pattern, hostile) != RCV_PATTERN_LIMIT) {
            fail_msg("\"%s\" did not hit a limit", rows[i].text);
        }

        /* and the pattern works on */

        if (rcv_pattern_match(pattern, str(rows[i].harmless))
            != RCV_PATTERN_YES)
        {
            fail_msg("\"%s\" on \"%s\"", rows[i].text, rows[i].harmless);
        }

        rcv_pattern_free(pattern);
    }
}


/* A subject that PCRE2's own limit, of ten million, would let through. */

static void
test_own_limit(void **state)
{
    rcv_pattern_t  *pattern;

    (void) state;

    pattern = compile("^(x+x+)+y$", 0);

    assert_int_equal(rcv_pattern_match(pattern, str("xxxxxyz")),
                     RCV_PATTERN_NO);
    assert_int_equal(rcv_pattern_match(pattern, str("xxxxxxxxxxxxxxxxxxyz")),
                     RCV_PATTERN_LIMIT);

    rcv_pattern_free(pattern);
}


/*
 * Cut off at the bound, "x$" would match where the whole subject does not: a
 * longer subject is not decided at all.
 */

static void
test_long_subject(void **state)
{
    char            subject[RCV_PATTERN_SUBJECT_MAX + 1];
    size_t          i;
    rcv_str_t       s = { subject, RCV_PATTERN_SUBJECT_MAX };
    rcv_pattern_t  *pattern;

    static const char *const  texts[] = { "x$", "^x", "x", "(*NO_JIT)x$" };

    (void) state;

    memset(subject, 'x', sizeof(subject));
    subject[RCV_PATTERN_SUBJECT_MAX] = 'y';

    for (i = 0; i < nelts(texts); i++) {
        pattern = compile(texts[i], 0);

        s.len = RCV_PATTERN_SUBJECT_MAX;
        assert_int_equal(rcv_pattern_match(pattern, s), RCV_PATTERN_YES);

        s.len++;
        assert_int_equal(rcv_pattern_match(pattern, s), RCV_PATTERN_LIMIT);

        rcv_pattern_free(pattern);
    }
}


/* Bytes are bytes: NUL inside both, and no pointer for what is empty. */

static void
test_bytes(void **state)
{
    char            err[RCV_ERROR_MAX];
    rcv_str_t       nothing = { NULL, 0 };
    rcv_str_t       text = { "^a\0b$", 5 };
    rcv_str_t       subject = { "a\0b", 3 };
    rcv_pattern_t  *pattern;

    (void) state;

    pattern = rcv_pattern_compile(text, 0, err, sizeof(err));
    assert_non_null(pattern);
    assert_int_equal(rcv_pattern_match(pattern, subject), RCV_PATTERN_YES);
    subject.len = 1;
    assert_int_equal(rcv_pattern_match(pattern, subject), RCV_PATTERN_NO);
    assert_int_equal(rcv_pattern_match(pattern, nothing), RCV_PATTERN_NO);
    rcv_pattern_free(pattern);

    pattern = rcv_pattern_compile(nothing, 0, err, sizeof(err));
    assert_non_null(pattern);
    assert_int_equal(rcv_pattern_match(pattern, nothing), RCV_PATTERN_YES);
    rcv_pattern_free(pattern);

    rcv_pattern_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_own_limit),
        cmocka_unit_test(test_long_subject),
        cmocka_unit_test(test_bytes)
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
