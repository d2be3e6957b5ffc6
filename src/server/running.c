/* A pool is what its record for the supervisor says: where the record is the same, byte for byte, so
 * is the pool. */
#include "server/running.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_main.h>

#include "base/buffer.h"
#include "server/module.h"
#include "server/pool_spec.h"
#include "wsgigw/layout.h"

enum { LEAST_ENTRIES = 8, KEY_BYTES = 32 };
enum { RUNNING_VERSION = 1 }; /* another number for every change of one_t */
enum { ROWS_OF_PLACE = 3 }; /* one serves, one is on trial, one finishes what it has */

typedef struct {
    const char *name, *prefix, *socket_path;
    wgw_blob_t spec;  /* encoded */
    char key[65];
    int board_fd;
} one_t;

struct wgw_running_t {
    apr_pool_t *memory;         /* of `pools` */
    apr_array_header_t *pools;  /* of one_t */
};

/* --- what a pool is given ------------------------------------------------------------- */

static apr_status_t drop_board(void *ctx)
{
    wgw_pool_t *pool = ctx;

    if (pool->board)
        munmap(pool->board, wgw_board_size(pool->row_count, pool->entry_count));
    if (pool->board_fd >= 0)
        close(pool->board_fd);
    pool->board = NULL;
    pool->board_fd = -1;
    return APR_SUCCESS;
}

void wgw_running_mark_board(const wgw_pool_t *pool)
{
    pool->board->row_count = pool->row_count;
    pool->board->entry_count = pool->entry_count;
    atomic_store(&pool->board->is_down, 0);
}

static bool map_board(apr_pool_t *p, wgw_pool_t *pool)
{
    size_t size = wgw_board_size(pool->row_count, pool->entry_count);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->board_fd, 0);

    apr_pool_cleanup_register(p, pool, drop_board, apr_pool_cleanup_null);
    if (map == MAP_FAILED)
        return false;
    pool->board = map;
    return true;
}

/* Sealed: a daemon process that could shrink it would be SIGBUS in httpd. */
static bool make_board(apr_pool_t *p, wgw_pool_t *pool)
{
    size_t size = wgw_board_size(pool->row_count, pool->entry_count);

    pool->board_fd = memfd_create("wsgigw-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (pool->board_fd < 0)
        return false;
    if (ftruncate(pool->board_fd, (off_t)size) != 0 ||
        fcntl(pool->board_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        !map_board(p, pool)) {
        drop_board(pool);
        return false;
    }
    wgw_running_mark_board(pool);
    for (unsigned r = 0; r < pool->row_count; r++)
        atomic_store(&pool->board->rows[r].exit_status, -1);
    return true;
}

static bool make_key(char *hex)
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char bytes[KEY_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        hex[2 * i] = DIGITS[bytes[i] >> 4];
        hex[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    hex[2 * sizeof bytes] = '\0';
    return true;
}

/* Requests that httpd can have at a time, those of HTTP/2 beyond its threads left out. */
static unsigned count_httpd_threads(void)
{
    int processes = 1, threads = 0;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return (unsigned)processes * (threads > 0 ? (unsigned)threads : 1);
}

/* Entries for those that wait, those that Python works on, and those it is through with, whose
 * clients are slow. */
static void set_sizes(wgw_pool_t *pool)
{
    unsigned threads = (unsigned)(pool->process_count * pool->thread_count);

    pool->row_count = ROWS_OF_PLACE * (unsigned)pool->process_count;
    pool->entry_count = threads + (unsigned)pool->listen_backlog + count_httpd_threads();
    if (pool->entry_count < LEAST_ENTRIES)
        pool->entry_count = LEAST_ENTRIES;
}

/* --- what goes on --------------------------------------------------------------------- */

static wgw_blob_t encode(apr_pool_t *p, const wgw_pool_t *pool)
{
    wgw_pool_spec_t spec;
    wgw_buffer_t b = { 0 };

    wgw_pool_spec_make(p, pool, &spec);
    wgw_pool_spec_encode(&b, &spec);
    if (b.is_short)
        ap_abort_on_oom();
    wgw_blob_t blob = { .data = apr_pmemdup(p, b.data, b.len), .len = b.len };
    wgw_buffer_deinit(&b);
    return blob;
}

static const one_t *find(const wgw_running_t *running, const char *name)
{
    for (int i = 0; running->pools && i < running->pools->nelts; i++) {
        const one_t *one = &APR_ARRAY_IDX(running->pools, i, one_t);
        if (strcmp(one->name, name) == 0)
            return one;
    }
    return NULL;
}

/* With its sockets and its key, does it say what the running one says? */
static bool is_same(const one_t *one, wgw_pool_t *pool)
{
    apr_pool_t *p;

    pool->socket_path = one->socket_path;
    memcpy(pool->key, one->key, sizeof pool->key);
    apr_pool_create(&p, NULL);
    wgw_blob_t spec = encode(p, pool);
    bool is_equal = spec.len == one->spec.len && memcmp(spec.data, one->spec.data, spec.len) == 0;
    apr_pool_destroy(p);
    return is_equal;
}

static bool go_on(apr_pool_t *pconf, const one_t *one, wgw_pool_t *pool)
{
    pool->socket_path = apr_pstrdup(pconf, one->socket_path);
    pool->board_fd = fcntl(one->board_fd, F_DUPFD_CLOEXEC, 0);
    return pool->board_fd >= 0 && map_board(pconf, pool);
}

bool wgw_running_make(const wgw_running_t *running, apr_pool_t *pconf, wgw_pool_t *pool,
                      const char *prefix, unsigned generation)
{
    const one_t *one = find(running, pool->name);

    pool->board = NULL;
    set_sizes(pool);
    if (one && strcmp(one->prefix, prefix) == 0 && is_same(one, pool))
        return go_on(pconf, one, pool);
    pool->socket_path = apr_psprintf(pconf, "%s.%ld.%u.%d", prefix, (long)getpid(), generation,
                                     pool->index);
    return make_key(pool->key) && make_board(pconf, pool);
}

/* No cleanups: this module may be loaded anew, elsewhere or in another build, while they wait. */
static void close_boards(const apr_array_header_t *pools)
{
    for (int i = 0; pools && i < pools->nelts; i++) {
        one_t *one = &APR_ARRAY_IDX(pools, i, one_t);
        if (one->board_fd >= 0)
            close(one->board_fd);
        one->board_fd = -1;
    }
}

void wgw_running_child_init(wgw_running_t *running)
{
    close_boards(running->pools);
}

void wgw_running_forget(wgw_running_t *running)
{
    close_boards(running->pools);
    if (running->memory)
        apr_pool_destroy(running->memory);
    *running = (wgw_running_t){ .memory = NULL };
}

void wgw_running_note(wgw_running_t *running, const apr_array_header_t *pools, const char *prefix)
{
    apr_pool_t *p;

    apr_pool_create(&p, ap_pglobal);
    apr_array_header_t *list = apr_array_make(p, pools->nelts + 1, sizeof(one_t));
    for (int i = 0; i < pools->nelts; i++) {
        const wgw_pool_t *pool = APR_ARRAY_IDX(pools, i, wgw_pool_t *);
        one_t *one = &APR_ARRAY_PUSH(list, one_t);
        *one = (one_t){ .name = apr_pstrdup(p, pool->name), .prefix = apr_pstrdup(p, prefix),
                        .spec = encode(p, pool),
                        .socket_path = apr_pstrdup(p, pool->socket_path),
                        .board_fd = fcntl(pool->board_fd, F_DUPFD_CLOEXEC, 0) };
        memcpy(one->key, pool->key, sizeof one->key);
    }
    wgw_running_forget(running);
    *running = (wgw_running_t){ .memory = p, .pools = list };
}

/* Found by builds of this module only that have the same in mind. */
wgw_running_t *wgw_running_get(void)
{
    char key[80];

    apr_snprintf(key, sizeof key, "wsgigw-running-%d-%" APR_UINT64_T_HEX_FMT "-%d", RUNNING_VERSION,
                 wgw_layout(), (int)sizeof(one_t));
    wgw_running_t *running = ap_retained_data_get(key);
    return running ? running : ap_retained_data_create(key, sizeof *running);
}
