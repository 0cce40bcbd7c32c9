
#include <stdio.h>
#include <string.h>

#include "logtime.h"
#include "words.h"


#define TIME_DAY_S   86400u
#define TIME_YEAR    1970u
#define TIME_YEARS   9999u


typedef struct {
    const char  *p;
    const char  *end;
} time_input_t;


typedef struct {
    unsigned     year, month, day;      /* month and day count from 1 */
    unsigned     hour, minute, second;
    unsigned     ms;
} time_parts_t;


static int
time_char(time_input_t *in, const char *set)
{
    if (in->p == in->end || *in->p == '\0' || strchr(set, *in->p) == NULL) {
        return 0;
    }

    in->p++;

    return 1;
}


/* A number of exactly so many digits. */

static int
time_number(time_input_t *in, unsigned digits, unsigned least, unsigned most,
    unsigned *n)
{
    *n = 0;

    for (/* void */ ; digits != 0; digits--) {

        if (in->p == in->end || *in->p < '0' || *in->p > '9') {
            return -1;
        }

        *n = *n * 10 + (unsigned) (*in->p++ - '0');
    }

    return (*n >= least && *n <= most) ? 0 : -1;
}


static int
time_month(time_input_t *in, unsigned *month)
{
    static const char  names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (in->end - in->p < 3) {
        return -1;
    }

    for (*month = 1; *month <= 12; (*month)++) {
        if (memcmp(in->p, names + 3 * (*month - 1), 3) == 0) {
            in->p += 3;
            return 0;
        }
    }

    return -1;
}


/* "10:05", "10:05:30", "10:05:30.123" */

static int
time_clock(time_input_t *in, time_parts_t *parts)
{
    unsigned  digit, scale;

    if (time_number(in, 2, 0, 23, &parts->hour) != 0 || !time_char(in, ":")
        || time_number(in, 2, 0, 59, &parts->minute) != 0)
    {
        return -1;
    }

    if (!time_char(in, ":")) {
        return 0;
    }

    /* a leap second is the one after */

    if (time_number(in, 2, 0, 60, &parts->second) != 0) {
        return -1;
    }

    if (in->end - in->p > 1 && *in->p == '.') {
        in->p++;

        for (scale = 100; time_number(in, 1, 0, 9, &digit) == 0; scale /= 10) {
            parts->ms += digit * scale;
        }
    }

    return 0;
}


/* "23/Nov/2026:" or "2026-11-23T" */

static int
time_date(time_input_t *in, time_parts_t *parts)
{
    if (in->end - in->p > 2 && in->p[2] == '/') {
        return (time_number(in, 2, 1, 31, &parts->day) != 0
                || !time_char(in, "/") || time_month(in, &parts->month) != 0
                || !time_char(in, "/")
                || time_number(in, 4, TIME_YEAR, TIME_YEARS, &parts->year) != 0
                || !time_char(in, ":")) ? -1 : 0;
    }

    return (time_number(in, 4, TIME_YEAR, TIME_YEARS, &parts->year) != 0
            || !time_char(in, "-")
            || time_number(in, 2, 1, 12, &parts->month) != 0
            || !time_char(in, "-")
            || time_number(in, 2, 1, 31, &parts->day) != 0
            || !time_char(in, "T ")) ? -1 : 0;
}


/* "Z", "+0100", " +01:00"; 1: there is none. */

static int
time_zone(time_input_t *in, int32_t *zone_s)
{
    char      sign;
    unsigned  hours, minutes;

    (void) time_char(in, " ");

    if (time_char(in, "Z")) {
        *zone_s = 0;
        return 0;
    }

    if (in->p == in->end) {
        return 1;
    }

    sign = *in->p;

    if (!time_char(in, "+-") || time_number(in, 2, 0, 23, &hours) != 0) {
        return -1;
    }

    (void) time_char(in, ":");

    if (time_number(in, 2, 0, 59, &minutes) != 0) {
        return -1;
    }

    *zone_s = (int32_t) (hours * 3600 + minutes * 60);
    *zone_s = (sign == '-') ? -*zone_s : *zone_s;

    return 0;
}


/* Days since 1970; years begin in March, so that leap days come last. */

static uint64_t
time_days(const time_parts_t *parts)
{
    uint64_t  year, month;

    year = parts->year - (parts->month <= 2);
    month = (parts->month + 9) % 12;

    return year * 365 + year / 4 - year / 100 + year / 400
           + (month * 153 + 2) / 5 + parts->day - 1 - 719468;
}


static uint64_t
time_ms(const time_parts_t *parts)
{
    uint64_t  s;

    s = parts->hour * 3600 + parts->minute * 60 + parts->second;

    if (parts->year != 0) {
        s += time_days(parts) * TIME_DAY_S;
    }

    return s * 1000 + parts->ms;
}


static uint64_t
time_shift(uint64_t ms, int32_t by_s)
{
    int64_t  shifted;

    shifted = (int64_t) ms + (int64_t) by_s * 1000;

    return (shifted > 0) ? (uint64_t) shifted : 0;
}


int
sim_time_read(rcv_str_t text, uint64_t *unix_ms, int32_t *zone_s)
{
    time_input_t  in = { text.data, text.data + text.len };
    time_parts_t  parts = { 0 };

    if (time_date(&in, &parts) != 0 || time_clock(&in, &parts) != 0
        || time_zone(&in, zone_s) != 0 || in.p != in.end)
    {
        return -1;
    }

    *unix_ms = time_shift(time_ms(&parts), -*zone_s);

    return 0;
}


int
sim_moment_read(rcv_str_t text, sim_moment_t *moment)
{
    int32_t       zone_s;
    rcv_str_t     rest;
    time_input_t  in = { text.data, text.data + text.len };
    time_parts_t  parts = { 0 };

    if (time_char(&in, "+")) {
        moment->kind = SIM_MOMENT_AFTER;
        rest.data = in.p;
        rest.len = text.len - 1;
        return rcv_parse_duration(rest, &moment->ms);
    }

    if (sim_time_read(text, &moment->ms, &zone_s) == 0) {
        moment->kind = SIM_MOMENT_UNIX;
        return 0;
    }

    moment->kind = SIM_MOMENT_CLOCK;

    if (text.len > 8) {
        moment->kind = SIM_MOMENT_LOCAL;

        if (time_date(&in, &parts) != 0) {
            return -1;
        }
    }

    if (time_clock(&in, &parts) != 0 || in.p != in.end) {
        return -1;
    }

    moment->ms = time_ms(&parts);

    return 0;
}


uint64_t
sim_moment_ms(const sim_moment_t *moment, uint64_t from_ms, int32_t zone_s)
{
    uint64_t  day_ms, ms;

    switch (moment->kind) {

    case SIM_MOMENT_AFTER:
        return from_ms + moment->ms;

    case SIM_MOMENT_CLOCK:
        day_ms = TIME_DAY_S * 1000ull;
        ms = time_shift(from_ms, zone_s) / day_ms * day_ms + moment->ms;
        ms = time_shift(ms, -zone_s);
        return (ms / 1000 >= from_ms / 1000) ? ms : ms + day_ms;

    case SIM_MOMENT_LOCAL:
        return time_shift(moment->ms, -zone_s);

    default:
        return moment->ms;
    }
}


const char *
sim_clock_text(char *to, uint64_t unix_ms, int32_t zone_s)
{
    unsigned  s;

    s = (unsigned) (time_shift(unix_ms, zone_s) / 1000 % TIME_DAY_S);

    snprintf(to, SIM_CLOCK_TEXT, "%02u:%02u:%02u", s / 3600, s / 60 % 60,
             s % 60);

    return to;
}


/* time_days() backwards. */

const char *
sim_time_text(char *to, uint64_t unix_ms, int32_t zone_s)
{
    size_t    n;
    uint64_t  days, era, of_era, year, of_year, month;

    days = time_shift(unix_ms, zone_s) / 1000 / TIME_DAY_S + 719468;
    era = days / 146097;
    of_era = days % 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (year * 365 + year / 4 - year / 100);
    month = (of_year * 5 + 2) / 153;
    year += era * 400 + (month >= 10);

    n = (size_t) snprintf(to, SIM_TIME_TEXT, "%04u-%02u-%02u ",
                          (unsigned) (year % 10000),
                          (unsigned) ((month + 2) % 12 + 1),
                          (unsigned) (of_year - (month * 153 + 2) / 5 + 1)
                          % 100);

    (void) sim_clock_text(to + n, unix_ms, zone_s);

    return to;
}
