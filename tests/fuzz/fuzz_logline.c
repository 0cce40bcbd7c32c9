
/*
 * libFuzzer: bytes -> a line of an access log -> its request, and what the
 * rules of a policy make of that.
 *
 * sources: tools/recovery-sim/logline.c tools/recovery-sim/logtext.c
 * sources: tools/recovery-sim/logtime.c
 * sources: tools/recovery-sim/facts.c tools/recovery-sim/facts_rules.c
 * sources: tools/recovery-sim/engine.c
 *
 * Whatever the bytes: nothing is read beyond them, what comes out lies in
 * them, is in its bounds, and is the same the second time.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/recovery-sim/facts.h"


#define INPUT_MAX  65535u
#define WORDS_MAX  8u


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const  rules[][WORDS_MAX] = {
    { "class", "first" },
    { "class", "middle", "default" },
    { "class", "last" },
    { "match", "last", "$http_user_agent", "~*", "bot" },
    { "match", "first", "$http_x_level", "=", "1" },
    { "match", "first", "$uri", "~", "^/a/[^/]*$" },
    { "match", "last", "$request_method:$arg_a:$args:$request_uri", "~", "a" },
    { "match", "middle", "$remote_user$request$http_referer", "~", "x" },
    { "trust", "10.0.0.0/8" },
    { "trust", "fc00::/7" },
    { "cohort", "$cookie_s$binary_remote_addr" },
    { "retries", "$http_x_retry", "~", "^[1-9]", "budget=10%" },
};


static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}


static sim_facts_t *
facts_new(void)
{
    char         err[RCV_ERROR_MAX];
    size_t       i;
    unsigned     n;
    rcv_str_t    words[WORDS_MAX], name = { "fuzz", 4 };

    static rcv_policy_t  policy;

    rcv_policy_init(&policy, name);

    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {

        for (n = 0; n < WORDS_MAX && rules[i][n] != NULL; n++) {
            words[n].data = rules[i][n];
            words[n].len = strlen(rules[i][n]);
        }

        require(rcv_policy_line(&policy, words, n, err, sizeof(err)) == 0);
    }

    require(rcv_policy_finish(&policy, err, sizeof(err)) == 0);

    return sim_facts_new(&policy);
}


static void
within(rcv_str_t s, const char *text, size_t len)
{
    require(s.data >= text && s.data + s.len <= text + len);
}


static void
check_line(const sim_logline_t *line, const char *text, size_t len)
{
    unsigned  i;

    within(line->addr, text, len);
    within(line->user, text, len);
    within(line->request, text, len);
    within(line->referer, text, len);
    within(line->agent, text, len);

    require(line->addr.len != 0 && line->status < 1000);
    require(line->request_ms <= SIM_LOG_TIME_MAX + 999
            || line->request_ms == SIM_LOG_UNKNOWN);
    require(line->upstream_ms <= SIM_LOG_TIME_MAX + 999
            || line->upstream_ms == SIM_LOG_UNKNOWN);
    require(!line->aside || line->upstream_ms == SIM_LOG_UNKNOWN);
    require(line->nfields <= SIM_LOG_FIELDS_MAX);

    for (i = 0; i < line->nfields; i++) {
        within(line->fields[i].name, text, len);
        within(line->fields[i].value, text, len);
        require(line->fields[i].name.len != 0);
    }
}


static void
check_plain(rcv_str_t escaped)
{
    char       *to;
    rcv_str_t   plain, method, path, args;

    to = malloc(escaped.len + 1);
    plain.data = to;
    plain.len = sim_log_unescape(escaped, to);
    require(plain.len <= escaped.len);

    if (sim_log_request(plain, &method, &path, &args) == 0) {
        within(method, plain.data, plain.len);

        if (path.data >= to && path.data <= to + plain.len) {
            within(path, plain.data, plain.len);
            require(sim_log_uri(path, to + (path.data - to)) <= path.len);
        }
    }

    free(to);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           *text;
    sim_fact_t      one, two;
    sim_logline_t   line;

    static sim_facts_t  *facts;

    if (facts == NULL) {
        facts = facts_new();
    }

    if (size > INPUT_MAX) {
        return 0;
    }

    text = malloc(size + (size == 0));
    memcpy(text, data, size);

    if (sim_logline_read(&line, text, size) == NULL) {
        check_line(&line, text, size);
        check_plain(line.request);

        if (sim_facts_of(facts, &line, &one) == 0) {
            require(one.class_index < 3 && one.retry <= 1);
            require(one.uri.len <= size);

            require(sim_facts_of(facts, &line, &two) == 0);
            require(one.class_index == two.class_index
                    && one.retry == two.retry && one.user == two.user);
        }
    }

    free(text);

    return 0;
}
