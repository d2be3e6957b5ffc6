/* How the text of an option is read. Every message says what is wrong and what is allowed. */
#include <stdlib.h>

#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"
#include "server/options.h"

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

const wgw_option_kind_t wgw_option_FLAG = { .parse = parse_flag, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_NUMBER = { .parse = parse_number, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_INTERVAL = { .parse = parse_interval, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_MAP_HEAD = { .parse = parse_map_head, .store = WGW_STORE_INT };
const wgw_option_kind_t wgw_option_CALLABLE = { .parse = parse_callable, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_GROUP = { .parse = parse_group, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_HOME = { .parse = parse_home, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_FOLDERS = { .parse = parse_folders, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_FILE = { .parse = parse_file, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_SEED = { .parse = parse_seed, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_LIST = { .parse = parse_list, .store = WGW_STORE_ARRAY };
const wgw_option_kind_t wgw_option_PROCESS = { .parse = parse_process, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_PROCESSES = { .parse = parse_processes, .store = WGW_STORE_TEXT,
                                                 .is_list = true };
const wgw_option_kind_t wgw_option_PREFIX = { .parse = parse_prefix, .store = WGW_STORE_TEXT };
const wgw_option_kind_t wgw_option_MUTEX = { .parse = parse_mutex, .store = WGW_STORE_TEXT };
