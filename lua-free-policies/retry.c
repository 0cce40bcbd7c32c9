
#include "retry.h"
#include "allow.h"
#include "ramp.h"


/* The climb is the difference of two means of what is delivered. */
#define RCV_CLIMB_FAST_MS   1000        /* delivered_milli */
#define RCV_CLIMB_SLOW_MS   5000
#define RCV_CLIMB_KNOWN_MS  3000

/* Where nothing climbs, so much of what is delivered may be had by chance. */
#define RCV_SPARE_PART      20

/*
 * Under a quota or a ceiling in service the forecast is up to a second old,
 * and a crowd comes in less: it is sent apart though nobody has seen it yet.
 */
#define RCV_WIDTH_LEAST_S   2

#define RCV_AFTER_BITS      12

_Static_assert(3600 < 1 << RCV_AFTER_BITS, "an hour is the longest bound");


static const uint16_t  rcv_widths_s[16] = {
    1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256
};


/* When there is room for a class, and what more there is each second then. */

typedef struct {
    unsigned             known;         /* 0: nobody knows when */
    uint64_t             wait_s;
    uint64_t             slope_milli;   /* a second; 0: it does not grow */
} rcv_forecast_t;


static uint64_t
retry_min_s(const rcv_policy_t *policy)
{
    return rcv_max(policy->retry_after_min_s, 1);
}


static uint64_t
retry_max_s(const rcv_policy_t *policy)
{
    return rcv_max(policy->retry_after_max_s, retry_min_s(policy));
}


void
rcv_climb_note(rcv_climb_t *climb, const rcv_state_t *state,
    const rcv_window_t *window)
{
    uint64_t  dt_ms;

    dt_ms = rcv_min(window->dt_ms, RCV_CLIMB_FAST_MS);

    if (climb->age_ms == 0) {
        climb->slow_milli = state->delivered_milli;
    }

    climb->age_ms = rcv_add_sat(climb->age_ms, window->dt_ms);

    if (state->delivered_milli > climb->slow_milli) {
        climb->slow_milli += rcv_mul_div(state->delivered_milli
                                         - climb->slow_milli, dt_ms,
                                         RCV_CLIMB_SLOW_MS);
    } else {
        climb->slow_milli -= rcv_mul_div(climb->slow_milli
                                         - state->delivered_milli, dt_ms,
                                         RCV_CLIMB_SLOW_MS);
    }

    if (window->shed_rate != 0) {
        climb->by_places = (window->shed_in_flight * 2 > window->shed_rate);
    }
}


/* What the class and those before it want. */

static uint64_t
retry_wanted_milli(const rcv_state_t *state, unsigned class_index)
{
    uint64_t  offered_milli;
    unsigned  i;

    offered_milli = 0;

    for (i = 0; i <= class_index && i < RCV_CLASSES_MAX; i++) {
        offered_milli += state->class_offered_milli[i];
    }

    return offered_milli;
}


static void
retry_by_schedule(const rcv_state_t *state, const rcv_policy_t *policy,
    uint64_t wanted_milli, rcv_forecast_t *forecast)
{
    uint64_t  level_ppm, then_ppm, at_ms;

    if (state->reference_milli == 0) {
        return;
    }

    forecast->known = 1;

    level_ppm = rcv_min(rcv_mul_div(wanted_milli, RCV_PPM,
                                    state->reference_milli),
                        RCV_LEVEL_MAX_PPM);
    at_ms = state->control.ramp_ms;

    if (level_ppm > state->control.level_ppm) {
        at_ms = rcv_max(at_ms, rcv_ramp_time_ms(&policy->ramp,
                                                (uint32_t) level_ppm));
        forecast->wait_s = (rcv_since(at_ms, state->control.ramp_ms) + 999)
                           / 1000;
    }

    level_ppm = rcv_ramp_level_ppm(&policy->ramp, at_ms);
    then_ppm = rcv_ramp_level_ppm(&policy->ramp, rcv_add_sat(at_ms, 1000));

    forecast->slope_milli = rcv_mul_div(state->reference_milli,
                                        rcv_since(then_ppm, level_ppm),
                                        RCV_PPM);
}


/* The schedule is ahead of what the backend can do: see what it does. */

static void
retry_by_climb(const rcv_state_t *state, const rcv_climb_t *climb,
    uint64_t wanted_milli, rcv_forecast_t *forecast)
{
    uint64_t  missing_milli, slope_milli;

    missing_milli = rcv_since(wanted_milli, state->delivered_milli);
    slope_milli = rcv_since(state->delivered_milli, climb->slow_milli) * 1000
                  / (RCV_CLIMB_SLOW_MS - RCV_CLIMB_FAST_MS);

    if (climb->age_ms < RCV_CLIMB_KNOWN_MS || slope_milli == 0) {
        forecast->known = (forecast->wait_s != 0);
        return;
    }

    forecast->known = 1;
    forecast->wait_s = rcv_max(forecast->wait_s,
                               (missing_milli + slope_milli - 1)
                               / slope_milli);
    forecast->slope_milli = slope_milli;
}


/*
 * Those shed until then, into what grows from then on: in t seconds that is
 * slope * t * t / 2.
 */

static uint64_t
retry_width_s(const rcv_state_t *state, uint64_t wanted_milli,
    const rcv_forecast_t *forecast)
{
    uint64_t  shed_milli, waiting_milli, spare_milli;

    shed_milli = rcv_since(wanted_milli, state->delivered_milli);
    waiting_milli = rcv_mul_sat(shed_milli, rcv_max(forecast->wait_s, 1));

    if (forecast->slope_milli != 0) {
        return rcv_sqrt(rcv_mul_sat(waiting_milli, 2)
                        / forecast->slope_milli) + 1;
    }

    spare_milli = rcv_max(state->delivered_milli / RCV_SPARE_PART, RCV_MILLI);

    return waiting_milli / spare_milli + 1;
}


rcv_appointment_t
rcv_retry_appointment(const rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_climb_t *climb, unsigned class_index, uint32_t before_s)
{
    uint64_t           span_s, width_s, wanted_milli;
    rcv_forecast_t     forecast;
    rcv_appointment_t  appointment;

    forecast = (rcv_forecast_t) { 0 };
    wanted_milli = retry_wanted_milli(state, class_index);

    if (!rcv_allow_shut(state) && state->phase == RCV_PHASE_RAMPING) {
        retry_by_schedule(state, policy, wanted_milli, &forecast);

        if (climb->by_places) {
            retry_by_climb(state, climb, wanted_milli, &forecast);
        }

    } else if (!rcv_allow_shut(state) && state->phase != RCV_PHASE_DOWN
               && state->phase != RCV_PHASE_PROBING)
    {
        forecast.known = 1;
    }

    span_s = retry_max_s(policy) - retry_min_s(policy);

    if (!forecast.known) {
        /* soon enough to notice, not so often as to hurt */
        appointment.after_s = (uint32_t) (retry_min_s(policy) + span_s / 8);
        appointment.width_s = (uint32_t) (span_s / 4 + 1);
        return appointment;
    }

    appointment.after_s =
        (uint32_t) rcv_min(rcv_max(forecast.wait_s, retry_min_s(policy)),
                           retry_max_s(policy));

    /* from the class before to this one they come in turn anyway */

    width_s = retry_width_s(state, wanted_milli, &forecast);
    width_s = rcv_since(width_s, rcv_since(appointment.after_s,
                                           rcv_max(before_s,
                                                   retry_min_s(policy))));

    if (state->phase != RCV_PHASE_RAMPING
        && state->bound != RCV_REASON_NONE)
    {
        width_s = rcv_max(width_s, RCV_WIDTH_LEAST_S);
    }

    appointment.width_s = (uint32_t) rcv_min(rcv_max(width_s, 1), span_s + 1);

    return appointment;
}


uint16_t
rcv_retry_pack(const rcv_appointment_t *appointment)
{
    uint64_t  after_s;
    unsigned  i;

    after_s = rcv_min(appointment->after_s, (1u << RCV_AFTER_BITS) - 1);

    for (i = 0; i < 15 && rcv_widths_s[i] < appointment->width_s; i++) {
        /* void */
    }

    return (uint16_t) (i << RCV_AFTER_BITS | after_s);
}


static uint64_t
retry_after_s(uint16_t packed)
{
    return packed & ((1u << RCV_AFTER_BITS) - 1);
}


/*
 * How far a request's turn is on the way to where all of its class is in, in
 * 65536ths.
 */

static uint64_t
retry_turn(uint64_t cut, unsigned class_index, unsigned slot, uint32_t random)
{
    unsigned  first;

    first = 0;

    if (cut != 0 && class_index == rcv_cut_class(cut)) {
        first = rcv_cut_slots(cut);
    }

    if (slot >= RCV_COHORTS) {
        return random & 0xffff;
    }

    if (slot < first) {
        return 0;
    }

    return (uint64_t) (slot - first) * 65536 / (RCV_COHORTS - first);
}


uint32_t
rcv_retry_s(const rcv_policy_t *policy, const uint16_t *packed, uint64_t cut,
    unsigned class_index, unsigned slot, uint32_t random)
{
    uint64_t  from_s, to_s, at_s, width_s, last_s;

    to_s = retry_after_s(packed[class_index]);
    from_s = retry_min_s(policy);

    if (class_index != 0
        && !(cut != 0 && class_index == rcv_cut_class(cut)))
    {
        from_s = rcv_min(retry_after_s(packed[class_index - 1]), to_s);
    }

    at_s = from_s + rcv_since(to_s, from_s)
                    * retry_turn(cut, class_index, slot, random) / 65536;
    width_s = rcv_widths_s[packed[class_index] >> RCV_AFTER_BITS];

    /* at the bound nobody clumps */

    last_s = rcv_min(at_s + width_s, retry_max_s(policy) + 1);
    at_s = rcv_min(at_s, rcv_since(last_s, width_s));
    at_s = rcv_max(at_s, retry_min_s(policy));
    width_s = rcv_max(rcv_since(last_s, at_s), 1);

    return (uint32_t) rcv_min(at_s + ((width_s * (random >> 16)) >> 16),
                              retry_max_s(policy));
}
