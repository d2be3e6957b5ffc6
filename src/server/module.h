/* Which of our two module records httpd has loaded, and the log macros that
 * depend on it. The one file loads as wsgigw_module and, for configurations
 * that say so, as wsgi_module. */
#ifndef WGW_SERVER_MODULE_H
#define WGW_SERVER_MODULE_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/log.h"

#undef APLOG_MODULE_INDEX
#define APLOG_MODULE_INDEX (wgw_module_current()->module_index)

/* The record that is loaded. Context: after register_hooks. */
module *wgw_module_current(void);

/* Note which record is loaded, from its register_hooks; forgotten with the pool. */
void wgw_module_set_current(module *m, apr_pool_t *p);

/* Tell whether both records are loaded, which one server cannot serve. */
bool wgw_module_is_doubled(void);

/* How much of a text of `len` bytes fits into one line of httpd's log, which is cut at 8 KiB
 * when each byte may have to be escaped by four. */
static inline size_t wgw_log_piece(size_t len)
{
    return len < 1900 ? len : 1900;
}

#endif
