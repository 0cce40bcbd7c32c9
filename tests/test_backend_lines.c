
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend_lines.h"
#include "policy_text.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


static int
read_line(rcv_backend_lines_t *backend, const char *verb, const char *value,
    char *err)
{
    rcv_str_t  words[2] = { str(verb), str(value) };

    err[0] = '\0';

    return rcv_backend_line(backend, words, 2, err, RCV_ERROR_MAX);
}


static void
test_defaults(void **state)
{
    rcv_backend_lines_t  backend;

    (void) state;

    rcv_backend_lines_init(&backend);

    assert_int_equal(backend.policy.len, 0);
    assert_int_equal(backend.limits.capacity_milli, 0);
    assert_true(backend.limits.quota_milli == RCV_UNLIMITED);
    assert_int_equal(backend.limits.initial, RCV_PHASE_UP);
}


static void
test_whole(void **state)
{
    char                 err[RCV_ERROR_MAX];
    rcv_backend_lines_t  backend;

    (void) state;

    rcv_backend_lines_init(&backend);

    assert_int_equal(read_line(&backend, "initial", "probing", err), 0);
    assert_int_equal(read_line(&backend, "quota", "30r/m", err), 0);
    assert_int_equal(read_line(&backend, "capacity", "2000r/s", err), 0);
    assert_int_equal(read_line(&backend, "policy", "gentle", err), 0);

    assert_true(rcv_str_eq(backend.policy, "gentle"));
    assert_int_equal(backend.limits.capacity_milli, 2000000);
    assert_int_equal(backend.limits.quota_milli, 500);
    assert_int_equal(backend.limits.initial, RCV_PHASE_PROBING);
}


static void
test_bad(void **state)
{
    size_t               i;
    char                 err[RCV_ERROR_MAX];
    rcv_backend_lines_t  backend;

    static const struct {
        const char  *verb;
        const char  *value;
        const char  *says;
    } rows[] = {
        { "capacity", "0r/s", "invalid rate \"0r/s\" in \"capacity\"" },
        { "quota", "500", "invalid rate \"500\" in \"quota\"" },
        { "initial", "degraded", "must be \"up\", \"down\" or \"probing\"" },
        { "weight", "1", "unknown line \"weight\" in a backend, it must be "
                         "one of \"policy\", \"capacity\", \"quota\", "
                         "\"initial\"" },
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        rcv_backend_lines_init(&backend);
        assert_int_equal(read_line(&backend, rows[i].verb, rows[i].value,
                                   err), -1);
        assert_non_null(strstr(err, rows[i].says));
    }
}


static void
test_counts(void **state)
{
    char                 err[RCV_ERROR_MAX];
    rcv_str_t            words[3] = { str("policy"), str("a"), str("b") };
    rcv_backend_lines_t  backend;

    (void) state;

    rcv_backend_lines_init(&backend);
    assert_int_equal(rcv_backend_line(&backend, words, 0, err, sizeof(err)),
                     -1);
    assert_int_equal(rcv_backend_line(&backend, words, 1, err, sizeof(err)),
                     -1);
    assert_non_null(strstr(err, "exactly one"));

    rcv_backend_lines_init(&backend);
    assert_int_equal(rcv_backend_line(&backend, words, 3, err, sizeof(err)),
                     -1);
    assert_non_null(strstr(err, "\"policy\" has 2 parameters"));

    rcv_backend_lines_init(&backend);
    assert_int_equal(read_line(&backend, "policy", "a", err), 0);
    assert_int_equal(read_line(&backend, "quota", "1r/s", err), 0);
    assert_int_equal(read_line(&backend, "policy", "b", err), -1);
    assert_string_equal(err, "\"policy\" is duplicate, it is allowed once");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_counts)
    };

    return cmocka_run_group_tests_name("backend_lines", tests, NULL, NULL);
}
