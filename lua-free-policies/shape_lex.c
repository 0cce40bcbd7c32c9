
/* Of PCRE2's language what takes no states: bytes, classes, numbers. */

#include <string.h>

#include "shape_nfa.h"


static int
rcv_is_letter(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


static int
rcv_is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}


void
rcv_lex_literal(rcv_bytes_t *set, unsigned c, int caseless)
{
    rcv_bytes_add(set, c);

    if (caseless && rcv_is_letter(c)) {
        rcv_bytes_add(set, c ^ 0x20);
    }

    if (caseless && c > 127) {
        rcv_bytes_high(set);
    }
}


int
rcv_lex_type(rcv_bytes_t *set, unsigned type)
{
    int       in;
    unsigned  c, what;

    what = type | 0x20;

    if (what != 'd' && what != 'w' && what != 's') {
        return 0;
    }

    for (c = 0; c < 128; c++) {

        switch (what) {

        case 'd':
            in = rcv_is_digit(c);
            break;

        case 'w':
            in = rcv_is_digit(c) || rcv_is_letter(c) || c == '_';
            break;

        default:
            in = (c >= 9 && c <= 13) || c == ' ';
        }

        if (in == (type == what)) {
            rcv_bytes_add(set, c);
        }
    }

    rcv_bytes_high(set);

    return 1;
}


/* One byte, range or type of a class, from *p on; 0: not understood. */

static int
rcv_lex_member(const uint8_t **p, const uint8_t *end, int caseless,
    rcv_bytes_t *set)
{
    unsigned        c, last;
    const uint8_t  *q;

    q = *p;
    c = *q++;

    if (c == '[') {
        /* [:alpha:] and the like */
        return 0;
    }

    if (c == '\\') {

        if (q == end) {
            return 0;
        }

        c = *q++;
        *p = q;

        if (rcv_lex_type(set, c)) {
            return q < end && (*q != '-' || (end - q > 1 && q[1] == ']'));
        }

        if (c <= ' ' || c >= 127 || rcv_is_letter(c) || rcv_is_digit(c)) {
            return 0;
        }

        rcv_lex_literal(set, c, caseless);

        return q < end && (*q != '-' || (end - q > 1 && q[1] == ']'));
    }

    last = c;

    if (end - q > 1 && *q == '-' && q[1] != ']') {
        last = q[1];
        q += 2;

        /* what is a range with other ends than these, others may know */

        if (!((rcv_is_digit(c) && rcv_is_digit(last))
              || (rcv_is_letter(c) && rcv_is_letter(last))))
        {
            return 0;
        }

        if (q < end && *q == '-' && !(end - q > 1 && q[1] == ']')) {
            return 0;
        }
    }

    for ( /* void */ ; c <= last; c++) {
        rcv_lex_literal(set, c, caseless);
    }

    *p = q;

    return 1;
}


int
rcv_lex_class(const uint8_t **from, const uint8_t *end, int caseless,
    rcv_bytes_t *set)
{
    int             inverse, at_first;
    unsigned        k;
    const uint8_t  *p;

    p = *from + 1;
    memset(set, 0, sizeof(rcv_bytes_t));

    inverse = (p < end && *p == '^');
    p += inverse;

    for (at_first = 1; /* void */ ; at_first = 0) {

        if (p == end) {
            return 0;
        }

        if (*p == ']' && !at_first) {
            break;
        }

        if (!rcv_lex_member(&p, end, caseless, set)) {
            return 0;
        }
    }

    if (inverse) {
        for (k = 0; k < 4; k++) {
            set->bits[k] = ~set->bits[k];
        }
    }

    rcv_bytes_high(set);
    *from = p + 1;

    return 1;
}


int
rcv_lex_odd(const uint8_t *p, const uint8_t *end)
{
    if (p == end) {
        return 0;
    }

    if (*p == '{') {
        return 1;
    }

    if (end - p < 2) {
        return *p == '\\';
    }

    if (*p == '(') {
        return p[1] == '*'
               || (p[1] == '?' && !(end - p > 2 && p[2] == ':'));
    }

    return *p == '\\'
           && (p[1] <= ' ' || p[1] >= 127 || rcv_is_digit(p[1])
               || (rcv_is_letter(p[1])
                   && strchr("dwsDWSbBAzZnrt", p[1]) == NULL));
}


static unsigned
rcv_lex_number(const uint8_t **p, const uint8_t *end)
{
    unsigned  n;

    for (n = 0; *p < end && rcv_is_digit(**p); (*p)++) {
        n = n * 10 + (unsigned) (**p - '0');

        if (n > RCV_TIMES_MAX) {
            n = RCV_TIMES_MAX;
        }
    }

    return n;
}


int
rcv_lex_quantifier(const uint8_t **from, const uint8_t *end,
    rcv_times_t *times)
{
    const uint8_t  *p, *digits;

    p = *from;

    if (p == end) {
        return 0;
    }

    times->min = (*p == '+');
    times->max = (*p == '?') ? 1 : RCV_TIMES_MAX;

    if (*p == '*' || *p == '+' || *p == '?') {
        *from = p + 1;
        return 1;
    }

    if (*p != '{') {
        return 0;
    }

    digits = ++p;
    times->min = rcv_lex_number(&p, end);

    if (p == digits || p == end) {
        return 0;
    }

    times->max = times->min;

    if (*p == ',') {
        digits = ++p;
        times->max = rcv_lex_number(&p, end);

        if (p == digits) {
            times->max = RCV_TIMES_MAX;
        }
    }

    if (p == end || *p != '}') {
        return 0;
    }

    *from = p + 1;

    return 1;
}
