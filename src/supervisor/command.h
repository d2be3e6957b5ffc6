/* The control socket: what the command `wsgigw` asks, and what it is answered.
 *
 * A Unix stream socket, mode 0600, for root and the user who started httpd. A connection is one
 * line of at most WGW_COMMAND_LINE_MOST bytes, ended by LF, and one answer, a JSON object and an
 * LF, after which it is closed. The line is WGW_COMMAND_VERSION, a space, and one of
 *     status
 *     reload [POOL]         accepted, and no more
 *     reload-wait [POOL]    answered when all its processes have been replaced, or will not be
 * where POOL is the rest of the line, as WSGIDaemonProcess names it; without it, all of them. The
 * answer has "version" and "ok"; where that is false, "error" (a word) and "message" (for people).
 * docs/command.md has the rest of it. A name that is not known is to be passed over. */
#ifndef WGW_SUPERVISOR_COMMAND_H
#define WGW_SUPERVISOR_COMMAND_H

#include "base/log.h"
#include "supervisor/generation.h"
#include "supervisor/loop.h"

enum { WGW_COMMAND_VERSION = 1, WGW_COMMAND_LINE_MOST = 512 };

typedef struct wgw_command_t wgw_command_t;

/* Borrows: loop, generations, until wgw_sup_command_destroy(). Returns: NULL when memory is short. */
wgw_command_t *wgw_sup_command_create(const wgw_loop_t *loop, wgw_generations_t *generations,
                                      wgw_log_sink_t sink);

/* Listen at `path` ("": nowhere), and not where it was before. What goes wrong is said in the log:
 * pools do not depend on it. */
void wgw_sup_command_listen(wgw_command_t *command, const char *path);

/* Nothing is to be reloaded any more. */
void wgw_sup_command_end(wgw_command_t *command);

/* Do what is due. Returns: when it wants to be called next. Context: after every event. */
int64_t wgw_sup_command_tick(wgw_command_t *command, int64_t now_us);

/* Close and remove the socket. */
void wgw_sup_command_destroy(wgw_command_t *command);

#endif
