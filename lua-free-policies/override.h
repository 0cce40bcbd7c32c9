
/*
 * What an operator has ordered at this nginx, beside what the source says.
 * A part of the state: it is copied whole, and survives what the state does.
 *
 * Every order has an end, by now's clock in tenths of a second: 13 years of
 * them fit.  Whoever stores a state for longer than the machine runs must
 * store what is left of them (rcv_override_left_ms) and not when they end.
 */

#ifndef RCV_OVERRIDE_H_INCLUDED_
#define RCV_OVERRIDE_H_INCLUDED_


#include "rcv.h"


/* Rules of safety that an order may set aside, by name. */

typedef enum {
    RCV_SAFETY_NONE = 0,
    RCV_SAFETY_FAILING,     /* force open while the backend is failing */
    RCV_SAFETIES
} rcv_safety_t;

extern const char *const  rcv_safety_names[RCV_SAFETIES];


typedef struct {
    uint32_t             force_until_ds;
    uint32_t             health_until_ds;
    uint32_t             class_until_ds;
    uint32_t             force_ppm;     /* RCV_FORCE_LEVEL */
    uint16_t             health_milli;
    uint8_t              force;         /* rcv_force_t */
    uint8_t              health;        /* rcv_health_t */
    uint8_t              classes;       /* so many are let in; 0: no order */
    uint8_t              flags;
    uint8_t              force_text;    /* where the caller has the texts */
    uint8_t              health_text;
} rcv_override_t;

/* A "hold" of the source does not count, until force_until_ds. */
#define RCV_OVERRIDE_RESUME      0x01
/* For the next tick to act on, once. */
#define RCV_OVERRIDE_RECOVERING  0x02
#define RCV_OVERRIDE_STEP_BACK   0x04
#define RCV_OVERRIDE_NEW_FORCE   0x08
#define RCV_OVERRIDE_NEW_HEALTH  0x10
#define RCV_OVERRIDE_NEW_CLASS   0x20


/* Drops what has run out. */
void rcv_override_expire(rcv_override_t *override, uint64_t now_ms);

/* Of one of the ends above. */
uint64_t rcv_override_left_ms(uint32_t until_ds, uint64_t now_ms);
uint32_t rcv_override_until_ds(uint64_t now_ms, uint64_t left_ms);


/* Is anything ordered? */

static inline int
rcv_override_any(const rcv_override_t *override)
{
    return override->force != RCV_FORCE_NONE
           || override->health != RCV_HEALTH_NONE
           || override->classes != 0
           || (override->flags & RCV_OVERRIDE_RESUME);
}


#endif /* RCV_OVERRIDE_H_INCLUDED_ */
