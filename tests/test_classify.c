
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "classify.h"
#include "policy_text.h"
#include "sieve.h"


#define nelts(table)   (sizeof(table) / sizeof((table)[0]))
#define VARIABLES_MAX  4


/* A request: what its variables are worth; absent ones cannot be had. */

typedef struct {
    const char   *names[VARIABLES_MAX];
    const char   *values[VARIABLES_MAX];
} variables_t;


typedef struct {
    const variables_t  *variables;
    unsigned            calls[RCV_SUBJECTS_MAX];
} request_t;


static rcv_policy_t  policy;


static int
subject_value(void *data, unsigned subject, rcv_str_t *value)
{
    size_t      i;
    request_t  *request = data;

    request->calls[subject]++;

    for (i = 0; i < VARIABLES_MAX; i++) {

        if (request->variables->names[i] != NULL
            && rcv_str_eq(policy.subjects[subject].text,
                          request->variables->names[i]))
        {
            *value = str(request->variables->values[i]);
            return 0;
        }
    }

    /* what stands there must not count */

    value->data = "garbage";
    value->len = 7;

    return -1;
}


static void *
arena(void *data, size_t size)
{
    char *p;

    static char  memory[256 * 1024] __attribute__((aligned(16)));

    size_t  *used = data;

    p = memory + *used;
    *used += (size + 15) & ~(size_t) 15;
    assert_true(*used <= sizeof(memory));

    return p;
}


/* Without the sieve, and with it: that must not change what comes of it. */

static rcv_class_decision_t
classify(request_t *request, const variables_t *variables,
    const rcv_class_facts_t *facts)
{
    size_t                used = 0;
    rcv_class_facts_t     f = *facts;
    rcv_class_decision_t  decision, with;

    static rcv_shape_t  shapes[RCV_MATCHES_MAX];

    memset(request, 0, sizeof(request_t));
    memset(&decision, 0xff, sizeof(decision));

    request->variables = variables;
    f.subject = subject_value;
    f.data = request;

    policy.sieve = NULL;
    rcv_classify(&policy, &f, &decision);

    memset(request->calls, 0, sizeof(request->calls));

    assert_int_equal(rcv_sieve_make(&policy, shapes, arena, &used), 0);
    rcv_classify(&policy, &f, &with);

    assert_int_equal(with.class_index, decision.class_index);
    assert_int_equal(with.unknown_name, decision.unknown_name);
    assert_int_equal(with.pattern_limits, decision.pattern_limits);

    return decision;
}


typedef struct {
    variables_t        variables;
    rcv_class_facts_t  facts;
    const char        *class;
    unsigned           unknown_name;
} row_t;


static void
check(const row_t *rows, size_t n)
{
    size_t                i;
    request_t             request;
    rcv_class_decision_t  decision;

    for (i = 0; i < n; i++) {
        decision = classify(&request, &rows[i].variables, &rows[i].facts);

        if (strcmp(policy.classes[decision.class_index].name, rows[i].class)
            != 0
            || decision.unknown_name != rows[i].unknown_name
            || decision.pattern_limits != 0)
        {
            fail_msg("row %zu: %s, unknown %u, limits %u", i,
                     policy.classes[decision.class_index].name,
                     decision.unknown_name, decision.pattern_limits);
        }
    }
}


static void
test_first_match_wins(void **state)
{
    static const row_t  rows[] = {
        { .variables = { { "$uri" }, { "/login" } }, .class = "critical" },
        { .variables = { { "$uri" }, { "/login/x" } }, .class = "high" },
        { .variables = { { "$uri" }, { "/login\n" } }, .class = "high" },
        { .variables = { { "$uri" }, { "/LOGIN/x" } }, .class = "normal" },
        { .variables = { { "$uri" }, { "/BATCH" } }, .class = "low" },
        { .variables = { { "$uri" }, { "/batch/x" } }, .class = "normal" },
        { .variables = { { "$uri" }, { "" } }, .class = "normal" },
        { .variables = { { "$uri", "$request_method" },
                         { "/x", "PUT" } }, .class = "low" },
        { .variables = { { "$uri", "$request_method" },
                         { "/login", "PUT" } }, .class = "critical" },
        { .class = "normal" }
    };

    (void) state;

    policy_text_good(&policy,
        "match critical $uri = /login;"
        "match high $uri ~ ^/login;"
        "match low $uri ~* ^/batch$;"
        "match low $request_method = PUT;"
        "match critical $uri ~ ^/login/;");

    check(rows, nelts(rows));

    rcv_policy_free(&policy);
}


/* "=" compares bytes. */

static void
test_equal(void **state)
{
    static const row_t  rows[] = {
        { .variables = { { "$a" }, { "x" } }, .class = "high" },
        { .variables = { { "$a" }, { "X" } }, .class = "normal" },
        { .variables = { { "$a" }, { "x " } }, .class = "normal" },
        { .variables = { { "$a" }, { "xx" } }, .class = "normal" },
        { .variables = { { "$a" }, { "\xff" } }, .class = "low" },
        { .variables = { { "$a" }, { "" } }, .class = "critical" },
        { .class = "critical" }
    };

    (void) state;

    policy_text_good(&policy,
        "match critical $a = ''; match high $a = x; match low $a = \xff;");

    check(rows, nelts(rows));

    rcv_policy_free(&policy);
}


/* No value is an empty one: for patterns that match nothing. */

static void
test_empty(void **state)
{
    static const row_t  rows[] = {
        { .variables = { { "$a", "$b" }, { "y", "y" } }, .class = "normal" },
        { .variables = { { "$a", "$b" }, { "y", "" } }, .class = "low" },
        { .variables = { { "$a" }, { "y" } }, .class = "low" },
        { .variables = { { "$b" }, { "y" } }, .class = "normal" }
    };

    (void) state;

    policy_text_good(&policy, "match high $a ~ ^x; match low $b ~ ^$;");

    check(rows, nelts(rows));

    rcv_policy_free(&policy);
}


/*
 * What a client sends lowers anybody and raises those who are trusted, also
 * where a later rule that the client cannot choose matches.
 */

static void
test_client_chosen(void **state)
{
    static const row_t  rows[] = {

        /* forged priority */

        { .variables = { { "$http_p" }, { "vip" } }, .class = "normal" },
        { .variables = { { "$http_p" }, { "vip" } },
          .facts = { .trusted = 1 }, .class = "critical" },
        { .variables = { { "$http_p", "$uri" }, { "vip", "/batch" } },
          .class = "low" },
        { .variables = { { "$http_p", "$uri" }, { "vip", "/batch" } },
          .facts = { .trusted = 1 }, .class = "critical" },
        { .variables = { { "$http_p", "$uri" }, { "vip", "/login" } },
          .class = "high" },

        /* whoever wants less gets less, in whatever order the rules stand */

        { .variables = { { "$arg_bg" }, { "1" } }, .class = "low" },
        { .variables = { { "$arg_bg", "$uri" }, { "1", "/login" } },
          .class = "low" },
        { .variables = { { "$arg_bg", "$uri" }, { "1", "/login" } },
          .facts = { .trusted = 1 }, .class = "high" },
        { .variables = { { "$arg_bg" }, { "1" } },
          .facts = { .trusted = 1 }, .class = "low" },

        /* the first of the client's rules: "vip" hides "bg" */

        { .variables = { { "$http_p", "$arg_bg" }, { "vip", "1" } },
          .class = "normal" },
        { .variables = { { "$http_p", "$arg_bg", "$uri" },
                         { "vip", "1", "/batch" } }, .class = "low" },

        /* sending nothing */

        { .variables = { { "$uri" }, { "/login" } }, .class = "high" },
        { .variables = { { "$uri" }, { "/batch" } }, .class = "low" },
        { .class = "normal" }
    };

    (void) state;

    policy_text_good(&policy,
        "match critical $http_p = vip;"
        "match high $uri = /login;"
        "match low $uri = /batch;"
        "match low $arg_bg = 1;");

    check(rows, nelts(rows));

    rcv_policy_free(&policy);
}


/* For every class the client could ask for: never better than silence. */

static void
test_never_better_than_silence(void **state)
{
    size_t                i, n;
    unsigned              silent;
    request_t             request;
    variables_t           variables;
    rcv_class_facts_t     facts = { .trusted = 0 };
    rcv_class_decision_t  decision;

    static const char *const  uris[] = { "/", "/a", "/b", "/c", "/d" };
    static const char *const  sent[] = { "a", "b", "c", "d", "ab", "zz" };

    (void) state;

    policy_text_good(&policy,
        "class a; class b; class c default; class d;"
        "match a $http_x ~ a; match b $uri = /b; match b $http_x ~ b;"
        "match a $uri = /a; match c $uri = /c; match c $http_x ~ c;"
        "match d $http_x ~ d; match d $uri = /d;");

    for (i = 0; i < nelts(uris); i++) {
        variables = (variables_t) { { "$uri" }, { uris[i] } };
        silent = classify(&request, &variables, &facts).class_index;

        for (n = 0; n < nelts(sent); n++) {
            variables = (variables_t) { { "$uri", "$http_x" },
                                        { uris[i], sent[n] } };
            facts.named = str(sent[n]);
            facts.named_client_chosen = 1;
            decision = classify(&request, &variables, &facts);
            facts.named.len = 0;

            if (decision.class_index < silent) {
                fail_msg("%s with \"%s\": %u, not %u", uris[i], sent[n],
                         decision.class_index, silent);
            }
        }
    }

    rcv_policy_free(&policy);
}


#define NAMED(word)   .named = { word, sizeof(word) - 1 }

static void
test_named(void **state)
{
    static const row_t  rows[] = {

        /* ours: wins outright, up and down */

        { .facts = { NAMED("critical") }, .class = "critical" },
        { .facts = { NAMED("low") }, .class = "low" },
        { .variables = { { "$uri" }, { "/login" } },
          .facts = { NAMED("low") }, .class = "low" },

        /* the client's: only down */

        { .facts = { NAMED("critical"), .named_client_chosen = 1 },
          .class = "normal" },
        { .facts = { NAMED("low"), .named_client_chosen = 1 },
          .class = "low" },
        { .variables = { { "$uri" }, { "/login" } },
          .facts = { NAMED("high"), .named_client_chosen = 1 },
          .class = "high" },
        { .variables = { { "$uri" }, { "/login" } },
          .facts = { NAMED("critical"), .named_client_chosen = 1 },
          .class = "critical" },

        /* the client's, trusted */

        { .facts = { NAMED("critical"), .named_client_chosen = 1,
                     .trusted = 1 }, .class = "critical" },

        /* a name that nobody has: the rules, and it is told */

        { .facts = { NAMED("vip") }, .class = "normal", .unknown_name = 1 },
        { .variables = { { "$uri" }, { "/login" } },
          .facts = { NAMED("vip"), .named_client_chosen = 1 },
          .class = "critical", .unknown_name = 1 },
        { .facts = { NAMED("Low"), .trusted = 1 }, .class = "normal",
          .unknown_name = 1 },
        { .facts = { NAMED("low ") }, .class = "normal", .unknown_name = 1 },

        /* no name is no unknown name */

        { .facts = { NAMED("") }, .class = "normal" },
        { .variables = { { "$uri" }, { "/login" } }, .class = "critical" }
    };

    (void) state;

    policy_text_good(&policy, "match critical $uri = /login;");
    check(rows, nelts(rows));

    rcv_policy_free(&policy);
}


/* Subjects are worth a call: once, and only when a rule needs the value. */

static void
test_lazy(void **state)
{
    request_t          request;
    variables_t        variables = { { "$uri" }, { "/c" } };
    rcv_class_facts_t  facts = { .trusted = 0 };

    (void) state;

    policy_text_good(&policy,
        "match low $uri = /a; match low $uri = /b; match low $uri = /c;"
        "match low $host = x; match low $http_x = y; match low $http_x = z;"
        "cohort $cookie_c;");

    (void) classify(&request, &variables, &facts);
    assert_int_equal(request.calls[0], 1);
    assert_int_equal(request.calls[1], 0);
    assert_int_equal(request.calls[2], 1);
    assert_int_equal(request.calls[3], 0);

    facts.trusted = 1;
    (void) classify(&request, &variables, &facts);
    assert_int_equal(request.calls[0], 1);
    assert_int_equal(request.calls[1], 0);
    assert_int_equal(request.calls[2], 0);

    facts.named = str("high");
    (void) classify(&request, &variables, &facts);
    assert_int_equal(request.calls[0], 0);

    rcv_policy_free(&policy);
}


/* A limit is no match, is counted for each pattern, and the rest decides. */

static void
test_pattern_limits(void **state)
{
    char                  hostile[1000];
    char                  long_uri[RCV_PATTERN_SUBJECT_MAX + 2];
    request_t             request;
    variables_t           variables = { { "$uri", "$host" },
                                        { hostile, "x" } };
    rcv_class_facts_t     facts = { .trusted = 0 };
    rcv_class_decision_t  decision;

    (void) state;

    policy_text_good(&policy,
        "match critical $uri ~ ^(x+x+)+y$;"
        "match critical $uri ~ ^(x|x)*$;"
        "match critical $uri = /a;"
        "match low $host = x;");

    memset(hostile, 'x', sizeof(hostile));
    memcpy(hostile + sizeof(hostile) - 3, "yz", 3);

    decision = classify(&request, &variables, &facts);
    assert_int_equal(decision.class_index, 3);
    assert_int_equal(decision.pattern_limits, 2);

    memset(long_uri, 'x', sizeof(long_uri));
    long_uri[sizeof(long_uri) - 1] = '\0';
    variables.values[0] = long_uri;

    decision = classify(&request, &variables, &facts);
    assert_int_equal(decision.class_index, 3);
    assert_int_equal(decision.pattern_limits, 2);

    variables.values[0] = "xxxy";

    decision = classify(&request, &variables, &facts);
    assert_int_equal(decision.class_index, 0);
    assert_int_equal(decision.pattern_limits, 0);

    rcv_policy_free(&policy);
}


/* The last of the subjects has a bit and a value too. */

static void
test_all_subjects(void **state)
{
    char                  text[RCV_SUBJECTS_MAX * 24];
    char                 *p;
    unsigned              i;
    request_t             request;
    variables_t           variables = { { "$v77" }, { "1" } };
    rcv_class_facts_t     facts = { .trusted = 0 };
    rcv_class_decision_t  decision;

    (void) state;

    p = text;

    for (i = 0; i < RCV_SUBJECTS_MAX; i++) {
        memcpy(p, "match low $v00 = 1;", 19);
        p[12] = (char) ('0' + i / 8);
        p[13] = (char) ('0' + i % 8);
        p += 19;
    }

    *p = '\0';

    policy_text_good(&policy, text);
    assert_int_equal(policy.nsubjects, RCV_SUBJECTS_MAX);

    decision = classify(&request, &variables, &facts);
    assert_int_equal(decision.class_index, 3);

    for (i = 0; i < RCV_SUBJECTS_MAX; i++) {
        assert_int_equal(request.calls[i], 1);
    }
}


/* A retry is one by its rule alone; no trust, no class, no surprise. */

static void
test_retry(void **state)
{
    static const struct {
        const char  *value;
        int          expected;
        unsigned     limits;
    } cases[] = {
        { "", 0, 0 },
        { "0", 0, 0 },
        { "1", 1, 0 },
        { "22", 1, 0 },
        { "x1", 0, 0 },
    };

    size_t             i;
    unsigned           limits;
    request_t          request;
    variables_t        variables = { { "$http_x_retry" }, { "" } };
    rcv_class_facts_t  facts = { .subject = subject_value,
                                 .data = &request };

    (void) state;

    request.variables = &variables;
    policy_text_good(&policy, "retries $http_x_retry ~ ^[1-9] budget=10%;");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(request.calls, 0, sizeof(request.calls));
        variables.values[0] = cases[i].value;

        assert_int_equal(rcv_classify_retry(&policy, &facts, &limits),
                         cases[i].expected);
        assert_int_equal(limits, cases[i].limits);
        assert_int_equal(request.calls[0], 1);
    }

    variables.names[0] = "$nobody";
    assert_int_equal(rcv_classify_retry(&policy, &facts, &limits), 0);
    rcv_policy_free(&policy);

    /* a bound that is hit is no match, and told */

    variables.names[0] = "$http_x_retry";
    variables.values[0] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    policy_text_good(&policy, "retries $http_x_retry ~ ^(a+)+$ budget=1%;");
    assert_int_equal(rcv_classify_retry(&policy, &facts, &limits), 0);
    assert_int_equal(limits, 1);
    rcv_policy_free(&policy);

    /* no rule: nothing is asked */

    memset(request.calls, 0, sizeof(request.calls));
    policy_text_good(&policy, "match low $http_x_retry = 1;");
    assert_int_equal(rcv_classify_retry(&policy, &facts, &limits), 0);
    assert_int_equal(request.calls[0], 0);
    rcv_policy_free(&policy);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_first_match_wins),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_client_chosen),
        cmocka_unit_test(test_never_better_than_silence),
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_pattern_limits),
        cmocka_unit_test(test_all_subjects),
        cmocka_unit_test(test_retry)
    };

    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
