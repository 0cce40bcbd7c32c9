
/*
 * The sieve against the patterns themselves: what PCRE2 finds must never be
 * taken out, whatever the pattern is like.  The seeds are fixed: a failure
 * comes again.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include "classify.h"
#include "policy_text.h"
#include "sieve.h"


#define nelts(table)   (sizeof(table) / sizeof((table)[0]))

#define TEXT_MAX       128
#define POLICIES       3000
#define SUBJECTS       60               /* of each policy */
#define BLOCKS_MAX     1024


static rcv_policy_t  policy;
static rcv_shape_t   shapes[RCV_MATCHES_MAX];
static char          texts[RCV_MATCHES_MAX][TEXT_MAX];
static uint64_t      seed;
static void         *blocks[BLOCKS_MAX];
static unsigned      nblocks;
static size_t        allocated;
static rcv_str_t     values[2];


static unsigned
dice(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (unsigned) ((seed >> 20) % n);
}


/* Filled with rubbish, as a pool's may be. */

static void *
alloc(void *data, size_t size)
{
    unsigned *left = data;

    if (left != NULL && (*left)-- == 0) {
        return NULL;
    }

    assert_true(nblocks < BLOCKS_MAX);

    blocks[nblocks] = malloc(size);
    assert_non_null(blocks[nblocks]);
    memset(blocks[nblocks], 0xa5, size);
    allocated += size;

    return blocks[nblocks++];
}


static void
begin(void)
{
    allocated = 0;
    rcv_policy_init(&policy, str("sieve"));
}


static void
end(void)
{
    rcv_policy_free(&policy);

    while (nblocks != 0) {
        free(blocks[--nblocks]);
    }
}


/* 0: PCRE2 does not take the pattern. */

static int
rule(const char *class, const char *subject, const char *op,
    rcv_str_t pattern)
{
    char       err[RCV_ERROR_MAX];
    rcv_str_t  words[] = { { "match", 5 }, str(class), str(subject),
                           str(op), pattern };

    return rcv_policy_line(&policy, words, 5, err, sizeof(err)) == 0;
}


static void
sieve(void)
{
    char  err[RCV_ERROR_MAX];

    assert_int_equal(rcv_policy_finish(&policy, err, sizeof(err)), 0);
    assert_int_equal(rcv_sieve_make(&policy, shapes, alloc, NULL), 0);
}


static int
subject_value(void *data, unsigned subject, rcv_str_t *value)
{
    (void) data;

    *value = values[subject & 1];

    return 0;
}


/*
 * As pattern.c does where there is no JIT: other bounds are hit then, of depth
 * and of memory.
 */

static int
interpreted(const rcv_test_t *test, rcv_str_t value)
{
    int                   rc;
    size_t                at;
    uint32_t              caseless;
    pcre2_code           *code;
    pcre2_match_data     *data;
    pcre2_match_context  *context;

    caseless = (test->op == RCV_OP_REGEX_CASELESS) ? PCRE2_CASELESS : 0;

    code = pcre2_compile((PCRE2_SPTR) test->value.data, test->value.len,
                         PCRE2_NEVER_UTF | caseless, &rc, &at, NULL);
    data = pcre2_match_data_create(1, NULL);
    context = pcre2_match_context_create(NULL);
    assert_true(code != NULL && data != NULL && context != NULL);

    pcre2_set_match_limit(context, RCV_PATTERN_MATCH_LIMIT);
    pcre2_set_depth_limit(context, RCV_PATTERN_DEPTH_LIMIT);
    pcre2_set_heap_limit(context, RCV_PATTERN_HEAP_KB);

    rc = pcre2_match(code, (PCRE2_SPTR) value.data, value.len, 0,
                     PCRE2_NO_JIT, data, context);

    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    pcre2_code_free(code);

    return rc;
}


/* Does the rule not match, and hit no bound that would be counted? */

static int
fails(const rcv_test_t *test, rcv_str_t value)
{
    if (test->op == RCV_OP_EQUAL) {
        return value.len != test->value.len
               || (value.len != 0
                   && memcmp(value.data, test->value.data, value.len) != 0);
    }

    if (rcv_pattern_match(test->pattern, value) != RCV_PATTERN_NO) {
        return 0;
    }

    return value.len <= TEXT_MAX
           || interpreted(test, value) == PCRE2_ERROR_NOMATCH;
}


/* The rule of which the sieve says what is not so, or -1. */

static int
lost(unsigned *excluded)
{
    unsigned  i, any;
    uint64_t  left[RCV_GRAMS_RULES];

    any = 0;
    memset(left, 0xff, sizeof(left));

    for (i = 0; i < policy.nsubjects; i++) {
        rcv_sieve(policy.sieve, i, values[i], left);
    }

    for (i = 0; i < policy.nmatches; i++) {

        if (left[i >> 6] >> (i & 63) & 1) {
            any |= 1u << policy.matches[i].test.subject;
            continue;
        }

        (*excluded)++;

        if (!fails(&policy.matches[i].test,
                   values[policy.matches[i].test.subject]))
        {
            return (int) i;
        }
    }

    /* the short question may see one too many, but none too few */

    for (i = 0; i < policy.nsubjects; i++) {
        assert_true(rcv_sieve_any(&policy.sieve->subjects[i], values[i])
                    || !(any >> i & 1));
    }

    return -1;
}


static void
check_class(unsigned trusted)
{
    const rcv_sieve_t    *kept;
    rcv_class_facts_t     facts = { .subject = subject_value,
                                    .trusted = trusted };
    rcv_class_decision_t  with, without;

    rcv_classify(&policy, &facts, &with);

    kept = policy.sieve;
    policy.sieve = NULL;
    rcv_classify(&policy, &facts, &without);
    policy.sieve = kept;

    assert_int_equal(with.class_index, without.class_index);
    assert_int_equal(with.pattern_limits, without.pattern_limits);
}


/* What patterns are made of; "%" stands for a pattern. */

static const char *const  pieces[] = {
    "a", "b", "/", "-", "foo", "bar", "checkout", "/api/", "\\.", "\\/", ".",
    "A", "\xe9", "\n", "0", " ", "_", "]", "}", "\\n", "\\x61",
    "[ab]", "[^a]", "[a-c]", "[^/]", "[]a]", "[^]a]", "[a-]", "[-a]",
    "[\\d_]", "[^\\w]", "[\\s/]", "[[:alpha:]]", "[\\]a]", "[a\xe9]",
    "[+--]", "[\\w-]", "[0-9A-Z]", "[a|b]", "[^\\D]", "[\\x61]",
    "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\h", "\\R", "\\N",
    "^", "$", "\\A", "\\z", "\\Z", "\\b", "\\B", "\\G", "\\K",
    "(%)", "(?:%)", "(%|%)", "(?:%|%|%)", "(|%)", "((%)|%)", "(%)+", "(%)?",
    "(%){0}", "(%){2}", "(?:%|%)*", "(?:%){0,2}",
    "a*", "b+", "/?", "a{2}", "a{0}", "b{1,3}", "a{,2}", "a{", "a{1", "b{0,}",
    "a{2}{0}", "a*?", "b++", "a??", ".*", ".+", "[a-c]*", "[a-c]+?", "\\d{2,}",
    "^*", "^?", "$?", "(^)?", "(?:^|/)", "(?:$|/)", "\\b?", "a{20}",
    "(?i)", "(?-i)", "(?i:%)", "(?x)", "(?s)", "(?m)", "(?m)^", "(?=%)",
    "(?!%)", "(?<=a)", "(?<!a)", "(?>%)", "(?|%|%)", "(?<n>%)", "(?#|)",
    "(?#c)*", "(*ACCEPT)", "(*FAIL)", "(*COMMIT)", "(?1)", "\\1", "(?R)?",
    "\\Q.*\\E", "\\Qa|b\\E", "\\Qab\\E*", "\\E", "\\E*", "\\E{0}",
    "(?(1)a|b)", "(?|a|b)", "\\g1", "\\o{141}", "\\cA", "\\e",
    "(*CRLF)", "(*ANYCRLF)", "(*UCP)", "(*LF)", "(*NUL)"
};

static const char *const  bytes[] = {
    "a", "b", "c", "/", "-", "A", "B", "0", "9", ".", "\n", "\r", "\xe9",
    "\xff", " ", "_", "foo", "bar", "checkout", "CheckOut", "/api/", "FOO",
    "]", "|", "}", "\001", "aa", "ab", "\n\n"
};


/* Appends, as long as there is room. */

static void
put(char *text, const char *what)
{
    size_t  len;

    len = strlen(text);

    if (len + strlen(what) < TEXT_MAX) {
        memcpy(text + len, what, strlen(what) + 1);
    }
}


static void
put_pattern(char *text, unsigned depth)
{
    char         c[2] = "";
    unsigned     n;
    const char  *p;

    for (n = 1 + dice(depth == 0 ? 6 : 2); n != 0; n--) {

        /* half of them of what is read, and simple */

        p = pieces[dice(dice(2) ? 20 : nelts(pieces))];

        if (depth > 3 && strchr(p, '%') != NULL) {
            p = "a";
        }

        for ( /* void */ ; *p != '\0'; p++) {

            if (*p == '%') {
                put_pattern(text, depth + 1);
                continue;
            }

            c[0] = *p;
            put(text, c);
        }
    }
}


static void
make_pattern(char *text)
{
    unsigned  i;

    text[0] = '\0';

    if (dice(8) == 0) {
        put(text, "(?i)");
    }

    for (i = dice(4); i < 4; i += 1 + dice(4)) {

        if (text[0] != '\0' && i != 0) {
            put(text, dice(3) ? "" : "|");
        }

        put(text, dice(2) ? "^" : "");
        put_pattern(text, 0);
        put(text, dice(3) ? "" : "$");
    }
}


static void
make_policy(unsigned n)
{
    unsigned  i, kind;

    static const char *const  ops[] = { "~", "~*", "=" };
    static const char *const  classes[] = { "critical", "high", "low" };

    begin();

    for (i = 0; i < n; i++) {
        kind = dice(8);

        if (kind == 0) {
            texts[i][0] = '\0';

            for (kind = dice(5); kind != 0; kind--) {
                put(texts[i], bytes[dice(nelts(bytes))]);
            }

            kind = 2;

        } else {
            make_pattern(texts[i]);
            kind = (kind == 1);
        }

        (void) rule(classes[dice(3)], dice(3) ? "$uri" : "$http_x",
                    ops[kind], str(texts[i]));
    }

    sieve();
}


static void
make_value(char *text, rcv_str_t *value)
{
    char       *data;
    unsigned    n, times;
    rcv_str_t   piece;

    text[0] = '\0';

    /* often what a rule says, so that many match */

    if (dice(4) == 0 && policy.nmatches != 0) {
        put(text, texts[dice(policy.nmatches)]);
        memmove(text, text + (text[0] == '^'), strlen(text) + !text[0]);
        text[strcspn(text, "$|")] = '\0';
    }

    for (n = dice(6); n != 0; n--) {
        put(text, bytes[dice(nelts(bytes))]);
    }

    /* seldom one that PCRE2 may have a lot to do with */

    times = (dice(16) == 0) ? dice(RCV_SHAPE_LONGEST) : 0;
    piece = str(bytes[dice(nelts(bytes))]);
    value->len = strlen(text) + times * piece.len;

    /* the bytes behind it are nobody's business: a sanitizer sees them */

    data = malloc(value->len + (value->len == 0));
    assert_non_null(data);
    value->data = data;

    for (n = dice(times + 1), times -= n; n != 0; n--) {
        data = (char *) memcpy(data, piece.data, piece.len) + piece.len;
    }

    data = (char *) memcpy(data, text, strlen(text)) + strlen(text);

    for ( /* void */ ; times != 0; times--) {
        data = (char *) memcpy(data, piece.data, piece.len) + piece.len;
    }
}


static void
fail_rule(int i)
{
    unsigned           k;
    char               hex[2 * TEXT_MAX + 1] = "";
    const rcv_test_t  *test;

    test = &policy.matches[i].test;

    for (k = 0; k < values[test->subject].len && k < TEXT_MAX; k++) {
        (void) snprintf(hex + 2 * k, 3, "%02x",
                        (uint8_t) values[test->subject].data[k]);
    }

    fail_msg("rule %d, op %d, \"%.*s\" is not left with 0x%s", i,
             (int) test->op, (int) test->value.len, test->value.data, hex);
}


/* Returns how many times the sieve was found to be wrong. */

static unsigned
trial(unsigned policies, void (*spoil)(void), unsigned *excluded,
    unsigned *tried)
{
    int       i;
    char      text[TEXT_MAX];
    unsigned  n, k, wrong;

    wrong = 0;

    for (n = 0; n < policies; n++) {
        make_policy(1 + dice(n % 50 == 0 ? RCV_MATCHES_MAX : 12));

        if (spoil != NULL && policy.sieve != NULL) {
            spoil();
        }

        for (k = 0; k < SUBJECTS && policy.sieve != NULL; k++) {
            make_value(text, &values[0]);
            make_value(text, &values[1]);

            *tried += policy.nmatches;
            i = lost(excluded);

            if (spoil != NULL) {
                wrong += (i >= 0);

            } else if (i >= 0) {
                fail_rule(i);

            } else {
                check_class(k & 1);
            }

            free((void *) (uintptr_t) values[0].data);
            free((void *) (uintptr_t) values[1].data);
        }

        end();
    }

    return wrong;
}


static void
test_never_too_much(void **state)
{
    unsigned  excluded, tried;

    (void) state;

    seed = 20261123;
    excluded = 0;
    tried = 0;

    (void) trial(POLICIES, NULL, &excluded, &tried);

    /* it does take out, or it has shown nothing */

    print_message("%u of %u excluded\n", excluded, tried);
    assert_true(excluded > tried / 4);
}


/*
 * Patterns that make PCRE2 go through very many ways before it finds that none
 * leads to the end.  Where it gives up that is counted: so the rule is left.
 */

static void
make_heavy(char *text)
{
    unsigned  n;

    static const char *const  heavy[] = {
        "a", "b", "ab", "a*", "a+", "a*?", ".*", "[ab]*", "[^c]+", "b*", "a?",
        "(a|b)", "(a|ab|b)", "(a)?", "(?:a|b)?", "(a|b|ab|ba)", "a{0,9}",
        "a{3,}", "(ab|a)(b|)", "(a|b)*", "(a+)+", "(?:.*)?", "(.*b|a)", "a*+"
    };

    text[0] = '\0';

    if (dice(4) != 0) {
        put(text, "^");
    }

    for (n = 1 + dice(12); n != 0; n--) {
        put(text, heavy[dice(dice(3) ? 16 : nelts(heavy))]);
    }

    put(text, dice(2) ? "c$" : "(c|\\.d)");
}


static void
test_bounds(void **state)
{
    int       lost_rule;
    unsigned  i, k, n, excluded, bounds;

    static char  text[RCV_SHAPE_LONGEST];

    (void) state;

    seed = 20261124;
    excluded = 0;
    bounds = 0;

    for (i = 0; i < 1500; i++) {
        begin();
        make_heavy(texts[0]);
        (void) rule("low", "$uri", "~", str(texts[0]));
        sieve();

        for (k = 0; k < 6; k++) {
            for (n = 0; n < sizeof(text); n++) {
                text[n] = (n % (1 + k) == k) ? 'a' : 'b';
            }

            values[0].data = text;
            values[0].len = sizeof(text) - dice(2) * dice(sizeof(text));

            bounds += rcv_pattern_match(policy.matches[0].test.pattern,
                                        values[0])
                      == RCV_PATTERN_LIMIT;

            lost_rule = lost(&excluded);

            if (lost_rule >= 0) {
                fail_rule(lost_rule);
            }
        }

        end();
    }

    print_message("%u excluded, %u hit a bound\n", excluded, bounds);
    assert_true(excluded > 1000);
    assert_true(bounds > 1000);
}


/* What the reader makes of one pattern: is it left with this string? */

static void
test_one_by_one(void **state)
{
    size_t    i;
    uint64_t  left[RCV_GRAMS_RULES];

    static const struct {
        const char  *op;
        const char  *pattern;
        const char  *value;
        unsigned     left;
    } rows[] = {

        /* what everyday rules say is understood */

        { "~", "^/api/", "/api/x", 1 },
        { "~", "^/api/", "/apj/x", 0 },
        { "~", "^/api/", "/api", 0 },
        { "~", "^/api/v[0-9]+/orders", "/api/v12/orders", 1 },
        { "~", "^/api/v[0-9]+/orders", "/api/v12/articles", 0 },
        { "~", "^/v[0-9]", "/vx/orders", 0 },
        { "~", "\\.(css|js|png)$", "/x.css", 1 },
        { "~", "\\.(css|js|png)$", "/x.html", 0 },
        { "~", "\\.(css|js|png)$", "/x.js\n", 1 },
        { "~", "\\.(css|js|png)$", "/x.js\n\n", 0 },
        { "~", "\\.php\\z", "/x.php\n", 0 },
        { "~", "checkout", "/shop/checkout/2", 1 },
        { "~", "checkout", "/shop/checklist", 0 },
        { "~", "/(checkout|basket)/", "/x/basket/", 1 },
        { "~", "/(checkout|basket)/", "/x/casket/", 0 },
        { "~", "^/(login|token)(/|$)", "/token", 1 },
        { "~", "^/(login|token)(/|$)", "/tokens", 0 },
        { "~", "^(PUT|DELETE)$", "PUT", 1 },
        { "~", "^(PUT|DELETE)$", "GET", 0 },
        { "~", "^[1-9]", "0", 0 },
        { "~", "^$", "", 1 },
        { "~", "^$", "a", 0 },
        { "~*", "^/Batch", "/bATCH", 1 },
        { "~", "^/Batch", "/batch", 0 },
        { "~", "(?i)^/batch", "/BATCH", 1 },
        { "~*", "CheckOut", "/xcHECKoUTx", 1 },
        { "=", "/login", "/login", 1 },
        { "=", "/login", "/logim", 0 },
        { "=", "/login", "/login\n", 0 },
        { "=", "", "", 1 },
        { "=", "", "a", 0 },

        /* what would take back what stands before it */

        { "~", "^(foo(?=x))?b", "b", 1 },
        { "~", "^(foo\\x61)*b", "b", 1 },
        { "~", "^foo|(?i)b", "b", 1 },
        { "~", "^f(?#c)*b", "b", 1 },
        { "~", "^f\\E*b", "b", 1 },
        { "~", "^f\\Q\\E?b", "b", 1 },
        { "~", "^f{0}b", "b", 1 },
        { "~", "^f{0,}b", "b", 1 },
        { "~", "^(f){0}b", "b", 1 },
        { "~", "^f??b", "b", 1 },
        { "~", "(^)?b", "ab", 1 },
        { "~", "^a|b", "xb", 1 },
        { "~", "^(a|)b", "b", 1 },
        { "~", "(*ANYCRLF)b$", "b\r\n", 1 },
        { "~", "(?m)^b$", "a\nb\nc", 1 },
        { "~", "(?m)b$", "b\nc", 1 },
        { "~", "^\\Qa.*\\E$", "a.*", 1 },
        { "~", "foo(*ACCEPT)bar", "foo", 1 },
        { "~", "^(a(?1)?b)$", "aabb", 1 },
        { "~", "^[[:alpha:]]b", "xb", 1 },
        { "~", "^[]a]b", "]b", 1 },
        { "~", "^[^]a]b", "xb", 1 },
        { "~", "^[\\x61]b", "ab", 1 },
        { "~", "^\\x61", "a", 1 },

        /* what PCRE2 may give up on */

        { "~", "^/(a+)+$", "/aaaab", 1 },
        { "~", "^(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 1 },
        { "~", "^/a*a*a*c", "/aaaab", 1 },
        { "~", "^/a*a*a*c", "aaaab", 0 },
        { "~", "^/api(/v[0-9])*/x", "/apx", 0 },
        { "~", "^/api(/v[0-9])*/x", "/api", 1 },
        { "~", "^/[a-z]+/.*\\.(css|js|png|jpg|gif)$", "/a/b.php", 0 },
        { "~*", "^\xe9", "\xc9", 1 }
    };

    (void) state;

    for (i = 0; i < nelts(rows); i++) {
        begin();

        if (!rule("low", "$uri", rows[i].op, str(rows[i].pattern))) {
            fail_msg("PCRE2 does not take \"%s\"", rows[i].pattern);
        }

        sieve();

        memset(left, 0xff, sizeof(left));
        rcv_sieve(policy.sieve, 0, str(rows[i].value), left);

        if ((left[0] & 1) != rows[i].left
            || rcv_sieve_any(&policy.sieve->subjects[0], str(rows[i].value))
               != (int) rows[i].left)
        {
            fail_msg("\"%s\" with \"%s\": not %u", rows[i].pattern,
                     rows[i].value, rows[i].left);
        }

        end();
    }
}


/* With a longer value a pattern may hit a bound, which counts: none is out. */

static void
test_too_long(void **state)
{
    uint64_t   left[RCV_GRAMS_RULES];
    rcv_str_t  value;

    static char  text[RCV_SHAPE_LONGEST + 1];

    (void) state;

    memset(text, 'x', sizeof(text));
    value.data = text;

    begin();
    (void) rule("low", "$uri", "~", str("^/a"));
    sieve();

    memset(left, 0xff, sizeof(left));
    value.len = RCV_SHAPE_LONGEST + 1;
    rcv_sieve(policy.sieve, 0, value, left);
    assert_true(left[0] == UINT64_MAX);
    assert_true(rcv_sieve_any(&policy.sieve->subjects[0], value));

    value.len--;
    rcv_sieve(policy.sieve, 0, value, left);
    assert_true(left[0] == UINT64_MAX - 1);

    end();
}


/* docs/capacity.md tells how much it is at most, and for few rules. */

static void
test_memory(void **state)
{
    char      err[RCV_ERROR_MAX];
    unsigned  i, n;

    static const char *const  everyday[] = {
        "^/api/v[0-9]+/orders%u(/|$)", "\\.(css|js|ext)%u$", "checkout%u",
        "(?i)^/login%u", "^/shop/.*/item%u$", "/Article%u|/Picture%u"
    };

    (void) state;

    /* wherever memory ends, that is told, and nothing is half made */

    seed = 1;
    make_policy(40);
    n = nblocks;
    assert_true(n > 3);

    for (i = 0; i < n; i++) {
        unsigned  blocks_left = i;

        policy.sieve = NULL;
        assert_int_equal(rcv_sieve_make(&policy, shapes, alloc,
                                        &blocks_left), -1);
        assert_null(policy.sieve);
    }

    end();

    begin();
    assert_int_equal(rcv_policy_finish(&policy, err, sizeof(err)), 0);
    assert_int_equal(rcv_sieve_make(&policy, shapes, alloc, NULL), 0);
    assert_null(policy.sieve);
    assert_int_equal(allocated, 0);
    end();

    begin();
    (void) rule("low", "$uri", "~", str("^/login(/|$)"));
    sieve();
    assert_true(allocated < 4096);
    end();

    begin();

    for (i = 0; i < 100; i++) {
        (void) snprintf(texts[i], TEXT_MAX, everyday[i % nelts(everyday)], i);
        (void) rule("low", "$uri", "~", str(texts[i]));
    }

    sieve();
    assert_int_equal(policy.nmatches, 100);
    assert_true(allocated < 32 * 1024);
    end();

    seed = 1;

    for (i = 0; i < 20; i++) {
        make_policy(RCV_MATCHES_MAX);
        assert_true(allocated < 256 * 1024);
        end();
    }
}


/* Faults of the sieve: each must be noticed. */

static rcv_subject_sieve_t *
subject_sieve(unsigned i)
{
    rcv_sieve_t  *sieve_made;

    sieve_made = (rcv_sieve_t *) (uintptr_t) policy.sieve;

    return &sieve_made->subjects[i];
}


static void
spoil_lengths(void)
{
    unsigned              i;
    rcv_subject_sieve_t  *of;

    for (i = 0; i < policy.nsubjects; i++) {
        of = subject_sieve(i);

        if (of->nwords != 0) {
            memset((void *) (uintptr_t) of->by_length, 0,
                   RCV_SHAPE_LENGTHS / 2 * of->nwords * sizeof(uint64_t));
        }
    }
}


static void
spoil_places(void)
{
    unsigned  i;

    for (i = 0; i < policy.nsubjects; i++) {

        if (subject_sieve(i)->nplaces != 0) {
            /* one place further on */
            subject_sieve(i)->places[0]++;
        }
    }
}


static void
spoil_grams(void)
{
    unsigned      i;
    rcv_grams_t  *grams;

    for (i = 0; i < policy.sieve->nsubjects; i++) {
        grams = (rcv_grams_t *) (uintptr_t) policy.sieve->subjects[i].grams;

        if (grams != NULL) {
            /* steps that may miss a word */
            grams->step++;
        }
    }
}


static void
test_faults_are_found(void **state)
{
    size_t    i;
    unsigned  excluded, tried;

    static void (*const  spoils[])(void) = {
        spoil_lengths, spoil_places, spoil_grams
    };

    (void) state;

    excluded = 0;
    tried = 0;

    for (i = 0; i < nelts(spoils); i++) {
        seed = 20261123;
        assert_true(trial(300, spoils[i], &excluded, &tried) > 10);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_never_too_much),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_faults_are_found)
    };

    return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
