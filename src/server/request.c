/* The environ entries of a request that are str (PEP 3333, RFC 3875), and its target.
 * Entries of the configuration (SetEnv, SSL_*) come first, so that none of them
 * takes the place of what the request itself says. */
#include "server/request.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_script.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/proxy.h"

typedef struct {
    wgw_var_t *vars;
    size_t count, size;
    request_rec *r;
    const wgw_forwarded_t *forwarded; /* what a proxy in front says, or NULL */
    bool is_question;         /* to a script that authenticates, or decides on access */
} var_list_t;

/* --- adding --------------------------------------------------------------------------- */

static wgw_var_t *next_var(var_list_t *list)
{
    if (list->count == list->size) {
        wgw_var_t *vars = apr_palloc(list->r->pool, 2 * list->size * sizeof *vars);
        memcpy(vars, list->vars, list->count * sizeof *vars);
        list->vars = vars;
        list->size *= 2;
    }
    return &list->vars[list->count++];
}

/* Borrows: value, as long as the request lives; NULL adds nothing. */
static void add(var_list_t *list, wgw_key_t key, const char *value)
{
    if (value)
        *next_var(list) = (wgw_var_t){ .key = key, .value = value,
                                       .value_len = (uint32_t)strlen(value) };
}

static void add_named(var_list_t *list, const char *name, size_t name_len, const char *value)
{
    wgw_key_t key = wgw_key_find(name, name_len);

    *next_var(list) = (wgw_var_t){ .key = key, .name = key ? NULL : name,
                                   .name_len = key ? 0 : (uint32_t)name_len, .value = value,
                                   .value_len = (uint32_t)strlen(value) };
}

static void add_number(var_list_t *list, wgw_key_t key, unsigned number)
{
    char *text = apr_palloc(list->r->pool, 12);

    apr_snprintf(text, 12, "%u", number);
    add(list, key, text);
}

/* --- SetEnv, SSL_*, and the like ------------------------------------------------------ */

static bool is_reserved(const char *name)
{
    return strncmp(name, "wsgi.", 5) == 0 || strncmp(name, "mod_wsgi.", 9) == 0 ||
           strncmp(name, "wsgigw.", 7) == 0 || strncmp(name, "apache.", 7) == 0 ||
           strcmp(name, "HTTPS") == 0 || strncmp(name, "CONTENT_", 8) == 0;
}

static void add_environment(var_list_t *list)
{
    const apr_array_header_t *table = apr_table_elts(list->r->subprocess_env);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)table->elts;

    for (int i = 0; i < table->nelts; i++)
        if (entry[i].key && entry[i].val && !is_reserved(entry[i].key))
            add_named(list, entry[i].key, strlen(entry[i].key), entry[i].val);
}

/* --- header fields -------------------------------------------------------------------- */

/* "Accept-Language" -> "HTTP_ACCEPT_LANGUAGE". Returns: NULL when the name has a character
 * other than letters, digits and '-', so that "X_Y" cannot pass for "X-Y". */
static const char *cgi_name(apr_pool_t *p, const char *field, size_t *len_out)
{
    size_t len = strlen(field);
    char *name = apr_palloc(p, len + 6);

    memcpy(name, "HTTP_", 5);
    for (size_t i = 0; i < len; i++) {
        char c = field[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (c == '-')
            c = '_';
        else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            return NULL;
        name[5 + i] = c;
    }
    name[5 + len] = '\0';
    *len_out = len + 5;
    return name;
}

static bool is_cgi_pass_auth(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core->cgi_pass_auth == AP_CGI_PASS_AUTH_ON;
}

static bool passes_authorization(request_rec *r)
{
    const wgw_alias_t *alias = wgw_alias_of(r);

    if (is_cgi_pass_auth(r))
        return true;
    if (alias && alias->passes_authorization != -1)
        return alias->passes_authorization;
    return wgw_dir_config(r)->passes_authorization;
}

/* Whether a field is of proxies, so that add_forwarded() decides on it. */
static bool is_governed(const var_list_t *list, const char *field)
{
    return list->forwarded && list->forwarded->governed >> wgw_proxy_field_find(field) & 1;
}

static void add_header(var_list_t *list, const char *field, const char *value, bool with_secrets)
{
    size_t len;

    if (ap_cstr_casecmp(field, "Content-Type") == 0) {
        add(list, WGW_KEY_CONTENT_TYPE, value);
        return;
    }
    if (ap_cstr_casecmp(field, "Content-Length") == 0 || ap_cstr_casecmp(field, "Proxy") == 0)
        return; /* the one is checked and added elsewhere, the other is an attack (httpoxy) */
    if (ap_cstr_casecmp(field, "Authorization") == 0 && !with_secrets)
        return;
    if (ap_cstr_casecmp(field, "Proxy-Authorization") == 0 &&
        (list->is_question || !is_cgi_pass_auth(list->r)))
        return;
    if (is_governed(list, field))
        return;
    const char *name = cgi_name(list->r->pool, field, &len);
    if (name)
        add_named(list, name, len, value);
}

static void add_headers(var_list_t *list)
{
    const apr_array_header_t *table = apr_table_elts(list->r->headers_in);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)table->elts;
    bool with_secrets = !list->is_question && passes_authorization(list->r);

    for (int i = 0; i < table->nelts; i++)
        if (entry[i].key && entry[i].val)
            add_header(list, entry[i].key, entry[i].val, with_secrets);
}

/* --- CGI variables -------------------------------------------------------------------- */

static const char *collapse_slashes(apr_pool_t *p, const char *path)
{
    if (!strstr(path, "//"))
        return path;
    char *copy = apr_pstrdup(p, path);
    ap_no2slash(copy);
    return copy;
}

static const char *script_name(request_rec *r)
{
    const char *uri = r->uri, *info = r->path_info ? r->path_info : "";
    size_t uri_len = strlen(uri), info_len = strlen(info);

    if (info_len <= uri_len && strcmp(uri + uri_len - info_len, info) == 0)
        uri = apr_pstrmemdup(r->pool, uri, uri_len - info_len);
    else
        uri = apr_pstrmemdup(r->pool, uri, (apr_size_t)ap_find_path_info(uri, info));
    size_t len = strlen(uri);
    while (*info && len && uri[len - 1] == '/')
        len--; /* "/app//x": the slashes before PATH_INFO are one, and PATH_INFO has it */
    return collapse_slashes(r->pool, apr_pstrmemdup(r->pool, uri, len));
}

const char *wgw_request_resource(request_rec *r)
{
    const wgw_alias_t *alias = wgw_alias_of(r);

    if (alias && alias->regex && !strchr(alias->target, '$'))
        return alias->location; /* one script: a client must not make it a group per URL */
    return script_name(r);
}

static void add_redirect(var_list_t *list)
{
    const request_rec *before = list->r->prev;

    if (!before)
        return;
    add(list, WGW_KEY_REDIRECT_URL, before->uri);
    add(list, WGW_KEY_REDIRECT_QUERY_STRING, before->args);
}

static void add_server(var_list_t *list)
{
    request_rec *r = list->r;
    conn_rec *c = r->connection;

    add(list, WGW_KEY_SERVER_SOFTWARE, ap_get_server_banner());
    add(list, WGW_KEY_SERVER_NAME, ap_get_server_name_for_url(r));
    add_number(list, WGW_KEY_SERVER_PORT, ap_get_server_port(r));
    add(list, WGW_KEY_SERVER_ADDR, c->local_ip);
    add(list, WGW_KEY_SERVER_ADMIN, r->server->server_admin);
    add(list, WGW_KEY_REMOTE_ADDR, r->useragent_ip);
    add_number(list, WGW_KEY_REMOTE_PORT, c->client_addr->port);
    add(list, WGW_KEY_DOCUMENT_ROOT, ap_document_root(r));
    add(list, WGW_KEY_CONTEXT_PREFIX, ap_context_prefix(r));
    add(list, WGW_KEY_CONTEXT_DOCUMENT_ROOT, ap_context_document_root(r));
    add(list, WGW_KEY_REMOTE_USER, r->user);
    add(list, WGW_KEY_AUTH_TYPE, r->ap_auth_type);
}

static const char *original_uri(const request_rec *r)
{
    while (r->prev)
        r = r->prev;
    return r->unparsed_uri;
}

static void add_cgi(var_list_t *list, const char *method, const char *filename,
                    int64_t content_length)
{
    request_rec *r = list->r;
    const char *script = script_name(r);
    const char *path_info = collapse_slashes(r->pool, r->path_info ? r->path_info : "");

    add(list, WGW_KEY_REQUEST_METHOD, method);
    add(list, WGW_KEY_SCRIPT_NAME, script);
    add(list, WGW_KEY_PATH_INFO, path_info);
    add(list, WGW_KEY_MW_SCRIPT_NAME, script);
    add(list, WGW_KEY_MW_PATH_INFO, path_info);
    add(list, WGW_KEY_QUERY_STRING, r->args ? r->args : "");
    add(list, WGW_KEY_REQUEST_URI, original_uri(r));
    add(list, WGW_KEY_SERVER_PROTOCOL, r->protocol);
    add(list, WGW_KEY_REQUEST_SCHEME, ap_http_scheme(r));
    add(list, WGW_KEY_SCRIPT_FILENAME, filename);
    if (apr_table_get(r->headers_in, "Content-Length") && content_length >= 0)
        add(list, WGW_KEY_CONTENT_LENGTH, apr_off_t_toa(r->pool, content_length));
}

/* --- what a trusted proxy says -------------------------------------------------------- */

static void add_span(var_list_t *list, wgw_key_t key, wgw_span_t span)
{
    if (span.data)
        add(list, key, apr_pstrmemdup(list->r->pool, span.data, span.len));
}

static void add_port(var_list_t *list, wgw_key_t key, unsigned port)
{
    if (port)
        add_number(list, key, port);
}

/* Comes last, as of several entries with one key the last one counts. */
static void add_forwarded(var_list_t *list)
{
    const wgw_forwarded_t *forwarded = list->forwarded;
    size_t len = 0;

    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++) {
        const char *name = wgw_proxy_field_name((wgw_proxy_field_t)field);
        if (forwarded->values[field]) {
            name = cgi_name(list->r->pool, name, &len);
            add_named(list, name, len, forwarded->values[field]);
        }
    }
    add(list, WGW_KEY_REMOTE_ADDR, *forwarded->client ? forwarded->client : NULL);
    add_port(list, WGW_KEY_REMOTE_PORT, forwarded->client_port);
    add_span(list, WGW_KEY_HTTP_HOST, forwarded->host);
    add_span(list, WGW_KEY_SERVER_NAME, forwarded->server);
    add_port(list, WGW_KEY_SERVER_PORT, forwarded->port);
    add_span(list, WGW_KEY_SCRIPT_NAME, forwarded->script);
    add_span(list, WGW_KEY_MOUNT_POINT, forwarded->script);
    add(list, WGW_KEY_URL_SCHEME, forwarded->scheme);
}

/* --- wsgi.* and mod_wsgi.* ------------------------------------------------------------ */

static const char *url_scheme(request_rec *r)
{
    const char *https = apr_table_get(r->subprocess_env, "HTTPS");

    if (https && (ap_cstr_casecmp(https, "on") == 0 || strcmp(https, "1") == 0))
        return "https";
    return ap_http_scheme(r);
}

/* The id that the error log shows as %L; made here if nothing was logged yet. */
static const char *request_id(request_rec *r)
{
    if (!r->log_id)
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    return r->log_id;
}

static const char *connection_id(conn_rec *c)
{
    if (!c->log_id)
        ap_run_generate_log_id(c, NULL, &c->log_id);
    return c->log_id;
}

static void add_wsgi(var_list_t *list, const wgw_target_t *target, const wgw_process_t *process)
{
    request_rec *r = list->r;
    conn_rec *c = r->connection;

    add(list, WGW_KEY_URL_SCHEME, url_scheme(r));
    add(list, WGW_KEY_PROCESS_GROUP, process->group);
    add(list, WGW_KEY_APPLICATION_GROUP, target->group);
    add(list, WGW_KEY_CALLABLE_OBJECT, target->callable);
    add(list, WGW_KEY_REQUEST_HANDLER, r->handler);
    add(list, WGW_KEY_HANDLER_SCRIPT, "");
    add(list, WGW_KEY_LISTENER_HOST, c->local_addr->hostname ? c->local_addr->hostname : "");
    add_number(list, WGW_KEY_LISTENER_PORT, c->local_addr->port);
    add(list, WGW_KEY_REQUEST_ID, request_id(r));
    add(list, WGW_KEY_CONNECTION_ID, connection_id(c->master ? c->master : c));
    add(list, WGW_KEY_SERVER_PID, process->pid);
}

/* --- target --------------------------------------------------------------------------- */

static const char *callable_of(request_rec *r, const wgw_alias_t *alias, const wgw_choice_t *choice)
{
    if (choice->callable)
        return choice->callable;
    const char *name = alias && alias->callable ? alias->callable
                                                : wgw_env_expand(r, wgw_dir_config(r)->callable);

    return name && *name ? name : "application";
}

const char *wgw_request_group(request_rec *r)
{
    const wgw_alias_t *alias = wgw_alias_of(r);

    return alias && alias->application_group ? alias->application_group
                                             : wgw_dir_config(r)->application_group;
}

static void set_target(request_rec *r, const wgw_choice_t *choice, wgw_target_t *target)
{
    const wgw_alias_t *alias = wgw_alias_of(r);
    const char *group = choice->application_group ? choice->application_group : wgw_request_group(r);

    if (alias && alias->kind == WGW_ALIAS_MODULE)
        target->module = alias->target;
    else
        target->script = r->filename;
    target->callable = callable_of(r, alias, choice);
    target->group = wgw_group_expand(r, group, wgw_request_resource(r));
    target->is_reloading = wgw_dir_config(r)->is_reloading;
    target->file = (wgw_file_id_t){ .dev = (uint64_t)r->finfo.device,
                                    .ino = (uint64_t)r->finfo.inode,
                                    .mtime_us = r->finfo.mtime, .size = r->finfo.size };
}

/* --- HEAD ----------------------------------------------------------------------------- */

static bool has_content_filter(const request_rec *r)
{
    for (const ap_filter_t *f = r->output_filters; f; f = f->next)
        if (f->frec->ftype < AP_FTYPE_PROTOCOL)
            return true;
    return false;
}

/* Whether the application sees GET instead of HEAD, so that filters see the body they
 * would see for GET (WSGIMapHEADToGET). */
static bool is_head_mapped(const request_rec *r)
{
    int maps = wgw_dir_config(r)->maps_head;

    if (maps == WGW_MAP_HEAD_ON || maps == WGW_MAP_HEAD_OFF)
        return maps == WGW_MAP_HEAD_ON;
    return has_content_filter(r);
}

/* --- all of it ------------------------------------------------------------------------ */

static var_list_t make_list(request_rec *r)
{
    var_list_t list = { .r = r, .forwarded = wgw_proxy_read(r) };

    list.size = (size_t)apr_table_elts(r->headers_in)->nelts +
                (size_t)apr_table_elts(r->subprocess_env)->nelts + 48;
    list.vars = apr_palloc(r->pool, list.size * sizeof *list.vars);
    return list;
}

static void take_list(wgw_request_t *request, const var_list_t *list, const wgw_process_t *process)
{
    request_rec *r = list->r;

    request->vars = list->vars;
    request->var_count = list->count;
    request->is_multithread = process->is_multithread;
    request->is_multiprocess = process->is_multiprocess;
    request->request_start = (double)r->request_time / APR_USEC_PER_SEC;
    request->deadline = wgw_deadline_in_us(r->server->timeout);
}

const wgw_request_t *wgw_request_create(request_rec *r, const wgw_process_t *process,
                                        const wgw_choice_t *choice, int64_t content_length)
{
    wgw_request_t *request = apr_pcalloc(r->pool, sizeof *request);
    bool is_head = r->header_only && r->method_number == M_GET;
    bool is_mapped = is_head && is_head_mapped(r);
    var_list_t list = make_list(r);

    set_target(r, choice, &request->target);
    add_environment(&list);
    add_redirect(&list);
    add_server(&list);
    add_headers(&list);
    add_cgi(&list, is_mapped ? "GET" : r->method, request->target.script, content_length);
    add_wsgi(&list, &request->target, process);
    if (list.forwarded)
        add_forwarded(&list);

    take_list(request, &list, process);
    request->is_bodiless = is_head && !is_mapped;
    request->content_length = content_length;
    return request;
}

wgw_request_t *wgw_request_ask(request_rec *r, const wgw_process_t *process,
                               const wgw_target_t *target, wgw_question_t question)
{
    wgw_request_t *request = apr_pcalloc(r->pool, sizeof *request);
    var_list_t list = make_list(r);

    list.is_question = true;
    request->target = *target;
    request->question = question;
    request->is_https = strcmp(ap_http_scheme(r), "https") == 0;
    if (question >= WGW_ASK_PROCESS_GROUP) /* before the handler SetEnv has not been carried out */
        add_environment(&list);
    add_redirect(&list);
    add_server(&list);
    add_headers(&list);
    add_cgi(&list, r->method, r->filename, -1);
    add_wsgi(&list, target, process);
    if (list.forwarded)
        add_forwarded(&list);
    take_list(request, &list, process);
    return request;
}
