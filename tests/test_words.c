
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "words.h"


#define BAD     UINT64_MAX
#define DAY_MS  (24 * 3600 * 1000ull)
#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


typedef struct {
    const char  *word;
    uint64_t     value;                 /* BAD: refused */
} row_t;


typedef int (*parse_pt)(rcv_str_t word, uint64_t *value);


static rcv_str_t
str(const char *word)
{
    rcv_str_t  s = { word, strlen(word) };

    return s;
}


static void
check(parse_pt parse, const row_t *rows, size_t n)
{
    int       rc;
    size_t    i;
    uint64_t  value;

    for (i = 0; i < n; i++) {
        value = 4242;
        rc = parse(str(rows[i].word), &value);

        if (rows[i].value == BAD) {
            if (rc != -1 || value != 4242) {
                fail_msg("\"%s\": rc %d, value %llu", rows[i].word, rc,
                         (unsigned long long) value);
            }

            continue;
        }

        if (rc != 0 || value != rows[i].value) {
            fail_msg("\"%s\": rc %d, value %llu, not %llu", rows[i].word, rc,
                     (unsigned long long) value,
                     (unsigned long long) rows[i].value);
        }
    }
}


static void
test_rate(void **state)
{
    static const row_t  rows[] = {
        { "500r/s", 500000 },
        { "0.5r/s", 500 },
        { "30r/m", 500 },
        { "1r/m", 16 },
        { "0.06r/m", 1 },
        { "0.001r/s", 1 },
        { "007r/s", 7000 },
        { "1.9999r/s", 1999 },
        { "1000000000r/s", RCV_RATE_MAX_MILLI },
        { "60000000000r/m", RCV_RATE_MAX_MILLI },
        { "0r/s", BAD },
        { "0.0009r/s", BAD },
        { "0.059r/m", BAD },
        { "1000000000.0001r/s", BAD },
        { "1000000001r/s", BAD },
        { "60000000001r/m", BAD },
        { "18446744073709551616r/s", BAD },
        { "18446744073709551615r/s", BAD },
        { "99999999999999999999999999999999r/s", BAD },
        { "", BAD },
        { "r/s", BAD },
        { "5", BAD },
        { "5r", BAD },
        { "5r/", BAD },
        { "5r/h", BAD },
        { "5r/ss", BAD },
        { "5 r/s", BAD },
        { " 5r/s", BAD },
        { "-5r/s", BAD },
        { "+5r/s", BAD },
        { ".5r/s", BAD },
        { "5.r/s", BAD },
        { "5.5.5r/s", BAD },
        { "0x10r/s", BAD },
        { "1e3r/s", BAD },
        { "5R/S", BAD }
    };

    (void) state;

    check(rcv_parse_rate, rows, nelts(rows));
}


static int
parse_percent(rcv_str_t word, uint64_t *value)
{
    int       rc;
    uint32_t  ppm;

    ppm = 4242;
    rc = rcv_parse_percent(word, RCV_PPM, &ppm);
    *value = ppm;

    return rc;
}


static void
test_percent(void **state)
{
    static const row_t  rows[] = {
        { "0%", 0 },
        { "40%", 400000 },
        { "0.5%", 5000 },
        { "0.0001%", 1 },
        { "0.00001%", 0 },
        { "100%", 1000000 },
        { "100.0000%", 1000000 },
        { "100.00000%", 1000000 },
        { "99.9999%", 999999 },
        { "100.0001%", BAD },
        { "100.00001%", BAD },
        { "101%", BAD },
        { "4294967296%", BAD },
        { "1844674407370955.1616%", BAD },
        { "99999999999999999999%", BAD },
        { "", BAD },
        { "%", BAD },
        { "5", BAD },
        { "5x", BAD },
        { "5%%", BAD },
        { "5 %", BAD },
        { "-5%", BAD },
        { "+5%", BAD },
        { ".5%", BAD },
        { "5.%", BAD }
    };

    uint32_t  ppm;

    (void) state;

    check(parse_percent, rows, nelts(rows));

    /* a maximum beyond the type of the result */

    assert_int_equal(rcv_parse_percent(str("429496%"), UINT64_MAX, &ppm), 0);
    assert_int_equal(ppm, 4294960000u);
    assert_int_equal(rcv_parse_percent(str("429497%"), UINT64_MAX, &ppm), -1);
    assert_int_equal(rcv_parse_percent(str("0%"), 0, &ppm), 0);
    assert_int_equal(ppm, 0);
}


static void
test_duration(void **state)
{
    static const row_t  rows[] = {
        { "0", 0 },
        { "0ms", 0 },
        { "200ms", 200 },
        { "30", 30000 },
        { "30s", 30000 },
        { "5m", 300000 },
        { "1h", 3600000 },
        { "1d", DAY_MS },
        { "30d", 30 * DAY_MS },
        { "2592000000ms", 30 * DAY_MS },
        { "2592000001ms", BAD },
        { "31d", BAD },
        { "721h", BAD },
        { "18446744073709551615", BAD },
        { "18446744073709551615d", BAD },
        { "18446744073709551616ms", BAD },
        { "", BAD },
        { "s", BAD },
        { "ms", BAD },
        { "5M", BAD },
        { "5sec", BAD },
        { "5mss", BAD },
        { "1.5s", BAD },
        { "1h30m", BAD },
        { "5 s", BAD },
        { "-5s", BAD },
        { "+5s", BAD },
        { "5w", BAD }
    };

    (void) state;

    check(rcv_parse_duration, rows, nelts(rows));
}


static int
parse_decimal(rcv_str_t word, uint64_t *value)
{
    return rcv_parse_decimal(word, 1000 * RCV_MILLI, value);
}


static void
test_decimal(void **state)
{
    static const row_t  rows[] = {
        { "0", 0 },
        { "2", 2000 },
        { "0.25", 250 },
        { "0.3333333333333333333333333333", 333 },
        { "0.0009", 0 },
        { "1000", 1000000 },
        { "1000.000", 1000000 },
        { "1000.0000000", 1000000 },
        { "1000.0001", BAD },
        { "1000.001", BAD },
        { "1001", BAD },
        { "18446744073709551.616", BAD },
        { "99999999999999999999999", BAD },
        { "", BAD },
        { ".", BAD },
        { ".5", BAD },
        { "5.", BAD },
        { "1,5", BAD },
        { "-1", BAD },
        { "+1", BAD },
        { "1x", BAD },
        { "1 ", BAD },
        { "nan", BAD },
        { "inf", BAD },
        { "1e2", BAD }
    };

    (void) state;

    check(parse_decimal, rows, nelts(rows));
}


static void
test_integer(void **state)
{
    uint64_t  n;

    static const row_t  rows[] = {
        { "0", 0 },
        { "00", 0 },
        { "1750000000", 1750000000 },
        { "18446744073709551614", UINT64_MAX - 1 },
        { "18446744073709551616", BAD },
        { "18446744073709551620", BAD },
        { "99999999999999999999", BAD },
        { "", BAD },
        { "-1", BAD },
        { "+1", BAD },
        { "1.0", BAD },
        { "1 ", BAD },
        { " 1", BAD },
        { "1a", BAD },
        { "0x1", BAD }
    };

    (void) state;

    check(rcv_parse_integer, rows, nelts(rows));

    assert_int_equal(rcv_parse_integer(str("18446744073709551615"), &n), 0);
    assert_true(n == UINT64_MAX);
}


/* The words are no C strings: nothing behind them counts. */

static void
test_bounded(void **state)
{
    uint32_t   ppm;
    uint64_t   n;
    rcv_str_t  word = { "12345%", 2 };

    (void) state;

    assert_int_equal(rcv_parse_integer(word, &n), 0);
    assert_int_equal(n, 12);

    word.len = 5;
    assert_int_equal(rcv_parse_percent(word, RCV_PPM, &ppm), -1);

    word.data = "1\0";
    word.len = 2;
    assert_int_equal(rcv_parse_integer(word, &n), -1);
    assert_int_equal(rcv_name_valid(word), 0);

    word.data = NULL;
    word.len = 0;
    assert_int_equal(rcv_parse_integer(word, &n), -1);
    assert_int_equal(rcv_name_valid(word), 0);
}


static void
test_name(void **state)
{
    size_t     i;
    char       longest[RCV_NAME_MAX + 1];
    rcv_str_t  word = { longest, RCV_NAME_MAX };

    static const struct {
        const char  *word;
        int          valid;
    } rows[] = {
        { "kv", 1 },
        { "a", 1 },
        { "7", 1 },
        { "Cold-cache_2.conf", 1 },
        { "a-", 1 },
        { "", 0 },
        { "-a", 0 },
        { "_a", 0 },
        { ".a", 0 },
        { "a b", 0 },
        { "a:b", 0 },
        { "a/b", 0 },
        { "a\n", 0 },
        { "a\"", 0 },
        { "a{b}", 0 },
        { "$a", 0 },
        { "\xc3\xa9", 0 },
        { "a\xff", 0 }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        if (rcv_name_valid(str(rows[i].word)) != rows[i].valid) {
            fail_msg("\"%s\"", rows[i].word);
        }
    }

    memset(longest, 'x', sizeof(longest));
    assert_int_equal(rcv_name_valid(word), 1);
    word.len++;
    assert_int_equal(rcv_name_valid(word), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_integer),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_name)
    };

    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
