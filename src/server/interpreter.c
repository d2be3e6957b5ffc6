#include "server/interpreter.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>

enum { LINK_LIMIT = 40 };

/* --- paths inside a chroot ------------------------------------------------------------ */

/* Follow what `path` itself is a link to, as the process will that has `root` as its root.
 * Returns: the path from outside. */
static const char *follow(apr_pool_t *p, const char *root, const char *path)
{
    char target[PATH_MAX];

    for (int i = 0; root && i < LINK_LIMIT; i++) {
        const char *outside = apr_pstrcat(p, root, path, NULL);
        ssize_t len = readlink(outside, target, sizeof target - 1);
        if (len < 0)
            return outside;
        target[len] = '\0';
        path = *target == '/' ? apr_pstrdup(p, target)
                              : apr_pstrcat(p, ap_make_dirstr_parent(p, path), target, NULL);
    }
    return root ? apr_pstrcat(p, root, path, NULL) : path;
}

const char *wgw_path_check(apr_pool_t *p, const char *root, const char *path, apr_filetype_e type)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, follow(p, root, path), APR_FINFO_TYPE, p);
    char reason[120];

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return apr_psprintf(p, "%s%s", apr_strerror(rv, reason, sizeof reason),
                            root ? " (inside chroot)" : "");
    if (info.filetype == type)
        return NULL;
    return type == APR_DIR ? "it is not a folder" : "it is not a regular file";
}

const char *wgw_interpreter_find(apr_pool_t *p, const char *root, const char *home,
                                 const char **wrong_out)
{
    const char *python3 = apr_pstrcat(p, home, "/bin/python3", NULL);
    const char *python = apr_pstrcat(p, home, "/bin/python", NULL);

    *wrong_out = wgw_path_check(p, root, home, APR_DIR);
    if (*wrong_out)
        return NULL;
    if (!wgw_path_check(p, root, python3, APR_REG))
        return python3;
    if (!wgw_path_check(p, root, python, APR_REG))
        return python;
    *wrong_out = apr_psprintf(p, "there is no interpreter in it, neither bin/python3 nor bin/python%s. "
                              "Make it with: python3.12 -m venv %s",
                              root ? " (inside chroot)" : "", home);
    return NULL;
}

/* --- pyvenv.cfg ----------------------------------------------------------------------- */

typedef struct {
    const char *version, *implementation; /* NULL when it does not say */
} venv_t;

/* "3.12.1.final.0" -> "3.12.1" */
static const char *short_version(apr_pool_t *p, const char *text)
{
    const char *at = text;

    for (int dots = 0; *at && (*at != '.' || ++dots < 3);)
        at++;
    return apr_pstrmemdup(p, text, (apr_size_t)(at - text));
}

/* "name = value" */
static void read_line(apr_pool_t *p, char *line, venv_t *venv)
{
    char *value = strchr(line, '=');

    if (!value)
        return;
    *value++ = '\0';
    apr_collapse_spaces(line, line);
    apr_collapse_spaces(value, value);
    if (strcmp(line, "version_info") == 0 || (strcmp(line, "version") == 0 && !venv->version))
        venv->version = short_version(p, value);
    else if (strcmp(line, "implementation") == 0)
        venv->implementation = apr_pstrdup(p, value);
}

/* The file belongs to whom the processes belong to: it may be anything, and is not trusted.
 * Returns: false when there is no file of this name. */
static bool read_venv(apr_pool_t *p, const char *path, venv_t *venv)
{
    char text[16 * 1024], *last = NULL;
    struct stat info;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t len = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? read(fd, text, sizeof text - 1) : 0;
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    for (char *line = apr_strtok(text, "\r\n", &last); line; line = apr_strtok(NULL, "\r\n", &last))
        read_line(p, line, venv);
    return true;
}

static bool is_too_old(const char *version)
{
    char *end;
    long major = strtol(version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

    return major < 3 || (major == 3 && minor < 11);
}

/* Python looks for the file beside itself and in the folder above. */
static const char *check_venv(apr_pool_t *p, const char *root, const char *python)
{
    venv_t venv = { NULL, NULL };
    const char *bin = ap_make_dirstr_parent(p, python);
    const char *home = apr_pstrmemdup(p, bin, strlen(bin) - 1);

    if (!read_venv(p, follow(p, root, apr_pstrcat(p, bin, "pyvenv.cfg", NULL)), &venv)) {
        home = ap_make_dirstr_parent(p, home);
        read_venv(p, follow(p, root, apr_pstrcat(p, home, "pyvenv.cfg", NULL)), &venv);
    }
    bool is_other = venv.implementation && strcmp(venv.implementation, "CPython") != 0;
    if (!is_other && (!venv.version || !is_too_old(venv.version)))
        return NULL;
    return apr_psprintf(p, "%spyvenv.cfg says that it was made by %s %s, and a daemon process needs "
                        "CPython 3.11 or newer. Make it anew with: python3.12 -m venv --clear %s",
                        home, is_other ? venv.implementation : "Python",
                        venv.version ? venv.version : "of unknown version", home);
}

const char *wgw_interpreter_check(apr_pool_t *p, const char *root, const char *python)
{
    const char *wrong = wgw_path_check(p, root, python, APR_REG);

    if (wrong)
        return wrong;
    if (access(follow(p, root, python), X_OK) != 0)
        return "it is not executable";
    return check_venv(p, root, python);
}
