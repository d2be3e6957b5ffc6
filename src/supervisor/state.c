/* A restored value that is out of range makes the whole state unusable, as one that is missing. */
#include "supervisor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void wgw_sup_state_u32(wgw_state_t *state, uint32_t *value)
{
    if (state->is_saving)
        wgw_put_u32(&state->out, *value);
    else
        *value = wgw_cursor_u32(&state->in);
}

void wgw_sup_state_u64(wgw_state_t *state, uint64_t *value)
{
    if (state->is_saving)
        wgw_put_u64(&state->out, *value);
    else
        *value = wgw_cursor_u64(&state->in);
}

void wgw_sup_state_i32(wgw_state_t *state, int32_t *value)
{
    uint32_t bits = (uint32_t)*value;

    wgw_sup_state_u32(state, &bits);
    *value = (int32_t)bits;
}

void wgw_sup_state_i64(wgw_state_t *state, int64_t *value)
{
    uint64_t bits = (uint64_t)*value;

    wgw_sup_state_u64(state, &bits);
    *value = (int64_t)bits;
}

void wgw_sup_state_enum(wgw_state_t *state, unsigned *value, unsigned count)
{
    wgw_sup_state_u32(state, value);
    if (*value < count)
        return;
    *value = 0;
    state->in.is_bad = true;
}

void wgw_sup_state_bool(wgw_state_t *state, bool *value)
{
    unsigned number = *value;

    wgw_sup_state_enum(state, &number, 2);
    *value = number != 0;
}

void wgw_sup_state_bytes(wgw_state_t *state, wgw_buffer_t *bytes)
{
    uint32_t len = (uint32_t)bytes->len;

    wgw_sup_state_u32(state, &len);
    if (state->is_saving) {
        wgw_buffer_append(&state->out, bytes->data, bytes->len);
        return;
    }
    const char *data = wgw_cursor_bytes(&state->in, len);
    wgw_buffer_clear(bytes, 0);
    if (data && len && !wgw_buffer_append(bytes, data, len))
        state->in.is_bad = true;
}

void wgw_sup_state_text(wgw_state_t *state, char *text, size_t size)
{
    size_t len = 0;

    if (state->is_saving) {
        wgw_put_text(&state->out, text);
        return;
    }
    const char *found = wgw_cursor_text(&state->in, &len);
    if (len < size)
        memcpy(text, found, len + 1);
    else
        state->in.is_bad = true;
}

void wgw_sup_state_fd(wgw_state_t *state, int *fd)
{
    int32_t number = *fd;

    wgw_sup_state_i32(state, &number);
    if (state->is_saving) {
        if (number >= 0)
            wgw_buffer_append(&state->fds, &number, sizeof number);
        return;
    }
    bool is_there = !state->in.is_bad && number >= 0 && fcntl(number, F_SETFD, FD_CLOEXEC) == 0;
    *fd = is_there ? number : -1;
    if (!is_there && number != -1)
        state->in.is_bad = true;
}

bool wgw_sup_state_is_whole(const wgw_state_t *state)
{
    return state->is_saving ? !state->out.is_short && !state->fds.is_short
                            : wgw_cursor_is_done(&state->in);
}

void wgw_sup_state_expose(const wgw_state_t *state, bool is_exposed)
{
    for (size_t at = 0; at < state->fds.len; at += sizeof(int32_t)) {
        int32_t fd;
        memcpy(&fd, state->fds.data + at, sizeof fd);
        fcntl(fd, F_SETFD, is_exposed ? 0 : FD_CLOEXEC);
    }
}

int wgw_sup_state_store(const wgw_state_t *state)
{
    int fd = memfd_create("wsgigw-state", MFD_CLOEXEC);
    size_t put = 0;

    while (fd >= 0 && put < state->out.len) {
        ssize_t n = write(fd, state->out.data + put, state->out.len - put);
        if (n > 0) {
            put += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

bool wgw_sup_state_load(wgw_state_t *state, int fd, char **memory_out)
{
    struct stat st;
    size_t len = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 0;
    char *memory = malloc(len + 1);

    *state = (wgw_state_t){ .is_saving = false };
    *memory_out = memory;
    bool is_read = memory && len && pread(fd, memory, len, 0) == (ssize_t)len;
    if (is_read)
        state->in = (wgw_cursor_t){ .at = memory, .end = memory + len };
    close(fd);
    return is_read;
}

void wgw_sup_state_deinit(wgw_state_t *state)
{
    wgw_buffer_deinit(&state->out);
    wgw_buffer_deinit(&state->fds);
}
