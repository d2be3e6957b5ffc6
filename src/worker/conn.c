/* The records are never freed, so that an event about a connection that is gone
 * finds a record with another age, not freed memory. */
#include "worker/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/log.h"
#include "worker/request.h"
#include "worker/worker.h"

/* The low half of wgw_conn_t.state; the high half counts the connections that the record has
 * been. CALLED: an event came while it was owned. MUTED: epoll tells of nothing. */
enum { OWNED = 1, CALLED = 2, MUTED = 4 };
#define AGE(state) ((state) >> 32)
#define ONE_OLDER (UINT64_C(1) << 32)

enum { CHUNK = 64, CHUNKS_MOST = 1024, SILENT_MOST = 128 };

static wgw_conn_t *chunks[CHUNKS_MOST]; /* CHUNK records each; filled from the front */
static unsigned chunk_count;
static wgw_conn_t *free_list;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER; /* for the three above */

static wgw_conn_t *record_of(uint32_t index)
{
    return &chunks[index / CHUNK][index % CHUNK];
}

static uint64_t data_of(const wgw_conn_t *conn)
{
    return AGE(atomic_load(&conn->state)) << 32 | conn->index;
}

static bool add_chunk_locked(void)
{
    wgw_conn_t *chunk = chunk_count < CHUNKS_MOST ? calloc(CHUNK, sizeof *chunk) : NULL;

    if (!chunk)
        return false;
    for (unsigned i = 0; i < CHUNK; i++) {
        chunk[i].sock = -1;
        chunk[i].index = chunk_count * CHUNK + i;
        wgw_output_queue_init(&chunk[i].output);
        chunk[i].next_free = free_list;
        free_list = &chunk[i];
    }
    chunks[chunk_count++] = chunk;
    return true;
}

bool wgw_conns_init(void)
{
    return add_chunk_locked();
}

static wgw_conn_t *take_record(int sock)
{
    pthread_mutex_lock(&table_lock);
    wgw_conn_t *conn = free_list || add_chunk_locked() ? free_list : NULL;
    if (conn) {
        free_list = conn->next_free;
        conn->sock = sock;
    }
    pthread_mutex_unlock(&table_lock);
    return conn;
}

/* --- epoll ---------------------------------------------------------------------------- */

/* Edge-triggered: one event for what has come, to one thread. */
static int control_events(int epoll, int op, const wgw_conn_t *conn, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.u64 = data_of(conn) };

    return epoll_ctl(epoll, op, conn->sock, &event);
}

static const uint32_t READING = EPOLLIN | EPOLLRDHUP | EPOLLET;

/* Edge-triggered here, too: a hang-up is told in any case, and would be told without end. */
void wgw_conn_mute(wgw_conn_t *conn)
{
    if (!(atomic_fetch_or(&conn->state, MUTED) & MUTED))
        control_events(wgw_wrk.events, EPOLL_CTL_MOD, conn, EPOLLET);
}

static bool is_silent(const wgw_conn_t *conn)
{
    char byte;

    return conn->phase.in == WGW_IN_CLOSED &&
           recv(conn->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/* Whoever may connect need not have the key, such as another pool that runs as httpd's user: of
 * those that say nothing, the oldest makes room for the newest. httpd speaks at once. */
static void limit_silent(uint64_t data)
{
    static _Atomic uint64_t last[SILENT_MOST]; /* complements; 0 none */
    static atomic_uint count;
    uint64_t before = atomic_exchange(&last[atomic_fetch_add(&count, 1) % SILENT_MOST], ~data);
    wgw_conn_t *conn = before ? wgw_conn_own(~before) : NULL;

    if (conn && is_silent(conn))
        wgw_conn_close(conn);
    else if (conn)
        wgw_conn_disown(conn);
}

static void add_conn(int sock)
{
    wgw_conn_t *conn = take_record(sock);

    if (!conn) {
        close(sock);
        return;
    }
    conn->phase = (wgw_phase_t){ WGW_IN_CLOSED, WGW_ANSWER_QUIET };
    conn->is_closing = false;
    wgw_output_queue_reset(&conn->output, sock);
    uint64_t data = data_of(conn); /* once epoll knows it, it may be gone at any time */
    if (control_events(wgw_wrk.events, EPOLL_CTL_ADD, conn, READING) != 0)
        wgw_conn_close(conn);
    else
        limit_silent(data);
}

/* Once a second at the most. */
static void say_exhausted(void)
{
    static _Atomic int64_t said_us;
    int64_t now_us = wgw_now_us();

    if (now_us - atomic_load(&said_us) < 1000000)
        return;
    atomic_store(&said_us, now_us);
    wgw_log(&wgw_wrk_log, WGW_LOG_ERR, WGWNO(0064) "a connection from httpd could not be taken: no "
            "descriptor or memory is left; its request waits or gets 503");
}

void wgw_conns_accept(void)
{
    int sock;

    while ((sock = accept4(WGW_FD_LISTENER, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        add_conn(sock);
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        say_exhausted();
        usleep(10000); /* the edge is gone: look again soon, without spinning */
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = WGW_CONN_LISTENER };
        epoll_ctl(wgw_wrk.events, EPOLL_CTL_MOD, WGW_FD_LISTENER, &event);
    }
}

/* --- ownership ------------------------------------------------------------------------ */

wgw_conn_t *wgw_conn_own(uint64_t data)
{
    wgw_conn_t *conn = record_of((uint32_t)data);
    uint64_t state = atomic_load(&conn->state), next;

    do {
        if (AGE(state) != data >> 32)
            return NULL;
        next = state & OWNED ? state | CALLED : state | OWNED;
    } while (!atomic_compare_exchange_weak(&conn->state, &state, next));
    return state & OWNED ? NULL : conn;
}

/* Setting the events anew makes epoll tell of what is there already. */
void wgw_conn_disown(wgw_conn_t *conn)
{
    uint64_t state = atomic_fetch_and(&conn->state, ~(uint64_t)(OWNED | CALLED | MUTED));

    if (state & (CALLED | MUTED))
        control_events(wgw_wrk.events, EPOLL_CTL_MOD, conn, READING);
}

void wgw_conn_close(wgw_conn_t *conn)
{
    wgw_output_queue_drop(&conn->output);
    pthread_mutex_lock(&table_lock);
    atomic_store(&conn->state, (AGE(atomic_load(&conn->state)) << 32) + ONE_OLDER);
    close(conn->sock);
    conn->sock = -1;
    conn->next_free = free_list;
    free_list = conn;
    pthread_mutex_unlock(&table_lock);
}

/* --- output --------------------------------------------------------------------------- */

static wgw_conn_t *conn_of(wgw_output_queue_t *q)
{
    return (wgw_conn_t *)(void *)((char *)q - offsetof(wgw_conn_t, output));
}

static void watch(const wgw_conn_t *conn)
{
    uint32_t events = EPOLLOUT | EPOLLONESHOT;

    if (control_events(wgw_wrk.io_events, EPOLL_CTL_MOD, conn, events) != 0)
        control_events(wgw_wrk.io_events, EPOLL_CTL_ADD, conn, events);
}

void wgw_conn_watch_output(wgw_output_queue_t *q)
{
    watch(conn_of(q));
}

void wgw_conn_on_writable(uint64_t data)
{
    wgw_conn_t *conn = record_of((uint32_t)data);

    if (AGE(atomic_load(&conn->state)) != data >> 32)
        return;
    switch (wgw_output_queue_flush(&conn->output)) {
    case WGW_FLUSHED_SOME:
        watch(conn);
        break;
    case WGW_FLUSHED_LAST:
        wgw_request_drained(conn);
        break;
    case WGW_FLUSHED_ALL:
        break;
    }
}

/* --- a forked copy -------------------------------------------------------------------- */

/* No lock: in the copy of one thread of many it may be held for ever. */
void wgw_conns_close_copies(void)
{
    for (unsigned c = 0; c < chunk_count; c++)
        for (unsigned i = 0; i < CHUNK; i++)
            if (chunks[c][i].sock >= 0)
                close(chunks[c][i].sock);
}
