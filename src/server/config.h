/* The configuration as it was parsed: what each server and each directory says. */
#ifndef WGW_SERVER_CONFIG_H
#define WGW_SERVER_CONFIG_H

#include <stdbool.h>

#include <apr_tables.h>
#include <httpd.h>
#include <http_config.h>

typedef enum wgw_map_head_t { WGW_MAP_HEAD_OFF, WGW_MAP_HEAD_ON, WGW_MAP_HEAD_AUTO } wgw_map_head_t;

/* WSGIAccessScript, WSGIAuthUserScript, WSGIAuthGroupScript or WSGIDispatchScript */
typedef struct wgw_ask_script_t {
    const char *directive;
    const char *path;              /* absolute */
    const char *process_group;     /* name; NULL: embedded mode */
    const char *application_group; /* name or token; NULL when not given */
    bool is_in_htaccess;           /* the owner of some folder says it, not the administrator */
    server_rec *server;            /* where it stands; */
    const ap_directive_t *line;    /* the same, to tell lines apart; compared only */
} wgw_ask_script_t;

/* Unset while parsing: NULL, or -1 for int. For a request everything with a default is set. */
typedef struct wgw_dir_config_t {
    const char *application_group; /* name or token */
    const char *process_group;     /* name or token; %{GLOBAL} is embedded mode */
    const char *allowed_processes; /* process groups, ' ' between; NULL: all */
    const char *callable;          /* name or %{ENV:x} */
    int is_reloading;              /* flag */
    int passes_authorization;      /* flag */
    int allows_chunked;            /* flag */
    int overrides_errors;          /* flag */
    int uses_sendfile;             /* flag */
    int maps_head;                 /* wgw_map_head_t */
    wgw_ask_script_t *access_script, *user_script, *group_script, *dispatch_script; /* NULL: none */
    int is_group_authoritative;    /* flag, without effect */
    apr_array_header_t *trusted_proxies; /* of wgw_network_t; NULL: nobody */
    apr_array_header_t *proxy_fields;    /* of wgw_proxy_field_t; NULL: none */
} wgw_dir_config_t;

/* A place of the configuration that names a process group. */
typedef struct wgw_group_use_t {
    const char *directive;
    const char *group;           /* name or token */
    const server_rec *server;
    bool is_in_directory;        /* so that only a request can tell to whom it applies */
    const char *file;            /* where it stands */
    int line;
} wgw_group_use_t;

/* WSGIImportScript */
typedef struct wgw_import_t {
    const char *script;            /* absolute path */
    const char *process_group;     /* name, or %{GLOBAL} */
    const char *application_group; /* name; "" the main interpreter */
    server_rec *server;
} wgw_import_t;

typedef struct wgw_server_config_t {
    apr_array_header_t *aliases;     /* of wgw_alias_t *, in the order of the file */
    apr_array_header_t *dir_groups;  /* of const char *: WSGIApplicationGroup in directories */
    apr_array_header_t *pools;       /* of wgw_pool_t *; this and what follows: main server only */
    apr_array_header_t *group_uses;  /* of wgw_group_use_t */
    apr_array_header_t *imports;     /* of wgw_import_t */
    apr_array_header_t *ask_scripts; /* of wgw_ask_script_t *, but of no .htaccess */
    const char *proxy_fields_file;   /* where this server first trusts header fields of proxies */
    int proxy_fields_line;
    bool names_proxies;              /* it says, also in a directory, who they are */
    apr_array_header_t *interp_options; /* of wgw_interp_options_t *, in the order of the file */
    const char *embedded_library;
    const char *supervisor;
    const char *daemon_extension;
    const char *socket_prefix;
    int rotates_sockets;             /* flag */
    const char *accept_mutex;
    int restricts_embedded;          /* flag */
    int is_verbose;                  /* flag; this and what follows up to slow_requests: no effect */
    int is_case_sensitive;           /* flag */
    const char *telemetry_service;
    const char *telemetry_options;
    const char *slow_requests;
    const char *python_home;
    const char *python_path;         /* folders, ':' between */
    int python_optimize;
    const char *python_hash_seed;
    const char *python_eggs;         /* folder */
    apr_array_header_t *python_warnings; /* of const char *, or NULL */
    int dont_write_bytecode;         /* flag */
    int group_limit;
    int own_gil;                     /* flag */
    int free_threading;              /* flag */
    int switch_interval_us;          /* -1 not said */
    int destroys;                    /* flag: interpreters, at the end of a process */
} wgw_server_config_t;

void *wgw_dir_config_create(apr_pool_t *p, char *path);
void *wgw_dir_config_merge(apr_pool_t *p, void *base, void *add);
void *wgw_server_config_create(apr_pool_t *p, server_rec *s);
void *wgw_server_config_merge(apr_pool_t *p, void *base, void *add);

const wgw_dir_config_t *wgw_dir_config(const request_rec *r);
wgw_server_config_t *wgw_server_config(const server_rec *s);

/* The process group that requests to an alias have (`of_alias`, NULL when it does not say) as far
 * as its server says. Returns: a name or token. */
const char *wgw_process_group_text(const server_rec *s, const char *of_alias);

/* Where our other files are. Lives: as long as the configuration. */
const char *wgw_embedded_library_path(const server_rec *main_server);
const char *wgw_supervisor_path(const server_rec *main_server);
const char *wgw_daemon_extension_path(const server_rec *main_server);

#endif
