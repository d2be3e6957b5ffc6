/* A ring of hashes, without a lock: at worst a change is reported twice. */
#include "worker/stale.h"

#include <stdatomic.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "worker/io.h"
#include "wsgigw/exec.h"

enum { SEEN_MOST = 64, TOLERATED = 1 }; /* TOLERATED: the low bit of a hash */

static _Atomic uint64_t seen[SEEN_MOST]; /* files that were reported; 0 none */
static atomic_uint seen_count;

static uint64_t hash_of(const wgw_target_t *target)
{
    uint64_t hash = wgw_hash_add(WGW_HASH_BEGIN, target->script, strlen(target->script));

    return (wgw_hash_add(hash, &target->file, sizeof target->file) | 2) & ~(uint64_t)TOLERATED;
}

static _Atomic uint64_t *find(uint64_t hash)
{
    for (size_t i = 0; i < SEEN_MOST; i++)
        if ((atomic_load(&seen[i]) & ~(uint64_t)TOLERATED) == hash)
            return &seen[i];
    return NULL;
}

void wgw_stale_adjust(wgw_target_t *target)
{
    if (!atomic_load(&seen_count) || !target->script)
        return;
    _Atomic uint64_t *slot = find(hash_of(target));
    if (slot && !target->is_reloading)
        atomic_fetch_or(slot, TOLERATED);
    else if (slot && atomic_load(slot) & TOLERATED)
        target->is_reloading = false;
}

void wgw_stale_report(const wgw_target_t *target)
{
    uint64_t hash = hash_of(target);
    wgw_buffer_t b = { 0 };

    if (!find(hash))
        atomic_store(&seen[atomic_fetch_add(&seen_count, 1) % SEEN_MOST], hash);
    wgw_put_u8(&b, WGW_EXEC_STALE);
    wgw_put_text(&b, target->script);
    wgw_put_u64(&b, target->file.dev);
    wgw_put_u64(&b, target->file.ino);
    wgw_put_u64(&b, (uint64_t)target->file.mtime_us);
    wgw_put_u64(&b, (uint64_t)target->file.size);
    if (!b.is_short)
        wgw_io_tell(b.data, b.len);
    wgw_buffer_deinit(&b);
}
