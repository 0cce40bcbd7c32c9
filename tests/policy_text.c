
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "policy_text.h"


rcv_str_t
str(const char *text)
{
    rcv_str_t  s = { text, strlen(text) };

    return s;
}


/* The words up to the next ";"; returns the text behind it. */

static const char *
policy_text_line(const char *text, rcv_str_t *words, unsigned *nwords)
{
    rcv_str_t  *word;

    *nwords = 0;

    for ( ;; ) {
        text += strspn(text, " \n");

        if (*text == ';' || *text == '\0') {
            return text + (*text == ';');
        }

        assert_true(*nwords < POLICY_TEXT_WORDS_MAX);

        word = &words[(*nwords)++];
        word->data = text;
        word->len = strcspn(text, " \n;");
        text += word->len;

        if (word->len == 2 && memcmp(word->data, "''", 2) == 0) {
            word->len = 0;
        }
    }
}


int
policy_text_read(rcv_policy_t *policy, const char *text, char *err,
    size_t err_size)
{
    unsigned   nwords;
    rcv_str_t  words[POLICY_TEXT_WORDS_MAX];

    rcv_policy_init(policy, str("test"));

    while (*text != '\0') {
        text = policy_text_line(text, words, &nwords);

        if (rcv_policy_line(policy, words, nwords, err, err_size) != 0) {
            return -1;
        }
    }

    return rcv_policy_finish(policy, err, err_size);
}


void
policy_text_good(rcv_policy_t *policy, const char *text)
{
    char  err[RCV_ERROR_MAX] = "";

    if (policy_text_read(policy, text, err, sizeof(err)) != 0) {
        fail_msg("%s: %s", text, err);
    }
}
