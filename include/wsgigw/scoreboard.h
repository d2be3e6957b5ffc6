/* The scoreboard of one pool: shared by httpd's children, which find an idle
 * daemon process in it, by the pool's daemon processes, and by the supervisor.
 *
 * A memfd, sealed against growing and shrinking, made by the httpd parent. A
 * daemon process may write anything into it, so the others take nothing from it
 * that could harm more than this pool: no counts of rows (they come from the
 * configuration), no pids to signal, no lengths.
 *
 * One process is a row; one request, from before it is queued until it has been
 * answered, is an entry. Everything that changes is atomic. The layout is part of
 * what WGW_BOARD_VERSION stands for. */
#ifndef WSGIGW_SCOREBOARD_H
#define WSGIGW_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WGW_BOARD_VERSION = 2,        /* another number for every change of what follows */
    WGW_REQUEST_LINE_SIZE = 200,  /* bytes kept of "GET /path", with the NUL */
    WGW_LOG_ID_SIZE = 40,         /* bytes kept of httpd's id of the request, with the NUL */
    WGW_CLIENT_SIZE = 52,         /* bytes kept of the client's address, with the NUL */
    WGW_BOARD_CAUSES = 16         /* room for each wgw_cause_t (exec.h) */
};

/* One daemon process. The supervisor writes `epoch` and `exit_status`; the process writes
 * `thread_count`, `inside_count` and `met_us` and raises `idle_count`, httpd's children lower it by
 * claiming a thread. */
typedef struct wgw_row_t {
    _Atomic uint32_t epoch;       /* another number for each process of this row; 0: none is ready */
    _Atomic int32_t idle_count;   /* threads that wait and that nobody has claimed */
    _Atomic uint32_t thread_count;
    _Atomic int32_t exit_status;  /* as of waitpid(), of the process before `epoch` changed; -1 unknown */
    _Atomic uint32_t exit_epoch;  /* which process `exit_status` is about */
    _Atomic int32_t pid;          /* of the process, for people to read: never to be signalled */
    _Atomic uint64_t request_count; /* begun since the process started */
    _Atomic int64_t met_us;       /* monotonic time when its interpreter was last had; 0 not watched */
    _Atomic int32_t inside_count; /* requests that Python runs for, also such as httpd has given up */
    _Atomic uint32_t version;     /* of what it has loaded, see wgw_board_t; written by the supervisor */
    char unused[8];
} wgw_row_t;

typedef enum wgw_entry_state_t {
    WGW_ENTRY_FREE,
    WGW_ENTRY_WAITING, /* no daemon thread has been found yet */
    WGW_ENTRY_SENT,    /* claimed, and on its way to a daemon process */
    WGW_ENTRY_BEGUN,   /* the application may have been called: written by the daemon process */
    WGW_ENTRY_DONE     /* and is through with it: written by the daemon process */
} wgw_entry_state_t;

/* One request. An httpd child takes it by moving `state` from FREE, writes what follows, and
 * frees it; the supervisor frees those of children that are dead. */
typedef struct wgw_entry_t {
    _Atomic uint32_t state;
    _Atomic int32_t client_pid;   /* of the httpd child */
    _Atomic uint32_t row;         /* of the process that has it, while SENT or BEGUN */
    _Atomic uint32_t epoch;       /* of that row */
    _Atomic int64_t since_us;     /* monotonic time of the last change of state */
    _Atomic int64_t entered_us;   /* monotonic time when it was put into the queue */
    _Atomic uint32_t has_head;    /* 1: the head of the response has come to httpd */
    char client[WGW_CLIENT_SIZE]; /* as httpd's access log has it; NUL-terminated as the two below */
    char log_id[WGW_LOG_ID_SIZE]; /* always NUL-terminated by who writes; check before reading */
    char line[WGW_REQUEST_LINE_SIZE];
} wgw_entry_t;

typedef struct wgw_board_t {
    uint32_t row_count, entry_count; /* for people who look at it */
    _Atomic uint32_t idle_seq;      /* futex: changes when a thread has become idle and somebody waits */
    _Atomic int32_t waiting_count;  /* requests that wait on idle_seq */
    _Atomic uint32_t refused_count; /* requests refused because too many waited */
    _Atomic uint32_t newest_version; /* of processes that are started now */
    _Atomic uint32_t failed_version; /* newest_version, when a process with it cannot be started; else 0 */
    _Atomic uint32_t fresh_seq;     /* futex: changes when one of the two above has, or a process
                                       of the newest version is ready */
    _Atomic uint32_t retried_count; /* requests that were offered to another process */
    _Atomic uint32_t wait_count;    /* requests that have waited for a thread, and for how long, ... */
    _Atomic uint64_t waited_us;     /* ... altogether */
    _Atomic uint32_t cut_count;     /* responses that were cut */
    _Atomic uint32_t is_down;       /* 1: no process is there, nor will be soon */
    /* Since the board was made, for people to read. By httpd's children: */
    _Atomic uint32_t bad_gateway_count;     /* requests that got 502, ... */
    _Atomic uint32_t unavailable_count;     /* ... 503, ... */
    _Atomic uint32_t gateway_timeout_count; /* ... 504 */
    /* By the daemon processes: */
    _Atomic uint32_t unloaded_count; /* times that a script or module could not be loaded */
    /* By the supervisor: */
    _Atomic uint32_t crash_count;    /* processes that served, and ended unasked with a signal or code */
    _Atomic uint32_t unstarted_count; /* processes that could not be made, or have not become ready */
    _Atomic uint32_t broken_count;   /* processes that were killed for what they must not do */
    _Atomic uint32_t failed_count;   /* versions that have failed */
    _Atomic uint32_t cause_counts[WGW_BOARD_CAUSES]; /* processes replaced, by wgw_cause_t */
    wgw_row_t rows[];               /* row_count of them, then entry_count of wgw_entry_t */
} wgw_board_t;

static inline size_t wgw_board_size(uint32_t row_count, uint32_t entry_count)
{
    return sizeof(wgw_board_t) + row_count * sizeof(wgw_row_t) + entry_count * sizeof(wgw_entry_t);
}

/* The entries of a board with `row_count` rows: as many as the caller knows it to have. */
static inline wgw_entry_t *wgw_board_entries(wgw_board_t *board, uint32_t row_count)
{
    return (wgw_entry_t *)(void *)(board->rows + row_count);
}

/* Lower idle_count if it is above 0. Returns: true when a thread was claimed. */
static inline bool wgw_row_claim(wgw_row_t *row)
{
    int32_t idle = atomic_load(&row->idle_count);

    while (idle > 0)
        if (atomic_compare_exchange_weak(&row->idle_count, &idle, idle - 1))
            return true;
    return false;
}

#endif
