
/*
 * libFuzzer: bytes -> lines of words -> policy -> class of a request.
 *
 * Words end at a blank, lines at a newline; a form feed ends the policy, what
 * follows is the request: its address and the values of its variables, one
 * a line.  Whatever the bytes: no crash, a message for each refused line,
 * shares that fall, a class that exists, nothing sent without trust that
 * raises a class, and the same with the sieve as without.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "sieve.h"


#define WORDS_MAX   32u
#define INPUT_MAX   65536u
#define BLOCKS_MAX  1024u


typedef struct {
    const char  *data;
    size_t       len;
} input_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rcv_policy_t  policy;
static rcv_policy_t  unchosen;      /* without the rules of the client */
static rcv_shape_t   shapes[RCV_MATCHES_MAX];
static void         *blocks[BLOCKS_MAX];
static unsigned      nblocks;


static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}


/* The bytes up to the next "end", which is passed over. */

static rcv_str_t
next(input_t *input, char end)
{
    rcv_str_t    s;
    const char  *p;

    p = (input->len != 0) ? memchr(input->data, end, input->len) : NULL;

    s.data = input->data;
    s.len = (p != NULL) ? (size_t) (p - input->data) : input->len;

    input->data += s.len + (p != NULL);
    input->len -= s.len + (p != NULL);

    return s;
}


static int
subject_value(void *data, unsigned subject, rcv_str_t *value)
{
    unsigned  i;
    input_t   values = *(const input_t *) data;

    require(subject < policy.nsubjects);

    for (i = 0; i <= subject; i++) {
        *value = next(&values, '\n');
    }

    return (value->len == 1) ? -1 : 0;
}


static void
check_policy(void)
{
    unsigned  i;

    require(policy.nclasses >= 1 && policy.nclasses <= RCV_CLASSES_MAX);
    require(policy.default_class < policy.nclasses);
    require(policy.classes[0].share_ppm == RCV_PPM);

    for (i = 1; i < policy.nclasses; i++) {
        require(policy.classes[i].share_ppm > 0);
        require(policy.classes[i - 1].share_ppm
                - policy.classes[i - 1].reserve_ppm
                == policy.classes[i].share_ppm);
    }

    for (i = 0; i < policy.nmatches; i++) {
        require(policy.matches[i].class_index < policy.nclasses);
        require(policy.matches[i].test.subject < policy.nsubjects);
    }

    require(policy.ramp.from_ppm > 0 && policy.ramp.from_ppm <= RCV_PPM);
    require(policy.retry_after_min_s >= 1);
    require(policy.retry_after_min_s <= policy.retry_after_max_s);
    require(policy.cohort < (int) policy.nsubjects);
}


static void
drop_client_rules(void)
{
    unsigned            i;
    const rcv_match_t  *match;

    unchosen = policy;
    unchosen.sieve = NULL;
    unchosen.nmatches = 0;

    for (i = 0; i < policy.nmatches; i++) {
        match = &policy.matches[i];

        if (!policy.subjects[match->test.subject].client_chosen) {
            unchosen.matches[unchosen.nmatches++] = *match;
        }
    }
}


/* Each piece apart, so that a sanitizer sees its end. */

static void *
alloc(void *unused, size_t size)
{
    (void) unused;

    require(nblocks < BLOCKS_MAX);
    blocks[nblocks] = malloc(size);
    require(blocks[nblocks] != NULL);

    return blocks[nblocks++];
}


static void
check_classes(input_t *input, const rcv_sieve_t *sieve)
{
    rcv_str_t             addr;
    rcv_class_facts_t     facts;
    rcv_class_decision_t  silent, sent, trusted, sieved;

    memset(&facts, 0, sizeof(facts));

    addr = next(input, '\n');
    (void) rcv_policy_trusts(&policy, (const uint8_t *) addr.data, addr.len);

    facts.named = next(input, '\n');
    facts.named_client_chosen = 1;
    facts.subject = subject_value;
    facts.data = input;

    rcv_classify(&policy, &facts, &sent);

    policy.sieve = sieve;
    rcv_classify(&policy, &facts, &sieved);
    policy.sieve = NULL;
    require(sieved.class_index == sent.class_index);
    require(sieved.pattern_limits == sent.pattern_limits);

    facts.trusted = 1;
    rcv_classify(&policy, &facts, &trusted);

    policy.sieve = sieve;
    rcv_classify(&policy, &facts, &sieved);
    policy.sieve = NULL;
    require(sieved.class_index == trusted.class_index);
    require(sieved.pattern_limits == trusted.pattern_limits);

    facts.named.len = 0;
    drop_client_rules();
    rcv_classify(&unchosen, &facts, &silent);

    require(sent.class_index < policy.nclasses);
    require(trusted.class_index < policy.nclasses);
    require(sent.unknown_name == trusted.unknown_name);
    require(sent.class_index >= silent.class_index);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       err[RCV_ERROR_MAX];
    int        rc;
    input_t    text, lines, line;
    unsigned   nwords;
    rcv_str_t  s, words[WORDS_MAX], name = { "fuzz", 4 };

    const rcv_sieve_t  *sieve;

    if (size > INPUT_MAX) {
        return 0;
    }

    text = (input_t) { (const char *) data, size };
    s = next(&text, '\f');
    lines = (input_t) { s.data, s.len };

    rcv_policy_init(&policy, name);

    while (lines.len != 0) {
        s = next(&lines, '\n');
        line = (input_t) { s.data, s.len };

        for (nwords = 0; nwords < WORDS_MAX && line.len != 0; nwords++) {
            words[nwords] = next(&line, ' ');
        }

        memset(err, 0xff, sizeof(err));
        rc = rcv_policy_line(&policy, words, nwords, err, sizeof(err));

        /* nginx stops at the first; going on finds more */

        if (rc != 0) {
            require(memchr(err, '\0', sizeof(err)) != NULL && err[0] != '\0');
        }
    }

    if (rcv_policy_finish(&policy, err, sizeof(err)) == 0) {
        check_policy();

        require(rcv_sieve_make(&policy, shapes, alloc, NULL) == 0);
        sieve = policy.sieve;
        policy.sieve = NULL;

        check_classes(&text, sieve);

        while (nblocks != 0) {
            free(blocks[--nblocks]);
        }
    }

    rcv_policy_free(&policy);

    return 0;
}
