/* Reading a request. Whoever writes to a connection is authenticated by the key,
 * but not believed: every length and order is checked, and waiting for the rest
 * of a frame is bounded. */
#include "worker/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "wire/descriptor.h"
#include "worker/exchange.h"
#include "worker/log.h"
#include "worker/stale.h"
#include "worker/worker.h"

typedef enum {
    NOTHING, /* no more has come */
    REQUEST, /* one is complete */
    OVER     /* the connection is at its end, or not to be trusted */
} found_t;

typedef struct {
    wgw_conn_t *conn;
    wgw_buffer_t *in;
    size_t at;    /* bytes of `in` that are done with */
    int fd;       /* that came along, -1 none */
    wgw_deadline_t rest_by; /* until when the rest of a frame has to come; 0 nothing is awaited */
    wgw_frame_t frame; /* the REQUEST or CALL */
} reader_t;

/* --- reading -------------------------------------------------------------------------- */

/* Wait for more of a frame that has begun. httpd's children write one in one go; an OPEN is small
 * enough to come in one piece, so that nobody without the key holds up a thread. */
static bool wait_for_rest(reader_t *r)
{
    enum { REST_US = 10000000 };
    struct pollfd one = { .fd = r->conn->sock, .events = POLLIN };

    if (r->conn->phase.in == WGW_IN_CLOSED)
        return false;
    if (!r->rest_by.at_us)
        r->rest_by = wgw_deadline_in_us(REST_US);
    int left_ms = (int)((wgw_deadline_left_us(r->rest_by) + 999) / 1000);
    int count = left_ms ? poll(&one, 1, left_ms) : 0;
    return count == 1 || (count < 0 && errno == EINTR);
}

static found_t refuse_peer(const char *why)
{
    wgw_log(&wgw_wrk_log, WGW_LOG_WARN, WGWNO(0065) "a connection to this process was closed: %s",
            why);
    return OVER;
}

/* Receive once. Returns: REQUEST when something came. */
static found_t receive(reader_t *r, size_t room)
{
    enum { FIRST_ROOM = 16 * 1024 };
    bool is_surplus;
    int fd;

    if (!wgw_buffer_reserve(r->in, room > FIRST_ROOM ? room : FIRST_ROOM))
        return refuse_peer("no memory is left for its request");
    ssize_t len = wgw_recv_with_fd(r->conn->sock, r->in->data + r->in->len,
                                   r->in->size - r->in->len, 0, &fd, &is_surplus);
    if (len < 0 && errno == EINTR)
        return receive(r, room);
    if (len < 0 && errno == EAGAIN) {
        if (r->in->len == r->at)
            return NOTHING;
        return wait_for_rest(r) ? receive(r, room) : refuse_peer("a frame was not complete in time");
    }
    if (len <= 0)
        return OVER;
    r->in->len += (size_t)len;
    if (fd >= 0 && (is_surplus || r->fd >= 0)) {
        close(fd);
        return refuse_peer("it brought more than one descriptor");
    }
    r->fd = fd >= 0 ? fd : r->fd;
    return REQUEST;
}

/* Compare without telling by the time it takes where the difference is. */
static bool is_key(const char *key)
{
    const char *own = wgw_wrk.spec.key;
    unsigned char difference = 0;

    if (strlen(own) != WGW_KEY_SIZE)
        return false;
    for (size_t i = 0; i < WGW_KEY_SIZE; i++)
        difference |= (unsigned char)(own[i] ^ key[i]);
    return difference == 0;
}

static found_t take_open(const char *payload, const wgw_frame_t *frame)
{
    if (frame->len != 1 + WGW_KEY_SIZE || payload[0] != WGW_WIRE_VERSION)
        return refuse_peer("it speaks another version of the protocol");
    if (!is_key(payload + 1))
        return refuse_peer("it does not have the key of this generation: it is not from httpd, or "
                           "from a child of an httpd that is gone");
    return NOTHING;
}

/* Take a frame that is complete. Returns: NOTHING to go on. */
static found_t take_frame(reader_t *r, const wgw_frame_t *frame)
{
    const char *payload = r->in->data + r->at + WGW_FRAME_HEADER_SIZE;

    wgw_phase_take(&r->conn->phase, frame);
    r->at += WGW_FRAME_HEADER_SIZE + frame->len;
    if (frame->type == WGW_FRAME_OPEN)
        return take_open(payload, frame);
    r->frame = *frame;
    return r->at == r->in->len ? REQUEST : refuse_peer("something came after a request");
}

/* Read until there is a request, or nothing more. The payload stays in `in`, up to its end. */
static found_t read_request(reader_t *r)
{
    for (;;) {
        size_t have = r->in->len - r->at, need = WGW_FRAME_HEADER_SIZE;
        wgw_frame_t frame = { 0 };
        if (have >= need) {
            if (!wgw_frame_decode(r->in->data + r->at, &frame))
                return refuse_peer("it sent what is not a frame");
            if (!wgw_phase_allows(&r->conn->phase, &frame))
                return refuse_peer("a frame came that may not come now");
            need += frame.len;
        }
        found_t found = have >= need && frame.type ? take_frame(r, &frame)
                                                   : receive(r, need - have);
        if (found == OVER || (found == REQUEST && r->frame.type) ||
            (found == NOTHING && r->at == r->in->len && have < need))
            return found;
    }
}

/* --- serving -------------------------------------------------------------------------- */

static double now_seconds(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

static void run(wgw_wrk_exchange_t *x, const wgw_request_note_t *note, wgw_policy_t *policy)
{
    int64_t begun_us = wgw_now_us(), ends_us = x->request.ends_by.at_us;

    if (atomic_load(&wgw_wrk.is_refusing)) {
        wgw_wrk_exchange_refuse(x, 0);
        return;
    }
    if (note->epoch != wgw_wrk.epoch)
        wgw_row_claim(wgw_wrk.row); /* it was claimed from the process before this one */
    x->request.daemon_start = now_seconds();
    wgw_stale_adjust(&x->request.target);
    wgw_wrk_count_inside();
    if (x->slot && ends_us)
        wgw_slot_enter(x->slot, ends_us, note->entry);
    bool is_late = ends_us && ends_us <= begun_us; /* this process was stopped: nobody waits */
    int http_status = is_late ? 504 : wgw_bridge_handle(wgw_wrk.bridge, &x->exchange);
    wgw_wrk_exchange_leave(x);
    if (http_status == WGW_BRIDGE_STALE) {
        wgw_stale_report(&x->request.target);
        wgw_wrk_exchange_refuse(x, WGW_FRAME_STALE);
        return;
    }
    wgw_wrk_exchange_end(x, http_status);
    wgw_policy_note(policy, wgw_now_us() - begun_us);
}

static bool serve_request(reader_t *r, wgw_request_memory_t *memory)
{
    wgw_wrk_exchange_t x;
    const char *payload = r->in->data + r->at - r->frame.len;
    bool has_file = r->frame.flags & WGW_FRAME_HAS_FILE;

    if (has_file != (r->fd >= 0))
        return false;
    wgw_wrk_exchange_init(&x, r->conn, &memory->head, r->fd);
    x.slot = memory->slot;
    bool is_read = r->frame.type == WGW_FRAME_CALL
        ? wgw_call_decode(payload, r->frame.len, &memory->vars, &x.request, &x.note)
        : wgw_request_decode(payload, r->frame.len, &memory->vars, &x.request, &x.note);
    if (!is_read)
        return false;
    r->fd = -1;
    if (x.note.has_body || has_file)
        wgw_phase_body_is_complete(&r->conn->phase);
    wgw_wrk_count_in();
    run(&x, &x.note, &memory->policy);
    wgw_wrk_exchange_deinit(&x);
    wgw_wrk_count_out();
    return true;
}

void wgw_request_serve(wgw_conn_t *conn, wgw_request_memory_t *memory)
{
    enum { KEPT_BYTES = 64 * 1024 };
    reader_t r = { .conn = conn, .in = &memory->in, .fd = -1 };

    wgw_buffer_clear(&memory->in, KEPT_BYTES);
    found_t found = read_request(&r);
    if (found == NOTHING)
        wgw_conn_disown(conn);
    else if (found == OVER)
        wgw_conn_close(conn);
    else if (!serve_request(&r, memory)) {
        refuse_peer("it sent a request that cannot be read");
        wgw_conn_close(conn);
    }
    if (r.fd >= 0)
        close(r.fd);
}

void wgw_request_drained(wgw_conn_t *conn)
{
    if (conn->output.is_broken || conn->is_closing)
        wgw_conn_close(conn);
    else
        wgw_conn_disown(conn);
    wgw_wrk_count_out();
}
