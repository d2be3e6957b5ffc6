/* The records' tables are part of the number as text: whoever changes one has changed the number. */
#include "wire/layout.h"

#include "base/hash.h"
#include "wire/frame.h"
#include "wire/spec.h"
#include "wsgigw/control.h"
#include "wsgigw/exec.h"
#include "wsgigw/scoreboard.h"

#define NAME_FIELD(kind, field) #kind " " #field ";"

uint64_t wgw_layout(void)
{
    static const char RECORDS[] = WGW_POOL_FIELDS(NAME_FIELD) "|" WGW_WORKER_FIELDS(NAME_FIELD);
    static const uint64_t NUMBERS[] = {
        WGW_SPEC_VERSION, WGW_WIRE_VERSION, WGW_CONTROL_VERSION, WGW_EXEC_VERSION,
        WGW_BOARD_MAGIC, sizeof(wgw_board_t), sizeof(wgw_row_t), sizeof(wgw_entry_t),
    };

    return wgw_hash_add(wgw_hash_add(WGW_HASH_BEGIN, RECORDS, sizeof RECORDS), NUMBERS, sizeof NUMBERS);
}
