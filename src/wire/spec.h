/* Plain records that cross a process boundary: what a pool is (httpd parent ->
 * supervisor), and what its daemon processes serve (httpd parent -> daemon
 * process, handed through by the supervisor unread).
 *
 * One table for each record drives the struct, encoding and decoding. X(kind, field) with kind
 * TEXT: const char *, never NULL; BLOB: bytes; LIST: of texts; NUMBERS: of uint32_t; U32; U64. */
#ifndef WGW_WIRE_SPEC_H
#define WGW_WIRE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct wgw_blob_t {
    const char *data;
    size_t len;
} wgw_blob_t;

typedef struct wgw_texts_t {
    const char *const *items; /* each NUL-terminated */
    size_t count;
} wgw_texts_t;

typedef struct wgw_numbers_t {
    const uint32_t *items;
    size_t count;
} wgw_numbers_t;

enum { WGW_SPEC_VERSION = 1 };

/* The texts of one layer: whose it is; "on" or "off": a GIL of its own; switch interval in
 * microseconds, in decimal; folders for sys.path with ':' between. "" of the latter: not said. */
enum {
    WGW_LAYER_GROUP,   /* "=" and the application group; "*" all */
    WGW_LAYER_OWN_GIL,
    WGW_LAYER_SWITCH_INTERVAL,
    WGW_LAYER_PYTHON_PATH,
    WGW_LAYER_TEXTS
};
#define WGW_SPEC_NONE UINT32_MAX /* of a number that is not given */

/* What a pool is, and all that one of its processes is allowed. */
#define WGW_POOL_FIELDS(X) \
    X(TEXT, name)                /* of WSGIDaemonProcess */ \
    X(TEXT, server)              /* name of the virtual host, for messages */ \
    X(U32, process_count)        /* at least 1: the most */ \
    X(U32, process_least)        /* at least 1; 0: process_count, always */ \
    X(U64, idle_timeout_us)      /* of a process more than the least */ \
    X(U32, row_count)            /* rows of the scoreboard, at least process_count */ \
    X(U32, entry_count)          /* entries of the scoreboard */ \
    X(TEXT, socket_path)         /* of a row: this, ".", its number in decimal, ".sock" */ \
    X(U32, socket_uid)           /* owner of the sockets, mode 0600; WGW_SPEC_NONE: as made */ \
    X(U32, listen_backlog) \
    X(U32, send_buffer_bytes)    /* SO_SNDBUF of the listener; 0: the system's */ \
    X(U32, receive_buffer_bytes) /* SO_RCVBUF of the listener; 0: the system's */ \
    X(U32, switches_user)        /* 1: uid, gid, groups and chroot are to be set (root started it) */ \
    X(U32, uid) \
    X(U32, gid) \
    X(NUMBERS, groups)           /* all supplementary groups */ \
    X(U32, umask)                /* mode bits; WGW_SPEC_NONE: left */ \
    X(TEXT, chroot)              /* "" none */ \
    X(TEXT, home)                /* working folder, inside the chroot; "" is "/" */ \
    X(U32, nice)                 /* int32_t, as of setpriority(); 0 left */ \
    X(U64, memory_limit)         /* bytes, RLIMIT_DATA; 0 none */ \
    X(U64, virtual_memory_limit) /* bytes, RLIMIT_AS; 0 none */ \
    X(U32, keeps_privileges)     /* 1: no-new-privs=off */ \
    X(TEXT, python)              /* absolute path of the interpreter, inside the chroot */ \
    X(LIST, python_args)         /* between -P and -c */ \
    X(TEXT, extension)           /* path of _wsgigw.abi3.so, inside the chroot */ \
    X(LIST, environment)         /* "NAME=value": all of it, nothing else is passed */ \
    X(U64, mapping)              /* another number for other aliases: what has been loaded before may be
                                    of no concern any more */ \
    X(U32, is_service)           /* 1: it serves no requests, and there is one of it at a time */ \
    X(U32, keeps_on_graceful)    /* 1: another reading of the configuration changes nothing */ \
    X(U64, restart_interval_us)  /* a process is replaced that old; 0 never */ \
    X(U64, inactivity_timeout_us) /* ... that has been idle so long; 0 never */ \
    X(U64, cpu_time_limit_us)    /* ... that has used so much; 0 never */ \
    X(U64, memory_reload_bytes)  /* ... whose PSS is so large; 0 never */ \
    X(U64, startup_timeout_us)   /* until READY; 0 none */ \
    X(U64, graceful_timeout_us)  /* for what a process has begun, after DRAIN */ \
    X(U64, shutdown_timeout_us)  /* after that, and after STOP, until SIGKILL */ \
    X(U64, eviction_timeout_us)  /* graceful_timeout_us of a process that got SIGUSR1; 0 the same */ \
    X(U64, deadlock_timeout_us)  /* a process whose interpreter is not to be had that long is \
                                    replaced; 0 never */ \
    X(U32, log_level)            /* wgw_level_t: the most verbose that is written */ \
    X(BLOB, worker)              /* an encoded wgw_worker_spec_t */

/* What the processes of a pool serve. */
#define WGW_WORKER_FIELDS(X) \
    X(TEXT, process_group) \
    X(TEXT, display_name)        /* "" none */ \
    X(U32, thread_count)         /* 0: runs its preloads only, and waits */ \
    X(U64, stack_bytes)          /* of a thread; 0: the system's */ \
    X(U32, has_main_group)       /* 1: main_group is the only application group there can be */ \
    X(TEXT, main_group) \
    X(U32, interpreter_limit) \
    X(U32, maximum_requests)     /* after that many it is replaced, and up to */ \
    X(U32, maximum_jitter)       /* so many more; 0 never */ \
    X(LIST, python_path)         /* folders for the front of sys.path */ \
    X(LIST, preloads)            /* three texts each: "script" or "module", its name, and the \
                                    application group */ \
    X(NUMBERS, server_version)   /* three: httpd's */ \
    X(U64, response_buffer_bytes) /* of a process, in memory; what is more goes to a file */ \
    X(U64, socket_timeout_us)    /* for one read or write between httpd and the process */ \
    X(U64, client_timeout_us)    /* Timeout of httpd, for one read from its client */ \
    X(U64, graceful_timeout_us) \
    X(U64, shutdown_timeout_us) \
    X(U64, request_timeout_us)   /* how long before its end a request began; 0 none has an end */ \
    X(U64, interrupt_timeout_us) /* from its end until it has had its time; 0: it is not interrupted */ \
    X(U64, deadlock_timeout_us)  /* as of the pool */ \
    X(LIST, layers)              /* WGW_LAYER_TEXTS each, of what is said of interpreters; the later \
                                    one wins */ \
    X(U32, keeps_interpreters)   /* 1: at its end it leaves them as they are */ \
    X(U32, shares_user)          /* 1: others run as its user who must not look into it */ \
    X(TEXT, locale)              /* for setlocale(LC_ALL); "" left */ \
    X(TEXT, key)                 /* what opens a connection: 64 hexadecimal digits */

#define WGW_SPEC_TYPE_TEXT const char *
#define WGW_SPEC_TYPE_BLOB wgw_blob_t
#define WGW_SPEC_TYPE_LIST wgw_texts_t
#define WGW_SPEC_TYPE_NUMBERS wgw_numbers_t
#define WGW_SPEC_TYPE_U32 uint32_t
#define WGW_SPEC_TYPE_U64 uint64_t
#define WGW_SPEC_MEMBER(kind, field) WGW_SPEC_TYPE_##kind field;

typedef struct wgw_pool_spec_t {
    WGW_POOL_FIELDS(WGW_SPEC_MEMBER)
} wgw_pool_spec_t;

typedef struct wgw_worker_spec_t {
    WGW_WORKER_FIELDS(WGW_SPEC_MEMBER)
} wgw_worker_spec_t;

/* Append the record. Failure to allocate is sticky in the buffer. */
void wgw_pool_spec_encode(wgw_buffer_t *b, const wgw_pool_spec_t *spec);
void wgw_worker_spec_encode(wgw_buffer_t *b, const wgw_worker_spec_t *spec);

/* Read a record that is the whole of `data`.
 * Owns: *memory_out, one block that everything in *spec_out lies in; to be freed by the
 * caller, NULL after a failure.
 * Returns: false when the bytes are not a record of WGW_SPEC_VERSION, or memory is short. */
bool wgw_pool_spec_decode(const char *data, size_t len, wgw_pool_spec_t *spec_out,
                          void **memory_out);
bool wgw_worker_spec_decode(const char *data, size_t len, wgw_worker_spec_t *spec_out,
                            void **memory_out);

#endif
