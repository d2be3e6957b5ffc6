/* Generations of pools: the one that is being described, the one that runs, and those that
 * end. A description that cannot be carried out changes nothing. */
#ifndef WGW_SUPERVISOR_GENERATION_H
#define WGW_SUPERVISOR_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "supervisor/look.h"
#include "supervisor/loop.h"
#include "supervisor/message.h"
#include "supervisor/state.h"

typedef struct wgw_generations_t wgw_generations_t;

/* Returns: NULL when memory is short. */
wgw_generations_t *wgw_sup_generations_create(const wgw_loop_t *loop);

/* Begin to describe a generation; another one that was begun is forgotten.
 * Owns: pipe_fd, which is at its end when no httpd child of the generation is left.
 * Returns: false, with a sentence in `why`; as the two below. */
bool wgw_sup_generations_begin(wgw_generations_t *all, const wgw_parent_message_t *message,
                               int pipe_fd, char *why, size_t why_size);

/* Add a pool to it. Owns: message->memory, board_fd, log_fd (-1 none), in every case. */
bool wgw_sup_generations_add(wgw_generations_t *all, const wgw_parent_message_t *message,
                             int board_fd, int log_fd, char *why, size_t why_size);

/* Bind its sockets, start its pools; the generation before begins to wait for its end. */
bool wgw_sup_generations_commit(wgw_generations_t *all, char *why, size_t why_size);

/* Forget the pools of the generation that was begun; its children may go on with those before. */
void wgw_sup_generations_forget(wgw_generations_t *all);

/* The number of the generation that was begun last. */
uint32_t wgw_sup_generations_number(const wgw_generations_t *all);

/* End all pools; limits as of wgw_sup_pool_end(). */
void wgw_sup_generations_end(wgw_generations_t *all, bool drains, int64_t graceful_limit_us,
                             int64_t shutdown_limit_us);

/* No other generation comes: the newest one, too, ends when its children are gone. */
void wgw_sup_generations_leave(wgw_generations_t *all);

/* Save all generations, or restore them where there are none; what was begun is not among them. */
void wgw_sup_generations_move(wgw_generations_t *all, wgw_state_t *state);

/* How many pools there are. */
uint32_t wgw_sup_generations_pool_count(const wgw_generations_t *all);

/* Tell whether nothing is left to do: there is no pool, and either the parent has committed a
 * generation without any, or all were told to end. */
bool wgw_sup_generations_are_over(const wgw_generations_t *all, bool is_ending);

/* Write an object for each pool: those of the newest generation, then the others. */
void wgw_sup_generations_show(const wgw_generations_t *all, wgw_json_t *json, int64_t now_us);

/* A pool that was told to reload. */
typedef struct wgw_reload_t {
    char *name, *path;    /* of the pool */
    uint32_t version;     /* of the processes that it is to have */
    int64_t since_us;
    bool is_gone;         /* the pool: another configuration has none of it, or another one */
    wgw_reload_state_t state;
    char why[320];        /* FAILED */
} wgw_reload_t;

/* Reload the pools of the newest generation that have this name; "": all of them.
 * Owns: *list_out, of as many as it returns; to be given to wgw_sup_reloads_free(). */
size_t wgw_sup_generations_reload(wgw_generations_t *all, const char *name,
                                  wgw_reload_t **list_out);

/* Bring `reload` up to date. */
void wgw_sup_generations_look_at_reload(wgw_generations_t *all, wgw_reload_t *reload);

void wgw_sup_reloads_free(wgw_reload_t *list, size_t count);

/* Do what is due. Returns: when to call it next. */
int64_t wgw_sup_generations_tick(wgw_generations_t *all, int64_t now_us);

void wgw_sup_generations_destroy(wgw_generations_t *all);

#endif
