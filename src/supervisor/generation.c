/* A list; its head is the newest. Freed only from tick() and from the failing paths, never
 * while a callback of one of its pools is on the stack. */
#include "supervisor/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "supervisor/pool.h"

#define LEAVING_KEEP_US INT64_C(600000000) /* httpd children with requests longer than that are not waited for */

typedef struct node_t {
    struct node_t *next;
    wgw_sup_pool_t *pool;
    char *path;      /* before COMMIT: of a pool that runs in a generation before; else NULL */
    int log_fd;      /* that came for such a one; -1 none */
} node_t;

typedef struct generation_t {
    struct generation_t *next;
    const wgw_loop_t *loop;
    uint32_t number;
    int64_t keep_us;        /* for the generation before */
    wgw_watch_t children;   /* at its end when no httpd child is left */
    bool is_old, is_ending;
    bool has_no_children;
    int64_t until_us;       /* when an old one is drained at the latest */
    node_t *pools;
} generation_t;

struct wgw_generations_t {
    const wgw_loop_t *loop;
    generation_t *begun;    /* not committed */
    generation_t *list;     /* committed, newest first */
    uint32_t number;
};

wgw_generations_t *wgw_sup_generations_create(const wgw_loop_t *loop)
{
    wgw_generations_t *all = calloc(1, sizeof *all);

    if (all)
        all->loop = loop;
    return all;
}

/* The pools' processes must be gone, or never have been. */
static void drop_pools(generation_t *g)
{
    while (g->pools) {
        node_t *node = g->pools;
        g->pools = node->next;
        if (node->pool)
            wgw_sup_pool_destroy(node->pool);
        else if (node->log_fd >= 0)
            close(node->log_fd);
        free(node->path);
        free(node);
    }
}

static void destroy(generation_t *g)
{
    drop_pools(g);
    wgw_sup_loop_close(g->loop, &g->children);
    free(g);
}

/* httpd goes on with children of a generation that could not be started, and those use what has been
 * there before: it is kept, without pools, as one that is older than the newest. */
void wgw_sup_generations_forget(wgw_generations_t *all)
{
    generation_t *g = all->begun, *newest = all->list;

    all->begun = NULL;
    if (!g)
        return;
    if (!newest || (newest->next && newest->next->number == g->number)) {
        destroy(g);
        return;
    }
    drop_pools(g);
    g->next = newest->next;
    newest->next = g;
}

static void on_children(void *ctx, uint32_t index, uint32_t events)
{
    generation_t *g = ctx;
    char byte;

    (void)index, (void)events;
    if (read(g->children.fd, &byte, sizeof byte) > 0)
        return; /* nobody has anything to write there; it is taken and forgotten */
    wgw_sup_loop_close(g->loop, &g->children);
    g->has_no_children = true;
}

bool wgw_sup_generations_begin(wgw_generations_t *all, const wgw_parent_message_t *message,
                               int pipe_fd, char *why, size_t why_size)
{
    generation_t *g = calloc(1, sizeof *g);

    wgw_sup_generations_forget(all);
    all->number = message->generation;
    if (!g || pipe_fd < 0) {
        snprintf(why, why_size, g ? "GENERATION came without its pipe" : "memory is short");
        free(g);
        if (pipe_fd >= 0)
            close(pipe_fd);
        return false;
    }
    g->loop = all->loop;
    g->number = message->generation;
    g->keep_us = message->keep_us < INT64_MAX / 4 ? (int64_t)message->keep_us : INT64_MAX / 4;
    g->children = (wgw_watch_t){ .fd = pipe_fd, .call = on_children, .ctx = g };
    if (!wgw_sup_loop_add(all->loop, &g->children, EPOLLIN)) {
        snprintf(why, why_size, "GENERATION came with a descriptor that is no pipe");
        close(pipe_fd);
        free(g);
        return false;
    }
    all->begun = g;
    return true;
}

static void append(generation_t *g, node_t *node)
{
    node_t **at = &g->pools;

    while (*at)
        at = &(*at)->next;
    *at = node;
}

/* The pool of this path that runs, and has not been told to end. Returns: its node's place, or NULL. */
static node_t **find_running(wgw_generations_t *all, const char *path)
{
    for (generation_t *g = all->list; g; g = g->next)
        for (node_t **at = &g->pools; !g->is_ending && *at; at = &(*at)->next)
            if (strcmp(wgw_sup_pool_path((*at)->pool), path) == 0)
                return at;
    return NULL;
}

/* Two pools on one scoreboard would hide each other's processes. */
static bool is_path_taken(const wgw_generations_t *all, const char *path)
{
    for (const generation_t *g = all->list; g; g = g->next)
        for (const node_t *node = g->pools; node; node = node->next)
            if (strcmp(wgw_sup_pool_path(node->pool), path) == 0)
                return true;
    return false;
}

static bool add_running(wgw_generations_t *all, const char *path, int log_fd)
{
    node_t *node = all->begun ? calloc(1, sizeof *node) : NULL;

    if (node && (node->path = strdup(path))) {
        node->log_fd = log_fd;
        append(all->begun, node);
        return true;
    }
    if (log_fd >= 0)
        close(log_fd);
    free(node);
    return false;
}

bool wgw_sup_generations_add(wgw_generations_t *all, const wgw_parent_message_t *message,
                             int board_fd, int log_fd, char *why, size_t why_size)
{
    node_t **running = find_running(all, message->spec.socket_path);

    if (running) {
        bool is_added = add_running(all, message->spec.socket_path, log_fd);
        free(message->memory);
        close(board_fd);
        if (!is_added)
            snprintf(why, why_size, "memory is short, or POOL came before GENERATION");
        return is_added;
    }
    if (is_path_taken(all, message->spec.socket_path)) {
        snprintf(why, why_size, "the processes of '%s' as it was before are still ending",
                 message->spec.name);
        free(message->memory);
        close(board_fd);
        if (log_fd >= 0)
            close(log_fd);
        return false;
    }
    wgw_sup_pool_t *pool = wgw_sup_pool_create(all->loop, &message->spec, message->memory, board_fd,
                                               log_fd, why, why_size);
    node_t *node = pool ? calloc(1, sizeof *node) : NULL;

    if (!node || !all->begun) {
        if (pool)
            snprintf(why, why_size, all->begun ? "memory is short" : "POOL came before GENERATION");
        wgw_sup_pool_destroy(pool);
        free(node);
        return false;
    }
    node->pool = pool;
    append(all->begun, node);
    return true;
}

/* It is of this generation from now on. */
static void take_over(node_t **at, node_t *node)
{
    node_t *before = *at;

    *at = before->next;
    node->pool = before->pool;
    free(before);
    free(node->path);
    node->path = NULL;
    wgw_sup_pool_go_on(node->pool, node->log_fd);
}

static void start(wgw_generations_t *all, generation_t *g)
{
    for (node_t *node = g->pools; node; node = node->next)
        if (node->path)
            take_over(find_running(all, node->path), node);
        else
            wgw_sup_pool_start(node->pool);
}

static bool is_startable(wgw_generations_t *all, const node_t *node, char *why, size_t why_size)
{
    if (!node->path)
        return wgw_sup_pool_listen(node->pool, why, why_size);
    if (find_running(all, node->path))
        return true;
    snprintf(why, why_size, "a pool that was to go on has ended meanwhile");
    return false;
}

static void make_old(generation_t *g, int64_t keep_us, int64_t now_us)
{
    for (; g; g = g->next)
        if (!g->is_old) {
            g->is_old = true;
            g->until_us = now_us + keep_us;
        }
}

bool wgw_sup_generations_commit(wgw_generations_t *all, char *why, size_t why_size)
{
    generation_t *g = all->begun;

    if (!g) {
        snprintf(why, why_size, "COMMIT came before GENERATION");
        return false;
    }
    for (node_t *node = g->pools; node; node = node->next)
        if (!is_startable(all, node, why, why_size)) {
            wgw_sup_generations_forget(all);
            return false;
        }
    make_old(all->list, g->keep_us, wgw_now_us());
    start(all, g);
    g->next = all->list;
    all->list = g;
    all->begun = NULL;
    return true;
}

uint32_t wgw_sup_generations_number(const wgw_generations_t *all)
{
    return all->number;
}

static void end(generation_t *g, bool drains, int64_t graceful_limit_us, int64_t shutdown_limit_us)
{
    g->is_ending = true;
    for (node_t *node = g->pools; node; node = node->next)
        wgw_sup_pool_end(node->pool, drains, graceful_limit_us, shutdown_limit_us);
}

void wgw_sup_generations_end(wgw_generations_t *all, bool drains, int64_t graceful_limit_us,
                             int64_t shutdown_limit_us)
{
    wgw_sup_generations_forget(all);
    for (generation_t *g = all->list; g; g = g->next)
        end(g, drains, graceful_limit_us, shutdown_limit_us);
}

void wgw_sup_generations_leave(wgw_generations_t *all)
{
    wgw_sup_generations_forget(all);
    make_old(all->list, LEAVING_KEEP_US, wgw_now_us());
}

bool wgw_sup_generations_are_over(const wgw_generations_t *all, bool is_ending)
{
    if (is_ending)
        return !all->list;
    return all->list && !all->list->next && !all->list->pools && !all->begun;
}

/* Free the pools that are over. Returns: when the others want to be called. */
static int64_t tick_pools(generation_t *g, int64_t now_us)
{
    int64_t wake_us = INT64_MAX;

    for (node_t **at = &g->pools; *at;) {
        node_t *node = *at;
        int64_t pool_us = wgw_sup_pool_tick(node->pool, now_us);
        if (wgw_sup_pool_is_over(node->pool)) {
            *at = node->next;
            wgw_sup_pool_destroy(node->pool);
            free(node);
            continue;
        }
        wake_us = pool_us < wake_us ? pool_us : wake_us;
        at = &node->next;
    }
    return wake_us;
}

/* Children of a generation may use pools of any later one that went on with them. */
static bool has_children(const generation_t *g, int64_t now_us)
{
    for (; g; g = g->next)
        if (!g->has_no_children && (!g->is_old || now_us < g->until_us))
            return true;
    return false;
}

int64_t wgw_sup_generations_tick(wgw_generations_t *all, int64_t now_us)
{
    int64_t wake_us = INT64_MAX;

    for (generation_t **at = &all->list; *at;) {
        generation_t *g = *at;
        if (g->is_old && !g->is_ending && !has_children(g, now_us))
            end(g, true, 0, 0);
        int64_t pools_us = tick_pools(g, now_us);
        if (g->is_ending && !g->pools) {
            *at = g->next;
            destroy(g);
            continue;
        }
        wake_us = pools_us < wake_us ? pools_us : wake_us;
        if (g->is_old && !g->is_ending && g->until_us < wake_us)
            wake_us = g->until_us;
        at = &g->next;
    }
    return wake_us;
}

/* --- what people ask for -------------------------------------------------------------- */

void wgw_sup_generations_show(const wgw_generations_t *all, wgw_json_t *json, int64_t now_us)
{
    for (const generation_t *g = all->list; g; g = g->next)
        for (const node_t *node = g->pools; node; node = node->next)
            wgw_sup_pool_show(node->pool, json, g->number, g->is_old || g->is_ending, now_us);
}

static bool begin_reload(wgw_sup_pool_t *pool, wgw_reload_t *reload)
{
    *reload = (wgw_reload_t){ .name = strdup(wgw_sup_pool_name(pool)),
                              .path = strdup(wgw_sup_pool_path(pool)), .since_us = wgw_now_us() };
    if (!reload->name || !reload->path)
        return false;
    reload->version = wgw_sup_pool_reload(pool);
    return true;
}

size_t wgw_sup_generations_reload(wgw_generations_t *all, const char *name,
                                  wgw_reload_t **list_out)
{
    const generation_t *g = all->list && !all->list->is_ending ? all->list : NULL;
    size_t count = 0, most = 0;

    for (const node_t *node = g ? g->pools : NULL; node; node = node->next)
        most++;
    *list_out = calloc(most + 1, sizeof **list_out);
    for (const node_t *node = g && *list_out ? g->pools : NULL; node; node = node->next) {
        if (*name && strcmp(wgw_sup_pool_name(node->pool), name) != 0)
            continue;
        if (!begin_reload(node->pool, &(*list_out)[count++]))
            break;
    }
    return count;
}

void wgw_sup_generations_look_at_reload(wgw_generations_t *all, wgw_reload_t *reload)
{
    node_t **running = reload->path ? find_running(all, reload->path) : NULL;
    const char *why = "";

    reload->is_gone = !running;
    if (!running)
        return;
    reload->state = wgw_sup_pool_look_at_reload((*running)->pool, reload->version,
                                                reload->since_us, &why);
    snprintf(reload->why, sizeof reload->why, "%s", why);
}

void wgw_sup_reloads_free(wgw_reload_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].path);
    }
    free(list);
}

void wgw_sup_generations_destroy(wgw_generations_t *all)
{
    wgw_sup_generations_forget(all);
    while (all->list) {
        generation_t *g = all->list;
        all->list = g->next;
        destroy(g);
    }
    free(all);
}

/* --- over exec() ---------------------------------------------------------------------- */

static uint32_t count_pools(const generation_t *g)
{
    uint32_t count = 0;

    for (const node_t *node = g->pools; node; node = node->next)
        count++;
    return count;
}

uint32_t wgw_sup_generations_pool_count(const wgw_generations_t *all)
{
    uint32_t count = 0;

    for (const generation_t *g = all->list; g; g = g->next)
        count += count_pools(g);
    return count;
}

static void restore_pool(generation_t *g, wgw_state_t *state)
{
    node_t *node = calloc(1, sizeof *node);
    wgw_sup_pool_t *pool = node ? wgw_sup_pool_restore(g->loop, state) : NULL;

    if (pool) {
        *node = (node_t){ .pool = pool, .log_fd = -1 };
        append(g, node);
        return;
    }
    free(node);
    state->in.is_bad = true;
}

static void move_pools(generation_t *g, wgw_state_t *state)
{
    uint32_t count = count_pools(g);

    wgw_sup_state_u32(state, &count);
    for (node_t *node = g->pools; state->is_saving && node; node = node->next)
        wgw_sup_pool_save(node->pool, state);
    while (!state->is_saving && count-- && !state->in.is_bad)
        restore_pool(g, state);
}

static void move_generation(generation_t *g, wgw_state_t *state)
{
    wgw_sup_state_u32(state, &g->number);
    wgw_sup_state_i64(state, &g->keep_us);
    wgw_sup_state_bool(state, &g->is_old);
    wgw_sup_state_bool(state, &g->is_ending);
    wgw_sup_state_bool(state, &g->has_no_children);
    wgw_sup_state_i64(state, &g->until_us);
    wgw_sup_state_fd(state, &g->children.fd);
    if (!state->is_saving && g->children.fd >= 0 && !wgw_sup_loop_add(g->loop, &g->children, EPOLLIN))
        state->in.is_bad = true;
    move_pools(g, state);
}

/* Returns: where the next one goes. */
static generation_t **restore_generation(wgw_generations_t *all, generation_t **at, wgw_state_t *state)
{
    generation_t *g = calloc(1, sizeof *g);

    if (!g) {
        state->in.is_bad = true;
        return at;
    }
    g->loop = all->loop;
    g->children = (wgw_watch_t){ .fd = -1, .call = on_children, .ctx = g };
    *at = g;
    move_generation(g, state);
    return &g->next;
}

void wgw_sup_generations_move(wgw_generations_t *all, wgw_state_t *state)
{
    generation_t **at = &all->list;
    uint32_t count = 0;

    for (const generation_t *g = all->list; g; g = g->next)
        count++;
    wgw_sup_state_u32(state, &all->number);
    wgw_sup_state_u32(state, &count);
    for (generation_t *g = all->list; state->is_saving && g; g = g->next)
        move_generation(g, state);
    while (!state->is_saving && count-- && !state->in.is_bad)
        at = restore_generation(all, at, state);
}
