
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "policy_text.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define LONG_WORD                                                             \
    "0123456789012345678901234567890123456789012345678901234567890123456789"  \
    "0123456789012345678901234567890123456789012345678901234567890123456789"  \
    "0123456789012345678901234567890123456789012345678901234567890123456789"


/* Every policy in these tests: too large for the stack of a test. */

static rcv_policy_t  policy;


static void
test_defaults(void **state)
{
    (void) state;

    policy_text_good(&policy, "");

    assert_string_equal(policy.name, "test");

    assert_int_equal(policy.ramp.kind, RCV_RAMP_DOUBLE);
    assert_int_equal(policy.ramp.from_ppm, 20000);
    assert_int_equal(policy.ramp.double_ms, 1000);
    assert_int_equal(policy.ramp.verify_ms, 60000);

    assert_int_equal(policy.feedback, 1);
    assert_int_equal(policy.feedback_errors_ppm, 20000);
    assert_int_equal(policy.feedback_latency_milli, 2000);

    assert_int_equal(policy.nclasses, 4);
    assert_string_equal(policy.classes[0].name, "critical");
    assert_string_equal(policy.classes[1].name, "high");
    assert_string_equal(policy.classes[2].name, "normal");
    assert_string_equal(policy.classes[3].name, "low");
    assert_int_equal(policy.default_class, 2);
    assert_int_equal(policy.classes[0].share_ppm, 1000000);
    assert_int_equal(policy.classes[1].share_ppm, 900000);
    assert_int_equal(policy.classes[2].share_ppm, 800000);
    assert_int_equal(policy.classes[3].share_ppm, 700000);

    assert_int_equal(policy.nmatches, 0);
    assert_int_equal(policy.nsubjects, 0);
    assert_int_equal(policy.ntrust, 0);
    assert_int_equal(policy.cohort, -1);
    assert_int_equal(policy.retries, 0);

    assert_int_equal(policy.shed_status, 503);
    assert_int_equal(policy.retry_after_min_s, 1);
    assert_int_equal(policy.retry_after_max_s, 60);

    assert_int_equal(policy.down_mode, RCV_DOWN_SHED);
    assert_int_equal(policy.probe_ppm, 10000);
    assert_int_equal(policy.lost_mode, RCV_LOST_KEEP);
    assert_int_equal(policy.lost_hold_ms, 30000);

    rcv_policy_free(&policy);
}


/* The policy of the design, every line of it. */

static void
test_whole(void **state)
{
    (void) state;

    policy_text_good(&policy,
        "ramp from=5% double=500ms verify=2m;"
        "feedback errors=3% latency=1.5x;"
        "class critical reserve=20%; class high; class normal default;"
        "class low;"
        "match critical $uri ~ ^/(login|token)(/|$);"
        "match low $request_method ~* ^(put|delete)$;"
        "match high $http_x_priority = high;"
        "match low $uri = /batch;"
        "trust 10.0.0.0/8 192.0.2.1; trust 2001:db8::/32;"
        "cohort $cookie_session$binary_remote_addr;"
        "retries $http_x_retry_attempt ~ ^[1-9] budget=10%;"
        "shed status=429 retry_after=2s..5m;"
        "when down probe=2%;"
        "when signal_lost hold=1m then=shed;");

    assert_int_equal(policy.ramp.from_ppm, 50000);
    assert_int_equal(policy.ramp.double_ms, 500);
    assert_int_equal(policy.ramp.verify_ms, 120000);
    assert_int_equal(policy.feedback_errors_ppm, 30000);
    assert_int_equal(policy.feedback_latency_milli, 1500);
    assert_int_equal(policy.classes[0].reserve_ppm, 200000);
    assert_int_equal(policy.classes[1].share_ppm, 800000);

    assert_int_equal(policy.nmatches, 4);
    assert_int_equal(policy.matches[0].class_index, 0);
    assert_int_equal(policy.matches[0].test.op, RCV_OP_REGEX);
    assert_non_null(policy.matches[0].test.pattern);
    assert_int_equal(policy.matches[1].test.op, RCV_OP_REGEX_CASELESS);
    assert_int_equal(policy.matches[2].class_index, 1);
    assert_int_equal(policy.matches[2].test.op, RCV_OP_EQUAL);
    assert_null(policy.matches[2].test.pattern);
    assert_true(rcv_str_eq(policy.matches[2].test.value, "high"));

    /* "$uri" is one subject */

    assert_int_equal(policy.matches[3].test.subject,
                     policy.matches[0].test.subject);
    assert_int_equal(policy.nsubjects, 5);
    assert_int_equal(policy.subjects[0].client_chosen, 0);
    assert_int_equal(policy.subjects[2].client_chosen, 1);
    assert_true(rcv_str_eq(policy.subjects[policy.cohort].text,
                           "$cookie_session$binary_remote_addr"));

    assert_int_equal(policy.ntrust, 3);
    assert_int_equal(policy.retries, 1);
    assert_int_equal(policy.retries_budget_ppm, 100000);
    assert_true(rcv_str_eq(
                    policy.subjects[policy.retries_test.subject].text,
                    "$http_x_retry_attempt"));

    assert_int_equal(policy.shed_status, 429);
    assert_int_equal(policy.retry_after_min_s, 2);
    assert_int_equal(policy.retry_after_max_s, 300);
    assert_int_equal(policy.down_mode, RCV_DOWN_PROBE);
    assert_int_equal(policy.probe_ppm, 20000);
    assert_int_equal(policy.lost_hold_ms, 60000);
    assert_int_equal(policy.lost_mode, RCV_LOST_SHED);

    rcv_policy_free(&policy);
}


static void
test_ramp(void **state)
{
    (void) state;

    policy_text_good(&policy, "ramp verify=0;");
    assert_int_equal(policy.ramp.kind, RCV_RAMP_DOUBLE);
    assert_int_equal(policy.ramp.verify_ms, 0);

    policy_text_good(&policy, "ramp over=120s from=100%;");
    assert_int_equal(policy.ramp.kind, RCV_RAMP_OVER);
    assert_int_equal(policy.ramp.over_ms, 120000);
    assert_int_equal(policy.ramp.from_ppm, 1000000);

    policy_text_good(&policy, "ramp steps=5%:30s,25%:60s,100%;");
    assert_int_equal(policy.ramp.kind, RCV_RAMP_STEPS);
    assert_int_equal(policy.ramp.nsteps, 3);
    assert_int_equal(policy.ramp.from_ppm, 50000);
    assert_int_equal(policy.ramp.steps[0].level_ppm, 50000);
    assert_int_equal(policy.ramp.steps[0].for_ms, 30000);
    assert_int_equal(policy.ramp.steps[1].level_ppm, 250000);
    assert_int_equal(policy.ramp.steps[1].for_ms, 60000);
    assert_int_equal(policy.ramp.steps[2].level_ppm, 1000000);
    assert_int_equal(policy.ramp.steps[2].for_ms, 0);

    policy_text_good(&policy, "ramp steps=1%:1,2%:1,3%:1,4%:1,5%:1,6%:1,7%:1,"
                     "8%:1,9%:1,10%:1,11%:1,12%:1,13%:1,14%:1,15%:1,100%;");
    assert_int_equal(policy.ramp.nsteps, RCV_STEPS_MAX);

    policy_text_good(&policy, "feedback off;");
    assert_int_equal(policy.feedback, 0);
}


static void
test_reserves(void **state)
{
    size_t    i;
    unsigned  n;
    uint32_t  share;

    static const struct {
        const char  *text;
        uint32_t     reserves[5];
        unsigned     default_class;
    } rows[] = {
        { "class a;", { 0 }, 0 },
        { "class a reserve=0%;", { 0 }, 0 },
        { "class a; class b;", { 100000, 0 }, 1 },
        { "class a; class normal; class b;", { 100000, 100000, 0 }, 1 },
        { "class a default; class normal;", { 100000, 0 }, 0 },
        { "class a reserve=0% default; class b reserve=0%;", { 0, 0 }, 0 },
        { "class a reserve=99.9999%; class b;", { 999999, 0 }, 1 },
        { "class a reserve=90%; class b; class c; class d;",
          { 900000, 33333, 33333, 0 }, 3 },
        { "class a; class b; class c reserve=99.9999%; class d;",
          { 0, 0, 999999, 0 }, 3 },
        { "class a reserve=50%; class b reserve=20%; class c; class d;",
          { 500000, 200000, 100000, 0 }, 3 },
        { "class a default reserve=1%; class b;", { 10000, 0 }, 0 }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        policy_text_good(&policy, rows[i].text);
        share = RCV_PPM;

        for (n = 0; n < policy.nclasses; n++) {
            if (policy.classes[n].reserve_ppm != rows[i].reserves[n]
                || policy.classes[n].share_ppm != share)
            {
                fail_msg("\"%s\": class %u has reserve %u, share %u",
                         rows[i].text, n, policy.classes[n].reserve_ppm,
                         policy.classes[n].share_ppm);
            }

            share -= policy.classes[n].reserve_ppm;
        }

        if (policy.default_class != rows[i].default_class) {
            fail_msg("\"%s\": default %u", rows[i].text,
                     policy.default_class);
        }
    }
}


static void
test_many_classes(void **state)
{
    unsigned  i;

    (void) state;

    policy_text_good(&policy,
        "class a; class b; class c; class d; class e; class f; class g;"
        "class h; class i; class j; class k; class l; class m; class n;"
        "class o; class p;");

    assert_int_equal(policy.nclasses, RCV_CLASSES_MAX);
    assert_int_equal(policy.default_class, 15);

    for (i = 0; i + 1 < RCV_CLASSES_MAX; i++) {
        assert_int_equal(policy.classes[i].reserve_ppm, 900000 / 16);
    }

    assert_int_equal(policy.classes[15].share_ppm,
                     1000000 - 15 * (900000 / 16));
    assert_int_equal(rcv_policy_class(&policy, str("p")), 15);
    assert_int_equal(rcv_policy_class(&policy, str("q")), -1);
    assert_int_equal(rcv_policy_class(&policy, str("")), -1);
    assert_int_equal(rcv_policy_class(&policy, str("aa")), -1);
}


/* Of each row: the fault, the word that is wrong, what is said of it. */

typedef struct {
    const char  *text;
    const char  *word;
    const char  *says;
} fault_t;


static void
check_faults(const fault_t *rows, size_t n)
{
    char    err[RCV_ERROR_MAX];
    char    quoted[RCV_ERROR_MAX];
    size_t  i;

    for (i = 0; i < n; i++) {
        err[0] = '\0';

        if (policy_text_read(&policy, rows[i].text, err, sizeof(err)) == 0) {
            fail_msg("\"%s\" has no fault", rows[i].text);
        }

        rcv_policy_free(&policy);

        (void) snprintf(quoted, sizeof(quoted), "\"%s\"", rows[i].word);

        if (strstr(err, quoted) == NULL || strstr(err, rows[i].says) == NULL)
        {
            fail_msg("\"%s\": %s", rows[i].text, err);
        }
    }
}


static void
test_bad_lines(void **state)
{
    static const fault_t  rows[] = {
        { "foo bar;", "foo", "it must be one of \"ramp\", \"feedback\", "
          "\"class\", \"match\", \"trust\", \"cohort\", \"retries\", "
          "\"shed\", \"when\"" },
        { "'' x;", "", "it must be one of \"ramp\"" },
        { "RAMP from=1%;", "RAMP", "it must be one of" },
        { "ramp;", "ramp", "invalid number of words" },
        { "feedback;", "feedback", "invalid number of words" },
        { "class;", "class", "class NAME [reserve=PERCENT] [default]" },
        { "match;", "match", "match CLASS STRING = | ~ | ~* PATTERN" },
        { "match low $uri =;", "match", "match CLASS STRING" },
        { "match low $uri = a b;", "match", "match CLASS STRING" },
        { "trust;", "trust", "trust ADDRESS[/BITS]..." },
        { "cohort;", "cohort", "cohort STRING" },
        { "cohort $a $b;", "cohort", "cohort STRING" },
        { "retries $http_r = 1;", "retries", "budget=PERCENT" },
        { "retries $http_r = 1 budget=1% budget=2%;", "retries",
          "budget=PERCENT" },
        { "shed;", "shed", "status=CODE" },
        { "when;", "when", "signal_lost" },

        { "ramp from=1%; ramp from=1%;", "ramp", "is duplicate" },
        { "feedback off; feedback off;", "feedback", "is duplicate" },
        { "cohort $uri; cohort $uri;", "cohort", "is duplicate" },
        { "retries $uri = 1 budget=1%; retries $uri = 1 budget=1%;",
          "retries", "is duplicate" },
        { "shed status=503; shed status=503;", "shed", "is duplicate" },
        { "when down shed; when down pass;", "when down", "is duplicate" },
        { "when signal_lost hold=1s; when signal_lost then=keep;",
          "when signal_lost", "is duplicate" }
    };

    (void) state;

    check_faults(rows, nelts(rows));
}


static void
test_bad_ramp(void **state)
{
    static const char  portion[] = "a percentage above 0% and up to 100%";
    static const char  steps[] = "rising steps";

    const fault_t  rows[] = {
        { "ramp fast;", "fast", "it must be one of \"from=\", \"double=\", "
          "\"over=\", \"steps=\", \"verify=\"" },
        { "ramp from;", "from", "unknown parameter" },
        { "ramp =1;", "=1", "unknown parameter" },
        { "ramp '';", "", "unknown parameter" },
        { "ramp From=1%;", "From=1%", "unknown parameter" },
        { "ramp from=5x;", "5x", portion },
        { "ramp from=;", "", portion },
        { "ramp from=0%;", "0%", portion },
        { "ramp from=0.00001%;", "0.00001%", portion },
        { "ramp from=100.1%;", "100.1%", portion },
        { "ramp from=-1%;", "-1%", portion },
        { "ramp from=2;", "2", portion },
        { "ramp from=99999999999999999999%;", "99999999999999999999%",
          portion },
        { "ramp from=2%=3%;", "2%=3%", portion },
        { "ramp double=0;", "0", "a time from 10ms" },
        { "ramp double=9ms;", "9ms", "a time from 10ms" },
        { "ramp double=soon;", "soon", "a time from 10ms" },
        { "ramp over=99ms;", "99ms", "a time from 100ms" },
        { "ramp over=31d;", "31d", "a time from 100ms to 30d" },
        { "ramp over=-1s;", "-1s", "a time from 100ms" },
        { "ramp verify=61m;", "61m", "a time up to 1h" },
        { "ramp verify=;", "", "a time up to 1h" },
        { "ramp from=1% from=1%;", "from", "is duplicate" },
        { "ramp over=1s over=1s;", "over", "is duplicate" },
        { "ramp over=1s double=1s;", "double", "exclude each other" },
        { "ramp steps=5%:1s,100% double=1s;", "steps", "exclude each other" },
        { "ramp steps=5%:1s,100% over=1s;", "steps", "exclude each other" },
        { "ramp steps=5%:1s,100% from=1%;", "steps", "exclude each other" },
        { "ramp steps=;", "", steps },
        { "ramp steps=,;", ",", steps },
        { "ramp steps=100%:1s;", "100%:1s", steps },
        { "ramp steps=5%,100%;", "5%,100%", steps },
        { "ramp steps=5%:1s;", "5%:1s", steps },
        { "ramp steps=5%:1s,99%;", "5%:1s,99%", steps },
        { "ramp steps=5%:1s,,100%;", "5%:1s,,100%", steps },
        { "ramp steps=5%:1s,100%,;", "5%:1s,100%,", steps },
        { "ramp steps=0%:1s,100%;", "0%:1s,100%", steps },
        { "ramp steps=5%:9ms,100%;", "5%:9ms,100%", steps },
        { "ramp steps=5%:x,100%;", "5%:x,100%", steps },
        { "ramp steps=5%:1s:2s,100%;", "5%:1s:2s,100%", steps },
        { "ramp steps=5%:1s,5%:1s,100%;", "5%:1s,5%:1s,100%", steps },
        { "ramp steps=25%:1s,5%:1s,100%;", "25%:1s,5%:1s,100%", steps },
        { "ramp steps=5%:1s,100%:1s,100%;", "5%:1s,100%:1s,100%", steps },
        { "ramp steps=5%:1s,200%;", "5%:1s,200%", steps },
        { "ramp steps=1%:1,2%:1,3%:1,4%:1,5%:1,6%:1,7%:1,8%:1,9%:1,10%:1,"
          "11%:1,12%:1,13%:1,14%:1,15%:1,16%:1,100%;",
          "1%:1,2%:1,3%:1,4%:1,5%:1,6%:1,7%:1,8%:1,9%:1,10%:1,11%:1,12%:1,1"
          "...", "up to 16" }
    };

    (void) state;

    check_faults(rows, nelts(rows));
}


static void
test_bad_values(void **state)
{
    static const char  factor[] = "above 1x and up to 100x";
    static const char  bounds[] = "1s <= MIN <= MAX <= 1h";

    const fault_t  rows[] = {
        { "feedback on;", "on", "it must be one of \"off\", \"errors=\", "
          "\"latency=\"" },
        { "feedback off=1;", "off=1", "unknown parameter" },
        { "feedback off errors=2%;", "off", "excludes all other" },
        { "feedback off off;", "off", "is duplicate" },
        { "feedback errors=0%;", "0%", "above 0%" },
        { "feedback errors=101%;", "101%", "up to 100%" },
        { "feedback latency=2;", "2", factor },
        { "feedback latency=x;", "x", factor },
        { "feedback latency=;", "", factor },
        { "feedback latency=1x;", "1x", factor },
        { "feedback latency=0.5x;", "0.5x", factor },
        { "feedback latency=100.5x;", "100.5x", factor },
        { "feedback latency=2xx;", "2xx", factor },
        { "feedback latency=99999999999999999999x;",
          "99999999999999999999x", factor },
        { "feedback errors=1% errors=1%;", "errors", "is duplicate" },

        { "shed body=x;", "body=x", "\"status=\", \"retry_after=\"" },
        { "shed status=abc;", "abc", "from 400 to 599" },
        { "shed status=;", "", "from 400 to 599" },
        { "shed status=399;", "399", "from 400 to 599" },
        { "shed status=600;", "600", "from 400 to 599" },
        { "shed status=18446744073709551616;", "18446744073709551616",
          "from 400 to 599" },
        { "shed status=503 status=503;", "status", "is duplicate" },
        { "shed retry_after=1s;", "1s", bounds },
        { "shed retry_after=1s..;", "1s..", bounds },
        { "shed retry_after=..1s;", "..1s", bounds },
        { "shed retry_after=0s..5s;", "0s..5s", bounds },
        { "shed retry_after=5s..1s;", "5s..1s", bounds },
        { "shed retry_after=1500ms..5s;", "1500ms..5s", bounds },
        { "shed retry_after=1s..1500ms;", "1s..1500ms", bounds },
        { "shed retry_after=1s..2h;", "1s..2h", bounds },
        { "shed retry_after=1s..2s..3s;", "1s..2s..3s", bounds },
        { "shed retry_after=1s...2s;", "1s...2s", bounds },

        { "when broken shed;", "broken", "\"down\" or \"signal_lost\"" },
        { "when down;", "when down", "when down probe=PERCENT" },
        { "when down shed pass;", "when down", "when down probe=PERCENT" },
        { "when down drop;", "drop", "one of \"shed\", \"pass\", "
          "\"probe=\"" },
        { "when down probe;", "probe", "\"probe=\"" },
        { "when down shed=1;", "shed=1", "unknown parameter" },
        { "when down probe=0%;", "0%", "above 0% and up to 10%" },
        { "when down probe=10.1%;", "10.1%", "above 0% and up to 10%" },
        { "when signal_lost;", "when signal_lost", "invalid number" },
        { "when signal_lost shed;", "shed", "\"hold=\", \"then=\"" },
        { "when signal_lost hold=forever;", "forever", "up to 1d" },
        { "when signal_lost hold=25h;", "25h", "up to 1d" },
        { "when signal_lost then=panic;", "panic",
          "\"keep\", \"shed\" or \"pass\"" },
        { "when signal_lost then=;", "", "\"keep\", \"shed\"" },
        { "when signal_lost then=keep then=keep;", "then", "is duplicate" }
    };

    (void) state;

    check_faults(rows, nelts(rows));
}


static void
test_bad_rules(void **state)
{
    static const char  seventeen[] =
        "class c1; class c2; class c3; class c4; class c5; class c6;"
        "class c7; class c8; class c9; class c10; class c11; class c12;"
        "class c13; class c14; class c15; class c16; class c17;";

    const fault_t  rows[] = {
        { "class '';", "", "letters, digits" },
        { "class -a;", "-a", "letters, digits" },
        { "class a:b;", "a:b", "letters, digits" },
        { "class " LONG_WORD ";", "01234567890123456789012345678901234567890"
          "12345678901234567890123...", "1 to 63" },
        { "class a; class a;", "a", "is duplicate" },
        { "class a foo;", "foo", "one of \"default\", \"reserve=\"" },
        { "class a default default;", "default", "is duplicate" },
        { "class a default; class b default;", "b", "\"a\" is already" },
        { "class a reserve=1% reserve=1%;", "reserve", "is duplicate" },
        { "class a reserve=100%;", "100%", "below 100%" },
        { "class a reserve=10;", "10", "below 100%" },
        { "class a reserve=-5%;", "-5%", "below 100%" },
        { "class a reserve=10%;", "a", "no class comes after it" },
        { "class a; class b reserve=1%;", "b", "no class comes after it" },
        { "class a reserve=60%; class b reserve=40%; class c;", "b",
          "must be below 100%" },
        { "class a; class b reserve=99%; class c reserve=99%; class d;", "c",
          "must be below 100%" },
        { seventeen, "c17", "at most 16" },
        { "match low $uri = /; class a;", "a", "before the first \"match\"" },
        { "class a; match a $uri = /; class b;", "b",
          "before the first \"match\"" },

        { "match vip $uri = /;", "vip", "one of \"critical\", \"high\", "
          "\"normal\", \"low\"" },
        { "class a; match low $uri = /;", "low", "one of \"a\"" },
        { "match low $uri == /;", "==", "\"=\", \"~\" or \"~*\"" },
        { "match low $uri !~ /;", "!~", "\"=\", \"~\" or \"~*\"" },
        { "match low $uri '' /;", "", "\"=\", \"~\" or \"~*\"" },
        { "match low uri = /;", "uri", "has no variable" },
        { "match low '' = /;", "", "has no variable" },
        { "match low $ = /;", "$", "has no variable" },
        { "match low ${} = /;", "${}", "has no variable" },
        { "match low $$- = /;", "$$-", "has no variable" },
        { "match low $uri ~ a(b;", "a(b", "closing parenthesis" },
        { "match low $uri ~ a(b;", "a(b", " at offset 3" },
        { "match low $uri ~* [z-a];", "[z-a]", "out of order" },
        { "match low $uri ~ (*UTF)x;", "(*UTF)x", "at offset" },

        { "cohort user;", "user", "has no variable" },
        { "retries $http_r ! 1 budget=1%;", "!", "\"=\", \"~\" or \"~*\"" },
        { "retries $http_r ~ ( budget=1%;", "(", "closing parenthesis" },
        { "retries http_r = 1 budget=1%;", "http_r", "has no variable" },
        { "retries $http_r = 1 bucket=1%;", "bucket=1%", "\"budget=\"" },
        { "retries $http_r = 1 budget=0%;", "0%", "above 0%" },
        { "retries $http_r = 1 budget=101%;", "101%", "up to 100%" },
        { "retries $http_r = 1 10%;", "10%", "\"budget=\"" }
    };

    (void) state;

    check_faults(rows, nelts(rows));
}


static void
test_bad_trust(void **state)
{
    static const char  network[] = "must be an IPv4 or IPv6 address";

    const fault_t  rows[] = {
        { "trust anywhere;", "anywhere", network },
        { "trust '';", "", network },
        { "trust 10.0.0.0/8 foo;", "foo", network },
        { "trust 300.0.0.1;", "300.0.0.1", network },
        { "trust 10.0.0;", "10.0.0", network },
        { "trust 10.0.0.0/;", "10.0.0.0/", network },
        { "trust /8;", "/8", network },
        { "trust 10.0.0.0/33;", "10.0.0.0/33", network },
        { "trust 10.0.0.0/-1;", "10.0.0.0/-1", network },
        { "trust 10.0.0.0/8/8;", "10.0.0.0/8/8", network },
        { "trust 10.0.0.0/18446744073709551624;",
          "10.0.0.0/18446744073709551624", network },
        { "trust 2001:db8::/129;", "2001:db8::/129", network },
        { "trust [::1];", "[::1]", network },
        { "trust fe80::1%eth0;", "fe80::1%eth0", network },
        { "trust 10.1.2.3/8;", "10.1.2.3/8", "would be \"10.0.0.0/8\"" },
        { "trust 10.0.0.1/31;", "10.0.0.1/31", "would be \"10.0.0.0/31\"" },
        { "trust 1.2.3.4/0;", "1.2.3.4/0", "would be \"0.0.0.0/0\"" },
        { "trust 2001:db8::1/32;", "2001:db8::1/32",
          "would be \"2001:db8::/32\"" },
        { "trust 2001:db8:8000::/32;", "2001:db8:8000::/32",
          "would be \"2001:db8::/32\"" },
        { "trust ::ffff:10.0.0.1/104;", "::ffff:10.0.0.1/104",
          "would be \"::ffff:10.0.0.0/104\"" }
    };

    (void) state;

    check_faults(rows, nelts(rows));
}


static void
test_trusts(void **state)
{
    size_t   i, len;
    uint8_t  addr[16];

    static const struct {
        const char  *addr;
        int          trusted;
    } rows[] = {
        { "10.0.0.0", 1 },
        { "10.255.255.255", 1 },
        { "11.0.0.0", 0 },
        { "9.255.255.255", 0 },
        { "192.0.2.1", 1 },
        { "192.0.2.2", 0 },
        { "172.16.0.1", 1 },
        { "172.31.255.255", 1 },
        { "172.32.0.0", 0 },
        { "198.51.100.7", 1 },
        { "198.51.101.7", 0 },
        { "2001:db8::1", 1 },
        { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 1 },
        { "2001:db9::", 0 },
        { "2001:db7:ffff::", 0 },
        { "::1", 1 },
        { "::2", 0 },
        { "::ffff:10.1.2.3", 1 },
        { "::ffff:11.1.2.3", 0 },
        { "a00::", 0 }
    };

    (void) state;

    policy_text_good(&policy,
        "trust 10.0.0.0/8 192.0.2.1 172.16.0.0/12;"
        "trust 2001:db8::/32 ::1 ::ffff:198.51.100.0/120;");

    for (i = 0; i < nelts(rows); i++) {
        len = 4;

        if (inet_pton(AF_INET, rows[i].addr, addr) != 1) {
            assert_int_equal(inet_pton(AF_INET6, rows[i].addr, addr), 1);
            len = 16;
        }

        if (rcv_policy_trusts(&policy, addr, len) != rows[i].trusted) {
            fail_msg("%s", rows[i].addr);
        }
    }

    /* a UNIX socket has no address */

    assert_int_equal(rcv_policy_trusts(&policy, addr, 0), 0);
    assert_int_equal(rcv_policy_trusts(&policy, addr, 5), 0);

    policy_text_good(&policy, "trust 0.0.0.0/0;");
    memset(addr, 0xff, sizeof(addr));
    assert_int_equal(rcv_policy_trusts(&policy, addr, 4), 1);
    assert_int_equal(rcv_policy_trusts(&policy, addr, 16), 0);

    policy_text_good(&policy, "trust ::/0;");
    assert_int_equal(rcv_policy_trusts(&policy, addr, 4), 0);
    assert_int_equal(rcv_policy_trusts(&policy, addr, 16), 1);
}


static void
test_client_chosen(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        int          chosen;
    } rows[] = {
        { "$http_x_priority", 1 },
        { "${http_x}", 1 },
        { "$HTTP_X", 1 },
        { "${Cookie_Session}", 1 },
        { "$cookie_session$binary_remote_addr", 1 },
        { "$binary_remote_addr$cookie_session", 1 },
        { "a${remote_addr}b${arg_p}c", 1 },
        { "$arg_priority", 1 },
        { "$args", 1 },
        { "${ARGS}", 1 },
        { "$query_string", 1 },
        { "$uri?$args", 1 },
        { "$$http_x", 1 },
        { "$uri", 0 },
        { "$remote_addr", 0 },
        { "$argsx", 0 },
        { "$args_x", 0 },
        { "$is_args", 0 },
        { "$query_strings", 0 },
        { "$sent_http_x", 0 },
        { "$upstream_http_x", 0 },
        { "$http", 0 },
        { "$httpx", 0 },
        { "$http2", 0 },
        { "http_x", 0 },
        { "$ http_x", 0 },
        { "$-http_x", 0 },
        { "$", 0 },
        { "${", 0 },
        { "", 0 }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        if (rcv_client_chosen(str(rows[i].text)) != rows[i].chosen) {
            fail_msg("\"%s\"", rows[i].text);
        }
    }
}


/* One line "WORDS" times, with "%u" counting; the message of the last. */

static unsigned
repeat(const char *format, unsigned times, char texts[][32], char *err)
{
    char       copy[32];
    char      *p;
    unsigned   i, n;
    rcv_str_t  words[8];

    rcv_policy_init(&policy, str("test"));

    for (i = 0; i < times; i++) {
        (void) snprintf(texts[i], 32, format, i / 256, i % 256);
        (void) strcpy(copy, texts[i]);

        n = 0;
        for (p = strtok(copy, " "); p != NULL; p = strtok(NULL, " ")) {
            words[n].data = texts[i] + (p - copy);
            words[n++].len = strlen(p);
        }

        if (rcv_policy_line(&policy, words, n, err, RCV_ERROR_MAX) != 0) {
            break;
        }
    }

    return i;
}


static void
test_too_many(void **state)
{
    char         err[RCV_ERROR_MAX];
    static char  texts[300][32];

    (void) state;

    assert_int_equal(repeat("match low $uri = %u%u", 300, texts, err),
                     RCV_MATCHES_MAX);
    assert_non_null(strstr(err, "at most 256"));
    assert_int_equal(policy.nsubjects, 1);
    rcv_policy_free(&policy);

    assert_int_equal(repeat("match low $a%u_%u = 1", 300, texts, err),
                     RCV_SUBJECTS_MAX);
    assert_non_null(strstr(err, "\"$a0_64\""));
    assert_non_null(strstr(err, "at most 64"));
    rcv_policy_free(&policy);

    assert_int_equal(repeat("trust 10.0.%u.%u", 300, texts, err),
                     RCV_TRUST_MAX);
    assert_non_null(strstr(err, "\"10.0.0.64\""));
    assert_non_null(strstr(err, "at most 64"));
    rcv_policy_free(&policy);
}


/* Messages: bounded, ended, no control bytes; no word is a C string. */

static void
test_messages(void **state)
{
    char       err[RCV_ERROR_MAX];
    size_t     size;
    rcv_str_t  words[2] = { { "ramp", 4 }, { "from=\033[1m\n\0\177", 12 } };
    rcv_str_t  verb = { "ramped", 4 };

    (void) state;

    rcv_policy_init(&policy, str("test"));
    assert_int_equal(rcv_policy_line(&policy, words, 2, err, sizeof(err)),
                     -1);
    assert_string_equal(err, "invalid value \"?[1m???\" of \"from\" in "
                        "\"ramp\", it must be a percentage above 0% and up "
                        "to 100%");

    /* the bytes behind a word are not part of it */

    rcv_policy_init(&policy, str("test"));
    words[0] = verb;
    words[1] = str("from=5%");
    assert_int_equal(rcv_policy_line(&policy, words, 2, err, sizeof(err)), 0);

    assert_int_equal(rcv_policy_line(&policy, words, 0, err, sizeof(err)),
                     -1);

    for (size = 1; size < 200; size++) {
        memset(err, '!', sizeof(err));
        assert_int_equal(policy_text_read(&policy, "foo x;", err, size), -1);
        assert_non_null(memchr(err, '\0', size));
        assert_int_equal(err[size], '!');
    }
}


/* Names of every length: the list of classes is whole, or ends with "...". */

static void
test_long_lists(void **state)
{
    char         err[RCV_ERROR_MAX];
    size_t       len;
    unsigned     i;
    rcv_str_t    line[] = { str("class"), { NULL, 0 } };
    rcv_str_t    match[] = { str("match"), str(LONG_WORD), str("$uri"),
                             str("="), str("/") };
    static char  names[RCV_CLASSES_MAX][RCV_NAME_MAX];

    (void) state;

    for (len = 1; len <= RCV_NAME_MAX; len++) {
        rcv_policy_init(&policy, str("test"));

        for (i = 0; i < RCV_CLASSES_MAX; i++) {
            memset(names[i], 'a' + (char) i, len);
            line[1] = (rcv_str_t) { names[i], len };
            assert_int_equal(rcv_policy_line(&policy, line, 2, err,
                                             sizeof(err)), 0);
        }

        assert_int_equal(rcv_policy_line(&policy, match, 5, err,
                                         sizeof(err)), -1);
        assert_non_null(strstr(err, "must be one of \"a"));

        /* 16 names of 11 bytes with quotes and commas take 238 bytes */

        if (len <= 11) {
            assert_int_equal(err[strlen(err) - 2], 'p');

        } else {
            assert_string_equal(err + strlen(err) - 6, "\", ...");
            assert_null(strchr(strstr(err, "one of"), 'p'));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_reserves),
        cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_bad_ramp),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_bad_trust),
        cmocka_unit_test(test_trusts),
        cmocka_unit_test(test_client_chosen),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_long_lists)
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
