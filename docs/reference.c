/* Prints docs/directives.md from the option table, so that the manual cannot differ from
 * what httpd accepts. */
#include <stdio.h>

#include "server/option_table.h"
#include "server/pool_table.h"

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
#define INTERVAL "seconds, with a fraction; the range is in microseconds"
#define CALLABLE "a Python name, or %{ENV:variable}"
#define GROUP "a name or a token"
#define MAP_HEAD "On, Off or Auto"
#define HOME "a folder, which must exist and belong to that Python"
#define FOLDERS "folders, which must exist, with ':' between them"
#undef FILE
#define FILE "a file, which must exist"
#define SEED "random, or a whole number from 0 to 4294967295"
#define LIST "text; the directive may be repeated"

#define PROCESS "a name that a WSGIDaemonProcess declares, or a token"
#define PROCESSES "names and tokens, with spaces between them"
#define PREFIX "a path whose folder must exist, in all at most 70 bytes"
#define NETWORKS "IP addresses, networks as 192.0.2.0/24, or *, with spaces between them"
#define PROXY_FIELDS "names of header fields, with spaces between them"
#define FOLDER "a folder, which must exist"
#define SECONDS "a number of seconds, also with a fraction"
#define TELEMETRY "unix:/path [interval=SECONDS]"
#define SCRIPT "file, then options"
#define TELEMETRY_FLAGS "All, None, +CaptureUserAgent, -CaptureUserAgent"
#define MUTEX "default, flock, fcntl, sysvsem, posixsem or pthread"

#define WGW_CTX_S "server"
#define WGW_CTX_SVD "server, virtual host, directory"
#define WGW_CTX_DH "directory, .htaccess (AllowOverride AuthConfig)"
#define WGW_CTX_SVDH "server, virtual host, directory, .htaccess (AllowOverride FileInfo)"

/* --- the options of WSGIDaemonProcess ------------------------------------------------- */

#define POOL_NUMBER "number"
#define POOL_PROCESSES "number, or least-most"
#define POOL_REQUESTS "number, or number,jitter"
#define POOL_GRACEFUL "reload or keep"
#define POOL_MODE "octal number"
#define POOL_TIME "time"
#define POOL_INTERVAL "seconds, with a fraction"
#define POOL_SIZE "size"
#define POOL_FLAG "on or off"
#define POOL_NOT_FLAG "on or off"
#define POOL_USER "name, or #uid; not root"
#define POOL_OWNER "name, or #uid"
#define POOL_GROUP "name, or #gid; not root's"
#define POOL_OWNER_GROUP "name, or #gid"
#define POOL_GROUPS "groups, ',' between"
#define POOL_NAMES "names, ',' between"
#define POOL_ENV "NAME=value"
#define POOL_TEXT "text"
#define POOL_DISPLAY "text"
#define POOL_FILE "file, which must exist"
#define POOL_FOLDER "folder, which must exist"
#define POOL_FOLDERS "folders, which must exist, ':' between"
#define POOL_PATH "folder"

static void pool_row(const char *option, const char *kind, const char *least, const char *most,
                     const char *preset, const char *help)
{
    printf("| %s= | %s | ", option, kind);
    if (*most)
        printf("%s to %s", least, most);
    printf(" | %s | %s |\n", preset, help);
}

static void pool_options(void)
{
    puts("## Options of WSGIDaemonProcess\n\n"
         "A time is a whole number of seconds, or has the unit `ms`, `s`, `min` or `h`: `10s`, `500ms`. "
         "A size is a whole number of\nbytes, or has the unit `K`, `M` or `G` (1024 each): `256M`. 0 is "
         "always allowed for both; where it is below the range, it asks\nfor the default. A value with "
         "spaces stands in quotes: `display-name=\"my site\"`. Paths are absolute.\n\n"
         "A name is declared once in all of httpd. One that a virtual host declares is for the virtual "
         "hosts with its ServerName; one of\nthe server is for all.\n\n"
         "A process finds nothing of httpd's environment but `TZ` and what `pass-env=` names. It has: "
         "`PATH=/usr/local/bin:/usr/bin:/bin`;\n`HOME`, `USER`, `LOGNAME` and `USERNAME` of its user; "
         "`LANG`; `LC_ALL` with `locale=`; `PYTHON_EGG_CACHE` with\n`python-eggs=`; `PYTHONHASHSEED` "
         "with `WSGIPythonHashSeed`; and what `env=` sets, which wins.\n\n"
         "| option | value | range | default | meaning |\n|---|---|---|---|---|");
#define POOL_ROW(option, kind, field, least, most, preset, help) \
    pool_row(option, POOL_##kind, least, most, preset, help);
    WGW_POOL_OPTIONS(POOL_ROW)
    printf("\nOptions of mod_wsgi that are not there yet stop httpd with a message:");
#define LATER(option) printf(" `%s`", option);
    WGW_POOL_OPTIONS_LATER(LATER)
    puts(".\n");
}

/* --- scripts that decide -------------------------------------------------------------- */

static void scripts(void)
{
    puts("## Access, authentication, dispatch\n\n"
         "    <Location /private>\n"
         "        AuthType Basic\n"
         "        AuthName private\n"
         "        AuthBasicProvider wsgi\n"
         "        WSGIAuthUserScript /srv/example/app/auth.py process-group=example\n"
         "        WSGIAuthGroupScript /srv/example/app/auth.py process-group=example\n"
         "        Require wsgi-group staff\n"
         "    </Location>\n\n"
         "Each of these directives names a file, and then options. `process-group=` is a WSGIDaemonProcess "
         "that runs it, so that httpd\nitself needs no Python; without it, or with %{GLOBAL}, it runs in "
         "httpd's children, whatever WSGIProcessGroup says.\n`application-group=` is a name, %{GLOBAL}, "
         "%{SERVER} or %{HOST}; the default is the main interpreter, and for WSGIDispatchScript\nthe "
         "interpreter that the request has by configuration. A script with `application-group=` that is a "
         "name or %{GLOBAL} is loaded\nwhen a process starts; WSGIScriptReloading holds for all.\n\n"
         "| function | asked by | True | False | None | a str |\n|---|---|---|---|---|---|\n"
         "| check_password(environ, user, password) | AuthBasicProvider wsgi | granted | 401 | user not "
         "known, the next provider is asked | granted, and it is REMOTE_USER |\n"
         "| get_realm_hash(environ, user, realm) | AuthDigestProvider wsgi | 500 | 500 | user not known | "
         "MD5 of user:realm:password, as str or bytes |\n"
         "| groups_for_user(environ, user): an iterable of str or bytes | Require wsgi-group a b | | | 500 | "
         "500 |\n"
         "| allow_access(environ, host) | WSGIAccessScript | allowed, as far as it is concerned | 403 | "
         "others decide | 403 |\n"
         "| process_group(environ), application_group(environ), callable_object(environ): each may be "
         "missing | WSGIDispatchScript | 500 | 500 | as configured | chosen: a name or token, as str or "
         "bytes |\n\n"
         "Whatever else a function returns or raises, and a script that is missing or cannot be imported, "
         "denies: with 403 from\nWSGIAccessScript, with 500 otherwise; a pool that is not there, or too "
         "slow, makes that 503 or 504 where httpd can say so\n(WSGIAccessScript, WSGIDispatchScript). "
         "Under `Require not wsgi-group` a failure denies, too.\n\n"
         "user, password and host are str: UTF-8 where the client has sent that, else Latin-1. host is the "
         "client's name if httpd knows it\nalready, otherwise its address; nothing is looked up. environ "
         "is that of an application without wsgi.input, without Authorization\nand, but for "
         "WSGIDispatchScript, without what SetEnv and mod_ssl add later; it has `mod_ssl.is_https()` and, "
         "in httpd's children,\n`mod_ssl.var_lookup(name)`, which is None in a pool. wsgi.errors is the "
         "log of the virtual host.\n\n"
         "A .htaccess (AllowOverride AuthConfig) may name scripts, too. It can run them only where "
         "WSGIRestrictProcess and\nWSGIRestrictEmbedded allow; what the configuration itself names is "
         "exempt from both.\n");
}

/* --- proxies in front ----------------------------------------------------------------- */

static void proxies(void)
{
    puts("## Behind a proxy\n\n"
         "    WSGITrustedProxies 192.0.2.10 10.0.0.0/8\n"
         "    WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host\n\n"
         "Of a request that one of these addresses has sent, the fields tell what the client asked the "
         "proxy for, and environ says that.\nTrust only fields that your proxy sets or appends to in "
         "every request, and one for each purpose:\n\n"
         "| purpose | fields | environ |\n|---|---|---|\n"
         "| client | X-Forwarded-For, X-Client-IP, X-Real-IP, Forwarded (for=) | REMOTE_ADDR; "
         "REMOTE_PORT where it is said |\n"
         "| host | X-Forwarded-Host, X-Host, Forwarded (host=) | HTTP_HOST |\n"
         "| scheme | X-Forwarded-Proto, X-Forwarded-Scheme, X-Scheme, Forwarded (proto=): http or https; "
         "X-Forwarded-HTTPS, X-Forwarded-SSL, X-HTTPS: on, true, 1, yes, or off, false, 0, no "
         "| wsgi.url_scheme |\n"
         "| server | X-Forwarded-Server | SERVER_NAME |\n"
         "| port | X-Forwarded-Port | SERVER_PORT |\n"
         "| script | X-Script-Name, X-Forwarded-Script-Name | SCRIPT_NAME, mod_wsgi.mount_point |\n\n"
         "An application sees of all fields of such a purpose the one that counted, as HTTP_X_..., and "
         "none when somebody else sent\nthem. Fields of a purpose of which none is trusted are passed on "
         "as any other.\n\n"
         "What is different from mod_wsgi, so that nobody can choose who he is:\n\n"
         "- Without WSGITrustedProxies nobody is believed, and httpd says so when it starts (WGW0170). "
         "`*` believes everybody.\n"
         "- Lists are read from the right, for as long as trusted proxies are named: the client is the "
         "first who is not one. What is left\n  of that was written by the client, and is cut off. "
         "X-Forwarded-Host, -Proto, -Port and -Server that are lists are read from the\n  right as far "
         "as X-Forwarded-For was.\n"
         "- Addresses are IPv4 or IPv6, also with a port, in brackets or mapped (::ffff:192.0.2.1). "
         "Names are never looked up. Where a proxy\n  says `unknown` or `_name`, REMOTE_ADDR is the "
         "farthest proxy that is known.\n"
         "- A value that is not allowed counts as not sent, and is logged at debug (WGW0171): a host "
         "with a path, a port that is none, another\n  scheme, a script name that does not begin with "
         "one /, a list in X-Real-IP.\n"
         "- Of several trusted fields of one purpose the first in the configuration that the request has "
         "counts, also when its value is not\n  allowed.\n"
         "- Forwarded (RFC 7239) is understood where it is named, and dropped where another field of its "
         "purposes is.\n"
         "- Only environ is changed. For httpd's own log, `Require ip` and the rest there is mod_remoteip; "
         "the two go together:\n  where mod_remoteip has named a client that is not a trusted proxy, that is the client for us, too.\n"
         "- Who is a proxy is decided by the address of the connection.\n");
}

int main(void)
{
    puts("# Directives\n\nMade from the option table (`make docs`); do not edit.\n\n## Mapping\n");
#define ALIAS(directive, kind, usage) \
    printf("### %s\n`%s %s`\n\n- contexts: server, virtual host\n\n", directive, directive, usage);
    WGW_ALIASES(ALIAS)
    puts("Options of the three: `process-group=` and `application-group=` (as WSGIProcessGroup and "
         "WSGIApplicationGroup),\n`callable-object=` (as WSGICallableObject, taken literally), "
         "`pass-authorization=On|Off`. With both groups given, and no token but\n%{GLOBAL} in them, "
         "the script is loaded before its first request.\n\n## Daemon processes\n");
#define DECLARATION(directive, handler, usage) \
    printf("### %s\n`%s %s`\n\n- contexts: server, virtual host\n\n", directive, directive, usage);
    WGW_DECLARATIONS(DECLARATION)
    puts("WSGIImportScript loads a file when a process starts. `process-group=%{GLOBAL}` is every child "
         "of httpd,\n`application-group=%{GLOBAL}` the main interpreter. Both are required.\n");
    puts("`<WSGIInterpreterOptions ...>` (server only; closed by `</WSGIInterpreterOptions>`) holds "
         "`WSGIPerInterpreterGIL`,\n`WSGIFreeThreading`, `WSGISwitchInterval` and `WSGIPythonPath` for "
         "the interpreters of a process group\n(%{GLOBAL} is embedded mode), of an application group "
         "(%{GLOBAL} is the main interpreter), or of both; without\neither, for all. What is said with more "
         "selectors wins, of two with as many the later one; all win over the same\ndirective outside, and "
         "`switch-interval=` of a pool counts as said for its process group. Folders add up, the most\n"
         "specific ones first in sys.path. `WSGIFreeThreading` is of a process, so it has no effect with "
         "application-group=;\n`WSGISwitchInterval` is of a GIL, so with application-group= it needs "
         "`WSGIPerInterpreterGIL On`.\n\n"
         "A sub-interpreter with a GIL of its own does not let the application call os.fork() "
         "(subprocess works), as any\nsub-interpreter does not, nor import extension modules that have not "
         "declared themselves fit for it. A group that is\nthe only one of its process has the main "
         "interpreter and needs no GIL of its own.\n");
    pool_options();
    scripts();
    proxies();
    puts("## Settings\n");
#define ROW(directive, place, field, kind, contexts, least, most, preset, help) \
    row(directive, kind, contexts, least, most, preset, help);
    WGW_OPTIONS(ROW)
    return 0;
}
