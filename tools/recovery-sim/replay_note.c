
/* What comes of it, second by second. */

#include <string.h>

#include "replay_run.h"


/* Service is there again when so much of what is wanted is let in. */
#define REPLAY_REACHED  0.95

/* More failures than this are a trouble. */
#define REPLAY_FAILING  0.05


void
sim_replay_tick(sim_replay_run_t *replay)
{
    sim_replay_t  *out;

    out = &replay->out;

    if (out->nphases != 0 && replay->second.phase == replay->row.phase) {
        return;
    }

    replay->row.phase = replay->second.phase;

    if (out->nphases < SIM_REPLAY_PHASES) {
        out->phases[out->nphases].at_s = replay->row.at_s;
        out->phases[out->nphases].phase = replay->row.phase;
    }

    out->nphases++;
}


/* When service was there again: of each ten seconds, the first. */

static void
replay_reached(sim_replay_run_t *replay, uint64_t now_s)
{
    double         sum[3];
    unsigned       i;
    double        *lately;
    sim_replay_t  *out;

    out = &replay->out;
    lately = replay->lately[now_s % SIM_REPLAY_MEAN_S];

    lately[0] = replay->row.offered;
    lately[1] = replay->row.passed;
    lately[2] = replay->row.good;

    if (!out->conf->outage || now_s + 1 < out->back_s + SIM_REPLAY_MEAN_S) {
        return;
    }

    memset(sum, 0, sizeof(sum));

    for (i = 0; i < SIM_REPLAY_MEAN_S; i++) {
        sum[0] += replay->lately[i][0];
        sum[1] += replay->lately[i][1];
        sum[2] += replay->lately[i][2];
    }

    now_s = now_s + 1 - SIM_REPLAY_MEAN_S;

    if (sum[1] >= REPLAY_REACHED * sum[0]) {
        out->passed_s = rcv_min(out->passed_s, now_s);
    }

    if (sum[2] >= REPLAY_REACHED * sum[0]) {
        out->served_s = rcv_min(out->served_s, now_s);
    }
}


/* A second is over: from the simulator's figures to a row. */

void
sim_replay_note(sim_replay_run_t *replay)
{
    int            settled, shed, modelled;
    uint64_t       now_s;
    sim_row_t     *row;
    sim_second_t  *second;
    sim_replay_t  *out;

    out = &replay->out;
    row = &replay->row;
    second = &replay->second;
    now_s = row->at_s;
    modelled = (replay->world.broken != 0);

    row->seconds = 1;
    row->demand = second->demand;
    row->offered = second->offered;
    row->passed = second->passed;
    row->good = second->good;
    row->failed = second->errors + second->timeouts;
    row->capacity = (modelled && !second->dead) ? second->capacity : 0;
    row->warmth = modelled ? second->warmth : 1;
    row->in_flight = second->in_flight;
    row->limit = second->limit;
    row->rate = second->rate;
    row->dead = second->dead;

    shed = (row->offered > row->passed);
    settled = (strcmp(row->phase, "up") == 0 || strcmp(row->phase, "-") == 0);

    if (shed) {
        out->shed_first_s = rcv_min(out->shed_first_s, now_s);
        out->shed_last_s = now_s;
        out->shed_seconds++;
    }

    if (!settled) {
        out->unsettled_s = now_s;
    }

    replay_reached(replay, now_s);
    sim_rows_add(&out->rows, row,
                 shed || !settled || row->dead
                 || row->failed > REPLAY_FAILING * row->offered);

    if (replay->csv != NULL) {
        sim_replay_csv(out, row, replay->csv);
    }

    memset(second, 0, sizeof(*second));
    memset(row->class_offered, 0, sizeof(row->class_offered));
    memset(row->class_shed, 0, sizeof(row->class_shed));
}
