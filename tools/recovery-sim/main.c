
/*
 * recovery-sim: what would a policy do in an outage?
 *
 * Runs the core of the module, the same code, in virtual time.  An operator
 * chooses a policy with it; `make sim` keeps it from getting worse.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conffile.h"
#include "floors.h"
#include "options.h"
#include "report.h"


#define SIM_LAWS_MAX  64


static void
batch_of(sim_batch_t *batch, const sim_options_t *options,
    const rcv_policy_t *policy, const sim_law_t *law)
{
    memset(batch, 0, sizeof(*batch));

    batch->policy = policy;
    batch->law = law;
    batch->first = options->first;
    batch->nscenarios = options->nscenarios;
    batch->seed = options->seed;
    batch->nseeds = options->nseeds;
    batch->jobs = options->jobs;
}


static int
written(int rc, const char *path)
{
    if (rc != 0) {
        fprintf(stderr, "recovery-sim: \"%s\" could not be written (%s)\n",
                path, strerror(errno));
    }

    return rc;
}


static int
is_compared(const sim_options_t *options, const sim_law_t *law)
{
    if (options->ablations) {
        return law == &sim_law_product || law->without != 0;
    }

    return law != &sim_law_oracle && law->without == 0;
}


static int
run_laws(const sim_options_t *options, const rcv_policy_t *policy)
{
    unsigned     i, n;
    sim_batch_t  batches[SIM_LAWS_MAX];

    n = 0;

    for (i = 0; sim_law(i) != NULL && n < SIM_LAWS_MAX; i++) {

        if (!is_compared(options, sim_law(i))) {
            continue;
        }

        batch_of(&batches[n], options, policy, sim_law(i));
        batches[n].beside = (n != 0) ? &batches[0] : NULL;

        if (sim_batch_run(&batches[n++]) != 0) {
            return 2;
        }
    }

    sim_report_laws(batches, n, stdout);
    sim_report_sums(batches, n, stdout);

    return 0;
}


static int
run_one(const sim_options_t *options, const rcv_policy_t *policy)
{
    int          bad;
    sim_batch_t  batch;

    batch_of(&batch, options, policy, options->law);

    if (sim_batch_run(&batch) != 0) {
        return 2;
    }

    sim_report(&batch, stdout);
    fflush(stdout);

    if ((options->csv != NULL
         && written(sim_csv(&batch, options->csv), options->csv) != 0)
        || (options->svg != NULL
            && written(sim_svg(&batch, options->svg), options->svg) != 0)
        || (options->record != NULL
            && written(sim_floors_write(&batch, options->record),
                       options->record) != 0))
    {
        return 2;
    }

    bad = (options->floors != NULL)
          ? sim_floors_check(&batch, options->floors) : 0;

    if (bad > 0) {
        fprintf(stderr, "recovery-sim: %d below the floor\n", bad);
    }

    sim_batch_done(&batch);

    return (bad < 0) ? 2 : (bad > 0);
}


int
main(int argc, char **argv)
{
    char           err[RCV_ERROR_MAX];
    sim_options_t  options;

    static rcv_policy_t  policy;

    sim_options(&options, argc, argv);

    if (strcmp(options.policy_path, "default") == 0) {
        sim_conf_default(&policy);

    } else if (sim_conf_read(options.policy_path, options.policy_name,
                             &policy, err, sizeof(err))
               != 0)
    {
        fprintf(stderr, "recovery-sim: %s\n", err);
        return 2;
    }

    if (options.replay.npaths != 0) {
        options.replay.policy = &policy;
        return sim_replay(&options.replay);
    }

    return (options.law == NULL) ? run_laws(&options, &policy)
                                 : run_one(&options, &policy);
}
