/* Sizes come from the configuration, the seals keep them true; every value read is a copy that
 * is checked before it is used. */
#include "supervisor/board.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"

enum { QUIET_SWEEPS = 3 };
#define ABANDONED_US INT64_C(60000000) /* a request whose client is dead is kept this long: a
                                          thread may still be in it */

static const char *check_memory(int fd, size_t size)
{
    const int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & sealed) != sealed)
        return "the scoreboard is not sealed against a change of its size";
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (size_t)st.st_size < size)
        return "the scoreboard is too small";
    return NULL;
}

/* Processes of a supervisor that has died may still know numbers of its time. */
static uint32_t first_epoch(void)
{
    uint32_t epoch = 0;

    if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
        epoch = (uint32_t)getpid() << 12;
    return epoch;
}

const char *wgw_sup_board_open(wgw_sup_board_t *board, int fd, uint32_t row_count,
                               uint32_t entry_count)
{
    size_t size = wgw_board_size(row_count, entry_count);
    const char *wrong = check_memory(fd, size);

    *board = (wgw_sup_board_t){ .fd = fd, .row_count = row_count, .entry_count = entry_count,
                                .last_epoch = first_epoch(), .parent = getppid() };
    if (wrong)
        return wrong;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return "the scoreboard cannot be mapped";
    board->map = map;
    board->quiet_counts = calloc(row_count, sizeof *board->quiet_counts);
    board->use_counts = calloc(row_count, sizeof *board->use_counts);
    board->were_left = calloc(entry_count, sizeof *board->were_left);
    if (!board->quiet_counts || !board->use_counts || !board->were_left)
        return "memory is short";
    return NULL;
}

void wgw_sup_board_clear(wgw_sup_board_t *board)
{
    for (uint32_t r = 0; r < board->row_count; r++)
        wgw_sup_board_hide(board, r);
}

void wgw_sup_board_close(wgw_sup_board_t *board)
{
    if (board->map)
        munmap(board->map, wgw_board_size(board->row_count, board->entry_count));
    if (board->fd >= 0)
        close(board->fd);
    free(board->quiet_counts);
    free(board->use_counts);
    free(board->were_left);
    *board = (wgw_sup_board_t){ .fd = -1 };
}

uint32_t wgw_sup_board_next_epoch(wgw_sup_board_t *board)
{
    if (++board->last_epoch == 0)
        board->last_epoch = 1;
    return board->last_epoch;
}

void wgw_sup_board_begin(wgw_sup_board_t *board, uint32_t r, pid_t pid, uint32_t version)
{
    wgw_row_t *row = &board->map->rows[r];

    atomic_store(&row->epoch, 0);
    atomic_store(&row->idle_count, 0);
    atomic_store(&row->thread_count, 0);
    atomic_store(&row->request_count, 0);
    atomic_store(&row->met_us, 0);
    atomic_store(&row->inside_count, 0);
    atomic_store(&row->pid, (int32_t)pid);
    atomic_store(&row->version, version);
    board->quiet_counts[r] = 0;
}

void wgw_sup_board_hide(wgw_sup_board_t *board, uint32_t r)
{
    atomic_store(&board->map->rows[r].epoch, 0);
}

/* Let those who wait for an idle thread look again. */
static void wake_waiters(wgw_sup_board_t *board)
{
    atomic_fetch_add(&board->map->idle_seq, 1);
    syscall(SYS_futex, &board->map->idle_seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void wgw_sup_board_set_down(wgw_sup_board_t *board, bool is_down)
{
    if (atomic_exchange(&board->map->is_down, is_down) != is_down && is_down)
        wake_waiters(board);
}

void wgw_sup_board_set_versions(wgw_sup_board_t *board, uint32_t newest, uint32_t failed)
{
    atomic_store(&board->map->newest_version, newest);
    atomic_store(&board->map->failed_version, failed);
    atomic_fetch_add(&board->map->fresh_seq, 1);
    syscall(SYS_futex, &board->map->fresh_seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* The status first: who sees the epoch gone, or finds it in exit_epoch, may read the status. */
void wgw_sup_board_end(wgw_sup_board_t *board, uint32_t r, uint32_t epoch, int status)
{
    wgw_row_t *row = &board->map->rows[r];

    atomic_store(&row->exit_status, status);
    atomic_store(&row->exit_epoch, epoch);
    atomic_store(&row->epoch, 0);
    atomic_store(&row->idle_count, 0);
    atomic_store(&row->pid, 0);
    wake_waiters(board);
}

/* --- requests ------------------------------------------------------------------------- */

static void copy_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    out[size - 1] = '\0';
}

static int64_t time_since(int64_t since_us, int64_t now_us)
{
    return since_us > 0 && since_us < now_us ? now_us - since_us : 0;
}

/* Returns: false when it is free, or nothing that it could be. */
static bool see(const wgw_sup_board_t *board, wgw_entry_t *entry, int64_t now_us,
                wgw_request_seen_t *out)
{
    uint32_t state = atomic_load(&entry->state);

    *out = (wgw_request_seen_t){ .state = (wgw_entry_state_t)state,
                                 .row = atomic_load(&entry->row),
                                 .epoch = atomic_load(&entry->epoch),
                                 .has_head = atomic_load(&entry->has_head) == 1 };
    if (state == WGW_ENTRY_FREE || state > WGW_ENTRY_DONE ||
        (state != WGW_ENTRY_WAITING && out->row >= board->row_count))
        return false;
    out->age_us = time_since(atomic_load(&entry->entered_us), now_us);
    out->state_us = time_since(atomic_load(&entry->since_us), now_us);
    copy_text(out->client, entry->client, sizeof out->client);
    copy_text(out->log_id, entry->log_id, sizeof out->log_id);
    copy_text(out->line, entry->line, sizeof out->line);
    return true;
}

bool wgw_sup_board_next_request(const wgw_sup_board_t *board, uint32_t *at, int64_t now_us,
                                wgw_request_seen_t *seen_out)
{
    wgw_entry_t *entries = wgw_board_entries(board->map, board->row_count);

    while (*at < board->entry_count)
        if (see(board, &entries[(*at)++], now_us, seen_out))
            return true;
    return false;
}

bool wgw_sup_board_next_begun(const wgw_sup_board_t *board, uint32_t row, uint32_t epoch,
                              uint32_t *at, int64_t now_us, wgw_request_seen_t *seen_out)
{
    while (wgw_sup_board_next_request(board, at, now_us, seen_out))
        if (seen_out->state == WGW_ENTRY_BEGUN && seen_out->row == row && seen_out->epoch == epoch)
            return true;
    return false;
}

wgw_row_use_t wgw_sup_board_use(const wgw_sup_board_t *board, uint32_t row)
{
    const wgw_row_t *of = &board->map->rows[row];
    uint32_t thread_count = atomic_load(&of->thread_count);
    int64_t idle_count = atomic_load(&of->idle_count);
    int64_t busy_count = (int64_t)thread_count - (idle_count > 0 ? idle_count : 0);

    return (wgw_row_use_t){ .request_count = atomic_load(&of->request_count),
                            .thread_count = thread_count,
                            .busy_count = busy_count > 0 ? (uint32_t)busy_count : 0 };
}

int64_t wgw_sup_board_oldest_wait(const wgw_sup_board_t *board, int64_t now_us,
                                  uint64_t *waited_us_out)
{
    wgw_entry_t *entries = wgw_board_entries(board->map, board->row_count);
    int64_t oldest_us = 0;

    *waited_us_out = atomic_load(&board->map->waited_us);
    if (atomic_load(&board->map->waiting_count) <= 0)
        return 0;
    for (uint32_t i = 0; i < board->entry_count; i++) {
        int64_t since_us = atomic_load(&entries[i].since_us);
        bool is_waiting = atomic_load(&entries[i].state) == WGW_ENTRY_WAITING;
        if (is_waiting && since_us > 0 && now_us - since_us > oldest_us)
            oldest_us = now_us - since_us;
    }
    return oldest_us;
}

/* Returns: -1 when it cannot be told; 0: it has none. */
static pid_t parent_of(pid_t pid)
{
    char path[32], text[512];
    int parent = -1;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    wgw_proc_read(path, text, sizeof text);
    const char *behind_name = strrchr(text, ')');
    return behind_name && sscanf(behind_name, ") %*c %d", &parent) == 1 ? parent : -1;
}

/* Only a question: a pid out of the scoreboard is never sent a signal. A pid that is not one of
 * httpd's was written by a daemon process. */
static bool is_dead(const wgw_sup_board_t *board, int32_t pid)
{
    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
        return true;
    pid_t parent = pid == board->parent ? -1 : parent_of(pid);
    return parent >= 0 && parent != board->parent;
}

/* An entry is freed at the second sweep that finds it so: one that a child has just taken has no
 * client yet, and must not become another request's. */
static void free_left(wgw_sup_board_t *board, uint32_t i, int32_t pid, uint32_t state)
{
    wgw_entry_t *entry = &wgw_board_entries(board->map, board->row_count)[i];
    bool is_again = board->were_left[i];

    board->were_left[i] = !is_again;
    if (is_again && atomic_compare_exchange_strong(&entry->client_pid, &pid, 0))
        atomic_compare_exchange_strong(&entry->state, &state, WGW_ENTRY_FREE);
}

static bool is_abandoned(const wgw_sup_board_t *board, wgw_entry_t *entry, int32_t pid,
                         uint32_t state, const uint32_t *epochs, int64_t now_us)
{
    uint32_t row = atomic_load(&entry->row), epoch = atomic_load(&entry->epoch);

    if (!is_dead(board, pid))
        return false;
    if (state != WGW_ENTRY_BEGUN)
        return true;
    return row >= board->row_count || epoch == 0 || epochs[row] != epoch ||
           now_us - ABANDONED_US > atomic_load(&entry->since_us);
}

/* A child that died while it waited leaves the count too high for ever, and a daemon process
 * may write any. Returns: true while the count is wrong. */
static bool right_waiting_count(wgw_sup_board_t *board, uint32_t wait_count)
{
    int32_t count = atomic_load(&board->map->waiting_count);

    if (wait_count || count == 0 || count != board->waiting_count)
        board->quiet_waits = 0;
    board->waiting_count = count;
    if (wait_count || count == 0)
        return false;
    if (++board->quiet_waits < QUIET_SWEEPS)
        return true;
    board->quiet_waits = 0;
    return !atomic_compare_exchange_strong(&board->map->waiting_count, &count, 0);
}

/* Returns: true when an entry is in use. */
static bool sweep_entries(wgw_sup_board_t *board, const uint32_t *epochs, int64_t now_us)
{
    uint32_t wait_count = 0;
    wgw_entry_t *entries = wgw_board_entries(board->map, board->row_count);
    bool is_used = false;

    for (uint32_t i = 0; i < board->entry_count; i++) {
        wgw_entry_t *entry = &entries[i];
        uint32_t state = atomic_load(&entry->state), row = atomic_load(&entry->row);
        int32_t pid = atomic_load(&entry->client_pid);
        bool is_left = state != WGW_ENTRY_FREE &&
                       is_abandoned(board, entry, pid, state, epochs, now_us);
        is_used = is_used || state != WGW_ENTRY_FREE;
        if (is_left)
            free_left(board, i, pid, state);
        else
            board->were_left[i] = false;
        if (is_left || state == WGW_ENTRY_FREE)
            continue;
        wait_count += state == WGW_ENTRY_WAITING;
        if (state != WGW_ENTRY_WAITING && row < board->row_count)
            board->use_counts[row]++;
    }
    return right_waiting_count(board, wait_count) || is_used;
}

/* Threads may be in requests that httpd has given up. */
static int32_t right_idle_count_of(uint32_t thread_count, int32_t inside_count)
{
    if (thread_count > INT32_MAX || inside_count < 0 || (uint32_t)inside_count > thread_count)
        return 0;
    return (int32_t)thread_count - inside_count;
}

/* A child that died between claiming a thread and sending to it leaves a count too low for
 * ever. Returns: true while the count is wrong. */
static bool right_idle_count(wgw_sup_board_t *board, uint32_t r)
{
    wgw_row_t *row = &board->map->rows[r];
    uint32_t thread_count = atomic_load(&row->thread_count);
    int32_t idle_count = atomic_load(&row->idle_count);
    int32_t right_count = right_idle_count_of(thread_count, atomic_load(&row->inside_count));

    if (board->use_counts[r] || idle_count == right_count) {
        board->quiet_counts[r] = 0;
        return false;
    }
    if (++board->quiet_counts[r] < QUIET_SWEEPS)
        return true;
    board->quiet_counts[r] = 0;
    if (!atomic_compare_exchange_strong(&row->idle_count, &idle_count, right_count))
        return true;
    wake_waiters(board);
    return false;
}

int64_t wgw_sup_board_met_us(const wgw_sup_board_t *board, uint32_t r, int64_t now_us)
{
    int64_t met_us = atomic_load(&board->map->rows[r].met_us);

    return met_us > 0 && met_us <= now_us ? met_us : 0;
}

bool wgw_sup_board_sweep(wgw_sup_board_t *board, const uint32_t *epochs, int64_t now_us)
{
    memset(board->use_counts, 0, board->row_count * sizeof *board->use_counts);
    bool is_used = sweep_entries(board, epochs, now_us);

    for (uint32_t r = 0; r < board->row_count; r++) {
        if (!epochs[r])
            continue;
        is_used = right_idle_count(board, r) || is_used;
    }
    return is_used;
}
