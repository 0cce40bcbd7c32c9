
/*
 * An order: what a verb wants, for whichever way it goes.
 */

#ifndef CTL_ORDER_H_INCLUDED_
#define CTL_ORDER_H_INCLUDED_


#include "target.h"


#define CTL_FIELDS_MAX  12
#define CTL_VALUE_MAX   64


/* Of the hash.  value NULL: it goes away. */

typedef struct {
    const char    *name;
    const char    *value;
} ctl_field_t;


typedef struct {
    const char    *action;              /* of recovery_control */
    char           value[CTL_VALUE_MAX];        /* "": none */
    uint64_t       for_ms;              /* 0: no end */
    ctl_field_t    fields[CTL_FIELDS_MAX];
    unsigned       nfields;
} ctl_order_t;


void ctl_order_field(ctl_order_t *order, const char *name,
    const char *value);

/* "force closed", for people; returns buf. */
const char *ctl_order_text(const ctl_order_t *order, char *buf, size_t size);

/* Prints what was ordered, until when, by whom and why. */
void ctl_order_told(const ctl_options_t *options, const char *name,
    const ctl_order_t *order);

/* What nodes were ordered themselves, as they reported before. */
void ctl_confirm_local(const ctl_target_t *target);

/* All return an exit code. */

/* Into the hash of the backend (write.c), until nodes have read it. */
int ctl_write(ctl_t *ctl, const ctl_target_t *target,
    const ctl_order_t *order);

/* Waits for the nodes to report this epoch (confirm.c). */
int ctl_confirm(ctl_t *ctl, const ctl_target_t *target, uint64_t epoch);

/* To recovery_control of each --url (send.c). */
int ctl_send(ctl_t *ctl, const char *name, const ctl_order_t *order);


#endif /* CTL_ORDER_H_INCLUDED_ */
