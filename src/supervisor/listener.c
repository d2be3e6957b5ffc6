/* The file is made with no permission for others, and given to httpd's user afterwards: at no
 * time can somebody else connect. */
#include "supervisor/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool set_address(wgw_listener_t *l, const wgw_pool_spec_t *spec, uint32_t row, char *why,
                        size_t why_size)
{
    size_t room = sizeof l->address.sun_path;
    int len = snprintf(l->address.sun_path, room, "%s.%u.sock", spec->socket_path, row);

    l->address.sun_family = AF_UNIX;
    if (len >= 0 && (size_t)len < room)
        return true;
    snprintf(why, why_size, "the path of a socket of pool '%s' is %d bytes long, but the system "
             "takes %zu at most: choose a shorter WSGISocketPrefix (%.200s)", spec->name, len,
             room - 1, spec->socket_path);
    return false;
}

static bool fail(wgw_listener_t *l, const char *step, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s of socket %s: %s; WSGISocketPrefix must name a folder that the "
             "user who starts httpd may write to, and httpd's user may enter", step,
             l->address.sun_path, strerror(errno));
    wgw_sup_listener_close(l);
    return false;
}

static void set_buffer(int fd, int option, uint32_t bytes)
{
    int value = bytes < INT32_MAX ? (int)bytes : INT32_MAX;

    if (value)
        setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

static bool bind_private(const wgw_listener_t *l)
{
    mode_t before = umask(0177);
    int rc = bind(l->fd, (const struct sockaddr *)&l->address, sizeof l->address);

    umask(before);
    return rc == 0;
}

/* Through a descriptor of the file itself: whoever may write to the folder could put another file
 * in its place between bind() and chown(). Returns: false with errno. */
static bool give_to_owner(wgw_listener_t *l, uint32_t uid)
{
    struct stat st;
    int fd = open(l->address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool is_given = fd >= 0 && fstat(fd, &st) == 0;

    if (is_given && !S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        is_given = false;
    }
    if (is_given) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
        is_given = uid == WGW_SPEC_NONE || uid == st.st_uid ||
                   fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH) == 0;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return is_given;
}

/* Returns: false, with a sentence in `why`. */
static bool listen_there(wgw_listener_t *l, const wgw_pool_spec_t *spec, char *why, size_t why_size)
{
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return fail(l, "socket()", why, why_size);
    set_buffer(l->fd, SO_SNDBUF, spec->send_buffer_bytes);
    set_buffer(l->fd, SO_RCVBUF, spec->receive_buffer_bytes);
    if (!bind_private(l))
        return fail(l, "bind()", why, why_size);
    if (!give_to_owner(l, spec->socket_uid))
        return fail(l, "chown()", why, why_size);
    if (listen(l->fd, spec->listen_backlog ? (int)spec->listen_backlog : 1) != 0)
        return fail(l, "listen()", why, why_size);
    return true;
}

bool wgw_sup_listener_open(wgw_listener_t *l, const wgw_pool_spec_t *spec, uint32_t row, char *why,
                           size_t why_size)
{
    *l = (wgw_listener_t){ .fd = -1 };
    if (!set_address(l, spec, row, why, why_size))
        return false;
    if (unlink(l->address.sun_path) != 0 && errno != ENOENT)
        return fail(l, "removing a stale file", why, why_size);
    return listen_there(l, spec, why, why_size);
}

/* A socket that nobody listens at any more refuses. */
static bool is_stale(const wgw_listener_t *l)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_refused = fd >= 0 &&
                      connect(fd, (const struct sockaddr *)&l->address, sizeof l->address) != 0 &&
                      errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return is_refused;
}

/* Returns: NULL; or what is in the way. */
static const char *clear_way(const wgw_listener_t *l)
{
    struct stat st;

    if (lstat(l->address.sun_path, &st) != 0)
        return NULL; /* bind() tells, if that is not because there is nothing */
    if (!S_ISSOCK(st.st_mode))
        return "a file that is no socket is there";
    if (!is_stale(l))
        return "another httpd listens there, which has the same WSGISocketPrefix";
    return unlink(l->address.sun_path) == 0 || errno == ENOENT ? NULL
                                                               : "a stale file cannot be removed";
}

bool wgw_sup_listener_open_at(wgw_listener_t *l, const char *path, char *why, size_t why_size)
{
    static const wgw_pool_spec_t OURS = { .socket_uid = WGW_SPEC_NONE, .listen_backlog = 16 };

    *l = (wgw_listener_t){ .fd = -1, .address.sun_family = AF_UNIX };
    if (strlen(path) >= sizeof l->address.sun_path) {
        snprintf(why, why_size, "the path is longer than the %zu bytes that the system takes (%.200s)",
                 sizeof l->address.sun_path - 1, path);
        return false;
    }
    memcpy(l->address.sun_path, path, strlen(path));
    const char *wrong = clear_way(l);
    if (wrong) {
        snprintf(why, why_size, "%s: %s", path, wrong);
        return false;
    }
    return listen_there(l, &OURS, why, why_size);
}

bool wgw_sup_listener_is_there(const wgw_listener_t *l)
{
    struct stat st;

    return l->inode && lstat(l->address.sun_path, &st) == 0 && st.st_dev == l->device &&
           st.st_ino == l->inode;
}

void wgw_sup_listener_close(wgw_listener_t *l)
{
    if (wgw_sup_listener_is_there(l))
        unlink(l->address.sun_path);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->inode = 0;
}

void wgw_sup_listener_refuse(const wgw_listener_t *listener)
{
    enum { MOST = 4096 }; /* whoever connects again and again must not keep us here */
    int sock;

    for (int i = 0; i < MOST && (sock = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; i++)
        close(sock);
}

void wgw_sup_listener_move(wgw_listener_t *listener, wgw_state_t *state)
{
    uint64_t device = listener->device, inode = listener->inode;

    wgw_sup_state_fd(state, &listener->fd);
    wgw_sup_state_u64(state, &device);
    wgw_sup_state_u64(state, &inode);
    wgw_sup_state_text(state, listener->address.sun_path, sizeof listener->address.sun_path);
    listener->device = (dev_t)device;
    listener->inode = (ino_t)inode;
    listener->address.sun_family = AF_UNIX;
}
