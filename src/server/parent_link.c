/* fork and exec: the supervisor begins with the descriptors 0 to 3 and nothing else of httpd. */
#include "server/parent_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cursor.h"

enum { HIGH_FD = 64, FDS_MOST = 4, NAP_MS = 10 };

static _Noreturn void be_supervisor(const char *program, int channel)
{
    char *argv[] = { (char *)(uintptr_t)program, NULL };
    int high = fcntl(channel, F_DUPFD, HIGH_FD);
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;

    if (null > 0)
        dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (high < 0 || dup2(high, WGW_FD_PARENT) < 0)
        _exit(127);
    for (long fd = WGW_FD_PARENT + 1, most = sysconf(_SC_OPEN_MAX);
         syscall(SYS_close_range, (unsigned)fd, ~0u, 0) != 0 && fd < most; fd++)
        close((int)fd);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program, argv);
    _exit(127);
}

/* Credentials must be passed from the first message on, before the other side can ask for them. */
static int open_channel(int pair[2])
{
    const int on = 1, bytes = WGW_CONTROL_MOST;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return errno;
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    fcntl(pair[0], F_SETFL, fcntl(pair[0], F_GETFL) | O_NONBLOCK);
    return setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 ? 0 : errno;
}

int wgw_parent_link_start(wgw_parent_link_t *link, const char *program)
{
    int pair[2] = { -1, -1 };
    int rc = open_channel(pair);

    *link = (wgw_parent_link_t){ .fd = -1 };
    if (rc == 0 && access(program, X_OK) != 0)
        rc = errno;
    if (rc == 0) {
        link->pid = fork();
        if (link->pid == 0)
            be_supervisor(program, pair[1]);
        rc = link->pid < 0 ? errno : 0;
    }
    if (pair[1] >= 0)
        close(pair[1]);
    if (rc == 0) {
        link->fd = pair[0];
        link->started_us = wgw_now_us();
        return 0;
    }
    if (pair[0] >= 0)
        close(pair[0]);
    link->pid = 0;
    return rc;
}

/* Returns: false at the deadline. */
static bool wait_for(int fd, short events, wgw_deadline_t deadline)
{
    struct pollfd p = { .fd = fd, .events = events };

    for (;;) {
        int64_t left_us = wgw_deadline_left_us(deadline);
        int rc = poll(&p, 1, (int)((left_us + 999) / 1000));
        if (rc != 0 && !(rc < 0 && errno == EINTR))
            return rc > 0;
        if (rc == 0 && left_us == 0)
            return false;
    }
}

static void set_descriptors(struct msghdr *m, char *ancillary, const int *fds, size_t count)
{
    if (!count)
        return;
    m->msg_control = ancillary;
    m->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

wgw_parent_link_status_t wgw_parent_link_send(const wgw_parent_link_t *link, const char *data,
                                              size_t len, const int *fds, size_t fd_count,
                                              wgw_deadline_t deadline)
{
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(FDS_MOST * sizeof(int))] = { 0 };
    struct iovec iov = { .iov_base = (char *)(uintptr_t)data, .iov_len = len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (link->fd < 0)
        return WGW_LINK_GONE;
    if (len > WGW_CONTROL_MOST)
        return WGW_LINK_TOO_LONG;
    set_descriptors(&m, ancillary, fds, fd_count);
    for (;;) {
        if (sendmsg(link->fd, &m, MSG_NOSIGNAL) == (ssize_t)len)
            return WGW_LINK_OK;
        if (errno == EMSGSIZE)
            return WGW_LINK_TOO_LONG;
        if (errno != EAGAIN && errno != EINTR)
            return WGW_LINK_GONE;
        if (!wait_for(link->fd, POLLOUT, deadline))
            return WGW_LINK_TIMEOUT;
    }
}

static bool decode(const char *data, size_t len, wgw_answer_t *out)
{
    wgw_cursor_t c = { .at = data, .end = data + len };

    *out = (wgw_answer_t){ .kind = (wgw_control_message_t)wgw_cursor_u8(&c) };
    if (out->kind == WGW_CONTROL_READY || out->kind == WGW_CONTROL_FAILED)
        out->generation = wgw_cursor_u32(&c);
    if (out->kind == WGW_CONTROL_FAILED)
        snprintf(out->why, sizeof out->why, "%s", wgw_cursor_text(&c, NULL));
    if (out->kind == WGW_CONTROL_HERE)
        out->stays = wgw_cursor_u8(&c) == 1;
    return wgw_cursor_is_done(&c) && out->kind >= WGW_CONTROL_READY &&
           out->kind <= WGW_CONTROL_HERE;
}

wgw_parent_link_status_t wgw_parent_link_receive(const wgw_parent_link_t *link,
                                                 wgw_answer_t *answer_out,
                                                 wgw_deadline_t deadline)
{
    char data[2048];

    if (link->fd < 0)
        return WGW_LINK_GONE;
    for (;;) {
        ssize_t n = recv(link->fd, data, sizeof data, MSG_DONTWAIT);
        if (n > 0 && decode(data, (size_t)n, answer_out))
            return WGW_LINK_OK;
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return WGW_LINK_GONE;
        if (n < 0 && !wait_for(link->fd, POLLIN, deadline))
            return WGW_LINK_TIMEOUT;
    }
}

bool wgw_parent_link_reap(wgw_parent_link_t *link, wgw_deadline_t deadline)
{
    while (link->pid) {
        pid_t rc = waitpid(link->pid, NULL, WNOHANG);
        if (rc == link->pid || (rc < 0 && errno == ECHILD))
            link->pid = 0;
        else if (wgw_deadline_left_us(deadline) == 0)
            return false;
        else
            poll(NULL, 0, NAP_MS);
    }
    return true;
}

void wgw_parent_link_close(wgw_parent_link_t *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}
