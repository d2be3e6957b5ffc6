/* The seam: one request and its response, whoever the peer is.
 *
 * The bridge (Python) sees a request and its connection only through this. It
 * is implemented by httpd's brigades in embedded mode and by the wire in
 * daemon mode; the bridge cannot tell which it is talking to. */
#ifndef WSGIGW_EXCHANGE_H
#define WSGIGW_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/log.h"
#include "exchange/key.h"

/* --- the request, immutable ----------------------------------------------------------- */

/* One environ entry whose value is a str: bytes that become latin-1 code points. */
typedef struct wgw_var_t {
    wgw_key_t key;    /* WGW_KEY_NONE: `name` holds the key */
    uint32_t name_len;
    uint32_t value_len;
    const char *name; /* NULL when `key` is known */
    const char *value;
} wgw_var_t;

/* What identifies the content of a script file without reading it. */
typedef struct wgw_file_id_t {
    uint64_t dev;
    uint64_t ino;
    int64_t mtime_us; /* microseconds since 1970 */
    int64_t size;     /* bytes */
} wgw_file_id_t;

/* What a script is asked, where it is not to answer the request itself. The order is part of the
 * wire format: append, never reorder. */
typedef enum wgw_question_t {
    WGW_ASK_NOTHING,           /* an ordinary request, to a WSGI application */
    WGW_ASK_PASSWORD,          /* check_password(environ, user, password) */
    WGW_ASK_REALM_HASH,        /* get_realm_hash(environ, user, realm) */
    WGW_ASK_GROUPS,            /* groups_for_user(environ, user): is one of them among the names? */
    WGW_ASK_ACCESS,            /* allow_access(environ, host) */
    WGW_ASK_PROCESS_GROUP,     /* of a dispatch script: process_group(environ) */
    WGW_ASK_APPLICATION_GROUP, /* application_group(environ) */
    WGW_ASK_CALLABLE,          /* callable_object(environ) */
    WGW_ASK_COUNT
} wgw_question_t;

/* What it has answered. There is no answer that grants anything by its being absent. */
typedef enum wgw_verdict_t {
    WGW_VERDICT_NONE, /* None: the user is not known, others decide, the configuration's stays */
    WGW_VERDICT_NO,
    WGW_VERDICT_YES,
    WGW_VERDICT_TEXT, /* a user's name, a hash, a name of the dispatch script's */
    WGW_VERDICT_COUNT
} wgw_verdict_t;

/* What is to be called. */
typedef struct wgw_target_t {
    const char *script;   /* absolute path of the script; NULL when `module` is set */
    const char *module;   /* dotted name of an importable module, or NULL */
    const char *callable; /* name in it, dots allowed with `module`; NULL: it is only loaded */
    const char *group;    /* application group; "" is the main interpreter */
    wgw_file_id_t file;   /* the script as httpd saw it for this request */
    bool is_reloading;    /* load the script anew when `file` differs */
    bool is_optional;     /* it may have no `callable` */
} wgw_target_t;

typedef struct wgw_span_t {
    const char *data;
    size_t len;
} wgw_span_t;

enum { WGW_ARGUMENT_COUNT = 2 };

/* Borrowed by the bridge until wgw_bridge_handle() returns. */
typedef struct wgw_request_t {
    const wgw_var_t *vars;
    size_t var_count;
    wgw_target_t target;
    wgw_question_t question; /* what its script is asked; then the target has no callable */
    /* Of the question: user and password, user and realm, host; or user, and the names of the
     * groups that are wanted, each with a NUL behind it. */
    wgw_span_t arguments[WGW_ARGUMENT_COUNT];
    bool is_https;           /* of a question: the client's connection is TLS */
    bool is_multithread;     /* wsgi.multithread */
    bool is_multiprocess;    /* wsgi.multiprocess */
    bool is_bodiless;        /* the response has no body: the application sees HEAD */
    double request_start;    /* seconds since 1970, when httpd began with it */
    double queue_start;      /* when it began to look for a daemon thread; 0 in embedded mode */
    double daemon_start;     /* when a daemon thread took it; 0 in embedded mode */
    int64_t content_length;  /* bytes of request body announced; -1 when not known */
    wgw_deadline_t deadline; /* for waiting on others (a script being imported) */
    wgw_deadline_t ends_by;  /* request-timeout: until when it may take; at_us 0: for ever */
} wgw_request_t;

/* --- the response --------------------------------------------------------------------- */

typedef struct wgw_field_t {
    const char *name; /* NUL-terminated, an RFC 9110 token */
    const char *value; /* NUL-terminated, no control characters */
} wgw_field_t;

typedef struct wgw_head_t {
    int status;         /* 200 to 599 */
    const char *reason; /* NUL-terminated, may be "" */
    const wgw_field_t *fields; /* Content-Length is among them when declared */
    size_t field_count;
} wgw_head_t;

typedef enum wgw_status_t {
    WGW_OK,
    WGW_EABORTED,  /* the client has gone */
    WGW_ETIMEDOUT, /* it is there but silent */
    WGW_EPROTO,    /* it does not follow the protocol (bad chunk) */
    WGW_ETOOLARGE, /* its body is over the limit */
    WGW_EUNWANTED, /* the server answers by itself: no more of the body is wanted */
    WGW_EFAILED    /* anything else; was logged by who returned it */
} wgw_status_t;

typedef struct wgw_exchange_t wgw_exchange_t;

/* Context: a thread that is detached from Python, the one that began the exchange.
 * Blocks: each until the connection's own deadlines. */
typedef struct wgw_exchange_ops_t {
    /* Read what there is of the request body, at least one byte; *len_out 0 at its end.
     * The first call answers an Expect: 100-continue.
     * Returns: WGW_OK; WGW_EABORTED; WGW_ETIMEDOUT; WGW_EPROTO; WGW_ETOOLARGE; WGW_EFAILED. */
    wgw_status_t (*read_body)(wgw_exchange_t *x, char *buf, size_t size, size_t *len_out);

    /* Set status and header fields; they leave with the first byte of the body, or at the end.
     * Called once. Returns: WGW_OK; WGW_EFAILED. */
    wgw_status_t (*send_head)(wgw_exchange_t *x, const wgw_head_t *head);

    /* Send spans in one piece. With `is_last` the response is complete and leaves in one
     * piece with its end; otherwise everything is on its way to the client on return.
     * Borrows: spans until return. Returns: WGW_OK; WGW_EABORTED; WGW_EUNWANTED; WGW_EFAILED,
     * the response was cut. */
    wgw_status_t (*write_body)(wgw_exchange_t *x, const wgw_span_t *spans, size_t count,
                               bool is_last);

    /* Send `size` bytes of a regular file from `offset`, and then as in write_body.
     * Owns: fd, in every case. Returns: as write_body. */
    wgw_status_t (*send_file)(wgw_exchange_t *x, int fd, int64_t offset, int64_t size,
                              bool is_last);

    /* End a response that has begun, so that the client sees that it is cut (DESIGN
     * invariant 4). */
    void (*cut)(wgw_exchange_t *x);

    /* Take the answer to a question (exchange/answer.h has found it right): the last thing that is
     * said of it. Called once; or not at all, where the question has failed. NULL in an exchange
     * that is for requests only. Borrows: text, until return. */
    void (*answer)(wgw_exchange_t *x, wgw_verdict_t verdict, wgw_span_t text);

    /* Look up a variable of mod_ssl. NULL where that is out of reach.
     * Returns: NULL there is none; Lives: as long as the exchange. */
    const char *(*tls_variable)(wgw_exchange_t *x, const char *name);

    /* Take note that code of the application is about to see this request, or to be imported for it;
     * called at most once. Context: attached; must not block. NULL where nobody needs to know. */
    void (*enter)(wgw_exchange_t *x);

    /* Take note that no Python will run for this request any more: what follows is sending.
     * NULL where nobody needs to know. */
    void (*leave)(wgw_exchange_t *x);

    /* Write one line to the log of the request's virtual host. */
    wgw_log_fn *log; /* ctx is the wgw_exchange_t */
} wgw_exchange_ops_t;

struct wgw_exchange_t {
    const wgw_exchange_ops_t *ops;
    const wgw_request_t *request;
};

#endif
