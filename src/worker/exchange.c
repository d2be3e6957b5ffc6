#include "worker/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "exchange/answer.h"
#include "wire/descriptor.h"
#include "worker/log.h"
#include "worker/worker.h"

static wgw_wrk_exchange_t *of(wgw_exchange_t *x)
{
    return (wgw_wrk_exchange_t *)x;
}

/* --- request body --------------------------------------------------------------------- */

static wgw_status_t status_of_fault(unsigned fault)
{
    static const wgw_status_t STATUSES[WGW_BODY_FAULT_COUNT] = {
        [WGW_BODY_ABORTED] = WGW_EABORTED,   [WGW_BODY_TIMED_OUT] = WGW_ETIMEDOUT,
        [WGW_BODY_MALFORMED] = WGW_EPROTO,   [WGW_BODY_TOO_LARGE] = WGW_ETOOLARGE,
        [WGW_BODY_FAILED] = WGW_EFAILED,
    };

    return fault > 0 && fault < WGW_BODY_FAULT_COUNT ? STATUSES[fault] : WGW_EFAILED;
}

/* Receive at least one byte. httpd tells by a frame when its client is silent for too long; that
 * frame has to come within the deadline here. */
static ssize_t receive(int sock, char *buf, size_t size)
{
    enum { MARGIN_MS = 10000 };
    int patience = (int)(wgw_wrk.spec.client_timeout_us / 1000) + MARGIN_MS;

    for (;;) {
        struct pollfd one = { .fd = sock, .events = POLLIN };
        ssize_t len = recv(sock, buf, size, MSG_DONTWAIT);
        if (len >= 0 || (errno != EAGAIN && errno != EINTR))
            return len;
        if (errno == EAGAIN && poll(&one, 1, patience) == 0)
            return -1;
    }
}

static bool receive_all(int sock, char *buf, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t len = receive(sock, buf + at, size - at);
        if (len <= 0)
            return false;
        at += (size_t)len;
    }
    return true;
}

/* Say that the application reads: only then does httpd send, and answer an Expect. */
static wgw_status_t want_body(wgw_conn_t *conn)
{
    wgw_frame_t frame = { .type = WGW_FRAME_WANT_BODY };
    char header[WGW_FRAME_HEADER_SIZE];
    struct iovec span = { header, sizeof header };

    if (!wgw_phase_take(&conn->phase, &frame))
        return WGW_EFAILED;
    wgw_conn_mute(conn);
    wgw_frame_encode(header, frame.type, 0, 0);
    return wgw_output_queue_send(&conn->output, &span, 1, -1) ? WGW_OK : WGW_EABORTED;
}

/* Read the header of the next frame of the body, and all of those that have no bytes. */
static wgw_status_t next_frame(wgw_wrk_exchange_t *x, wgw_conn_t *conn)
{
    char header[WGW_FRAME_HEADER_SIZE], fault = 0;
    wgw_frame_t frame;

    if (!receive_all(conn->sock, header, sizeof header))
        return WGW_EABORTED;
    if (!wgw_frame_decode(header, &frame) || wgw_frame_is_from_daemon(frame.type) ||
        !wgw_phase_take(&conn->phase, &frame))
        return WGW_EPROTO;
    switch (frame.type) {
    case WGW_FRAME_BODY:
        x->frame_left = frame.len;
        return WGW_OK;
    case WGW_FRAME_BODY_END:
        x->is_body_at_end = true;
        return WGW_OK;
    case WGW_FRAME_BODY_FAULT:
        return frame.len == 1 && receive_all(conn->sock, &fault, 1)
            ? status_of_fault((unsigned char)fault) : WGW_EPROTO;
    default:
        return WGW_EPROTO;
    }
}

static wgw_status_t read_stream(wgw_wrk_exchange_t *x, char *buf, size_t size, size_t *len_out)
{
    wgw_conn_t *conn = x->conn;
    wgw_status_t status = WGW_OK;

    if (!conn)
        return WGW_EUNWANTED;
    if (conn->phase.in == WGW_IN_HELD)
        status = want_body(conn);
    while (!status && !x->frame_left && !x->is_body_at_end)
        status = next_frame(x, conn);
    if (status || x->is_body_at_end)
        return status;
    ssize_t len = receive(conn->sock, buf, size < x->frame_left ? size : x->frame_left);
    if (len <= 0)
        return WGW_EABORTED;
    x->frame_left -= (size_t)len;
    *len_out = (size_t)len;
    return WGW_OK;
}

static wgw_status_t read_file(int file, char *buf, size_t size, size_t *len_out)
{
    ssize_t len = read(file, buf, size);

    if (len < 0)
        return WGW_EFAILED;
    *len_out = (size_t)len;
    return WGW_OK;
}

static wgw_status_t read_body(wgw_exchange_t *exchange, char *buf, size_t size, size_t *len_out)
{
    wgw_wrk_exchange_t *x = of(exchange);

    *len_out = 0;
    if (x->body_fault || x->is_body_at_end)
        return x->body_fault;
    if (x->has_ended)
        return WGW_EUNWANTED;
    if (x->note.has_body) {
        size_t left = x->note.body.len - x->body_at;
        *len_out = size < left ? size : left;
        memcpy(buf, x->note.body.data + x->body_at, *len_out);
        x->body_at += *len_out;
        x->is_body_at_end = *len_out == 0;
        return WGW_OK;
    }
    x->body_fault = x->body_file >= 0 ? read_file(x->body_file, buf, size, len_out)
                                      : read_stream(x, buf, size, len_out);
    return x->body_fault;
}

/* --- sending -------------------------------------------------------------------------- */

/* Spans to send as they gather; small numbers need no allocation. */
typedef struct {
    struct iovec few[16];
    struct iovec *items;
    int count;
} spans_t;

static bool spans_init(spans_t *s, size_t most)
{
    bool is_few = most <= sizeof s->few / sizeof *s->few;

    s->items = is_few ? s->few : malloc(most * sizeof *s->items);
    s->count = 0;
    return s->items != NULL;
}

static void spans_add(spans_t *s, const void *data, size_t len)
{
    if (len)
        s->items[s->count++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

static void spans_deinit(spans_t *s)
{
    if (s->items != s->few)
        free(s->items);
}

/* The head that waits goes first. */
static void add_head(wgw_wrk_exchange_t *x, spans_t *s)
{
    wgw_frame_t frame = { .type = WGW_FRAME_HEAD };

    if (!x->has_head)
        return;
    wgw_phase_take(&x->conn->phase, &frame);
    spans_add(s, x->head->data, x->head->len);
    x->has_head = false;
}

/* The last frame of a request. Where the body was wanted and not read to its end, nobody knows
 * where the next request begins: the connection ends, too. */
static unsigned closing_flags(wgw_conn_t *conn)
{
    conn->is_closing = conn->phase.in == WGW_IN_WANTED || atomic_load(&wgw_wrk.is_refusing);
    return conn->is_closing ? WGW_FRAME_CLOSES : 0;
}

/* The frame that ends a response, which is the last of the request if Python has been left. */
static void add_end(wgw_wrk_exchange_t *x, spans_t *s, char header[WGW_FRAME_HEADER_SIZE],
                    wgw_frame_type_t type)
{
    wgw_frame_t frame = { .type = type };

    if (x->has_left)
        frame.flags = closing_flags(x->conn) | WGW_FRAME_LAST;
    wgw_frame_encode(header, type, frame.flags, 0);
    spans_add(s, header, WGW_FRAME_HEADER_SIZE);
    wgw_phase_take(&x->conn->phase, &frame);
    x->has_ended = true;
}

/* After the last frame: another request may come, for any thread. */
static void let_go(wgw_conn_t *conn)
{
    if (!wgw_output_queue_finish(&conn->output))
        wgw_wrk_count_in(); /* until the I/O thread has sent the rest */
    else if (conn->is_closing || conn->output.is_broken)
        wgw_conn_close(conn);
    else
        wgw_conn_disown(conn);
}

/* No other thread's LOG may follow the last frame: it would be taken for the next request's. */
static bool send_last(wgw_wrk_exchange_t *x, const spans_t *s, int fd)
{
    wgw_conn_t *conn = x->conn;

    pthread_mutex_lock(&x->ending);
    bool is_right = wgw_output_queue_send(&conn->output, s->items, s->count, fd);
    x->conn = NULL;
    pthread_mutex_unlock(&x->ending);
    let_go(conn);
    return is_right;
}

static wgw_status_t send_spans(wgw_wrk_exchange_t *x, const spans_t *s, int fd, bool is_last)
{
    bool is_right = is_last && x->has_left
        ? send_last(x, s, fd) : wgw_output_queue_send(&x->conn->output, s->items, s->count, fd);

    return is_right ? WGW_OK : WGW_EABORTED;
}

static wgw_status_t send_head(wgw_exchange_t *exchange, const wgw_head_t *head)
{
    wgw_wrk_exchange_t *x = of(exchange);

    x->head->len = 0;
    x->has_head = wgw_head_encode(x->head, head);
    if (x->has_head)
        return WGW_OK;
    wgw_log(&(wgw_log_sink_t){ exchange->ops->log, exchange }, WGW_LOG_ERR,
            WGWNO(0066) "the head of the response is larger than 1 MiB; the request gets 500");
    wgw_buffer_deinit(x->head);
    x->fail_status = 500;
    return WGW_EFAILED;
}

static size_t total_of(const wgw_span_t *spans, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += spans[i].len;
    return total;
}

static wgw_status_t write_frame(wgw_wrk_exchange_t *x, const wgw_span_t *spans, size_t count,
                                bool is_last)
{
    char header[WGW_FRAME_HEADER_SIZE], last[WGW_FRAME_HEADER_SIZE];
    size_t total = total_of(spans, count);
    spans_t s;

    if (!spans_init(&s, count + 3))
        return WGW_EFAILED;
    add_head(x, &s);
    if (total) {
        wgw_frame_encode(header, WGW_FRAME_BLOCK, 0, total);
        spans_add(&s, header, sizeof header);
        for (size_t i = 0; i < count; i++)
            spans_add(&s, spans[i].data, spans[i].len);
    }
    if (is_last)
        add_end(x, &s, last, WGW_FRAME_END);
    wgw_status_t status = send_spans(x, &s, -1, is_last);
    spans_deinit(&s);
    return status;
}

static wgw_status_t write_body(wgw_exchange_t *exchange, const wgw_span_t *spans, size_t count,
                               bool is_last)
{
    wgw_wrk_exchange_t *x = of(exchange);
    size_t most = wgw_frame_most(WGW_FRAME_BLOCK);

    if (!x->conn || x->has_ended)
        return WGW_EFAILED;
    if (total_of(spans, count) <= most)
        return write_frame(x, spans, count, is_last);
    wgw_status_t status = WGW_OK;
    for (size_t i = 0; i < count && !status; i++)
        for (size_t at = 0; at < spans[i].len && !status; at += most) {
            size_t left = spans[i].len - at;
            wgw_span_t part = { spans[i].data + at, left < most ? left : most };
            status = write_frame(x, &part, 1, false);
        }
    return status || !is_last ? status : write_frame(x, NULL, 0, true);
}

/* --- files ---------------------------------------------------------------------------- */

/* The descriptor goes to httpd, and no byte of the file through the socket. */
static wgw_status_t pass_file(wgw_wrk_exchange_t *x, int fd, int64_t offset, int64_t size,
                              bool is_last)
{
    wgw_buffer_t frame = { 0 };
    char last[WGW_FRAME_HEADER_SIZE];
    spans_t s;

    spans_init(&s, 3);
    wgw_buffer_append(&frame, (char[WGW_FRAME_HEADER_SIZE]){ 0 }, WGW_FRAME_HEADER_SIZE);
    wgw_put_u64(&frame, (uint64_t)offset);
    wgw_put_u64(&frame, (uint64_t)size);
    if (frame.is_short) {
        close(fd);
        return WGW_EFAILED;
    }
    wgw_frame_encode(frame.data, WGW_FRAME_FILE, 0, frame.len - WGW_FRAME_HEADER_SIZE);
    add_head(x, &s);
    spans_add(&s, frame.data, frame.len);
    if (is_last)
        add_end(x, &s, last, WGW_FRAME_END);
    wgw_status_t status = send_spans(x, &s, fd, is_last);
    wgw_buffer_deinit(&frame);
    return status;
}

static void cut(wgw_exchange_t *exchange);

/* A file that httpd must not read, because its file system may make it wait. */
static wgw_status_t copy_file(wgw_wrk_exchange_t *x, int fd, int64_t offset, int64_t size,
                              bool is_last)
{
    enum { PIECE = 64 * 1024 };
    char *piece = malloc(PIECE);
    wgw_status_t status = piece ? WGW_OK : WGW_EFAILED;

    if (!status && !size)
        status = write_frame(x, NULL, 0, is_last);
    while (!status && size) {
        ssize_t len = pread(fd, piece, size < PIECE ? (size_t)size : PIECE, offset);
        if (len <= 0) { /* it has become shorter: what was promised cannot be kept */
            cut(&x->exchange);
            status = WGW_EFAILED;
            break;
        }
        offset += len;
        size -= len;
        wgw_span_t span = { piece, (size_t)len };
        status = write_frame(x, &span, 1, is_last && !size);
    }
    free(piece);
    close(fd);
    return status;
}

static wgw_status_t send_file(wgw_exchange_t *exchange, int fd, int64_t offset, int64_t size,
                              bool is_last)
{
    wgw_wrk_exchange_t *x = of(exchange);

    if (!x->conn || x->has_ended) {
        close(fd);
        return WGW_EFAILED;
    }
    return wgw_file_check(fd, offset, size) == WGW_FILE_OK ? pass_file(x, fd, offset, size, is_last)
                                                           : copy_file(x, fd, offset, size, is_last);
}

/* --- the end -------------------------------------------------------------------------- */

static void cut(wgw_exchange_t *exchange)
{
    wgw_wrk_exchange_t *x = of(exchange);
    char header[WGW_FRAME_HEADER_SIZE];
    spans_t s;

    if (!x->conn || x->has_ended)
        return;
    spans_init(&s, 2);
    add_head(x, &s);
    add_end(x, &s, header, WGW_FRAME_CUT);
    send_spans(x, &s, -1, true);
}

/* The last frame, of those that are no end of a response. */
static void say_last(wgw_wrk_exchange_t *x, wgw_frame_type_t type, unsigned flags,
                     const char *payload, size_t len)
{
    wgw_frame_t frame = { .type = type, .flags = closing_flags(x->conn) | flags, .len = len };
    char header[WGW_FRAME_HEADER_SIZE];
    spans_t s;

    spans_init(&s, 2);
    wgw_frame_encode(header, type, frame.flags, len);
    wgw_phase_take(&x->conn->phase, &frame);
    spans_add(&s, header, sizeof header);
    spans_add(&s, payload, len);
    send_last(x, &s, -1);
}

void wgw_wrk_exchange_refuse(wgw_wrk_exchange_t *x, unsigned flags)
{
    if (x->conn)
        say_last(x, WGW_FRAME_REFUSED, flags, NULL, 0);
}

void wgw_wrk_exchange_end(wgw_wrk_exchange_t *x, int http_status)
{
    wgw_conn_t *conn = x->conn;

    if (!conn)
        return;
    if (x->fail_status)
        http_status = x->fail_status;
    if (x->has_ended) {
        say_last(x, WGW_FRAME_DONE, 0, NULL, 0);
    } else if (http_status && (conn->phase.answer == WGW_ANSWER_PENDING ||
                               conn->phase.answer == WGW_ANSWER_ASKED)) {
        char payload[2] = { (char)(http_status & 0xff), (char)(http_status >> 8) };
        say_last(x, WGW_FRAME_STATUS, 0, payload, sizeof payload);
    } else {
        pthread_mutex_lock(&x->ending);
        x->conn = NULL;
        pthread_mutex_unlock(&x->ending);
        wgw_conn_close(conn);
    }
}

static void answer(wgw_exchange_t *exchange, wgw_verdict_t verdict, wgw_span_t text)
{
    wgw_wrk_exchange_t *x = of(exchange);
    char payload[1 + WGW_ANSWER_MOST] = { (char)verdict };

    if (text.len)
        memcpy(payload + 1, text.data, text.len);
    if (x->conn)
        say_last(x, WGW_FRAME_ANSWER, 0, payload, 1 + text.len);
}

static wgw_entry_t *entry_of(const wgw_request_note_t *note)
{
    return note->entry < wgw_wrk.entry_count ? &wgw_wrk.entries[note->entry] : NULL;
}

/* From here on the application may have seen the request: no other process may get it. A script
 * that ends the process when it is imported must not do so to one process after another, either. */
static void enter(wgw_exchange_t *exchange)
{
    wgw_entry_t *entry = entry_of(&of(exchange)->note);

    if (atomic_fetch_add(&wgw_wrk.row->request_count, 1) + 1 >= wgw_wrk.request_most)
        wgw_wrk_want(WGW_CAUSE_MAXIMUM_REQUESTS);
    if (!entry)
        return;
    atomic_store(&entry->row, wgw_wrk.row_number);
    atomic_store(&entry->epoch, wgw_wrk.epoch);
    atomic_store(&entry->since_us, wgw_now_us());
    atomic_store(&entry->state, WGW_ENTRY_BEGUN);
}

/* Should the httpd child be dead, its entry can be freed: no thread is in it any more. */
static void mark_done(const wgw_request_note_t *note)
{
    wgw_entry_t *entry = entry_of(note);
    uint32_t begun = WGW_ENTRY_BEGUN;

    if (entry && atomic_load(&entry->epoch) == wgw_wrk.epoch)
        atomic_compare_exchange_strong(&entry->state, &begun, WGW_ENTRY_DONE);
}

void wgw_wrk_exchange_leave(wgw_wrk_exchange_t *x)
{
    if (x->has_left)
        return;
    x->has_left = true;
    if (x->slot)
        wgw_slot_leave(x->slot);
    mark_done(&x->note);
    wgw_wrk_count_outside();
    wgw_wrk_idle();
}

static void leave(wgw_exchange_t *exchange)
{
    wgw_wrk_exchange_leave(of(exchange));
}

/* --- log ------------------------------------------------------------------------------ */

/* A line of the request goes to httpd, which knows its virtual host and its id; where httpd has
 * gone, to the log of the pool. */
static void log_line(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    wgw_wrk_exchange_t *x = of(ctx);
    char header[WGW_FRAME_HEADER_SIZE + 1];
    size_t most = wgw_frame_most(WGW_FRAME_LOG) - 1;

    if (len > most)
        len = most;
    wgw_frame_encode(header, WGW_FRAME_LOG, 0, 1 + len);
    header[WGW_FRAME_HEADER_SIZE] = (char)level;
    struct iovec spans[] = { { header, sizeof header }, { (void *)(uintptr_t)text, len } };
    pthread_mutex_lock(&x->ending);
    bool is_sent = x->conn && wgw_output_queue_send(&x->conn->output, spans, len ? 2 : 1, -1);
    pthread_mutex_unlock(&x->ending);
    if (!is_sent)
        wgw_wrk_log.write(wgw_wrk_log.ctx, level, text, len);
}

static const wgw_exchange_ops_t OPS = {
    .read_body = read_body,
    .send_head = send_head,
    .write_body = write_body,
    .send_file = send_file,
    .cut = cut,
    .answer = answer,
    .enter = enter,
    .leave = leave,
    .log = log_line,
};

void wgw_wrk_exchange_init(wgw_wrk_exchange_t *x, wgw_conn_t *conn, wgw_buffer_t *head,
                           int body_file)
{
    enum { KEPT_BYTES = 16 * 1024 };

    *x = (wgw_wrk_exchange_t){ .conn = conn, .ending = PTHREAD_MUTEX_INITIALIZER, .head = head,
                               .body_file = body_file };
    x->exchange = (wgw_exchange_t){ .ops = &OPS, .request = &x->request };
    wgw_buffer_clear(head, KEPT_BYTES);
}

void wgw_wrk_exchange_deinit(wgw_wrk_exchange_t *x)
{
    if (x->body_file >= 0)
        close(x->body_file);
}
