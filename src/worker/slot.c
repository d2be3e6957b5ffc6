/* The serial is stored last at the beginning and first at the end, so that who reads it twice, and
 * finds it the same, has read of one request what lies between. */
#include "worker/slot.h"

void wgw_slot_enter(wgw_slot_t *slot, int64_t ends_us, uint32_t entry)
{
    atomic_store_explicit(&slot->ends_us, ends_us, memory_order_relaxed);
    atomic_store_explicit(&slot->entry, entry, memory_order_relaxed);
    atomic_fetch_add(&slot->serial, 1);
}

void wgw_slot_leave(wgw_slot_t *slot)
{
    if (atomic_load(&slot->serial) & 1)
        atomic_fetch_add(&slot->serial, 1);
}

bool wgw_slot_is_in(wgw_slot_t *slot, uint64_t serial)
{
    return atomic_load(&slot->serial) == serial;
}

bool wgw_slot_look(wgw_slot_t *slot, int64_t now_us, int64_t grace_us, int64_t *wake_us)
{
    uint64_t serial = atomic_load(&slot->serial);
    int64_t due_us = atomic_load(&slot->ends_us);

    if (serial != slot->seen) {
        slot->seen = serial;
        slot->stage = WGW_SLOT_IN_TIME;
    }
    if (!(serial & 1) || slot->stage == WGW_SLOT_OVERDUE || !wgw_slot_is_in(slot, serial))
        return false;
    if (slot->stage == WGW_SLOT_LATE)
        due_us += grace_us;
    if (due_us > now_us) {
        *wake_us = due_us < *wake_us ? due_us : *wake_us;
        return false;
    }
    slot->stage++;
    return true;
}
