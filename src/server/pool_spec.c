/* PLACEHOLDER, to be replaced: what a build and the tests of parent.c need, and no more. */
#include "server/pool_spec.h"

void wgw_pool_spec_make(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec_out)
{
    (void)p;
    *spec_out = (wgw_pool_spec_t){
        .name = pool->name,
        .server = pool->server->server_hostname ? pool->server->server_hostname : "",
        .process_count = (uint32_t)pool->process_count,
        .row_count = pool->row_count,
        .entry_count = pool->entry_count,
        .socket_path = pool->socket_path,
        .socket_uid = WGW_SPEC_NONE,
        .listen_backlog = (uint32_t)pool->listen_backlog,
        .switches_user = geteuid() == 0,
        .uid = pool->uid,
        .gid = pool->gid,
        .umask = WGW_SPEC_NONE,
        .chroot = "",
        .home = "",
        .python = pool->python,
        .extension = "/nonexistent/_wsgigw.abi3.so",
        .environment = { .items = pool->env ? (const char *const *)pool->env->elts : NULL,
                         .count = pool->env ? (size_t)pool->env->nelts : 0 },
        .startup_timeout_us = (uint64_t)pool->startup_timeout_us,
        .graceful_timeout_us = (uint64_t)pool->graceful_timeout_us,
        .shutdown_timeout_us = (uint64_t)pool->shutdown_timeout_us,
        .log_level = 7,
    };
}
