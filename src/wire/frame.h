/* Frames between an httpd child (the client) and a daemon process, and what may
 * come when. PROTOCOL.md beside this file is normative. Pure: bytes in, facts
 * out; reads and writes nothing. */
#ifndef WGW_WIRE_FRAME_H
#define WGW_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WGW_WIRE_VERSION = 2,
    WGW_FRAME_HEADER_SIZE = 8, /* u32 length of the payload, u8 type, u8 flags, u16 zero */
    WGW_KEY_SIZE = 64          /* bytes of a generation's key */
};

/* X(symbol, number, most bytes of payload) */
#define WGW_FRAMES(X) \
    X(OPEN, 1, 1 + WGW_KEY_SIZE)      /* client: u8 version, key */ \
    X(REQUEST, 2, 64u << 20)          /* client: head, and a body that is here and small */ \
    X(BODY, 3, 1u << 30)              /* client: bytes of the request body */ \
    X(BODY_END, 4, 0)                 /* client: the request body is complete */ \
    X(BODY_FAULT, 5, 1)               /* client: u8 wgw_body_fault_t: it will not be */ \
    X(CALL, 32, 64u << 20)            /* client: a question to a script, and a request without body */ \
    X(ANSWER, 40, 1 + 1024)           /* daemon: u8 wgw_verdict_t, bytes of a text */ \
    X(HEAD, 16, 1u << 20)             /* daemon: status and fields */ \
    X(BLOCK, 17, 1u << 30)            /* daemon: bytes of the response body */ \
    X(FILE, 18, 16)                   /* daemon: u64 offset, u64 bytes; one descriptor with it */ \
    X(END, 19, 0)                     /* daemon: the response is complete */ \
    X(CUT, 20, 0)                     /* daemon: it ends early, after HEAD */ \
    X(STATUS, 21, 2)                  /* daemon: u16: no response; answer with this status */ \
    X(LOG, 22, 1 + (1u << 20))        /* daemon: u8 level, text of one line */ \
    X(WANT_BODY, 23, 0)               /* daemon: the application reads the body */ \
    X(REFUSED, 24, 0)                 /* daemon: no application code has seen the request */ \
    X(DONE, 25, 0)                    /* daemon: after END or CUT without LAST: Python has left */

typedef enum wgw_frame_type_t {
#define WGW_FRAME_ENUM(symbol, number, most) WGW_FRAME_##symbol = number,
    WGW_FRAMES(WGW_FRAME_ENUM)
#undef WGW_FRAME_ENUM
    WGW_FRAME_TYPE_COUNT = 48
} wgw_frame_type_t;

enum {
    WGW_FRAME_CLOSES = 1,   /* on the last frame of a request: the daemon closes the connection next */
    WGW_FRAME_HAS_FILE = 2, /* on REQUEST: a descriptor with the whole body comes with it */
    WGW_FRAME_LAST = 4,     /* on END and CUT: the last frame of the request; else DONE follows, and
                               LOG may come before it */
    WGW_FRAME_STALE = 8     /* on REFUSED: the file has changed since the process loaded it */
};

typedef enum wgw_body_fault_t {
    WGW_BODY_ABORTED = 1,  /* the client of httpd has gone */
    WGW_BODY_TIMED_OUT,
    WGW_BODY_MALFORMED,
    WGW_BODY_TOO_LARGE,
    WGW_BODY_FAILED,
    WGW_BODY_FAULT_COUNT
} wgw_body_fault_t;

typedef struct wgw_frame_t {
    wgw_frame_type_t type;
    unsigned flags;
    size_t len; /* bytes of payload that follow */
} wgw_frame_t;

/* Write a header. `len` is at most what the type allows. */
void wgw_frame_encode(char header[WGW_FRAME_HEADER_SIZE], wgw_frame_type_t type, unsigned flags,
                      size_t len);

/* Read a header. Returns: false when it is not one: unknown type or flag, too long a payload. */
bool wgw_frame_decode(const char header[WGW_FRAME_HEADER_SIZE], wgw_frame_t *frame_out);

/* The most bytes of payload of a type; 0 for one that does not exist. */
size_t wgw_frame_most(wgw_frame_type_t type);

/* Tell which side sends frames of a type. */
bool wgw_frame_is_from_daemon(wgw_frame_type_t type);

/* --- what may come when --------------------------------------------------------------- */

/* Where a connection stands: the client's side and the daemon's go on independently. */
typedef enum wgw_phase_in_t {
    WGW_IN_CLOSED,  /* nothing but OPEN */
    WGW_IN_IDLE,    /* the next REQUEST */
    WGW_IN_HELD,    /* a request is under way; nothing more until the daemon wants its body */
    WGW_IN_WANTED,  /* bytes of the body */
    WGW_IN_COMPLETE /* a request is under way and everything of it was sent */
} wgw_phase_in_t;

typedef enum wgw_phase_answer_t {
    WGW_ANSWER_QUIET,   /* nothing */
    WGW_ANSWER_PENDING, /* a response, a refusal, or what goes before */
    WGW_ANSWER_BLOCKS,  /* the head was sent */
    WGW_ANSWER_ENDED,   /* the response is over, close() of the application may be running */
    WGW_ANSWER_ASKED    /* ANSWER, a status, a refusal, or what goes before: never a response */
} wgw_phase_answer_t;

typedef struct wgw_phase_t {
    wgw_phase_in_t in;
    wgw_phase_answer_t answer;
} wgw_phase_t;

/* Tell whether a frame may come now. Asked as soon as its header is there, so that nobody waits,
 * or makes room, for the payload of one that may not. */
bool wgw_phase_allows(const wgw_phase_t *phase, const wgw_frame_t *frame);

/* Take note of a frame that was sent or received.
 * Returns: false when it may not come now; the phase stays. */
bool wgw_phase_take(wgw_phase_t *phase, const wgw_frame_t *frame);

/* The request that a REQUEST frame has begun has no body beyond what the frame holds. */
void wgw_phase_body_is_complete(wgw_phase_t *phase);

#endif
