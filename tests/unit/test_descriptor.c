#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/descriptor.h"

static int count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static int make_file(size_t size)
{
    char path[] = "/tmp/wgw-unit-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

/* Send descriptors as a hostile peer would: any number, in one or two control messages. */
static void send_many(int sock, const int *fds, size_t count)
{
    char control[512] = { 0 };
    struct iovec span = { (char *)"x", 1 };
    struct msghdr message = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = CMSG_SPACE(count * sizeof *fds) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    assert_int_equal(sendmsg(sock, &message, 0), 1);
}

static void bytes_pass_without_a_descriptor(void **state)
{
    struct iovec spans[] = { { (char *)"ab", 2 }, { (char *)"cd", 2 } };
    char got[8];
    bool is_surplus;
    int pair[2], fd;

    (void)state;
    make_pair(pair);
    assert_int_equal(wgw_send_with_fd(pair[0], spans, 2, -1, 0), 4);
    assert_int_equal(wgw_recv_with_fd(pair[1], got, sizeof got, 0, &fd, &is_surplus), 4);
    assert_memory_equal(got, "abcd", 4);
    assert_int_equal(fd, -1);
    assert_false(is_surplus);
    close_pair(pair);
}

static void a_descriptor_passes_close_on_exec(void **state)
{
    struct iovec span = { (char *)"x", 1 };
    struct stat sent, received;
    int file = make_file(10), pair[2], fd;
    bool is_surplus;
    char got;

    (void)state;
    make_pair(pair);
    assert_int_equal(wgw_send_with_fd(pair[0], &span, 1, file, 0), 1);
    assert_int_equal(wgw_recv_with_fd(pair[1], &got, 1, 0, &fd, &is_surplus), 1);
    assert_true(fd >= 0 && fd != file);
    assert_false(is_surplus);
    assert_int_equal(fstat(file, &sent), 0);
    assert_int_equal(fstat(fd, &received), 0);
    assert_true(sent.st_dev == received.st_dev && sent.st_ino == received.st_ino);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(file);
    close_pair(pair);
}

/* Two descriptors of two messages never come with one receive. */
static void each_descriptor_comes_with_its_own_bytes(void **state)
{
    struct iovec span = { (char *)"x", 1 };
    int file = make_file(0), pair[2], fd;
    bool is_surplus;
    char got[8];

    (void)state;
    make_pair(pair);
    for (int i = 0; i < 2; i++)
        assert_int_equal(wgw_send_with_fd(pair[0], &span, 1, file, 0), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wgw_recv_with_fd(pair[1], got, sizeof got, 0, &fd, &is_surplus), 1);
        assert_true(fd >= 0);
        assert_false(is_surplus);
        close(fd);
    }
    close(file);
    close_pair(pair);
}

static void surplus_descriptors_are_closed(void **state)
{
    static const size_t COUNTS[] = { 2, 3, 4, 5, 50 };
    int file = make_file(0), fds[50], pair[2], fd;
    bool is_surplus;
    char got;

    (void)state;
    for (int i = 0; i < 50; i++)
        fds[i] = file;
    make_pair(pair);
    int before = count_open();
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        send_many(pair[0], fds, COUNTS[i]);
        assert_int_equal(wgw_recv_with_fd(pair[1], &got, 1, 0, &fd, &is_surplus), 1);
        assert_true(fd >= 0);
        assert_true(is_surplus);
        close(fd);
        assert_int_equal(count_open(), before);
    }
    close(file);
    close_pair(pair);
}

static void a_peer_that_has_gone_raises_no_signal(void **state)
{
    struct iovec span = { (char *)"x", 1 };
    bool is_surplus;
    int pair[2], fd;
    char got;

    (void)state;
    make_pair(pair);
    close(pair[0]);
    assert_int_equal(wgw_recv_with_fd(pair[1], &got, 1, 0, &fd, &is_surplus), 0);
    assert_int_equal(wgw_send_with_fd(pair[1], &span, 1, -1, 0), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(fd, -1);
    close(pair[1]);
}

/* --- which files ---------------------------------------------------------------------- */

static void a_file_is_right_within_its_size(void **state)
{
    static const struct { int64_t offset, size; wgw_file_fault_t fault; } CASES[] = {
        { 0, 100, WGW_FILE_OK },          { 0, 0, WGW_FILE_OK },
        { 100, 0, WGW_FILE_OK },          { 99, 1, WGW_FILE_OK },
        { 0, 101, WGW_FILE_TOO_SHORT },   { 99, 2, WGW_FILE_TOO_SHORT },
        { 101, 0, WGW_FILE_TOO_SHORT },   { INT64_MAX, INT64_MAX, WGW_FILE_TOO_SHORT },
        { -1, 1, WGW_FILE_TOO_SHORT },    { 1, -1, WGW_FILE_TOO_SHORT },
        { INT64_MIN, INT64_MIN, WGW_FILE_TOO_SHORT }, { 1, INT64_MAX, WGW_FILE_TOO_SHORT },
    };
    int file = make_file(100);

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(wgw_file_check(file, CASES[i].offset, CASES[i].size), CASES[i].fault);
    close(file);
}

static void a_file_has_to_be_readable(void **state)
{
    char path[] = "/tmp/wgw-unit-XXXXXX";
    int file = mkstemp(path);
    int write_only = open(path, O_WRONLY | O_CLOEXEC), named = open(path, O_PATH | O_CLOEXEC);
    int read_only = open(path, O_RDONLY | O_CLOEXEC);

    (void)state;
    unlink(path);
    assert_int_equal(wgw_file_check(file, 0, 0), WGW_FILE_OK);
    assert_int_equal(wgw_file_check(read_only, 0, 0), WGW_FILE_OK);
    assert_int_equal(wgw_file_check(write_only, 0, 0), WGW_FILE_NOT_READABLE);
    assert_int_equal(wgw_file_check(named, 0, 0), WGW_FILE_NOT_READABLE);
    close(file);
    close(write_only);
    close(named);
    close(read_only);
    assert_int_equal(wgw_file_check(read_only, 0, 0), WGW_FILE_NOT_READABLE);
    assert_int_equal(wgw_file_check(-1, 0, 0), WGW_FILE_NOT_READABLE);
}

static void refuse(int fd)
{
    assert_true(fd >= 0);
    assert_int_not_equal(wgw_file_check(fd, 0, 0), WGW_FILE_OK);
    close(fd);
}

static void what_is_no_file_is_refused(void **state)
{
    char folder[] = "/tmp/wgw-unit-XXXXXX", path[64];
    int ends[2];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    refuse(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    refuse(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    refuse(open("/dev/null", O_RDWR | O_CLOEXEC));
    refuse(open("/proc/self/status", O_RDONLY | O_CLOEXEC)); /* a regular file, but not a local disk's */
    refuse(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    refuse(ends[0]);
    close(ends[1]);
    unlink(path);
    rmdir(folder);
}

/* Memory without a name is a regular file of a local file system. */
static void a_memfd_is_a_file(void **state)
{
    int fd = memfd_create("x", MFD_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 5), 0);
    assert_int_equal(wgw_file_check(fd, 0, 5), WGW_FILE_OK);
    close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bytes_pass_without_a_descriptor),
    cmocka_unit_test(a_descriptor_passes_close_on_exec),
    cmocka_unit_test(each_descriptor_comes_with_its_own_bytes),
    cmocka_unit_test(surplus_descriptors_are_closed),
    cmocka_unit_test(a_peer_that_has_gone_raises_no_signal),
    cmocka_unit_test(a_file_is_right_within_its_size),
    cmocka_unit_test(a_file_has_to_be_readable),
    cmocka_unit_test(what_is_no_file_is_refused),
    cmocka_unit_test(a_memfd_is_a_file),
};

UNIT_GROUP(descriptor_group, tests);
