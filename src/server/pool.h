/* WSGIDaemonProcess: a pool of daemon processes, as it was declared and as it runs. */
#ifndef WGW_SERVER_POOL_H
#define WGW_SERVER_POOL_H

#include <stdbool.h>
#include <sys/types.h>

#include <httpd.h>
#include <http_config.h>

#include "wire/spec.h"
#include "wsgigw/scoreboard.h"

/* Written while parsing; constant from post_config on, but for what `board` points to. */
typedef struct wgw_pool_t {
    const char *name;
    const server_rec *server;       /* where it was declared */
    const char *file;               /* the same, for messages */
    int line;
    const char *without_effect;     /* options that only root can heed, for a message; or NULL */
    int index;                      /* in the order of the configuration, from 0 */

    /* --- the processes --- */
    int process_count;              /* processes=, default 1; the most of LEAST-MOST */
    int process_least;              /* the least of LEAST-MOST; 0: the number is fixed */
    int64_t idle_timeout_us;        /* idle-timeout=, default 60 s */
    bool is_multiprocess;           /* processes= was given, even as 1 */
    int thread_count;               /* threads=, default 15 */
    int64_t stack_bytes;            /* stack-size=; 0 the system's */
    uid_t uid;                      /* user=, default httpd's User */
    gid_t gid;                      /* group=, default httpd's Group */
    const char *user_name;          /* of uid; NULL when it has none */
    const char *user_home;          /* home folder of uid, or NULL */
    const apr_array_header_t *groups; /* of uint32_t: supplementary-groups=, else the user's own */
    int umask;                      /* umask=, -1 not given */
    const char *home;               /* home=, or NULL */
    const char *chroot;             /* chroot=, or NULL */
    const char *lang, *locale;      /* lang=, locale=, or NULL */
    const char *display_name;       /* display-name=, %{GROUP} expanded, or NULL */
    int nice;                       /* cpu-priority= */
    int64_t memory_limit, virtual_memory_limit; /* bytes, 0 none */
    bool keeps_privileges;          /* no-new-privs=off */
    const apr_array_header_t *pass_env; /* of const char *: names, or NULL */
    const apr_array_header_t *env;  /* of const char *: "NAME=value", or NULL */

    /* --- Python --- */
    const char *python;             /* absolute path of the interpreter, inside the chroot */
    const char *python_home;        /* python-home=, or NULL */
    const char *python_path;        /* folders, ':' between, or NULL */
    const char *python_eggs;        /* folder, or NULL */

    /* --- between httpd and the processes --- */
    int listen_backlog;             /* listen-backlog=: requests that may wait, default 100 */
    uid_t socket_uid;               /* socket-user=, default httpd's User */
    int64_t send_buffer_bytes, receive_buffer_bytes; /* 0 the system's */
    int64_t connect_timeout_us;     /* connect-timeout=, default 15 s */
    int64_t socket_timeout_us;      /* socket-timeout=, default Timeout */
    int64_t queue_timeout_us;       /* queue-timeout=, 0 none */
    int64_t response_socket_timeout_us; /* response-socket-timeout=, default socket-timeout */
    int maximum_requests, maximum_jitter; /* maximum-requests=N,JITTER; 0 no limit */
    int64_t restart_interval_us, inactivity_timeout_us, cpu_time_limit_us; /* 0 none */
    int64_t memory_reload_bytes;    /* memory-reload=, 0 none */
    bool keeps_on_graceful;         /* graceful=keep */
    int64_t startup_timeout_us;     /* startup-timeout=, 0 none */
    int64_t graceful_timeout_us;    /* graceful-timeout=, default 60 s */
    int64_t shutdown_timeout_us;    /* shutdown-timeout=, default 5 s */
    int64_t eviction_timeout_us;    /* eviction-timeout=, 0: graceful_timeout_us */
    int64_t request_timeout_us;     /* request-timeout=, 0 none */
    int64_t interrupt_timeout_us;   /* interrupt-timeout=, 0 none */
    int64_t deadlock_timeout_us;    /* deadlock-timeout=, default 300 s, 0 none */
    int64_t switch_interval_us;     /* switch-interval=, 0 not given */
    int64_t header_buffer_bytes;    /* header-buffer-size=: longest header line, default 32768 */
    int64_t response_flush_bytes;   /* response-buffer-size=, default 8 MiB */
    int64_t response_buffer_bytes;  /* response-buffer=, default 8 MiB */
    int64_t request_buffer_bytes;   /* request-buffer=, default 128 KiB */
    bool spools_requests;           /* request-spool=on */
    uid_t script_uid;               /* script-user=, (uid_t)-1 not given */
    gid_t script_gid;               /* script-group=, (gid_t)-1 not given */

    /* --- made in post_config, for this generation --- */
    unsigned row_count, entry_count; /* of the scoreboard */
    const char *socket_path;        /* of a row: this, ".", its number, ".sock" */
    wgw_board_t *board;             /* mapped before the children are forked */
    int board_fd;                   /* -1 in the children */
    char key[65];                   /* 64 hexadecimal digits */
} wgw_pool_t;

/* The directive WSGIDaemonProcess. */
const char *wgw_pool_set(cmd_parms *cmd, void *dir_conf, const char *args);

/* All pools (wgw_pool_t *) in the order of the configuration. */
apr_array_header_t *wgw_pools(server_rec *main_server);

/* Returns: NULL when there is no pool of this name. */
wgw_pool_t *wgw_pool_find(server_rec *main_server, const char *name);

/* Find the name of a pool that is most like `name`, for a message.
 * Returns: "; did you mean 'x'?"; "." when none is like it. */
const char *wgw_pool_suggest(apr_pool_t *p, server_rec *main_server, const char *name);

/* Tell whether requests of `s` may use the pool: one that a virtual host declares is for
 * the virtual hosts with its ServerName. Context: after virtual hosts were merged. */
bool wgw_pool_is_for(const wgw_pool_t *pool, const server_rec *s);

/* Give what depends on the rest of the configuration its value, and check it.
 * Context: check_config. Returns: OK; HTTP_INTERNAL_SERVER_ERROR, said in the log. */
int wgw_parent_finish_pools(apr_pool_t *p, server_rec *main_server);

/* Say once what has no effect. Context: post_config. */
void wgw_parent_log_pools(server_rec *main_server);

#endif
