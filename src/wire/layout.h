/* What two builds have to agree on to share pools: the records, messages, frames and the scoreboard
 * that cross processes, as one number. */
#ifndef WGW_WIRE_LAYOUT_H
#define WGW_WIRE_LAYOUT_H

#include <stdint.h>

/* Another number where any of them has another form. */
uint64_t wgw_layout(void);

#endif
