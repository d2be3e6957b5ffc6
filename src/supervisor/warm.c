/* A pool has few scripts: they are searched. */
#include "supervisor/warm.h"

#include <string.h>

#include "base/cursor.h"
#include "wsgigw/exec.h"

static wgw_cursor_t cursor_of(const wgw_warm_t *warm)
{
    if (!warm->count)
        return (wgw_cursor_t){ .at = "", .end = "" };
    return (wgw_cursor_t){ .at = warm->texts.data, .end = warm->texts.data + warm->texts.len };
}

static bool has(const wgw_warm_t *warm, const wgw_buffer_t *one)
{
    wgw_cursor_t c = cursor_of(warm);

    for (uint32_t i = 0; i < warm->count; i += WGW_WARM_TEXTS) {
        const char *begin = c.at;
        for (int t = 0; t < WGW_WARM_TEXTS; t++)
            wgw_cursor_text(&c, NULL);
        if ((size_t)(c.at - begin) == one->len && memcmp(begin, one->data, one->len) == 0)
            return true;
    }
    return false;
}

void wgw_sup_warm_add(wgw_warm_t *warm, const char *const texts[WGW_WARM_TEXTS])
{
    wgw_buffer_t one = { 0 };

    for (int t = 0; t < WGW_WARM_TEXTS; t++)
        wgw_put_text(&one, texts[t]);
    if (!one.is_short && warm->texts.len + one.len <= WGW_EXEC_WARM_MOST && !has(warm, &one) &&
        wgw_buffer_append(&warm->texts, one.data, one.len))
        warm->count += WGW_WARM_TEXTS;
    wgw_buffer_deinit(&one);
}

void wgw_sup_warm_forget_callables(wgw_warm_t *warm)
{
    wgw_warm_t before = *warm;
    wgw_cursor_t c = cursor_of(&before);

    *warm = (wgw_warm_t){ .count = 0 };
    for (uint32_t i = 0; i < before.count; i += WGW_WARM_TEXTS) {
        const char *texts[WGW_WARM_TEXTS];
        for (int t = 0; t < WGW_WARM_TEXTS; t++)
            texts[t] = wgw_cursor_text(&c, NULL);
        texts[WGW_WARM_TEXTS - 1] = "";
        wgw_sup_warm_add(warm, texts);
    }
    wgw_sup_warm_deinit(&before);
}

void wgw_sup_warm_deinit(wgw_warm_t *warm)
{
    wgw_buffer_deinit(&warm->texts);
    warm->count = 0;
}
