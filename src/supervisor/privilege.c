/* The order matters: the bounding set can be lowered only with CAP_SETPCAP, so before the user
 * changes; groups only before the user; what survives the change of user is cleared after it. */
#include "supervisor/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Lower the bounding set as far as the system lets us. A setuid program that the pool may run
 * (no-new-privs=off) would be no use without it. */
static void drop_bounding_set(void)
{
    for (unsigned long capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static const char *refuse_root(const wgw_pool_spec_t *spec)
{
    bool is_root = spec->switches_user ? spec->uid == 0 || spec->gid == 0 : geteuid() == 0;

    errno = 0;
    return is_root ? "applications do not run as root" : NULL;
}

static const char *switch_user(const wgw_pool_spec_t *spec)
{
    gid_t *groups = calloc(spec->groups.count + 1, sizeof *groups);

    if (!groups)
        return "memory";
    for (size_t i = 0; i < spec->groups.count; i++)
        groups[i] = spec->groups.items[i];
    int rc = setgroups(spec->groups.count, groups);
    free(groups);
    if (rc != 0)
        return "setgroups()";
    if (setresgid(spec->gid, spec->gid, spec->gid) != 0)
        return "setresgid()";
    if (setresuid(spec->uid, spec->uid, spec->uid) != 0)
        return "setresuid()";
    return NULL;
}

static const char *drop_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return "prctl(PR_CAP_AMBIENT)";
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 && errno != EPERM)
        return "prctl(PR_SET_KEEPCAPS)";
    return syscall(SYS_capset, &head, none) == 0 ? NULL : "capset()";
}

const char *wgw_sup_privilege_drop(const wgw_pool_spec_t *spec)
{
    const char *failed = refuse_root(spec);

    if (failed)
        return failed;
    if (!spec->keeps_privileges)
        drop_bounding_set();
    if (spec->switches_user && (failed = switch_user(spec)))
        return failed;
    if ((failed = drop_capabilities()))
        return failed;
    if (!spec->keeps_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "prctl(PR_SET_NO_NEW_PRIVS)";
    return NULL;
}
