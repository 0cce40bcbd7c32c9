
/*
 * libFuzzer: a state file -> records -> states that are ticked.
 *
 * The first byte: odd, the rest is a file as it is; even, it is made one with
 * the right length and checksum, so that what is behind them is reached.  The
 * second byte is the file's age, the third what the backend is configured to.
 * Whatever the bytes: no crash, what was read is what is written from it, and
 * no state allows more than its phase may.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allow.h"
#include "restore.h"
#include "tick.h"


#define INPUT_MAX   65536u
#define SETTINGS    3u
#define NOW_MS      1000000u


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t       file[INPUT_MAX];
static uint8_t       again[INPUT_MAX + 1024];
static rcv_policy_t  policy;


static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}


static void
put(uint8_t *p, uint64_t n, unsigned width)
{
    while (width-- != 0) {
        *p++ = (uint8_t) n;
        n >>= 8;
    }
}


/* Bit by bit: not the way in which it is done in snapshot.c. */

static uint32_t
crc32c(const uint8_t *p, size_t len)
{
    unsigned  bit;
    uint32_t  crc;

    crc = UINT32_MAX;

    while (len-- != 0) {
        crc ^= *p++;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
        }
    }

    return ~crc;
}


static void
seal(size_t len)
{
    memcpy(file, "rcvstate", 8);
    put(file + 8, RCV_SNAPSHOT_VERSION, 4);
    put(file + 16, len, 8);
    put(file + len - 4, crc32c(file, len - 4), 4);
}


static void
play(const rcv_snapshot_t *snapshot, unsigned age, unsigned setting)
{
    rcv_tick_t      tick;
    rcv_round_t     round;
    rcv_state_t     state;
    rcv_limits_t    limits;
    rcv_source_t    source;
    rcv_window_t    window;
    rcv_snapshot_t  taken;

    static const rcv_phase_t  initial[] = {
        RCV_PHASE_UP, RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_UP
    };

    limits = (rcv_limits_t) { 0 };
    limits.initial = initial[setting & 3];
    limits.capacity_milli = (setting & 4) ? 100000 : 0;
    limits.quota_milli = (setting & 8) ? 50000 : RCV_UNLIMITED;
    policy.feedback = (setting & 16) != 0;

    source = (rcv_source_t) { 0 };
    source.configured = (setting & 32) != 0;
    source.heard = (setting & 64) != 0;

    round = (rcv_round_t) { 0 };
    window = (rcv_window_t) { 0 };

    rcv_state_init(&state, &policy, &limits, NOW_MS);
    rcv_restore_apply(&state, snapshot, &policy, &limits, source.configured,
                      (uint64_t) age * 2000, NOW_MS);
    rcv_tick(&state, &round, &policy, &limits, &source, &window, NOW_MS,
             &tick);

    require(state.phase < RCV_PHASES);
    require(tick.allowance.rate_milli <= limits.quota_milli);

    if (state.phase == RCV_PHASE_PROBING
        && state.force != RCV_FORCE_OPEN && state.force != RCV_FORCE_LEVEL)
    {
        require(tick.allowance.rate_milli
                <= rcv_allow_floor_milli(&state, &policy));
    }

    if (state.phase == RCV_PHASE_RAMPING) {
        require(snapshot->phase == RCV_PHASE_RAMPING
                || snapshot->in_force == RCV_FORCE_LEVEL
                || snapshot->phase == RCV_PHASE_DEGRADED);
    }

    taken = (rcv_snapshot_t) { 0 };
    rcv_restore_take(&taken, &state, NOW_MS);
    require(taken.phase == state.phase);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 len, at;
    uint32_t               i;
    rcv_str_t              name;
    rcv_snapshot_t         snapshot;
    rcv_snapshot_reader_t  reader;
    rcv_snapshot_writer_t  writer;

    if (size < SETTINGS || size - SETTINGS > INPUT_MAX) {
        return 0;
    }

    if (policy.nclasses == 0) {
        name.data = "fuzz";
        name.len = 4;
        rcv_policy_init(&policy, name);
        require(rcv_policy_finish(&policy, (char *) again, sizeof(again))
                == 0);
    }

    len = size - SETTINGS;
    memcpy(file, data + SETTINGS, len);

    if ((data[0] & 1) == 0 && len >= RCV_SNAPSHOT_SIZE(0)) {
        seal(len);
    }

    if (rcv_snapshot_open(&reader, file, len) != RCV_SNAPSHOT_OK) {
        return 0;
    }

    rcv_snapshot_begin(&writer, again, sizeof(again));

    for (i = 0; i < reader.head.records; i++) {
        at = reader.at;

        /* the next one, by the name that stands there */

        name.data = (const char *) file + at + 1;
        name.len = file[at];

        require(rcv_snapshot_find(&reader, name, &snapshot));
        require(reader.at > at);

        rcv_snapshot_add(&writer, &snapshot);
        play(&snapshot, data[1], data[2]);
    }

    if (!writer.full) {
        require(rcv_snapshot_end(&writer, &reader.head) == len);
        require(memcmp(again, file, len) == 0);
    }

    return 0;
}
