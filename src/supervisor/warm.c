/* A pool has few scripts: they are searched. */
#include "supervisor/warm.h"

#include <string.h>

#include "base/cursor.h"
#include "wsgigw/exec.h"

static bool has(const wgw_warm_t *warm, const char *kind, const char *name, const char *group)
{
    wgw_cursor_t c = { .at = warm->texts.data, .end = warm->texts.data + warm->texts.len };
    bool is_found = false;

    for (uint32_t i = 0; i < warm->count && !is_found; i += 3) {
        bool is_kind = strcmp(wgw_cursor_text(&c, NULL), kind) == 0;
        bool is_name = strcmp(wgw_cursor_text(&c, NULL), name) == 0;
        bool is_group = strcmp(wgw_cursor_text(&c, NULL), group) == 0;
        is_found = is_kind && is_name && is_group;
    }
    return is_found;
}

void wgw_sup_warm_add(wgw_warm_t *warm, const char *kind, const char *name, const char *group)
{
    enum { AROUND = 3 * 5 }; /* a length and a NUL for each */
    size_t len = strlen(kind) + strlen(name) + strlen(group) + AROUND;

    if (has(warm, kind, name, group) || warm->texts.len + len > WGW_EXEC_WARM_MOST ||
        !wgw_buffer_reserve(&warm->texts, len))
        return;
    wgw_put_text(&warm->texts, kind);
    wgw_put_text(&warm->texts, name);
    wgw_put_text(&warm->texts, group);
    warm->count += 3;
}

void wgw_sup_warm_deinit(wgw_warm_t *warm)
{
    wgw_buffer_deinit(&warm->texts);
    warm->count = 0;
}
