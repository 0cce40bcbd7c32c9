
/*
 * For what goes on until Ctrl-C, or until nobody reads it: status --watch,
 * audit --follow.
 */

#ifndef CTL_PAUSE_H_INCLUDED_
#define CTL_PAUSE_H_INCLUDED_


#include <stdint.h>


/* From now on SIGINT, SIGTERM and SIGHUP end pauses instead of us. */
void ctl_pause_begin(void);

/*
 * 0; -1: one of them has come, now or before, or whoever read our output is
 * gone, which is noticed also when there is nothing to write.
 */
int ctl_pause(uint64_t ms);


#endif /* CTL_PAUSE_H_INCLUDED_ */
