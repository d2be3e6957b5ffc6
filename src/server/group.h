/* Application groups: tokens, and which group gets the main interpreter. */
#ifndef WGW_SERVER_GROUP_H
#define WGW_SERVER_GROUP_H

#include <stdbool.h>

#include <httpd.h>

/* Tell whether `text` is %{ENV:variable}. */
bool wgw_is_env_token(const char *text);

/* Check the text of a group. Returns: NULL; or what is wrong and what is allowed. */
const char *wgw_group_check(apr_pool_t *p, const char *text);

/* Expand the text of a group for a request; `script_name` as in environ.
 * Returns: "" for the main interpreter. */
const char *wgw_group_expand(request_rec *r, const char *text, const char *script_name);

/* Expand %{ENV:variable}; other text stays. Returns: NULL when the variable is not set. */
const char *wgw_env_expand(request_rec *r, const char *text);

/* Find the group that the main interpreter serves beside "" (DESIGN section 8): the only one
 * that the configuration can yield, if there is just one.
 * Returns: its name; NULL when there are several, none, or %{GLOBAL} among them. */
const char *wgw_group_find_main(apr_pool_t *p, server_rec *main_server);

#endif
