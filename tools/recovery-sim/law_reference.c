
/*
 * "Vegas on a frame, overruled by the gradient of what is delivered": the
 * best law of an earlier study, which the product's has to beat.
 *
 * A limit on the number in flight.  Vegas, with a low quantile of latency as
 * its base, moves it by 3 %.  A square wave of 10 % on the limit shows
 * whether more in flight deliver more; when they deliver less, the backend
 * loses time to contention and the limit falls whatever the latency says.
 * Around it: a state for the dead, watermarks by class, a base learned anew
 * when a ramp begins, slow start, halving.
 */

#include <math.h>
#include <stdlib.h>

#include "law.h"


typedef enum {
    PHASE_RAMP = 0,
    PHASE_NORM,
    PHASE_DOWN
} reference_phase_t;


typedef struct {
    sim_rng_t            rng;
    double               limit;
    double               base_s;
    double               delivered;     /* a second, mean */
    double               high;          /* delivered in a tick of the high */
    double               low;           /* ... and of the low half */
    reference_phase_t    phase;
    double               phase_s;       /* since when */
    double               next_s;        /* nothing moves before it */
    double               done_s;
    unsigned             failures;      /* in a row */
    unsigned             in_flight;

    /* the window */
    double               window_s;      /* its begin */
    double               arrived;
    double               arrived_sum;   /* of the numbers in flight */
    double               admitted;
    double               rejected;
    unsigned             in_flight_max;
    double               ok;
    double               errors;        /* 500 */
    double               overloads;     /* 502, 503, 504, 499 */
    double               latencies;
    double               latency_sum;
    double               tick_ok;
} reference_t;


static const double  watermarks[SIM_TRAFFIC] = { 1, 0.9, 0.8, 0.7 };


static void *
reference_create(const sim_law_facts_t *facts)
{
    reference_t  *law;

    law = sim_alloc(sizeof(*law));
    law->rng.state = facts->seed;
    law->limit = fmax(10, 0.01 * facts->demand);

    return law;
}


static void
reference_clear(reference_t *law, double now_s)
{
    law->window_s = now_s;
    law->arrived = 0;
    law->arrived_sum = 0;
    law->admitted = 0;
    law->rejected = 0;
    law->in_flight_max = 0;
    law->ok = 0;
    law->errors = 0;
    law->overloads = 0;
    law->latencies = 0;
    law->latency_sum = 0;
}


/* Half the period of the square wave, by the clock, for all alike. */

static double
reference_half_s(const reference_t *law)
{
    double  h;

    for (h = 0.5; h < 4 && h < 3 * law->base_s; h *= 2) { /* void */ }

    return h;
}


static int
reference_is_high(const reference_t *law, double now_s)
{
    return (long) floor(now_s / reference_half_s(law)) % 2 != 0;
}


static void
reference_down(reference_t *law, double now_s)
{
    law->limit = fmax(2, law->limit * (law->phase == PHASE_NORM ? 0.3 : 0.5));
    law->phase = PHASE_DOWN;
    law->phase_s = now_s;
    law->next_s = now_s + 0.5;
    reference_clear(law, now_s);
}


static int
reference_passes(reference_t *law, unsigned traffic, double now_s)
{
    double  limit, wait_s;

    law->arrived++;
    law->arrived_sum += law->in_flight;

    if (law->in_flight > law->in_flight_max) {
        law->in_flight_max = law->in_flight;
    }

    if (law->phase == PHASE_DOWN) {

        if (now_s < law->next_s) {
            return 0;
        }

        wait_s = (law->in_flight >= fmax(4, law->limit))
                 ? 0.5 : fmin(0.5, 100 / fmax(1, law->delivered));
        law->next_s = now_s + wait_s;

        return 1;
    }

    limit = law->limit * (1 + (reference_is_high(law, now_s) ? 0.1 : -0.1))
            * watermarks[traffic] + (traffic == 0);

    return law->in_flight + sim_uniform(sim_rng_next(&law->rng)) < limit;
}


static uint32_t
reference_admit(void *data, const sim_ask_t *ask, sim_pass_t *pass)
{
    double        now_s;
    uint32_t      i, n;
    reference_t  *law = data;

    (void) pass;

    now_s = sim_seconds(ask->now_ns);
    n = 0;

    for (i = 0; i < ask->weight; i++) {

        if (reference_passes(law, ask->traffic, now_s)) {
            law->in_flight++;
            law->admitted++;
            n++;

        } else {
            law->rejected++;
        }
    }

    return n;
}


static void
reference_done(void *data, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    double        now_s, latency_s, n;
    reference_t  *law = data;

    now_s = sim_seconds(now_ns);
    latency_s = sim_seconds(now_ns - pass->at_ns);
    n = pass->weight;

    law->in_flight -= pass->weight;
    law->done_s = now_s;
    law->failures = (result == SIM_RESULT_OK) ? 0
                    : law->failures + pass->weight;

    if (law->failures >= 20 && law->phase != PHASE_DOWN) {
        reference_down(law, now_s);
        return;
    }

    if (law->phase != PHASE_NORM && latency_s > now_s - law->phase_s + 0.05) {
        return;
    }

    switch (result) {

    case SIM_RESULT_OK:
        law->ok += n;
        law->tick_ok += n;
        break;

    case SIM_RESULT_ERROR:
        law->errors += n;
        break;

    default:
        law->overloads += n;
        break;
    }

    if (result == SIM_RESULT_OK || result == SIM_RESULT_GONE) {
        law->latencies += n;
        law->latency_sum += latency_s * n;
    }
}


static double
reference_retry_after_s(void *data, const sim_ask_t *ask)
{
    double        wait_s;
    reference_t  *law = data;

    wait_s = (law->phase == PHASE_DOWN) ? 3
             : fmin(fmax(law->rejected / fmax(1, law->admitted), 1), 8);

    return wait_s * (0.5 + sim_uniform(ask->random));
}


/* What a tick delivered, to the half of the wave in which it lies. */

static void
reference_wave(reference_t *law, double now_s)
{
    double   into_s, *mean;

    mean = reference_is_high(law, now_s - 0.05) ? &law->high : &law->low;
    into_s = fmod(now_s - 0.05, reference_half_s(law));

    if (law->phase == PHASE_NORM && law->rejected > 0
        && into_s > fmin(law->base_s, 1))
    {
        *mean += (*mean != 0 ? 0.1 : 1) * (law->tick_ok - *mean);
    }

    law->tick_ok = 0;
}


static void
reference_dead_tick(reference_t *law, double n, double dt_s, double now_s)
{
    if (n < 5 && (n < 1 || dt_s < 1)) {
        return;
    }

    if (law->ok >= 0.4 * n) {
        law->phase = PHASE_RAMP;
        law->phase_s = now_s;
        law->base_s = 0;
        law->high = 0;
        law->low = 0;
        law->next_s = 0;
        law->failures = 0;
    }

    reference_clear(law, now_s);
}


/* A window is full: Vegas, and what the wave says of it. */

static void
reference_move(reference_t *law, double r, double in_flight, double now_s)
{
    int     vegas, step;
    double  d, th, q, k;
    int     limited, used;

    limited = (law->rejected > 0);
    used = limited || 2 * law->in_flight_max >= law->limit;

    d = (law->high != 0 && law->low != 0)
        ? (law->high - law->low) / (law->high + law->low) : 0;
    th = fmax(0.03, 0.35 / sqrt(fmax(0.1, law->high + law->low)));

    if (law->base_s == 0) {
        law->base_s = r;

    } else {
        law->base_s *= (r < law->base_s) ? 0.97
                       : (d > th || !limited) ? 1.01 : 1.001;
    }

    q = in_flight * (1 - law->base_s / r);
    k = fmax(fmax(1, log10(law->limit)), 0.05 * in_flight);
    vegas = (q < 3 * k) ? 1 : (q > 6 * k) ? -1 : 0;

    if (!limited || law->phase == PHASE_RAMP) {
        law->high = 0;
        law->low = 0;
    }

    if (law->phase == PHASE_RAMP) {

        if (used && vegas > 0) {
            law->limit *= 1.5;
            law->next_s = now_s + fmin(r, 1);

        } else {
            law->phase = PHASE_NORM;
            law->limit /= (vegas < 0) ? 1.5 : 1;
        }

    } else if (used) {
        step = (d < -th) ? -1 : (d > th) ? 1 : vegas;
        law->limit *= 1 + 0.03 * step;
    }

    law->limit = fmax(2, law->limit);
    reference_clear(law, now_s);
}


static void
reference_window(reference_t *law, double dt_s, double now_s)
{
    double  n, r, in_flight;

    n = law->ok + law->errors + law->overloads;

    if (law->latencies < 20 && dt_s < 1) {
        return;
    }

    if (law->latencies < 3) {
        if (dt_s >= 2) {
            reference_clear(law, now_s);
        }
        return;
    }

    r = law->latency_sum / law->latencies;
    in_flight = law->arrived_sum / fmax(1, law->arrived);
    law->delivered += 0.05 * (law->ok / dt_s - law->delivered);

    if (law->overloads > 0.05 * n && law->overloads >= 2) {
        law->limit = fmax(2, law->limit / 2);
        law->phase = PHASE_NORM;
        law->next_s = now_s + fmin(1.5, 2 * r);
        reference_clear(law, now_s);
        return;
    }

    if (law->base_s == 0) {
        r = fmax(r, in_flight * dt_s / law->latencies);

        if (dt_s < 2 * r && dt_s < 3) {
            return;
        }
    }

    reference_move(law, r, in_flight, now_s);
}


static void
reference_tick(void *data, uint64_t now_ns)
{
    double        now_s, dt_s, n;
    reference_t  *law = data;

    now_s = sim_seconds(now_ns);
    dt_s = now_s - law->window_s;
    n = law->ok + law->errors + law->overloads;

    reference_wave(law, now_s);

    if (law->phase == PHASE_DOWN) {
        reference_dead_tick(law, n, dt_s, now_s);

    } else if ((n == 0 && law->in_flight >= 2
                && now_s - law->done_s > fmax(1, 4 * law->base_s))
               || (n >= 10 && law->ok <= 0.2 * n))
    {
        reference_down(law, now_s);

    } else if (now_s < law->next_s) {
        reference_clear(law, now_s);

    } else {
        reference_window(law, dt_s, now_s);
    }
}


static void
reference_show(void *data, sim_show_t *show)
{
    reference_t  *law = data;

    static const char *const  phases[] = { "ramping", "up", "down" };

    show->limit = law->limit;
    show->in_flight = law->in_flight;
    show->phase = phases[law->phase];
}


const sim_law_t  sim_law_reference = {
    "reference", "Vegas on a frame, overruled by the gradient of delivery",
    reference_create, free, reference_admit, reference_done,
    reference_retry_after_s, reference_tick, NULL, reference_show, 0
};
