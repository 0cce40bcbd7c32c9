
/*
 * Fields of a Redis hash -> a signal -> the health that counts.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "health.h"
#include "policy_text.h"
#include "state.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define BAD(field)    (1u << RCV_FIELD_##field)

#define NOW_S   1700000000u
#define NOW_MS  5000u


/* health, ceiling, force, force_until, epoch, promote; NULL: not there. */

typedef struct {
    const char  *health;
    const char  *ceiling;
    const char  *force;
    const char  *until;
    const char  *epoch;
    const char  *promote;
} hash_t;


static void
set(rcv_fields_t *fields, rcv_field_t field, const char *text)
{
    if (text != NULL) {
        fields->value[field] = str(text);
    }
}


static unsigned
say_at(rcv_signal_t *signal, hash_t hash, uint64_t after_ms)
{
    unsigned      bad;
    rcv_fields_t  fields;
    rcv_policy_t  policy;

    memset(&fields, 0, sizeof(fields));

    set(&fields, RCV_FIELD_HEALTH, hash.health);
    set(&fields, RCV_FIELD_CEILING, hash.ceiling);
    set(&fields, RCV_FIELD_FORCE, hash.force);
    set(&fields, RCV_FIELD_FORCE_UNTIL, hash.until);
    set(&fields, RCV_FIELD_EPOCH, hash.epoch);
    set(&fields, RCV_FIELD_PROMOTE, hash.promote);

    policy_text_good(&policy, "");
    bad = rcv_signal_update(signal, &fields, &policy, NOW_S + after_ms / 1000,
                            NOW_MS + after_ms);
    rcv_policy_free(&policy);

    return bad;
}


static unsigned
say(rcv_signal_t *signal, hash_t hash)
{
    return say_at(signal, hash, 0);
}


static void
test_health_words(void **unused)
{
    size_t        i;
    rcv_signal_t  signal;

    static const struct {
        const char    *word;
        rcv_health_t   health;
        uint32_t       ppm;
    } good[] = {
        { "up",         RCV_HEALTH_UP,         1000000 },
        { "degraded",   RCV_HEALTH_DEGRADED,   500000 },
        { "down",       RCV_HEALTH_DOWN,       0 },
        { "recovering", RCV_HEALTH_RECOVERING, 1000000 },
        { "0",          RCV_HEALTH_DOWN,       0 },
        { "0.0",        RCV_HEALTH_DOWN,       0 },
        { "1",          RCV_HEALTH_UP,         1000000 },
        { "1.0",        RCV_HEALTH_UP,         1000000 },
        { "0.35",       RCV_HEALTH_DEGRADED,   350000 },
        { "0.001",      RCV_HEALTH_DEGRADED,   1000 },
        { "0.9999",     RCV_HEALTH_DEGRADED,   999000 },
    };

    static const char *const  bad[] = {
        "", "UP", "upp", "u", "1.1", "2", "-1", "+1", "nan", "inf", "1e0",
        "0.5 ", " up", "down\n", "0x1", "50%", "."
    };

    (void) unused;

    for (i = 0; i < nelts(good); i++) {
        memset(&signal, 0, sizeof(signal));
        assert_int_equal(say(&signal, (hash_t) { .health = good[i].word }), 0);
        assert_int_equal(signal.health, good[i].health);
        assert_int_equal(signal.health_ppm, good[i].ppm);
    }

    for (i = 0; i < nelts(bad); i++) {
        memset(&signal, 0, sizeof(signal));
        assert_int_equal(say(&signal, (hash_t) { .health = "0.25" }), 0);
        assert_int_equal(say(&signal, (hash_t) { .health = bad[i] }),
                         BAD(HEALTH));
        assert_int_equal(signal.health, RCV_HEALTH_DEGRADED);
        assert_int_equal(signal.health_ppm, 250000);
    }

    /* no opinion is not another opinion */

    assert_int_equal(say(&signal, (hash_t) { 0 }), 0);
    assert_int_equal(signal.health, RCV_HEALTH_DEGRADED);
}


static void
test_ceiling(void **unused)
{
    size_t        i;
    rcv_signal_t  signal;

    static const struct {
        const char     *word;
        rcv_ceiling_t   kind;
        uint64_t        value;
    } good[] = {
        { "500r/s", RCV_CEILING_RATE,  500000 },
        { "30r/m",  RCV_CEILING_RATE,  500 },
        { "40%",    RCV_CEILING_LEVEL, 400000 },
        { "0%",     RCV_CEILING_LEVEL, 0 },
        { "250%",   RCV_CEILING_LEVEL, 2500000 },
    };

    static const char *const  bad[] = { "", "500", "r/s", "-1%", "%", "x" };

    (void) unused;

    memset(&signal, 0, sizeof(signal));

    for (i = 0; i < nelts(good); i++) {
        assert_int_equal(say(&signal, (hash_t) { .ceiling = good[i].word }),
                         0);
        assert_int_equal(signal.ceiling_kind, good[i].kind);
        assert_int_equal(signal.ceiling, good[i].value);
    }

    for (i = 0; i < nelts(bad); i++) {
        assert_int_equal(say(&signal, (hash_t) { .ceiling = bad[i] }),
                         BAD(CEILING));
        assert_int_equal(signal.ceiling_kind, RCV_CEILING_LEVEL);
        assert_int_equal(signal.ceiling, 2500000);
    }

    /* the good fields of a hash with a bad one count */

    assert_int_equal(say(&signal, (hash_t) { .health = "down",
                                             .ceiling = "x" }), BAD(CEILING));
    assert_int_equal(signal.health, RCV_HEALTH_DOWN);

    assert_int_equal(say(&signal, (hash_t) { 0 }), 0);
    assert_int_equal(signal.ceiling_kind, RCV_CEILING_NONE);
}


static void
test_force(void **unused)
{
    size_t        i;
    rcv_signal_t  signal;

    static const struct {
        const char   *word;
        const char   *until;
        unsigned      bad;
        rcv_force_t   force;
        uint32_t      ppm;
        uint64_t      until_ms;
    } cases[] = {
        { "open",   "1700000060", 0, RCV_FORCE_OPEN,   0, 65000 },
        { "closed", "1700000001", 0, RCV_FORCE_CLOSED, 0, 6000 },
        { "hold",   NULL,         0, RCV_FORCE_HOLD,   0, 0 },
        { "hold",   "1700000010", 0, RCV_FORCE_HOLD,   0, 15000 },
        { "35%",    NULL,         0, RCV_FORCE_LEVEL,  350000, 0 },
        { "0%",     NULL,         0, RCV_FORCE_LEVEL,  0, 0 },
        { "100%",   "1700000002", 0, RCV_FORCE_LEVEL,  1000000, 7000 },
        { "closed", "18446744073709551615", 0, RCV_FORCE_CLOSED, 0,
          UINT64_MAX },

        { "open",   NULL,         BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "closed", NULL,         BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "closed", "1700000000", BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "open",   "0",          BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "open",   "soon",       BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "35%",    "soon",       BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
        { "35",     NULL,         BAD(FORCE), RCV_FORCE_NONE, 0, 0 },
        { "101%",   NULL,         BAD(FORCE), RCV_FORCE_NONE, 0, 0 },
        { "shut",   "1700000060", BAD(FORCE), RCV_FORCE_NONE, 0, 0 },
        { "",       "",           BAD(FORCE) | BAD(FORCE_UNTIL),
          RCV_FORCE_NONE, 0, 0 },
        { NULL,     "1700000060", 0, RCV_FORCE_NONE, 0, 0 },
        { NULL,     "soon",       BAD(FORCE_UNTIL), RCV_FORCE_NONE, 0, 0 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        memset(&signal, 0, sizeof(signal));
        assert_int_equal(say(&signal, (hash_t) { .force = cases[i].word,
                                                 .until = cases[i].until }),
                         cases[i].bad);
        assert_int_equal(signal.force, cases[i].force);
        assert_int_equal(signal.force_ppm, cases[i].ppm);
        assert_true(signal.force_until_ms == cases[i].until_ms);
        assert_int_equal(rcv_signal_force(&signal, NOW_MS), cases[i].force);
    }
}


/* What is refused leaves the force that is in force. */

static void
test_force_refused(void **unused)
{
    rcv_signal_t  signal;

    (void) unused;

    memset(&signal, 0, sizeof(signal));

    assert_int_equal(say(&signal, (hash_t) { .force = "closed",
                                             .until = "1700000060" }), 0);

    assert_int_equal(say(&signal, (hash_t) { .force = "open" }),
                     BAD(FORCE_UNTIL));
    assert_int_equal(say(&signal, (hash_t) { .force = "open",
                                             .until = "1699999999" }),
                     BAD(FORCE_UNTIL));
    assert_int_equal(say(&signal, (hash_t) { .force = "nonsense",
                                             .until = "1700000060" }),
                     BAD(FORCE));

    assert_int_equal(signal.force, RCV_FORCE_CLOSED);
    assert_int_equal(signal.force_until_ms, NOW_MS + 60000);

    assert_int_equal(say(&signal, (hash_t) { 0 }), 0);
    assert_int_equal(signal.force, RCV_FORCE_NONE);
}


static void
test_force_runs_out(void **unused)
{
    hash_t        hash = { .force = "closed", .until = "1700000010" };
    rcv_signal_t  signal;

    (void) unused;

    memset(&signal, 0, sizeof(signal));
    assert_int_equal(say(&signal, hash), 0);

    /* read late in a second, the same end seems further: it is not */

    assert_int_equal(say_at(&signal, hash, 999), 0);
    assert_int_equal(signal.force_until_ms, NOW_MS + 10000);

    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 9999),
                     RCV_FORCE_CLOSED);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 10000),
                     RCV_FORCE_NONE);

    /* it has run out and nobody deletes it: none, and not reported */

    assert_int_equal(say_at(&signal, hash, 10999), 0);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 10999),
                     RCV_FORCE_NONE);
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 3600000),
                     RCV_FORCE_NONE);

    /* and again */

    hash.until = "1700003700";
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 3600000),
                     RCV_FORCE_CLOSED);

    /* longer, and shorter */

    hash.until = "1700003800";
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(signal.force_until_ms, NOW_MS + 3800000);
    hash.until = "1700003650";
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(signal.force_until_ms, NOW_MS + 3650000);

    /* ended by setting its end into the past */

    hash.until = "1";
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 3600000),
                     RCV_FORCE_NONE);

    /* an end that is past is no fault where none is needed */

    hash.force = "35%";
    assert_int_equal(say_at(&signal, hash, 3600000), 0);
    assert_int_equal(rcv_signal_force(&signal, NOW_MS + 3600000),
                     RCV_FORCE_NONE);
}


static void
test_epoch(void **unused)
{
    rcv_signal_t  signal;

    (void) unused;

    memset(&signal, 0, sizeof(signal));

    assert_int_equal(say(&signal, (hash_t) { .health = "up", .epoch = "7" }),
                     0);
    assert_int_equal(say(&signal, (hash_t) { .health = "down", .epoch = "6" }),
                     BAD(EPOCH));
    assert_int_equal(signal.health, RCV_HEALTH_UP);

    assert_int_equal(say(&signal, (hash_t) { .health = "down", .epoch = "7" }),
                     0);
    assert_int_equal(signal.health, RCV_HEALTH_DOWN);

    assert_int_equal(say(&signal, (hash_t) { .health = "up", .epoch = "x" }),
                     BAD(EPOCH));
    assert_int_equal(signal.health, RCV_HEALTH_UP);
    assert_int_equal(signal.epoch, 7);

    assert_int_equal(say(&signal, (hash_t) { .health = "down" }), 0);
    assert_int_equal(signal.health, RCV_HEALTH_DOWN);
    assert_int_equal(say(&signal, (hash_t) { .health = "up", .epoch = "3" }),
                     BAD(EPOCH));

    assert_int_equal(say(&signal, (hash_t) {
                         .health = "up", .epoch = "9223372036854775807" }), 0);

    /* what Redis itself could not count */

    assert_int_equal(say(&signal, (hash_t) {
                         .health = "down", .epoch = "9223372036854775808" }),
                     BAD(EPOCH));
    assert_int_equal(signal.epoch, INT64_MAX);
    assert_int_equal(signal.health, RCV_HEALTH_DOWN);
}


static void
test_promote(void **unused)
{
    rcv_signal_t  signal;

    (void) unused;

    memset(&signal, 0, sizeof(signal));

    assert_int_equal(say(&signal, (hash_t) { .health = "recovering" }), 0);
    assert_int_equal(signal.classes, 0);
    assert_int_equal(say(&signal, (hash_t) { .promote = "critical" }), 0);
    assert_int_equal(signal.classes, 1);
    assert_int_equal(say(&signal, (hash_t) { .promote = "low" }), 0);
    assert_int_equal(signal.classes, 4);

    /* of no policy of this backend */

    assert_int_equal(say(&signal, (hash_t) { .promote = "vip" }),
                     BAD(PROMOTE));
    assert_int_equal(say(&signal, (hash_t) { .promote = "" }), BAD(PROMOTE));
    assert_int_equal(signal.classes, 4);

    assert_int_equal(say(&signal, (hash_t) { .epoch = "2" }), 0);
    assert_int_equal(signal.classes, 0);

    /* an older epoch says nothing */

    assert_int_equal(say(&signal, (hash_t) { .promote = "low",
                                             .epoch = "1" }), BAD(EPOCH));
    assert_int_equal(signal.classes, 0);
}


static void
test_effective(void **unused)
{
    size_t           i;
    rcv_policy_t     policy;
    rcv_signal_t     signal;
    rcv_source_t     source;
    rcv_effective_t  effective;

    static const struct {
        rcv_lost_mode_t  mode;
        uint64_t         hold_ms;
        rcv_source_t     source;
        rcv_health_t     said;
        rcv_health_t     health;
        unsigned         lost;
        unsigned         stale;
    } cases[] = {

        /* fresh, stale, not yet lost, lost */

        { RCV_LOST_KEEP, 30000, { 1, 1, 0 },
          RCV_HEALTH_UP, RCV_HEALTH_UP, 0, 0 },
        { RCV_LOST_KEEP, 30000, { 1, 1, RCV_STALE_MS - 1 },
          RCV_HEALTH_UP, RCV_HEALTH_UP, 0, 0 },
        { RCV_LOST_KEEP, 30000, { 1, 1, RCV_STALE_MS },
          RCV_HEALTH_UP, RCV_HEALTH_UP, 0, 1 },
        { RCV_LOST_SHED, 30000, { 1, 1, 29999 },
          RCV_HEALTH_UP, RCV_HEALTH_UP, 0, 1 },
        { RCV_LOST_SHED, 30000, { 1, 1, 30000 },
          RCV_HEALTH_UP, RCV_HEALTH_DOWN, 1, 1 },
        { RCV_LOST_KEEP, 30000, { 1, 1, UINT64_MAX },
          RCV_HEALTH_DOWN, RCV_HEALTH_DOWN, 1, 1 },
        { RCV_LOST_PASS, 30000, { 1, 1, 30000 },
          RCV_HEALTH_DOWN, RCV_HEALTH_UP, 1, 0 },

        /* no hold: not between two polls */

        { RCV_LOST_SHED, 0, { 1, 1, 1200 },
          RCV_HEALTH_UP, RCV_HEALTH_UP, 0, 0 },
        { RCV_LOST_SHED, 0, { 1, 1, RCV_STALE_MS },
          RCV_HEALTH_UP, RCV_HEALTH_DOWN, 1, 1 },

        /* never heard, with and without an opinion from before */

        { RCV_LOST_SHED, 0, { 1, 0, UINT64_MAX },
          RCV_HEALTH_NONE, RCV_HEALTH_NONE, 0, 0 },
        { RCV_LOST_SHED, 0, { 1, 0, UINT64_MAX },
          RCV_HEALTH_DOWN, RCV_HEALTH_DOWN, 0, 1 },

        /* no source */

        { RCV_LOST_SHED, 0, { 0, 0, UINT64_MAX },
          RCV_HEALTH_NONE, RCV_HEALTH_NONE, 0, 0 },
    };

    (void) unused;

    memset(&policy, 0, sizeof(policy));
    memset(&signal, 0, sizeof(signal));

    for (i = 0; i < nelts(cases); i++) {
        policy.lost_mode = cases[i].mode;
        policy.lost_hold_ms = cases[i].hold_ms;
        signal.health = (uint8_t) cases[i].said;
        source = cases[i].source;

        effective = rcv_health_effective(&signal, &source, &policy);

        assert_int_equal(effective.health, cases[i].health);
        assert_int_equal(effective.lost, cases[i].lost);
        assert_int_equal(effective.stale, cases[i].stale);
    }
}


/* Who wrote what is told also when it moves nothing. */

static void
test_news(void **unused)
{
    unsigned  i;

    static const struct {
        rcv_signal_t  before;
        rcv_signal_t  now;
        rcv_why_t     news;
    } cases[] = {
        { { .health = RCV_HEALTH_UP }, { .health = RCV_HEALTH_UP },
          RCV_WHY_START },
        { { .health = RCV_HEALTH_UP }, { .health = RCV_HEALTH_DOWN },
          RCV_WHY_HEALTH_DOWN },
        { { .health = RCV_HEALTH_UP }, { .health = RCV_HEALTH_RECOVERING },
          RCV_WHY_HEALTH_RECOVERING },
        { { .health = RCV_HEALTH_DEGRADED, .health_ppm = 500000 },
          { .health = RCV_HEALTH_DEGRADED, .health_ppm = 300000 },
          RCV_WHY_HEALTH_DEGRADED },

        /* the first word may be an old one */
        { { .health = RCV_HEALTH_NONE }, { .health = RCV_HEALTH_UP },
          RCV_WHY_START },

        { { .ceiling_kind = RCV_CEILING_NONE },
          { .ceiling_kind = RCV_CEILING_RATE, .ceiling = 5000 },
          RCV_WHY_CEILING },
        { { .ceiling_kind = RCV_CEILING_RATE, .ceiling = 5000 },
          { .ceiling_kind = RCV_CEILING_RATE, .ceiling = 6000 },
          RCV_WHY_CEILING },
        { { .ceiling_kind = RCV_CEILING_RATE, .ceiling = 5000 },
          { .ceiling_kind = RCV_CEILING_NONE }, RCV_WHY_CEILING_ENDED },

        /* orders have events of their own */
        { { .force = RCV_FORCE_NONE }, { .force = RCV_FORCE_CLOSED },
          RCV_WHY_START },
        { { .classes = 0 }, { .classes = 2 }, RCV_WHY_PROMOTED },
        { { .classes = 2 }, { .classes = 3 }, RCV_WHY_PROMOTED },
        { { .classes = 2 }, { .classes = 0 }, RCV_WHY_PROMOTE_ENDED },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        assert_int_equal(rcv_state_news(&cases[i].before, &cases[i].now),
                         cases[i].news);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_health_words),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_force_refused),
        cmocka_unit_test(test_force_runs_out),
        cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_promote),
        cmocka_unit_test(test_effective),
        cmocka_unit_test(test_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
