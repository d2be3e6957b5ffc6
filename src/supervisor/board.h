/* The supervisor's view of a scoreboard: hostile memory, of which it believes nothing that
 * could harm more than the pool. */
#ifndef WGW_SUPERVISOR_BOARD_H
#define WGW_SUPERVISOR_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wsgigw/scoreboard.h"

typedef struct wgw_sup_board_t {
    int fd;
    wgw_board_t *map;
    uint32_t row_count, entry_count; /* of the configuration */
    uint32_t last_epoch;
    pid_t parent;          /* of httpd's children */
    uint8_t *quiet_counts; /* of each row: sweeps without an entry that refers to it */
    uint32_t *use_counts;  /* of each row: room for one sweep */
    bool *were_left;       /* of each entry: the last sweep found its client dead */
    int32_t waiting_count; /* the map's, when no entry waited; quiet_waits sweeps ago */
    uint8_t quiet_waits;
} wgw_sup_board_t;

/* Map the scoreboard.
 * Owns: fd, until wgw_sup_board_close(), also after a failure. Returns: NULL; or what is wrong. */
const char *wgw_sup_board_open(wgw_sup_board_t *board, int fd, uint32_t row_count,
                               uint32_t entry_count);
void wgw_sup_board_close(wgw_sup_board_t *board);

/* Say in it that no row has a process. */
void wgw_sup_board_clear(wgw_sup_board_t *board);

/* Choose the epoch of the next process of any row: never 0, never the same twice in a row. */
uint32_t wgw_sup_board_next_epoch(wgw_sup_board_t *board);

/* A process was made for the row. It is chosen by nobody before it stores its epoch. */
void wgw_sup_board_begin(wgw_sup_board_t *board, uint32_t row, pid_t pid, uint32_t version);

/* Tell those who look for a process that there is none to wait for, or that there is one. */
void wgw_sup_board_set_down(wgw_sup_board_t *board, bool is_down);

/* What those who wait for newer code have to know has changed, or a process has become ready. */
void wgw_sup_board_set_versions(wgw_sup_board_t *board, uint32_t newest, uint32_t failed);

/* Nobody is to choose the row any more. */
void wgw_sup_board_hide(wgw_sup_board_t *board, uint32_t row);

/* The process of a row has ended; `status` as of waitpid(). */
void wgw_sup_board_end(wgw_sup_board_t *board, uint32_t row, uint32_t epoch, int status);

/* A request: texts are copies, NUL-terminated, not to be trusted. */
typedef struct wgw_request_seen_t {
    wgw_entry_state_t state; /* not FREE */
    uint32_t row, epoch;     /* of the process that has it, unless it is WAITING */
    bool has_head;           /* its response has begun */
    int64_t age_us;          /* since it was put into the queue */
    int64_t state_us;        /* since `state` has changed */
    char client[WGW_CLIENT_SIZE];
    char log_id[WGW_LOG_ID_SIZE];
    char line[WGW_REQUEST_LINE_SIZE];
} wgw_request_seen_t;

/* Read the next request, from entry *at on, which is moved. Returns: false when there is none any
 * more. */
bool wgw_sup_board_next_request(const wgw_sup_board_t *board, uint32_t *at, int64_t now_us,
                                wgw_request_seen_t *seen_out);

/* The same, of those that the process of a row has begun. */
bool wgw_sup_board_next_begun(const wgw_sup_board_t *board, uint32_t row, uint32_t epoch,
                              uint32_t *at, int64_t now_us, wgw_request_seen_t *seen_out);

/* What one row is doing, as it says. */
typedef struct wgw_row_use_t {
    uint64_t request_count; /* begun */
    uint32_t thread_count;
    uint32_t busy_count;    /* threads that are not idle */
} wgw_row_use_t;

wgw_row_use_t wgw_sup_board_use(const wgw_sup_board_t *board, uint32_t row);

/* How long the request has waited that has waited longest; 0 none does. *waited_us_out: all that
 * have waited before. */
int64_t wgw_sup_board_oldest_wait(const wgw_sup_board_t *board, int64_t now_us,
                                  uint64_t *waited_us_out);
/* When the process of a row last had its interpreter, monotonic; 0 when it does not say, or lies. */
int64_t wgw_sup_board_met_us(const wgw_sup_board_t *board, uint32_t row, int64_t now_us);

/* Free the entries of clients that are dead; right the idle count of quiet rows.
 * `epochs` has of each row that takes requests its epoch, 0 of the others.
 * Returns: true while entries are in use, or a count is being watched. */
bool wgw_sup_board_sweep(wgw_sup_board_t *board, const uint32_t *epochs, int64_t now_us);

#endif
