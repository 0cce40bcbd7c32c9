
#include "override.h"


#define RCV_DS_MS  100


const char *const  rcv_safety_names[RCV_SAFETIES] = {
    "none", "failing"
};


uint32_t
rcv_override_until_ds(uint64_t now_ms, uint64_t left_ms)
{
    uint64_t  until_ms;

    until_ms = rcv_add_sat(now_ms, left_ms);

    return (uint32_t) rcv_min(until_ms / RCV_DS_MS
                              + (until_ms % RCV_DS_MS != 0), UINT32_MAX);
}


uint64_t
rcv_override_left_ms(uint32_t until_ds, uint64_t now_ms)
{
    return rcv_since((uint64_t) until_ds * RCV_DS_MS, now_ms);
}


void
rcv_override_expire(rcv_override_t *override, uint64_t now_ms)
{
    if (rcv_override_left_ms(override->force_until_ds, now_ms) == 0) {
        override->force = RCV_FORCE_NONE;
        override->force_text = 0;
        override->flags &= (uint8_t) ~RCV_OVERRIDE_RESUME;
    }

    if (rcv_override_left_ms(override->health_until_ds, now_ms) == 0) {
        override->health = RCV_HEALTH_NONE;
        override->health_text = 0;
        override->flags &= (uint8_t) ~RCV_OVERRIDE_RECOVERING;
    }

    if (rcv_override_left_ms(override->class_until_ds, now_ms) == 0) {
        override->classes = 0;
    }
}
