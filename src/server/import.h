/* WSGIImportScript: a script that a process loads when it starts. */
#ifndef WGW_SERVER_IMPORT_H
#define WGW_SERVER_IMPORT_H

#include <httpd.h>
#include <http_config.h>

/* The directive's handler. */
const char *wgw_import_set(cmd_parms *cmd, void *dir_conf, const char *args);

#endif
