/* The Python of a daemon process, looked at without running it: httpd's parent may be root. */
#ifndef WGW_SERVER_INTERPRETER_H
#define WGW_SERVER_INTERPRETER_H

#include <apr_file_info.h>
#include <apr_pools.h>

/* Each path is inside the folder `root`; NULL: not in a chroot. */

/* Returns: NULL; or why there is no file of this type. */
const char *wgw_path_check(apr_pool_t *p, const char *root, const char *path, apr_filetype_e type);

/* Find the interpreter of a virtual environment or prefix.
 * Returns: its path inside root; NULL, and *wrong_out says why. */
const char *wgw_interpreter_find(apr_pool_t *p, const char *root, const char *home,
                                 const char **wrong_out);

/* Check that `python` is there and, where it belongs to a virtual environment, that this was made
 * by CPython 3.11 or newer. Returns: NULL; or what is wrong, and what to do. */
const char *wgw_interpreter_check(apr_pool_t *p, const char *root, const char *python);

#endif
