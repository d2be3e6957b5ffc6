/* Prints docs/directives.md from the option table, so that the manual cannot differ from
 * what httpd accepts. */
#include <stdio.h>

#include "server/option_table.h"

static void row(const char *directive, const char *kind, const char *contexts, int least, int most,
                const char *preset, const char *help)
{
    printf("### %s\n%s\n\n", directive, help);
    printf("- contexts: %s\n- value: %s", contexts, kind);
    if (least || most)
        printf(", %d to %d", least, most);
    printf("\n- default: %s\n\n", *preset ? preset : "none");
}

#define FLAG "On or Off"
#define NUMBER "a whole number"
#define CALLABLE "a Python name, or %{ENV:variable}"
#define GROUP "a name or a token"
#define MAP_HEAD "On, Off or Auto"
#define HOME "a folder, which must exist and belong to that Python"
#define FOLDERS "folders, which must exist, with ':' between them"
#undef FILE
#define FILE "a file, which must exist"
#define SEED "random, or a whole number from 0 to 4294967295"
#define LIST "text; the directive may be repeated"

#define WGW_CTX_S "server"
#define WGW_CTX_SVD "server, virtual host, directory"
#define WGW_CTX_SVDH "server, virtual host, directory, .htaccess (AllowOverride FileInfo)"

int main(void)
{
    puts("# Directives\n\nMade from the option table (`make docs`); do not edit.\n\n## Mapping\n");
#define ALIAS(directive, kind, usage) \
    printf("### %s\n`%s %s`\n\n- contexts: server, virtual host\n\n", directive, directive, usage);
    WGW_ALIASES(ALIAS)
    puts("Options of the three: `process-group=%{GLOBAL}` (embedded mode), `application-group=` (as "
         "WSGIApplicationGroup),\n`callable-object=` (as WSGICallableObject, taken literally), "
         "`pass-authorization=On|Off`. With both groups given, and no token but\n%{GLOBAL} in them, "
         "the script is loaded before its first request.\n\n## Settings\n");
#define ROW(directive, place, field, kind, contexts, least, most, preset, help) \
    row(directive, kind, contexts, least, most, preset, help);
    WGW_OPTIONS(ROW)
    return 0;
}
