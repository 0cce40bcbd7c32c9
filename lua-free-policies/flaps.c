
#include "flaps.h"


static void
flaps_fall(rcv_flaps_t *flaps)
{
    if (flaps->row == 0
        || (flaps->fell_ms > RCV_FLAPS_NEAR_MS && !flaps->damped))
    {
        flaps->row = 1;
        flaps->apart_ms = 0;

    } else {
        flaps->row = (uint16_t) rcv_min(flaps->row + 1u, UINT16_MAX);

        /*
         * The first fall of a row is the outage's, and how long that took
         * says nothing of the flapping behind it.
         */

        flaps->apart_ms = (uint32_t) rcv_max(flaps->apart_ms / 2,
                                             flaps->fell_ms);
    }

    flaps->fell_ms = 0;
}


static uint64_t
flaps_hold_ms(const rcv_flaps_t *flaps)
{
    uint64_t  hold_ms;

    hold_ms = rcv_max((uint64_t) flaps->apart_ms * 2, RCV_FLAPS_HOLD_MIN_MS);

    return rcv_min(hold_ms, RCV_FLAPS_HOLD_MAX_MS);
}


rcv_flaps_change_t
rcv_flaps_tick(rcv_flaps_t *flaps, const rcv_flaps_facts_t *facts,
    uint64_t dt_ms)
{
    flaps->fell_ms = (uint32_t) rcv_min(rcv_add_sat(flaps->fell_ms, dt_ms),
                                        UINT32_MAX);

    if (facts->down || facts->fell) {
        flaps->held_ms = 0;

    } else if (facts->fresh) {
        flaps->held_ms = (uint32_t) rcv_min(rcv_add_sat(flaps->held_ms,
                                                        dt_ms), UINT32_MAX);
    }

    if (facts->fell) {
        flaps_fall(flaps);

        if (!flaps->damped && flaps->row >= RCV_FLAPS_ROW) {
            flaps->damped = 1;
            return RCV_FLAPS_BEGAN;
        }
    }

    if (flaps->damped && flaps->held_ms >= flaps_hold_ms(flaps)) {
        *flaps = (rcv_flaps_t) { 0 };
        return RCV_FLAPS_ENDED;
    }

    return RCV_FLAPS_SAME;
}
