/*
 * The least an httpd handler can do: the floor that bench/run.py measures
 * against. Built by the benchmark, never installed. Must stay this small.
 */

#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"

static const char body[] = "Hello, world!";

static int bare_handler(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "bare") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, sizeof(body) - 1);
    ap_rwrite(body, sizeof(body) - 1, r);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(bare_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(bare) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0
};
