/* WSGIScriptAlias, WSGIScriptAliasMatch and WSGIModuleAlias: from a URL to what is called. */
#ifndef WGW_SERVER_ALIAS_H
#define WGW_SERVER_ALIAS_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

typedef enum wgw_alias_kind_t {
    WGW_ALIAS_SCRIPT,
    WGW_ALIAS_MATCH,
    WGW_ALIAS_MODULE
} wgw_alias_kind_t;

/* Written while parsing, constant afterwards. */
typedef struct wgw_alias_t {
    wgw_alias_kind_t kind;
    const char *location;          /* URL-path or regular expression, as written */
    ap_regex_t *regex;             /* for WGW_ALIAS_MATCH, else NULL */
    const char *target;            /* file, folder, $-template, or dotted module name */
    bool is_folder;                /* target is one: each file below it is a script */
    const char *callable;          /* NULL when not given */
    const char *application_group; /* NULL when not given */
    const char *process_group;     /* NULL when not given */
    int passes_authorization;      /* -1 when not given */
    const server_rec *server;      /* where it was declared */
} wgw_alias_t;

/* The directives' handler; cmd->info is the kind. */
const char *wgw_alias_set(cmd_parms *cmd, void *dir_conf, const char *args);

/* Tell whether `text` is a Python name, or several with dots between. */
bool wgw_is_dotted_name(const char *text);

/* Hook translate_name: map the request if an alias matches. */
int wgw_alias_translate(request_rec *r);

/* Hook map_to_storage: a module has no file, so there is no directory to walk. */
int wgw_alias_map_to_storage(request_rec *r);

/* Hook type_checker: keep mod_mime from judging a script by its name. */
int wgw_alias_type_checker(request_rec *r);

/* The alias that mapped a request, or NULL. Context: after translate_name. */
const wgw_alias_t *wgw_alias_of(request_rec *r);

#endif
