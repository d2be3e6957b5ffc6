#include "base/utf8.h"

static size_t len_of(const unsigned char *s, const unsigned char *end)
{
    static const struct { unsigned char first, last, low, high, len; } FORMS[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (*s < FORMS[i].first || *s > FORMS[i].last)
            continue;
        if ((size_t)(end - s) < FORMS[i].len || s[1] < FORMS[i].low || s[1] > FORMS[i].high)
            return 0;
        for (size_t k = 2; k < FORMS[i].len; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return FORMS[i].len;
    }
    return 0;
}

/* U+0080 to U+009F control terminals too. */
static int is_c1(const unsigned char *s)
{
    return s[0] == 0xc2 && s[1] < 0xa0;
}

size_t wgw_utf8_shown_len(const char *at, const char *end)
{
    const unsigned char *s = (const unsigned char *)at;

    if (*s < 0x80)
        return *s >= 0x20 && *s != 0x7f;
    size_t len = len_of(s, (const unsigned char *)end);
    return len && !is_c1(s) ? len : 0;
}
