
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay_run.h"


#define REPLAY_QUEUE    20              /* places, in times the workers */
#define REPLAY_NOISE    0.3             /* where the log has no times */
#define REPLAY_PROXY_S  60


/* As in most scenarios: it fails, and Redis is told; it comes back, too. */

static void
replay_steps(sim_replay_run_t *replay)
{
    unsigned      i;
    sim_step_t   *step;
    const double  down_s = (double) replay->out.outage_s;
    const double  up_s = (double) replay->out.back_s;

    const sim_step_t  steps[] = {
        { down_s, SIM_STEP_FAIL, 0, 0, NULL },
        { down_s, SIM_STEP_SAY, 0, 0, "down" },
        { up_s, SIM_STEP_ALIVE, 0, 0, NULL },
        { up_s, SIM_STEP_COLD, 0, 0, NULL },
        { up_s, SIM_STEP_SAY, 0, 0, "up" }
    };

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        step = &replay->scenario.steps[i];
        *step = steps[i];

        if ((step->kind == SIM_STEP_SAY && replay->conf->untold)
            || (step->kind == SIM_STEP_COLD && replay->conf->cold_x <= 1))
        {
            step->kind = SIM_STEP_NONE;
        }
    }
}


/* Where in the log the outage is; 0, or -1 with a message. */

static int
replay_outage(sim_replay_run_t *replay, uint64_t first_us)
{
    char                      text[SIM_TIME_TEXT];
    int32_t                   zone_s;
    uint64_t                  first_ms, from_ms, to_ms;
    const sim_replay_conf_t  *conf;

    conf = replay->conf;
    zone_s = sim_feed_sums(replay->feed)->zone_s;
    first_ms = first_us / 1000;
    replay->out.base_ms = first_ms / 1000 * 1000;
    replay->out.rows.midnight_s = (uint64_t) ((int64_t) first_ms / 1000
                                              + zone_s + 86400);

    if (!conf->outage) {
        return 0;
    }

    from_ms = sim_moment_ms(&conf->from, first_ms, zone_s);
    to_ms = sim_moment_ms(&conf->to, from_ms, zone_s);

    if (from_ms < replay->out.base_ms) {
        fprintf(stderr, "recovery-sim: the outage begins before the log, "
                "which begins at %s\n",
                sim_time_text(text, first_ms, zone_s));
        return -1;
    }

    if (to_ms <= from_ms) {
        fprintf(stderr, "recovery-sim: the outage ends before it begins\n");
        return -1;
    }

    replay->out.outage_s = (from_ms - replay->out.base_ms) / 1000;
    replay->out.back_s = (to_ms - replay->out.base_ms) / 1000;

    replay_steps(replay);

    return 0;
}


static void
replay_begin(sim_replay_run_t *replay)
{
    sim_world_t     *world;
    sim_scenario_t  *scenario;

    scenario = &replay->scenario;

    scenario->name = "replay";
    scenario->weight = 1;
    scenario->cold_x = replay->conf->cold_x;
    scenario->queue = REPLAY_QUEUE;
    scenario->noise = REPLAY_NOISE;
    scenario->patience_s = replay->conf->patience_s;
    scenario->proxy_s = REPLAY_PROXY_S;
    scenario->honour = 0.5;
    scenario->rude = 0.2;
    scenario->nodes = 1;
    scenario->skew = 1;

    sim_replay_size(replay);

    replay->play = sim_replay_play;
    replay->play.data = replay;
    replay->play.retries = replay->conf->retries;

    replay->run.scenario = scenario;
    replay->run.law = replay->conf->law;
    replay->run.seed = replay->conf->seed;
    replay->run.seconds = &replay->second;
    replay->run.nseconds = 1;

    world = &replay->world;

    world->run = &replay->run;
    world->scenario = scenario;
    world->policy = sim_facts_policy(replay->facts);
    world->law = replay->conf->law;
    world->play = &replay->play;
    world->judge_ns = UINT64_MAX;

    sim_world_open(world);
}


/* Second by second, until the log ends.  0, or -1 with a message. */

static int
replay_run(sim_replay_run_t *replay)
{
    uint64_t  ns;

    for (ns = 0; replay->at_hand >= 0 && replay->fatal == NULL; /* void */) {

        replay->row.at_s = ns / SIM_S;

        do {
            ns += SIM_TICK_NS;
            sim_engine_run(&replay->world.engine, ns);
            sim_replay_tick(replay);

        } while (ns % SIM_S != 0);

        sim_replay_note(replay);
        sim_replay_size(replay);

        if (replay->conf->outage && replay->out.capacity == 0
            && ns / SIM_S > replay->out.outage_s)
        {
            replay->fatal = "the log has less than ten seconds of health "
                            "before the outage, from which to tell what the "
                            "backend can do: say --capacity RATE";
        }
    }

    replay->out.seconds = ns / SIM_S;

    if (replay->fatal == NULL && replay->conf->outage
        && replay->out.outage_s >= replay->out.seconds)
    {
        replay->fatal = "the log ends before the outage begins";
    }

    if (replay->fatal != NULL) {
        fprintf(stderr, "recovery-sim: %s\n", replay->fatal);
        return -1;
    }

    return 0;
}


static int
replay_all(sim_replay_run_t *replay)
{
    int                    rc;
    const sim_request_t   *first;

    replay->at_hand = sim_feed_next(replay->feed);
    replay->out.sums = sim_feed_sums(replay->feed);

    if (replay->at_hand < 0) {
        fprintf(stderr, "recovery-sim: there is no request in the log "
                "(%llu lines could not be read)\n",
                (unsigned long long) replay->out.sums->bad);
        return -1;
    }

    first = sim_replay_request(replay, (uint32_t) replay->at_hand);

    if (replay_outage(replay, first->at_us) != 0) {
        return -1;
    }

    if (replay->csv != NULL) {
        sim_replay_csv_head(&replay->out, replay->csv);
    }

    replay_begin(replay);
    rc = replay_run(replay);
    sim_world_close(&replay->world);

    return (rc != 0 || sim_feed_failed(replay->feed)) ? -1 : 0;
}


static int
replay_unwritten(const char *path)
{
    fprintf(stderr, "recovery-sim: \"%s\" could not be written (%s)\n", path,
            strerror(errno));

    return 2;
}


static int
replay_finish(sim_replay_run_t *replay)
{
    int  rc;

    rc = 0;

    if (replay->csv != NULL && fclose(replay->csv) != 0) {
        rc = replay_unwritten(replay->conf->csv);
    }

    replay->csv = NULL;

    if (replay->conf->svg != NULL
        && sim_replay_svg(&replay->out, replay->conf->svg) != 0)
    {
        rc = replay_unwritten(replay->conf->svg);
    }

    sim_replay_report(&replay->out, stdout);

    return rc;
}


int
sim_replay(const sim_replay_conf_t *conf)
{
    int        rc;
    sim_replay_run_t  *replay;

    replay = sim_alloc(sizeof(*replay));

    replay->conf = conf;
    replay->facts = sim_facts_new(conf->policy);
    replay->feed = sim_feed_open(conf->paths, conf->npaths, replay->facts,
                                 conf->seed);

    replay->out.conf = conf;
    replay->out.facts = replay->facts;
    replay->out.shed_first_s = SIM_REPLAY_NEVER;
    replay->out.shed_last_s = SIM_REPLAY_NEVER;
    replay->out.passed_s = SIM_REPLAY_NEVER;
    replay->out.served_s = SIM_REPLAY_NEVER;
    replay->out.unsettled_s = SIM_REPLAY_NEVER;
    replay->row.phase = "";
    sim_rows_init(&replay->out.rows);

    rc = 2;

    if (replay->feed != NULL) {

        if (conf->csv != NULL) {
            replay->csv = fopen(conf->csv, "w");
        }

        rc = (conf->csv != NULL && replay->csv == NULL)
             ? replay_unwritten(conf->csv)
             : (replay_all(replay) != 0) ? 2 : replay_finish(replay);

        if (replay->csv != NULL) {
            (void) fclose(replay->csv);
        }

        sim_feed_close(replay->feed);
    }

    sim_rows_done(&replay->out.rows);
    sim_facts_free(replay->facts);
    free(replay);

    return rc;
}
