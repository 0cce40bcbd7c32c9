
/*
 * Damping of a health that flaps.
 *
 * A source that says down, up, down, up (a check at its threshold, two
 * writers of one mind each) begins a ramp with every "up" and ends it with
 * the next "down".  Down is obeyed each time, at once.  Up is believed again
 * when it has held for twice as long as the falls were apart: until then a
 * backend that answers its probes stays on the floor, where it does no harm
 * and where it can be seen that it lives.
 *
 * After the idea of route flap damping (RFC 2439): who was unsteady has to be
 * steady before he is believed.  Without its penalties and half-lives, which
 * nobody can predict from what he sees.
 */

#ifndef RCV_FLAPS_H_INCLUDED_
#define RCV_FLAPS_H_INCLUDED_


#include "rcv.h"


/* Falls no further apart than this belong to one row. */
#define RCV_FLAPS_NEAR_MS    30000

/* So many of them are no chance: an outage, a relapse, and one more. */
#define RCV_FLAPS_ROW        3

/* Bounds of how long it has to hold. */
#define RCV_FLAPS_HOLD_MIN_MS  1000
#define RCV_FLAPS_HOLD_MAX_MS  60000


typedef struct {
    uint32_t             fell_ms;       /* since the last fall */
    uint32_t             held_ms;       /* since it was last down */
    uint32_t             apart_ms;      /* the falls: the most, of late */
    uint16_t             row;           /* falls; 0: none */
    uint16_t             damped;        /* up is not believed */
} rcv_flaps_t;


typedef enum {
    RCV_FLAPS_SAME = 0,
    RCV_FLAPS_BEGAN,
    RCV_FLAPS_ENDED
} rcv_flaps_change_t;


/* What a source says in one tick. */

typedef struct {
    unsigned             fell;          /* down now, and was not before */
    unsigned             down;
    unsigned             fresh;         /* else nothing holds */
} rcv_flaps_facts_t;


/* dt_ms: of progress, since the last tick. */
rcv_flaps_change_t rcv_flaps_tick(rcv_flaps_t *flaps,
    const rcv_flaps_facts_t *facts, uint64_t dt_ms);


#endif /* RCV_FLAPS_H_INCLUDED_ */
