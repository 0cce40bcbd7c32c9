
/*
 * The bytes of a state file: what is written is read again, and a file that
 * is torn, damaged, foreign or forged is refused, wherever it is touched.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "policy_text.h"
#include "ramp.h"
#include "snapshot.h"


#define SIZE  RCV_SNAPSHOT_SIZE(3)


static uint8_t  file[SIZE];
static size_t   len;

static const rcv_snapshot_head_t  head = {
    .writer = 0x0123456789abcdefull,
    .written_ms = 1795452904670ull,
};


static rcv_snapshot_t
record(const char *name)
{
    rcv_snapshot_t  snapshot;

    memset(&snapshot, 0, sizeof(snapshot));
    strcpy(snapshot.name, name);
    strcpy(snapshot.by, "alice");
    strcpy(snapshot.reason, "store moved");

    snapshot.phase = RCV_PHASE_RAMPING;
    snapshot.level_ppm = 400000;
    snapshot.said = RCV_HEALTH_UP;
    snapshot.said_ppm = RCV_PPM;
    snapshot.has_epoch = 1;
    snapshot.epoch = UINT64_MAX;
    snapshot.force = RCV_FORCE_HOLD;
    snapshot.learned_milli = 123456789012ull;
    snapshot.limit_milli = 4000000000u;

    return snapshot;
}


static void
make(void)
{
    rcv_snapshot_t         snapshot;
    rcv_snapshot_writer_t  writer;

    rcv_snapshot_begin(&writer, file, sizeof(file));

    snapshot = record("kv");
    rcv_snapshot_add(&writer, &snapshot);
    snapshot = record("d1");
    snapshot.phase = RCV_PHASE_DOWN;
    rcv_snapshot_add(&writer, &snapshot);
    snapshot = record(
        "a23456789.123456789_123456789-123456789.123456789_123456789-123");
    rcv_snapshot_add(&writer, &snapshot);

    len = rcv_snapshot_end(&writer, &head);
    assert_true(len > 0 && len <= SIZE);
}


/* As the format has it, and not as snapshot.c does it. */

static void
seal(size_t size)
{
    size_t    i;
    unsigned  bit;
    uint32_t  crc;

    for (i = 0; i < 4; i++) {
        file[16 + i] = (uint8_t) (size >> 8 * i);
    }

    crc = UINT32_MAX;

    for (i = 0; i < size - 4; i++) {
        crc ^= file[i];

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
        }
    }

    crc = ~crc;

    for (i = 0; i < 4; i++) {
        file[size - 4 + i] = (uint8_t) (crc >> 8 * i);
    }
}


static rcv_snapshot_result_t
result(size_t size)
{
    rcv_snapshot_reader_t  reader;

    return rcv_snapshot_open(&reader, file, size);
}


static void
test_round_trip(void **unused)
{
    unsigned               i;
    rcv_snapshot_t         want, have;
    rcv_snapshot_reader_t  reader;

    static const char *const  names[] = { "kv", "d1", "kv", "kv", "d1" };

    (void) unused;

    make();
    assert_int_equal(rcv_snapshot_open(&reader, file, len), RCV_SNAPSHOT_OK);
    assert_int_equal(reader.head.records, 3);
    assert_true(reader.head.writer == head.writer);
    assert_true(reader.head.written_ms == head.written_ms);

    for (i = 0; i < 5; i++) {
        memset(&have, 0x55, sizeof(have));
        assert_true(rcv_snapshot_find(&reader, str(names[i]), &have));

        want = record(names[i]);
        want.phase = (names[i][0] == 'k') ? RCV_PHASE_RAMPING : RCV_PHASE_DOWN;
        assert_memory_equal(&have, &want, sizeof(want));
    }

    assert_false(rcv_snapshot_find(&reader, str("k"), &have));
    assert_false(rcv_snapshot_find(&reader, str("kvv"), &have));
    assert_false(rcv_snapshot_find(&reader, str(""), &have));
}


/* The bytes themselves: a file outlives the program that wrote it. */

static void
test_layout(void **unused)
{
    static const uint8_t  start[] = {
        'r', 'c', 'v', 's', 't', 'a', 't', 'e', 3, 0, 0, 0, 3, 0, 0, 0
    };

    (void) unused;

    make();
    assert_memory_equal(file, start, sizeof(start));
    assert_int_equal(file[24], 0xef);
    assert_int_equal(file[31], 0x01);
    assert_memory_equal(file + RCV_SNAPSHOT_HEAD_SIZE, "\2kv\5alice\13store",
                        15);

    /* an independent checksum gives the same file */
    {
        uint8_t  before[4];

        memcpy(before, file + len - 4, 4);
        seal(len);
        assert_memory_equal(file + len - 4, before, 4);
    }
}


static void
test_torn(void **unused)
{
    size_t                 n;
    rcv_snapshot_result_t  got;

    (void) unused;

    make();
    assert_int_equal(result(0), RCV_SNAPSHOT_EMPTY);

    for (n = 1; n < len; n++) {
        assert_int_equal(result(n), RCV_SNAPSHOT_TORN);
    }

    /* something behind it is no better */

    assert_int_equal(result(len + 1), RCV_SNAPSHOT_TORN);

    /* shortened and made good again, but for the count of records */

    for (n = RCV_SNAPSHOT_HEAD_SIZE + 4; n < len; n++) {
        make();
        seal(n);
        got = result(n);
        assert_int_equal(got, RCV_SNAPSHOT_VALUES);
    }
}


/* Every bit of it. */

static void
test_damaged(void **unused)
{
    size_t  i;

    (void) unused;

    make();

    for (i = 0; i < 8 * len; i++) {
        file[i / 8] ^= (uint8_t) (1 << i % 8);
        assert_int_not_equal(result(len), RCV_SNAPSHOT_OK);
        file[i / 8] ^= (uint8_t) (1 << i % 8);
    }

    assert_int_equal(result(len), RCV_SNAPSHOT_OK);
}


static void
test_foreign(void **unused)
{
    rcv_snapshot_head_t  read;

    (void) unused;

    make();
    file[8] = 1;
    seal(len);
    assert_int_equal(result(len), RCV_SNAPSHOT_VERSION_UNKNOWN);
    assert_int_equal(rcv_snapshot_head(&read, file, RCV_SNAPSHOT_HEAD_SIZE),
                     RCV_SNAPSHOT_VERSION_UNKNOWN);

    memcpy(file, "root:x:0", 8);
    seal(len);
    assert_int_equal(result(len), RCV_SNAPSHOT_FOREIGN);
    assert_int_equal(result(3), RCV_SNAPSHOT_FOREIGN);

    memset(file, 0, sizeof(file));
    assert_int_equal(result(len), RCV_SNAPSHOT_FOREIGN);
}


/* Whoever can write the checksum can still not write what he likes. */

static void
test_forged(void **unused)
{
    size_t  i, good;

    static const uint8_t  names[] = { ' ', '/', '\n', 0, 0x7f, 0xff, '-' };

    (void) unused;

    for (i = 0; i < sizeof(names); i++) {
        make();
        file[RCV_SNAPSHOT_HEAD_SIZE + 1] = names[i];
        seal(len);
        assert_int_equal(result(len), RCV_SNAPSHOT_VALUES);
    }

    for (i = 0; i < 2; i++) {
        make();
        file[RCV_SNAPSHOT_HEAD_SIZE] = i ? 64 : 0;
        seal(len);
        assert_int_equal(result(len), RCV_SNAPSHOT_VALUES);
    }

    make();
    file[RCV_SNAPSHOT_HEAD_SIZE + 6] = '\n';
    seal(len);
    assert_int_equal(result(len), RCV_SNAPSHOT_VALUES);

    /* counts: none, one less, one more, all there could be */

    for (i = 0; i < 4; i++) {
        make();
        memcpy(file + 12, (const uint8_t[4][4]) {
            { 0 }, { 2 }, { 4 }, { 255, 255, 255, 255 }
        }[i], 4);
        seal(len);
        assert_int_equal(result(len), RCV_SNAPSHOT_VALUES);
    }

    /* fields: all bits set is too much for most, fine for an epoch */

    good = 0;

    for (i = RCV_SNAPSHOT_HEAD_SIZE + 22; i < RCV_SNAPSHOT_HEAD_SIZE + 163;
         i++)
    {
        make();
        file[i] = 0xff;
        seal(len);
        good += (result(len) == RCV_SNAPSHOT_OK);
    }

    assert_in_range(good, 20, 110);

    make();
    file[RCV_SNAPSHOT_HEAD_SIZE + 21] = RCV_PHASES;     /* the phase */
    seal(len);
    assert_int_equal(result(len), RCV_SNAPSHOT_VALUES);
}


/* Too large a value is written as the largest: what is written is good. */

static void
test_clamped(void **unused)
{
    rcv_snapshot_t         snapshot;
    rcv_snapshot_reader_t  reader;
    rcv_snapshot_writer_t  writer;

    (void) unused;

    memset(&snapshot, 0xff, sizeof(snapshot));
    strcpy(snapshot.name, "kv");
    snapshot.by[0] = '\0';
    snapshot.reason[0] = '\0';

    rcv_snapshot_begin(&writer, file, sizeof(file));
    rcv_snapshot_add(&writer, &snapshot);
    len = rcv_snapshot_end(&writer, &head);

    assert_int_equal(rcv_snapshot_open(&reader, file, len), RCV_SNAPSHOT_OK);
    assert_true(rcv_snapshot_find(&reader, str("kv"), &snapshot));
    assert_int_equal(snapshot.phase, RCV_PHASES - 1);
    assert_true(snapshot.level_ppm == RCV_LEVEL_MAX_PPM);
}


static void
test_full(void **unused)
{
    rcv_snapshot_t         snapshot;
    rcv_snapshot_writer_t  writer;

    (void) unused;

    snapshot = record("kv");

    rcv_snapshot_begin(&writer, file, RCV_SNAPSHOT_SIZE(1));
    rcv_snapshot_add(&writer, &snapshot);
    assert_false(writer.full);
    rcv_snapshot_add(&writer, &snapshot);
    assert_true(writer.full);
    assert_int_equal(rcv_snapshot_end(&writer, &head), 0);

    rcv_snapshot_begin(&writer, file, RCV_SNAPSHOT_SIZE(0) - 1);
    assert_int_equal(rcv_snapshot_end(&writer, &head), 0);

    rcv_snapshot_begin(&writer, file, RCV_SNAPSHOT_SIZE(0));
    len = rcv_snapshot_end(&writer, &head);
    assert_int_equal(len, RCV_SNAPSHOT_SIZE(0));
    assert_int_equal(result(len), RCV_SNAPSHOT_OK);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_clamped),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
