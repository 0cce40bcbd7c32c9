
#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "pattern.h"


/* Fixed from the start: growing it would be a system call in a match. */
#define RCV_PATTERN_JIT_STACK  (RCV_PATTERN_HEAP_KB * 1024u)

/*
 * "(*UTF)" in a pattern would make every subject that is not UTF-8 an error;
 * URIs and headers are bytes.
 */
#define RCV_PATTERN_OPTIONS    PCRE2_NEVER_UTF


struct rcv_pattern_s {
    pcre2_code           *code;
    pcre2_match_data     *data;
    pcre2_match_context  *context;
    pcre2_jit_stack      *jit_stack;    /* NULL: no JIT, interpreted */
};


/*
 * The bounds hold for each place in the subject where a match may start:
 * the worst that a pattern of nested repeats took for RCV_PATTERN_SUBJECT_MAX
 * bytes was some 15 ms.  Compiled code obeys the match limit and its stack's
 * size, the interpreter the limits of matches, depth and heap.
 */

static int
rcv_pattern_bound(rcv_pattern_t *pattern)
{
    pattern->data = pcre2_match_data_create(1, NULL);
    pattern->context = pcre2_match_context_create(NULL);

    if (pattern->data == NULL || pattern->context == NULL) {
        return -1;
    }

    pcre2_set_match_limit(pattern->context, RCV_PATTERN_MATCH_LIMIT);
    pcre2_set_depth_limit(pattern->context, RCV_PATTERN_DEPTH_LIMIT);
    pcre2_set_heap_limit(pattern->context, RCV_PATTERN_HEAP_KB);

    if (pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) != 0) {
        /* not in this library, or no executable memory: slower, no less */
        return 0;
    }

    pattern->jit_stack = pcre2_jit_stack_create(RCV_PATTERN_JIT_STACK,
                                                RCV_PATTERN_JIT_STACK, NULL);
    if (pattern->jit_stack == NULL) {
        return -1;
    }

    pcre2_jit_stack_assign(pattern->context, NULL, pattern->jit_stack);

    return 0;
}


rcv_pattern_t *
rcv_pattern_compile(rcv_str_t text, int caseless, char *err, size_t err_size)
{
    int             rc;
    size_t          offset;
    const char     *data;
    uint32_t        options;
    rcv_pattern_t  *pattern;
    unsigned char   message[RCV_ERROR_MAX / 4];

    pattern = calloc(1, sizeof(rcv_pattern_t));
    if (pattern == NULL) {
        goto no_memory;
    }

    data = (text.len != 0) ? text.data : "";
    options = RCV_PATTERN_OPTIONS | (caseless ? PCRE2_CASELESS : 0);

    pattern->code = pcre2_compile((PCRE2_SPTR) data, text.len, options, &rc,
                                  &offset, NULL);

    if (pattern->code == NULL) {
        pcre2_get_error_message(rc, message, sizeof(message));
        (void) snprintf(err, err_size, "%s at offset %zu", (char *) message,
                        offset);

        rcv_pattern_free(pattern);
        return NULL;
    }

    if (rcv_pattern_bound(pattern) == 0) {
        return pattern;
    }

no_memory:

    (void) snprintf(err, err_size, "no memory for the pattern");
    rcv_pattern_free(pattern);

    return NULL;
}


void
rcv_pattern_free(rcv_pattern_t *pattern)
{
    if (pattern == NULL) {
        return;
    }

    pcre2_jit_stack_free(pattern->jit_stack);
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    free(pattern);
}


int
rcv_pattern_line_feed(const rcv_pattern_t *pattern)
{
    uint32_t  newline;

    return pcre2_pattern_info(pattern->code, PCRE2_INFO_NEWLINE, &newline)
           == 0
           && newline == PCRE2_NEWLINE_LF;
}


rcv_pattern_result_t
rcv_pattern_match(const rcv_pattern_t *pattern, rcv_str_t subject)
{
    int          rc;
    const char  *data;

    if (subject.len > RCV_PATTERN_SUBJECT_MAX) {
        return RCV_PATTERN_LIMIT;
    }

    data = (subject.len != 0) ? subject.data : "";

    rc = pcre2_match(pattern->code, (PCRE2_SPTR) data, subject.len, 0, 0,
                     pattern->data, pattern->context);

    /* 0: matched, with more groups than the one that we keep */

    if (rc >= 0) {
        return RCV_PATTERN_YES;
    }

    return (rc == PCRE2_ERROR_NOMATCH) ? RCV_PATTERN_NO : RCV_PATTERN_LIMIT;
}
