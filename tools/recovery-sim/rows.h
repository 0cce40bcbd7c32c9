
/*
 * What happened second by second while not all was well, in bounded memory:
 * quiet times between are left out, and a trouble that is too long for it is
 * kept in longer steps.
 */

#ifndef SIM_ROWS_H_INCLUDED_
#define SIM_ROWS_H_INCLUDED_


#include "rcv.h"


#define SIM_ROWS_MAX    7200
#define SIM_ROWS_CALM   30              /* seconds kept around a trouble */


/* Sums over its seconds; the states are those of the last one. */

typedef struct {
    uint64_t             at_s;          /* since the beginning */
    uint32_t             seconds;
    double               demand;
    double               offered;
    double               passed;
    double               good;
    double               failed;        /* errors, and who left */
    uint64_t             class_offered[RCV_CLASSES_MAX];
    uint64_t             class_shed[RCV_CLASSES_MAX];

    double               capacity;      /* 0: not modelled, or dead */
    double               warmth;
    double               in_flight;
    double               limit;         /* < 0: none */
    double               rate;          /* < 0: none */
    unsigned             dead;
    const char          *phase;
} sim_row_t;


typedef struct {
    sim_row_t           *rows;
    unsigned             n;
    uint32_t             step_s;        /* seconds of a row */
    uint64_t             midnight_s;    /* to the beginning: steps are even */

    sim_row_t            calm[SIM_ROWS_CALM];   /* the last ones, a ring */
    unsigned             ncalm;         /* of them */
    unsigned             tail;          /* calm seconds still to be kept */
} sim_rows_t;


void sim_rows_init(sim_rows_t *rows);

/* The step that a second is in. */
uint64_t sim_rows_at(const sim_rows_t *rows, uint64_t at_s, uint32_t step_s);

void sim_rows_done(sim_rows_t *rows);

/* The next second. */
void sim_rows_add(sim_rows_t *rows, const sim_row_t *row, int trouble);

/* Adds a later row to one. */
void sim_row_add(sim_row_t *sum, const sim_row_t *row);

/* The least of 1 s, 5 s, 10 s, 30 s, 1 min, ... that makes at most n rows. */
uint32_t sim_rows_step(const sim_rows_t *rows, unsigned n);

/*
 * The row at *i and those behind it that are of the same step; *i moves on.
 * 0: no more.
 */
int sim_rows_next(const sim_rows_t *rows, uint32_t step_s, unsigned *i,
    sim_row_t *row);


#endif /* SIM_ROWS_H_INCLUDED_ */
