/* The child's side is a list of steps; the first that fails ends it, with one line in the log.
 * The supervisor has one thread, so the child may do whatever a process may. */
#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/child.h"
#include "supervisor/privilege.h"
#include "wsgigw/exec.h"

enum { CONTROL_BUFFER_BYTES = 2 * WGW_EXEC_START_MOST, HIGH_FD = 64 };

static struct rlimit file_limit; /* as httpd had it; RLIMIT_NOFILE */

typedef struct {
    int control[2]; /* ours, the process's */
    int log[2];     /* read end, write end */
} channels_t;

/* --- the child ------------------------------------------------------------------------ */

typedef struct {
    const wgw_pool_spec_t *spec;
    int listener, control, board, log;
    pid_t supervisor;
} birth_t;

/* Say which step failed, and end. `advice` is a whole sentence. */
static _Noreturn void fail(const birth_t *birth, const char *step, const char *what,
                           const char *advice)
{
    char line[2048];
    int why = errno;

    snprintf(line, sizeof line,
             "<3>" WGWNO(0101) "a process of pool '%s' was not started: %s %s%s%s. %s\n",
             birth->spec->name, step, what, why ? ": " : "", why ? strerror(why) : "", advice);
    if (write(birth->log, line, strlen(line)) < 0)
        _exit(WGW_EXIT_EXEC); /* the exit code says the same */
    _exit(WGW_EXIT_EXEC);
}

static void begin_session(const birth_t *birth)
{
    if (setsid() < 0)
        fail(birth, "setsid()", "", "Report it");
}

static void set_limit(const birth_t *birth, __rlimit_resource_t resource, uint64_t bytes,
                      const char *name, const char *option)
{
    const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

    if (bytes && setrlimit(resource, &limit) != 0)
        fail(birth, "setrlimit()", name, option);
}

static void set_limits(const birth_t *birth)
{
    const wgw_pool_spec_t *spec = birth->spec;
    int nice_value = (int)(int32_t)spec->nice;

    if (file_limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &file_limit) != 0)
        fail(birth, "setrlimit()", "RLIMIT_NOFILE", "Report it");
    set_limit(birth, RLIMIT_DATA, spec->memory_limit, "RLIMIT_DATA",
              "Lower memory-limit=, or raise the hard limit that httpd was started with");
    set_limit(birth, RLIMIT_AS, spec->virtual_memory_limit, "RLIMIT_AS",
              "Lower virtual-memory-limit=, or raise the hard limit that httpd was started with");
    if (nice_value && setpriority(PRIO_PROCESS, 0, nice_value) != 0)
        fail(birth, "setpriority()", "",
             "A cpu-priority= below 0 needs httpd to be started by root");
    if (spec->umask != WGW_SPEC_NONE)
        umask(spec->umask & 0777);
}

static void enter_chroot(const birth_t *birth)
{
    const char *folder = birth->spec->chroot;

    if (!*folder)
        return;
    if (chroot(folder) != 0)
        fail(birth, "chroot() to", folder, "It must be a folder, and httpd be started by root");
    if (chdir("/") != 0)
        fail(birth, "chdir() to the root of chroot", folder, "Check its mode and owner");
}

static void drop_privileges(const birth_t *birth)
{
    const char *step = wgw_sup_privilege_drop(birth->spec);

    if (step)
        fail(birth, "giving up privileges:", step,
             "Name another user= and group=; switching needs httpd to be started by root");
}

/* Asked for after the change of user, which clears it. SIGCONT harms nobody, and wakes a stopped
 * orphan so that it sees the end of its control channel. */
static void follow_supervisor(const birth_t *birth)
{
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) != 0)
        fail(birth, "prctl(PR_SET_PDEATHSIG)", "", "Report it");
    if (getppid() != birth->supervisor)
        _exit(WGW_EXIT_OK);
}

static void enter_home(const birth_t *birth)
{
    const char *home = *birth->spec->home ? birth->spec->home : "/";

    if (chdir(home) != 0)
        fail(birth, "chdir() to", home, "The folder of home= must exist, and its user may enter it "
             "and those above it");
}

static void close_from(unsigned first)
{
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
    for (long fd = first, most = sysconf(_SC_OPEN_MAX); fd < most; fd++)
        close((int)fd);
}

/* Put the descriptors into their places; first away from these, so that none is overwritten. */
static void place_descriptors(birth_t *birth)
{
    int *const places[] = {
        [STDOUT_FILENO] = &birth->log, [STDERR_FILENO] = &birth->log,
        [WGW_FD_LISTENER] = &birth->listener, [WGW_FD_CONTROL] = &birth->control,
        [WGW_FD_BOARD] = &birth->board,
    };
    enum { PLACE_COUNT = sizeof places / sizeof *places };
    int high[PLACE_COUNT];

    for (int i = STDOUT_FILENO; i < PLACE_COUNT; i++)
        if ((high[i] = fcntl(*places[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
            fail(birth, "a descriptor", "", "Raise the number of open files that httpd may have");
    birth->log = high[STDERR_FILENO];
    for (int i = STDOUT_FILENO; i < PLACE_COUNT; i++)
        if (dup2(high[i], i) != i)
            fail(birth, "a descriptor", "", "Report it");
    birth->log = STDERR_FILENO;
    close_from(PLACE_COUNT);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A copy of the texts with a NULL after them, and `before` free places at the front. */
static char **make_vector(const birth_t *birth, const wgw_texts_t *texts, size_t before,
                          size_t behind)
{
    char **vector = calloc(before + texts->count + behind + 1, sizeof *vector);

    if (!vector)
        fail(birth, "memory", "", "Give the machine more of it");
    for (size_t i = 0; i < texts->count; i++)
        vector[before + i] = (char *)(uintptr_t)texts->items[i];
    return vector;
}

/* argv[0] stays the path: a virtual environment is found by it. */
static _Noreturn void run_python(const birth_t *birth)
{
    const wgw_pool_spec_t *spec = birth->spec;
    const char *python = spec->python;
    char **argv = make_vector(birth, &spec->python_args, 2, 3);
    char **env = make_vector(birth, &spec->environment, 0, 0);
    size_t at = 2 + spec->python_args.count;

    argv[0] = (char *)(uintptr_t)python;
    argv[1] = (char *)(uintptr_t)"-P";
    argv[at++] = (char *)(uintptr_t)"-c";
    argv[at++] = (char *)(uintptr_t)WGW_EXEC_BOOT;
    argv[at] = (char *)(uintptr_t)spec->extension;
    execve(python, argv, env);
    fail(birth, "exec of", python, "python= or python-home= must name an interpreter that the user "
         "of the pool may execute (inside chroot=, where there is one)");
}

static _Noreturn void be_born(birth_t *birth)
{
    begin_session(birth);
    set_limits(birth);
    enter_chroot(birth);
    drop_privileges(birth);
    follow_supervisor(birth);
    enter_home(birth);
    place_descriptors(birth);
    reset_signals();
    run_python(birth);
}

/* --- the supervisor ------------------------------------------------------------------- */

void wgw_sup_spawn_init(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    file_limit = limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void wgw_sup_spawn_move(wgw_state_t *state)
{
    uint64_t soft = file_limit.rlim_cur, hard = file_limit.rlim_max;

    wgw_sup_state_u64(state, &soft);
    wgw_sup_state_u64(state, &hard);
    file_limit = (struct rlimit){ .rlim_cur = soft, .rlim_max = hard };
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Without CAP_NET_ADMIN the system's wmem_max bounds it; a START message may then not fit. */
static void widen(int fd)
{
    const int bytes = CONTROL_BUFFER_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static const char *open_channels(channels_t *c)
{
    *c = (channels_t){ .control = { -1, -1 }, .log = { -1, -1 } };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->control) != 0)
        return "socketpair()";
    if (pipe2(c->log, O_CLOEXEC | O_NONBLOCK) != 0) {
        close_pair(c->control);
        return "pipe()";
    }
    set_nonblocking(c->control[0]);
    widen(c->control[0]);
    return NULL;
}

static const char *give_up(channels_t *c, const char *step)
{
    int why = errno;

    close_pair(c->control);
    close_pair(c->log);
    errno = why;
    return step;
}

const char *wgw_sup_spawn(const wgw_pool_spec_t *spec, const wgw_spawn_files_t *files,
                          wgw_spawned_t *spawned_out)
{
    channels_t c;
    pid_t supervisor = getpid();
    const char *failed = open_channels(&c);

    if (failed)
        return failed;
    pid_t pid = fork();
    if (pid < 0)
        return give_up(&c, "fork()");
    if (pid == 0)
        be_born(&(birth_t){ .spec = spec, .listener = files->listener, .board = files->board,
                            .control = c.control[1], .log = c.log[1], .supervisor = supervisor });
    int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid_fd < 0) {
        int why = errno;
        wgw_sup_child_wait(pid, 0);
        errno = why;
        return give_up(&c, "pidfd_open()");
    }
    close(c.control[1]);
    close(c.log[1]);
    *spawned_out = (wgw_spawned_t){ .pid = pid, .pid_fd = pid_fd, .control = c.control[0],
                                    .log = c.log[0] };
    return NULL;
}
