
/*
 * The command line.
 */

#ifndef SIM_OPTIONS_H_INCLUDED_
#define SIM_OPTIONS_H_INCLUDED_


#include "law.h"
#include "replay.h"


/* What getopt_long() returns for options without a letter. */

enum {
    SIM_OPTION_REPLAY = 256,
    SIM_OPTION_OUTAGE,
    SIM_OPTION_UNTOLD,
    SIM_OPTION_COLD,
    SIM_OPTION_KEYS,
    SIM_OPTION_CAPACITY,
    SIM_OPTION_SERVICE,
    SIM_OPTION_PATIENCE,
    SIM_OPTION_RETRIES
};


typedef struct {
    const char          *policy_path;   /* "default": the built-in one */
    const char          *policy_name;   /* NULL: the only one there */
    const sim_law_t     *law;           /* NULL: several, side by side */
    unsigned             ablations;     /* ... the product's */
    unsigned             staged;        /* a scenario was named */
    unsigned             first;         /* scenarios */
    unsigned             nscenarios;
    unsigned             seed;
    unsigned             nseeds;
    unsigned             jobs;
    const char          *csv;
    const char          *svg;
    const char          *floors;
    const char          *record;
    sim_replay_conf_t    replay;        /* npaths 0: none */
} sim_options_t;


/* Ends the program for --help, --list, and for what makes no sense. */
void sim_options(sim_options_t *options, int argc, char **argv);

/* options_replay.c: those of a replay; 0: it is none of them. */
int sim_options_replay(sim_replay_conf_t *replay, int which,
    const char *value);

/* One more log. */
void sim_options_log(sim_replay_conf_t *replay, const char *path);

/* Do they go together? */
void sim_options_replay_end(const sim_options_t *options);


#endif /* SIM_OPTIONS_H_INCLUDED_ */
