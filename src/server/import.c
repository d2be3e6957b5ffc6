#include "server/import.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/words.h"

static const char *const USAGE =
    "WSGIImportScript takes file process-group=name application-group=name; %{GLOBAL} is httpd's "
    "children, and the main interpreter";

/* There is no request that a token could be taken from. */
static bool is_fixed(const char *text)
{
    return strcmp(text, "%{GLOBAL}") == 0 || (*text && !wgw_is_token(text));
}

static const char *set_option(cmd_parms *cmd, wgw_import_t *import, const char *name,
                              const char *value)
{
    const char **field = strcmp(name, "process-group") == 0 ? &import->process_group
        : strcmp(name, "application-group") == 0 ? &import->application_group : NULL;

    if (!field || !value)
        return apr_psprintf(cmd->pool, "WSGIImportScript: '%s' is not an option; allowed are "
                            "process-group= and application-group=", name);
    if (*field)
        return apr_psprintf(cmd->pool, "WSGIImportScript: %s is given twice", name);
    if (!is_fixed(value))
        return apr_psprintf(cmd->pool, "WSGIImportScript: %s '%s' is not allowed; allowed is a name "
                            "or %%{GLOBAL}", name, value);
    *field = value;
    return NULL;
}

static const char *set_script(cmd_parms *cmd, wgw_import_t *import, const char *text)
{
    apr_finfo_t info;

    import->script = ap_server_root_relative(cmd->pool, text);
    if (!import->script)
        return apr_psprintf(cmd->pool, "WSGIImportScript: '%s' is not a valid path", text);
    apr_status_t rv = apr_stat(&info, import->script, APR_FINFO_TYPE, cmd->temp_pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, cmd->server,
                     WGWNO(0070) "WSGIImportScript: '%s' cannot be found now (%s, line %d)",
                     import->script, cmd->directive->filename, cmd->directive->line_num);
    return NULL;
}

const char *wgw_import_set(cmd_parms *cmd, void *dir_conf, const char *args)
{
    wgw_import_t import = { .server = cmd->server };
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT), *name, *value;
    const char *script = ap_getword_conf(cmd->pool, &args);

    (void)dir_conf;
    if (!wrong)
        wrong = *script ? set_script(cmd, &import, script) : USAGE;
    while (!wrong && (name = wgw_words_option(cmd->pool, &args, &value)))
        wrong = set_option(cmd, &import, name, value);
    if (!wrong && (!import.process_group || !import.application_group))
        wrong = USAGE;
    if (wrong)
        return wrong;
    wgw_group_note_use(cmd, import.process_group);
    if (strcmp(import.application_group, "%{GLOBAL}") == 0)
        import.application_group = "";
    APR_ARRAY_PUSH(wgw_server_config(ap_server_conf)->imports, wgw_import_t) = import;
    return NULL;
}
