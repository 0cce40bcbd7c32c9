
/*
 * Permits in flight: watermarks, the life of a slot, and every point at
 * which a process can die.  A death is played by stopping half way: the
 * fields are set to what the killed process would have left.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inflight.h"


#define GATES   3
#define SLOTS   4
#define ALL     RCV_PPM


typedef struct {
    rcv_slot_t   head;
    uint32_t     cells[16];
} slot_t;

static rcv_gate_t   gates[GATES];
static slot_t       memory[SLOTS];
static rcv_slots_t  slots;


static int
reset(void **state)
{
    (void) state;

    memset(gates, 0, sizeof(gates));
    memset(memory, 0, sizeof(memory));
    slots.first = &memory[0].head;
    slots.stride = sizeof(slot_t);
    slots.count = SLOTS;

    return 0;
}


static rcv_slot_t *
claim(uint64_t owner)
{
    return rcv_slot_claim(&slots, owner, owner * 10, 1, GATES);
}


static void
take(rcv_slot_t *slot, unsigned gate_index, unsigned count)
{
    while (count-- > 0) {
        assert_true(rcv_inflight_take(&gates[gate_index], slot, gate_index,
                                      RCV_IN_FLIGHT_MAX, 0));
    }
}


static void
watermark_table(void **state)
{
    static const struct {
        uint32_t  limit;
        uint32_t  share_ppm;
        unsigned  rank;
        uint32_t  expected;
    } cases[] = {
        { 0, 1000000, 0, 0 },
        { 0, 1000000, 1, 0 },
        { 0, 0, 15, 0 },
        { 1, 1000000, 0, 2 },           /* the spare place */
        { 1, 900000, 1, 1 },
        { 1, 100000, 9, 1 },
        { 2, 1000000, 0, 3 },
        { 2, 900000, 1, 1 },
        { 3, 900000, 1, 2 },
        { 3, 800000, 2, 1 },
        { 10, 1000000, 0, 11 },
        { 10, 900000, 1, 9 },
        { 10, 990000, 1, 9 },           /* a place apart at least */
        { 10, 800000, 2, 8 },
        { 11, 800000, 2, 9 },           /* rounded up */
        { 1000, 900000, 1, 900 },
        { 1000, 0, 1, 1 },
        { 1000, 1000000, UINT32_MAX, 1 },
        { RCV_IN_FLIGHT_MAX, 1000000, 0, RCV_IN_FLIGHT_MAX },
        { RCV_IN_FLIGHT_MAX - 1, 1000000, 0, RCV_IN_FLIGHT_MAX },
        { RCV_IN_FLIGHT_MAX, 1000000, 1, RCV_IN_FLIGHT_MAX - 1 },
        { UINT32_MAX, 1000000, 0, RCV_IN_FLIGHT_MAX },
        { UINT32_MAX, UINT32_MAX, 1, RCV_IN_FLIGHT_MAX - 1 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rcv_inflight_watermark(cases[i].limit,
                                                cases[i].share_ppm,
                                                cases[i].rank),
                         cases[i].expected);
    }
}


static void
watermarks_fall_with_rank(void **state)
{
    unsigned  rank;
    uint32_t  limit, above, here;

    (void) state;

    for (limit = 1; limit < 300; limit++) {
        above = UINT32_MAX;

        for (rank = 0; rank < RCV_CLASSES_MAX; rank++) {
            here = rcv_inflight_watermark(limit, ALL - rank * (ALL / 20),
                                          rank);
            assert_true(here >= 1);
            assert_true(here < above || here == 1);
            above = here;
        }
    }
}


static void
take_up_to_the_watermark(void **state)
{
    unsigned     i;
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);

    for (i = 0; i < 5; i++) {
        assert_true(rcv_inflight_take(&gates[1], slot, 1, 5, 0));
    }

    assert_false(rcv_inflight_take(&gates[1], slot, 1, 5, 0));
    assert_false(rcv_inflight_take(&gates[1], slot, 1, 4, 0));
    assert_false(rcv_inflight_take(&gates[1], slot, 1, 0, 0));
    assert_true(rcv_inflight_take(&gates[1], slot, 1, 6, 0));

    assert_int_equal(gates[1].in_flight, 6);
    assert_int_equal(*rcv_slot_cell(slot, 1), 6);
    assert_int_equal(*rcv_slot_cell(slot, 0), 0);
    assert_int_equal(gates[0].in_flight, 0);
    assert_int_equal(slot->seq % 2, 0);

    for (i = 0; i < 6; i++) {
        rcv_inflight_give(&gates[1], slot, 1, 0);
    }

    assert_int_equal(gates[1].in_flight, 0);
    assert_int_equal(*rcv_slot_cell(slot, 1), 0);
    assert_int_equal(slot->seq % 2, 0);

    /* nothing booked, nothing to give */

    gates[1].in_flight = 3;
    rcv_inflight_give(&gates[1], slot, 1, 0);
    assert_int_equal(gates[1].in_flight, 3);
    assert_int_equal(*rcv_slot_cell(slot, 1), 0);
}


static void
without_a_slot_only_a_look(void **state)
{
    (void) state;

    gates[0].in_flight = 2;
    assert_true(rcv_inflight_take(&gates[0], NULL, 0, 3, 0));
    assert_false(rcv_inflight_take(&gates[0], NULL, 0, 2, 0));
    assert_false(rcv_inflight_take(&gates[0], NULL, 0, 0, 0));
    rcv_inflight_give(&gates[0], NULL, 0, 0);
    assert_int_equal(gates[0].in_flight, 2);
}


static void
claim_until_none_is_left(void **state)
{
    unsigned     i;
    rcv_slot_t  *slot[SLOTS];

    (void) state;

    for (i = 0; i < SLOTS; i++) {
        slot[i] = claim(100 + i);
        assert_ptr_equal(slot[i], rcv_slot_at(&slots, i));
        assert_int_equal(slot[i]->owner, 100 + i);
        assert_int_equal(slot[i]->start, 1000 + 10 * i);
        assert_int_equal(slot[i]->generation, 1);
        assert_int_equal(slot[i]->seq % 2, 0);
    }

    assert_null(claim(200));

    assert_true(rcv_slot_reclaim(slot[2], 102));
    assert_int_equal(slot[2]->owner, 0);
    assert_int_equal(slot[2]->start, 0);
    assert_ptr_equal(claim(200), slot[2]);
    assert_null(claim(201));
}


static void
reclaim_only_from_its_owner(void **state)
{
    uint64_t     seq;
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);
    take(slot, 0, 2);
    seq = slot->seq;

    assert_false(rcv_slot_reclaim(slot, 8));
    assert_int_equal(slot->owner, 7);
    assert_int_equal(slot->seq, seq);

    assert_true(rcv_slot_reclaim(slot, 7));
    assert_false(rcv_slot_reclaim(slot, 7));

    /* the next owner is not hit by who comes too late */

    slot = claim(9);
    take(slot, 0, 1);
    seq = slot->seq;
    assert_false(rcv_slot_reclaim(slot, 7));
    assert_int_equal(slot->owner, 9);
    assert_int_equal(slot->seq, seq);
    assert_int_equal(*rcv_slot_cell(slot, 0), 1);
}


static void
new_owner_starts_from_zero(void **state)
{
    unsigned     i;
    uint64_t     seq;
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);

    for (i = 0; i < GATES; i++) {
        take(slot, i, 3 + i);
    }

    seq = slot->seq;
    assert_true(rcv_slot_reclaim(slot, 7));
    slot = claim(8);

    for (i = 0; i < GATES; i++) {
        assert_int_equal(*rcv_slot_cell(slot, i), 0);
        assert_true(rcv_inflight_reconcile(&gates[i], &slots, i));
        assert_int_equal(gates[i].in_flight, 0);
    }

    assert_true(slot->seq > seq);
    assert_int_equal(slot->seq % 2, 0);
}


static void
reconcile_takes_back_from_the_dead(void **state)
{
    rcv_slot_t  *dead, *alive;

    (void) state;

    dead = claim(7);
    alive = claim(8);
    take(dead, 0, 3);
    take(alive, 0, 2);
    take(alive, 1, 1);

    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 5);

    assert_true(rcv_slot_reclaim(dead, 7));
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_true(rcv_inflight_reconcile(&gates[1], &slots, 1));
    assert_int_equal(gates[0].in_flight, 2);
    assert_int_equal(gates[1].in_flight, 1);

    rcv_inflight_give(&gates[0], alive, 0, 0);
    rcv_inflight_give(&gates[0], alive, 0, 0);
    assert_int_equal(gates[0].in_flight, 0);
}


/*
 * What a kill leaves at each point of take and give: in_flight, cell, and
 * whether the booking was open.
 */

static void
killed_at_any_point(void **state)
{
    static const struct {
        const char  *point;
        uint32_t     in_flight;
        uint32_t     cell;
        unsigned     open;
    } cases[] = {
        { "take, begun", 2, 2, 1 },
        { "take, in_flight counted", 3, 2, 1 },
        { "take, booked", 3, 3, 1 },
        { "take, done", 3, 3, 0 },
        { "give, begun", 2, 2, 1 },
        { "give, cell down", 2, 1, 1 },
        { "give, in_flight down", 1, 1, 1 },
        { "give, done", 1, 1, 0 },
    };

    size_t       i;
    rcv_slot_t  *dead, *alive;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) reset(state);
        dead = claim(7);
        alive = claim(8);
        take(alive, 0, 4);

        gates[0].in_flight = 4 + cases[i].in_flight;
        *rcv_slot_cell(dead, 0) = cases[i].cell;
        dead->seq += cases[i].open;

        assert_true(gates[0].in_flight >= 4 + cases[i].cell);

        /* nothing is judged on a booking half done */

        assert_int_equal(rcv_inflight_reconcile(&gates[0], &slots, 0),
                         !cases[i].open);
        assert_int_equal(gates[0].in_flight, 4 + cases[i].in_flight);

        assert_true(rcv_slot_reclaim(dead, 7));
        assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
        assert_int_equal(gates[0].in_flight, 4);

        dead = claim(9);
        assert_int_equal(*rcv_slot_cell(dead, 0), 0);
        assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
        assert_int_equal(gates[0].in_flight, 4);
    }
}


/* A claimer killed before its cells are zero, a reclaimer between its CAS. */

static void
killed_in_claim_and_reclaim(void **state)
{
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);
    take(slot, 0, 3);
    assert_true(rcv_slot_reclaim(slot, 7));
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 0);

    /* the claim got no further than owner; the old cells must not count */

    slot->owner = 8;
    assert_false(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 0);
    assert_true(rcv_slot_reclaim(slot, 8));
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 0);

    slot = claim(9);
    assert_int_equal(*rcv_slot_cell(slot, 0), 0);
    take(slot, 0, 2);

    /* the reclaim got no further than seq; the next one does the rest */

    slot->seq++;
    assert_false(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_true(rcv_slot_reclaim(slot, 9));
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 0);
    assert_non_null(claim(10));
}


static void
reconcile_raises_as_well(void **state)
{
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);
    take(slot, 0, 3);
    gates[0].in_flight = 1;
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));
    assert_int_equal(gates[0].in_flight, 3);
}


static void
nobody_at_all(void **state)
{
    (void) state;

    gates[2].in_flight = UINT32_MAX;
    assert_true(rcv_inflight_reconcile(&gates[2], &slots, 2));
    assert_int_equal(gates[2].in_flight, 0);

    slots.count = 0;
    gates[2].in_flight = 9;
    assert_true(rcv_inflight_reconcile(&gates[2], &slots, 2));
    assert_int_equal(gates[2].in_flight, 0);
    assert_null(claim(7));
}


/* A process that empties its own slot while requests still hold permits. */

static void
give_after_the_slot_was_emptied(void **state)
{
    rcv_slot_t  *slot;

    (void) state;

    slot = claim(7);
    take(slot, 0, 2);
    assert_true(rcv_slot_reclaim(slot, 7));
    assert_ptr_equal(claim(8), slot);
    assert_true(rcv_inflight_reconcile(&gates[0], &slots, 0));

    rcv_inflight_give(&gates[0], slot, 0, 0);
    rcv_inflight_give(&gates[0], slot, 0, 0);
    assert_int_equal(gates[0].in_flight, 0);
    assert_int_equal(*rcv_slot_cell(slot, 0), 0);
}


#define TEST(name)  cmocka_unit_test_setup(name, reset)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(watermark_table),
        TEST(watermarks_fall_with_rank),
        TEST(take_up_to_the_watermark),
        TEST(without_a_slot_only_a_look),
        TEST(claim_until_none_is_left),
        TEST(reclaim_only_from_its_owner),
        TEST(new_owner_starts_from_zero),
        TEST(reconcile_takes_back_from_the_dead),
        TEST(killed_at_any_point),
        TEST(killed_in_claim_and_reclaim),
        TEST(reconcile_raises_as_well),
        TEST(nobody_at_all),
        TEST(give_after_the_slot_was_emptied),
    };

    return cmocka_run_group_tests_name("inflight", tests, NULL, NULL);
}
