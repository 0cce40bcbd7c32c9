
/*
 * A backend in virtual time for the tests of the tick: demand by class goes
 * through what the last tick allowed, the backend answers at once, and the
 * next tick is told.
 */

#ifndef WORLD_H_INCLUDED_
#define WORLD_H_INCLUDED_


#include "tick.h"


typedef struct {
    rcv_policy_t         policy;
    rcv_limits_t         limits;
    rcv_source_t         source;
    rcv_state_t          state;
    rcv_round_t          round;
    rcv_tick_t           out;
    rcv_window_t         window;        /* the last one */

    uint64_t             now_ms;
    uint64_t             unix_s;        /* the source's clock */
    uint64_t             tick_ms;

    uint64_t             demand_milli[RCV_CLASSES_MAX];     /* per second */
    uint64_t             latency_ms;
    uint32_t             bad_ppm;       /* of the results */
    unsigned             mute;          /* takes work, answers nothing */

    uint64_t             carry[RCV_CLASSES_MAX];
    uint64_t             bad_carry;
    uint64_t             tokens_milli;

    /* changes seen, in order */
    rcv_change_t         changes[256];
    unsigned             nchanges;
} world_t;


/* A policy in the words of the configuration; "" is the default one. */
void world_init(world_t *world, const char *policy);
void world_done(world_t *world);

/* All of it in one class, per second. */
void world_demand(world_t *world, uint64_t rate_milli);

/* A hash with these fields; NULL: not there.  Bits of the bad ones. */
unsigned world_say(world_t *world, const char *health, const char *ceiling,
    const char *force, const char *until);

/* One field. */
void world_health(world_t *world, const char *health);

void world_tick(world_t *world);
void world_run(world_t *world, uint64_t ms);

/* Ticks until the phase is reached; fails after limit_ms. */
void world_until(world_t *world, rcv_phase_t phase, uint64_t limit_ms);

/* Learns a rate for two minutes; the state is "up". */
void world_learn(world_t *world, uint64_t rate_milli);

/* Rate that passes now: 0 closed, RCV_UNLIMITED open. */
uint64_t world_allowed(const world_t *world);

/* The phases gone through since world_init(), first to last. */
void world_assert_phases(const world_t *world, const rcv_phase_t *phases,
    unsigned n);


#endif /* WORLD_H_INCLUDED_ */
