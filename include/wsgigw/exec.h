/* The contract between the supervisor and a daemon process: what the process
 * finds when it begins, and what the two say to each other.
 *
 * It is started as
 *     PYTHON -P [-O|-OO] [-B] [-X WGW_FREE_THREADING] [-W spec ...] -c WGW_EXEC_BOOT EXTENSION
 * where EXTENSION is the path of _wsgigw.abi3.so. */
#ifndef WSGIGW_EXEC_H
#define WSGIGW_EXEC_H

#include <stdint.h>

enum { WGW_EXEC_VERSION = 1 };

/* Descriptors, beside 0 (/dev/null) and 1 and 2 (a pipe to the log, O_NONBLOCK). */
enum {
    WGW_FD_LISTENER = 3, /* the row's listening socket: AF_UNIX, SOCK_STREAM, O_NONBLOCK */
    WGW_FD_CONTROL = 4,  /* to the supervisor: AF_UNIX, SOCK_SEQPACKET */
    WGW_FD_BOARD = 5     /* the scoreboard of its pool */
};

/* Exit codes of a daemon process, beside those an application may choose. */
enum {
    WGW_EXIT_OK = 0,          /* told to end, or by a signal to end in order */
    WGW_EXIT_OVERDUE = 74,    /* all was done but requests that had had their time */
    WGW_EXIT_STUCK = 75,      /* did not end in time: a request or a thread was still running */
    WGW_EXIT_PYTHON = 76,     /* not CPython, or older than 3.11 */
    WGW_EXIT_EXTENSION = 77,  /* the extension cannot be loaded */
    WGW_EXIT_CONTRACT = 78,   /* the supervisor is of another version, or a descriptor is missing */
    WGW_EXIT_EXEC = 79,       /* between fork and exec; the log says which step */
    WGW_EXIT_IMPORT = 80      /* on trial: what the process before had loaded cannot be loaded */
};

/* The first byte of each message on the control channel; the rest depends on it. Integers are
 * little-endian; texts as wgw_cursor_text() reads them. */
typedef enum wgw_exec_message_t {
    /* supervisor -> process */
    WGW_EXEC_START = 1, /* u8 WGW_EXEC_VERSION, u32 row, u32 epoch, u32 row_count, u32 entry_count,
                           u8 1: all of what follows has to be loaded; u32 count of texts, and these: what processes of the
                           pool have loaded, as they have said by LOADED; then the pool's `worker` text of wgw_pool_spec_t as it is: an encoded
                           wgw_worker_spec_t. Once, first, before anything is served. */
    WGW_EXEC_DRAIN = 2, /* u32 milliseconds: take nothing new, finish, end within that time */
    WGW_EXEC_STOP = 3,  /* u32 milliseconds: the same, but do not wait for what can be cut */
    /* process -> supervisor */
    WGW_EXEC_READY = 16,   /* everything is imported and it takes requests */
    WGW_EXEC_LEAVING = 17, /* u8 wgw_leave_reason_t: it has begun to end by itself */
    WGW_EXEC_WANTS = 18,   /* u8 wgw_cause_t: it is to be replaced, and serves until it is told DRAIN */
    WGW_EXEC_LOADED = 19,  /* four texts: it has loaded this: three as of `preloads` of
                              wgw_worker_spec_t, and the callable, "" none */
    WGW_EXEC_STALE = 20    /* text path, u64 device, u64 inode, i64 microseconds since 1970, i64 size:
                              a script that it has loaded is now this, as a request has seen it */
} wgw_exec_message_t;

typedef enum wgw_leave_reason_t {
    WGW_LEAVE_TOLD,     /* by DRAIN or STOP, or the supervisor has gone */
    WGW_LEAVE_SHUTDOWN  /* SIGTERM or SIGINT to the process */
} wgw_leave_reason_t;

/* Why a process is replaced by another one, which is ready before it stops. */
typedef enum wgw_cause_t {
    WGW_CAUSE_RELOAD,           /* a graceful restart, or the administrator */
    WGW_CAUSE_SCRIPT,           /* a script that it has loaded has changed */
    WGW_CAUSE_EVICTION,         /* SIGUSR1 to the process */
    WGW_CAUSE_MAXIMUM_REQUESTS,
    WGW_CAUSE_RESTART_INTERVAL,
    WGW_CAUSE_INACTIVITY,
    WGW_CAUSE_CPU_TIME,
    WGW_CAUSE_MEMORY,           /* memory-reload= */
    WGW_CAUSE_REQUEST_TIMEOUT,  /* a thread does not come back from a request */
    WGW_CAUSE_DEADLOCK,         /* its interpreter is not to be had */
    WGW_CAUSE_ORDER,            /* a reload that was asked for at the control socket */
    WGW_CAUSE_COUNT
} wgw_cause_t;

/* A START message is at most this long, of which the texts of LOADED are at most WARM_MOST. */
enum { WGW_EXEC_START_MOST = 256 * 1024, WGW_EXEC_WARM_MOST = 64 * 1024 };

/* A process that joins or replaces others has this long to be ready, where startup-timeout= is none. */
#define WGW_EXEC_TRIAL_US INT64_C(60000000)

/* A message of a process is at most this long. */
enum { WGW_EXEC_MESSAGE_MOST = 8 * 1024 };

/* What PYTHON -c runs. Understood by any Python, so that a wrong one can say what it is. A
 * free-threaded build takes no .abi3.so, but one of its own beside it (make extension FOR=PYTHON). */
#define WGW_EXEC_BOOT \
    "import sys\n" \
    "if getattr(getattr(sys, 'implementation', None), 'name', '') != 'cpython' " \
    "or sys.version_info < (3, 11):\n" \
    "    sys.stderr.write('<2>WGW0061: %s is %s %s; a daemon process needs CPython 3.11 or newer. " \
    "Name another one with python= or python-home=\\n' % (sys.executable, " \
    "getattr(getattr(sys, 'implementation', None), 'name', 'python'), sys.version.split()[0]))\n" \
    "    sys.exit(76)\n" \
    "import importlib.machinery, importlib.util\n" \
    "path = sys.argv[1]\n" \
    "if 't' in sys.abiflags:\n" \
    "    path = path.rpartition('/')[0] + '/_wsgigw' + importlib.machinery.EXTENSION_SUFFIXES[0]\n" \
    "    if 'wsgigw_free_threading' not in sys._xoptions:\n" \
    "        import warnings\n" \
    "        warnings.filterwarnings('ignore', 'The global interpreter lock')\n" \
    "try:\n" \
    "    spec = importlib.util.spec_from_file_location('_wsgigw_worker', path)\n" \
    "    module = importlib.util.module_from_spec(spec)\n" \
    "    spec.loader.exec_module(module)\n" \
    "except Exception as error:\n" \
    "    sys.stderr.write('<2>WGW0062: %s cannot be loaded by %s (%s): %s\\n' % (path, " \
    "sys.executable, sys.version.split()[0], error))\n" \
    "    sys.exit(77)\n" \
    "sys.exit(module.serve(path))\n"

#endif
