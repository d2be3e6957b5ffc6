/* Words of a directive, and the nearest of several names to one that is not known. */
#ifndef WGW_SERVER_WORDS_H
#define WGW_SERVER_WORDS_H

#include <stddef.h>

#include <apr_pools.h>
#include <apr_tables.h>

/* Take the next `name=value` from *args; the value, or the whole of it, may stand in quotes.
 * Returns: the name, *value_out NULL where there is no '='; NULL at the end. */
const char *wgw_words_option(apr_pool_t *p, const char **args, const char **value_out);

/* Find the name in `names` (of const char *) that needs the fewest changes to be `word`.
 * Returns: NULL when none is near. */
const char *wgw_words_nearest(apr_pool_t *p, const char *word, const apr_array_header_t *names);

#endif
