/* Messages on a stream socket that carry a descriptor (SCM_RIGHTS), and which
 * descriptors may be taken from the other side. */
#ifndef WGW_WIRE_DESCRIPTOR_H
#define WGW_WIRE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Send spans and, with their first byte, a descriptor (-1: none).
 * Returns: as sendmsg(); `flags` as of it. */
ssize_t wgw_send_with_fd(int sock, const struct iovec *spans, int count, int fd, int flags);

/* Receive bytes and at most one descriptor, close-on-exec; any others that come are closed.
 * *fd_out is -1 when none came; it is Owned by the caller. *is_surplus_out: there were others.
 * Returns: as recvmsg(). */
ssize_t wgw_recv_with_fd(int sock, void *data, size_t size, int flags, int *fd_out,
                         bool *is_surplus_out);

typedef enum wgw_file_fault_t {
    WGW_FILE_OK,
    WGW_FILE_NOT_REGULAR,  /* a pipe, device, folder, socket */
    WGW_FILE_NOT_READABLE, /* opened for writing only, or O_PATH */
    WGW_FILE_NOT_LOCAL,    /* its file system may block for ever (network, FUSE) */
    WGW_FILE_TOO_SHORT     /* it has fewer bytes than promised */
} wgw_file_fault_t;

/* Tell whether `size` bytes from `offset` of a descriptor can be sent without waiting for
 * anybody but a local disk. Blocks: not. */
wgw_file_fault_t wgw_file_check(int fd, int64_t offset, int64_t size);

#endif
