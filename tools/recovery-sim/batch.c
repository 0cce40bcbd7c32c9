
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch.h"


/* What the processes share: who is next, then the cases, then the seconds. */

typedef struct {
    unsigned             next;
    sim_case_t           cases[];
} shared_t;


static unsigned
batch_cases(const sim_batch_t *batch)
{
    return batch->nscenarios * batch->nseeds;
}


static const sim_scenario_t *
batch_scenario(const sim_batch_t *batch, unsigned i)
{
    return sim_scenario(batch->first + i / batch->nseeds);
}


static shared_t *
batch_share(sim_batch_t *batch)
{
    void          *p;
    size_t         n;
    unsigned       i;
    shared_t      *shared;
    sim_second_t  *seconds;

    n = 0;

    for (i = 0; i < batch_cases(batch); i++) {
        n += 2 * sim_run_seconds(batch_scenario(batch, i));
    }

    batch->size = sizeof(shared_t) + batch_cases(batch) * sizeof(sim_case_t)
                  + n * sizeof(sim_second_t);

    p = mmap(NULL, batch->size, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        perror("recovery-sim: mmap()");
        return NULL;
    }

    shared = p;
    batch->cases = shared->cases;
    seconds = (sim_second_t *) (void *) (shared->cases + batch_cases(batch));

    for (i = 0; i < batch_cases(batch); i++) {
        n = sim_run_seconds(batch_scenario(batch, i));

        batch->cases[i].run.seconds = seconds;
        batch->cases[i].oracle.seconds = seconds + n;
        seconds += 2 * n;
    }

    return shared;
}


static void
batch_work(const sim_batch_t *batch, shared_t *shared)
{
    uint64_t               seed;
    unsigned               i;
    sim_case_t            *one;
    const sim_scenario_t  *scenario;

    for ( ;; ) {
        i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);

        if (i >= batch_cases(batch)) {
            return;
        }

        one = &batch->cases[i];
        scenario = batch_scenario(batch, i);
        seed = batch->seed + i % batch->nseeds;

        if (batch->beside != NULL) {
            one->oracle = batch->beside->cases[i].oracle;

        } else {
            sim_run(&one->oracle, scenario, &sim_law_oracle, batch->policy,
                    seed, one->oracle.seconds);
        }

        sim_run(&one->run, scenario, batch->law, batch->policy, seed,
                one->run.seconds);
        sim_score(&one->run, &one->oracle, &one->score);
    }
}


int
sim_batch_run(sim_batch_t *batch)
{
    int        status, bad;
    pid_t      pid;
    unsigned   i, n;
    shared_t  *shared;

    shared = batch_share(batch);
    if (shared == NULL) {
        return -1;
    }

    n = 0;

    for (i = 1; i < batch->jobs && i < batch_cases(batch); i++) {
        pid = fork();

        if (pid == 0) {
            batch_work(batch, shared);
            _exit(0);
        }

        n += (pid > 0);
    }

    batch_work(batch, shared);

    for (bad = 0; n != 0; n--) {
        bad |= (wait(&status) < 0 || status != 0);
    }

    if (bad) {
        fprintf(stderr, "recovery-sim: a process did not end well\n");
        return -1;
    }

    return 0;
}


void
sim_batch_done(sim_batch_t *batch)
{
    (void) munmap((char *) batch->cases - offsetof(shared_t, cases),
                  batch->size);
}


const sim_case_t *
sim_batch_case(const sim_batch_t *batch, unsigned scenario, unsigned seed)
{
    return &batch->cases[scenario * batch->nseeds + seed];
}


void
sim_batch_sum(const sim_batch_t *batch, unsigned scenario,
    sim_score_t *median, sim_score_t *worst)
{
    unsigned      i;
    sim_score_t  *scores;

    scores = sim_alloc(batch->nseeds * sizeof(sim_score_t));

    for (i = 0; i < batch->nseeds; i++) {
        scores[i] = sim_batch_case(batch, scenario, i)->score;
    }

    sim_score_sum(scores, batch->nseeds, median, worst);
    free(scores);
}
