
#include "words.h"


#define RCV_SECOND_MS     1000ull
#define RCV_DURATION_MAX  (30 * 24 * 3600 * RCV_SECOND_MS)


typedef struct {
    uint64_t    value;
    rcv_str_t   rest;                   /* what stands after the number */
    unsigned    cut;                    /* decimals that did not count */
} rcv_number_t;


typedef struct {
    const char  *suffix;
    uint64_t     ms;
} rcv_unit_t;


static const rcv_unit_t  rcv_units[] = {
    { "ms", 1 },
    { "",   RCV_SECOND_MS },
    { "s",  RCV_SECOND_MS },
    { "m",  60 * RCV_SECOND_MS },
    { "h",  3600 * RCV_SECOND_MS },
    { "d",  24 * 3600 * RCV_SECOND_MS }
};


static int
rcv_is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static int
rcv_push_digit(uint64_t *value, char digit)
{
    return __builtin_mul_overflow(*value, 10u, value)
           || __builtin_add_overflow(*value, (uint64_t) (digit - '0'), value);
}


/*
 * Digits, then if "places" is not 0 perhaps a point and digits again: the
 * value in units of 10^-places.  Decimals beyond "places" are read and do
 * not count, so that "0.3333333333" from a script is no error.
 */

static int
rcv_scan_number(rcv_str_t word, unsigned places, rcv_number_t *number)
{
    size_t  i;

    number->value = 0;
    number->cut = 0;

    for (i = 0; i < word.len && rcv_is_digit(word.data[i]); i++) {
        if (rcv_push_digit(&number->value, word.data[i])) {
            return -1;
        }
    }

    if (i == 0) {
        return -1;
    }

    if (places != 0 && i < word.len && word.data[i] == '.') {

        if (++i == word.len || !rcv_is_digit(word.data[i])) {
            return -1;
        }

        for ( /* void */ ; i < word.len && rcv_is_digit(word.data[i]); i++) {

            if (places == 0) {
                number->cut |= (word.data[i] != '0');
                continue;
            }

            if (rcv_push_digit(&number->value, word.data[i])) {
                return -1;
            }

            places--;
        }
    }

    for ( /* void */ ; places != 0; places--) {
        if (rcv_push_digit(&number->value, '0')) {
            return -1;
        }
    }

    number->rest.data = word.data + i;
    number->rest.len = word.len - i;

    return 0;
}


/* "1.0001" is above 1, also where its last decimal does not count. */

static int
rcv_above(const rcv_number_t *number, uint64_t max)
{
    return number->value > max || (number->value == max && number->cut);
}


int
rcv_parse_rate(rcv_str_t word, uint64_t *rate_milli)
{
    uint64_t      max;
    uint64_t      per;
    rcv_number_t  number;

    if (rcv_scan_number(word, 3, &number) != 0) {
        return -1;
    }

    if (rcv_str_eq(number.rest, "r/s")) {
        per = 1;

    } else if (rcv_str_eq(number.rest, "r/m")) {
        per = 60;

    } else {
        return -1;
    }

    max = RCV_RATE_MAX_MILLI * per;

    if (number.value < per || rcv_above(&number, max)) {
        return -1;
    }

    *rate_milli = number.value / per;

    return 0;
}


int
rcv_parse_percent(rcv_str_t word, uint64_t max_ppm, uint32_t *ppm)
{
    rcv_number_t  number;

    if (rcv_scan_number(word, 4, &number) != 0
        || !rcv_str_eq(number.rest, "%")
        || rcv_above(&number, rcv_min(max_ppm, UINT32_MAX)))
    {
        return -1;
    }

    *ppm = (uint32_t) number.value;

    return 0;
}


int
rcv_parse_duration(rcv_str_t word, uint64_t *ms)
{
    size_t        i;
    uint64_t      value;
    rcv_number_t  number;

    if (rcv_scan_number(word, 0, &number) != 0) {
        return -1;
    }

    for (i = 0; i < sizeof(rcv_units) / sizeof(rcv_units[0]); i++) {

        if (!rcv_str_eq(number.rest, rcv_units[i].suffix)) {
            continue;
        }

        value = rcv_mul_sat(number.value, rcv_units[i].ms);

        if (value > RCV_DURATION_MAX) {
            return -1;
        }

        *ms = value;

        return 0;
    }

    return -1;
}


int
rcv_parse_decimal(rcv_str_t word, uint64_t max_milli, uint64_t *milli)
{
    rcv_number_t  number;

    if (rcv_scan_number(word, 3, &number) != 0
        || number.rest.len != 0
        || rcv_above(&number, max_milli))
    {
        return -1;
    }

    *milli = number.value;

    return 0;
}


int
rcv_parse_integer(rcv_str_t word, uint64_t *n)
{
    rcv_number_t  number;

    if (rcv_scan_number(word, 0, &number) != 0 || number.rest.len != 0) {
        return -1;
    }

    *n = number.value;

    return 0;
}


static int
rcv_is_alnum(char c)
{
    return rcv_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


int
rcv_name_valid(rcv_str_t word)
{
    char    c;
    size_t  i;

    if (word.len == 0 || word.len > RCV_NAME_MAX
        || !rcv_is_alnum(word.data[0]))
    {
        return 0;
    }

    for (i = 1; i < word.len; i++) {
        c = word.data[i];

        if (!rcv_is_alnum(c) && c != '_' && c != '-' && c != '.') {
            return 0;
        }
    }

    return 1;
}
