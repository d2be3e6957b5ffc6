#include "server/module.h"

static module *current;

module *wgw_module_current(void)
{
    return current;
}

void wgw_module_set_current(module *m)
{
    current = m;
}
