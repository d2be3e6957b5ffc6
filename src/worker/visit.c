/* What nobody can know is whether an interpreter is to be had: attaching waits without a bound. So
 * only its visitor does it, and all others wait for the visitor, with one. */
#include "worker/visit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "worker/io.h"
#include "worker/worker.h"

#define SECOND_US INT64_C(1000000)
#define VISIT_US SECOND_US /* between visits */
#define HOLD_US SECOND_US  /* that somebody waits for an interpreter, and has it */

typedef struct visitor_t {
    struct visitor_t *next;    /* constant */
    wgw_interp_t *gil;         /* of this interpreter; constant */
    _Atomic int64_t met_us;    /* when it last had it */
    unsigned call_seen;        /* its own: the call that it has followed */
    /* The I/O thread's. */
    int64_t met_before_us;     /* met_us when it was first found too old; 0 it is not */
    int64_t suspected_us;      /* when that was */
    bool is_told;              /* that it is stuck */
} visitor_t;

static struct {
    wgw_slot_t *slots;
    visitor_t *first;          /* the I/O thread's, once it has begun */
    atomic_bool is_begun;

    pthread_mutex_t lock;      /* for what follows */
    pthread_cond_t changed;
    unsigned call;             /* another number: all are to come at once */
    wgw_interp_t *hold;        /* to be had by a visitor while it is dumped; NULL none */
    bool is_held;
} visit = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int64_t visit_us(void)
{
    int64_t quarter_us = (int64_t)wgw_wrk.spec.deadlock_timeout_us / 4 + 1;

    return wgw_wrk.spec.deadlock_timeout_us && quarter_us < VISIT_US ? quarter_us : VISIT_US;
}

/* --- one visitor ---------------------------------------------------------------------- */

static void wait_for_change_locked(wgw_deadline_t deadline)
{
    struct timespec until = wgw_deadline_timespec(deadline);

    pthread_cond_clockwait(&visit.changed, &visit.lock, CLOCK_MONOTONIC, &until);
}

static wgw_interp_t *to_hold_locked(const visitor_t *visitor)
{
    return visit.hold && wgw_bridge_gil(visit.hold) == visitor->gil ? visit.hold : NULL;
}

/* Returns: the interpreter to visit. */
static wgw_interp_t *wait_for_visit(visitor_t *visitor)
{
    wgw_deadline_t next = wgw_deadline_in_us(visit_us());

    pthread_mutex_lock(&visit.lock);
    while (visit.call == visitor->call_seen && !to_hold_locked(visitor) &&
           wgw_deadline_left_us(next) > 0)
        wait_for_change_locked(next);
    visitor->call_seen = visit.call;
    wgw_interp_t *interp = to_hold_locked(visitor);
    pthread_mutex_unlock(&visit.lock);
    return interp ? interp : visitor->gil;
}

/* Attached on purpose while it waits: no thread of the interpreter runs meanwhile. */
static void py_stay(const wgw_interp_t *interp)
{
    wgw_deadline_t limit = wgw_deadline_in_us(HOLD_US);

    pthread_mutex_lock(&visit.lock);
    bool is_mine = visit.hold == interp;
    while (visit.hold == interp && wgw_deadline_left_us(limit) > 0) {
        visit.is_held = true;
        pthread_cond_broadcast(&visit.changed);
        wait_for_change_locked(limit);
    }
    if (is_mine)
        visit.is_held = false;
    pthread_mutex_unlock(&visit.lock);
}

/* The supervisor looks for processes that are stopped, and for that any GIL does. The row may be
 * another process's, if the supervisor was killed. */
static void note_met(visitor_t *visitor)
{
    int64_t now_us = wgw_now_us();

    atomic_store(&visitor->met_us, now_us);
    if (atomic_load(&wgw_wrk.row->epoch) == wgw_wrk.epoch)
        atomic_store(&wgw_wrk.row->met_us, now_us);
}

typedef struct {
    visitor_t *visitor;
    wgw_interp_t *interp;
} meeting_t;

static void py_meet(void *ctx)
{
    const meeting_t *meeting = ctx;

    note_met(meeting->visitor);
    py_stay(meeting->interp);
}

typedef struct {
    wgw_slot_t *slot;
    wgw_interp_t *interp;
    uint64_t serial;
    bool is_done;
} interrupt_t;

/* Its thread cannot leave the request meanwhile, as it would have to be attached for that; nor can
 * it begin another one in this interpreter. */
static void py_interrupt(void *ctx)
{
    interrupt_t *one = ctx;

    if (atomic_load(&one->slot->spot.interp) != one->interp)
        return;
    one->is_done = !wgw_slot_is_in(one->slot, one->serial) || wgw_py_interrupt(&one->slot->spot);
}

/* Where no Python runs for a request, it is tried again at the next visit. */
static void interrupt(const visitor_t *visitor, wgw_slot_t *slot)
{
    wgw_interp_t *interp = atomic_load(&slot->spot.interp);

    if (!interp || wgw_bridge_gil(interp) != visitor->gil)
        return;
    interrupt_t one = { .slot = slot, .interp = interp,
                        .serial = atomic_exchange(&slot->to_interrupt, 0) };
    if (!one.serial)
        return;
    wgw_bridge_visit(interp, py_interrupt, &one);
    if (!one.is_done)
        atomic_store(&slot->to_interrupt, one.serial);
}

static void *run_visitor(void *ctx)
{
    meeting_t meeting = { .visitor = ctx };

    do {
        meeting.interp = wait_for_visit(meeting.visitor);
        for (uint32_t i = 0; visit.slots && i < wgw_wrk.spec.thread_count; i++)
            interrupt(meeting.visitor, &visit.slots[i]);
    } while (wgw_bridge_visit(meeting.interp, py_meet, &meeting));
    return NULL;
}

/* --- all of them ---------------------------------------------------------------------- */

/* What has no visitor, for lack of memory, is tried at the next look. */
static void add_visitor(wgw_interp_t *gil)
{
    visitor_t *visitor = calloc(1, sizeof *visitor);

    if (!visitor)
        return;
    visitor->gil = gil;
    atomic_store(&visitor->met_us, wgw_now_us());
    if (!wgw_wrk_start_thread(run_visitor, visitor)) {
        free(visitor);
        return;
    }
    visitor->next = visit.first;
    visit.first = visitor;
}

void wgw_visit_start(wgw_slot_t *slots)
{
    visit.slots = slots;
    add_visitor(wgw_bridge_first(wgw_wrk.bridge));
    if (visit.first)
        note_met(visit.first);
    atomic_store(&visit.is_begun, visit.first != NULL);
}

bool wgw_visit_is_begun(void)
{
    return atomic_load(&visit.is_begun);
}

void wgw_visit_call(void)
{
    pthread_mutex_lock(&visit.lock);
    visit.call++;
    pthread_cond_broadcast(&visit.changed);
    pthread_mutex_unlock(&visit.lock);
}

void wgw_visit_hold(wgw_interp_t *interp)
{
    wgw_deadline_t limit = wgw_deadline_in_us(HOLD_US);

    pthread_mutex_lock(&visit.lock);
    visit.hold = interp;
    pthread_cond_broadcast(&visit.changed);
    while (!visit.is_held && wgw_deadline_left_us(limit) > 0)
        wait_for_change_locked(limit);
    pthread_mutex_unlock(&visit.lock);
}

void wgw_visit_let_go(void)
{
    pthread_mutex_lock(&visit.lock);
    visit.hold = NULL;
    visit.is_held = false;
    pthread_cond_broadcast(&visit.changed);
    pthread_mutex_unlock(&visit.lock);
}

/* --- what the I/O thread sees --------------------------------------------------------- */

static bool has_visitor(const wgw_interp_t *gil)
{
    const visitor_t *visitor = visit.first;

    while (visitor && visitor->gil != gil)
        visitor = visitor->next;
    return visitor != NULL;
}

static void add_visitors(void)
{
    for (wgw_interp_t *i = wgw_bridge_first(wgw_wrk.bridge); i; i = wgw_bridge_next(i))
        if (wgw_bridge_gil(i) == i && !has_visitor(i))
            add_visitor(i);
}

/* A process that was stopped, and goes on, finds an old note, too: the visitor is given the time
 * for two visits. Returns: when to look again. */
static int64_t look_at(visitor_t *visitor, int64_t now_us, wgw_visit_stuck_fn *stuck)
{
    int64_t met_us = atomic_load(&visitor->met_us);
    int64_t due_us = met_us + (int64_t)wgw_wrk.spec.deadlock_timeout_us;

    if (visitor->is_told)
        return INT64_MAX;
    if (now_us < due_us) {
        visitor->met_before_us = 0;
        return due_us;
    }
    if (visitor->met_before_us != met_us) {
        visitor->met_before_us = met_us;
        visitor->suspected_us = now_us;
    }
    if (now_us - visitor->suspected_us >= 2 * visit_us()) {
        visitor->is_told = true;
        stuck(visitor->gil);
    }
    return visitor->suspected_us + 2 * visit_us();
}

int64_t wgw_visit_look(int64_t now_us, wgw_visit_stuck_fn *stuck)
{
    int64_t wake_us = INT64_MAX;

    add_visitors();
    if (!wgw_wrk.spec.deadlock_timeout_us)
        return wake_us;
    wake_us = now_us + visit_us() + (int64_t)wgw_wrk.spec.deadlock_timeout_us / 8; /* for new ones */
    for (visitor_t *v = visit.first; v; v = v->next) {
        int64_t again_us = look_at(v, now_us, stuck);
        wake_us = again_us < wake_us ? again_us : wake_us;
    }
    return wake_us;
}
