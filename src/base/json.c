#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void put(wgw_json_t *json, const char *text)
{
    wgw_buffer_append(&json->out, text, strlen(text));
}

static void put_escaped(wgw_json_t *json, unsigned char byte)
{
    char escape[8];

    if (byte == '"' || byte == '\\')
        snprintf(escape, sizeof escape, "\\%c", byte);
    else if (byte < 0x80)
        snprintf(escape, sizeof escape, "\\u%04x", byte);
    else
        snprintf(escape, sizeof escape, "\\ufffd"); /* the replacement character */
    put(json, escape);
}

static void put_text(wgw_json_t *json, const char *text)
{
    const char *end = text + strlen(text);

    put(json, "\"");
    while (text < end) {
        size_t len = *text == '"' || *text == '\\' ? 0 : wgw_utf8_shown_len(text, end);
        if (len)
            wgw_buffer_append(&json->out, text, len);
        else
            put_escaped(json, (unsigned char)*text);
        text += len ? len : 1;
    }
    put(json, "\"");
}

static void begin(wgw_json_t *json, const char *key)
{
    if (json->has_item)
        put(json, ",");
    json->has_item = true;
    if (!key)
        return;
    put_text(json, key);
    put(json, ":");
}

void wgw_json_open(wgw_json_t *json, const char *key, char open)
{
    begin(json, key);
    wgw_buffer_append(&json->out, &open, 1);
    json->has_item = false;
}

void wgw_json_close(wgw_json_t *json, char close)
{
    wgw_buffer_append(&json->out, &close, 1);
    json->has_item = true;
}

void wgw_json_text(wgw_json_t *json, const char *key, const char *text)
{
    begin(json, key);
    put_text(json, text);
}

void wgw_json_number(wgw_json_t *json, const char *key, int64_t number)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%lld", (long long)number);
    begin(json, key);
    put(json, digits);
}

void wgw_json_bool(wgw_json_t *json, const char *key, bool value)
{
    begin(json, key);
    put(json, value ? "true" : "false");
}

void wgw_json_null(wgw_json_t *json, const char *key)
{
    begin(json, key);
    put(json, "null");
}

void wgw_json_seconds(wgw_json_t *json, const char *key, int64_t us)
{
    char digits[32];
    uint64_t most = us < 0 ? -(uint64_t)us : (uint64_t)us;

    snprintf(digits, sizeof digits, "%s%llu.%06llu", us < 0 ? "-" : "",
             (unsigned long long)(most / 1000000), (unsigned long long)(most % 1000000));
    begin(json, key);
    put(json, digits);
}
