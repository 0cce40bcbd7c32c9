
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"


#define SIM_SEEDS_MAX  1000
#define SIM_JOBS_MAX   64


static const char  usage[] =
    "usage: recovery-sim POLICY [--scenario NAME|all] [--seed N]\n"
    "       recovery-sim POLICY --replay LOG... [--outage START..END]\n"
    "       recovery-sim --list\n"
    "\n"
    "Runs an outage and the recovery in virtual time, with the policy in\n"
    "force, and says what users and backend would have seen of it; or plays\n"
    "access logs, and says what would have been shed of them.\n"
    "\n"
    "POLICY is a file with a recovery_policy block, the one that nginx\n"
    "includes, or \"default\" for the built-in policy.\n"
    "\n"
    "  --scenario NAME   what happens; default all\n"
    "  --seed N          default 1; the same seed gives the same output\n"
    "  --seeds N         so many seeds, from --seed on; median and worst\n"
    "  --policy NAME     which one, if the file has several\n"
    "  --law NAME        another law in the product's place; all: compare;\n"
    "                    without: compare the product's, and without each of\n"
    "                    its ingredients\n"
    "  --csv FILE        what happened, second by second\n"
    "  --svg FILE        the same as a plot, of the first seed\n"
    "  --floors FILE     fail when a figure is below its floor there\n"
    "  --record FILE     write such a file\n"
    "  --jobs N          processes; default as many as processors\n"
    "  --list            scenarios and laws\n"
    "\n"
    "  --replay LOG...   access logs in the combined format, times behind it:\n"
    "                    man recovery-sim; \"-\" is stdin\n"
    "  --outage START..END   of the backend; without it fails what failed in\n"
    "                    the log.  10:05..10:12, 10:05..+7m, +10m..+7m (after\n"
    "                    the log's beginning), 2026-11-23T10:05:00..+7m\n"
    "  --untold          nobody tells Redis of the outage\n"
    "  --cold X          it comes back with an empty cache, a miss takes X\n"
    "                    times as long; default 8; 1: it comes back warm\n"
    "  --keys N          misses that fill the cache; default: of 7 seconds\n"
    "  --capacity RATE   what it can do warm; default: of the log\n"
    "  --service TIME    how long a request takes of which the log does not\n"
    "                    tell it\n"
    "  --patience TIME   of a client in front of the modelled backend; 10s\n"
    "  --retries         who is not served tries again, beside the log\n"
    "\n"
    "  --help            this text\n";


static void
options_list(void)
{
    unsigned  i;

    printf("scenarios:\n");

    for (i = 0; i < sim_nscenarios; i++) {
        printf("  %-20s %s\n", sim_scenario(i)->name, sim_scenario(i)->what);
    }

    printf("\nlaws:\n");

    for (i = 0; sim_law(i) != NULL; i++) {
        printf("  %-20s %s\n", sim_law(i)->name, sim_law(i)->what);
    }
}


static void
options_fail(const char *what, const char *value)
{
    fprintf(stderr, "recovery-sim: %s \"%s\"; see --help and --list\n", what,
            value);
    exit(2);
}


static unsigned
options_number(const char *name, const char *text, unsigned max)
{
    char           *end;
    unsigned long   n;

    errno = 0;
    n = strtoul(text, &end, 10);

    if (errno != 0 || *end != '\0' || end == text || *text == '-' || n == 0
        || n > max)
    {
        fprintf(stderr, "recovery-sim: invalid value \"%s\" of \"%s\", it "
                "must be a number from 1 to %u\n", text, name, max);
        exit(2);
    }

    return (unsigned) n;
}


static void
options_scenario(sim_options_t *options, const char *name)
{
    int  i;

    options->staged = 1;

    if (strcmp(name, "all") == 0) {
        options->first = 0;
        options->nscenarios = sim_nscenarios;
        return;
    }

    i = sim_scenario_find(name);

    if (i < 0) {
        options_fail("there is no scenario", name);
    }

    options->first = (unsigned) i;
    options->nscenarios = 1;
}


static void
options_law(sim_options_t *options, const char *name)
{
    options->law = sim_law_find(name);
    options->ablations = (strcmp(name, "without") == 0);

    if (options->law == NULL && !options->ablations
        && strcmp(name, "all") != 0)
    {
        options_fail("there is no law", name);
    }
}


static void
options_one(sim_options_t *options, int which)
{
    switch (which) {

    case 's':
        options_scenario(options, optarg);
        break;

    case 'n':
        options->seed = options_number("--seed", optarg, UINT32_MAX / 2);
        break;

    case 'N':
        options->nseeds = options_number("--seeds", optarg, SIM_SEEDS_MAX);
        break;

    case 'p':
        options->policy_name = optarg;
        break;

    case 'l':
        options_law(options, optarg);
        break;

    case 'c':
        options->csv = optarg;
        break;

    case 'v':
        options->svg = optarg;
        break;

    case 'f':
        options->floors = optarg;
        break;

    case 'r':
        options->record = optarg;
        break;

    case 'j':
        options->jobs = options_number("--jobs", optarg, SIM_JOBS_MAX);
        break;

    case 'L':
        options_list();
        exit(0);

    case 'h':
        fputs(usage, stdout);
        exit(0);

    default:

        if (!sim_options_replay(&options->replay, which, optarg)) {
            fputs(usage, stderr);
            exit(2);
        }
    }
}


/* POLICY, and behind it, as a pattern of the shell puts them there, logs. */

static void
options_rest(sim_options_t *options, int argc, char **argv)
{
    if (optind + 1 > argc
        || (optind + 1 < argc && options->replay.npaths == 0))
    {
        fputs(usage, stderr);
        exit(2);
    }

    options->policy_path = argv[optind];

    while (++optind < argc) {
        sim_options_log(&options->replay, argv[optind]);
    }

    options->replay.law = options->law;
    options->replay.seed = options->seed;
    options->replay.csv = options->csv;
    options->replay.svg = options->svg;

    sim_options_replay_end(options);
}


void
sim_options(sim_options_t *options, int argc, char **argv)
{
    int   which;
    long  processors;

    static const struct option  table[] = {
        { "scenario", required_argument, NULL, 's' },
        { "seed", required_argument, NULL, 'n' },
        { "seeds", required_argument, NULL, 'N' },
        { "policy", required_argument, NULL, 'p' },
        { "law", required_argument, NULL, 'l' },
        { "csv", required_argument, NULL, 'c' },
        { "svg", required_argument, NULL, 'v' },
        { "floors", required_argument, NULL, 'f' },
        { "record", required_argument, NULL, 'r' },
        { "jobs", required_argument, NULL, 'j' },
        { "list", no_argument, NULL, 'L' },
        { "help", no_argument, NULL, 'h' },
        { "replay", required_argument, NULL, SIM_OPTION_REPLAY },
        { "outage", required_argument, NULL, SIM_OPTION_OUTAGE },
        { "untold", no_argument, NULL, SIM_OPTION_UNTOLD },
        { "cold", required_argument, NULL, SIM_OPTION_COLD },
        { "keys", required_argument, NULL, SIM_OPTION_KEYS },
        { "capacity", required_argument, NULL, SIM_OPTION_CAPACITY },
        { "service", required_argument, NULL, SIM_OPTION_SERVICE },
        { "patience", required_argument, NULL, SIM_OPTION_PATIENCE },
        { "retries", no_argument, NULL, SIM_OPTION_RETRIES },
        { NULL, 0, NULL, 0 }
    };

    memset(options, 0, sizeof(*options));

    processors = sysconf(_SC_NPROCESSORS_ONLN);

    options->law = &sim_law_product;
    options->nscenarios = sim_nscenarios;
    options->seed = 1;
    options->nseeds = 1;
    options->replay.cold_x = SIM_COLD_X;
    options->replay.patience_s = SIM_PATIENCE_S;
    options->jobs = (processors < 1) ? 1
                    : (processors > SIM_JOBS_MAX) ? SIM_JOBS_MAX
                    : (unsigned) processors;

    while ((which = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        options_one(options, which);
    }

    options_rest(options, argc, argv);
}
