
#include "rcv.h"


const char *const  rcv_phase_names[RCV_PHASES] = {
    "up", "degraded", "down", "probing", "ramping", "verifying"
};


const char *const  rcv_health_names[RCV_HEALTHS] = {
    "none", "up", "degraded", "down", "recovering"
};


const char *const  rcv_reason_names[RCV_REASONS] = {
    "none", "rate", "in_flight", "down", "probing", "forced", "quota",
    "ceiling", "degraded", "cohort", "retry_budget", "signal_lost"
};


const char *const  rcv_outcome_names[RCV_OUTCOMES] = {
    "none", "passed", "shed", "shed_dry_run"
};


const char *const  rcv_result_names[RCV_RESULTS] = {
    "ok", "error", "timeout"
};


const char *const  rcv_force_names[RCV_FORCES] = {
    "none", "open", "closed", "hold", "level"
};


uint64_t
rcv_sqrt(uint64_t n)
{
    uint64_t  root, bit;

    root = 0;

    for (bit = 1ull << 31; bit != 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= n) {
            root += bit;
        }
    }

    return root;
}
