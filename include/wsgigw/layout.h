/* What the builds of two supervisors have to agree on, to share pools: the records, messages, frames
 * and the scoreboard that cross processes, as one number. */
#ifndef WSGIGW_LAYOUT_H
#define WSGIGW_LAYOUT_H

#include <stdint.h>

#include "base/hash.h"
#include "exchange/key.h"
#include "wire/frame.h"
#include "wire/spec.h"
#include "wsgigw/control.h"
#include "wsgigw/exec.h"
#include "wsgigw/scoreboard.h"

#define WGW_LAYOUT_FIELD(kind, field) #kind " " #field ";"
#define WGW_LAYOUT_KEY(name, text, flags) text ";"

/* Returns: another number where any of them has another form. The tables of records and keys are part of it as
 * text; whoever changes another of them changes its version. */
static inline uint64_t wgw_layout(void)
{
    static const char RECORDS[] = WGW_POOL_FIELDS(WGW_LAYOUT_FIELD) "|"
                                  WGW_WORKER_FIELDS(WGW_LAYOUT_FIELD) "|" WGW_KEYS(WGW_LAYOUT_KEY);
    static const uint64_t NUMBERS[] = {
        WGW_SPEC_VERSION, WGW_WIRE_VERSION, WGW_CONTROL_VERSION, WGW_EXEC_VERSION,
        WGW_BOARD_VERSION, sizeof(wgw_board_t), sizeof(wgw_row_t), sizeof(wgw_entry_t),
    };

    return wgw_hash_add(wgw_hash_add(WGW_HASH_BEGIN, RECORDS, sizeof RECORDS), NUMBERS, sizeof NUMBERS);
}

#endif
