/* How the text of an option is read. Every message says what is wrong and what is allowed. */
#include <stdlib.h>

#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <stdbool.h>
#include <stdlib.h>

#include <httpd.h>
#include <http_config.h>

#include "exchange/forwarded.h"
#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"
#include "server/options.h"
#include "server/words.h"

static const char *refuse(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                          const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: '%s' is not allowed; allowed is %s", option->name, text,
                        allowed);
}

static const char *parse_flag(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field)
{
    int *flag = field;

    if (ap_cstr_casecmp(text, "on") != 0 && ap_cstr_casecmp(text, "off") != 0)
        return refuse(cmd, option, text, "On or Off");
    *flag = ap_cstr_casecmp(text, "on") == 0;
    return NULL;
}

static const char *parse_number(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                void *field)
{
    char *end;
    apr_int64_t number = apr_strtoi64(text, &end, 10);

    if (!*text || *end || number < option->least || number > option->most)
        return refuse(cmd, option, text,
                      apr_psprintf(cmd->pool, "a whole number from %d to %d", option->least,
                                   option->most));
    *(int *)field = (int)number;
    return NULL;
}

/* Seconds, into microseconds. */
static const char *parse_interval(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                  void *field)
{
    char *end;
    double microseconds = strtod(text, &end) * 1e6 + 0.5;
    bool is_number = *text && text[strspn(text, "0123456789.")] == '\0' && !*end;

    if (!is_number || microseconds < option->least || microseconds >= option->most + 1.0)
        return refuse(cmd, option, text,
                      apr_psprintf(cmd->pool, "a number of seconds from %.6f to %d, such as 0.005",
                                   option->least / 1e6, option->most / 1000000));
    *(int *)field = (int)microseconds;
    return NULL;
}

static const char *parse_callable(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                  void *field)
{
    if (!wgw_is_env_token(text) && !wgw_is_dotted_name(text))
        return refuse(cmd, option, text, "a Python name, such as application, or %{ENV:variable}");
    *(const char **)field = text;
    return NULL;
}

static const char *parse_group(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                               void *field)
{
    const char *wrong = wgw_group_check(cmd->pool, text);

    *(const char **)field = text;
    if (cmd->path) /* of a directory or location, which only a request can find */
        APR_ARRAY_PUSH(wgw_server_config(cmd->server)->dir_groups, const char *) = text;
    return wrong ? apr_pstrcat(cmd->pool, option->name, ": ", wrong, NULL) : NULL;
}

static const char *parse_map_head(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                  void *field)
{
    int *value = field;

    if (ap_cstr_casecmp(text, "auto") == 0) {
        *value = WGW_MAP_HEAD_AUTO;
        return NULL;
    }
    return parse_flag(cmd, option, text, field) ? refuse(cmd, option, text, "On, Off or Auto")
                                                : NULL;
}

/* Returns: NULL; or why there is no file of this type. */
static const char *check_path(cmd_parms *cmd, const char *path, apr_filetype_e type)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE, cmd->temp_pool);
    char reason[120];

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return apr_pstrdup(cmd->pool, apr_strerror(rv, reason, sizeof reason));
    if (info.filetype == type)
        return NULL;
    return type == APR_DIR ? "it is not a folder" : "it is not a regular file";
}

static const char *parse_path(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field, apr_filetype_e type)
{
    const char *path = ap_server_root_relative(cmd->pool, text);
    const char *wrong = path ? check_path(cmd, path, type) : "it is not a valid path";

    *(const char **)field = path;
    return wrong ? apr_psprintf(cmd->pool, "%s: '%s' cannot be used: %s", option->name, text, wrong)
                 : NULL;
}

/* An environment of the Python that embedded mode runs. */
static const char *parse_home(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field)
{
    const char *wrong = parse_path(cmd, option, text, field, APR_DIR);
    const char *home = *(const char **)field;

    if (wrong)
        return wrong;
    const char *library = apr_psprintf(cmd->pool, "%s/lib/python%s", home, WGW_PYTHON_VERSION);
    if (!check_path(cmd, library, APR_DIR))
        return NULL;
    return apr_psprintf(cmd->pool, "%s: '%s' cannot be used: there is no %s: it does not belong to "
                        "Python %s, which embedded mode runs here. Make it with: %s -m venv %s",
                        option->name, text, library, WGW_PYTHON_VERSION, WGW_PYTHON_EXECUTABLE,
                        home);
}

static const char *parse_file(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field)
{
    return parse_path(cmd, option, text, field, APR_REG);
}

static const char *parse_folder(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                void *field)
{
    return parse_path(cmd, option, text, field, APR_DIR);
}

static const char *parse_folders(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                 void *field)
{
    char *rest = apr_pstrdup(cmd->pool, text), *last = NULL;
    const char **path = field, *folder, *wrong = NULL;

    *path = NULL;
    for (char *word = apr_strtok(rest, ":", &last); word && !wrong;
         word = apr_strtok(NULL, ":", &last)) {
        wrong = parse_path(cmd, option, word, &folder, APR_DIR);
        *path = *path ? apr_pstrcat(cmd->pool, *path, ":", folder, NULL) : folder;
    }
    return wrong;
}

static const char *parse_seed(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field)
{
    char *end;
    apr_int64_t seed = apr_strtoi64(text, &end, 10);

    if (strcmp(text, "random") != 0 &&
        (!apr_isdigit(*text) || *end || seed < 0 || seed > APR_INT64_C(4294967295)))
        return refuse(cmd, option, text, "random, or a whole number from 0 to 4294967295");
    *(const char **)field = text;
    return NULL;
}

static const char *parse_list(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                              void *field)
{
    apr_array_header_t **list = field;

    (void)option;
    if (!*list)
        *list = apr_array_make(cmd->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = text;
    return NULL;
}

/* --- process groups ------------------------------------------------------------------- */

static const char *parse_process(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                 void *field)
{
    const char *wrong = wgw_group_check(cmd->pool, text);

    *(const char **)field = text;
    if (cmd->directive) /* not a default */
        wgw_group_note_use(cmd, text);
    return wrong ? apr_pstrcat(cmd->pool, option->name, ": ", wrong, NULL) : NULL;
}

/* One of several words. */
static const char *parse_processes(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                   void *field)
{
    const char *wrong = wgw_group_check(cmd->pool, text), **list = field;

    if (wrong || ap_strchr_c(text, ' '))
        return apr_pstrcat(cmd->pool, option->name, ": ", wrong ? wrong : "a name has no spaces", NULL);
    *list = *list ? apr_pstrcat(cmd->pool, *list, " ", text, NULL) : text;
    return NULL;
}

/* Returns: NULL; or why sockets cannot begin with this path. */
static const char *check_prefix(cmd_parms *cmd, const char *path)
{
    enum { MOST = 70 }; /* what is added to it has to fit into sun_path as well */

    if (!path)
        return "it is not a valid path";
    if (strlen(path) > MOST)
        return "it is longer than 70 bytes, and a socket's path is limited";
    return check_path(cmd, ap_make_dirstr_parent(cmd->pool, path), APR_DIR);
}

/* Relative to the runtime folder; where it has no such folder, to ServerRoot ("run/wsgi" stands in
 * many configurations). */
static const char *parse_prefix(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                void *field)
{
    const char *path = ap_runtime_dir_relative(cmd->pool, text);
    const char *other = ap_server_root_relative(cmd->pool, text);
    const char *wrong = check_prefix(cmd, path);

    *(const char **)field = path;
    if (wrong && !check_prefix(cmd, other)) {
        *(const char **)field = other;
        return NULL;
    }
    return wrong ? apr_psprintf(cmd->pool, "%s: '%s' cannot be used: %s", option->name, text, wrong)
                 : NULL;
}

static const char *parse_mutex(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                               void *field)
{
    static const char *const NAMES[] = { "default", "flock", "fcntl", "sysvsem", "posixsem",
                                         "pthread" };

    *(const char **)field = text;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (ap_cstr_casecmp(text, NAMES[i]) == 0)
            return NULL;
    return refuse(cmd, option, text, "default, flock, fcntl, sysvsem, posixsem or pthread");
}

/* --- telemetry of mod_wsgi ------------------------------------------------------------ */

/* Whether it is a decimal number, with a fraction or without, and not below `least`. */
static bool is_seconds(const char *text, double least)
{
    size_t len = strspn(text, "0123456789.");
    char *end;
    double seconds = strtod(text, &end);

    return len > 0 && text[len] == '\0' && *end == '\0' && seconds >= least;
}

static const char *parse_seconds(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                 void *field)
{
    *(const char **)field = text;
    return is_seconds(text, 0) ? NULL : refuse(cmd, option, text, "a number of seconds, as 2 or 0.5");
}

/* "unix:/path", and "interval=SECONDS" after it. */
static const char *parse_telemetry(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                   void *field)
{
    const char **service = field;

    if (strncmp(text, "unix:/", 6) == 0) {
        *service = text;
        return NULL;
    }
    if (*service && strncmp(text, "interval=", 9) == 0 && is_seconds(text + 9, 0.5))
        return NULL;
    return refuse(cmd, option, text, "unix:/path, and interval=SECONDS of 0.5 or more after it");
}

static const char *parse_telemetry_flag(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                        void *field)
{
    static const char *const FLAGS[] = { "All", "None", "CaptureUserAgent", "+CaptureUserAgent",
                                         "-CaptureUserAgent" };

    *(const char **)field = text;
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (ap_cstr_casecmp(text, FLAGS[i]) == 0)
            return NULL;
    return refuse(cmd, option, text, "All, None, +CaptureUserAgent or -CaptureUserAgent");
}

/* --- proxies in front ----------------------------------------------------------------- */

/* The server that a directive of the configuration belongs to; NULL for .htaccess, which is read for
 * one request. */
static wgw_server_config_t *server_to_note(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) ? NULL : wgw_server_config(cmd->server);
}

static void *push(cmd_parms *cmd, apr_array_header_t **array, int size)
{
    if (!*array)
        *array = apr_array_make(cmd->pool, 4, size);
    return apr_array_push(*array);
}

static const char *parse_network(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                 void *field)
{
    wgw_server_config_t *server = server_to_note(cmd);
    wgw_network_t network;

    if (!wgw_network_read(text, &network))
        return refuse(cmd, option, text, "an IP address, a network as 192.0.2.0/24 or 2001:db8::/32, "
                      "or * for everybody; names are not looked up");
    *(wgw_network_t *)push(cmd, field, sizeof network) = network;
    if (server)
        server->names_proxies = true;
    return NULL;
}

static const char *refuse_proxy_field(cmd_parms *cmd, const wgw_option_t *option, const char *text)
{
    apr_array_header_t *names = apr_array_make(cmd->temp_pool, WGW_PROXY_FIELD_COUNT, sizeof text);

    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++)
        APR_ARRAY_PUSH(names, const char *) = wgw_proxy_field_name((wgw_proxy_field_t)field);
    const char *nearest = wgw_words_nearest(cmd->temp_pool, text, names);
    return apr_pstrcat(cmd->pool, refuse(cmd, option, text, apr_array_pstrcat(cmd->pool, names, ' ')),
                       nearest ? ". Is it " : NULL, nearest, nearest ? "?" : NULL, NULL);
}

static const char *parse_proxy_field(cmd_parms *cmd, const wgw_option_t *option, const char *text,
                                     void *field)
{
    wgw_server_config_t *server = server_to_note(cmd);
    wgw_proxy_field_t found = wgw_proxy_field_find(text);

    if (found == WGW_PROXY_FIELD_COUNT)
        return refuse_proxy_field(cmd, option, text);
    *(wgw_proxy_field_t *)push(cmd, field, sizeof found) = found;
    if (server && !server->proxy_fields_file) {
        server->proxy_fields_file = cmd->directive->filename;
        server->proxy_fields_line = cmd->directive->line_num;
    }
    return NULL;
}

const wgw_option_kind_t wgw_option_FLAG = { .parse = parse_flag, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_NUMBER = { .parse = parse_number, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_INTERVAL = { .parse = parse_interval, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_MAP_HEAD = { .parse = parse_map_head, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_CALLABLE = { .parse = parse_callable, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_GROUP = { .parse = parse_group, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_HOME = { .parse = parse_home, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_FOLDER = { .parse = parse_folder, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_SECONDS = { .parse = parse_seconds, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_TELEMETRY = { .parse = parse_telemetry, .store = WGW_STORE_TEXT,
                                                 .is_list = true };
const wgw_option_kind_t wgw_option_TELEMETRY_FLAGS = { .parse = parse_telemetry_flag,
                                                       .store = WGW_STORE_TEXT, .is_list = true };
const wgw_option_kind_t wgw_option_FOLDERS = { .parse = parse_folders, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_FILE = { .parse = parse_file, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_SEED = { .parse = parse_seed, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_LIST = { .parse = parse_list, .store = WGW_STORE_ARRAY };
const wgw_option_kind_t wgw_option_PROCESS = { .parse = parse_process, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_PROCESSES = { .parse = parse_processes, .store = WGW_STORE_TEXT,
                                                 .is_list = true };
const wgw_option_kind_t wgw_option_PREFIX = { .parse = parse_prefix, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_MUTEX = { .parse = parse_mutex, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_NETWORKS = { .parse = parse_network, .store = WGW_STORE_SET,
                                                .is_list = true };
const wgw_option_kind_t wgw_option_PROXY_FIELDS = { .parse = parse_proxy_field,
                                                    .store = WGW_STORE_SET, .is_list = true };
