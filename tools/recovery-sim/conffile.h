
/*
 * The file that nginx includes, read as nginx reads it: words, quotes,
 * comments, blocks, include.  Of all that is in it only recovery_policy
 * counts, so a whole nginx.conf may be given, too.
 */

#ifndef SIM_CONFFILE_H_INCLUDED_
#define SIM_CONFFILE_H_INCLUDED_


#include "policy.h"


/*
 * Reads the policy "name" of a file; NULL: the only one in it.  0, or -1 and
 * a message with file and line.  The words are kept for good, since the
 * policy points at them.
 */
int sim_conf_read(const char *path, const char *name, rcv_policy_t *policy,
    char *err, size_t err_size);

/* The policy that backends without one have. */
void sim_conf_default(rcv_policy_t *policy);


#endif /* SIM_CONFFILE_H_INCLUDED_ */
