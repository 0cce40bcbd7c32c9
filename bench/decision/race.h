
/*
 * Times one small thing, done in a loop by one process or by several at the
 * same moment, so that figures hold on a machine that has other things to do.
 *
 * The loop is cut into rounds of about half a millisecond.  All begin a round
 * together, each on its own processor; a round in which anybody was taken off
 * his processor, or was late, is thrown away.  What is told is the median of
 * the rest.
 */

#ifndef RACE_H_INCLUDED_
#define RACE_H_INCLUDED_


#include <stddef.h>


#define RACE_PROCESSES_MAX  16


typedef struct {
    const char  *name;

    /* in every process, before its first round */
    void       (*enter)(void *shared, unsigned number);

    /* one round */
    void       (*round)(void *shared, unsigned number, unsigned long loops);
} race_t;


/*
 * About two microseconds of computing that touch nothing that is shared: what
 * the smallest request takes of nginx between two decisions.
 */
void race_pause(void);

/* MODE-paced is MODE with a pause behind each; cuts it off.  1: it was there */
int race_paced(char *mode);

/* Memory of zeros that all processes of a race have in common. */
void *race_shared(size_t size);

/*
 * Reads PROCESSES and, optionally, LOOPS from the two words; prints one line
 *
 *   NAME processes=N ns=MEDIAN low=P10 high=P90 per_s=ALL rounds=COUNTED
 *
 * With LOOPS nothing is timed: one process does so many, for instructions to
 * be counted.  0, or 1 if it could not be done.
 */
int race(const race_t *it, void *shared, const char *processes,
    const char *loops);


#endif /* RACE_H_INCLUDED_ */
