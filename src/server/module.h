/* Which of our two module records httpd has loaded, and the log macros that
 * depend on it. The one file loads as wsgigw_module and, for configurations
 * that say so, as wsgi_module. */
#ifndef WGW_SERVER_MODULE_H
#define WGW_SERVER_MODULE_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/log.h"

#undef APLOG_MODULE_INDEX
#define APLOG_MODULE_INDEX (wgw_module_current()->module_index)

/* The record that is loaded. Context: after register_hooks. */
module *wgw_module_current(void);

/* Note which record is loaded, from its register_hooks. */
void wgw_module_set_current(module *m);

#endif
