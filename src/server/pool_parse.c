/* Reading WSGIDaemonProcess by the table of its options. */
#include <stddef.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

#include "server/config.h"
#include "server/interpreter.h"
#include "server/pool_options.h"
#include "server/pool_table.h"
#include "server/words.h"

#define FIELD_CHECK(option, how, field, low, high, text, help) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((wgw_pool_t *)0)->field), \
                                                WGW_POOL_TYPE_##how), "type of " #field);
WGW_POOL_OPTIONS(FIELD_CHECK)

static const wgw_pool_option_t OPTIONS[] = {
#define OPTION_ROW(option, how, field, low, high, text, help) \
    { .name = option, .kind = &wgw_pool_##how, .offset = offsetof(wgw_pool_t, field), \
      .least = low, .most = high, .preset = text },
    WGW_POOL_OPTIONS(OPTION_ROW)
};

enum {
#define OPTION_INDEX(option, how, field, low, high, text, help) OPTION_##field,
    WGW_POOL_OPTIONS(OPTION_INDEX)
    OPTION_COUNT
};

static const char *const LATER[] = {
#define LATER_ROW(option) option,
    WGW_POOL_OPTIONS_LATER(LATER_ROW)
};

static void *field_of(wgw_pool_t *pool, const wgw_pool_option_t *option)
{
    return (char *)pool + option->offset;
}

static const char *parse(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                         const char *text)
{
    return option->kind->parse(cmd, option, pool, text, field_of(pool, option));
}

/* --- unknown options ------------------------------------------------------------------ */

static const char *refuse_unknown(cmd_parms *cmd, const char *name)
{
    apr_array_header_t *names = apr_array_make(cmd->temp_pool, OPTION_COUNT, sizeof(const char *));
    const char *all = "";

    for (size_t i = 0; i < sizeof LATER / sizeof *LATER; i++)
        if (strcmp(name, LATER[i]) == 0)
            return apr_psprintf(cmd->pool, "WSGIDaemonProcess: '%s' is an option of mod_wsgi that "
                                "mod_wsgigw does not have yet: remove it", name);
    for (int i = 0; i < OPTION_COUNT; i++) {
        APR_ARRAY_PUSH(names, const char *) = OPTIONS[i].name;
        all = apr_pstrcat(cmd->temp_pool, all, " ", OPTIONS[i].name, "=", NULL);
    }
    const char *nearest = wgw_words_nearest(cmd->temp_pool, name, names);
    if (nearest)
        return apr_psprintf(cmd->pool, "WSGIDaemonProcess: '%s' is not an option; did you mean "
                            "%s=?", name, nearest);
    return apr_psprintf(cmd->pool, "WSGIDaemonProcess: '%s' is not an option; allowed are%s", name,
                        all);
}

static const char *set_option(cmd_parms *cmd, wgw_pool_t *pool, bool *given, const char *name,
                              const char *value)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(OPTIONS[i].name, name) != 0)
            continue;
        if (!value)
            return apr_psprintf(cmd->pool, "WSGIDaemonProcess: %s needs a value: %s=...", name, name);
        if (given[i] && !OPTIONS[i].kind->is_repeatable)
            return apr_psprintf(cmd->pool, "WSGIDaemonProcess: %s is given twice", name);
        given[i] = true;
        return parse(cmd, &OPTIONS[i], pool, value);
    }
    return refuse_unknown(cmd, name);
}

/* --- what concerns several options ---------------------------------------------------- */

static const char *cannot_use(cmd_parms *cmd, const char *option, const char *path,
                              const char *wrong)
{
    return wrong ? apr_psprintf(cmd->pool, "WSGIDaemonProcess: %s '%s' cannot be used: %s", option,
                                path, wrong) : NULL;
}

static const char *check_folders(cmd_parms *cmd, const char *root, const char *folders)
{
    char *last = NULL;

    for (char *folder = folders ? apr_strtok(apr_pstrdup(cmd->temp_pool, folders), ":", &last) : NULL;
         folder; folder = apr_strtok(NULL, ":", &last)) {
        const char *wrong = wgw_path_check(cmd->pool, root, folder, APR_DIR);
        if (wrong)
            return cannot_use(cmd, "python-path", folder, wrong);
    }
    return NULL;
}

/* Decide which interpreter it is, where an option says so. */
static const char *check_python(cmd_parms *cmd, wgw_pool_t *pool)
{
    const char *wrong = NULL, *option = pool->python_home ? "python-home" : "python";
    const char *text = pool->python_home ? pool->python_home : pool->python;

    if (pool->python && pool->python_home)
        return "WSGIDaemonProcess: python and python-home cannot be given together: python-home means "
               "the interpreter in its folder bin";
    if (pool->python_home)
        pool->python = wgw_interpreter_find(cmd->pool, pool->chroot, pool->python_home, &wrong);
    if (!wrong && pool->python)
        wrong = wgw_interpreter_check(cmd->pool, pool->chroot, pool->python);
    return cannot_use(cmd, option, text, wrong);
}

/* Forget what only root can heed; it is said once, when httpd starts. */
static void drop_privileged(cmd_parms *cmd, wgw_pool_t *pool)
{
    if (wgw_is_root())
        return;
    const char *names = apr_pstrcat(cmd->pool, pool->uid != (uid_t)-1 ? " user" : "",
                                    pool->gid != (gid_t)-1 ? " group" : "",
                                    pool->groups ? " supplementary-groups" : "",
                                    pool->chroot ? " chroot" : "",
                                    pool->socket_uid != (uid_t)-1 ? " socket-user" : "", NULL);
    pool->without_effect = *names ? names + 1 : NULL;
    pool->uid = pool->socket_uid = (uid_t)-1;
    pool->gid = (gid_t)-1;
    pool->chroot = NULL;
    pool->groups = NULL;
}

static const char *check_whole(cmd_parms *cmd, wgw_pool_t *pool)
{
    const char *wrong = NULL;

    drop_privileged(cmd, pool);
    if (pool->script_uid != (uid_t)-1 && pool->script_gid != (gid_t)-1)
        return "WSGIDaemonProcess: script-user and script-group cannot be given together";
    if (pool->chroot)
        wrong = cannot_use(cmd, "chroot", pool->chroot,
                           wgw_path_check(cmd->pool, NULL, pool->chroot, APR_DIR));
    if (!wrong && pool->home)
        wrong = cannot_use(cmd, "home", pool->home,
                           wgw_path_check(cmd->pool, pool->chroot, pool->home, APR_DIR));
    if (!wrong)
        wrong = check_folders(cmd, pool->chroot, pool->python_path);
    return wrong ? wrong : check_python(cmd, pool);
}

/* --- the directive -------------------------------------------------------------------- */

static const char *check_name(cmd_parms *cmd, const char *name)
{
    const wgw_pool_t *other = wgw_pool_find(ap_server_conf, name);

    if (other)
        return apr_psprintf(cmd->pool, "WSGIDaemonProcess: '%s' is already declared (%s, line %d); "
                            "a name is allowed once in all of httpd", name, other->file, other->line);
    for (const char *at = name; *at; at++)
        if (!apr_isgraph(*at) || *at == '%' || *at == '=')
            return apr_psprintf(cmd->pool, "WSGIDaemonProcess: the name '%s' is not allowed; allowed "
                                "is a name without spaces, %% and =", name);
    return NULL;
}

static wgw_pool_t *create(cmd_parms *cmd, const char *name)
{
    wgw_pool_t *pool = apr_pcalloc(cmd->pool, sizeof *pool);

    pool->name = name;
    pool->server = cmd->server;
    pool->file = cmd->directive->filename;
    pool->line = cmd->directive->line_num;
    pool->index = wgw_pools(ap_server_conf)->nelts;
    pool->uid = pool->socket_uid = pool->script_uid = (uid_t)-1;
    pool->gid = pool->script_gid = (gid_t)-1;
    pool->umask = -1;
    pool->board_fd = -1;
    return pool;
}

const char *wgw_pool_set(cmd_parms *cmd, void *dir_conf, const char *args)
{
    bool given[OPTION_COUNT] = { false };
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const char *pool_name = ap_getword_conf(cmd->pool, &args), *name, *value;

    (void)dir_conf;
    if (!wrong && !*pool_name)
        wrong = "WSGIDaemonProcess takes a name, and options: name [option=value ...]";
    if (!wrong)
        wrong = check_name(cmd, pool_name);
    if (wrong)
        return wrong;
    wgw_pool_t *pool = create(cmd, pool_name);
    while (!wrong && (name = wgw_words_option(cmd->pool, &args, &value)))
        wrong = set_option(cmd, pool, given, name, value);
    for (int i = 0; i < OPTION_COUNT && !wrong; i++)
        if (!given[i] && *OPTIONS[i].preset)
            wrong = parse(cmd, &OPTIONS[i], pool, OPTIONS[i].preset);
    pool->is_multiprocess = given[OPTION_process_count];
    if (wrong || (wrong = check_whole(cmd, pool)))
        return wrong;
    APR_ARRAY_PUSH(wgw_pools(ap_server_conf), wgw_pool_t *) = pool;
    return NULL;
}
