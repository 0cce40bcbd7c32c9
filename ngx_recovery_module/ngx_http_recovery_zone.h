
/*
 * The shared memory zone: everything that workers have in common.
 *
 * Layout, made once, with offsets and never a pointer:
 *
 *     header | record 0 .. n-1 | text 0 .. k-1 | slot 0 .. m-1
 *
 *   header  identity (magic, layout, sizes), the lease of the leader, the
 *           state of the Redis link, counters that belong to no backend
 *   record  one backend, found by its name; see below who writes what
 *   text    who said something of a backend and why, in a pool (_texts.h)
 *   slot    one worker process and the permits that it holds (inflight.h)
 *
 * Who may write
 *   any worker   gate.tat_ns, gate.in_flight, gate.retries_milli, all
 *                counters (atomic adds), its own slot; the lease by CAS; a
 *                text of an order
 *   who has the record's pen
 *                gate.word and rates, state, events, display fields.  The
 *                leader takes it for each tick, any worker for an order.
 *   the leader   texts and fields of Redis, how many processes there are;
 *                it empties slots of dead ones, and frees texts that nobody
 *                refers to
 *   the master   at configuration time: names of records, nothing else.
 *                It may be a reload that fails afterwards: all it does must
 *                be harmless if nobody ever uses it.
 *
 * What a crash leaves
 *   A killed worker leaves permits and spares, which are found by its slot,
 *   and takes with it credit of the bucket, up to a lot.  A killed leader
 *   leaves a lease that its successor takes at once (its pid is gone), and a
 *   state that is whole: it is written to the copy that is not active and
 *   made active by one CAS.  A pen goes to whoever asks for it
 *   when its holder is gone or has had it for a second; who does not get it
 *   does not wait, but comes again.  A text that was being written, or that
 *   no state refers to, is freed by the leader.  No decision waits for any of
 *   this: there is no lock on the way of a request.
 *
 * Reload keeps the zone when its size is unchanged; a new size starts a new
 * zone into which the state of every backend is copied.  Records of removed
 * backends stay until their room is needed, so that putting a backend back
 * finds its phase and its reference.
 */

#ifndef _NGX_HTTP_RECOVERY_ZONE_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "admit.h"
#include "rcv_atomic.h"
#include "tick.h"


#define RCV_LINE                      64    /* bytes of a cache line */

#define NGX_HTTP_RECOVERY_MAGIC       0x7265636f76657279ull  /* "recovery" */
#define NGX_HTTP_RECOVERY_LAYOUT      13

#define NGX_HTTP_RECOVERY_RECORDS_MAX 65536
#define NGX_HTTP_RECOVERY_SLOTS_MIN   16
#define NGX_HTTP_RECOVERY_SLOTS_MAX   1024
#define NGX_HTTP_RECOVERY_CLASSES     4     /* room for at least so many */
#define NGX_HTTP_RECOVERY_EVENTS      32
#define NGX_HTTP_RECOVERY_TEXTS       64    /* in the zone, at most */


/* Why a request was not decided and let pass. */

typedef enum {
    NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT = 0,
    NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY,
    NGX_HTTP_RECOVERY_UNDECIDED_UNKNOWN_CLASS,
    NGX_HTTP_RECOVERY_UNDECIDED_PATTERN_LIMIT,
    NGX_HTTP_RECOVERY_UNDECIDED
} ngx_http_recovery_undecided_t;

extern const char *const
    ngx_http_recovery_undecided_names[NGX_HTTP_RECOVERY_UNDECIDED];


typedef enum {
    NGX_HTTP_RECOVERY_REDIS_OFF = 0,    /* no recovery_redis */
    NGX_HTTP_RECOVERY_REDIS_CONNECTING,
    NGX_HTTP_RECOVERY_REDIS_CONNECTED,
    NGX_HTTP_RECOVERY_REDIS_DISCONNECTED,
    NGX_HTTP_RECOVERY_REDIS_DENIED,     /* WRONGPASS, NOAUTH, NOPERM */
    NGX_HTTP_RECOVERY_REDIS_STATES
} ngx_http_recovery_redis_state_t;

extern const char *const
    ngx_http_recovery_redis_state_names[NGX_HTTP_RECOVERY_REDIS_STATES];


/* What has come of recovery_state_file: of writing it, and of the start. */

typedef enum {
    NGX_HTTP_RECOVERY_KEPT_OFF = 0,     /* none is configured */
    NGX_HTTP_RECOVERY_KEPT_WAITING,     /* for the first write */
    NGX_HTTP_RECOVERY_KEPT_WRITTEN,
    NGX_HTTP_RECOVERY_KEPT_FAILED,
    NGX_HTTP_RECOVERY_KEPT_SHARED,      /* another nginx writes it */
    NGX_HTTP_RECOVERY_KEPT_STATES
} ngx_http_recovery_kept_state_t;

typedef enum {
    NGX_HTTP_RECOVERY_LOADED_NONE = 0,
    NGX_HTTP_RECOVERY_LOADED_CONTINUED,
    NGX_HTTP_RECOVERY_LOADED_OLD,       /* references alone */
    NGX_HTTP_RECOVERY_LOADED_REFUSED,
    NGX_HTTP_RECOVERY_LOADED
} ngx_http_recovery_loaded_state_t;

extern const char *const
    ngx_http_recovery_kept_names[NGX_HTTP_RECOVERY_KEPT_STATES];
extern const char *const
    ngx_http_recovery_loaded_names[NGX_HTTP_RECOVERY_LOADED];


typedef struct {
    uint64_t                 writer;        /* this zone, among all others */
    uint64_t                 predecessor;   /* it went on from its file; 0 */
    uint64_t                 led_unix_ms;   /* last; 0: never */
    uint64_t                 written_unix_ms;   /* last; 0: never */
    uint64_t                 errors;        /* each when it appears */
    uint32_t                 state;
    uint32_t                 loaded;
    char                     error[160];    /* the last; display only */
} ngx_http_recovery_kept_t;


typedef struct {
    uint64_t                 magic;
    uint32_t                 layout;
    uint32_t                 size;          /* of this header */

    uint32_t                 records;
    uint32_t                 record_stride;
    uint32_t                 classes;       /* counters per record */
    uint32_t                 slots;
    uint32_t                 slot_stride;
    uint32_t                 texts;
    uint32_t                 processes;     /* that have a slot; leader's */
    uint64_t                 records_offset;
    uint64_t                 texts_offset;
    uint64_t                 slots_offset;

    uint64_t                 generation;    /* configurations seen */
    uint64_t                 started_ms;    /* monotonic */

    /* lease: owner changes by CAS, the owner writes the deadline */
    uint64_t                 lease_owner;   /* generation << 32 | pid */
    uint64_t                 lease_deadline_ms;

    uint64_t                 slots_reclaimed;
    uint64_t                 undecided[NGX_HTTP_RECOVERY_UNDECIDED];

    /* the leader's Redis link */
    uint64_t                 redis_last_success_ms;     /* 0: never */
    uint64_t                 redis_last_success_unix_ms;
    uint64_t                 redis_reconnects;
    uint64_t                 redis_bad_values;
    uint64_t                 audit_dropped;
    uint32_t                 redis_state;
    char                     redis_address[108];

    ngx_http_recovery_kept_t kept;
} ngx_http_recovery_zone_t;


/* Who brought about an event. */

typedef enum {
    NGX_HTTP_RECOVERY_BY_SELF = 0,
    NGX_HTTP_RECOVERY_BY_REDIS,
    NGX_HTTP_RECOVERY_BY_LOCAL,
    NGX_HTTP_RECOVERY_BYS
} ngx_http_recovery_by_t;


typedef struct {
    uint64_t                 unix_ms;       /* 0: never used */
    rcv_phase_t              from;
    rcv_phase_t              to;
    rcv_why_t                why;
    ngx_http_recovery_by_t   by;
    rcv_force_t              force;         /* in force behind it */
} ngx_http_recovery_event_t;

/*
 * An event lies in one 64-bit word: 44 bits of time (to the year 2527), 3
 * of each phase, 8 of why, 3 of by, 3 of force.  It is there or not, never
 * half.
 */


/* Counters of one class; only ever added to. */

typedef struct {
    uint64_t                 passed;
    uint64_t                 shed_dry_run;
    uint64_t                 shed[RCV_REASONS];
} ngx_http_recovery_class_t;


typedef struct {
    rcv_gate_t               gate;

    /* counters, written by every worker */
    uint64_t                 results[RCV_RESULTS];      /* all attempts */
    uint64_t                 evidence[RCV_RESULTS];     /* of this phase */
    uint32_t                 overload;      /* of its errors; may wrap */
    uint32_t                 gone;          /* who left, in this phase */
    uint64_t                 work_us;       /* latencies of its ok and gone */
    uint64_t                 extra_milli;   /* cost of what passed, beyond
                                               1 for each; may wrap */
    uint64_t                 latency[RCV_LATENCY_BUCKETS];
    uint64_t                 latency_sum_us;

    uint32_t                 dry[RCV_REASONS];  /* of shed_dry_run; may wrap */

    /* of who has the pen */
    uint64_t                 version;       /* of the active state; its
                                               lowest bit: which copy */
    rcv_state_t              state[2];
    uint64_t                 rate_milli;    /* in force, for display */
    uint64_t                 ceiling_milli;
    uint16_t                 retry[RCV_CLASSES_MAX];
    uint64_t                 pen;           /* pid << 32 | ms; 0: free */
    uint64_t                 events[NGX_HTTP_RECOVERY_EVENTS];
    uint32_t                 nevents;
    uint32_t                 audited;       /* of them; the leader's */
    uint32_t                 classes;       /* hash of their names: what the
                                               counters below are of */

    /* the master's */
    uint32_t                 generation;    /* last that named it; 0: free */
    char                     name[RCV_NAME_MAX + 1];

    /* ngx_http_recovery_class_t for header->classes classes follow */
} ngx_http_recovery_record_t;


/* Padded with zeros. */

typedef struct {
    char                       by[RCV_TEXT_MAX + 1];
    char                       reason[RCV_TEXT_MAX + 1];
} ngx_http_recovery_texts_t;


typedef struct {
    uint64_t                   word;        /* whose; see _texts.c */
    ngx_http_recovery_texts_t  texts;
} ngx_http_recovery_text_t;


static ngx_inline ngx_http_recovery_record_t *
ngx_http_recovery_record(ngx_http_recovery_zone_t *zone, ngx_uint_t i)
{
    return (ngx_http_recovery_record_t *)
               ((u_char *) zone + zone->records_offset
                + i * zone->record_stride);
}


static ngx_inline ngx_http_recovery_class_t *
ngx_http_recovery_record_class(ngx_http_recovery_record_t *record,
    ngx_uint_t i)
{
    return (ngx_http_recovery_class_t *) (record + 1) + i;
}


static ngx_inline rcv_slots_t
ngx_http_recovery_slots(ngx_http_recovery_zone_t *zone)
{
    rcv_slots_t  slots;

    slots.first = (rcv_slot_t *) ((u_char *) zone + zone->slots_offset);
    slots.stride = zone->slot_stride;
    slots.count = zone->slots;

    return slots;
}


/* ngx_shm_zone_t.init: creates, inherits, binds backends to records. */
ngx_int_t ngx_http_recovery_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/* Of the names of a policy's classes, in their order. */
uint32_t ngx_http_recovery_classes_hash(const rcv_policy_t *policy);

/* _record.c */

/*
 * A copy of a backend's state; returns its version.  Any worker; never torn:
 * a read that a publish overtook is repeated.
 */
uint64_t ngx_http_recovery_state_read(ngx_http_recovery_record_t *record,
    rcv_state_t *state);

/* NGX_DECLINED: another process is writing. */
ngx_int_t ngx_http_recovery_pen_take(ngx_http_recovery_record_t *record);
void ngx_http_recovery_pen_give(ngx_http_recovery_record_t *record);

/*
 * With the pen: makes a new state, derived from the given version, the active
 * one.  NGX_DECLINED when another one has written meanwhile: the caller was
 * stopped so long that it has lost the pen.
 */
ngx_int_t ngx_http_recovery_state_write(ngx_http_recovery_record_t *record,
    uint64_t version, const rcv_state_t *state);

/*
 * With the pen, or the master for a record that is new: puts the outcome of a
 * tick into force.
 */
void ngx_http_recovery_allowance_publish(ngx_http_recovery_record_t *record,
    const rcv_tick_t *tick, uint64_t now_ms);

/* With the pen: appends to the ring of the last events. */
void ngx_http_recovery_event_add(ngx_http_recovery_record_t *record,
    const rcv_change_t *change, ngx_http_recovery_by_t by, rcv_force_t force);

/* The n-th event since the record began, if it is still in the ring. */
ngx_http_recovery_event_t ngx_http_recovery_event_at(
    ngx_http_recovery_record_t *record, uint32_t n);


#endif /* _NGX_HTTP_RECOVERY_ZONE_H_INCLUDED_ */
