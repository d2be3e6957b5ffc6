/* Process and application groups: tokens, and which group gets the main interpreter. */
#ifndef WGW_SERVER_GROUP_H
#define WGW_SERVER_GROUP_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/pool.h"

/* Tell whether `text` is %{ENV:variable}. */
bool wgw_is_env_token(const char *text);

/* Check the text of a group. Returns: NULL; or what is wrong and what is allowed. */
const char *wgw_group_check(apr_pool_t *p, const char *text);

/* Expand the text of a group for a request; `script_name` as in environ.
 * Returns: "" for the main interpreter. */
const char *wgw_group_expand(request_rec *r, const char *text, const char *script_name);

/* Expand %{ENV:variable}; other text stays. Returns: NULL when the variable is not set. */
const char *wgw_env_expand(request_rec *r, const char *text);

/* Tell whether `text` begins as a token does. */
bool wgw_is_token(const char *text);

/* Note for later that a directive names a process group. Context: parsing. */
void wgw_group_note_use(cmd_parms *cmd, const char *text);

/* Tell whether an alias of server `s` may have its requests served by the processes of `pool`;
 * NULL: in embedded mode. Context: after virtual hosts were merged. */
bool wgw_group_may_run(server_rec *main_server, const server_rec *s, const wgw_alias_t *alias,
                       const wgw_pool_t *pool);

/* Tell whether an import script is for the processes of `pool`; NULL: for httpd's children. */
bool wgw_group_imports(const wgw_import_t *import, const wgw_pool_t *pool);

/* Find the application group that the main interpreter of a process of `pool` (NULL: of an httpd
 * child) serves beside "" (DESIGN section 8): the only one that the configuration can yield there,
 * if there is just one. Context: post_config.
 * Returns: its name; NULL when there are several, none, or %{GLOBAL} among them. */
const char *wgw_group_find_main(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool);

#endif
