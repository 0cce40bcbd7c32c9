
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "rows.h"


/* Each is a multiple of the one before. */

static const uint32_t  rows_steps[] = {
    1, 5, 10, 30, 60, 300, 600, 3600, 21600, 86400
};

#define ROWS_STEPS  (sizeof(rows_steps) / sizeof(rows_steps[0]))


void
sim_rows_init(sim_rows_t *rows)
{
    memset(rows, 0, sizeof(*rows));

    rows->rows = sim_alloc(SIM_ROWS_MAX * sizeof(sim_row_t));
    rows->step_s = 1;
}


void
sim_rows_done(sim_rows_t *rows)
{
    free(rows->rows);
}


uint64_t
sim_rows_at(const sim_rows_t *rows, uint64_t at_s, uint32_t step_s)
{
    return (rows->midnight_s + at_s) / step_s;
}


void
sim_row_add(sim_row_t *sum, const sim_row_t *row)
{
    unsigned  i;

    sum->seconds += row->seconds;
    sum->demand += row->demand;
    sum->offered += row->offered;
    sum->passed += row->passed;
    sum->good += row->good;
    sum->failed += row->failed;
    sum->capacity += row->capacity;

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        sum->class_offered[i] += row->class_offered[i];
        sum->class_shed[i] += row->class_shed[i];
    }

    sum->warmth = row->warmth;
    sum->in_flight = row->in_flight;
    sum->limit = row->limit;
    sum->rate = row->rate;
    sum->dead |= row->dead;
    sum->phase = row->phase;
}


int
sim_rows_next(const sim_rows_t *rows, uint32_t step_s, unsigned *i,
    sim_row_t *row)
{
    if (*i >= rows->n) {
        return 0;
    }

    *row = rows->rows[(*i)++];

    while (*i < rows->n
           && sim_rows_at(rows, rows->rows[*i].at_s, step_s)
              == sim_rows_at(rows, row->at_s, step_s))
    {
        sim_row_add(row, &rows->rows[(*i)++]);
    }

    return 1;
}


static unsigned
rows_count(const sim_rows_t *rows, uint32_t step_s)
{
    unsigned   i, n;
    sim_row_t  row;

    for (n = i = 0; sim_rows_next(rows, step_s, &i, &row); n++) { /* void */ }

    return n;
}


uint32_t
sim_rows_step(const sim_rows_t *rows, unsigned n)
{
    unsigned  i;

    for (i = 0; i + 1 < ROWS_STEPS; i++) {

        if (rows_steps[i] >= rows->step_s
            && rows_count(rows, rows_steps[i]) <= n)
        {
            break;
        }
    }

    return rows_steps[i];
}


/* Full: half of the rows go, in steps that are longer. */

static void
rows_coarsen(sim_rows_t *rows)
{
    unsigned   i, n;
    sim_row_t  row;

    rows->step_s = sim_rows_step(rows, SIM_ROWS_MAX / 2);

    for (n = i = 0; sim_rows_next(rows, rows->step_s, &i, &row); n++) {
        rows->rows[n] = row;
    }

    /* many short troubles, far apart: the last ones */

    if (n > SIM_ROWS_MAX / 2) {
        i = n - SIM_ROWS_MAX / 2;
        n -= i;
        memmove(rows->rows, rows->rows + i, n * sizeof(sim_row_t));
    }

    rows->n = n;
}


static void
rows_keep(sim_rows_t *rows, const sim_row_t *row)
{
    sim_row_t  *last;

    last = (rows->n != 0) ? &rows->rows[rows->n - 1] : NULL;

    if (last != NULL
        && sim_rows_at(rows, last->at_s, rows->step_s)
           == sim_rows_at(rows, row->at_s, rows->step_s))
    {
        sim_row_add(last, row);
        return;
    }

    if (rows->n == SIM_ROWS_MAX) {
        rows_coarsen(rows);
    }

    rows->rows[rows->n++] = *row;
}


void
sim_rows_add(sim_rows_t *rows, const sim_row_t *row, int trouble)
{
    unsigned  i, first;

    if (!trouble && rows->tail == 0) {
        rows->calm[rows->ncalm++ % SIM_ROWS_CALM] = *row;
        return;
    }

    first = (rows->ncalm > SIM_ROWS_CALM) ? rows->ncalm - SIM_ROWS_CALM : 0;

    for (i = first; i < rows->ncalm; i++) {
        rows_keep(rows, &rows->calm[i % SIM_ROWS_CALM]);
    }

    rows->ncalm = 0;
    rows->tail = trouble ? SIM_ROWS_CALM : rows->tail - 1;

    rows_keep(rows, row);
}
