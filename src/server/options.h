/* What the option table does: parse, check, merge, and the defaults. */
#ifndef WGW_SERVER_OPTIONS_H
#define WGW_SERVER_OPTIONS_H

#include <httpd.h>
#include <http_config.h>

typedef enum wgw_place_t { WGW_IN_DIR, WGW_IN_SERVER } wgw_place_t;

typedef struct wgw_option_t wgw_option_t;

/* Read `text` into `field`. Returns: NULL; or what is wrong and what is allowed. */
typedef const char *wgw_option_parse_fn(cmd_parms *cmd, const wgw_option_t *option,
                                        const char *text, void *field);

typedef enum wgw_store_t { WGW_STORE_INT, WGW_STORE_TEXT, WGW_STORE_ARRAY, WGW_STORE_SET } wgw_store_t;

typedef struct wgw_option_kind_t {
    wgw_option_parse_fn *parse;
    wgw_store_t store; /* the field: int (-1 unset), const char *, apr_array_header_t *; an ARRAY adds
                          to that of the outer level, a SET takes its place */
    int is_list;       /* several words, each of them read */
} wgw_option_kind_t;

struct wgw_option_t {
    const char *name;
    wgw_place_t place;
    size_t offset;                 /* of the field */
    const wgw_option_kind_t *kind;
    int is_global;                 /* not allowed in a virtual host */
    int least, most;               /* of a number */
    const char *preset;            /* the default, as a user would write it; "" none */
    const char *help;
};

extern const wgw_option_kind_t wgw_option_FLAG, wgw_option_NUMBER, wgw_option_CALLABLE,
    wgw_option_GROUP, wgw_option_MAP_HEAD, wgw_option_HOME, wgw_option_FOLDERS,
    wgw_option_FILE, wgw_option_SEED, wgw_option_LIST, wgw_option_PROCESS, wgw_option_PROCESSES,
    wgw_option_PREFIX, wgw_option_MUTEX, wgw_option_NETWORKS, wgw_option_PROXY_FIELDS,
    wgw_option_FOLDER, wgw_option_SECONDS, wgw_option_TELEMETRY, wgw_option_TELEMETRY_FLAGS,
    wgw_option_INTERVAL, wgw_option_SCRIPT;

/* Read the arguments of a directive of the table into a field that is not in its usual place.
 * Returns: NULL; or what is wrong and what is allowed. */
const char *wgw_option_read(cmd_parms *cmd, const char *directive, const char *args, void *field);

/* Set every field of `conf` to "not set". */
void wgw_options_unset(wgw_place_t place, void *conf);

/* Take from `base` what `conf` does not set. */
void wgw_options_merge(wgw_place_t place, apr_pool_t *p, void *conf, const void *base);

/* Give every field of the whole configuration that is still not set its default; what
 * directories say is merged on top of that for each request.
 * Context: post_config, after virtual hosts were merged. */
void wgw_options_fill(apr_pool_t *p, server_rec *main_server);

/* Say of each directive that is understood, but has no effect, that it has none: once, where it asks
 * for something. Context: post_config, after wgw_options_fill(). */
void wgw_options_log_idle(const server_rec *main_server);

/* The directives, for the module record. */
extern const command_rec wgw_commands[];

#endif
