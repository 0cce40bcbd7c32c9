
#include "ctl.h"


int
ctl_status(ctl_t *ctl)
{
    ctl_error("\"%s\" is not built in", ctl->verb->name);

    return CTL_USAGE;
}
