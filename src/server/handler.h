/* The handler of WSGI requests. */
#ifndef WGW_SERVER_HANDLER_H
#define WGW_SERVER_HANDLER_H

#include <httpd.h>

/* Hook handler: `wsgi-script`, and `application/x-httpd-wsgi` as its old name. */
int wgw_handler(request_rec *r);

#endif
