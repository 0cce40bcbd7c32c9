
/*
 * An order: what is read from JSON and what is refused, what it does in every
 * phase, and what is left of it when it has ended.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "allow.h"
#include "json.h"
#include "order.h"
#include "ramp.h"
#include "world.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define UNIX_S  1700000000


static world_t      world;
static rcv_order_t  order;
static char         error[RCV_ERROR_MAX];


static int
parse(const char *body)
{
    rcv_str_t  text;

    text.data = body;
    text.len = strlen(body);
    error[0] = '\0';

    return rcv_order_parse(&order, text, UNIX_S, error);
}


static void
test_good(void **unused)
{
    (void) unused;

    assert_int_equal(parse("{\"backend\":\"kv\",\"action\":\"force\","
                           "\"value\":\"closed\",\"for\":\"10m\","
                           "\"by\":\"ann\","
                           "\"reason\":\"why\\u00e4 \\\"x\\\"\"}"),
                     0);
    assert_string_equal(order.backend, "kv");
    assert_int_equal(order.action, RCV_ACTION_FORCE);
    assert_int_equal(order.force, RCV_FORCE_CLOSED);
    assert_int_equal(order.left_ms, 600000);
    assert_string_equal(order.by, "ann");
    assert_string_equal(order.reason, "why\xc3\xa4 \"x\"");

    assert_int_equal(parse(" {\n\t\"until\" : 1700000060 , \"action\":"
                           "\"health\",\"value\":0.25,\"backend\":\"kv\"}\r\n"),
                     0);
    assert_int_equal(order.health, RCV_HEALTH_DEGRADED);
    assert_int_equal(order.health_ppm, 250000);
    assert_int_equal(order.left_ms, 60000);
    assert_string_equal(order.by, "");

    assert_int_equal(parse("{\"backend\":\"kv\",\"action\":\"force\","
                           "\"value\":\"35%\",\"for\":30,"
                           "\"override_safety\":\"failing\"}"), 0);
    assert_int_equal(order.force, RCV_FORCE_LEVEL);
    assert_int_equal(order.force_ppm, 350000);
    assert_int_equal(order.left_ms, 30000);
    assert_int_equal(order.safety, RCV_SAFETY_FAILING);

    assert_int_equal(parse("{\"backend\":\"kv\",\"action\":\"promote\","
                           "\"value\":\"normal\",\"for\":\"1h\"}"), 0);
    assert_string_equal(order.class_name, "normal");

    assert_int_equal(parse("{\"backend\":\"kv\",\"action\":\"resume\"}"), 0);
    assert_int_equal(parse("{\"backend\":\"kv\",\"action\":\"clear\"}"), 0);
}


/* A long text is cut between two characters. */

static void
test_cut(void **unused)
{
    char    body[1024];
    size_t  n, i;

    (void) unused;

    n = (size_t) snprintf(body, sizeof(body),
                          "{\"backend\":\"kv\",\"action\":\"clear\","
                          "\"reason\":\"x");

    for (i = 0; i < 200; i++) {
        body[n++] = '\xc3';
        body[n++] = '\xa4';
    }

    (void) snprintf(body + n, sizeof(body) - n, "\"}");
    assert_int_equal(parse(body), 0);
    assert_int_equal(strlen(order.reason), RCV_TEXT_MAX);
    assert_int_equal((unsigned char) order.reason[RCV_TEXT_MAX - 1], 0xa4);
}


typedef struct {
    const char  *body;
    const char  *said;
} bad_t;


#define KV  "{\"backend\":\"kv\","

static const bad_t  bad[] = {
    { "", "an object" },
    { "[]", "an object" },
    { "null", "an object" },
    { "{", "a member's name" },
    { "{}", "no valid \"backend\"" },
    { "{}{}", "nothing behind" },
    { KV, "a member's name" },
    { KV "}", "a member's name" },
    { "{\"backend\" \"kv\"}", "\":\" behind" },
    { "{\"backend\":kv}", "a string or a number" },
    { "{\"backend\":{}}", "a string or a number" },
    { "{\"backend\":[\"kv\"]}", "a string or a number" },
    { "{\"backend\":\"kv}", "a closing quote" },
    { "{\"backend\":\"k\nv\"}", "no control bytes" },
    { "{\"backend\":\"\\x\"}", "a valid escape" },
    { "{\"backend\":\"\\u12\"}", "a valid escape" },
    { "{\"backend\":\"\\ud800\"}", "a valid escape" },
    { "{\"backend\":\"\\udc00\"}", "a valid escape" },
    { "{\"backend\":\"\xff\"}", "valid UTF-8" },
    { "{\"backend\":\"\xed\xa0\x80\"}", "valid UTF-8" },
    { "{\"backend\":\"kv\" \"action\":\"clear\"}", "\",\" or \"}\"" },
    { "{\"backend\":01}", "a string or a number" },
    { "{\"backend\":true}", "neither string nor number" },
    { "{\"backend\":null}", "neither string nor number" },
    { "{\"backend\":\"a b\"}", "no valid \"backend\"" },
    { KV "\"backend\":\"d1\"}", "given twice" },
    { KV "\"colour\":\"red\"}", "allowed: backend, action, value, for" },
    { KV "\"action\":\"open\"}", "allowed: force, health, hold" },
    { KV "\"by\":\"x\"}", "no valid \"action\"" },
    { KV "\"action\":\"force\",\"for\":\"1m\"}", "\"closed\", \"hold\"" },
    { KV "\"action\":\"force\",\"value\":\"shut\",\"for\":\"1m\"}",
      "\"closed\", \"hold\"" },
    { KV "\"action\":\"force\",\"value\":\"101%\",\"for\":\"1m\"}",
      "\"closed\", \"hold\"" },
    { KV "\"action\":\"force\",\"value\":\"closed\"}", "needs \"for\"" },
    { KV "\"action\":\"force\",\"value\":\"closed\",\"for\":\"0\"}",
      "bad \"for\"" },
    { KV "\"action\":\"force\",\"value\":\"closed\",\"for\":-5}",
      "bad \"for\"" },
    { KV "\"action\":\"force\",\"value\":\"closed\",\"for\":\"31d\"}",
      "bad \"for\"" },
    { KV "\"action\":\"hold\",\"until\":1699999999}", "bad \"until\"" },
    { KV "\"action\":\"hold\",\"until\":\"tomorrow\"}", "bad \"until\"" },
    { KV "\"action\":\"hold\",\"until\":1800000000}", "bad \"until\"" },
    { KV "\"action\":\"hold\",\"until\":1700000060,\"for\":\"1m\"}",
      "two ends" },
    { KV "\"action\":\"health\",\"for\":\"1m\"}", "\"recovering\"" },
    { KV "\"action\":\"health\",\"value\":1.5,\"for\":\"1m\"}",
      "\"recovering\"" },
    { KV "\"action\":\"health\",\"value\":\"up\"}", "needs \"for\"" },
    { KV "\"action\":\"hold\",\"value\":\"up\",\"for\":\"1m\"}",
      "has no \"value\"" },
    { KV "\"action\":\"step-back\"}", "needs \"for\"" },
    { KV "\"action\":\"promote\",\"value\":\"a b\",\"for\":\"1m\"}",
      "the name of a class" },
    { KV "\"action\":\"clear\",\"for\":\"1m\"}", "has no end" },
    { KV "\"action\":\"hold\",\"for\":\"1m\",\"override_safety\":\"all\"}",
      "\"failing\"" },
};


static void
test_bad(void **unused)
{
    unsigned  i;

    (void) unused;

    for (i = 0; i < nelts(bad); i++) {
        if (parse(bad[i].body) == 0 || strstr(error, bad[i].said) == NULL) {
            fail_msg("%s: \"%s\"", bad[i].body, error);
        }
    }
}


static rcv_order_result_t
give(const char *rest)
{
    char  body[256];

    (void) snprintf(body, sizeof(body), "{\"backend\":\"kv\",%s}", rest);

    if (parse(body) != 0) {
        fail_msg("%s: %s", body, error);
    }

    return rcv_order_apply(&world.state, &world.policy, &order, 7,
                           world.now_ms);
}


/* In a phase, by what the source says there. */

static void
to_phase(rcv_phase_t phase)
{
    world_init(&world, "");
    world_learn(&world, 100000);
    world_health(&world, "up");
    world_tick(&world);

    if (phase == RCV_PHASE_UP) {
        return;
    }

    if (phase == RCV_PHASE_DEGRADED) {
        world_health(&world, "0.6");
        world_tick(&world);
        return;
    }

    world_health(&world, "down");
    world_run(&world, 5000);

    if (phase == RCV_PHASE_DOWN) {
        return;
    }

    world_health(&world, "up");
    world_until(&world, phase, 60000);
}


static uint64_t
allowed(void)
{
    return rcv_min(world_allowed(&world), 1000000);
}


/* Obeyed at once in every phase, outranks the source, ends in the ramp. */

static void
test_force(void **unused)
{
    unsigned  phase;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        to_phase((rcv_phase_t) phase);

        assert_int_equal(give("\"action\":\"force\",\"value\":\"closed\","
                              "\"for\":\"20s\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_int_equal(world_allowed(&world), 0);
        assert_int_equal(world.state.force_from, RCV_FROM_ORDER);
        assert_int_equal(world.state.override.force_text, 7);

        (void) world_say(&world, (phase == RCV_PHASE_DOWN) ? "down" : "up",
                         NULL, "open", "1700100000");
        world_run(&world, 10000);
        assert_int_equal(world_allowed(&world), 0);
        (void) world_say(&world, (phase == RCV_PHASE_DOWN) ? "down" : "up",
                         NULL, NULL, NULL);
        world_run(&world, 10000);
        assert_int_equal(world.state.force, RCV_FORCE_NONE);
        assert_int_equal(world.state.override.force_text, 0);
        assert_true(allowed() <= RCV_PROBE_RATE_MILLI);

        assert_int_equal(give("\"action\":\"force\",\"value\":\"open\","
                              "\"for\":\"5s\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_true(world_allowed(&world) == RCV_UNLIMITED);
        world_run(&world, 5000);
        assert_true(allowed() < 1000000);
        world_done(&world);
    }
}


/* Health by order alone: the source is silent, or was never there. */

static void
test_health(void **unused)
{
    unsigned  configured;

    (void) unused;

    for (configured = 0; configured < 2; configured++) {
        world_init(&world, "");
        world.source.configured = configured;
        world.source.heard = 0;
        world_learn(&world, 100000);

        assert_int_equal(give("\"action\":\"health\",\"value\":\"down\","
                              "\"for\":\"1m\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
        assert_int_equal(world_allowed(&world), 0);
        assert_int_equal(world.state.health_from, RCV_FROM_ORDER);

        /* it ends, nobody has an opinion: back as from any outage */

        world_run(&world, 59000);
        assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
        world_run(&world, 1200);
        assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
        assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
        world_until(&world, RCV_PHASE_UP, 120000);

        assert_int_equal(give("\"action\":\"health\",\"value\":0.3,"
                              "\"for\":\"1m\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_int_equal(world.state.phase, RCV_PHASE_DEGRADED);
        assert_int_equal(world_allowed(&world),
                         world.state.reference_milli / 10 * 3);
        world_run(&world, 60000);
        assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
        assert_in_range(allowed(), 29000, 34000);

        assert_int_equal(give("\"action\":\"health\",\"value\":\"recovering\""
                              ",\"for\":\"1h\""), RCV_ORDER_OK);
        world_until(&world, RCV_PHASE_UP, 200000);
        assert_int_equal(give("\"action\":\"health\",\"value\":\"recovering\""
                              ",\"for\":\"1h\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_int_equal(world.state.phase, RCV_PHASE_PROBING);

        world_until(&world, RCV_PHASE_RAMPING, 20000);
        assert_int_equal(give("\"action\":\"clear\""), RCV_ORDER_OK);
        world_tick(&world);
        assert_int_equal(world.state.health_from, RCV_FROM_NONE);
        world_until(&world, RCV_PHASE_UP, 200000);
        world_done(&world);
    }
}


/* An order against the source's word, while that stays as it is. */

static void
test_against(void **unused)
{
    (void) unused;

    to_phase(RCV_PHASE_DOWN);
    assert_int_equal(give("\"action\":\"health\",\"value\":\"up\","
                          "\"for\":\"2m\""), RCV_ORDER_OK);
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    world.source.age_ms = 60000;
    world_until(&world, RCV_PHASE_VERIFYING, 60000);
    assert_false(world.state.lost);
    world_run(&world, 120000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    world_done(&world);

    /* what the source said before is no news when the order ends */

    to_phase(RCV_PHASE_UP);
    world_health(&world, "recovering");
    world_until(&world, RCV_PHASE_UP, 10);
    world_run(&world, 200000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_int_equal(give("\"action\":\"health\",\"value\":\"up\","
                          "\"for\":\"10s\""), RCV_ORDER_OK);
    world_run(&world, 20000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    world_done(&world);
}


static void
test_hold(void **unused)
{
    uint64_t  before;

    (void) unused;

    to_phase(RCV_PHASE_RAMPING);
    assert_int_equal(give("\"action\":\"resume\""), RCV_ORDER_NO_HOLD);
    world_run(&world, 1000);

    assert_int_equal(give("\"action\":\"hold\",\"for\":\"1h\""),
                     RCV_ORDER_OK);
    world_tick(&world);
    before = world_allowed(&world);
    world_run(&world, 60000);
    assert_true(world_allowed(&world) == before);

    assert_int_equal(give("\"action\":\"resume\""), RCV_ORDER_OK);
    world_run(&world, 1000);
    assert_true(world_allowed(&world) > before);

    /* the source's hold, for a while */

    (void) world_say(&world, "up", NULL, "hold", NULL);
    world_tick(&world);
    before = world_allowed(&world);
    assert_int_equal(give("\"action\":\"resume\",\"for\":\"1s\""),
                     RCV_ORDER_OK);
    world_run(&world, 600);
    assert_true(world_allowed(&world) > before);
    world_run(&world, 600);
    assert_int_equal(world.state.force, RCV_FORCE_HOLD);

    /* closed is no hold */

    assert_int_equal(give("\"action\":\"force\",\"value\":\"closed\","
                          "\"for\":\"1m\""), RCV_ORDER_OK);
    assert_int_equal(give("\"action\":\"resume\""), RCV_ORDER_NO_HOLD);
    world_done(&world);
}


static void
test_step_back(void **unused)
{
    unsigned  phase;
    uint64_t  before, half;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        to_phase((rcv_phase_t) phase);

        if (phase == RCV_PHASE_RAMPING) {
            world_run(&world, 2000);
        }

        before = rcv_min(world_allowed(&world), world.state.reference_milli);
        half = before / 2;

        assert_int_equal(give("\"action\":\"step-back\",\"for\":\"30s\""),
                         RCV_ORDER_OK);
        world_tick(&world);

        if (phase == RCV_PHASE_DOWN || phase == RCV_PHASE_PROBING) {
            assert_true(world_allowed(&world) == before);

        } else {
            assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
            assert_in_range(world_allowed(&world), half - 2, half + 2);
            world_run(&world, 29000);
            assert_in_range(world_allowed(&world), half - 2, half + 2);
            world_run(&world, 3000);
            assert_true(world_allowed(&world) > half);
        }

        world_done(&world);
    }
}


static void
test_promote(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_run(&world, 3000);
    world_health(&world, "up");
    world.demand_milli[0] = 1;          /* the first class is there */
    world.mute = 1;
    world_run(&world, 500);
    world.state.absent_ms[0] = 0;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world.out.allowance.word.class_max, 0);

    assert_int_equal(give("\"action\":\"promote\",\"value\":\"none-such\","
                          "\"for\":\"1m\""), RCV_ORDER_UNKNOWN_CLASS);
    assert_int_equal(give("\"action\":\"promote\",\"for\":\"1m\""),
                     RCV_ORDER_OK);
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 1);
    assert_int_equal(give("\"action\":\"promote\",\"value\":\"low\","
                          "\"for\":\"300ms\""), RCV_ORDER_OK);
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 3);

    /* more classes, and not one request more */

    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);

    world_run(&world, 300);
    assert_int_equal(world.out.allowance.word.class_max, 0);

    /* the source does the same; whoever lets in more */

    world.state.signal.classes = 2;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 1);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    assert_int_equal(give("\"action\":\"promote\",\"value\":\"high\","
                          "\"for\":\"1m\""), RCV_ORDER_OK);
    world.state.signal.classes = RCV_CLASSES_MAX;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 3);
    world.state.signal.classes = 1;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 1);
    world_done(&world);
}


/* Open, while what the backend does says no: by name of the rule only. */

static void
test_failing(void **unused)
{
    unsigned           found;
    unsigned           i;
    static const char  open[] = "\"action\":\"force\",\"value\":\"open\","
                                "\"for\":\"1m\"";
    (void) unused;

    to_phase(RCV_PHASE_RAMPING);
    world.bad_ppm = 900000;
    world_until(&world, RCV_PHASE_PROBING, 20000);
    world_run(&world, 3000);

    assert_int_equal(give(open), RCV_ORDER_FAILING);
    assert_int_equal(world.state.override.force, RCV_FORCE_NONE);

    (void) world_say(&world, "up", NULL, "open", "1700100000");
    world_tick(&world);
    assert_true(world.out.refused);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);

    found = 0;

    for (i = 0; i < world.out.nchanges; i++) {
        found += (world.out.changes[i].why == RCV_WHY_FORCE_REFUSED);
    }

    assert_int_equal(found, 1);

    /* it is not obeyed later either, when nothing tells the contrary */

    world_demand(&world, 0);
    world_run(&world, 60000);
    assert_false(world.out.refused);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);

    /* given anew */

    world.bad_ppm = 0;
    (void) world_say(&world, "up", NULL, "open", "1700200000");
    world_tick(&world);
    assert_int_equal(world.state.force, RCV_FORCE_OPEN);
    world_done(&world);

    /* by name, and closing is no question of safety */

    to_phase(RCV_PHASE_UP);
    world.bad_ppm = 900000;
    world_run(&world, 2000);
    assert_int_equal(give(open), RCV_ORDER_FAILING);
    assert_int_equal(give("\"action\":\"force\",\"value\":\"open\","
                          "\"for\":\"1m\",\"override_safety\":\"failing\""),
                     RCV_ORDER_OK);
    world_tick(&world);
    assert_int_equal(world.state.force, RCV_FORCE_OPEN);
    assert_int_equal(give("\"action\":\"force\",\"value\":\"closed\","
                          "\"for\":\"1m\""), RCV_ORDER_OK);
    world_tick(&world);
    assert_int_equal(world.state.force, RCV_FORCE_CLOSED);
    world_done(&world);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_against),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_step_back),
        cmocka_unit_test(test_promote),
        cmocka_unit_test(test_failing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
