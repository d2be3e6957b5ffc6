/* The process is hostile: exchange/reply.c judges what it says, descriptors are
 * checked here, and whatever it does ends at this request. */
#include "server/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <http_core.h>

#include "exchange/reply.h"
#include "server/module.h"
#include "server/queue.h"
#include "server/upload.h"
#include "wire/descriptor.h"

enum { SPAN_COUNT = 32, IN_SIZE = 64 * 1024 };
enum { FILES_MOST = 16 }; /* of one response: their descriptors stay open until it has ended */

typedef enum {
    STEP_ON,
    STEP_OVER, /* the response has ended, or there is none: `http_status` */
    STEP_AGAIN /* nobody has seen the request: another process may get it */
} step_t;

typedef struct {
    wgw_exchange_t *x;
    wgw_brigade_t *brigade; /* of x; NULL: it is a question, which has neither body nor response */
    request_rec *r;
    const wgw_pool_t *pool;
    wgw_seat_t seat;
    wgw_link_t *link;
    wgw_upload_t upload;
    wgw_reply_t reply;
    wgw_buffer_t in;         /* what was received and not taken */
    size_t at;               /* bytes of it that were taken */
    wgw_deadline_t frame_by; /* until when a frame that has begun has to be complete; 0 none has */
    wgw_deadline_t ends_by;  /* until when the response has to be complete */
    int64_t limit_us;        /* of the first receive: at most half of request-timeout */
    int64_t silent_us;       /* since something came: of receives that got nothing */
    int64_t late_us;         /* waited for the process after ends_by */
    int fd;                  /* a descriptor that came, before its FILE; -1 */
    int held_file;           /* a file whose turn it is, until what follows is known; -1 */
    int64_t held_offset, held_size;
    unsigned file_count;     /* that came */
    wgw_span_t spans[SPAN_COUNT]; /* of the body, to leave together */
    size_t span_count;
    bool has_head;           /* it was set in httpd */
    bool has_output;         /* something has left */
    bool has_ended;          /* the response is over; the application's close() may be running */
    bool is_usable;          /* the connection, for another request */
    int http_status;
} relay_t;

/* --- the end of a request that went wrong --------------------------------------------- */

/* End it so that the client sees it: by a status as long as nothing has left. */
static step_t fail(relay_t *y, int http_status)
{
    if (y->has_ended)
        return STEP_OVER;
    if (y->has_output) {
        y->x->ops->cut(y->x);
        atomic_fetch_add(&y->pool->board->cut_count, 1);
        return STEP_OVER;
    }
    if (y->has_head)
        wgw_brigade_forget_head(y->brigade);
    y->http_status = http_status;
    return STEP_OVER;
}

static void log_bad(const relay_t *y, const char *wrong)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r,
                  WGWNO(0051) "a daemon process of pool '%s' sent what it may not: %s; the request "
                  "is ended", y->pool->name, wrong);
}

static step_t fail_bad(relay_t *y, const char *wrong)
{
    log_bad(y, wrong);
    return fail(y, HTTP_BAD_GATEWAY);
}

/* "by signal 11 (Segmentation fault)", "with exit code 3". */
static const char *how_ended(const relay_t *y)
{
    int status = wgw_queue_exit_status(y->pool, y->link);

    if (status != -1 && WIFSIGNALED(status))
        return apr_psprintf(y->r->pool, "was ended by signal %d (%s)", WTERMSIG(status),
                            strsignal(WTERMSIG(status)));
    if (status != -1 && WIFEXITED(status))
        return apr_psprintf(y->r->pool, "exited with code %d", WEXITSTATUS(status));
    return "closed the connection";
}

/* The connection has ended before the response. */
static step_t lose(relay_t *y)
{
    if (y->has_ended)
        return STEP_OVER; /* nobody but the supervisor, which logs it, has to care */
    if (!y->has_head && !wgw_queue_has_begun(&y->seat) && !wgw_upload_has_begun(&y->upload)) {
        wgw_queue_give_back(y->pool, y->link);
        return STEP_AGAIN;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r,
                  WGWNO(0052) "the daemon process of pool '%s' that served this request %s; %s. The "
                  "error log of '%s' has more about it, and the Python stacks after a signal",
                  y->pool->name, how_ended(y),
                  y->has_output ? "the response is cut" : "the client gets 502",
                  y->pool->server->server_hostname);
    return fail(y, HTTP_BAD_GATEWAY);
}

static step_t time_out(relay_t *y)
{
    if (y->has_ended)
        return STEP_OVER;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r,
                  WGWNO(0053) "the application in pool '%s' sent nothing for %" APR_INT64_T_FMT " s "
                  "(socket-timeout); %s", y->pool->name, y->pool->socket_timeout_us / 1000000,
                  y->has_output ? "the response is cut" : "the client gets 504");
    return fail(y, HTTP_GATEWAY_TIME_OUT);
}

/* The request has had its time (request-timeout, and interrupt-timeout). The process is not asked:
 * it may be stopped, or hostile. */
static step_t expire(relay_t *y)
{
    if (y->has_ended)
        return STEP_OVER;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r,
                  WGWNO(0150) "the request ran out of time in pool '%s' (request-timeout); %s. The "
                  "error log of '%s' has the Python stacks", y->pool->name,
                  y->has_output ? "the response is cut" : "the client gets 504",
                  y->pool->server->server_hostname);
    return fail(y, HTTP_GATEWAY_TIME_OUT);
}

static bool has_end(const relay_t *y)
{
    return y->pool->request_timeout_us != 0;
}

/* Nothing more is here to be taken: go on waiting? Where Python has been left in time, as the
 * process says, what it has kept for a slow client may follow; but that is here already, or
 * nearly, so that waiting for it does not last. */
static step_t check_end(relay_t *y)
{
    if (!has_end(y) || wgw_deadline_left_us(y->ends_by) > 0)
        return STEP_ON;
    if (!y->has_ended && wgw_queue_is_done(&y->seat) && y->late_us < y->pool->socket_timeout_us)
        return STEP_ON;
    return expire(y);
}

/* --- the response --------------------------------------------------------------------- */

/* The file goes together with the end, if that follows: filters need to see it so. */
static wgw_status_t pass_file(relay_t *y, bool is_last)
{
    wgw_exchange_t *x = y->x;
    int fd = y->held_file;

    y->held_file = -1;
    return x->ops->send_file(x, fd, y->held_offset, y->held_size, is_last);
}

/* Pass on what has gathered. Whoever fails below has ended the response. */
static step_t pass_on(relay_t *y, bool is_last)
{
    wgw_exchange_t *x = y->x;

    if (y->has_ended || (!y->span_count && y->held_file < 0 && !is_last))
        return STEP_ON;
    y->has_output = true;
    wgw_status_t status = y->held_file >= 0
        ? pass_file(y, is_last) : x->ops->write_body(x, y->spans, y->span_count, is_last);
    y->span_count = 0;
    return status || is_last ? STEP_OVER : STEP_ON;
}

static step_t take_head(relay_t *y, const wgw_head_t *head)
{
    y->has_head = true;
    wgw_queue_note_head(&y->seat);
    return y->x->ops->send_head(y->x, head) ? STEP_OVER : STEP_ON;
}

static step_t take_block(relay_t *y, wgw_span_t span)
{
    bool is_full = y->span_count == SPAN_COUNT || y->held_file >= 0;
    step_t step = is_full ? pass_on(y, false) : STEP_ON;

    if (span.len && step == STEP_ON)
        y->spans[y->span_count++] = span;
    return step;
}

static step_t take_file(relay_t *y, const wgw_reply_event_t *event)
{
    static const char *const FAULTS[] = {
        [WGW_FILE_NOT_REGULAR] = "a descriptor that is not of a regular file",
        [WGW_FILE_NOT_READABLE] = "a descriptor that is not open for reading",
        [WGW_FILE_NOT_LOCAL] = "a descriptor of what is not a file on a local file system",
        [WGW_FILE_TOO_SHORT] = "a file that is shorter than it says",
    };
    step_t step = pass_on(y, false);

    if (step != STEP_ON)
        return step;
    if (y->fd < 0)
        return fail_bad(y, "a file without a descriptor");
    if (++y->file_count > FILES_MOST)
        return fail_bad(y, "more than 16 files in one response");
    wgw_file_fault_t fault = wgw_file_check(y->fd, event->offset, event->size);
    if (fault)
        return fail_bad(y, FAULTS[fault]);
    y->held_file = y->fd;
    y->held_offset = event->offset;
    y->held_size = event->size;
    y->fd = -1;
    return STEP_ON;
}

/* The response is over; the request is, too, if this was its last frame. */
static step_t end_response(relay_t *y, const wgw_reply_event_t *event)
{
    y->has_ended = true;
    y->is_usable = event->is_last && !event->closes;
    return event->is_last ? STEP_OVER : STEP_ON;
}

static step_t take_end(relay_t *y, const wgw_reply_event_t *event)
{
    pass_on(y, true);
    return end_response(y, event);
}

/* The application's output had begun, also where none of it has left httpd yet. */
static step_t take_cut(relay_t *y, const wgw_reply_event_t *event)
{
    wgw_exchange_t *x = y->x;
    step_t step = pass_on(y, false);

    if (event->wrong)
        log_bad(y, event->wrong);
    if (step == STEP_ON && !y->has_output) /* the head goes first */
        x->ops->write_body(x, NULL, 0, false);
    if (step == STEP_ON)
        x->ops->cut(x);
    return end_response(y, event);
}

static step_t take_refusal(relay_t *y, const wgw_reply_event_t *event)
{
    y->is_usable = !event->closes;
    if (wgw_upload_has_begun(&y->upload))
        return fail_bad(y, "a refusal after it read the body");
    if (event->is_stale && wgw_queue_is_old_right(&y->seat))
        return fail_bad(y, "a refusal of what it was to serve with old code");
    if (event->is_stale)
        wgw_queue_want_fresh(&y->seat);
    return STEP_AGAIN;
}

static step_t take_event(relay_t *y, const wgw_reply_event_t *event)
{
    wgw_exchange_t *x = y->x;

    switch (event->kind) {
    case WGW_REPLY_HEAD:
        return take_head(y, &event->head);
    case WGW_REPLY_BLOCK:
        return take_block(y, event->span);
    case WGW_REPLY_FILE:
        return take_file(y, event);
    case WGW_REPLY_LOG:
        x->ops->log(x, event->level, event->span.data, event->span.len);
        return STEP_ON;
    case WGW_REPLY_WANT_BODY:
        return STEP_ON;
    case WGW_REPLY_END:
        return take_end(y, event);
    case WGW_REPLY_CUT:
        return take_cut(y, event);
    case WGW_REPLY_DONE:
        y->is_usable = !event->closes;
        return STEP_OVER;
    case WGW_REPLY_STATUS:
        y->is_usable = !event->closes;
        return fail(y, event->http_status);
    case WGW_REPLY_REFUSED:
        return take_refusal(y, event);
    case WGW_REPLY_ANSWER:
        y->is_usable = !event->closes;
        x->ops->answer(x, event->verdict, event->span);
        return STEP_OVER;
    default:
        return fail_bad(y, event->wrong);
    }
}

/* A frame that comes byte by byte gets no longer than one that does not come. */
static step_t bound_frame(relay_t *y)
{
    if (y->at)
        y->frame_by.at_us = 0;
    if (y->at < y->in.len && !y->frame_by.at_us)
        y->frame_by = wgw_deadline_in_us(y->pool->socket_timeout_us);
    return y->frame_by.at_us && wgw_deadline_left_us(y->frame_by) == 0 ? time_out(y) : STEP_ON;
}

/* Take all that is complete, and pass on what came together, together. *need_out: bytes the
 * next frame has to have. */
static step_t take_events(relay_t *y, size_t *need_out)
{
    wgw_reply_event_t event;
    step_t step = STEP_ON;

    while (step == STEP_ON) {
        size_t used = wgw_reply_next(&y->reply, y->in.data + y->at, y->in.len - y->at, &event);
        y->at += used;
        if (event.kind != WGW_REPLY_MORE)
            step = take_event(y, &event);
        else if (!used)
            break;
    }
    *need_out = event.need;
    if (step == STEP_ON)
        step = pass_on(y, false);
    if (step == STEP_ON)
        step = bound_frame(y);
    wgw_buffer_consume(&y->in, y->at);
    y->at = 0;
    return step;
}

/* --- receiving ------------------------------------------------------------------------ */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long the next receive may last. The usual limit stays with a connection, so that a request
 * that is answered soon costs no call for it. */
static void limit_receive(relay_t *y)
{
    int64_t limit_us = least(y->limit_us, y->pool->socket_timeout_us - y->silent_us);

    if (has_end(y)) {
        int64_t left_us = wgw_deadline_left_us(y->ends_by);
        limit_us = least(limit_us, left_us ? left_us : y->pool->socket_timeout_us - y->late_us);
    }
    wgw_link_set_limit(y->link, limit_us);
}

/* A receive got nothing for as long as its limit. */
static step_t note_silence(relay_t *y)
{
    y->silent_us += y->link->limit_us;
    if (y->silent_us >= y->pool->socket_timeout_us)
        return time_out(y);
    step_t step = check_end(y);
    if (step == STEP_ON)
        limit_receive(y);
    return step;
}

static step_t receive(relay_t *y, size_t need, int flags, bool *moved_out)
{
    size_t room = need > IN_SIZE ? need : IN_SIZE; /* more than is there: a frame is incomplete */
    bool is_surplus;
    int fd;

    if (!wgw_buffer_reserve(&y->in, room - y->in.len))
        return fail(y, HTTP_INTERNAL_SERVER_ERROR);
    ssize_t len = wgw_recv_with_fd(y->link->sock, y->in.data + y->in.len, y->in.size - y->in.len,
                                   flags, &fd, &is_surplus);
    if (fd >= 0 && (is_surplus || y->fd >= 0)) {
        close(fd);
        return fail_bad(y, "more than one descriptor");
    }
    y->fd = fd >= 0 ? fd : y->fd;
    if (len > 0) {
        y->in.len += (size_t)len;
        y->silent_us = 0;
        *moved_out = true;
        return STEP_ON;
    }
    if (len < 0 && errno == EINTR)
        return STEP_ON;
    if (len < 0 && errno == EAGAIN)
        return flags & MSG_DONTWAIT ? STEP_ON : note_silence(y);
    return lose(y);
}

/* Move the body and the response on, in whichever direction something goes. */
static step_t receive_while_sending(relay_t *y, size_t need)
{
    wgw_deadline_t reply_by = wgw_deadline_in_us(y->pool->socket_timeout_us);
    bool has_moved = false;
    step_t step = STEP_ON;

    while (step == STEP_ON && !has_moved && wgw_upload_is_pending(&y->upload)) {
        if (wgw_deadline_left_us(y->ends_by) == 0)
            return expire(y);
        if (wgw_upload_advance(&y->upload, y->link, &has_moved) != 0)
            y->upload.is_over = true; /* it reads no more; what it says is still to be read */
        step = receive(y, need, MSG_DONTWAIT, &has_moved);
        if (step == STEP_ON && !has_moved && !wgw_upload_wait(&y->upload, y->link, reply_by, y->ends_by))
            step = wgw_deadline_left_us(y->ends_by) ? time_out(y) : STEP_ON;
    }
    return step;
}

static step_t receive_more(relay_t *y, size_t need)
{
    bool has_moved, is_late = has_end(y) && wgw_deadline_left_us(y->ends_by) == 0;
    int64_t before_us = is_late ? wgw_now_us() : 0;
    step_t step;

    if (y->link->phase.in == WGW_IN_WANTED && !y->has_ended && wgw_upload_is_pending(&y->upload))
        step = receive_while_sending(y, need);
    else
        step = receive(y, need, 0, &has_moved);
    if (is_late)
        y->late_us += wgw_now_us() - before_us;
    return step;
}

/* --- the request ---------------------------------------------------------------------- */

static bool encode_open(relay_t *y, wgw_buffer_t *out)
{
    char frame[WGW_FRAME_HEADER_SIZE + 1 + WGW_KEY_SIZE];
    wgw_frame_t open = { .type = WGW_FRAME_OPEN };

    if (y->link->phase.in != WGW_IN_CLOSED)
        return true;
    wgw_frame_encode(frame, WGW_FRAME_OPEN, 0, 1 + WGW_KEY_SIZE);
    frame[WGW_FRAME_HEADER_SIZE] = WGW_WIRE_VERSION;
    memcpy(frame + WGW_FRAME_HEADER_SIZE + 1, y->pool->key, WGW_KEY_SIZE);
    wgw_phase_take(&y->link->phase, &open);
    return wgw_buffer_append(out, frame, sizeof frame);
}

/* Build what is sent before the process has said anything: nothing else may follow it. */
static bool encode(relay_t *y, wgw_buffer_t *out)
{
    const wgw_upload_t *up = &y->upload;
    wgw_frame_t frame = { .type = y->x->request->question ? WGW_FRAME_CALL : WGW_FRAME_REQUEST };
    wgw_request_note_t note = { .entry = y->seat.number, .epoch = y->link->epoch,
                                .has_body = up->is_whole };

    if (up->is_whole)
        note.body = (wgw_span_t){ up->ahead.data, up->ahead.len };
    if (!encode_open(y, out) ||
        !wgw_request_encode(out, y->x->request, &note,
                            up->file >= 0 ? WGW_FRAME_HAS_FILE : 0))
        return false;
    wgw_phase_take(&y->link->phase, &frame);
    if (up->is_whole || up->file >= 0)
        wgw_phase_body_is_complete(&y->link->phase);
    return true;
}

static step_t send_request(relay_t *y)
{
    wgw_buffer_t *out = &y->in; /* nothing has been received yet */
    int error = 0;

    wgw_buffer_clear(out, IN_SIZE);
    wgw_buffer_reserve(out, IN_SIZE);
    bool is_encoded = encode(y, out);
    if (is_encoded)
        error = wgw_link_send(y->link, out->data, out->len, y->upload.file,
                              wgw_deadline_earlier(wgw_deadline_in_us(y->pool->socket_timeout_us),
                                                   y->ends_by));
    wgw_buffer_clear(out, IN_SIZE);
    if (!is_encoded) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r,
                      WGWNO(0054) "the request is too large to be sent to a daemon process, or there "
                      "is no memory");
        return fail(y, HTTP_INTERNAL_SERVER_ERROR);
    }
    if (error == EAGAIN)
        return wgw_deadline_left_us(y->ends_by) ? time_out(y) : expire(y);
    return error ? lose(y) : STEP_ON;
}

static step_t serve(relay_t *y)
{
    size_t need = 0;
    step_t step = send_request(y);

    y->frame_by.at_us = 0;
    y->silent_us = 0;
    limit_receive(y);
    wgw_reply_init(&y->reply, &y->link->phase, y->x->request,
                   (size_t)y->pool->header_buffer_bytes);
    while (step == STEP_ON) {
        step = receive_more(y, need);
        if (step == STEP_ON)
            step = take_events(y, &need);
        if (step == STEP_ON)
            step = check_end(y);
    }
    if (y->fd >= 0 || y->in.len)
        y->is_usable = false; /* something came that belongs to no request */
    if (y->fd >= 0)
        close(y->fd);
    if (y->held_file >= 0)
        close(y->held_file);
    y->fd = y->held_file = -1;
    wgw_buffer_clear(&y->in, IN_SIZE);
    return step;
}

/* --- finding a process ---------------------------------------------------------------- */

static int refuse(relay_t *y, int http_status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, y->r, "%s", why);
    if (http_status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(y->r->err_headers_out, "Retry-After", "10");
    return http_status;
}

static int refuse_full(relay_t *y)
{
    return refuse(y, HTTP_SERVICE_UNAVAILABLE,
                  apr_psprintf(y->r->pool, WGWNO(0058) "the queue of pool '%s' is full "
                               "(listen-backlog); the client gets 503", y->pool->name));
}

static int refuse_late(relay_t *y)
{
    return refuse(y, HTTP_GATEWAY_TIME_OUT,
                  apr_psprintf(y->r->pool, WGWNO(0151) "the request ran out of time (request-timeout) "
                               "before a thread of pool '%s' was found for it; the client gets 504",
                               y->pool->name));
}

static bool is_late(const relay_t *y)
{
    int64_t ends_us = y->x->request->ends_by.at_us;

    return ends_us && wgw_now_us() >= ends_us;
}

static int refuse_claim(relay_t *y, wgw_claim_t why)
{
    apr_pool_t *p = y->r->pool;

    if (why == WGW_CLAIM_LATE && is_late(y))
        return refuse_late(y);
    if (why == WGW_CLAIM_FULL)
        return refuse_full(y);
    if (why == WGW_CLAIM_STOPS)
        return HTTP_SERVICE_UNAVAILABLE; /* nobody is there to read it */
    if (why == WGW_CLAIM_LATE)
        return refuse(y, HTTP_GATEWAY_TIME_OUT,
                      apr_psprintf(p, WGWNO(0055) "no thread of pool '%s' became idle in time "
                                   "(queue-timeout, else socket-timeout); the client gets 504",
                                   y->pool->name));
    return refuse(y, HTTP_SERVICE_UNAVAILABLE,
                  apr_psprintf(p, WGWNO(0056) "no process of pool '%s' is there; the client gets 503. "
                               "The error log of '%s' says why none could be started",
                               y->pool->name, y->pool->server->server_hostname));
}

/* The request is ours until it is sent. */
static wgw_request_t *request_of(const relay_t *y)
{
    return (wgw_request_t *)(uintptr_t)y->x->request;
}

/* Offer the request to one process after another, as long as none has seen it. */
static int find_and_serve(relay_t *y)
{
    unsigned tries = 2 * y->pool->row_count + 2;
    wgw_claim_t claim;
    step_t step = STEP_AGAIN;

    while (step == STEP_AGAIN && tries--) {
        if (is_late(y))
            return refuse_late(y);
        if ((claim = wgw_queue_claim(&y->seat, &y->link)) != WGW_CLAIMED)
            return refuse_claim(y, claim);
        if (wgw_queue_is_old_right(&y->seat))
            request_of(y)->target.is_reloading = false;
        y->is_usable = false;
        step = serve(y);
        wgw_queue_release(y->pool, y->link, y->is_usable);
        if (step == STEP_AGAIN)
            atomic_fetch_add(&y->pool->board->retried_count, 1);
        wgw_upload_rewind(&y->upload);
    }
    if (step == STEP_AGAIN)
        return refuse(y, HTTP_SERVICE_UNAVAILABLE,
                      apr_psprintf(y->r->pool, WGWNO(0057) "every process of pool '%s' that was asked "
                                   "refused the request or ended before it took it; the client gets "
                                   "503", y->pool->name));
    return y->http_status;
}

static double now_seconds(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

/* response-socket-timeout: for writing to the client while the response is passed on. */
static void set_client_timeout(const relay_t *y, apr_interval_time_t *before, bool begins)
{
    conn_rec *c = y->r->connection;
    apr_socket_t *socket = c->master ? NULL : ap_get_conn_socket(c);

    if (!y->pool->response_socket_timeout_us || !socket)
        return;
    if (begins)
        apr_socket_timeout_get(socket, before);
    apr_socket_timeout_set(socket, begins ? y->pool->response_socket_timeout_us : *before);
}

/* request-timeout counts from when httpd began with the request, by the clock of the day. */
static void set_end(relay_t *y, wgw_request_t *request)
{
    int64_t timeout_us = y->pool->request_timeout_us;

    y->limit_us = y->pool->socket_timeout_us;
    y->ends_by.at_us = INT64_MAX;
    if (!timeout_us)
        return;
    int64_t gone_us = apr_time_now() - y->r->request_time;
    request->ends_by = wgw_deadline_in_us(timeout_us - (gone_us > 0 ? gone_us : 0));
    y->ends_by.at_us = request->ends_by.at_us + y->pool->interrupt_timeout_us;
    y->limit_us = least(y->limit_us, timeout_us / 2 + 1);
}

static wgw_deadline_t queue_end(const wgw_request_t *request)
{
    return (wgw_deadline_t){ request->ends_by.at_us ? request->ends_by.at_us : INT64_MAX };
}

static int relay(relay_t *y)
{
    apr_interval_time_t before = 0;
    wgw_request_t *request = request_of(y);

    y->fd = y->held_file = y->upload.file = -1;
    if (!y->pool->board)
        return refuse_claim(y, WGW_CLAIM_NOBODY);
    request->queue_start = now_seconds();
    set_end(y, request);
    int status = y->brigade ? wgw_upload_begin(&y->upload, y->brigade, y->pool) : 0;
    if (!status && !wgw_queue_enter(y->pool, y->r, queue_end(request), &y->seat))
        status = refuse_full(y);
    else if (!status) {
        set_client_timeout(y, &before, true);
        status = find_and_serve(y);
        set_client_timeout(y, &before, false);
        wgw_queue_leave(&y->seat);
    }
    wgw_queue_count(y->pool, status);
    wgw_upload_deinit(&y->upload);
    wgw_buffer_deinit(&y->in);
    free(y->reply.fields.fields);
    return status;
}

int wgw_relay_handle(wgw_brigade_t *x, const wgw_pool_t *pool)
{
    return relay(&(relay_t){ .x = &x->exchange, .brigade = x, .r = x->r, .pool = pool });
}

int wgw_relay_ask(wgw_exchange_t *x, request_rec *r, const wgw_pool_t *pool)
{
    return relay(&(relay_t){ .x = x, .r = r, .pool = pool });
}
