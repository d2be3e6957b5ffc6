/* A JSON document (RFC 8259), written piece by piece into a buffer. Every text may come from
 * anybody: what is written is JSON and UTF-8 whatever it holds. Knows no schema. */
#ifndef WGW_BASE_JSON_H
#define WGW_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Zero at first. Failure to allocate is sticky in the buffer. */
typedef struct wgw_json_t {
    wgw_buffer_t out;  /* Owns: wgw_buffer_deinit() it */
    bool has_item;     /* in what is open: a comma comes before the next one */
} wgw_json_t;

/* Begin an object or an array: `open` is '{' or '['. `key` NULL: in an array, or outermost. */
void wgw_json_open(wgw_json_t *json, const char *key, char open);

/* End it: `close` is '}' or ']'. */
void wgw_json_close(wgw_json_t *json, char close);

/* A text. Control characters, and what is not UTF-8, do not come through as they are. */
void wgw_json_text(wgw_json_t *json, const char *key, const char *text);

void wgw_json_number(wgw_json_t *json, const char *key, int64_t number);
void wgw_json_bool(wgw_json_t *json, const char *key, bool value);
void wgw_json_null(wgw_json_t *json, const char *key);

/* Microseconds, as a number of seconds. */
void wgw_json_seconds(wgw_json_t *json, const char *key, int64_t us);

#endif
