/* Must not know what a request is. */
#include "server/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/descriptor.h"

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

static void set_limit(int sock, int option, int64_t us)
{
    struct timeval limit = timeval_of(us > 0 ? us : 1); /* 0 is no limit */

    setsockopt(sock, SOL_SOCKET, option, &limit, sizeof limit);
}

static int make_socket(const wgw_pool_t *pool)
{
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (sock < 0)
        return -1;
    if (pool->send_buffer_bytes)
        setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &pool->send_buffer_bytes, sizeof(int));
    if (pool->receive_buffer_bytes)
        setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &pool->receive_buffer_bytes, sizeof(int));
    return sock;
}

/* The socket is there as long as its supervisor; while that is started again, it is not. */
static bool is_passing(int error)
{
    return error == ENOENT || error == ECONNREFUSED || error == EAGAIN || error == EINTR;
}

static int connect_row(const wgw_pool_t *pool, unsigned row, wgw_deadline_t deadline, int sock)
{
    enum { PAUSE_US = 10000 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    set_limit(sock, SO_SNDTIMEO, wgw_deadline_left_us(deadline)); /* bounds connect(), too */
    snprintf(address.sun_path, sizeof address.sun_path, "%s.%u.sock", pool->socket_path, row);
    while (connect(sock, (struct sockaddr *)&address, sizeof address) != 0) {
        if (!is_passing(errno) || wgw_deadline_left_us(deadline) == 0)
            return errno;
        usleep(PAUSE_US);
    }
    return 0;
}

int wgw_link_open(const wgw_pool_t *pool, unsigned row, uint32_t epoch, wgw_deadline_t deadline,
                  wgw_link_t **link_out)
{
    wgw_link_t *link = calloc(1, sizeof *link);

    if (!link)
        return ENOMEM;
    int sock = make_socket(pool);
    int error = sock < 0 ? errno : connect_row(pool, row, deadline, sock);

    if (error) {
        free(link);
        if (sock >= 0)
            close(sock);
        return error;
    }
    link->sock = sock;
    link->row = row;
    link->epoch = epoch;
    link->phase = (wgw_phase_t){ WGW_IN_CLOSED, WGW_ANSWER_QUIET };
    *link_out = link;
    return 0;
}

void wgw_link_set_limit(wgw_link_t *link, int64_t us)
{
    if (link->limit_us == us)
        return;
    set_limit(link->sock, SO_RCVTIMEO, us);
    link->limit_us = us;
}

void wgw_link_close(wgw_link_t *link)
{
    close(link->sock);
    free(link);
}

static int poll_timeout(wgw_deadline_t deadline)
{
    int64_t left_ms = (wgw_deadline_left_us(deadline) + 999) / 1000;

    return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

static bool wait_for_room(const wgw_link_t *link, wgw_deadline_t deadline)
{
    struct pollfd one = { .fd = link->sock, .events = POLLOUT };
    int count = poll(&one, 1, poll_timeout(deadline));

    return count > 0 || (count < 0 && errno == EINTR);
}

int wgw_link_send(wgw_link_t *link, const char *data, size_t len, int fd, wgw_deadline_t deadline)
{
    while (len) {
        struct iovec span = { (char *)(uintptr_t)data, len };
        ssize_t sent = wgw_send_with_fd(link->sock, &span, 1, fd, MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            return errno;
        if (sent < 0) {
            if (!wait_for_room(link, deadline))
                return EAGAIN;
            continue;
        }
        data += sent;
        len -= (size_t)sent;
        fd = -1;
    }
    return 0;
}

int wgw_link_wait(const wgw_link_t *link, bool wants_room, int client, wgw_deadline_t deadline)
{
    struct pollfd both[] = {
        { .fd = link->sock, .events = (short)(POLLIN | (wants_room ? POLLOUT : 0)) },
        { .fd = client, .events = POLLIN },
    };

    return poll(both, client >= 0 ? 2 : 1, poll_timeout(deadline));
}
