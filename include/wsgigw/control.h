/* The contract between the httpd parent and the supervisor.
 *
 * The parent starts it (fork and exec) as
 *     wsgigw-supervisor
 * with descriptor 3 an AF_UNIX SOCK_SEQPACKET socket and 1 and 2 the server's error log; it
 * runs as the user that started httpd, and outlives graceful restarts. Each message from the
 * parent is believed only when SCM_CREDENTIALS says that the parent has sent it.
 *
 * A generation is one reading of the configuration. To a supervisor that is there already comes
 *     HELLO; the answer is HERE
 * first, and then
 *     GENERATION, one POOL for each pool, COMMIT; the answer is READY or FAILED.
 * After COMMIT pools of the generation before are kept until no httpd child of that one is
 * left (the read end that GENERATION brought is at its end), but no longer than its bound, and
 * are then drained.
 *
 * HELLO and HERE have the same form in all versions. When HELLO names another version or another
 * program file than the one that runs, the supervisor makes it its successor by exec(): its
 * processes, sockets and generations go on, and the successor answers. A successor that knows them
 * in another form cannot: then the supervisor leaves, and the parent starts another one beside it. */
#ifndef WSGIGW_CONTROL_H
#define WSGIGW_CONTROL_H

enum { WGW_CONTROL_VERSION = 1, WGW_FD_PARENT = 3 };

/* A message is at most this long; both sides set their socket buffers to hold one. */
enum { WGW_CONTROL_MOST = 512 * 1024 };

/* The first byte of a message. Integers are little-endian, texts as wgw_cursor_text() reads them. */
typedef enum wgw_control_message_t {
    /* parent -> supervisor */
    WGW_CONTROL_GENERATION = 1, /* u8 WGW_CONTROL_VERSION, u32 generation, u64 microseconds that
                                   the pools of the generation before are kept at most, text path
                                   of the control socket for people ("" none).
                                   Descriptor: the read end of a pipe whose write ends the httpd
                                   children of this generation hold. */
    WGW_CONTROL_POOL = 2,       /* an encoded wgw_pool_spec_t. Descriptors: the scoreboard, and
                                   the error log to write to. */
    WGW_CONTROL_COMMIT = 3,
    WGW_CONTROL_STOP = 4,       /* u8 1: graceful: drain and end; the answer is DRAINED, after
                                   which the supervisor exits */
    WGW_CONTROL_HELLO = 5,      /* text version of the parent's module, text path of the supervisor
                                   that goes with it */
    /* supervisor -> parent */
    WGW_CONTROL_READY = 16,     /* u32 generation: every socket listens */
    WGW_CONTROL_FAILED = 17,    /* u32 generation, text why: nothing has changed */
    WGW_CONTROL_DRAINED = 18,
    WGW_CONTROL_HERE = 19       /* u8 1: go on; 0: it leaves: it ends each pool once the httpd children
                                   that use it are gone, then itself, and is to be told no more */
} wgw_control_message_t;

#endif
