#include "server/words.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>

const char *wgw_words_option(apr_pool_t *p, const char **args, const char **value_out)
{
    const char *at = *args;

    *value_out = NULL;
    while (apr_isspace(*at))
        at++;
    if (!*at)
        return NULL;
    size_t len = strcspn(at, "= \t\"'");
    if (at[len] == '=') { /* name="a value" */
        const char *name = apr_pstrmemdup(p, at, len);
        at += len + 1;
        *value_out = *at && !apr_isspace(*at) ? ap_getword_conf(p, &at) : "";
        *args = at;
        return name;
    }
    char *word = ap_getword_conf(p, &at); /* "name=a value", or no '=' */
    char *equals = strchr(word, '=');
    *args = at;
    if (equals) {
        *equals = '\0';
        *value_out = equals + 1;
    }
    return word;
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, row by row. */
static size_t distance(apr_pool_t *p, const char *a, const char *b)
{
    size_t width = strlen(b), *row = apr_palloc(p, (width + 1) * sizeof *row);

    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t up = 0; *a; a++, up++) {
        size_t diagonal = row[0];
        row[0] = up + 1;
        for (size_t i = 1; i <= width; i++) {
            size_t changed = diagonal + (*a != b[i - 1]);
            diagonal = row[i];
            row[i] = least_of(changed, least_of(row[i], row[i - 1]) + 1);
        }
    }
    return row[width];
}

const char *wgw_words_nearest(apr_pool_t *p, const char *word, const apr_array_header_t *names)
{
    const char *nearest = NULL;
    size_t least = 2 + strlen(word) / 3;

    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        size_t changes = distance(p, word, name);
        if (changes <= least && changes < strlen(name)) {
            nearest = name;
            least = changes - (changes > 0);
        }
    }
    return nearest;
}
