/* A thread is claimed by lowering its process's idle_count in shared memory; so
 * a request never waits behind a busy process while another is idle, and costs no
 * system call for finding out. Who finds none waits on the board's futex. What the
 * board says is used only in ways that can harm nobody but this pool. */
#include "server/queue.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "wsgigw/exec.h"

/* This child's connections to one pool. */
typedef struct {
    pthread_mutex_t lock;
    wgw_link_t **kept; /* a stack for each row; under `lock` */
    _Atomic bool *is_taken; /* by this child, for each entry: the board may lie */
} links_t;

static links_t *children_links; /* by wgw_pool_t.index */
static pid_t parent_pid;
static _Atomic bool is_stopping; /* this child, ungracefully */

/* --- kept connections ----------------------------------------------------------------- */

static links_t *links_of(const wgw_pool_t *pool)
{
    return &children_links[pool->index];
}

static void close_links(wgw_link_t *link)
{
    while (link) {
        wgw_link_t *next = link->next;
        wgw_link_close(link);
        link = next;
    }
}

void wgw_queue_child_init(apr_pool_t *pchild, const apr_array_header_t *pools)
{
    children_links = apr_pcalloc(pchild, (apr_size_t)(pools->nelts + 1) * sizeof *children_links);
    parent_pid = getppid();
    for (int i = 0; i < pools->nelts; i++) {
        const wgw_pool_t *pool = APR_ARRAY_IDX(pools, i, wgw_pool_t *);
        pthread_mutex_init(&children_links[i].lock, NULL);
        children_links[i].kept = apr_pcalloc(pchild, pool->row_count * sizeof(wgw_link_t *));
        children_links[i].is_taken = apr_pcalloc(pchild, pool->entry_count * sizeof(_Atomic bool));
    }
}

void wgw_queue_child_stop_sig(void)
{
    atomic_store(&is_stopping, true);
}

static wgw_row_t *row_of(const wgw_pool_t *pool, unsigned row)
{
    return &pool->board->rows[row];
}

/* Take a connection to the process that the row has now; drop those to processes before it.
 * Returns: NULL none. */
static wgw_link_t *take_kept(const wgw_pool_t *pool, unsigned row)
{
    links_t *links = links_of(pool);
    wgw_link_t *stale = NULL;
    uint32_t epoch = atomic_load(&row_of(pool, row)->epoch);

    pthread_mutex_lock(&links->lock);
    wgw_link_t *link = links->kept[row];
    if (link && link->epoch != epoch) {
        stale = link;
        link = links->kept[row] = NULL;
    } else if (link) {
        links->kept[row] = link->next;
    }
    pthread_mutex_unlock(&links->lock);
    close_links(stale);
    return link;
}

/* Cut off what has not been used for a while. Returns: it. */
static wgw_link_t *take_idle(wgw_link_t *link, int64_t now_us)
{
    enum { KEPT_US = 60 * 1000 * 1000 };

    while (link->next && now_us - link->next->used_us < KEPT_US)
        link = link->next;
    wgw_link_t *idle = link->next;
    link->next = NULL;
    return idle;
}

void wgw_queue_release(const wgw_pool_t *pool, wgw_link_t *link, bool is_usable)
{
    links_t *links = links_of(pool);

    if (!is_usable) {
        wgw_link_close(link);
        return;
    }
    link->used_us = wgw_now_us();
    pthread_mutex_lock(&links->lock);
    link->next = links->kept[link->row];
    links->kept[link->row] = link;
    wgw_link_t *idle = take_idle(link, link->used_us);
    pthread_mutex_unlock(&links->lock);
    close_links(idle);
}

/* --- places in the queue -------------------------------------------------------------- */

static void set_state(wgw_entry_t *entry, wgw_entry_state_t state)
{
    atomic_store(&entry->since_us, wgw_now_us());
    atomic_store(&entry->state, state);
}

/* Take what is FREE: of nobody (client_pid 0) until its new owner has written who it is, so that
 * nobody takes it for one that a dead child has left. Returns: false when it is another request's. */
static bool take_free(wgw_entry_t *entry, _Atomic bool *is_taken)
{
    uint32_t state = WGW_ENTRY_FREE;

    if (atomic_load(&entry->state) != WGW_ENTRY_FREE || atomic_exchange(is_taken, true))
        return false;
    if (atomic_compare_exchange_strong(&entry->state, &state, WGW_ENTRY_WAITING))
        return true;
    atomic_store(is_taken, false);
    return false;
}

/* Take what the board says is this child's, but is not, as a daemon process has written it; or
 * what a child that is dead has left, before the supervisor sees it. */
static bool take_left(wgw_entry_t *entry, _Atomic bool *is_taken)
{
    int32_t pid = atomic_load(&entry->client_pid);
    bool is_dead = pid > 0 && atomic_load(&entry->state) != WGW_ENTRY_BEGUN &&
                   kill(pid, 0) != 0 && errno == ESRCH;

    if ((pid != getpid() && !is_dead) || atomic_exchange(is_taken, true))
        return false;
    if (atomic_compare_exchange_strong(&entry->client_pid, &pid, getpid())) {
        atomic_store(&entry->state, WGW_ENTRY_WAITING);
        return true;
    }
    atomic_store(is_taken, false);
    return false;
}

/* Returns: -1 the queue is full. */
static int find_place(const wgw_pool_t *pool)
{
    wgw_entry_t *entries = wgw_board_entries(pool->board, pool->row_count);
    _Atomic bool *is_taken = links_of(pool)->is_taken;
    unsigned first = (unsigned)(gettid() * 7) % pool->entry_count; /* apart from other threads */

    for (unsigned i = 0; i < 2 * pool->entry_count; i++) {
        unsigned at = (first + i) % pool->entry_count;
        if (i < pool->entry_count ? take_free(&entries[at], &is_taken[at])
                                  : take_left(&entries[at], &is_taken[at]))
            return (int)at;
    }
    return -1;
}

bool wgw_queue_enter(const wgw_pool_t *pool, const request_rec *r, wgw_deadline_t ends_by,
                     wgw_seat_t *seat_out)
{
    int64_t wait_us = pool->queue_timeout_us ? pool->queue_timeout_us : pool->socket_timeout_us;
    int number = find_place(pool);

    if (number < 0) {
        atomic_fetch_add(&pool->board->refused_count, 1);
        return false;
    }
    wgw_entry_t *entry = &wgw_board_entries(pool->board, pool->row_count)[number];
    int64_t now_us = wgw_now_us();
    atomic_store(&entry->client_pid, getpid());
    atomic_store(&entry->since_us, now_us);
    atomic_store(&entry->entered_us, now_us);
    atomic_store(&entry->has_head, 0);
    apr_cpystrn(entry->client, r->useragent_ip ? r->useragent_ip : "", sizeof entry->client);
    apr_cpystrn(entry->log_id, r->log_id ? r->log_id : "", sizeof entry->log_id);
    apr_snprintf(entry->line, sizeof entry->line, "%s %s", r->method, r->unparsed_uri);
    *seat_out = (wgw_seat_t){ .pool = pool, .entry = entry, .number = (unsigned)number,
                              .wait_by = wgw_deadline_earlier(wgw_deadline_in_us(wait_us), ends_by) };
    return true;
}

void wgw_queue_note_head(const wgw_seat_t *seat)
{
    atomic_store_explicit(&seat->entry->has_head, 1, memory_order_relaxed);
}

void wgw_queue_leave(wgw_seat_t *seat)
{
    atomic_store(&seat->entry->client_pid, 0);
    atomic_store(&seat->entry->state, WGW_ENTRY_FREE);
    atomic_store(&links_of(seat->pool)->is_taken[seat->number], false);
}

bool wgw_queue_has_begun(const wgw_seat_t *seat)
{
    return atomic_load(&seat->entry->state) >= WGW_ENTRY_BEGUN;
}

bool wgw_queue_is_done(const wgw_seat_t *seat)
{
    return atomic_load(&seat->entry->state) == WGW_ENTRY_DONE;
}

/* --- claiming ------------------------------------------------------------------------- */

/* The row with the most idle threads, so that work is spread over processes, and so over
 * interpreter locks. Returns: -1 when nobody is idle; *is_anybody_out: a process is there. */
static int find_idle_row(const wgw_pool_t *pool, uint32_t least_version, bool *is_anybody_out)
{
    int32_t most = 0;
    int found = -1;

    *is_anybody_out = false;
    for (unsigned i = 0; i < pool->row_count; i++) {
        wgw_row_t *row = row_of(pool, i);
        if (!atomic_load(&row->epoch))
            continue;
        *is_anybody_out = true;
        int32_t idle = atomic_load(&row->idle_count);
        if (idle > most && atomic_load(&row->version) >= least_version) {
            most = idle;
            found = (int)i;
        }
    }
    return found;
}

/* Returns: the row a thread was claimed of; -1 none was idle. *epoch_out is of the process. */
static int claim_row(wgw_seat_t *seat, uint32_t *epoch_out, bool *is_anybody_out)
{
    const wgw_pool_t *pool = seat->pool;
    int row;

    while ((row = find_idle_row(pool, seat->least_version, is_anybody_out)) >= 0) {
        wgw_row_t *found = row_of(pool, (unsigned)row);
        *epoch_out = atomic_load(&found->epoch);
        seat->row_version = atomic_load(&found->version);
        if (wgw_row_claim(found))
            return row;
    }
    return -1;
}

/* Sleep until `word` is not `seq`, or a while has passed: nothing that anybody writes to the board,
 * or fails to write because it was killed, can make it longer. */
static void sleep_on(_Atomic uint32_t *word, uint32_t seq, wgw_deadline_t deadline, int64_t most_us)
{
    int64_t left = wgw_deadline_left_us(deadline);

    if (left > most_us)
        left = most_us;
    struct timespec limit = { .tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000 };
    syscall(SYS_futex, word, FUTEX_WAIT, seq, &limit, NULL, 0);
}

enum { SLICE_US = 1000000, FRESH_SLICE_US = 5000 };

/* Whether nobody will ever start a process again: httpd's parent has gone. */
static bool is_orphan(void)
{
    return getppid() != parent_pid;
}

/* Whether more requests wait than may. */
static bool is_full(const wgw_pool_t *pool)
{
    const wgw_entry_t *entries = wgw_board_entries(pool->board, pool->row_count);
    int count = 0;

    for (unsigned i = 0; i < pool->entry_count; i++)
        count += atomic_load(&entries[i].state) == WGW_ENTRY_WAITING;
    return count > pool->listen_backlog;
}

static int wait_in_queue(wgw_seat_t *seat, uint32_t *epoch_out, wgw_claim_t *why_out)
{
    const wgw_pool_t *pool = seat->pool;
    wgw_deadline_t nobody_by = wgw_deadline_in_us(pool->connect_timeout_us);
    bool is_anybody;

    for (;;) {
        uint32_t seq = atomic_load(&pool->board->idle_seq);
        int row = claim_row(seat, epoch_out, &is_anybody);
        if (is_anybody)
            nobody_by = wgw_deadline_in_us(pool->connect_timeout_us);
        if (row >= 0)
            return row;
        *why_out = atomic_load(&is_stopping) ? WGW_CLAIM_STOPS
                                             : is_anybody ? WGW_CLAIM_LATE : WGW_CLAIM_NOBODY;
        if (*why_out == WGW_CLAIM_STOPS || wgw_deadline_left_us(seat->wait_by) == 0 ||
            (!is_anybody && (wgw_deadline_left_us(nobody_by) == 0 || is_orphan() ||
                             atomic_load(&pool->board->is_down))))
            return -1;
        sleep_on(&pool->board->idle_seq, seq, is_anybody ? seat->wait_by : nobody_by, SLICE_US);
    }
}

/* Wait until a thread is idle, and claim it. Returns: the row; or -1 and *why_out. */
static int wait_for_row(wgw_seat_t *seat, uint32_t *epoch_out, wgw_claim_t *why_out)
{
    const wgw_pool_t *pool = seat->pool;
    bool is_anybody;
    int row = claim_row(seat, epoch_out, &is_anybody);

    if (row >= 0)
        return row;
    atomic_fetch_add(&pool->board->waiting_count, 1);
    *why_out = WGW_CLAIM_FULL;
    int64_t since_us = wgw_now_us();
    /* A child that was killed leaves this count too high: it only says whether to look. */
    if (!seat->fresh_by.at_us && /* it has a place in the queue already */
        atomic_load(&pool->board->waiting_count) > pool->listen_backlog && is_full(pool))
        atomic_fetch_add(&pool->board->refused_count, 1);
    else
        row = wait_in_queue(seat, epoch_out, why_out);
    atomic_fetch_sub(&pool->board->waiting_count, 1);
    atomic_fetch_add(&pool->board->wait_count, 1);
    atomic_fetch_add(&pool->board->waited_us, (uint64_t)(wgw_now_us() - since_us));
    return row;
}

/* --- newer code ----------------------------------------------------------------------- */

void wgw_queue_want_fresh(wgw_seat_t *seat)
{
    const wgw_board_t *board = seat->pool->board;
    int64_t startup_us = seat->pool->startup_timeout_us;
    uint32_t newest = atomic_load(&board->newest_version);
    bool is_under_way = newest > seat->row_version && atomic_load(&board->failed_version) != newest;

    if (!seat->least_version)
        seat->fresh_by = wgw_deadline_in_us(startup_us ? startup_us : WGW_EXEC_TRIAL_US);
    seat->least_version = is_under_way ? newest : newest + 1;
}

bool wgw_queue_is_old_right(const wgw_seat_t *seat)
{
    return seat->fresh_by.at_us && !seat->least_version;
}

static bool is_fresh_there(const wgw_seat_t *seat)
{
    for (unsigned i = 0; i < seat->pool->row_count; i++) {
        const wgw_row_t *row = row_of(seat->pool, i);
        if (atomic_load(&row->epoch) && atomic_load(&row->version) >= seat->least_version)
            return true;
    }
    return false;
}

/* Wait until a process of least_version has a thread; or settle for any, when there will be none, or
 * too many wait. Those who wait here would only take the wake-ups of those who can use any thread;
 * they look for themselves, and not for long, as the others are being replaced.
 * Returns: the row; -1 any will do. */
static int wait_for_fresh(wgw_seat_t *seat, uint32_t *epoch_out)
{
    wgw_board_t *board = seat->pool->board;
    bool is_anybody, is_too_long = is_full(seat->pool);

    set_state(seat->entry, WGW_ENTRY_WAITING);
    while (!is_too_long) {
        uint32_t seq = atomic_load(&board->fresh_seq);
        int row = claim_row(seat, epoch_out, &is_anybody);
        if (row >= 0)
            return row;
        if (atomic_load(&board->failed_version) >= seat->least_version ||
            atomic_load(&board->newest_version) + 1 < seat->least_version ||
            atomic_load(&is_stopping) || wgw_deadline_left_us(seat->fresh_by) == 0 ||
            wgw_deadline_left_us(seat->wait_by) == 0 || is_orphan())
            break;
        sleep_on(&board->fresh_seq, seq, seat->fresh_by,
                 is_fresh_there(seat) ? FRESH_SLICE_US : SLICE_US);
    }
    seat->least_version = 0;
    return -1;
}

/* A process that has ended meanwhile has a count of its own, or none. */
static void give_back(const wgw_pool_t *pool, unsigned row, uint32_t epoch)
{
    if (atomic_load(&row_of(pool, row)->epoch) != epoch)
        return;
    atomic_fetch_add(&row_of(pool, row)->idle_count, 1);
    if (atomic_load(&pool->board->waiting_count) <= 0)
        return;
    atomic_fetch_add(&pool->board->idle_seq, 1);
    syscall(SYS_futex, &pool->board->idle_seq, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void wgw_queue_give_back(const wgw_pool_t *pool, const wgw_link_t *link)
{
    give_back(pool, link->row, link->epoch);
}

wgw_claim_t wgw_queue_claim(wgw_seat_t *seat, wgw_link_t **link_out)
{
    const wgw_pool_t *pool = seat->pool;
    uint32_t epoch;
    wgw_claim_t why;
    int row = seat->least_version ? wait_for_fresh(seat, &epoch) : -1;

    if (row < 0)
        row = wait_for_row(seat, &epoch, &why);

    if (row < 0)
        return why;
    atomic_store(&seat->entry->row, (uint32_t)row);
    set_state(seat->entry, WGW_ENTRY_SENT);
    *link_out = take_kept(pool, (unsigned)row);
    if (*link_out)
        return WGW_CLAIMED;
    wgw_deadline_t open_by = wgw_deadline_earlier(wgw_deadline_in_us(pool->connect_timeout_us),
                                                  seat->wait_by);
    if (wgw_link_open(pool, (unsigned)row, epoch, open_by, link_out) == 0)
        return WGW_CLAIMED;
    give_back(pool, (unsigned)row, epoch);
    return WGW_CLAIM_NOBODY;
}

void wgw_queue_count(const wgw_pool_t *pool, int http_status)
{
    if (http_status == HTTP_BAD_GATEWAY)
        atomic_fetch_add(&pool->board->bad_gateway_count, 1);
    else if (http_status == HTTP_SERVICE_UNAVAILABLE)
        atomic_fetch_add(&pool->board->unavailable_count, 1);
    else if (http_status == HTTP_GATEWAY_TIME_OUT)
        atomic_fetch_add(&pool->board->gateway_timeout_count, 1);
}

int wgw_queue_exit_status(const wgw_pool_t *pool, const wgw_link_t *link)
{
    enum { PATIENCE_US = 500 * 1000, PAUSE_US = 5000 };
    wgw_row_t *row = row_of(pool, link->row);
    wgw_deadline_t deadline = wgw_deadline_in_us(PATIENCE_US);

    while (atomic_load(&row->exit_epoch) != link->epoch) {
        if (wgw_deadline_left_us(deadline) == 0)
            return -1;
        usleep(PAUSE_US);
    }
    return atomic_load(&row->exit_status);
}
