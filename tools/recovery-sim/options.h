
/*
 * The command line.
 */

#ifndef SIM_OPTIONS_H_INCLUDED_
#define SIM_OPTIONS_H_INCLUDED_


#include "law.h"


typedef struct {
    const char          *policy_path;   /* "default": the built-in one */
    const char          *policy_name;   /* NULL: the only one there */
    const sim_law_t     *law;           /* NULL: several, side by side */
    unsigned             ablations;     /* ... the product's */
    unsigned             first;         /* scenarios */
    unsigned             nscenarios;
    unsigned             seed;
    unsigned             nseeds;
    unsigned             jobs;
    const char          *csv;
    const char          *svg;
    const char          *floors;
    const char          *record;
} sim_options_t;


/* Ends the program for --help, --list, and for what makes no sense. */
void sim_options(sim_options_t *options, int argc, char **argv);


#endif /* SIM_OPTIONS_H_INCLUDED_ */
