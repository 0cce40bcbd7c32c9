
/*
 * A replay while it lasts.
 */

#ifndef SIM_REPLAY_RUN_H_INCLUDED_
#define SIM_REPLAY_RUN_H_INCLUDED_


#include "attempt.h"
#include "replay.h"


/* Rates are meant over so many seconds. */
#define SIM_REPLAY_MEAN_S  10

#define SIM_REPLAY_NEVER   UINT64_MAX


typedef struct {
    sim_replay_t         out;
    const sim_replay_conf_t  *conf;
    sim_facts_t         *facts;
    sim_feed_t          *feed;
    FILE                *csv;

    sim_world_t          world;
    sim_run_t            run;
    sim_second_t         second;
    sim_scenario_t       scenario;
    sim_play_t           play;
    sim_row_t            row;

    uint64_t             played;        /* requests */
    int64_t              at_hand;       /* request; < 0: the log has ended */
    const char          *fatal;

    double               took_sum_s;    /* of those answered in health */
    double               took_n;
    uint64_t             mean_s;        /* when the rates below began */
    uint64_t             answered;
    double               highest;       /* rate of answers, of the log */


    /* offered, passed, good */
    double               lately[SIM_REPLAY_MEAN_S][3];
} sim_replay_run_t;


/* replay_play.c: what the run asks of the log. */

extern const sim_play_t  sim_replay_play;

sim_request_t *sim_replay_request(const sim_replay_run_t *replay, uint32_t i);

/* What the backend can do, by what has been seen so far. */
void sim_replay_size(sim_replay_run_t *replay);

/* replay_note.c: every tick, and at the end of each second. */

void sim_replay_tick(sim_replay_run_t *replay);
void sim_replay_note(sim_replay_run_t *replay);


#endif /* SIM_REPLAY_RUN_H_INCLUDED_ */
