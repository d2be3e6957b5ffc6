/* <WSGIInterpreterOptions>: what is said of the interpreters of a process group, of an application
 * group, or of both; and how it comes together with what the server says of all. */
#ifndef WGW_SERVER_INTERP_OPTIONS_H
#define WGW_SERVER_INTERP_OPTIONS_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

#include "server/pool.h"
#include "wsgigw/bridge.h"

/* One container. */
typedef struct wgw_interp_options_t {
    const char *process_group;     /* name, or %{GLOBAL}; NULL any */
    const char *application_group; /* name; "" the main interpreter; NULL any */
    int own_gil;                   /* flag, -1 not said; so are the others */
    int free_threading;            /* flag */
    int switch_interval_us;
    const char *python_path;       /* folders, ':' between, or NULL */
} wgw_interp_options_t;

/* The directive <WSGIInterpreterOptions>. */
const char *wgw_interp_options_set(cmd_parms *cmd, void *dir_conf, const char *args);

/* What holds in the processes of `pool` (NULL: in httpd's children), as the bridge takes it.
 * Returns: array of wgw_layer_t. */
apr_array_header_t *wgw_interp_layers(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool);

/* Tell whether a free-threaded Python is to run without a GIL there. */
bool wgw_interp_is_free_threaded(server_rec *main_server, const wgw_pool_t *pool);

/* Say once what has no effect. Context: post_config. */
void wgw_interp_options_log(server_rec *main_server);

#endif
