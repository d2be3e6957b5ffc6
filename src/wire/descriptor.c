#include "wire/descriptor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

ssize_t wgw_send_with_fd(int sock, const struct iovec *spans, int count, int fd, int flags)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)spans,
                              .msg_iovlen = (size_t)count };

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(sock, &message, flags | MSG_NOSIGNAL);
}

/* Take the descriptors of one control message: keep the first, close the others. */
static void take_fds(const struct cmsghdr *header, int *fd_out, bool *is_surplus_out)
{
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        if (*fd_out < 0) {
            *fd_out = fd;
        } else {
            close(fd);
            *is_surplus_out = true;
        }
    }
}

ssize_t wgw_recv_with_fd(int sock, void *data, size_t size, int flags, int *fd_out,
                         bool *is_surplus_out)
{
    enum { ROOM = 4 }; /* what does not fit is closed by the kernel: MSG_CTRUNC */
    union {
        char bytes[CMSG_SPACE(ROOM * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec span = { data, size };
    struct msghdr message = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };

    *fd_out = -1;
    *is_surplus_out = false;
    ssize_t len = recvmsg(sock, &message, flags | MSG_CMSG_CLOEXEC);
    if (len < 0 || !message.msg_controllen)
        return len;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
            take_fds(h, fd_out, is_surplus_out);
    if (message.msg_flags & MSG_CTRUNC)
        *is_surplus_out = true;
    return len;
}

/* File systems whose reads wait for nothing but a local disk or memory (magic numbers of
 * statfs(2)). What is not here is copied through the socket by the daemon process. */
static bool is_local(const struct statfs *fs)
{
    static const unsigned long LOCAL[] = {
        0xef53,     /* ext2, ext3, ext4 */
        0x58465342, /* xfs */
        0x9123683e, /* btrfs */
        0x2fc12fc1, /* zfs */
        0xf2f52010, /* f2fs */
        0xca451a4e, /* bcachefs */
        0x01021994, /* tmpfs */
        0x858458f6, /* ramfs */
        0x73717368, /* squashfs */
        0xe0f5e1e2, /* erofs */
        0x9660,     /* iso9660 */
        0x794c7630, /* overlayfs */
    };

    for (size_t i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++)
        if ((unsigned long)fs->f_type == LOCAL[i])
            return true;
    return false;
}

wgw_file_fault_t wgw_file_check(int fd, int64_t offset, int64_t size)
{
    struct statfs fs;
    struct stat status;
    int mode = fcntl(fd, F_GETFL);

    if (mode < 0 || mode & O_PATH || (mode & O_ACCMODE) == O_WRONLY)
        return WGW_FILE_NOT_READABLE;
    if (fstatfs(fd, &fs) != 0 || !is_local(&fs)) /* first: it asks no file server */
        return WGW_FILE_NOT_LOCAL;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return WGW_FILE_NOT_REGULAR;
    if (offset < 0 || size < 0 || offset > status.st_size || size > status.st_size - offset)
        return WGW_FILE_TOO_SHORT;
    return WGW_FILE_OK;
}
