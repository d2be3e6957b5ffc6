/* Reading WSGIAccessScript, WSGIAuthUserScript, WSGIAuthGroupScript and WSGIDispatchScript, word by
 * word: the file, then its options. */
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_main.h>

#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/options.h"

static const char *refuse(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                          const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: '%s' is not allowed; allowed is %s", option->name, text, allowed);
}

static const char *set_application_group(cmd_parms *cmd, const wgw_option_t *option,
                                         wgw_ask_script_t *script, const char *value)
{
    bool is_known = strcmp(value, "%{GLOBAL}") == 0 || strcmp(value, "%{SERVER}") == 0 ||
                    strcmp(value, "%{HOST}") == 0 || (*value && !wgw_is_token(value));

    script->application_group = value;
    return is_known ? NULL : refuse(cmd, option, value, "as application-group= a name, %{GLOBAL}, "
                                    "%{SERVER} or %{HOST}");
}

static const char *set_process_group(cmd_parms *cmd, const wgw_option_t *option,
                                     wgw_ask_script_t *script, const char *value)
{
    bool is_embedded = strcmp(value, "%{GLOBAL}") == 0;

    if (!is_embedded && (!*value || wgw_is_token(value)))
        return refuse(cmd, option, value, "as process-group= a name, or %{GLOBAL} for embedded mode");
    script->process_group = is_embedded ? NULL : value;
    if (!script->is_in_htaccess)
        wgw_group_note_use(cmd, value);
    return NULL;
}

static const char *set_path(cmd_parms *cmd, const wgw_option_t *option, wgw_ask_script_t *script,
                            const char *text)
{
    apr_finfo_t info;

    script->path = ap_server_root_relative(cmd->pool, text);
    if (!script->path)
        return refuse(cmd, option, text, "the path of a file");
    if (script->is_in_htaccess)
        return NULL;
    apr_status_t rv = apr_stat(&info, script->path, APR_FINFO_TYPE, cmd->temp_pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, cmd->server,
                     WGWNO(0193) "%s: '%s' cannot be found now (%s, line %d); until it is there, nobody "
                     "is let in", option->name, script->path, cmd->directive->filename,
                     cmd->directive->line_num);
    APR_ARRAY_PUSH(wgw_server_config(ap_server_conf)->ask_scripts, wgw_ask_script_t *) = script;
    return NULL;
}

static wgw_ask_script_t *new_script(cmd_parms *cmd, const wgw_option_t *option)
{
    wgw_ask_script_t *script = apr_pcalloc(cmd->pool, sizeof *script);

    script->directive = option->name;
    script->server = cmd->server;
    script->line = cmd->directive;
    script->is_in_htaccess = ap_check_cmd_context(cmd, NOT_IN_HTACCESS) != NULL;
    return script;
}

static const char *parse_script(cmd_parms *cmd, const wgw_option_t *option, const char *text, void *field)
{
    static const char USAGE[] = "one file, then application-group= and process-group=";
    static const char APPLICATION[] = "application-group=", PROCESS[] = "process-group=";
    wgw_ask_script_t **script = field;
    bool is_first = !*script || (*script)->line != cmd->directive;

    if (is_first)
        *script = new_script(cmd, option);
    if (is_first)
        return set_path(cmd, option, *script, text);
    if (strncmp(text, APPLICATION, sizeof APPLICATION - 1) == 0 && !(*script)->application_group)
        return set_application_group(cmd, option, *script, text + sizeof APPLICATION - 1);
    if (strncmp(text, PROCESS, sizeof PROCESS - 1) == 0 && !(*script)->process_group)
        return set_process_group(cmd, option, *script, text + sizeof PROCESS - 1);
    return refuse(cmd, option, text, USAGE);
}

const wgw_option_kind_t wgw_option_SCRIPT = { .parse = parse_script, .store = WGW_STORE_TEXT,
                                              .is_list = true };
