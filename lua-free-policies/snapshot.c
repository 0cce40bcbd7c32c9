
#include <string.h>

#include "snapshot.h"
#include "law.h"
#include "ramp.h"
#include "reference.h"
#include "words.h"


#define SNAPSHOT_MAGIC       "rcvstate"
#define SNAPSHOT_MAGIC_SIZE  8
#define SNAPSHOT_CRC_SIZE    4

/* CRC-32C (Castagnoli), bits reversed. */
#define SNAPSHOT_POLYNOMIAL  0x82f63b78u

/* No order is for longer than ten years. */
#define SNAPSHOT_MS_MAX      (3653ull * 86400 * 1000)


/* One field: where it is, its bytes in the file, and its largest value. */

typedef struct {
    size_t               offset;
    unsigned             width;
    uint64_t             max;
} snapshot_field_t;

#define FIELD(member, width, max)                                             \
    { offsetof(rcv_snapshot_t, member), width, max }


static const snapshot_field_t  snapshot_fields[] = {
    FIELD(phase, 1, RCV_PHASES - 1),
    FIELD(health, 1, RCV_HEALTHS - 1),
    FIELD(lost, 1, 1),
    FIELD(dead, 1, 1),
    FIELD(verified_ms, 4, UINT32_MAX),
    FIELD(level_ppm, 4, RCV_LEVEL_MAX_PPM),

    FIELD(said, 1, RCV_HEALTHS - 1),
    FIELD(said_ppm, 4, RCV_PPM),
    FIELD(ceiling_kind, 1, RCV_CEILING_LEVEL),
    FIELD(ceiling, 8, RCV_RATE_MAX_MILLI),
    FIELD(has_epoch, 1, 1),
    FIELD(epoch, 8, UINT64_MAX),

    FIELD(force, 1, RCV_FORCES - 1),
    FIELD(force_ppm, 4, RCV_PPM),
    FIELD(force_ends, 1, 1),
    FIELD(force_left_ms, 8, SNAPSHOT_MS_MAX),
    FIELD(force_safety, 1, RCV_SAFETIES - 1),
    FIELD(force_refused, 1, 1),
    FIELD(in_force, 1, RCV_FORCES - 1),
    FIELD(in_force_ppm, 4, RCV_PPM),
    FIELD(in_force_ms, 4, UINT32_MAX),

    FIELD(order_force, 1, RCV_FORCES - 1),
    FIELD(order_force_ppm, 4, RCV_PPM),
    FIELD(order_resume, 1, 1),
    FIELD(order_force_left_ms, 8, SNAPSHOT_MS_MAX),
    FIELD(order_health, 1, RCV_HEALTHS - 1),
    FIELD(order_health_milli, 2, RCV_MILLI),
    FIELD(order_health_left_ms, 8, SNAPSHOT_MS_MAX),
    FIELD(order_classes, 1, RCV_CLASSES_MAX),
    FIELD(order_class_left_ms, 8, SNAPSHOT_MS_MAX),

    FIELD(mean_micro, 8, RCV_RATE_MAX_MILLI * 1000),
    FIELD(learned_milli, 8, RCV_RATE_MAX_MILLI),
    FIELD(learned_ms, 4, UINT32_MAX),
    FIELD(learned_requests, 4, UINT32_MAX),
    FIELD(healthy_milli, 4, UINT32_MAX - RCV_MILLI),

    FIELD(mode, 1, RCV_MODE_STEER),
    FIELD(limit_milli, 4, RCV_LIMIT_MAX_MILLI),
    FIELD(base_us, 4, UINT32_MAX),
    FIELD(background_ppm, 4, RCV_PPM),
    FIELD(failed_milli, 4, UINT32_MAX),

    FIELD(cohort_salt, 4, UINT32_MAX),
    FIELD(cohort_cut, 2, RCV_COHORTS * 256),
    FIELD(cohort_marginal, 1, RCV_CLASSES_MAX),
};

#define SNAPSHOT_FIELDS                                                       \
    (sizeof(snapshot_fields) / sizeof(snapshot_fields[0]))


const char *const  rcv_snapshot_texts[RCV_SNAPSHOT_RESULTS] = {
    "good",
    "empty",
    "not a state file",
    "a state file of another version",
    "torn",
    "damaged, its checksum is wrong",
    "with a value out of range"
};


static uint32_t
snapshot_crc(const uint8_t *data, size_t len)
{
    size_t    i;
    uint32_t  crc, half[16];

    for (i = 0; i < 16; i++) {
        crc = (uint32_t) i;
        crc = (crc >> 1) ^ ((crc & 1) ? SNAPSHOT_POLYNOMIAL : 0);
        crc = (crc >> 1) ^ ((crc & 1) ? SNAPSHOT_POLYNOMIAL : 0);
        crc = (crc >> 1) ^ ((crc & 1) ? SNAPSHOT_POLYNOMIAL : 0);
        half[i] = (crc >> 1) ^ ((crc & 1) ? SNAPSHOT_POLYNOMIAL : 0);
    }

    crc = UINT32_MAX;

    for (i = 0; i < len; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ half[crc & 15];
        crc = (crc >> 4) ^ half[crc & 15];
    }

    return ~crc;
}


static void
snapshot_put(uint8_t *p, uint64_t n, unsigned width)
{
    while (width-- != 0) {
        *p++ = (uint8_t) n;
        n >>= 8;
    }
}


static uint64_t
snapshot_get(const uint8_t *p, unsigned width)
{
    uint64_t  n;

    n = 0;

    while (width-- != 0) {
        n = n << 8 | p[width];
    }

    return n;
}


static size_t
snapshot_put_text(uint8_t *p, const char *text, size_t max)
{
    size_t  len;

    len = 0;

    while (len < max && text[len] != '\0') {
        len++;
    }

    p[0] = (uint8_t) len;
    memcpy(p + 1, text, len);

    return len + 1;
}


/* The bytes it took; 0: it is none.  One line, without control characters. */

static size_t
snapshot_get_text(const uint8_t *p, size_t left, char *text, size_t max)
{
    size_t  i, len;

    if (left == 0 || p[0] > max || left - 1 < p[0]) {
        return 0;
    }

    len = p[0];

    for (i = 1; i <= len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return 0;
        }
    }

    memset(text, 0, max + 1);
    memcpy(text, p + 1, len);

    return len + 1;
}


void
rcv_snapshot_begin(rcv_snapshot_writer_t *writer, void *data, size_t size)
{
    *writer = (rcv_snapshot_writer_t) { 0 };

    writer->data = data;
    writer->size = size;
    writer->len = RCV_SNAPSHOT_HEAD_SIZE;
    writer->full = (size < RCV_SNAPSHOT_SIZE(0));
}


void
rcv_snapshot_add(rcv_snapshot_writer_t *writer,
    const rcv_snapshot_t *snapshot)
{
    size_t                   i;
    uint8_t                 *p;
    uint64_t                 value;
    const snapshot_field_t  *field;

    if (writer->full
        || writer->records == RCV_SNAPSHOT_RECORDS_MAX
        || writer->size - writer->len
           < RCV_SNAPSHOT_RECORD_SIZE + SNAPSHOT_CRC_SIZE)
    {
        writer->full = 1;
        return;
    }

    p = writer->data + writer->len;

    p += snapshot_put_text(p, snapshot->name, RCV_NAME_MAX);
    p += snapshot_put_text(p, snapshot->by, RCV_TEXT_MAX);
    p += snapshot_put_text(p, snapshot->reason, RCV_TEXT_MAX);

    for (i = 0; i < SNAPSHOT_FIELDS; i++) {
        field = &snapshot_fields[i];
        memcpy(&value, (const char *) snapshot + field->offset, sizeof(value));
        snapshot_put(p, rcv_min(value, field->max), field->width);
        p += field->width;
    }

    writer->len = (size_t) (p - writer->data);
    writer->records++;
}


size_t
rcv_snapshot_end(rcv_snapshot_writer_t *writer,
    const rcv_snapshot_head_t *head)
{
    size_t    len;
    uint8_t  *p;

    if (writer->full) {
        return 0;
    }

    p = writer->data;
    len = writer->len + SNAPSHOT_CRC_SIZE;

    memcpy(p, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_SIZE);
    snapshot_put(p + 8, RCV_SNAPSHOT_VERSION, 4);
    snapshot_put(p + 12, writer->records, 4);
    snapshot_put(p + 16, len, 8);
    snapshot_put(p + 24, head->writer, 8);
    snapshot_put(p + 32, head->written_ms, 8);

    snapshot_put(p + writer->len, snapshot_crc(p, writer->len),
                 SNAPSHOT_CRC_SIZE);

    return len;
}


/* The bytes it took; 0: it is none. */

static size_t
snapshot_record(const uint8_t *data, size_t left, rcv_snapshot_t *snapshot)
{
    size_t                   i, n, at;
    uint64_t                 value;
    rcv_str_t                name;
    const snapshot_field_t  *field;

    at = snapshot_get_text(data, left, snapshot->name, RCV_NAME_MAX);

    name.data = snapshot->name;
    name.len = (at == 0) ? 0 : at - 1;

    if (at == 0 || !rcv_name_valid(name)) {
        return 0;
    }

    n = snapshot_get_text(data + at, left - at, snapshot->by, RCV_TEXT_MAX);
    if (n == 0) {
        return 0;
    }

    at += n;

    n = snapshot_get_text(data + at, left - at, snapshot->reason,
                          RCV_TEXT_MAX);
    if (n == 0) {
        return 0;
    }

    at += n;

    for (i = 0; i < SNAPSHOT_FIELDS; i++) {
        field = &snapshot_fields[i];

        if (left - at < field->width) {
            return 0;
        }

        value = snapshot_get(data + at, field->width);

        if (value > field->max) {
            return 0;
        }

        memcpy((char *) snapshot + field->offset, &value, sizeof(value));
        at += field->width;
    }

    return at;
}


rcv_snapshot_result_t
rcv_snapshot_head(rcv_snapshot_head_t *head, const void *data, size_t len)
{
    const uint8_t  *p;

    p = data;

    if (len == 0) {
        return RCV_SNAPSHOT_EMPTY;
    }

    if (memcmp(p, SNAPSHOT_MAGIC, rcv_min(len, SNAPSHOT_MAGIC_SIZE)) != 0) {
        return RCV_SNAPSHOT_FOREIGN;
    }

    if (len < RCV_SNAPSHOT_HEAD_SIZE) {
        return RCV_SNAPSHOT_TORN;
    }

    if (snapshot_get(p + 8, 4) != RCV_SNAPSHOT_VERSION) {
        return RCV_SNAPSHOT_VERSION_UNKNOWN;
    }

    head->records = (uint32_t) snapshot_get(p + 12, 4);
    head->writer = snapshot_get(p + 24, 8);
    head->written_ms = snapshot_get(p + 32, 8);

    return RCV_SNAPSHOT_OK;
}


rcv_snapshot_result_t
rcv_snapshot_open(rcv_snapshot_reader_t *reader, const void *data, size_t len)
{
    size_t                  n;
    uint32_t                i;
    const uint8_t          *p;
    rcv_snapshot_t          snapshot;
    rcv_snapshot_result_t   result;

    p = data;
    *reader = (rcv_snapshot_reader_t) { 0 };

    result = rcv_snapshot_head(&reader->head, data, len);

    if (result != RCV_SNAPSHOT_OK) {
        return result;
    }

    if (len < RCV_SNAPSHOT_SIZE(0) || snapshot_get(p + 16, 8) != len) {
        return RCV_SNAPSHOT_TORN;
    }

    len -= SNAPSHOT_CRC_SIZE;

    if (snapshot_get(p + len, SNAPSHOT_CRC_SIZE) != snapshot_crc(p, len)) {
        return RCV_SNAPSHOT_DAMAGED;
    }

    if (reader->head.records > RCV_SNAPSHOT_RECORDS_MAX) {
        return RCV_SNAPSHOT_VALUES;
    }

    reader->data = p;
    reader->len = len;
    reader->at = RCV_SNAPSHOT_HEAD_SIZE;

    for (i = 0; i < reader->head.records; i++) {
        n = snapshot_record(p + reader->at, len - reader->at, &snapshot);

        if (n == 0) {
            return RCV_SNAPSHOT_VALUES;
        }

        reader->at += n;
    }

    if (reader->at != len) {
        return RCV_SNAPSHOT_VALUES;
    }

    reader->at = RCV_SNAPSHOT_HEAD_SIZE;

    return RCV_SNAPSHOT_OK;
}


int
rcv_snapshot_find(rcv_snapshot_reader_t *reader, rcv_str_t name,
    rcv_snapshot_t *snapshot)
{
    uint32_t  i;

    for (i = 0; i < reader->head.records; i++) {

        if (reader->at == reader->len) {
            reader->at = RCV_SNAPSHOT_HEAD_SIZE;
        }

        reader->at += snapshot_record(reader->data + reader->at,
                                      reader->len - reader->at, snapshot);

        if (rcv_str_eq(name, snapshot->name)) {
            return 1;
        }
    }

    return 0;
}
