/* The more selectors a container has, the more specific it is; of two with as many, the later one in
 * the file wins. What the server says of all comes before all of them, and an option of
 * WSGIDaemonProcess counts as said for its process group. */
#include "server/interp_options.h"

#include <stddef.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/options.h"
#include "server/preload.h"
#include "server/words.h"

/* --- reading a container -------------------------------------------------------------- */

static const struct {
    const char *directive;
    size_t offset;
} MEMBERS[] = {
    { "WSGIPerInterpreterGIL", offsetof(wgw_interp_options_t, own_gil) },
    { "WSGIFreeThreading", offsetof(wgw_interp_options_t, free_threading) },
    { "WSGISwitchInterval", offsetof(wgw_interp_options_t, switch_interval_us) },
    { "WSGIPythonPath", offsetof(wgw_interp_options_t, python_path) },
};

enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS };

/* There is no request that another token could be taken from. */
static bool is_fixed(const char *text)
{
    return strcmp(text, "%{GLOBAL}") == 0 || (*text && !wgw_is_token(text));
}

static const char *set_selector(cmd_parms *cmd, wgw_interp_options_t *options, const char *name,
                                const char *value)
{
    const char **field = strcmp(name, "process-group") == 0 ? &options->process_group
        : strcmp(name, "application-group") == 0 ? &options->application_group : NULL;

    if (!field || !value)
        return apr_psprintf(cmd->pool, "<WSGIInterpreterOptions>: '%s' is not an option; allowed are "
                            "process-group= and application-group=", name);
    if (*field)
        return apr_psprintf(cmd->pool, "<WSGIInterpreterOptions>: %s is given twice", name);
    if (!is_fixed(value))
        return apr_psprintf(cmd->pool, "<WSGIInterpreterOptions>: %s '%s' is not allowed; allowed is a "
                            "name or %%{GLOBAL}", name, value);
    *field = value;
    return NULL;
}

static const char *read_selectors(cmd_parms *cmd, wgw_interp_options_t *options, const char *args)
{
    const char *end = strrchr(args, '>'), *wrong = NULL, *name, *value;

    if (!end)
        return "<WSGIInterpreterOptions> needs a closing '>'";
    args = apr_pstrmemdup(cmd->pool, args, (apr_size_t)(end - args));
    while (!wrong && (name = wgw_words_option(cmd->pool, &args, &value)))
        wrong = set_selector(cmd, options, name, value);
    if (!wrong && options->process_group)
        wgw_group_note_use(cmd, options->process_group);
    if (options->application_group && strcmp(options->application_group, "%{GLOBAL}") == 0)
        options->application_group = "";
    return wrong;
}

static const char *refuse_member(cmd_parms *cmd, const ap_directive_t *directive)
{
    const char *all = "";

    for (int i = 0; i < MEMBER_COUNT; i++)
        all = apr_pstrcat(cmd->temp_pool, all, i ? ", " : "", MEMBERS[i].directive, NULL);
    return apr_psprintf(cmd->pool, "%s (line %d) is not allowed in <WSGIInterpreterOptions>; allowed "
                        "are %s", directive->directive, directive->line_num, all);
}

static const char *read_member(cmd_parms *cmd, wgw_interp_options_t *options,
                               const ap_directive_t *directive)
{
    for (int i = 0; i < MEMBER_COUNT; i++)
        if (ap_cstr_casecmp(MEMBERS[i].directive, directive->directive) == 0)
            return wgw_option_read(cmd, MEMBERS[i].directive, directive->args,
                                   (char *)options + MEMBERS[i].offset);
    return refuse_member(cmd, directive);
}

/* What is of one interpreter must not ask for something that only a process can have. */
static void say_useless(cmd_parms *cmd, const wgw_interp_options_t *options)
{
    const char *file = cmd->directive->filename;
    int line = cmd->directive->line_num;

    if (options->free_threading >= 0 && options->application_group)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     WGWNO(0183) "<WSGIInterpreterOptions> (%s, line %d): WSGIFreeThreading has no effect "
                     "with application-group=: it is of a whole process", file, line);
    if (options->own_gil == 1 && options->application_group && !*options->application_group)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     WGWNO(0185) "<WSGIInterpreterOptions> (%s, line %d): WSGIPerInterpreterGIL has no "
                     "effect on application-group=%%{GLOBAL}: the main interpreter has a GIL anyway",
                     file, line);
}

const char *wgw_interp_options_set(cmd_parms *cmd, void *dir_conf, const char *args)
{
    wgw_interp_options_t *options = apr_pcalloc(cmd->pool, sizeof *options);
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir_conf;
    options->own_gil = options->free_threading = options->switch_interval_us = -1;
    if (!wrong)
        wrong = read_selectors(cmd, options, args);
    for (const ap_directive_t *d = cmd->directive->first_child; d && !wrong; d = d->next)
        wrong = read_member(cmd, options, d);
    if (wrong)
        return wrong;
    say_useless(cmd, options);
    APR_ARRAY_PUSH(wgw_server_config(cmd->server)->interp_options, wgw_interp_options_t *) = options;
    return NULL;
}

/* --- which of them hold in a process -------------------------------------------------- */

static int selector_count(const wgw_interp_options_t *options)
{
    return (options->process_group != NULL) + (options->application_group != NULL);
}

static bool is_for(const wgw_interp_options_t *options, const wgw_pool_t *pool)
{
    return !options->process_group ||
           strcmp(options->process_group, pool ? pool->name : "%{GLOBAL}") == 0;
}

static wgw_layer_t *push(apr_array_header_t *layers)
{
    wgw_layer_t *layer = apr_array_push(layers);

    *layer = (wgw_layer_t){ .own_gil = -1 };
    return layer;
}

static void set_python_path(apr_pool_t *p, wgw_layer_t *layer, const char *path)
{
    apr_array_header_t *folders = apr_array_make(p, 2, sizeof(const char *));
    char *last = NULL;

    for (char *folder = path ? apr_strtok(apr_pstrdup(p, path), ":", &last) : NULL; folder;
         folder = apr_strtok(NULL, ":", &last))
        APR_ARRAY_PUSH(folders, const char *) = folder;
    layer->python_path = (const char *const *)folders->elts;
    layer->python_path_count = (size_t)folders->nelts;
}

static void add_containers(apr_pool_t *p, apr_array_header_t *layers, server_rec *main_server,
                           const wgw_pool_t *pool, int selectors)
{
    const apr_array_header_t *all = wgw_server_config(main_server)->interp_options;

    for (int i = 0; i < all->nelts; i++) {
        const wgw_interp_options_t *options = APR_ARRAY_IDX(all, i, wgw_interp_options_t *);
        if (selector_count(options) != selectors || !is_for(options, pool))
            continue;
        wgw_layer_t *layer = push(layers);
        layer->group = options->application_group;
        layer->own_gil = options->own_gil;
        layer->switch_interval_us = options->switch_interval_us < 0 ? 0 : options->switch_interval_us;
        set_python_path(p, layer, options->python_path);
    }
}

/* WSGISwitchInterval is of httpd's children only, as in mod_wsgi. */
static void add_server(apr_array_header_t *layers, server_rec *main_server, const wgw_pool_t *pool)
{
    const wgw_server_config_t *conf = wgw_server_config(main_server);
    wgw_layer_t *layer = push(layers);

    layer->own_gil = conf->own_gil;
    if (!pool && conf->switch_interval_us > 0)
        layer->switch_interval_us = conf->switch_interval_us;
}

apr_array_header_t *wgw_interp_layers(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool)
{
    apr_array_header_t *layers = apr_array_make(p, 4, sizeof(wgw_layer_t));

    add_server(layers, main_server, pool);
    add_containers(p, layers, main_server, pool, 0);
    if (pool && pool->switch_interval_us)
        push(layers)->switch_interval_us = pool->switch_interval_us;
    add_containers(p, layers, main_server, pool, 1);
    add_containers(p, layers, main_server, pool, 2);
    return layers;
}

bool wgw_interp_is_free_threaded(server_rec *main_server, const wgw_pool_t *pool)
{
    const apr_array_header_t *all = wgw_server_config(main_server)->interp_options;
    int found = wgw_server_config(main_server)->free_threading;

    for (int selectors = 0; selectors <= 1; selectors++)
        for (int i = 0; i < all->nelts; i++) {
            const wgw_interp_options_t *options = APR_ARRAY_IDX(all, i, wgw_interp_options_t *);
            if (options->free_threading >= 0 && !options->application_group &&
                selector_count(options) == selectors && is_for(options, pool))
                found = options->free_threading;
        }
    return found == 1;
}

/* The Python of httpd's children is known when this is built. */
void wgw_interp_options_log(server_rec *main_server)
{
    const apr_array_header_t *layers = wgw_interp_layers(main_server->process->pconf, main_server, NULL);
    bool wants = false;

    for (int i = 0; i < layers->nelts; i++)
        wants = wants || APR_ARRAY_IDX(layers, i, wgw_layer_t).own_gil == 1;
    if (wants && strcmp(WGW_PYTHON_VERSION, "3.11") == 0 && wgw_is_embedded_needed(main_server) &&
        !wgw_group_find_main(main_server->process->pconf, main_server, NULL))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     WGWNO(0184) "WSGIPerInterpreterGIL has no effect in embedded mode: mod_wsgigw was "
                     "built for Python " WGW_PYTHON_VERSION ", and an interpreter can have a GIL of its own "
                     "from 3.12 on. Build it for 3.12 or later, or use daemon mode with one");
}
