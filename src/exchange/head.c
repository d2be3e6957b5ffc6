#include "exchange/head.h"

#include <string.h>
#include <strings.h>

static const char *const FAULT_TEXTS[] = {
    [WGW_HEAD_OK] = "no fault",
    [WGW_HEAD_STATUS_FORM] = "status must be three digits, a space and a reason, as in '200 OK'",
    [WGW_HEAD_STATUS_INTERIM] = "a 1xx status is sent by the server, not by the application",
    [WGW_HEAD_STATUS_RANGE] = "status must be between 200 and 599",
    [WGW_HEAD_STATUS_CONTROL] = "status contains a control character",
    [WGW_HEAD_NAME_EMPTY] = "header name is empty",
    [WGW_HEAD_NAME_CHARACTER] =
        "header name contains a character that is not allowed (RFC 9110 token)",
    [WGW_HEAD_VALUE_CONTROL] = "header value contains a control character",
    [WGW_HEAD_LENGTH_FORM] = "Content-Length must be one non-negative decimal number",
};

const char *wgw_head_fault_text(wgw_head_fault_t fault)
{
    return FAULT_TEXTS[fault];
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (is_control((unsigned char)text[i]))
            return true;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

wgw_head_fault_t wgw_head_check_status(const char *text, size_t len, int *code_out,
                                       const char **reason_out)
{
    if (has_control(text, len))
        return WGW_HEAD_STATUS_CONTROL;
    if (len < 3 || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2]) ||
        (len > 3 && text[3] != ' '))
        return WGW_HEAD_STATUS_FORM;
    int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (code >= 100 && code < 200)
        return WGW_HEAD_STATUS_INTERIM;
    if (code < 200 || code > 599)
        return WGW_HEAD_STATUS_RANGE;
    *code_out = code;
    *reason_out = len > 3 ? text + 4 : text + 3;
    return WGW_HEAD_OK;
}

static bool is_token_character(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

wgw_head_fault_t wgw_head_check_name(const char *name, size_t len)
{
    if (len == 0)
        return WGW_HEAD_NAME_EMPTY;
    for (size_t i = 0; i < len; i++)
        if (!is_token_character((unsigned char)name[i]))
            return WGW_HEAD_NAME_CHARACTER;
    return WGW_HEAD_OK;
}

wgw_head_fault_t wgw_head_check_value(const char *value, size_t len)
{
    return has_control(value, len) ? WGW_HEAD_VALUE_CONTROL : WGW_HEAD_OK;
}

wgw_head_fault_t wgw_head_parse_length(const char *value, size_t len, int64_t *length_out)
{
    int64_t length = 0;

    if (len == 0 || len > 18) /* 18 digits always fit in 63 bits */
        return WGW_HEAD_LENGTH_FORM;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(value[i]))
            return WGW_HEAD_LENGTH_FORM;
        length = length * 10 + (value[i] - '0');
    }
    *length_out = length;
    return WGW_HEAD_OK;
}

bool wgw_head_is_hop_by_hop(const char *name, size_t len)
{
    static const char *const NAMES[] = {
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
        "Proxy-Connection", "TE", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade",
    };

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strlen(NAMES[i]) == len && strncasecmp(NAMES[i], name, len) == 0)
            return true;
    return false;
}

bool wgw_head_is_bodiless(int status)
{
    return status < 200 || status == 204 || status == 205 || status == 304;
}
