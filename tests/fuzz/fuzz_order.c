
/*
 * libFuzzer: bytes -> an order -> a state.
 *
 * Whatever the bytes: no crash, a message for what is refused, texts that are
 * terminated and valid UTF-8 without control bytes, an action that exists, an
 * end where one is needed; and a state that ticks on with it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "order.h"
#include "tick.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}


static void
require_text(const char *text, size_t room)
{
    size_t  i, n, len;

    require(memchr(text, '\0', room) != NULL);
    len = strlen(text);

    for (i = 0; i < len; i += n) {
        n = rcv_utf8_length(text + i, text + len);
        require(n != 0 && (unsigned char) text[i] >= 0x20);
    }
}


static void
require_order(const rcv_order_t *order)
{
    require(order->action < RCV_ACTIONS);
    require(order->force < RCV_FORCES && order->health < RCV_HEALTHS);
    require(order->force_ppm <= RCV_PPM && order->health_ppm <= RCV_PPM);
    require(order->left_ms <= 30ull * 24 * 3600 * 1000);
    require(order->left_ms != 0 || order->action == RCV_ACTION_RESUME
            || order->action == RCV_ACTION_CLEAR);

    require_text(order->backend, sizeof(order->backend));
    require_text(order->class_name, sizeof(order->class_name));
    require_text(order->by, sizeof(order->by));
    require_text(order->reason, sizeof(order->reason));
}


static void
play(const rcv_order_t *order)
{
    char          error[RCV_ERROR_MAX];
    rcv_tick_t    tick;
    rcv_round_t   round;
    rcv_state_t   state;
    rcv_limits_t  limits;
    rcv_policy_t  policy;
    rcv_source_t  source;
    rcv_window_t  window;

    static const rcv_str_t  name = { "policy", 6 };

    memset(&round, 0, sizeof(round));
    memset(&limits, 0, sizeof(limits));
    memset(&source, 0, sizeof(source));
    memset(&window, 0, sizeof(window));

    rcv_policy_init(&policy, name);
    require(rcv_policy_finish(&policy, error, sizeof(error)) == 0);

    limits.quota_milli = RCV_UNLIMITED;
    limits.capacity_milli = 100000;
    rcv_state_init(&state, &policy, &limits, 1000);

    if (rcv_order_apply(&state, &policy, order, 1, 1000) == RCV_ORDER_OK) {
        rcv_tick(&state, &round, &policy, &limits, &source, &window, 1000,
                 &tick);
        require(order->action != RCV_ACTION_FORCE
                || state.force == order->force);
        require(order->action != RCV_ACTION_HEALTH
                || state.health == order->health);

        window.dt_ms = 1000;
        rcv_tick(&state, &round, &policy, &limits, &source, &window,
                 1000 + order->left_ms + 100, &tick);
        require(state.force == RCV_FORCE_NONE);
        require(!rcv_override_any(&state.override));
    }

    rcv_policy_free(&policy);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         error[RCV_ERROR_MAX];
    rcv_str_t    body;
    rcv_order_t  order;

    if (size > RCV_ORDER_BODY_MAX) {
        return 0;
    }

    body.data = (const char *) data;
    body.len = size;
    error[0] = '\0';

    if (rcv_order_parse(&order, body, 1700000000, error) != 0) {
        require(error[0] != '\0');
        require_text(error, sizeof(error));
        return 0;
    }

    require_order(&order);
    play(&order);

    return 0;
}
