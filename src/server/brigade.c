/* Request body from, response to, httpd's filters. Must not know Python. */
#include "server/brigade.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "server/config.h"
#include "server/module.h"

static wgw_brigade_t *of(wgw_exchange_t *x)
{
    return (wgw_brigade_t *)x;
}

/* --- request body --------------------------------------------------------------------- */

static wgw_status_t input_status(request_rec *r, apr_status_t rv)
{
    r->connection->keepalive = AP_CONN_CLOSE; /* what follows in the stream is not known */
    if (APR_STATUS_IS_TIMEUP(rv))
        return WGW_ETIMEDOUT;
    if (APR_STATUS_IS_ENOSPC(rv))
        return WGW_ETOOLARGE;
    if (APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_INCOMPLETE(rv) || APR_STATUS_IS_ECONNRESET(rv) ||
        APR_STATUS_IS_ECONNABORTED(rv) || r->connection->aborted)
        return WGW_EABORTED;
    return rv == AP_FILTER_ERROR ? WGW_EFAILED : WGW_EPROTO;
}

static wgw_status_t status_of_error(int http_status)
{
    switch (http_status) {
    case HTTP_REQUEST_TIME_OUT:
        return WGW_ETIMEDOUT;
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return WGW_ETOOLARGE;
    default:
        return WGW_EPROTO;
    }
}

/* Take data from the first bucket of `in`, and drop the bucket when it is used up. */
static wgw_status_t take_bucket(wgw_brigade_t *x, char *buf, size_t size, size_t *len_out)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(x->in);
    const char *data;
    apr_size_t len;

    if (AP_BUCKET_IS_ERROR(bucket))
        return status_of_error(((ap_bucket_error *)bucket->data)->status);
    if (APR_BUCKET_IS_METADATA(bucket)) {
        x->is_input_at_end = APR_BUCKET_IS_EOS(bucket);
        apr_bucket_delete(bucket);
        return WGW_OK;
    }
    apr_status_t rv = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
    if (rv != APR_SUCCESS)
        return input_status(x->r, rv);
    if (len > size) {
        apr_bucket_split(bucket, size);
        len = size;
    }
    memcpy(buf, data, len);
    apr_bucket_delete(bucket);
    *len_out = len;
    return WGW_OK;
}

static wgw_status_t read_pieces(wgw_brigade_t *x, char *buf, size_t size, apr_read_type_e block,
                                size_t *len_out)
{
    request_rec *r = x->r;

    *len_out = 0;
    if (!x->in)
        x->in = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    while (*len_out == 0 && !x->is_input_at_end) {
        if (APR_BRIGADE_EMPTY(x->in)) {
            apr_status_t rv = ap_get_brigade(r->input_filters, x->in, AP_MODE_READBYTES, block,
                                             (apr_off_t)size);
            if (block == APR_NONBLOCK_READ &&
                (APR_STATUS_IS_EAGAIN(rv) || (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(x->in))))
                return WGW_OK; /* nothing has arrived yet */
            if (rv != APR_SUCCESS)
                return input_status(r, rv);
            continue;
        }
        wgw_status_t status = take_bucket(x, buf, size, len_out);
        if (status)
            return status;
    }
    return WGW_OK;
}

static wgw_status_t read_body(wgw_exchange_t *exchange, char *buf, size_t size, size_t *len_out)
{
    wgw_brigade_t *x = of(exchange);
    size_t more = 1;

    *len_out = 0;
    if (x->is_input_dropped)
        return WGW_EUNWANTED;
    if (x->input_fault)
        return x->input_fault;
    x->input_fault = read_pieces(x, buf, size, APR_BLOCK_READ, len_out);
    if (x->input_fault)
        return x->input_fault;
    /* And whatever else has arrived, so that Python is left and entered once for all of it. A
     * fault that this meets is for the next call. */
    for (; more && *len_out < size && !x->is_input_at_end && !x->input_fault; *len_out += more)
        x->input_fault = read_pieces(x, buf + *len_out, size - *len_out, APR_NONBLOCK_READ, &more);
    return WGW_OK;
}

wgw_status_t wgw_brigade_read_ready(wgw_brigade_t *x, char *buf, size_t size, size_t *len_out)
{
    *len_out = 0;
    if (!x->input_fault && !x->is_input_at_end)
        x->input_fault = read_pieces(x, buf, size, APR_NONBLOCK_READ, len_out);
    return x->input_fault;
}

/* --- head ----------------------------------------------------------------------------- */

static bool is_about_content(const char *name)
{
    static const char *const NAMES[] = {
        "Content-Type", "Content-Length", "Content-Encoding", "Content-Language",
        "Content-Location", "Content-Range", "Content-Disposition", "Content-MD5", "ETag",
        "Last-Modified", "Accept-Ranges",
    };

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (ap_cstr_casecmp(name, NAMES[i]) == 0)
            return true;
    return false;
}

/* httpd answers instead (WSGIErrorOverride); what the application says about anything but
 * the content goes with it: cookies, challenges, Retry-After. */
static void keep_for_override(request_rec *r, const wgw_head_t *head)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (!is_about_content(head->fields[i].name))
            apr_table_add(r->err_headers_out, head->fields[i].name, head->fields[i].value);
}

static void set_field(request_rec *r, const wgw_field_t *field)
{
    if (ap_cstr_casecmp(field->name, "Content-Type") == 0)
        ap_set_content_type(r, apr_pstrdup(r->pool, field->value));
    else
        apr_table_add(r->headers_out, field->name, field->value);
}

static wgw_status_t send_head(wgw_exchange_t *exchange, const wgw_head_t *head)
{
    wgw_brigade_t *x = of(exchange);
    request_rec *r = x->r;

    if (x->overrides_errors && ap_is_HTTP_ERROR(head->status)) {
        x->override_status = head->status;
        keep_for_override(r, head);
        return WGW_OK;
    }
    r->status = x->status = head->status;
    r->status_line = *head->reason
        ? apr_psprintf(r->pool, "%d %s", head->status, head->reason) : NULL;
    /* mod_mime may have guessed from the name of the script; only the application knows. */
    ap_set_content_type(r, NULL);
    r->content_encoding = NULL;
    r->content_languages = NULL;
    for (size_t i = 0; i < head->field_count; i++)
        set_field(r, &head->fields[i]);
    if (head->status == HTTP_RESET_CONTENT) /* it has no content (RFC 9110, 15.3.6) */
        apr_table_unset(r->headers_out, "Content-Length");
    return WGW_OK;
}

void wgw_brigade_forget_head(wgw_brigade_t *x)
{
    apr_table_clear(x->r->headers_out);
    ap_set_content_type(x->r, NULL);
    x->r->status = HTTP_OK;
    x->r->status_line = NULL;
}

/* --- the end -------------------------------------------------------------------------- */

/* Whether only the end of the connection tells the client that the body is complete. */
static bool is_delimited_by_close(const request_rec *r)
{
    return !r->chunked && !apr_table_get(r->headers_out, "Content-Length");
}

/* Make the end of the connection a reset, which no client takes for a complete body. */
static void reset_connection(conn_rec *c)
{
    apr_socket_t *socket = c->master ? NULL : ap_get_conn_socket(c);
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    apr_os_sock_t fd;

    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    c->aborted = 1;
}

/* The first filter that speaks the protocol: those before it see no end of stream, so that
 * compression does not end its stream in order either, and no cache keeps the body. */
static ap_filter_t *protocol_filter(request_rec *r)
{
    ap_filter_t *f = r->output_filters;

    while (f->next && f->frec->ftype < AP_FTYPE_PROTOCOL)
        f = f->next;
    return f;
}

/* An error bucket before the end of stream: no last chunk, RST_STREAM in HTTP/2. */
static void cut(wgw_brigade_t *x)
{
    request_rec *r = x->r;
    conn_rec *c = r->connection;

    r->no_cache = 1;
    c->keepalive = AP_CONN_CLOSE;
    if (is_delimited_by_close(r))
        reset_connection(c);
    apr_bucket *error = ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(x->out, error);
    APR_BRIGADE_INSERT_TAIL(x->out, apr_bucket_eos_create(c->bucket_alloc));
    ap_pass_brigade(protocol_filter(r), x->out);
    apr_brigade_cleanup(x->out);
}

static void cut_exchange(wgw_exchange_t *exchange)
{
    if (!of(exchange)->override_status)
        cut(of(exchange));
}

/* --- body ----------------------------------------------------------------------------- */

/* Before the response ends: a request body that nobody has read must not hold it up. What
 * has arrived is dropped; where more is to come, the connection is closed instead of waiting
 * for it, so that an early answer stops an upload. */
static void settle_input(wgw_brigade_t *x)
{
    enum { DROPPED_BYTES = 64 * 1024 };
    conn_rec *c = x->r->connection;
    char piece[8192];
    size_t len, left = DROPPED_BYTES;

    if (x->is_input_at_end || x->exchange.request->content_length == 0 || c->master ||
        c->keepalive == AP_CONN_CLOSE || x->r->expecting_100)
        return;
    while (left && read_pieces(x, piece, sizeof piece, APR_NONBLOCK_READ, &len) == WGW_OK && len)
        left -= len < left ? len : left;
    if (!x->is_input_at_end)
        c->keepalive = AP_CONN_CLOSE;
    x->is_input_dropped = true;
}

static wgw_status_t pass(wgw_brigade_t *x, bool is_last)
{
    request_rec *r = x->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    if (is_last)
        settle_input(x);
    APR_BRIGADE_INSERT_TAIL(x->out, is_last ? apr_bucket_eos_create(alloc)
                                            : apr_bucket_flush_create(alloc));
    apr_status_t rv = ap_pass_brigade(r->output_filters, x->out);
    apr_brigade_cleanup(x->out);
    if (r->connection->aborted)
        return WGW_EABORTED;
    if (rv == APR_SUCCESS)
        return WGW_OK;
    if (rv == AP_FILTER_ERROR && r->status != x->status)
        return WGW_EUNWANTED; /* a filter has answered instead, as BYTERANGE does with 416 */
    ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r,
                  WGWNO(0049) "a filter could not pass on the response; it is cut");
    cut(x);
    return WGW_EFAILED;
}

static wgw_status_t write_body(wgw_exchange_t *exchange, const wgw_span_t *spans, size_t count,
                               bool is_last)
{
    wgw_brigade_t *x = of(exchange);
    apr_bucket_alloc_t *alloc = x->r->connection->bucket_alloc;

    if (x->override_status)
        return WGW_EUNWANTED;
    for (size_t i = 0; i < count; i++)
        if (spans[i].len)
            APR_BRIGADE_INSERT_TAIL(x->out, apr_bucket_transient_create(spans[i].data,
                                                                        spans[i].len, alloc));
    return pass(x, is_last);
}

/* A file that is being sent, and how long it has to be until then. */
typedef struct {
    request_rec *r;
    int fd;
    int64_t end;
} sent_file_t;

/* Where sendfile is not used, httpd takes the end of a file that has become shorter for the end
 * of the bucket: the client would take the next response for the rest of this one. Nothing
 * after it may leave. */
static void end_connection(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_socket_t *socket = c->master ? NULL : ap_get_conn_socket(c);

    c->keepalive = AP_CONN_CLOSE;
    if (is_delimited_by_close(r))
        reset_connection(c);
    else if (socket)
        apr_socket_shutdown(socket, APR_SHUTDOWN_WRITE);
    c->aborted = 1;
}

/* The pool of a request ends when all of its response has been read from its buckets. */
static apr_status_t check_sent_file(void *data)
{
    const sent_file_t *sent = data;
    struct stat status;
    bool is_whole = fstat(sent->fd, &status) == 0 && status.st_size >= sent->end;

    close(sent->fd);
    if (!is_whole && !sent->r->connection->aborted) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, sent->r->connection,
                      WGWNO(0059) "a file became shorter while it was sent; the response is cut");
        end_connection(sent->r);
    }
    return APR_SUCCESS;
}

/* Make an APR file that closes its descriptor with its pool, also when a filter has set it
 * aside: one from apr_os_file_put() does not, its duplicate does. Owns: fd. */
static apr_file_t *file_of(request_rec *r, int fd, int64_t end, bool uses_sendfile)
{
    apr_int32_t flags = APR_FOPEN_READ | (uses_sendfile ? APR_FOPEN_SENDFILE_ENABLED : 0);
    apr_os_file_t os_file = fd;
    apr_file_t *plain, *file;
    sent_file_t *sent = apr_palloc(r->pool, sizeof *sent);

    *sent = (sent_file_t){ .r = r, .fd = fd, .end = end };
    apr_pool_cleanup_register(r->pool, sent, check_sent_file, apr_pool_cleanup_null);
    apr_os_file_put(&plain, &os_file, flags, r->pool);
    return apr_file_dup(&file, plain, r->pool) == APR_SUCCESS ? file : NULL;
}

/* A 304 or 412 instead of a file, where the client's conditions say so (RFC 9110, 13). */
static bool is_answered_by_condition(wgw_brigade_t *x)
{
    request_rec *r = x->r;

    if (r->status != HTTP_OK || r->method_number != M_GET)
        return false;
    int status = ap_meets_conditions(r);
    if (status == OK)
        return false;
    r->status = x->status = status;
    r->status_line = NULL;
    apr_table_unset(r->headers_out, "Content-Length");
    return true;
}

static wgw_status_t send_file(wgw_exchange_t *exchange, int fd, int64_t offset, int64_t size,
                              bool is_last)
{
    wgw_brigade_t *x = of(exchange);
    request_rec *r = x->r;
    apr_file_t *file = file_of(r, fd, offset + size, x->uses_sendfile);

    if (x->override_status)
        return WGW_EUNWANTED;
    if (!file) { /* no descriptor is left: the head has promised what cannot be sent */
        cut(x);
        return WGW_EFAILED;
    }
    if (is_last && is_answered_by_condition(x))
        return pass(x, true);
    apr_bucket *bucket = size ? apr_brigade_insert_file(x->out, file, offset, size, r->pool) : NULL;
    if (bucket)
        apr_bucket_file_enable_mmap(bucket, 0); /* a file that shrinks would be SIGBUS */
    return pass(x, is_last);
}

/* --- log ------------------------------------------------------------------------------ */

static void log_line(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    wgw_log_text(of(ctx)->r, level, text, len);
}

static const wgw_exchange_ops_t OPS = {
    .read_body = read_body,
    .send_head = send_head,
    .write_body = write_body,
    .send_file = send_file,
    .cut = cut_exchange,
    .log = log_line,
};

void wgw_brigade_init(wgw_brigade_t *x, request_rec *r, const wgw_request_t *request)
{
    const wgw_dir_config_t *dir = wgw_dir_config(r);

    *x = (wgw_brigade_t){
        .exchange = { .ops = &OPS, .request = request },
        .r = r,
        .out = apr_brigade_create(r->pool, r->connection->bucket_alloc),
        .uses_sendfile = dir->uses_sendfile,
        .overrides_errors = dir->overrides_errors,
    };
}
