/* What mod_wsgigw.so and wsgigw_embedded.so say to each other.
 * mod_wsgigw.so never links libpython: it opens the library that does, in an
 * httpd child that needs it, and finds this table in it. */
#ifndef WSGIGW_EMBEDDED_H
#define WSGIGW_EMBEDDED_H

#include "wsgigw/bridge.h"

enum { WGW_EMBEDDED_ABI = 2 };

/* The name of the one symbol of the library: const wgw_embedded_api_t. */
#define WGW_EMBEDDED_SYMBOL "wgw_embedded_api"

enum { WGW_SEED_RANDOM = -1 };

typedef struct wgw_embedded_config_t {
    wgw_bridge_config_t bridge;
    const char *python_home;          /* prefix or virtual environment; NULL the configured one */
    int optimize;                     /* 0, 1, 2: as of python -O, -OO */
    bool writes_bytecode;
    int64_t hash_seed;                /* 0 to 2^32-1, or WGW_SEED_RANDOM */
    const char *const *warnings;      /* as of python -W */
    size_t warning_count;
    bool is_free_threaded;            /* a build that can run without a GIL is to do so */
    bool keeps_interpreters;          /* leave them as they are at the end */
    const wgw_preload_t *preloads;    /* loaded before the first request needs them */
    size_t preload_count;
    /* Called once by run(): the interpreter serves (bridge), or could not be made (NULL, after
     * the reason was logged). */
    void (*on_ready)(void *ctx, wgw_bridge_t *bridge);
    /* Called once by run() after on_ready: block until it is to end.
     * Returns: until when requests may take to leave. */
    wgw_deadline_t (*wait_for_stop)(void *ctx);
    void *ctx;
} wgw_embedded_config_t;

typedef struct wgw_embedded_api_t {
    int abi; /* WGW_EMBEDDED_ABI of the library */

    /* Start the interpreter, serve until stopped, end it.
     * Borrows: config, until return. Context: one dedicated thread, once in a process, with
     * all signals blocked. Blocks: as wait_for_stop() says, and then until the application's
     * own threads and exit functions have ended, which is not bounded: the caller bounds it.
     * Returns: true when no thread can run Python any more; false when requests were still
     * inside at the deadline. */
    bool (*run)(const wgw_embedded_config_t *config);

    int (*handle)(wgw_bridge_t *bridge, wgw_exchange_t *x); /* wgw_bridge_handle() */
    bool (*is_inside)(void);                                /* wgw_bridge_is_inside() */
} wgw_embedded_api_t;

#endif
