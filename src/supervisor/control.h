/* The channel to the httpd parent: who has sent a message, and which descriptors came with
 * it. Knows nothing of what the messages mean. */
#ifndef WGW_SUPERVISOR_CONTROL_H
#define WGW_SUPERVISOR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wsgigw/control.h"

enum { WGW_CONTROL_FDS_MOST = 2 };

typedef struct wgw_channel_t {
    int fd;
    pid_t parent;       /* whose messages are believed */
    char *buffer;       /* WGW_CONTROL_MOST bytes */
} wgw_channel_t;

typedef struct wgw_received_t {
    const char *data;   /* Lives: until the next message */
    size_t len;
    int fds[WGW_CONTROL_FDS_MOST]; /* Owns: whoever received it; -1 where none came */
    size_t fd_count;
} wgw_received_t;

typedef enum wgw_receive_t {
    WGW_RECEIVE_MESSAGE,
    WGW_RECEIVE_NOTHING,  /* nothing is there now */
    WGW_RECEIVE_FOREIGN,  /* from somebody else, or too long: dropped, its descriptors closed */
    WGW_RECEIVE_END       /* nobody holds the other end any more */
} wgw_receive_t;

/* Take over the channel. Returns: NULL; or what is wrong with it. */
const char *wgw_sup_channel_open(wgw_channel_t *channel, int fd);
void wgw_sup_channel_close(wgw_channel_t *channel);

wgw_receive_t wgw_sup_channel_receive(wgw_channel_t *channel, wgw_received_t *out);

/* Close what is left in it: descriptors that were taken are -1. */
void wgw_sup_received_close(wgw_received_t *received);

/* Send READY, FAILED with `why`, or DRAINED. Blocks: never; the parent has room for an answer. */
void wgw_sup_channel_send(const wgw_channel_t *channel, wgw_control_message_t kind,
                          uint32_t generation, const char *why);

/* Send HERE. Blocks: never. */
void wgw_sup_channel_greet(const wgw_channel_t *channel, bool stays);

#endif
