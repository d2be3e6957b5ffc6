/* The configuration as it was parsed: what each server and each directory says. */
#ifndef WGW_SERVER_CONFIG_H
#define WGW_SERVER_CONFIG_H

#include <stdbool.h>

#include <apr_tables.h>
#include <httpd.h>
#include <http_config.h>

typedef enum wgw_map_head_t { WGW_MAP_HEAD_OFF, WGW_MAP_HEAD_ON, WGW_MAP_HEAD_AUTO } wgw_map_head_t;

/* Unset while parsing: NULL, or -1 for int. For a request everything with a default is set. */
typedef struct wgw_dir_config_t {
    const char *application_group; /* name or token */
    const char *callable;          /* name or %{ENV:x} */
    int is_reloading;              /* flag */
    int passes_authorization;      /* flag */
    int allows_chunked;            /* flag */
    int overrides_errors;          /* flag */
    int uses_sendfile;             /* flag */
    int maps_head;                 /* wgw_map_head_t */
} wgw_dir_config_t;

typedef struct wgw_server_config_t {
    apr_array_header_t *aliases;     /* of wgw_alias_t *, in the order of the file */
    apr_array_header_t *dir_groups;  /* of const char *: WSGIApplicationGroup in directories */
    const char *embedded_library;    /* the rest: server level only */
    const char *python_home;
    const char *python_path;         /* folders, ':' between */
    int python_optimize;
    const char *python_hash_seed;
    apr_array_header_t *python_warnings; /* of const char *, or NULL */
    int dont_write_bytecode;         /* flag */
    int group_limit;
} wgw_server_config_t;

void *wgw_dir_config_create(apr_pool_t *p, char *path);
void *wgw_dir_config_merge(apr_pool_t *p, void *base, void *add);
void *wgw_server_config_create(apr_pool_t *p, server_rec *s);
void *wgw_server_config_merge(apr_pool_t *p, void *base, void *add);

const wgw_dir_config_t *wgw_dir_config(const request_rec *r);
wgw_server_config_t *wgw_server_config(const server_rec *s);

#endif
