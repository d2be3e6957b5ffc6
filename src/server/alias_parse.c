/* Reading an alias directive. Every message says what is wrong and what is allowed. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/pool.h"
#include "server/words.h"

typedef const char *set_fn(cmd_parms *cmd, wgw_alias_t *alias, const char *value);

bool wgw_is_dotted_name(const char *text)
{
    bool is_start = true;

    for (; *text; text++) {
        if (*text == '.') {
            if (is_start)
                return false;
            is_start = true;
        } else if (apr_isalpha(*text) || *text == '_' || (unsigned char)*text >= 0x80 ||
                   (!is_start && apr_isdigit(*text))) {
            is_start = false;
        } else {
            return false;
        }
    }
    return !is_start;
}

/* Where a name is not declared, that is found when all has been read: the order is the user's. */
static const char *set_process_group(cmd_parms *cmd, wgw_alias_t *alias, const char *value)
{
    const char *wrong = wgw_group_check(cmd->pool, value);

    alias->process_group = value;
    if (wrong)
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": process-group: ", wrong, NULL);
    wgw_group_note_use(cmd, value);
    return NULL;
}

static const char *set_application_group(cmd_parms *cmd, wgw_alias_t *alias, const char *value)
{
    const char *wrong = wgw_group_check(cmd->pool, value);

    alias->application_group = value;
    return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": application-group: ", wrong, NULL)
                 : NULL;
}

static const char *set_callable(cmd_parms *cmd, wgw_alias_t *alias, const char *value)
{
    alias->callable = value;
    return wgw_is_dotted_name(value)
        ? NULL : apr_psprintf(cmd->pool, "%s: callable-object '%s' is not allowed; allowed is a "
                              "Python name, such as application", cmd->cmd->name, value);
}

static const char *set_authorization(cmd_parms *cmd, wgw_alias_t *alias, const char *value)
{
    alias->passes_authorization = ap_cstr_casecmp(value, "on") == 0;
    if (alias->passes_authorization || ap_cstr_casecmp(value, "off") == 0)
        return NULL;
    return apr_psprintf(cmd->pool, "%s: pass-authorization '%s' is not allowed; allowed is On "
                        "or Off", cmd->cmd->name, value);
}

static const struct {
    const char *name;
    set_fn *set;
} OPTIONS[] = {
    { "process-group", set_process_group },
    { "application-group", set_application_group },
    { "callable-object", set_callable },
    { "pass-authorization", set_authorization },
};

static const char *set_option(cmd_parms *cmd, wgw_alias_t *alias, const char *name,
                              const char *value)
{
    for (size_t i = 0; value && i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        if (strcmp(OPTIONS[i].name, name) == 0)
            return OPTIONS[i].set(cmd, alias, value);
    return apr_psprintf(cmd->pool, "%s: '%s%s%s' is not an option; allowed are process-group=, "
                        "application-group=, callable-object= and pass-authorization=",
                        cmd->cmd->name, name, value ? "=" : "", value ? value : "");
}

/* --- what is called ------------------------------------------------------------------- */

/* "package.module:callable" */
static const char *set_module(cmd_parms *cmd, wgw_alias_t *alias, const char *text)
{
    const char *colon = strchr(text, ':');

    if (!colon)
        colon = text + strlen(text);
    alias->target = apr_pstrmemdup(cmd->pool, text, (apr_size_t)(colon - text));
    alias->callable = *colon ? colon + 1 : "application";
    if (wgw_is_dotted_name(alias->target) && wgw_is_dotted_name(alias->callable))
        return NULL;
    return apr_psprintf(cmd->pool, "%s: '%s' is not allowed; allowed is package.module:callable, "
                        "such as mysite.wsgi:application", cmd->cmd->name, text);
}

static const char *set_file(cmd_parms *cmd, wgw_alias_t *alias, const char *text)
{
    apr_finfo_t info;

    alias->target = ap_server_root_relative(cmd->pool, text);
    if (!alias->target)
        return apr_psprintf(cmd->pool, "%s: '%s' is not a valid path", cmd->cmd->name, text);
    if (alias->kind == WGW_ALIAS_MATCH && strchr(text, '$'))
        return NULL;
    apr_status_t rv = apr_stat(&info, alias->target, APR_FINFO_TYPE, cmd->temp_pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, cmd->server,
                     WGWNO(0030) "%s: '%s' cannot be found now (%s, line %u); until it is there, "
                     "requests for it get 404", cmd->cmd->name, alias->target,
                     cmd->directive->filename, cmd->directive->line_num);
    else
        alias->is_folder = info.filetype == APR_DIR;
    return NULL;
}

static const char *set_location(cmd_parms *cmd, wgw_alias_t *alias, const char *text)
{
    alias->location = text;
    if (alias->kind != WGW_ALIAS_MATCH)
        return *text == '/' ? NULL
                            : apr_psprintf(cmd->pool, "%s: URL-path '%s' does not begin with '/'",
                                           cmd->cmd->name, text);
    alias->regex = ap_pregcomp(cmd->pool, text, AP_REG_EXTENDED);
    return alias->regex ? NULL
                        : apr_psprintf(cmd->pool, "%s: regular expression '%s' could not be "
                                       "compiled", cmd->cmd->name, text);
}

const char *wgw_alias_set(cmd_parms *cmd, void *dir_conf, const char *args)
{
    wgw_alias_t *alias = apr_pcalloc(cmd->pool, sizeof *alias);
    const char *location = ap_getword_conf(cmd->pool, &args);
    const char *target = ap_getword_conf(cmd->pool, &args);
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT), *name, *value;

    (void)dir_conf;
    alias->kind = (wgw_alias_kind_t)(apr_uintptr_t)cmd->info;
    alias->passes_authorization = -1;
    alias->server = cmd->server;
    if (!wrong && (!*location || !*target))
        wrong = apr_psprintf(cmd->pool, "%s takes %s", cmd->cmd->name, cmd->cmd->errmsg);
    if (!wrong)
        wrong = set_location(cmd, alias, location);
    if (!wrong)
        wrong = alias->kind == WGW_ALIAS_MODULE ? set_module(cmd, alias, target)
                                                : set_file(cmd, alias, target);
    while (!wrong && (name = wgw_words_option(cmd->pool, &args, &value)))
        wrong = set_option(cmd, alias, name, value);
    APR_ARRAY_PUSH(wgw_server_config(cmd->server)->aliases, wgw_alias_t *) = alias;
    return wrong;
}
