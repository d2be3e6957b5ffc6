#include "server/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_portable.h>
#include <http_core.h>
#include <http_protocol.h>

#include "server/module.h"
#include "wire/descriptor.h"

enum { PIECE = 64 * 1024 };

/* --- before the request is sent ------------------------------------------------------- */

static wgw_status_t read_some(wgw_upload_t *up, char *buf, size_t size, size_t *len_out)
{
    wgw_exchange_t *x = &up->x->exchange;

    return x->ops->read_body(x, buf, size, len_out);
}

/* Read a small body whole, so that it rides with the head and no daemon thread waits for it. What
 * fails now is told when the application reads, as it is in embedded mode. A filter may make it
 * longer than its Content-Length: then the rest is streamed. */
static void read_ahead(wgw_upload_t *up, size_t length)
{
    size_t len = 1;

    while (!up->fault && len && up->ahead.len <= length &&
           wgw_buffer_reserve(&up->ahead, length + 1 - up->ahead.len)) {
        up->fault = read_some(up, up->ahead.data + up->ahead.len, length + 1 - up->ahead.len, &len);
        up->ahead.len += up->fault ? 0 : len;
    }
    up->is_whole = !up->fault && !len;
}

static int open_spool(void)
{
    const char *folder = getenv("TMPDIR");
    int fd = open(folder && *folder == '/' ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t done = write(fd, data, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        len -= (size_t)done;
    }
    return true;
}

static int http_status_of(wgw_status_t fault)
{
    switch (fault) {
    case WGW_ETIMEDOUT:
        return HTTP_REQUEST_TIME_OUT;
    case WGW_ETOOLARGE:
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    default:
        return HTTP_BAD_REQUEST;
    }
}

/* request-spool: the whole body goes to a file first, and the application gets that. */
static int spool(wgw_upload_t *up)
{
    request_rec *r = up->x->r;
    char *piece = malloc(PIECE);
    size_t len = 1;
    bool is_written = true;

    up->file = piece ? open_spool() : -1;
    while (up->file >= 0 && !up->fault && len && is_written) {
        up->fault = read_some(up, piece, PIECE, &len);
        is_written = up->fault || write_all(up->file, piece, len);
    }
    free(piece);
    if (up->fault)
        return http_status_of(up->fault);
    if (up->file >= 0 && is_written && lseek(up->file, 0, SEEK_SET) == 0)
        return 0;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(errno), r,
                  WGWNO(0050) "the request body could not be written to a file (request-spool); see "
                  "the space in TMPDIR, /tmp and /var/tmp");
    return HTTP_INTERNAL_SERVER_ERROR;
}

int wgw_upload_begin(wgw_upload_t *up, wgw_brigade_t *x, const wgw_pool_t *pool)
{
    int64_t length = x->exchange.request->content_length;

    *up = (wgw_upload_t){ .x = x, .file = -1 };
    if (length == 0)
        up->is_whole = true;
    else if (length > 0 && length <= pool->request_buffer_bytes && !x->r->expecting_100)
        read_ahead(up, (size_t)length);
    else if (pool->spools_requests)
        return spool(up);
    return 0;
}

/* --- when it is wanted ---------------------------------------------------------------- */

static void put_frame(wgw_upload_t *up, wgw_frame_type_t type, const char *data, size_t len)
{
    char header[WGW_FRAME_HEADER_SIZE];

    wgw_frame_encode(header, type, 0, len);
    wgw_buffer_append(&up->frames, header, sizeof header);
    wgw_buffer_append(&up->frames, data, len);
}

static wgw_body_fault_t fault_of(wgw_status_t status)
{
    switch (status) {
    case WGW_EABORTED:
        return WGW_BODY_ABORTED;
    case WGW_ETIMEDOUT:
        return WGW_BODY_TIMED_OUT;
    case WGW_EPROTO:
        return WGW_BODY_MALFORMED;
    case WGW_ETOOLARGE:
        return WGW_BODY_TOO_LARGE;
    default:
        return WGW_BODY_FAILED;
    }
}

static void end_with(wgw_upload_t *up, wgw_status_t fault)
{
    char code = (char)fault_of(fault);

    if (fault)
        put_frame(up, WGW_FRAME_BODY_FAULT, &code, 1);
    else
        put_frame(up, WGW_FRAME_BODY_END, NULL, 0);
    up->is_over = true;
}

static void set_client_deadline(wgw_upload_t *up)
{
    up->client_by = wgw_deadline_in_us(up->x->r->server->timeout);
}

/* Make the next frames of what has been read, or can be without waiting. */
static void fill(wgw_upload_t *up)
{
    size_t len = 0;

    if (up->ahead.len) {
        put_frame(up, WGW_FRAME_BODY, up->ahead.data, up->ahead.len);
        wgw_buffer_deinit(&up->ahead);
        return;
    }
    if (up->fault || !wgw_buffer_reserve(&up->frames, WGW_FRAME_HEADER_SIZE + PIECE)) {
        end_with(up, up->fault ? up->fault : WGW_EFAILED);
        return;
    }
    char *header = up->frames.data + up->frames.len;
    for (size_t more = 1; more && len < PIECE && !up->fault; len += more)
        up->fault = wgw_brigade_read_ready(up->x, header + WGW_FRAME_HEADER_SIZE + len, PIECE - len,
                                           &more);
    if (len) {
        wgw_frame_encode(header, WGW_FRAME_BODY, 0, len);
        up->frames.len += WGW_FRAME_HEADER_SIZE + len;
        set_client_deadline(up);
    }
    if (up->fault || up->x->is_input_at_end)
        end_with(up, up->fault);
    else if (!len && wgw_deadline_left_us(up->client_by) == 0)
        end_with(up, WGW_ETIMEDOUT);
}

bool wgw_upload_has_begun(const wgw_upload_t *up)
{
    return up->client_by.at_us != 0;
}

static bool has_frames(const wgw_upload_t *up)
{
    return up->sent < up->frames.len;
}

bool wgw_upload_is_pending(const wgw_upload_t *up)
{
    return !up->is_whole && up->file < 0 && (!up->is_over || has_frames(up));
}

/* Note in the connection's phase what was sent whole. */
static void note_end(wgw_link_t *link)
{
    wgw_frame_t frame = { .type = WGW_FRAME_BODY_END };

    wgw_phase_take(&link->phase, &frame);
}

/* httpd's filter says so by itself only where it may wait for the client. */
static void answer_expectation(request_rec *r)
{
    int status = r->status;
    const char *line = r->status_line;

    if (!r->expecting_100)
        return;
    r->status = HTTP_CONTINUE;
    r->status_line = ap_get_status_line(HTTP_CONTINUE);
    ap_send_interim_response(r, 0);
    r->status = status;
    r->status_line = line;
    r->expecting_100 = 0;
}

int wgw_upload_advance(wgw_upload_t *up, wgw_link_t *link, bool *moved_out)
{
    enum { KEPT_BYTES = 128 * 1024 };

    if (!up->client_by.at_us) {
        answer_expectation(up->x->r);
        set_client_deadline(up);
    }
    if (!has_frames(up) && !up->is_over) {
        wgw_buffer_clear(&up->frames, KEPT_BYTES);
        up->sent = 0;
        fill(up);
    }
    if (!has_frames(up))
        return 0;
    struct iovec span = { up->frames.data + up->sent, up->frames.len - up->sent };
    ssize_t len = wgw_send_with_fd(link->sock, &span, 1, -1, MSG_DONTWAIT);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    up->sent += (size_t)len;
    *moved_out = true;
    if (up->is_over && !has_frames(up))
        note_end(link);
    return 0;
}

/* The client's socket, if waiting for it tells about the body: not in HTTP/2, where a connection
 * has many streams. */
static int client_socket(const conn_rec *c)
{
    apr_socket_t *socket = c->master ? NULL : ap_get_conn_socket((conn_rec *)(uintptr_t)c);
    apr_os_sock_t fd;

    return socket && apr_os_sock_get(&fd, socket) == APR_SUCCESS ? fd : -1;
}

bool wgw_upload_wait(wgw_upload_t *up, const wgw_link_t *link, wgw_deadline_t reply_by,
                     wgw_deadline_t ends_by)
{
    enum { BLIND_US = 10000, SLICE_US = 500000 };
    bool wants_client = !has_frames(up) && !up->is_over;
    int client = wants_client ? client_socket(up->x->r->connection) : -1;
    wgw_deadline_t until = reply_by;

    if (wants_client) /* filters, such as mod_reqtimeout's, look at the time only when asked */
        until = wgw_deadline_in_us(client < 0 ? BLIND_US : SLICE_US);
    int ready = wgw_link_wait(link, has_frames(up), client, wgw_deadline_earlier(until, ends_by));
    return ready != 0 || wants_client;
}

void wgw_upload_rewind(wgw_upload_t *up)
{
    if (up->file >= 0)
        lseek(up->file, 0, SEEK_SET);
}

void wgw_upload_deinit(wgw_upload_t *up)
{
    wgw_buffer_deinit(&up->ahead);
    wgw_buffer_deinit(&up->frames);
    if (up->file >= 0)
        close(up->file);
}
