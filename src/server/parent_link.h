/* The httpd parent's end of the supervisor: its process and the channel to it.
 * Knows nothing of pools and generations. */
#ifndef WGW_SERVER_PARENT_LINK_H
#define WGW_SERVER_PARENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "wsgigw/control.h"

/* Retained over configurations, and over builds of this module: it stays as it is. */
typedef struct wgw_parent_link_t {
    pid_t pid;          /* 0: no supervisor */
    int fd;             /* -1: no channel; CLOEXEC, O_NONBLOCK */
    int64_t started_us;
} wgw_parent_link_t;

typedef struct wgw_answer_t {
    wgw_control_message_t kind;
    uint32_t generation;
    char why[1024];     /* FAILED */
    bool stays;         /* HERE */
} wgw_answer_t;

typedef enum wgw_parent_link_status_t {
    WGW_LINK_OK,
    WGW_LINK_TIMEOUT,   /* not before the deadline */
    WGW_LINK_GONE,      /* the supervisor does not hold its end any more */
    WGW_LINK_TOO_LONG   /* the system does not take a message of that length */
} wgw_parent_link_status_t;

/* Start a supervisor. Context: httpd parent.
 * Returns: 0; or errno, and the link is empty. A program that cannot be executed is GONE later. */
int wgw_parent_link_start(wgw_parent_link_t *link, const char *program);

/* Send one message with descriptors, which stay the caller's. Blocks: until the deadline. */
wgw_parent_link_status_t wgw_parent_link_send(const wgw_parent_link_t *link, const char *data,
                                              size_t len, const int *fds, size_t fd_count,
                                              wgw_deadline_t deadline);

/* Take the next answer. Blocks: until the deadline. */
wgw_parent_link_status_t wgw_parent_link_receive(const wgw_parent_link_t *link,
                                                 wgw_answer_t *answer_out,
                                                 wgw_deadline_t deadline);

/* Reap the process. Blocks: until the deadline. Returns: false when it has not ended. */
bool wgw_parent_link_reap(wgw_parent_link_t *link, wgw_deadline_t deadline);

/* Close the channel; the process is left to itself. */
void wgw_parent_link_close(wgw_parent_link_t *link);

#endif
