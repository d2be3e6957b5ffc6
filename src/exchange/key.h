/* The environ keys that almost every request has, by number.
 * A known key needs no string of its own per request: the bridge holds one
 * interned object for it, and the wire sends the number. The order is part of
 * the wire format: append, never reorder.
 *
 * X(symbol, name, flags): MEMO: the value is worth remembering, because the next
 * request probably brings the same one (never a secret); TWIN: the key also
 * exists with "wsgigw." for its "mod_wsgi."; PATH: the value is a file's name,
 * in the encoding of the file system. */
#ifndef WGW_EXCHANGE_KEY_H
#define WGW_EXCHANGE_KEY_H

#include <stddef.h>
#include <stdint.h>

enum { WGW_KEY_MEMO = 1, WGW_KEY_TWIN = 2, WGW_KEY_PATH = 4 };

#define WGW_KEYS(X) \
    X(REQUEST_METHOD, "REQUEST_METHOD", WGW_KEY_MEMO) \
    X(SCRIPT_NAME, "SCRIPT_NAME", WGW_KEY_MEMO) \
    X(PATH_INFO, "PATH_INFO", 0) \
    X(QUERY_STRING, "QUERY_STRING", 0) \
    X(CONTENT_TYPE, "CONTENT_TYPE", WGW_KEY_MEMO) \
    X(CONTENT_LENGTH, "CONTENT_LENGTH", WGW_KEY_MEMO) \
    X(SERVER_NAME, "SERVER_NAME", WGW_KEY_MEMO) \
    X(SERVER_PORT, "SERVER_PORT", WGW_KEY_MEMO) \
    X(SERVER_PROTOCOL, "SERVER_PROTOCOL", WGW_KEY_MEMO) \
    X(SERVER_SOFTWARE, "SERVER_SOFTWARE", WGW_KEY_MEMO) \
    X(SERVER_ADDR, "SERVER_ADDR", WGW_KEY_MEMO) \
    X(SERVER_ADMIN, "SERVER_ADMIN", WGW_KEY_MEMO) \
    X(REMOTE_ADDR, "REMOTE_ADDR", WGW_KEY_MEMO) \
    X(REMOTE_PORT, "REMOTE_PORT", WGW_KEY_MEMO) \
    X(REMOTE_USER, "REMOTE_USER", 0) \
    X(AUTH_TYPE, "AUTH_TYPE", WGW_KEY_MEMO) \
    X(REQUEST_URI, "REQUEST_URI", 0) \
    X(REQUEST_SCHEME, "REQUEST_SCHEME", WGW_KEY_MEMO) \
    X(DOCUMENT_ROOT, "DOCUMENT_ROOT", WGW_KEY_MEMO | WGW_KEY_PATH) \
    X(SCRIPT_FILENAME, "SCRIPT_FILENAME", WGW_KEY_MEMO | WGW_KEY_PATH) \
    X(CONTEXT_PREFIX, "CONTEXT_PREFIX", WGW_KEY_MEMO) \
    X(CONTEXT_DOCUMENT_ROOT, "CONTEXT_DOCUMENT_ROOT", WGW_KEY_MEMO) \
    X(REDIRECT_URL, "REDIRECT_URL", 0) \
    X(REDIRECT_QUERY_STRING, "REDIRECT_QUERY_STRING", 0) \
    X(REDIRECT_STATUS, "REDIRECT_STATUS", WGW_KEY_MEMO) \
    X(UNIQUE_ID, "UNIQUE_ID", 0) \
    X(HTTP_HOST, "HTTP_HOST", WGW_KEY_MEMO) \
    X(HTTP_USER_AGENT, "HTTP_USER_AGENT", WGW_KEY_MEMO) \
    X(HTTP_ACCEPT, "HTTP_ACCEPT", WGW_KEY_MEMO) \
    X(HTTP_ACCEPT_ENCODING, "HTTP_ACCEPT_ENCODING", WGW_KEY_MEMO) \
    X(HTTP_ACCEPT_LANGUAGE, "HTTP_ACCEPT_LANGUAGE", WGW_KEY_MEMO) \
    X(HTTP_AUTHORIZATION, "HTTP_AUTHORIZATION", 0) \
    X(HTTP_CACHE_CONTROL, "HTTP_CACHE_CONTROL", WGW_KEY_MEMO) \
    X(HTTP_CONNECTION, "HTTP_CONNECTION", WGW_KEY_MEMO) \
    X(HTTP_COOKIE, "HTTP_COOKIE", 0) \
    X(HTTP_EXPECT, "HTTP_EXPECT", WGW_KEY_MEMO) \
    X(HTTP_IF_MODIFIED_SINCE, "HTTP_IF_MODIFIED_SINCE", 0) \
    X(HTTP_IF_NONE_MATCH, "HTTP_IF_NONE_MATCH", 0) \
    X(HTTP_ORIGIN, "HTTP_ORIGIN", WGW_KEY_MEMO) \
    X(HTTP_PRAGMA, "HTTP_PRAGMA", WGW_KEY_MEMO) \
    X(HTTP_RANGE, "HTTP_RANGE", 0) \
    X(HTTP_REFERER, "HTTP_REFERER", 0) \
    X(HTTP_TRANSFER_ENCODING, "HTTP_TRANSFER_ENCODING", WGW_KEY_MEMO) \
    X(HTTP_UPGRADE_INSECURE_REQUESTS, "HTTP_UPGRADE_INSECURE_REQUESTS", WGW_KEY_MEMO) \
    X(HTTP_X_FORWARDED_FOR, "HTTP_X_FORWARDED_FOR", 0) \
    X(HTTP_X_FORWARDED_HOST, "HTTP_X_FORWARDED_HOST", WGW_KEY_MEMO) \
    X(HTTP_X_FORWARDED_PROTO, "HTTP_X_FORWARDED_PROTO", WGW_KEY_MEMO) \
    X(HTTP_X_REQUESTED_WITH, "HTTP_X_REQUESTED_WITH", WGW_KEY_MEMO) \
    X(HTTP_SEC_FETCH_DEST, "HTTP_SEC_FETCH_DEST", WGW_KEY_MEMO) \
    X(HTTP_SEC_FETCH_MODE, "HTTP_SEC_FETCH_MODE", WGW_KEY_MEMO) \
    X(HTTP_SEC_FETCH_SITE, "HTTP_SEC_FETCH_SITE", WGW_KEY_MEMO) \
    X(HTTP_SEC_FETCH_USER, "HTTP_SEC_FETCH_USER", WGW_KEY_MEMO) \
    X(URL_SCHEME, "wsgi.url_scheme", WGW_KEY_MEMO) \
    X(PROCESS_GROUP, "mod_wsgi.process_group", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(APPLICATION_GROUP, "mod_wsgi.application_group", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(CALLABLE_OBJECT, "mod_wsgi.callable_object", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(REQUEST_HANDLER, "mod_wsgi.request_handler", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(HANDLER_SCRIPT, "mod_wsgi.handler_script", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(MW_SCRIPT_NAME, "mod_wsgi.script_name", WGW_KEY_TWIN) \
    X(MW_PATH_INFO, "mod_wsgi.path_info", WGW_KEY_TWIN) \
    X(LISTENER_HOST, "mod_wsgi.listener_host", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(LISTENER_PORT, "mod_wsgi.listener_port", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(REQUEST_ID, "mod_wsgi.request_id", WGW_KEY_TWIN) \
    X(CONNECTION_ID, "mod_wsgi.connection_id", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(SERVER_PID, "mod_wsgi.server_pid", WGW_KEY_MEMO | WGW_KEY_TWIN) \
    X(MOUNT_POINT, "mod_wsgi.mount_point", WGW_KEY_MEMO | WGW_KEY_TWIN)

typedef enum wgw_key_t {
    WGW_KEY_NONE, /* not a known key: its name travels with it */
#define WGW_KEY_ENUM(symbol, name, flags) WGW_KEY_##symbol,
    WGW_KEYS(WGW_KEY_ENUM)
#undef WGW_KEY_ENUM
    WGW_KEY_COUNT
} wgw_key_t;

typedef struct wgw_key_info_t {
    const char *name; /* NUL-terminated, ASCII; NULL for WGW_KEY_NONE */
    size_t len;
    int flags; /* WGW_KEY_MEMO, WGW_KEY_TWIN */
} wgw_key_info_t;

/* Describe a known key. `key` is below WGW_KEY_COUNT. */
const wgw_key_info_t *wgw_key_info(wgw_key_t key);

/* Find the number of `name`. Returns: WGW_KEY_NONE when it is not a known key. */
wgw_key_t wgw_key_find(const char *name, size_t len);

#endif
