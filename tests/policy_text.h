
/*
 * Policies of the tests, written as in the configuration file: words between
 * blanks, lines end with ";", '' is an empty word.  There is no quoting.
 */

#ifndef POLICY_TEXT_H_INCLUDED_
#define POLICY_TEXT_H_INCLUDED_


#include "policy.h"


#define POLICY_TEXT_WORDS_MAX  128


rcv_str_t str(const char *text);

/*
 * All lines and the policy's end: 0, or -1 and a message.  The policy keeps
 * pointers into the text and is to be freed in both cases.
 */
int policy_text_read(rcv_policy_t *policy, const char *text, char *err,
    size_t err_size);

/* The same for a text that has no fault: the test fails otherwise. */
void policy_text_good(rcv_policy_t *policy, const char *text);


#endif /* POLICY_TEXT_H_INCLUDED_ */
