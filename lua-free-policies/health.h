
/*
 * What a source says of a backend: fields of a Redis hash -> a checked
 * signal; a signal and its age -> the health that counts.
 */

#ifndef RCV_HEALTH_H_INCLUDED_
#define RCV_HEALTH_H_INCLUDED_


#include "override.h"
#include "policy.h"


/* Fields of the hash, in the order in which they are asked for. */

typedef enum {
    RCV_FIELD_HEALTH = 0,
    RCV_FIELD_CEILING,
    RCV_FIELD_FORCE,
    RCV_FIELD_FORCE_UNTIL,
    RCV_FIELD_BY,
    RCV_FIELD_REASON,
    RCV_FIELD_EPOCH,
    RCV_FIELD_SAFETY,
    RCV_FIELD_PROMOTE,
    RCV_FIELDS
} rcv_field_t;

extern const char *const  rcv_field_names[RCV_FIELDS];


/* data NULL: the field is not there. */

typedef struct {
    rcv_str_t            value[RCV_FIELDS];
} rcv_fields_t;


typedef enum {
    RCV_CEILING_NONE = 0,
    RCV_CEILING_RATE,                   /* ceiling is milli per second */
    RCV_CEILING_LEVEL                   /* ceiling is ppm of the reference */
} rcv_ceiling_t;


typedef struct {
    uint64_t             ceiling;
    uint64_t             force_until_ms;    /* now's clock; 0: no end */
    uint64_t             epoch;
    uint32_t             health_ppm;    /* 0..1000000 */
    uint32_t             force_ppm;     /* RCV_FORCE_LEVEL */
    uint8_t              health;        /* rcv_health_t */
    uint8_t              ceiling_kind;  /* rcv_ceiling_t */
    uint8_t              force;         /* rcv_force_t */
    uint8_t              has_epoch;
    uint8_t              safety;        /* rcv_safety_t */
    uint8_t              fresh;         /* a force that no tick has seen */
    uint8_t              refused;       /* ... and one that a tick refused */
    uint8_t              classes;       /* so many are let in; 0: no word */
} rcv_signal_t;

_Static_assert(sizeof(rcv_signal_t) == 40, "compared as bytes: no padding");


/* A word of the field "health" or "force"; -1: neither. */
int rcv_health_read(rcv_str_t word, rcv_health_t *health, uint32_t *ppm);
int rcv_force_read(rcv_str_t word, rcv_force_t *force, uint32_t *ppm);


/*
 * Fields -> signal.
 *
 * "signal" holds the last good one and is changed field by field: a field
 * that is malformed keeps its last good value and sets its bit
 * (1u << RCV_FIELD_...) in the result; 0 means that all were good.
 *
 * A field that is not there: health keeps its last value ("no opinion" is
 * not "up"), ceiling, force and promote end.  A lower epoch than the last
 * seen refuses the whole hash (bit RCV_FIELD_EPOCH).  force open and closed
 * need a force_until in the future, else they are refused (bit FORCE_UNTIL):
 * an override without an end outlives its reason.  One that has run out since
 * it was accepted stays in the signal and is not reported; ask
 * rcv_signal_force() for the one in force.
 *
 * The policy has the classes that promote may name.
 *
 * unix_s is the source's own clock (Redis TIME), so that nobody's wall clock
 * has to agree with anybody's; now_ms is ours, monotonic.
 */
unsigned rcv_signal_update(rcv_signal_t *signal, const rcv_fields_t *fields,
    const rcv_policy_t *policy, uint64_t unix_s, uint64_t now_ms);


/* The force that is in force now: one that has run out is none. */
rcv_force_t rcv_signal_force(const rcv_signal_t *signal, uint64_t now_ms);


/* How fresh the source is. */

typedef struct {
    unsigned             configured;    /* is there a source at all? */
    unsigned             heard;         /* has it ever answered? */
    uint64_t             age_ms;        /* of the last good answer */
} rcv_source_t;


typedef struct {
    rcv_health_t         health;
    uint32_t             health_ppm;
    unsigned             lost;          /* signal lost, policy in force */
    unsigned             stale;         /* no fresh answer: nothing rises */
} rcv_effective_t;


/*
 * The health that counts.  Without a fresh answer for lost_hold_ms (and at
 * least RCV_STALE_MS: polls are that far apart) it is what "when signal_lost"
 * says: the last one, down, or up.  stale is set from RCV_STALE_MS on, except
 * when the policy has decided in the signal's place.  A source that was
 * configured but never heard is not lost: the backend's "initial" holds.
 */
#define RCV_STALE_MS  3000

rcv_effective_t rcv_health_effective(const rcv_signal_t *signal,
    const rcv_source_t *source, const rcv_policy_t *policy);


#endif /* RCV_HEALTH_H_INCLUDED_ */
