/* How the options of WSGIDaemonProcess are read. */
#ifndef WGW_SERVER_POOL_OPTIONS_H
#define WGW_SERVER_POOL_OPTIONS_H

#include <httpd.h>
#include <http_config.h>

#include "server/pool.h"

typedef struct wgw_pool_option_t wgw_pool_option_t;

/* Read `text` into `field` of `pool`. Returns: NULL; or what is wrong and what is allowed. */
typedef const char *wgw_pool_parse_fn(cmd_parms *cmd, const wgw_pool_option_t *option,
                                      wgw_pool_t *pool, const char *text, void *field);

typedef struct wgw_pool_kind_t {
    wgw_pool_parse_fn *parse;
    bool is_repeatable;
} wgw_pool_kind_t;

struct wgw_pool_option_t {
    const char *name;
    const wgw_pool_kind_t *kind;
    size_t offset;                    /* of the field */
    const char *least, *most, *preset; /* as in the table */
};

/* The type of the field, by kind. */
#define WGW_POOL_TYPE_NUMBER int
#define WGW_POOL_TYPE_PROCESSES int
#define WGW_POOL_TYPE_REQUESTS int
#define WGW_POOL_TYPE_MODE int
#define WGW_POOL_TYPE_TIME int64_t /* microseconds */
#define WGW_POOL_TYPE_INTERVAL int64_t /* microseconds */
#define WGW_POOL_TYPE_SIZE int64_t /* bytes */
#define WGW_POOL_TYPE_FLAG bool
#define WGW_POOL_TYPE_NOT_FLAG bool
#define WGW_POOL_TYPE_GRACEFUL bool
#define WGW_POOL_TYPE_USER uid_t
#define WGW_POOL_TYPE_OWNER uid_t
#define WGW_POOL_TYPE_GROUP gid_t
#define WGW_POOL_TYPE_OWNER_GROUP gid_t
#define WGW_POOL_TYPE_GROUPS const apr_array_header_t *
#define WGW_POOL_TYPE_NAMES const apr_array_header_t *
#define WGW_POOL_TYPE_ENV const apr_array_header_t *
#define WGW_POOL_TYPE_TEXT const char *
#define WGW_POOL_TYPE_DISPLAY const char *
#define WGW_POOL_TYPE_FILE const char *
#define WGW_POOL_TYPE_FOLDER const char *
#define WGW_POOL_TYPE_FOLDERS const char *
#define WGW_POOL_TYPE_PATH const char *

/* USER and GROUP refuse root where root has started httpd, the OWNERs do not. Of paths only
 * the form is looked at: whether there is one inside chroot= is known at the end of the line. */
extern const wgw_pool_kind_t wgw_pool_NUMBER, wgw_pool_PROCESSES, wgw_pool_REQUESTS,
    wgw_pool_GRACEFUL, wgw_pool_MODE, wgw_pool_TIME, wgw_pool_INTERVAL, wgw_pool_SIZE,
    wgw_pool_FLAG, wgw_pool_NOT_FLAG, wgw_pool_USER, wgw_pool_OWNER, wgw_pool_GROUP,
    wgw_pool_OWNER_GROUP, wgw_pool_GROUPS, wgw_pool_NAMES, wgw_pool_ENV, wgw_pool_TEXT,
    wgw_pool_DISPLAY, wgw_pool_FILE, wgw_pool_FOLDER, wgw_pool_FOLDERS, wgw_pool_PATH;

/* Tell whether httpd can change the user of the processes. */
bool wgw_is_root(void);

#endif
