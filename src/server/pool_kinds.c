/* How the text of an option of WSGIDaemonProcess is read. Every message says what is wrong
 * and what is allowed. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "server/pool_options.h"

static const char *refuse(cmd_parms *cmd, const wgw_pool_option_t *option, const char *text,
                          const char *allowed)
{
    return apr_psprintf(cmd->pool, "WSGIDaemonProcess: %s '%s' is not allowed; allowed is %s",
                        option->name, text, allowed);
}

bool wgw_is_root(void)
{
    return geteuid() == 0;
}

/* --- numbers, times, sizes ------------------------------------------------------------ */

typedef struct {
    const char *name;
    int64_t size;
} unit_t;

static const unit_t PLAIN[] = { { "", 1 }, { NULL, 0 } };
static const unit_t TIMES[] = { { "", 1000000 }, { "ms", 1000 }, { "s", 1000000 },
                                { "min", 60 * 1000000LL }, { "h", 3600 * 1000000LL }, { NULL, 0 } };
static const unit_t SIZES[] = { { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
                                { NULL, 0 } };

/* Read a whole number and its unit. Returns: false when it is none, or too large. */
static bool read_quantity(const char *text, const unit_t *units, int64_t *value_out)
{
    const char *digits = text + (units == PLAIN && *text == '-');
    char *end;

    if (!apr_isdigit(*digits))
        return false;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    while (units->name && strcmp(units->name, end) != 0)
        units++;
    if (errno || !units->name || number > INT64_MAX / units->size)
        return false;
    *value_out = number * units->size;
    return true;
}

static const char *parse_quantity(cmd_parms *cmd, const wgw_pool_option_t *option,
                                  const char *text, const unit_t *units, const char *what,
                                  int64_t *value_out)
{
    int64_t least = 0, most = 0;
    bool has_zero = units != PLAIN, is_number = read_quantity(text, units, value_out);

    read_quantity(option->least, units, &least);
    read_quantity(option->most, units, &most);
    if (is_number && *value_out >= least && *value_out <= most)
        return NULL;
    if (is_number && has_zero && *value_out == 0) {
        read_quantity(option->preset, units, value_out);
        return NULL;
    }
    return refuse(cmd, option, text,
                  apr_psprintf(cmd->pool, "%s%s from %s to %s%s",
                               has_zero && least > 0 ? "0, or " : "",
                               units == PLAIN ? "a whole number" : units == TIMES ? "a time"
                                                                                  : "a size",
                               option->least, option->most, what));
}

static const char *parse_number(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                                const char *text, void *field)
{
    int64_t number = 0;
    const char *wrong = parse_quantity(cmd, option, text, PLAIN, "", &number);

    (void)pool;
    *(int *)field = (int)number;
    return wrong;
}

/* Read "A<mark>B", or "A". Returns: false when it is neither; *second_out -1: there is no B. */
static bool read_pair(apr_pool_t *p, const char *text, char mark, int64_t *first_out,
                      int64_t *second_out)
{
    const char *at = strchr(text, mark);
    const char *first = at ? apr_pstrmemdup(p, text, (apr_size_t)(at - text)) : text;

    *second_out = -1;
    return read_quantity(first, PLAIN, first_out) && *first_out >= 0 &&
           (!at || (read_quantity(at + 1, PLAIN, second_out) && *second_out >= 0));
}

static int64_t most_of(const wgw_pool_option_t *option)
{
    return apr_strtoi64(option->most, NULL, 10);
}

static const char *parse_processes(cmd_parms *cmd, const wgw_pool_option_t *option,
                                   wgw_pool_t *pool, const char *text, void *field)
{
    int64_t least, most;
    bool is_right = read_pair(cmd->temp_pool, text, '-', &least, &most);
    bool is_fixed = is_right && most < 0;

    if (is_fixed)
        most = least;
    if (!is_right || least < 1 || most < least || most > most_of(option))
        return refuse(cmd, option, text, "a whole number from 1 to 1000, or two of them, the least and "
                      "the most, as in 1-4");
    pool->process_least = is_fixed ? 0 : (int)least;
    *(int *)field = (int)most;
    return NULL;
}

static const char *parse_requests(cmd_parms *cmd, const wgw_pool_option_t *option,
                                  wgw_pool_t *pool, const char *text, void *field)
{
    int64_t number, jitter;

    if (!read_pair(cmd->temp_pool, text, ',', &number, &jitter) || number > most_of(option) ||
        jitter > most_of(option))
        return refuse(cmd, option, text, "a whole number from 0 to 1000000000, or two of them with a "
                      "comma between, as in 1000,100");
    pool->maximum_jitter = jitter > 0 ? (int)jitter : 0;
    *(int *)field = (int)number;
    return NULL;
}

static const char *parse_time(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    (void)pool;
    return parse_quantity(cmd, option, text, TIMES,
                          ": a whole number of seconds, or with the unit ms, s, min or h", field);
}

/* A float of seconds, as mod_wsgi takes it. */
static const char *parse_interval(cmd_parms *cmd, const wgw_pool_option_t *option,
                                  wgw_pool_t *pool, const char *text, void *field)
{
    char *end;
    double seconds = strtod(text, &end);
    bool is_number = *text && text[strspn(text, "0123456789.")] == '\0' && !*end;

    (void)pool;
    *(int64_t *)field = is_number && seconds <= strtod(option->most, NULL)
                            ? (int64_t)(seconds * 1e6 + 0.5) : 0;
    return *(int64_t *)field ? NULL
                             : refuse(cmd, option, text,
                                      apr_psprintf(cmd->pool, "a number of seconds from %s to %s, "
                                                   "such as 0.005", option->least, option->most));
}

static const char *parse_size(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    (void)pool;
    return parse_quantity(cmd, option, text, SIZES,
                          ": a whole number of bytes, or with the unit K, M or G", field);
}

static const char *parse_mode(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    char *end;
    long mode = strtol(text, &end, 8);

    (void)pool;
    if (!apr_isdigit(*text) || *end || mode < 0 || mode > 0777)
        return refuse(cmd, option, text, "an octal number from 0 to 0777, such as 0027");
    *(int *)field = (int)mode;
    return NULL;
}

static const char *parse_flag(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    bool *flag = field;

    (void)pool;
    *flag = ap_cstr_casecmp(text, "on") == 0;
    return *flag || ap_cstr_casecmp(text, "off") == 0 ? NULL
                                                      : refuse(cmd, option, text, "on or off");
}

static const char *parse_graceful(cmd_parms *cmd, const wgw_pool_option_t *option,
                                  wgw_pool_t *pool, const char *text, void *field)
{
    (void)pool;
    *(bool *)field = ap_cstr_casecmp(text, "keep") == 0;
    return *(bool *)field || ap_cstr_casecmp(text, "reload") == 0
        ? NULL : refuse(cmd, option, text, "reload or keep");
}

/* The field says the opposite of the option. */
static const char *parse_not_flag(cmd_parms *cmd, const wgw_pool_option_t *option,
                                  wgw_pool_t *pool, const char *text, void *field)
{
    const char *wrong = parse_flag(cmd, option, pool, text, field);

    *(bool *)field = !*(bool *)field;
    return wrong;
}

/* --- users and groups ----------------------------------------------------------------- */

/* "#123". Returns: false when it is not that. */
static bool read_id(const char *text, uint32_t *id_out)
{
    char *end = "";
    unsigned long long id = *text == '#' && apr_isdigit(text[1]) ? strtoull(text + 1, &end, 10)
                                                                 : UINT64_MAX;

    if (id >= UINT32_MAX || *end)
        return false;
    *id_out = (uint32_t)id;
    return true;
}

static const char *parse_owner(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                               const char *text, void *field)
{
    const struct passwd *user = getpwnam(text);
    uint32_t id;

    (void)pool;
    if (user)
        id = user->pw_uid;
    else if (!read_id(text, &id))
        return refuse(cmd, option, text, "a user that exists, or # and a number");
    *(uid_t *)field = id;
    return NULL;
}

static const char *parse_owner_group(cmd_parms *cmd, const wgw_pool_option_t *option,
                                     wgw_pool_t *pool, const char *text, void *field)
{
    const struct group *group = getgrnam(text);
    uint32_t id;

    (void)pool;
    if (group)
        id = group->gr_gid;
    else if (!read_id(text, &id))
        return refuse(cmd, option, text, "a group that exists, or # and a number");
    *(gid_t *)field = id;
    return NULL;
}

static const char *parse_user(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    const char *wrong = parse_owner(cmd, option, pool, text, field);

    if (!wrong && wgw_is_root() && *(uid_t *)field == 0)
        return refuse(cmd, option, text, "any user but root: applications do not run as root");
    return wrong;
}

static const char *parse_group(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                               const char *text, void *field)
{
    const char *wrong = parse_owner_group(cmd, option, pool, text, field);

    if (!wrong && wgw_is_root() && *(gid_t *)field == 0)
        return refuse(cmd, option, text, "any group but root's");
    return wrong;
}

static const char *parse_groups(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                                const char *text, void *field)
{
    apr_array_header_t *groups = apr_array_make(cmd->pool, 4, sizeof(uint32_t));
    char *last = NULL;
    const char *wrong = *text ? NULL : refuse(cmd, option, text, "groups, with ',' between them");
    gid_t gid = 0;

    for (char *word = apr_strtok(apr_pstrdup(cmd->pool, text), ",", &last); word && !wrong;
         word = apr_strtok(NULL, ",", &last)) {
        wrong = parse_group(cmd, option, pool, word, &gid);
        APR_ARRAY_PUSH(groups, uint32_t) = gid;
    }
    *(const apr_array_header_t **)field = groups;
    return wrong;
}

/* --- texts ---------------------------------------------------------------------------- */

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (apr_iscntrl(*text))
            return false;
    return true;
}

static const char *parse_text(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    (void)pool;
    *(const char **)field = text;
    return *text && is_printable(text) ? NULL
                                       : refuse(cmd, option, text, "text without control characters");
}

static const char *parse_display(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                                 const char *text, void *field)
{
    if (strcmp(text, "%{GROUP}") == 0)
        text = apr_psprintf(cmd->pool, "(wsgi:%s)", pool->name);
    if (strstr(text, "%{"))
        return refuse(cmd, option, text, "text, or %{GROUP} alone, which stands for (wsgi:NAME)");
    return parse_text(cmd, option, pool, text, field);
}

static bool is_variable(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!apr_isalpha(name[i]) && name[i] != '_' && (i == 0 || !apr_isdigit(name[i])))
            return false;
    return len > 0;
}

static const char *parse_names(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                               const char *text, void *field)
{
    apr_array_header_t *names = apr_array_make(cmd->pool, 4, sizeof(const char *));
    const char *at = text;

    (void)pool;
    for (;; at++) {
        size_t len = strcspn(at, ",");
        if (!is_variable(at, len))
            return refuse(cmd, option, text, "names of environment variables, with ',' between them");
        APR_ARRAY_PUSH(names, const char *) = apr_pstrmemdup(cmd->pool, at, len);
        at += len;
        if (!*at)
            break;
    }
    *(const apr_array_header_t **)field = names;
    return NULL;
}

static const char *parse_env(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                             const char *text, void *field)
{
    const char *equals = strchr(text, '=');
    apr_array_header_t **list = field;

    (void)pool;
    if (!equals || !is_variable(text, (size_t)(equals - text)))
        return refuse(cmd, option, text, "NAME=value");
    if (!*list)
        *list = apr_array_make(cmd->pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = text;
    return NULL;
}

/* --- paths ---------------------------------------------------------------------------- */

static const char *parse_path(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                              const char *text, void *field)
{
    if (*text != '/')
        return refuse(cmd, option, text, "an absolute path");
    return parse_text(cmd, option, pool, text, field);
}

static const char *parse_folders(cmd_parms *cmd, const wgw_pool_option_t *option, wgw_pool_t *pool,
                                 const char *text, void *field)
{
    char *last = NULL, *folder = apr_strtok(apr_pstrdup(cmd->pool, text), ":", &last);

    do {
        if (!folder || *folder != '/')
            return refuse(cmd, option, text, "absolute paths, with ':' between them");
        folder = apr_strtok(NULL, ":", &last);
    } while (folder);
    return parse_text(cmd, option, pool, text, field);
}

const wgw_pool_kind_t wgw_pool_NUMBER = { .parse = parse_number };
const wgw_pool_kind_t wgw_pool_PROCESSES = { .parse = parse_processes };
const wgw_pool_kind_t wgw_pool_REQUESTS = { .parse = parse_requests };
const wgw_pool_kind_t wgw_pool_GRACEFUL = { .parse = parse_graceful };
const wgw_pool_kind_t wgw_pool_MODE = { .parse = parse_mode };
const wgw_pool_kind_t wgw_pool_TIME = { .parse = parse_time };
const wgw_pool_kind_t wgw_pool_INTERVAL = { .parse = parse_interval };
const wgw_pool_kind_t wgw_pool_SIZE = { .parse = parse_size };
const wgw_pool_kind_t wgw_pool_FLAG = { .parse = parse_flag };
const wgw_pool_kind_t wgw_pool_NOT_FLAG = { .parse = parse_not_flag };
const wgw_pool_kind_t wgw_pool_USER = { .parse = parse_user };
const wgw_pool_kind_t wgw_pool_OWNER = { .parse = parse_owner };
const wgw_pool_kind_t wgw_pool_GROUP = { .parse = parse_group };
const wgw_pool_kind_t wgw_pool_OWNER_GROUP = { .parse = parse_owner_group };
const wgw_pool_kind_t wgw_pool_GROUPS = { .parse = parse_groups };
const wgw_pool_kind_t wgw_pool_NAMES = { .parse = parse_names };
const wgw_pool_kind_t wgw_pool_ENV = { .parse = parse_env, .is_repeatable = true };
const wgw_pool_kind_t wgw_pool_TEXT = { .parse = parse_text };
const wgw_pool_kind_t wgw_pool_DISPLAY = { .parse = parse_display };
const wgw_pool_kind_t wgw_pool_FILE = { .parse = parse_path };
const wgw_pool_kind_t wgw_pool_FOLDER = { .parse = parse_path };
const wgw_pool_kind_t wgw_pool_FOLDERS = { .parse = parse_folders };
const wgw_pool_kind_t wgw_pool_PATH = { .parse = parse_path };
