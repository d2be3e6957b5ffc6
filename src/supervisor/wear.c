/* Out of /proc: what the process itself says is not asked. Adding up its share of each page (PSS)
 * takes a while for a large process, so that it is done only where its resident size, which is never
 * less, has come to the limit. */
#include "supervisor/wear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/proc.h"

#define SECOND_US INT64_C(1000000)
enum { REST = 50 }; /* times what adding up has taken, before it is done again */

bool wgw_sup_wear_is_watched(const wgw_pool_spec_t *spec)
{
    return spec->memory_reload_bytes || spec->cpu_time_limit_us || spec->inactivity_timeout_us;
}

/* Read a file of a process, as text. Returns: false when that cannot be. */
static bool read_file(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return wgw_proc_read(path, text, size);
}

static uint64_t resident_bytes(pid_t pid)
{
    char text[256];
    unsigned long long size, resident = 0;

    if (!read_file(pid, "statm", text, sizeof text) ||
        sscanf(text, "%llu %llu", &size, &resident) != 2)
        return 0;
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

/* Returns: 0 when the kernel does not tell. */
static uint64_t share_bytes(pid_t pid)
{
    char text[2048];
    unsigned long long kilobytes = 0;
    const char *at = read_file(pid, "smaps_rollup", text, sizeof text) ? strstr(text, "\nPss:") : NULL;

    return at && sscanf(at, " Pss: %llu kB", &kilobytes) == 1 ? kilobytes * 1024 : 0;
}

/* A process can make that last as long as it likes, and everybody waits meanwhile. */
static bool is_large(wgw_wear_t *wear, pid_t pid, uint64_t limit, int64_t now_us)
{
    uint64_t resident = resident_bytes(pid);

    if (!limit || resident < limit || now_us < wear->share_due_us)
        return false;
    int64_t began_us = wgw_now_us();
    uint64_t share = share_bytes(pid);
    wear->share_due_us = now_us + REST * (wgw_now_us() - began_us);
    return (share ? share : resident) >= limit;
}

static int64_t cpu_us(pid_t pid)
{
    char text[1024];
    unsigned long long user, system;
    const char *at = read_file(pid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;

    if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        return 0;
    return (int64_t)(user + system) * (SECOND_US / sysconf(_SC_CLK_TCK));
}

static bool is_inactive(wgw_wear_t *wear, int64_t timeout_us, uint64_t request_count, bool is_busy,
                        int64_t now_us)
{
    if (is_busy || request_count != wear->request_count || !wear->active_us)
        wear->active_us = now_us;
    wear->request_count = request_count;
    return timeout_us && request_count && now_us - wear->active_us >= timeout_us;
}

bool wgw_sup_wear_look(wgw_wear_t *wear, const wgw_pool_spec_t *spec, pid_t pid,
                       uint64_t request_count, bool is_busy, int64_t now_us,
                       wgw_cause_t *cause_out)
{
    if (is_inactive(wear, (int64_t)spec->inactivity_timeout_us, request_count, is_busy, now_us))
        *cause_out = WGW_CAUSE_INACTIVITY;
    else if (spec->cpu_time_limit_us && cpu_us(pid) >= (int64_t)spec->cpu_time_limit_us)
        *cause_out = WGW_CAUSE_CPU_TIME;
    else if (is_large(wear, pid, spec->memory_reload_bytes, now_us))
        *cause_out = WGW_CAUSE_MEMORY;
    else
        return false;
    return true;
}
