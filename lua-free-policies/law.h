
/*
 * How many may be in flight: the parts of the controller, private to it.
 *
 * A cold backend takes many times as long for a request, so a limit near the
 * number that it works on at once gives the right rate by itself, and
 * follows the warming without knowing of it.  To find that number:
 *
 *   round.c  ticks are added up until there is enough to judge by
 *   trip.c   is it dead?  Then nothing else matters
 *   brake.c  does it fail?  Cut at once; undo what did not help
 *   start.c  as long as nothing queues: one more for each two delivered
 *   vegas.c  does it queue?  Latency against its base, after TCP Vegas
 *            (Brakmo, O'Malley and Peterson, 1994) ...
 *   wave.c   ... overruled by what a small wave on the limit shows: do more
 *            in flight deliver more?
 */

#ifndef RCV_LAW_H_INCLUDED_
#define RCV_LAW_H_INCLUDED_


#include "controller.h"


/* Two, or the first class alone would have all there is. */
#define RCV_LIMIT_MIN_MILLI  (2 * RCV_MILLI)
#define RCV_LIMIT_MAX_MILLI  (4000000u * RCV_MILLI)

/* As many in a row, and it is dead; shares of a round. */
#define RCV_DEAD_ROW         20
#define RCV_DEAD_RESULTS     10
#define RCV_DEAD_PPM         800000

/* A round is judged with so many latencies, or after so long with a few. */
#define RCV_ROUND_WORKS      20
#define RCV_ROUND_WORKS_MIN  3
#define RCV_ROUND_MS         1000


/* Adds a tick to the round. */
void rcv_round_add(rcv_round_t *round, const rcv_control_t *control,
    const rcv_window_t *window);

/* Empties it, but for what goes on. */
void rcv_round_clear(rcv_round_t *round);

/* Is there enough to judge by?  Gives up on one that never gets there. */
int rcv_round_full(rcv_round_t *round);

/* Mean latency; the round has works. */
uint64_t rcv_round_latency_us(const rcv_round_t *round);

/* Delivered a second, and the share that failed. */
uint64_t rcv_round_ok_milli(const rcv_round_t *round);
uint32_t rcv_round_bad_ppm(const rcv_round_t *round);


/* 1: the backend is dead. */
int rcv_trip(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window);


typedef enum {
    RCV_BRAKE_NONE = 0,
    RCV_BRAKE_WAIT,                     /* too few results to tell */
    RCV_BRAKE_CUT,
    RCV_BRAKE_UNDONE
} rcv_brake_t;

/* More than the background and the policy's share explain, or chance? */
int rcv_brake_damage(const rcv_control_t *control, const rcv_policy_t *policy,
    uint64_t ok, uint64_t bad);

/* Judges a full round by what failed. */
rcv_brake_t rcv_brake(rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts);


/* One tick of slow start. */
void rcv_start_tick(rcv_control_t *control, const rcv_control_facts_t *facts,
    const rcv_window_t *window);

/* Its end: latency has shown a queue. */
void rcv_start_over(rcv_control_t *control, const rcv_round_t *round);

/* From here on up it has failed before. */
uint64_t rcv_failed_near_milli(const rcv_control_t *control);


/* Do more in flight deliver more? */

typedef enum {
    RCV_SLOPE_UNKNOWN = 0,
    RCV_SLOPE_FLAT,
    RCV_SLOPE_RISING,
    RCV_SLOPE_FALLING
} rcv_slope_t;

/* After so many halves the slope is more than a guess. */
#define RCV_WAVE_KNOWN  3

/* Notes what this tick delivered in its half of the wave. */
void rcv_wave_note(const rcv_control_t *control, rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window);

rcv_slope_t rcv_wave_slope(const rcv_control_t *control,
    const rcv_wave_t *wave);

/* Nearly as many more as there are more in flight. */
int rcv_wave_steep(const rcv_control_t *control, const rcv_wave_t *wave);

/* Moves the limit once for each half that is over. */
void rcv_wave_move(rcv_control_t *control, rcv_wave_t *wave, int hold);

/* The limit as it is now, on the wave, with ticks so far apart. */
uint64_t rcv_wave_limit_milli(const rcv_control_t *control, uint64_t now_ms,
    uint64_t dt_ms);


/* Judges a full round by latency; 1: used up, 0: it needs more time. */
int rcv_vegas(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts);

void rcv_limit_set(rcv_control_t *control, uint64_t limit_milli);

/* Nothing is judged before the last move has been felt. */
void rcv_limit_wait(rcv_control_t *control, uint64_t us);


#endif /* RCV_LAW_H_INCLUDED_ */
