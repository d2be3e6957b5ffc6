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

/* Write a line, in pieces if it is long, to the log of a request's virtual host. */
static inline void wgw_log_text(request_rec *r, wgw_level_t level, const char *text, size_t len)
{
    size_t piece;

    do {
        piece = wgw_log_piece(len);
        ap_log_rerror(APLOG_MARK, (int)level, 0, r, "%.*s", (int)piece, text);
        text += piece;
        len -= piece;
    } while (len);
}

#endif
