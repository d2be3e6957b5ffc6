/* The option table: one row for each directive that sets a value. It drives
 * parsing, range checks, defaults, merging and docs/directives.md.
 *
 * X(directive, place, field, kind, contexts, least, most, default, help)
 *   place     DIR or SERVER: which configuration holds the field
 *   kind      how the text is read, see option_kinds.c; it decides the field's type
 *   contexts  WGW_CTX_*: where the directive may stand
 *   least, most   of a number; otherwise 0
 *   default   as a user would write it; "" when there is none
 *
 * Includes nothing, so that the manual can be made from it without httpd. */
#ifndef WGW_SERVER_OPTION_TABLE_H
#define WGW_SERVER_OPTION_TABLE_H

#define WGW_OPTIONS(X) \
    X("WSGIApplicationGroup", DIR, application_group, GROUP, WGW_CTX_SVD, 0, 0, "%{RESOURCE}", \
      "Sub-interpreter that serves the application: a name, %{GLOBAL} (the main interpreter), " \
      "%{SERVER}, %{RESOURCE} (server and SCRIPT_NAME; the expression of a WSGIScriptAliasMatch " \
      "that names one script), %{HOST} or %{ENV:variable}.") \
    X("WSGIProcessGroup", DIR, process_group, PROCESS, WGW_CTX_SVD, 0, 0, "%{GLOBAL}", \
      "Processes that serve the application: the name of a WSGIDaemonProcess, %{GLOBAL} (embedded " \
      "mode), or a token as of WSGIApplicationGroup.") \
    X("WSGIRestrictProcess", DIR, allowed_processes, PROCESSES, WGW_CTX_SVD, 0, 0, "", \
      "The only process groups that are allowed here, %{GLOBAL} for embedded mode; requests for " \
      "another one get 500.") \
    X("WSGICallableObject", DIR, callable, CALLABLE, WGW_CTX_SVDH, 0, 0, "application", \
      "Name of the application in the script, or %{ENV:variable}.") \
    X("WSGIScriptReloading", DIR, is_reloading, FLAG, WGW_CTX_SVDH, 0, 0, "On", \
      "Load a script again when its file has changed.") \
    X("WSGIPassAuthorization", DIR, passes_authorization, FLAG, WGW_CTX_SVDH, 0, 0, "Off", \
      "Pass the Authorization header as HTTP_AUTHORIZATION.") \
    X("WSGIChunkedRequest", DIR, allows_chunked, FLAG, WGW_CTX_SVDH, 0, 0, "On", \
      "Accept request bodies with Transfer-Encoding: chunked; Off answers them with 411.") \
    X("WSGIErrorOverride", DIR, overrides_errors, FLAG, WGW_CTX_SVDH, 0, 0, "Off", \
      "Let ErrorDocument answer where the application's status is 400 or above.") \
    X("WSGIEnableSendfile", DIR, uses_sendfile, FLAG, WGW_CTX_SVDH, 0, 0, "On", \
      "Send files of wsgi.file_wrapper by sendfile.") \
    X("WSGIMapHEADToGET", DIR, maps_head, MAP_HEAD, WGW_CTX_SVDH, 0, 0, "Auto", \
      "Show HEAD as GET to the application: On, Off, or Auto (where an output filter needs the " \
      "body).") \
    X("WSGIAccessScript", DIR, access_script, SCRIPT, WGW_CTX_DH, 0, 0, "", \
      "File with allow_access(environ, host), which decides who has access, see Access, authentication, " \
      "dispatch. Options: application-group=, process-group=.") \
    X("WSGIAuthUserScript", DIR, user_script, SCRIPT, WGW_CTX_DH, 0, 0, "", \
      "File with check_password(environ, user, password) for AuthBasicProvider wsgi, and " \
      "get_realm_hash(environ, user, realm) for AuthDigestProvider wsgi. Options as of WSGIAccessScript.") \
    X("WSGIAuthGroupScript", DIR, group_script, SCRIPT, WGW_CTX_DH, 0, 0, "", \
      "File with groups_for_user(environ, user), for Require wsgi-group. Options as of " \
      "WSGIAccessScript.") \
    X("WSGIGroupAuthoritative", DIR, is_group_authoritative, FLAG, WGW_CTX_DH, 0, 0, "", \
      "Understood for mod_wsgi's sake; has no effect there, either: Require, RequireAny and RequireAll " \
      "say who decides.") \
    X("WSGIDispatchScript", DIR, dispatch_script, SCRIPT, WGW_CTX_SVD, 0, 0, "", \
      "File with process_group(environ), application_group(environ) and callable_object(environ), all " \
      "optional, which decide who serves a request. Options as of WSGIAccessScript.") \
    X("WSGITrustedProxies", DIR, trusted_proxies, NETWORKS, WGW_CTX_SVDH, 0, 0, "", \
      "The proxies in front of httpd whose header fields are believed, see Behind a proxy; may be " \
      "repeated. A directory's takes the place of the server's.") \
    X("WSGITrustedProxyHeaders", DIR, proxy_fields, PROXY_FIELDS, WGW_CTX_SVDH, 0, 0, "", \
      "The header fields that are believed when a trusted proxy sends them, see Behind a proxy; may " \
      "be repeated. A directory's take the place of the server's.") \
    X("WSGIPythonHome", SERVER, python_home, HOME, WGW_CTX_S, 0, 0, "", \
      "Virtual environment or prefix of the embedded Python.") \
    X("WSGIPythonPath", SERVER, python_path, FOLDERS, WGW_CTX_S, 0, 0, "", \
      "Folders for the front of sys.path, with ':' between them; their .pth files are read.") \
    X("WSGIPythonOptimize", SERVER, python_optimize, NUMBER, WGW_CTX_S, 0, 2, "0", \
      "Optimisation level, as of python -O and -OO.") \
    X("WSGIPythonWarnings", SERVER, python_warnings, LIST, WGW_CTX_S, 0, 0, "", \
      "Warning filter, as of python -W; may be repeated.") \
    X("WSGIPythonHashSeed", SERVER, python_hash_seed, SEED, WGW_CTX_S, 0, 0, "random", \
      "Seed of str hashes: random, or 0 to 4294967295.") \
    X("WSGIPythonEggs", SERVER, python_eggs, FOLDER, WGW_CTX_S, 0, 0, "", \
      "Environment variable PYTHON_EGG_CACHE of embedded mode; its applications must be able to write " \
      "there. Daemon processes have python-eggs=.") \
    X("WSGIDontWriteBytecode", SERVER, dont_write_bytecode, FLAG, WGW_CTX_S, 0, 0, "Off", \
      "Do not write .pyc files, as of python -B.") \
    X("WSGIApplicationGroupLimit", SERVER, group_limit, NUMBER, WGW_CTX_S, 1, 10000, "256", \
      "Interpreters in one httpd child at the most; requests for one more get 503.") \
    X("WSGIPerInterpreterGIL", SERVER, own_gil, FLAG, WGW_CTX_S, 0, 0, "Off", \
      "Give each sub-interpreter a GIL of its own, so that the applications of one process use as many " \
      "processors as there are; needs Python 3.12 or later. The main interpreter, which shares its GIL " \
      "with all that have none, is not concerned. Extension modules that cannot do it are refused by " \
      "Python, and the log says what to do (WGW0180).") \
    X("WSGIFreeThreading", SERVER, free_threading, FLAG, WGW_CTX_S, 0, 0, "Off", \
      "Let a free-threaded build of Python run without a GIL, until an extension module is imported that " \
      "needs one. Off: with its GIL. Other builds have a GIL in any case.") \
    X("WSGISwitchInterval", SERVER, switch_interval_us, INTERVAL, WGW_CTX_S, 1, 60000000, "", \
      "How long a thread keeps the interpreter in embedded mode while others want it, as of " \
      "sys.setswitchinterval(); a pool has the option switch-interval=.") \
    X("WSGIDestroyInterpreter", SERVER, destroys, FLAG, WGW_CTX_S, 0, 0, "On", \
      "End interpreters in order when a process ends. Off: leave them as they are; atexit functions are " \
      "not run, and threads of the application are not waited for.") \
    X("WSGIEmbeddedLibrary", SERVER, embedded_library, FILE, WGW_CTX_S, 0, 0, "", \
      "The library that embedded mode loads, where it is not in its installed place.") \
    X("WSGISupervisor", SERVER, supervisor, FILE, WGW_CTX_S, 0, 0, "", \
      "The program wsgigw-supervisor, where it is not in its installed place.") \
    X("WSGIDaemonExtension", SERVER, daemon_extension, FILE, WGW_CTX_S, 0, 0, "", \
      "The extension module _wsgigw.abi3.so of daemon processes, where it is not in its installed " \
      "place.") \
    X("WSGIRestrictEmbedded", SERVER, restricts_embedded, FLAG, WGW_CTX_S, 0, 0, "Off", \
      "On: no embedded mode. Requests for it get 500, and httpd's children start Python only for import " \
      "scripts and scripts that decide, where the configuration itself has them run there.") \
    X("WSGISocketPrefix", SERVER, socket_prefix, PREFIX, WGW_CTX_S, 0, 0, "wsgi", \
      "How the sockets' paths begin; relative to DefaultRuntimeDir, or else to ServerRoot. The command " \
      "wsgigw finds httpd at this and .control.sock: each httpd needs one of its own.") \
    X("WSGISocketRotation", SERVER, rotates_sockets, FLAG, WGW_CTX_S, 0, 0, "On", \
      "Understood for mod_wsgi's sake; has no effect: the sockets of a restart are new, and the old ones " \
      "stay as long as a child of httpd uses them.") \
    X("WSGIAcceptMutex", SERVER, accept_mutex, MUTEX, WGW_CTX_S, 0, 0, "", \
      "Understood for mod_wsgi's sake; has no effect, as no lock is needed.") \
    X("WSGIVerboseDebugging", SERVER, is_verbose, FLAG, WGW_CTX_S, 0, 0, "Off", \
      "Understood for mod_wsgi's sake; has no effect. LogLevel wsgigw:debug shows more.") \
    X("WSGICaseSensitivity", SERVER, is_case_sensitive, FLAG, WGW_CTX_S, 0, 0, "On", \
      "Understood for mod_wsgi's sake; Off has no effect: one script by two spellings of its path is " \
      "loaded twice.") \
    X("WSGITelemetryService", SERVER, telemetry_service, TELEMETRY, WGW_CTX_S, 0, 0, "", \
      "Understood for mod_wsgi's sake; has no effect: nothing is sent to its ingester.") \
    X("WSGITelemetryOptions", SERVER, telemetry_options, TELEMETRY_FLAGS, WGW_CTX_S, 0, 0, "", \
      "Understood for mod_wsgi's sake; has no effect, as WSGITelemetryService.") \
    X("WSGISlowRequests", SERVER, slow_requests, SECONDS, WGW_CTX_S, 0, 0, "", \
      "Understood for mod_wsgi's sake; has no effect, as WSGITelemetryService. request-timeout= of " \
      "WSGIDaemonProcess shows where a request is that takes too long.")

/* The directives that map URLs. X(directive, alias kind, usage) */
#define WGW_ALIASES(X) \
    X("WSGIScriptAlias", WGW_ALIAS_SCRIPT, "URL-path file|folder [option=value ...]") \
    X("WSGIScriptAliasMatch", WGW_ALIAS_MATCH, "regex file [option=value ...]") \
    X("WSGIModuleAlias", WGW_ALIAS_MODULE, "URL-path package.module:callable [option=value ...]")

/* X(directive, handler, usage) */
#define WGW_DECLARATIONS(X) \
    X("WSGIDaemonProcess", wgw_pool_set, "name [option=value ...]") \
    X("WSGIImportScript", wgw_import_set, "file process-group=name application-group=name") \
    X("<WSGIInterpreterOptions", wgw_interp_options_set, "[process-group=name] [application-group=name]>")

#endif
