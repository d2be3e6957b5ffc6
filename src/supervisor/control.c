/* Every forked httpd child holds the parent's end for a moment, and other modules fork too: a
 * message counts only when the kernel says that the parent has sent it. */
#include "supervisor/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cursor.h"

const char *wgw_sup_channel_open(wgw_channel_t *channel, int fd)
{
    struct ucred maker = { 0 };
    socklen_t len = sizeof maker;
    const int on = 1, bytes = WGW_CONTROL_MOST;
    int type = 0;
    socklen_t type_len = sizeof type;

    *channel = (wgw_channel_t){ .fd = fd };
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 || type != SOCK_SEQPACKET ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &len) != 0)
        return "descriptor 3 is not the socket of an httpd parent";
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return "SO_PASSCRED";
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    channel->parent = maker.pid;
    channel->buffer = malloc(WGW_CONTROL_MOST);
    return channel->buffer ? NULL : "memory is short";
}

void wgw_sup_channel_close(wgw_channel_t *channel)
{
    free(channel->buffer);
    if (channel->fd >= 0)
        close(channel->fd);
    *channel = (wgw_channel_t){ .fd = -1 };
}

void wgw_sup_received_close(wgw_received_t *received)
{
    for (size_t i = 0; i < WGW_CONTROL_FDS_MOST; i++) {
        if (received->fds[i] >= 0)
            close(received->fds[i]);
        received->fds[i] = -1;
    }
}

static void take_descriptors(const struct cmsghdr *c, wgw_received_t *out)
{
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        if (out->fd_count < WGW_CONTROL_FDS_MOST)
            out->fds[out->fd_count++] = fd;
        else
            close(fd);
    }
}

/* Returns: the pid of the sender, 0 when the kernel did not say. */
static pid_t take_ancillary(struct msghdr *m, wgw_received_t *out)
{
    pid_t sender = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            take_descriptors(c, out);
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred from;
            memcpy(&from, CMSG_DATA(c), sizeof from);
            sender = from.pid;
        }
    }
    return sender;
}

wgw_receive_t wgw_sup_channel_receive(wgw_channel_t *channel, wgw_received_t *out)
{
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(sizeof(struct ucred)) +
                                            CMSG_SPACE(8 * sizeof(int))];
    struct iovec iov = { .iov_base = channel->buffer, .iov_len = WGW_CONTROL_MOST };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ancillary,
                        .msg_controllen = sizeof ancillary };
    ssize_t n = recvmsg(channel->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *out = (wgw_received_t){ .data = channel->buffer, .fds = { -1, -1 } };
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? WGW_RECEIVE_NOTHING : WGW_RECEIVE_END;
    pid_t sender = take_ancillary(&m, out);
    if (n == 0 && sender != channel->parent) {
        wgw_sup_received_close(out);
        return sender ? WGW_RECEIVE_FOREIGN : WGW_RECEIVE_END;
    }
    if (sender == channel->parent && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        out->len = (size_t)n;
        return WGW_RECEIVE_MESSAGE;
    }
    wgw_sup_received_close(out);
    return WGW_RECEIVE_FOREIGN;
}

void wgw_sup_channel_send(const wgw_channel_t *channel, wgw_control_message_t kind,
                          uint32_t generation, const char *why)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u8(&b, (uint8_t)kind);
    if (kind != WGW_CONTROL_DRAINED)
        wgw_put_u32(&b, generation);
    if (kind == WGW_CONTROL_FAILED)
        wgw_put_text(&b, why);
    if (!b.is_short)
        (void)!send(channel->fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    wgw_buffer_deinit(&b);
}

void wgw_sup_channel_greet(const wgw_channel_t *channel, bool stays)
{
    const unsigned char here[] = { WGW_CONTROL_HERE, stays };

    (void)!send(channel->fd, here, sizeof here, MSG_NOSIGNAL | MSG_DONTWAIT);
}
