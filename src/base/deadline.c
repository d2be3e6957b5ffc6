#include "base/deadline.h"

int64_t wgw_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

wgw_deadline_t wgw_deadline_in_us(int64_t us)
{
    return (wgw_deadline_t){ .at_us = wgw_now_us() + us };
}

int64_t wgw_deadline_left_us(wgw_deadline_t deadline)
{
    int64_t left = deadline.at_us - wgw_now_us();

    return left > 0 ? left : 0;
}

wgw_deadline_t wgw_deadline_earlier(wgw_deadline_t a, wgw_deadline_t b)
{
    return a.at_us < b.at_us ? a : b;
}

struct timespec wgw_deadline_timespec(wgw_deadline_t deadline)
{
    return (struct timespec){
        .tv_sec = deadline.at_us / 1000000,
        .tv_nsec = deadline.at_us % 1000000 * 1000,
    };
}
