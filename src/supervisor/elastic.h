/* When a pool of processes=LEAST-MOST has too few or too many: a pure function of what is measured. */
#ifndef WGW_SUPERVISOR_ELASTIC_H
#define WGW_SUPERVISOR_ELASTIC_H

#include <stdbool.h>
#include <stdint.h>

/* What the scoreboard says now. */
typedef struct wgw_load_t {
    int64_t now_us;
    uint32_t process_count;    /* that serve or are starting */
    uint32_t thread_count;     /* of one of them */
    uint32_t busy_count;       /* threads that are not idle, of all */
    int64_t oldest_wait_us;    /* of the requests that wait now; 0 none does */
    uint64_t waited_us;        /* by all requests that have waited, ever */
    bool is_starting;          /* a process is: it is waited for */
} wgw_load_t;

/* What is remembered from one time to the next; zero at the start. */
typedef struct wgw_elastic_t {
    int64_t seen_us;           /* when it was looked at last */
    uint64_t waited_us;        /* then */
    int64_t needed_us;         /* when all processes were needed last */
} wgw_elastic_t;

typedef enum wgw_elastic_move_t { WGW_ELASTIC_STAY, WGW_ELASTIC_GROW, WGW_ELASTIC_SHRINK } wgw_elastic_move_t;

/* Decide. One process is added at a time while requests wait; one is given up when for
 * `idle_timeout_us` one less would have had a thread for every request. */
wgw_elastic_move_t wgw_sup_elastic_decide(wgw_elastic_t *elastic, const wgw_load_t *load,
                                          int64_t idle_timeout_us);

#endif
