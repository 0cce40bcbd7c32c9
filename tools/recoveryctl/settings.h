
/*
 * The table of options.
 */

#ifndef CTL_SETTINGS_H_INCLUDED_
#define CTL_SETTINGS_H_INCLUDED_


#include "options.h"


/* Sets a value; returns NULL, or what is allowed.  "": it has said so. */

typedef const char *(*ctl_option_set_pt)(ctl_options_t *o, const char *value);


typedef struct {
    const char         *name;           /* NULL: the end of the table */
    const char         *value;          /* NULL: takes none */
    unsigned            takes;          /* 0: every verb */
    unsigned            in_environment;
    ctl_option_set_pt   set;
    const char         *what;
} ctl_option_t;


extern const ctl_option_t  ctl_options_table[];


#endif /* CTL_SETTINGS_H_INCLUDED_ */
