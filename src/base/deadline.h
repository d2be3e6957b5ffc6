/* Absolute deadlines on the monotonic clock.
 * Made once at the edge, handed down, compared; never a relative timeout.
 * Knows nothing but libc. */
#ifndef WGW_BASE_DEADLINE_H
#define WGW_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct wgw_deadline_t {
    int64_t at_us; /* monotonic time in microseconds */
} wgw_deadline_t;

/* Read the monotonic clock, in microseconds. */
int64_t wgw_now_us(void);

/* Make the deadline that lies `us` microseconds from now. */
wgw_deadline_t wgw_deadline_in_us(int64_t us);

/* Tell how long there is until `deadline`, in microseconds; 0 once it has passed. */
int64_t wgw_deadline_left_us(wgw_deadline_t deadline);

/* Choose the one that comes first. */
wgw_deadline_t wgw_deadline_earlier(wgw_deadline_t a, wgw_deadline_t b);

/* Convert to the form that pthread_*_clockwait(CLOCK_MONOTONIC) takes. */
struct timespec wgw_deadline_timespec(wgw_deadline_t deadline);

#endif
