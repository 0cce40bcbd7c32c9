
/*
 * What survives a restart: states of backends -> bytes of a file, and back.
 * Whoever keeps the bytes is not trusted.
 *
 *     "rcvstate"  version 4  records 4  length 8  writer 8  written 8
 *     record ...                                              CRC-32C 4
 *
 *   record   three texts, each a byte of length and so many bytes: name, by,
 *            reason; then the fields of the table in snapshot.c, in order
 *
 * Numbers are little-endian, of fixed width, and unsigned.  "written" is unix
 * time in ms, the only clock that outlives a process; it is compared with
 * nothing but itself.  A file is good as a whole or not used at all: length,
 * checksum and the range of every field are looked at before the first one
 * counts.  Another version is another table, and refused.
 */

#ifndef RCV_SNAPSHOT_H_INCLUDED_
#define RCV_SNAPSHOT_H_INCLUDED_


#include "state.h"


#define RCV_SNAPSHOT_VERSION      3
#define RCV_SNAPSHOT_HEAD_SIZE    40
#define RCV_SNAPSHOT_RECORDS_MAX  65536

/* Of one record; the fields of the table have at most 192 bytes. */
#define RCV_SNAPSHOT_RECORD_SIZE                                              \
    (3 + RCV_NAME_MAX + 2 * RCV_TEXT_MAX + 192)

/* Of a file with so many records, at most. */
#define RCV_SNAPSHOT_SIZE(n)                                                  \
    (RCV_SNAPSHOT_HEAD_SIZE + (size_t) (n) * RCV_SNAPSHOT_RECORD_SIZE + 4)


/*
 * One backend.  To persist more, add a member, a row to the table in
 * snapshot.c, what takes and restores it in restore.c, and count the version
 * up.
 */

typedef struct {
    char                 name[RCV_NAME_MAX + 1];
    char                 by[RCV_TEXT_MAX + 1];
    char                 reason[RCV_TEXT_MAX + 1];

    uint64_t             phase;         /* rcv_phase_t */
    uint64_t             health;        /* rcv_health_t that counted */
    uint64_t             lost;
    uint64_t             dead;
    uint64_t             verified_ms;
    uint64_t             level_ppm;

    /* what the source said last */
    uint64_t             said;          /* rcv_health_t */
    uint64_t             said_ppm;
    uint64_t             ceiling_kind;  /* rcv_ceiling_t */
    uint64_t             ceiling;
    uint64_t             has_epoch;
    uint64_t             epoch;

    /* an operator's order: the one given, and the one in force */
    uint64_t             force;         /* rcv_force_t */
    uint64_t             force_ppm;
    uint64_t             force_ends;    /* 0: it has no end */
    uint64_t             force_left_ms;
    uint64_t             force_safety;  /* rcv_safety_t */
    uint64_t             force_refused;
    uint64_t             in_force;
    uint64_t             in_force_ppm;
    uint64_t             in_force_ms;

    /* what an operator has ordered at this nginx */
    uint64_t             order_force;   /* rcv_force_t */
    uint64_t             order_force_ppm;
    uint64_t             order_resume;
    uint64_t             order_force_left_ms;
    uint64_t             order_health;  /* rcv_health_t */
    uint64_t             order_health_milli;
    uint64_t             order_health_left_ms;
    uint64_t             order_classes;
    uint64_t             order_class_left_ms;

    /* references */
    uint64_t             mean_micro;
    uint64_t             learned_milli;
    uint64_t             learned_ms;
    uint64_t             learned_requests;
    uint64_t             healthy_milli;

    /* the controller's */
    uint64_t             mode;          /* rcv_mode_t */
    uint64_t             limit_milli;
    uint64_t             base_us;
    uint64_t             background_ppm;
    uint64_t             failed_milli;

    /* whose lot it is to be let in */
    uint64_t             cohort_salt;
    uint64_t             cohort_cut;
    uint64_t             cohort_marginal;
} rcv_snapshot_t;


typedef struct {
    uint64_t             writer;        /* who; told apart, not looked up */
    uint64_t             written_ms;    /* unix time */
    uint32_t             records;
} rcv_snapshot_head_t;


typedef enum {
    RCV_SNAPSHOT_OK = 0,
    RCV_SNAPSHOT_EMPTY,
    RCV_SNAPSHOT_FOREIGN,               /* something else altogether */
    RCV_SNAPSHOT_VERSION_UNKNOWN,
    RCV_SNAPSHOT_TORN,                  /* not as long as it says */
    RCV_SNAPSHOT_DAMAGED,               /* not what was written */
    RCV_SNAPSHOT_VALUES,                /* ... or written by somebody else */
    RCV_SNAPSHOT_RESULTS
} rcv_snapshot_result_t;

extern const char *const  rcv_snapshot_texts[RCV_SNAPSHOT_RESULTS];


/*
 * Writing: begin, add each backend, end gives the number of bytes; 0: the
 * buffer was too small, which one of RCV_SNAPSHOT_SIZE() never is.
 */

typedef struct {
    uint8_t             *data;
    size_t               size;
    size_t               len;
    uint32_t             records;
    unsigned             full;          /* it did not fit */
} rcv_snapshot_writer_t;

void rcv_snapshot_begin(rcv_snapshot_writer_t *writer, void *data,
    size_t size);
void rcv_snapshot_add(rcv_snapshot_writer_t *writer,
    const rcv_snapshot_t *snapshot);
size_t rcv_snapshot_end(rcv_snapshot_writer_t *writer,
    const rcv_snapshot_head_t *head);


/*
 * Reading.  open() judges all of it and reads the head; the bytes must stay
 * where they are.  find() gives the record of a name, or returns 0; who asks
 * in the order of the file finds each at once.
 */

typedef struct {
    const uint8_t       *data;
    size_t               len;
    size_t               at;            /* of the next record */
    rcv_snapshot_head_t  head;
} rcv_snapshot_reader_t;

rcv_snapshot_result_t rcv_snapshot_open(rcv_snapshot_reader_t *reader,
    const void *data, size_t len);
int rcv_snapshot_find(rcv_snapshot_reader_t *reader, rcv_str_t name,
    rcv_snapshot_t *snapshot);

/* The head alone, of the first bytes of a file, unproved. */
rcv_snapshot_result_t rcv_snapshot_head(rcv_snapshot_head_t *head,
    const void *data, size_t len);


#endif /* RCV_SNAPSHOT_H_INCLUDED_ */
