/* The option table as httpd's command table, and merging by its rows. */
#include "server/options.h"

#include <apr_strings.h>
#include <http_core.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/import.h"
#include "server/interp_options.h"
#include "server/module.h"
#include "server/option_table.h"
#include "server/pool.h"

/* Contexts (MOD_WSGI_FACTS part 1): S server, V virtual host, D directory, H .htaccess. */
#define WGW_CTX_S RSRC_CONF
#define WGW_CTX_SVD (RSRC_CONF | ACCESS_CONF)
#define WGW_CTX_SVDH OR_FILEINFO
#define WGW_CTX_DH OR_AUTHCFG

#define PLACE_DIR WGW_IN_DIR
#define PLACE_SERVER WGW_IN_SERVER
#define OFFSET_DIR(field) APR_OFFSETOF(wgw_dir_config_t, field)
#define OFFSET_SERVER(field) APR_OFFSETOF(wgw_server_config_t, field)

static const wgw_option_t OPTIONS[] = {
#define WGW_OPTION_ROW(directive, where, field, how, contexts, low, high, text, what) \
    { .name = directive, .place = PLACE_##where, .offset = OFFSET_##where(field), \
      .kind = &wgw_option_##how, .is_global = (contexts) == WGW_CTX_S, .least = low, .most = high, \
      .preset = text, .help = what },
    WGW_OPTIONS(WGW_OPTION_ROW)
#undef WGW_OPTION_ROW
};

enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

static void *field_of(const wgw_option_t *option, const void *conf)
{
    return (char *)conf + option->offset;
}

void wgw_options_unset(wgw_place_t place, void *conf)
{
    for (const wgw_option_t *o = OPTIONS; o < OPTIONS + OPTION_COUNT; o++)
        if (o->place == place && o->kind->store == WGW_STORE_INT)
            *(int *)field_of(o, conf) = -1;
}

static void merge_field(wgw_store_t store, apr_pool_t *p, void *field, const void *base)
{
    const char **text = field;
    apr_array_header_t **array = field, *const *base_array = base;

    switch (store) {
    case WGW_STORE_INT:
        if (*(int *)field == -1)
            *(int *)field = *(const int *)base;
        break;
    case WGW_STORE_TEXT:
        if (!*text)
            *text = *(const char *const *)base;
        break;
    case WGW_STORE_ARRAY:
        if (*base_array)
            *array = *array ? apr_array_append(p, *base_array, *array) : *base_array;
        break;
    case WGW_STORE_SET:
        if (!*array)
            *array = *base_array;
        break;
    }
}

void wgw_options_merge(wgw_place_t place, apr_pool_t *p, void *conf, const void *base)
{
    for (const wgw_option_t *o = OPTIONS; o < OPTIONS + OPTION_COUNT; o++)
        if (o->place == place)
            merge_field(o->kind->store, p, field_of(o, conf), field_of(o, base));
}

static bool is_set(const wgw_option_t *option, const void *field)
{
    return option->kind->store == WGW_STORE_INT ? *(const int *)field != -1
                                                : *(void *const *)field != NULL;
}

static void fill(wgw_place_t place, apr_pool_t *p, void *conf)
{
    cmd_parms cmd = { .pool = p, .temp_pool = p };

    for (const wgw_option_t *o = OPTIONS; o < OPTIONS + OPTION_COUNT; o++)
        if (o->place == place && *o->preset && !is_set(o, field_of(o, conf)))
            o->kind->parse(&cmd, o, o->preset, field_of(o, conf));
}

void wgw_options_fill(apr_pool_t *p, server_rec *main_server)
{
    for (server_rec *s = main_server; s; s = s->next) {
        fill(WGW_IN_SERVER, p, wgw_server_config(s));
        fill(WGW_IN_DIR, p, ap_get_module_config(s->lookup_defaults, wgw_module_current()));
    }
}

void wgw_options_log_idle(const server_rec *main_server)
{
    const wgw_server_config_t *conf = wgw_server_config(main_server);
    const struct {
        bool is_asked;
        const char *text;
    } IDLE[] = {
        { conf->is_verbose, "WSGIVerboseDebugging has no effect: LogLevel wsgigw:debug shows more" },
        { !conf->is_case_sensitive,
          "WSGICaseSensitivity Off has no effect: the path of a script is taken as it is written" },
        { conf->telemetry_service, "WSGITelemetryService has no effect: nothing is sent" },
        { conf->telemetry_options, "WSGITelemetryOptions has no effect: nothing is sent" },
        { conf->slow_requests, "WSGISlowRequests has no effect: nothing is sent" },
    };

    for (size_t i = 0; i < sizeof IDLE / sizeof *IDLE; i++)
        if (IDLE[i].is_asked)
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server, WGWNO(0173) "%s", IDLE[i].text);
}

static const char *read_words(cmd_parms *cmd, const wgw_option_t *option, const char *args,
                              void *field)
{
    const char *wrong = NULL;
    bool is_none = !*args;

    while (!wrong && (*args || is_none)) {
        const char *word = ap_getword_conf(cmd->pool, &args);
        if (is_none || (*args && !option->kind->is_list))
            return apr_pstrcat(cmd->pool, option->name, " takes ",
                               option->kind->is_list ? "at least " : "", "one argument, ",
                               option->help, NULL);
        wrong = option->kind->parse(cmd, option, word, field);
    }
    return wrong;
}

static const char *set_option(cmd_parms *cmd, void *dir_conf, const char *args)
{
    const wgw_option_t *option = cmd->info;
    void *conf = option->place == WGW_IN_DIR ? dir_conf : wgw_server_config(cmd->server);
    const char *wrong = option->is_global ? ap_check_cmd_context(cmd, GLOBAL_ONLY) : NULL;

    return wrong ? wrong : read_words(cmd, option, args, field_of(option, conf));
}

const char *wgw_option_read(cmd_parms *cmd, const char *directive, const char *args, void *field)
{
    for (const wgw_option_t *o = OPTIONS; o < OPTIONS + OPTION_COUNT; o++)
        if (strcmp(o->name, directive) == 0)
            return read_words(cmd, o, args, field);
    return apr_pstrcat(cmd->pool, directive, " is no option", NULL);
}

/* Rows of the table by name, at compile time. */
enum {
#define WGW_OPTION_INDEX(directive, where, field, how, contexts, low, high, text, help) \
    OPTION_##field,
    WGW_OPTIONS(WGW_OPTION_INDEX)
#undef WGW_OPTION_INDEX
};

const command_rec wgw_commands[] = {
#define WGW_COMMAND(directive, where, field, how, contexts, low, high, text, help) \
    AP_INIT_RAW_ARGS(directive, set_option, (void *)&OPTIONS[OPTION_##field], contexts, help),
    WGW_OPTIONS(WGW_COMMAND)
#undef WGW_COMMAND
#define WGW_ALIAS_COMMAND(directive, kind, usage) \
    AP_INIT_RAW_ARGS(directive, wgw_alias_set, (void *)(apr_uintptr_t)(kind), RSRC_CONF, usage),
    WGW_ALIASES(WGW_ALIAS_COMMAND)
#undef WGW_ALIAS_COMMAND
#define WGW_DECLARATION(directive, handler, usage) \
    AP_INIT_RAW_ARGS(directive, handler, NULL, RSRC_CONF, usage),
    WGW_DECLARATIONS(WGW_DECLARATION)
#undef WGW_DECLARATION
    { 0 }
};
