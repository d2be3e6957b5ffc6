/* The time that requests have waited, divided by the time that has passed, is how many have waited
 * on average (Little's law), however short each wait was. */
#include "supervisor/elastic.h"

#define LONG_WAIT_US INT64_C(100000)
enum { WAITING_DIVISOR = 2 }; /* half a request waiting on average is too much */

static bool is_queue_long(const wgw_elastic_t *elastic, const wgw_load_t *load)
{
    int64_t passed_us = load->now_us - elastic->seen_us;
    uint64_t waited_us = load->waited_us - elastic->waited_us;

    if (load->oldest_wait_us >= LONG_WAIT_US)
        return true;
    return elastic->seen_us && passed_us > 0 && waited_us < (uint64_t)INT64_MAX &&
           waited_us * WAITING_DIVISOR >= (uint64_t)passed_us;
}

wgw_elastic_move_t wgw_sup_elastic_decide(wgw_elastic_t *elastic, const wgw_load_t *load,
                                          int64_t idle_timeout_us)
{
    bool is_long = is_queue_long(elastic, load);
    uint32_t fewer = load->process_count ? load->process_count - 1 : 0;
    bool is_needed = load->oldest_wait_us > 0 || is_long || load->is_starting ||
                     load->busy_count > fewer * load->thread_count;

    if (!elastic->seen_us || is_needed)
        elastic->needed_us = load->now_us;
    elastic->seen_us = load->now_us;
    elastic->waited_us = load->waited_us;
    if (is_long)
        return load->is_starting ? WGW_ELASTIC_STAY : WGW_ELASTIC_GROW;
    if (load->now_us - elastic->needed_us < idle_timeout_us)
        return WGW_ELASTIC_STAY;
    elastic->needed_us = load->now_us;
    return WGW_ELASTIC_SHRINK;
}
