
/*
 * The lines of a policy that tell requests apart: class, match, cohort,
 * retries.
 */

#include <string.h>

#include "policy_verbs.h"
#include "words.h"


#define RCV_RESERVE_MAX_PPM  (RCV_PPM - 1)


static void
rcv_policy_add_class(rcv_policy_t *policy, rcv_str_t name)
{
    rcv_class_t  *class;

    class = &policy->classes[policy->nclasses++];

    memset(class->name, 0, sizeof(class->name));
    memcpy(class->name, name.data, name.len);
    class->reserve_ppm = RCV_RESERVE_UNSET;
}


void
rcv_policy_builtin_classes(rcv_policy_t *policy)
{
    size_t  i;

    static const rcv_str_t  names[] = {
        { "critical", 8 }, { "high", 4 }, { "normal", 6 }, { "low", 3 }
    };

    if (policy->nclasses != 0) {
        return;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rcv_policy_add_class(policy, names[i]);
    }
}


static int
rcv_class_reserve(rcv_line_t *line, rcv_str_t value)
{
    rcv_policy_t  *policy;

    policy = line->policy;

    return rcv_parse_percent(value, RCV_RESERVE_MAX_PPM,
                          &policy->classes[policy->nclasses - 1].reserve_ppm);
}


static int
rcv_class_check(rcv_line_t *line, rcv_str_t name)
{
    rcv_policy_t  *policy;

    policy = line->policy;

    if (!rcv_name_valid(name)) {
        return rcv_line_error(line, "invalid name \"%s\" in \"class\", "
                              "it must be 1 to %d letters, digits, \"_\", "
                              "\"-\" and \".\", a letter or digit first",
                              rcv_line_show(line, name), RCV_NAME_MAX);
    }

    if (policy->seen & RCV_SEEN_MATCH) {
        return rcv_line_error(line, "class \"%s\" must be listed before the "
                              "first \"match\"", rcv_line_show(line, name));
    }

    if (rcv_policy_class(policy, name) != -1) {
        return rcv_line_error(line, "class \"%s\" is duplicate",
                              rcv_line_show(line, name));
    }

    if (policy->nclasses == RCV_CLASSES_MAX) {
        return rcv_line_error(line, "too many classes at \"%s\", a policy "
                              "has at most %d", rcv_line_show(line, name),
                              RCV_CLASSES_MAX);
    }

    return 0;
}


int
rcv_line_class(rcv_line_t *line)
{
    unsigned       given;
    rcv_str_t      name;
    rcv_policy_t  *policy;

    static const rcv_param_t  params[] = {
        { "default", 1, NULL, NULL },
        { "reserve", 0, rcv_class_reserve,
          "a percentage from 0% to below 100%" }
    };

    policy = line->policy;
    name = line->words[1];

    if (rcv_class_check(line, name) != 0) {
        return -1;
    }

    rcv_policy_add_class(policy, name);

    if (rcv_line_params(line, 2, params, 2, &given) != 0) {
        return -1;
    }

    if (!(given & 1)) {
        return 0;
    }

    if (policy->seen & RCV_SEEN_DEFAULT) {
        return rcv_line_error(line, "class \"%s\" cannot be \"default\", "
                              "class \"%s\" is already",
                              rcv_line_show(line, name),
                              policy->classes[policy->default_class].name);
    }

    policy->seen |= RCV_SEEN_DEFAULT;
    policy->default_class = policy->nclasses - 1;

    return 0;
}


static int
rcv_is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '_';
}


/* The next "$name" or "${name}" of *text, which is moved behind it. */

static int
rcv_next_variable(rcv_str_t *text, rcv_str_t *name)
{
    rcv_str_t  rest;

    while (rcv_split(*text, "$", &rest, text)) {

        *name = *text;

        if (name->len != 0 && name->data[0] == '{') {
            name->data++;
            name->len--;
        }

        rest = *name;
        name->len = 0;

        while (name->len < rest.len && rcv_is_name_byte(rest.data[name->len]))
        {
            name->len++;
        }

        if (name->len != 0) {
            return 1;
        }
    }

    return 0;
}


/* Variables are found without regard to case, as nginx does. */

static int
rcv_starts_with(rcv_str_t name, const char *prefix)
{
    char    c;
    size_t  i;

    for (i = 0; prefix[i] != '\0'; i++) {

        if (i == name.len) {
            return 0;
        }

        c = name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c = (char) (c - 'A' + 'a');
        }

        if (c != prefix[i]) {
            return 0;
        }
    }

    return 1;
}


int
rcv_client_chosen(rcv_str_t text)
{
    size_t     i;
    rcv_str_t  name;

    static const struct {
        const char  *word;
        unsigned     whole;
    } chosen[] = {
        { "http_", 0 },
        { "cookie_", 0 },
        { "arg_", 0 },
        { "args", 1 },
        { "query_string", 1 }
    };

    while (rcv_next_variable(&text, &name)) {

        for (i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {

            if (rcv_starts_with(name, chosen[i].word)
                && (!chosen[i].whole || name.len == strlen(chosen[i].word)))
            {
                return 1;
            }
        }
    }

    return 0;
}


/* Index of the string among the subjects; equal strings are one. */

static int
rcv_line_subject(rcv_line_t *line, rcv_str_t text)
{
    unsigned        i;
    rcv_str_t       name, rest;
    rcv_policy_t   *policy;
    rcv_subject_t  *subject;

    policy = line->policy;
    rest = text;

    if (!rcv_next_variable(&rest, &name)) {
        return rcv_line_error(line, "\"%s\" in \"%s\" has no variable, it "
                              "must be a string such as \"$uri\"",
                              rcv_line_show(line, text), line->name);
    }

    for (i = 0; i < policy->nsubjects; i++) {
        subject = &policy->subjects[i];

        if (subject->text.len == text.len
            && memcmp(subject->text.data, text.data, text.len) == 0)
        {
            return (int) i;
        }
    }

    if (policy->nsubjects == RCV_SUBJECTS_MAX) {
        return rcv_line_error(line, "too many different strings at \"%s\" in "
                              "\"%s\", a policy has at most %d",
                              rcv_line_show(line, text), line->name,
                              RCV_SUBJECTS_MAX);
    }

    subject = &policy->subjects[policy->nsubjects];
    subject->text = text;
    subject->client_chosen = (unsigned) rcv_client_chosen(text);

    return (int) policy->nsubjects++;
}


/* The words STRING OP PATTERN from "first" on. */

static int
rcv_line_test(rcv_line_t *line, unsigned first, rcv_test_t *test)
{
    int        op, subject;
    char       message[RCV_ERROR_MAX / 4];
    rcv_str_t  value;

    static const char *const  ops[] = {
        [RCV_OP_EQUAL] = "=",
        [RCV_OP_REGEX] = "~",
        [RCV_OP_REGEX_CASELESS] = "~*"
    };

    for (op = RCV_OP_EQUAL; op <= RCV_OP_REGEX_CASELESS; op++) {
        if (rcv_str_eq(line->words[first + 1], ops[op])) {
            break;
        }
    }

    if (op > RCV_OP_REGEX_CASELESS) {
        return rcv_line_error(line, "unknown operator \"%s\" in \"%s\", it "
                              "must be \"=\", \"~\" or \"~*\"",
                              rcv_line_show(line, line->words[first + 1]),
                              line->name);
    }

    subject = rcv_line_subject(line, line->words[first]);
    if (subject < 0) {
        return -1;
    }

    value = line->words[first + 2];

    test->subject = (uint32_t) subject;
    test->op = (rcv_op_t) op;
    test->value = value;

    if (test->op == RCV_OP_EQUAL) {
        return 0;
    }

    test->pattern = rcv_pattern_compile(value,
                                        test->op == RCV_OP_REGEX_CASELESS,
                                        message, sizeof(message));
    if (test->pattern == NULL) {
        return rcv_line_error(line, "invalid pattern \"%s\" in \"%s\": %s",
                              rcv_line_show(line, value), line->name,
                              message);
    }

    return 0;
}


int
rcv_line_match(rcv_line_t *line)
{
    int            class_index;
    unsigned       i;
    rcv_list_t     list = { .len = 0 };
    rcv_match_t   *match;
    rcv_policy_t  *policy;

    policy = line->policy;
    policy->seen |= RCV_SEEN_MATCH;
    rcv_policy_builtin_classes(policy);

    class_index = rcv_policy_class(policy, line->words[1]);

    if (class_index < 0) {

        for (i = 0; i < policy->nclasses; i++) {
            rcv_list_add(&list, policy->classes[i].name, "");
        }

        return rcv_line_error(line, "unknown class \"%s\" in \"match\", it "
                              "must be one of %s",
                              rcv_line_show(line, line->words[1]), list.text);
    }

    if (policy->nmatches == RCV_MATCHES_MAX) {
        return rcv_line_error(line, "too many \"match\" lines at \"%s\", a "
                              "policy has at most %d",
                              rcv_line_show(line, line->words[2]),
                              RCV_MATCHES_MAX);
    }

    match = &policy->matches[policy->nmatches];
    match->class_index = (uint32_t) class_index;

    if (rcv_line_test(line, 2, &match->test) != 0) {
        return -1;
    }

    policy->nmatches++;

    return 0;
}


int
rcv_line_cohort(rcv_line_t *line)
{
    line->policy->cohort = rcv_line_subject(line, line->words[1]);

    return (line->policy->cohort < 0) ? -1 : 0;
}


static int
rcv_retries_budget(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_portion(value, RCV_PPM,
                             &line->policy->retries_budget_ppm);
}


int
rcv_line_retries(rcv_line_t *line)
{
    unsigned  given;

    static const rcv_param_t  params[] = {
        { "budget", 0, rcv_retries_budget,
          "a percentage above 0% and up to 100%" }
    };

    if (rcv_line_params(line, 4, params, 1, &given) != 0
        || rcv_line_test(line, 1, &line->policy->retries_test) != 0)
    {
        return -1;
    }

    line->policy->retries = 1;

    return 0;
}
