
#include "ctl.h"


static int
order_missing(const ctl_t *ctl)
{
    ctl_error("\"%s\" is not built in", ctl->verb->name);

    return CTL_USAGE;
}


int
ctl_health(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_force(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_hold(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_resume(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_step_back(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_promote(ctl_t *ctl)
{
    return order_missing(ctl);
}


int
ctl_clear(ctl_t *ctl)
{
    return order_missing(ctl);
}
