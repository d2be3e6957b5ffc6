/* What a response head may contain: PEP 3333 and RFC 9110.
 * Pure checks on bytes; knows neither Python nor httpd. */
#ifndef WGW_EXCHANGE_HEAD_H
#define WGW_EXCHANGE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wgw_head_fault_t {
    WGW_HEAD_OK,
    WGW_HEAD_STATUS_FORM,     /* not "ddd" or "ddd text" */
    WGW_HEAD_STATUS_INTERIM,  /* 1xx: the server's business (RFC 9110, 15.2) */
    WGW_HEAD_STATUS_RANGE,    /* outside 200 to 599 (RFC 9110, 15) */
    WGW_HEAD_STATUS_CONTROL,  /* a control character in it (PEP 3333) */
    WGW_HEAD_NAME_EMPTY,
    WGW_HEAD_NAME_CHARACTER,  /* not a token (RFC 9110, 5.6.2) */
    WGW_HEAD_VALUE_CONTROL,   /* a control character in it (PEP 3333) */
    WGW_HEAD_LENGTH_FORM      /* Content-Length that is not one decimal number */
} wgw_head_fault_t;

/* Say in words what a fault is, for the exception that the application sees. */
const char *wgw_head_fault_text(wgw_head_fault_t fault);

/* Check a status string; *code_out and *reason_out (into `text`) are set when it is right. */
wgw_head_fault_t wgw_head_check_status(const char *text, size_t len, int *code_out,
                                       const char **reason_out);

/* Check a field name. */
wgw_head_fault_t wgw_head_check_name(const char *name, size_t len);

/* Check a field value. */
wgw_head_fault_t wgw_head_check_value(const char *value, size_t len);

/* Read a Content-Length (RFC 9110, 8.6). */
wgw_head_fault_t wgw_head_parse_length(const char *value, size_t len, int64_t *length_out);

/* Tell whether a field belongs to the connection and so to the server (PEP 3333,
 * "Other HTTP Features"; RFC 9110, 7.6.1). `name` is compared without case. */
bool wgw_head_is_hop_by_hop(const char *name, size_t len);

/* Tell whether a response with this status has no body (RFC 9110, 6.4.1 and 15.3.6). */
bool wgw_head_is_bodiless(int status);

#endif
