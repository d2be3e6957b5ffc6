#include "worker/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/descriptor.h"
#include "worker/conn.h"
#include "worker/worker.h"

/* A part of what waits, to be sent in order. */
struct wgw_piece_t {
    wgw_piece_t *next;
    size_t len;     /* bytes left */
    size_t offset;  /* of the first of them, in data */
    int64_t at;     /* in the spool file; -1: in data */
    int fd;         /* goes with the first byte; -1 none or gone */
    char data[];
};

enum {
    PATIENCE_MS = 2,             /* for a peer that is reading: cheaper than copying */
    SPOOL_MOST = 64 * 1024 * 1024,           /* bytes of one response in its file */
    SPOOL_MOST_OF_ALL = 1024 * 1024 * 1024   /* of all responses of the process */
};

static atomic_size_t spooled_bytes; /* of all responses */

void wgw_output_queue_init(wgw_output_queue_t *q)
{
    *q = (wgw_output_queue_t){ .lock = PTHREAD_MUTEX_INITIALIZER, .sock = -1, .spool = -1 };
    pthread_cond_init(&q->shrunk, NULL);
}

/* The lock is taken because the I/O thread may look at the connection that the record was. */
void wgw_output_queue_reset(wgw_output_queue_t *q, int sock)
{
    pthread_mutex_lock(&q->lock);
    q->sock = sock;
    q->is_watched = q->is_broken = q->is_ended = false;
    pthread_mutex_unlock(&q->lock);
}

/* --- keeping -------------------------------------------------------------------------- */

static void append(wgw_output_queue_t *q, wgw_piece_t *piece)
{
    piece->next = NULL;
    if (q->last)
        q->last->next = piece;
    else
        q->first = piece;
    q->last = piece;
}

static void drop_first_locked(wgw_output_queue_t *q)
{
    wgw_piece_t *piece = q->first;

    q->first = piece->next;
    if (!q->first)
        q->last = NULL;
    if (piece->fd >= 0)
        close(piece->fd);
    free(piece);
}

static void count_memory_locked(wgw_output_queue_t *q, size_t more, size_t less)
{
    q->memory_bytes += more - less;
    atomic_fetch_add(&wgw_wrk.queued_bytes, more - less);
}

/* Start the spool file over when nothing of it is left to send. */
static void rewind_spool_locked(wgw_output_queue_t *q)
{
    if (q->first || q->spool < 0)
        return;
    atomic_fetch_sub(&spooled_bytes, (size_t)q->spool_end);
    q->spool_end = 0;
    if (ftruncate(q->spool, 0) != 0) {
        close(q->spool);
        q->spool = -1;
    }
}

static void break_locked(wgw_output_queue_t *q)
{
    q->is_broken = true;
    while (q->first)
        drop_first_locked(q);
    count_memory_locked(q, 0, q->memory_bytes);
    rewind_spool_locked(q);
    pthread_cond_broadcast(&q->shrunk);
}

static bool is_room_in_memory(size_t len)
{
    return atomic_load(&wgw_wrk.queued_bytes) + len <= wgw_wrk.spec.response_buffer_bytes;
}

static bool keep_in_memory_locked(wgw_output_queue_t *q, const char *data, size_t len, int fd)
{
    wgw_piece_t *piece = malloc(sizeof *piece + len);
    if (!piece)
        return false;
    *piece = (wgw_piece_t){ .len = len, .at = -1, .fd = fd };
    memcpy(piece->data, data, len);
    append(q, piece);
    count_memory_locked(q, len, 0);
    return true;
}

static int open_spool(void)
{
    const char *folder = getenv("TMPDIR");

    int fd = open(folder && *folder == '/' ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static bool keep_in_file_locked(wgw_output_queue_t *q, const char *data, size_t len)
{
    if (q->spool < 0)
        q->spool = open_spool();
    if (q->spool < 0 || q->spool_end + (int64_t)len > SPOOL_MOST ||
        atomic_load(&spooled_bytes) + len > SPOOL_MOST_OF_ALL)
        return false;
    wgw_piece_t *piece = malloc(sizeof *piece);
    ssize_t done = piece ? pwrite(q->spool, data, len, q->spool_end) : -1;
    if (done != (ssize_t)len) { /* the disk is full: what it has is written over */
        free(piece);
        return false;
    }
    *piece = (wgw_piece_t){ .len = len, .at = q->spool_end, .fd = -1 };
    q->spool_end += (int64_t)len;
    atomic_fetch_add(&spooled_bytes, len);
    append(q, piece);
    return true;
}

/* --- sending -------------------------------------------------------------------------- */

static ssize_t send_piece(wgw_output_queue_t *q, const wgw_piece_t *piece)
{
    off_t at = piece->at;

    if (piece->at >= 0)
        return sendfile(q->sock, q->spool, &at, piece->len);
    struct iovec span = { (char *)(uintptr_t)piece->data + piece->offset, piece->len };
    return wgw_send_with_fd(q->sock, &span, 1, piece->fd, MSG_DONTWAIT);
}

static void note_sent_locked(wgw_output_queue_t *q, size_t len)
{
    wgw_piece_t *piece = q->first;

    if (piece->fd >= 0)
        close(piece->fd);
    piece->fd = -1;
    piece->len -= len;
    piece->offset += len;
    if (piece->at >= 0)
        piece->at += (int64_t)len;
    else
        count_memory_locked(q, 0, len);
    if (piece->len == 0)
        drop_first_locked(q);
}

static void flush_locked(wgw_output_queue_t *q)
{
    while (q->first) {
        ssize_t len = send_piece(q, q->first);
        if (len > 0)
            note_sent_locked(q, (size_t)len);
        else if (len < 0 && errno == EINTR)
            continue;
        else if (len < 0 && errno == EAGAIN)
            break;
        else
            break_locked(q);
    }
    rewind_spool_locked(q);
    pthread_cond_broadcast(&q->shrunk);
}

wgw_flushed_t wgw_output_queue_flush(wgw_output_queue_t *q)
{
    wgw_flushed_t flushed = WGW_FLUSHED_SOME;

    pthread_mutex_lock(&q->lock);
    flush_locked(q);
    if (!q->first) {
        flushed = q->is_ended ? WGW_FLUSHED_LAST : WGW_FLUSHED_ALL;
        q->is_watched = q->is_ended = false;
    }
    pthread_mutex_unlock(&q->lock);
    return flushed;
}

/* Wait until the I/O thread has made room. Returns: false when nothing has moved for as long as
 * socket-timeout. */
static bool wait_for_room_locked(wgw_output_queue_t *q)
{
    struct timespec until =
        wgw_deadline_timespec(wgw_deadline_in_us((int64_t)wgw_wrk.spec.socket_timeout_us));

    return pthread_cond_clockwait(&q->shrunk, &q->lock, CLOCK_MONOTONIC, &until) == 0;
}

static void watch_locked(wgw_output_queue_t *q)
{
    if (!q->is_watched)
        wgw_conn_watch_output(q);
    q->is_watched = true;
}

/* What goes with a descriptor is kept in memory in any case: it is the header of a frame. So is one
 * piece of each connection where there is no room for a file: others may have all of the memory. */
static bool keep_piece_locked(wgw_output_queue_t *q, const char *data, size_t len, int fd)
{
    if ((fd >= 0 || is_room_in_memory(len)) && keep_in_memory_locked(q, data, len, fd))
        return true;
    return fd < 0 && (keep_in_file_locked(q, data, len) ||
                      (!q->first && keep_in_memory_locked(q, data, len, -1)));
}

/* Keep one span for the I/O thread. The pieces of a span that goes to a file are small enough
 * to be written at once. */
static void keep_locked(wgw_output_queue_t *q, const char *data, size_t len, int fd)
{
    enum { PIECE = 256 * 1024 };

    while (len && !q->is_broken) {
        size_t part = len < PIECE ? len : PIECE;
        if (keep_piece_locked(q, data, part, fd)) {
            data += part;
            len -= part;
            fd = -1;
            watch_locked(q);
        } else if (!q->first || !wait_for_room_locked(q)) {
            break_locked(q);
        }
    }
    if (fd >= 0)
        close(fd);
}

/* --- the thread's side ---------------------------------------------------------------- */

/* Tell whether the socket takes more within a moment. */
static bool is_taking(int sock)
{
    struct pollfd one = { .fd = sock, .events = POLLOUT };

    return poll(&one, 1, PATIENCE_MS) == 1 && !(one.revents & (POLLERR | POLLHUP));
}

/* Send as much as goes. Returns: how many bytes of the spans were sent. */
static size_t send_now_locked(wgw_output_queue_t *q, const struct iovec *spans, int count,
                              size_t total, int fd)
{
    struct iovec rest[8];
    size_t sent = 0;
    bool was_patient = false;

    while (sent < total) {
        size_t skip = sent;
        int used = 0;
        for (int i = 0; i < count && used < 8; i++) {
            size_t gone = skip < spans[i].iov_len ? skip : spans[i].iov_len;
            skip -= gone;
            if (spans[i].iov_len > gone)
                rest[used++] = (struct iovec){ (char *)spans[i].iov_base + gone,
                                               spans[i].iov_len - gone };
        }
        ssize_t len = wgw_send_with_fd(q->sock, rest, used, sent ? -1 : fd, MSG_DONTWAIT);
        if (len > 0) {
            sent += (size_t)len;
            was_patient = false;
        } else if (len < 0 && errno == EAGAIN) {
            if (was_patient || !is_taking(q->sock))
                break;
            was_patient = true;
        } else if (errno != EINTR) {
            break_locked(q);
            break;
        }
    }
    return sent;
}

static size_t total_of(const struct iovec *spans, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++)
        total += spans[i].iov_len;
    return total;
}

bool wgw_output_queue_send(wgw_output_queue_t *q, const struct iovec *spans, int count, int fd)
{
    pthread_mutex_lock(&q->lock);
    size_t skip = q->first || q->is_broken
        ? 0 : send_now_locked(q, spans, count, total_of(spans, count), fd);
    if (skip && fd >= 0) {
        close(fd);
        fd = -1;
    }
    for (int i = 0; i < count && !q->is_broken; i++) {
        size_t gone = skip < spans[i].iov_len ? skip : spans[i].iov_len;
        skip -= gone;
        if (spans[i].iov_len == gone)
            continue;
        keep_locked(q, (char *)spans[i].iov_base + gone, spans[i].iov_len - gone, fd);
        fd = -1;
    }
    bool is_right = !q->is_broken;
    pthread_mutex_unlock(&q->lock);
    if (fd >= 0)
        close(fd);
    return is_right;
}

bool wgw_output_queue_finish(wgw_output_queue_t *q)
{
    pthread_mutex_lock(&q->lock);
    bool is_empty = !q->first;
    q->is_ended = !is_empty;
    pthread_mutex_unlock(&q->lock);
    return is_empty;
}

void wgw_output_queue_drop(wgw_output_queue_t *q)
{
    pthread_mutex_lock(&q->lock);
    break_locked(q);
    if (q->spool >= 0)
        close(q->spool);
    q->spool = -1;
    q->is_watched = false;
    pthread_mutex_unlock(&q->lock);
}
