/* What a supervisor knows, on its way to its successor over exec(). One function of each noun names
 * its fields once: it writes them where the state is saved, and reads them where it is restored.
 * Descriptors keep their numbers. */
#ifndef WGW_SUPERVISOR_STATE_H
#define WGW_SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cursor.h"

/* Another number for every change of what is moved: there is no other check of it. */
enum { WGW_SUP_STATE_VERSION = 1 };

typedef struct wgw_state_t {
    bool is_saving;
    wgw_buffer_t out;  /* while saving */
    wgw_buffer_t fds;  /* while saving: the numbers, as int */
    wgw_cursor_t in;   /* while restoring; a fault stays */
} wgw_state_t;

void wgw_sup_state_bool(wgw_state_t *state, bool *value);
void wgw_sup_state_u32(wgw_state_t *state, uint32_t *value);
void wgw_sup_state_i32(wgw_state_t *state, int32_t *value);
void wgw_sup_state_u64(wgw_state_t *state, uint64_t *value);
void wgw_sup_state_i64(wgw_state_t *state, int64_t *value);

/* A number of an enumeration with `count` members. */
void wgw_sup_state_enum(wgw_state_t *state, unsigned *value, unsigned count);

/* Bytes; those that are restored replace what is in the buffer. */
void wgw_sup_state_bytes(wgw_state_t *state, wgw_buffer_t *bytes);

/* A text in an array of `size` bytes. */
void wgw_sup_state_text(wgw_state_t *state, char *text, size_t size);

/* A descriptor, or -1. Owns: once it is restored, whoever restores it; it is CLOEXEC again. */
void wgw_sup_state_fd(wgw_state_t *state, int *fd);

/* Tell whether everything could be written; or read, and nothing else is left. */
bool wgw_sup_state_is_whole(const wgw_state_t *state);

/* Let the descriptors survive exec(), or not any more. */
void wgw_sup_state_expose(const wgw_state_t *state, bool is_exposed);

/* Put what was saved into a memory file. Returns: it, CLOEXEC; or -1 with errno. */
int wgw_sup_state_store(const wgw_state_t *state);

/* Read it from such a file, which is closed. Owns: the caller frees *memory_out.
 * Returns: false when it cannot be read. */
bool wgw_sup_state_load(wgw_state_t *state, int fd, char **memory_out);

void wgw_sup_state_deinit(wgw_state_t *state);

#endif
