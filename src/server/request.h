/* From request_rec to wgw_request_t. */
#ifndef WGW_SERVER_REQUEST_H
#define WGW_SERVER_REQUEST_H

#include <httpd.h>

#include "wsgigw/exchange.h"

/* What the processes are that serve an application. */
typedef struct wgw_process_t {
    bool is_multithread;
    bool is_multiprocess;
    const char *group; /* process group; "" in embedded mode */
    const char *pid;   /* of the httpd child, in decimal */
} wgw_process_t;

/* What a dispatch script has chosen instead of what the configuration says; NULL: nothing. */
typedef struct wgw_choice_t {
    const char *process_group;     /* name or token */
    const char *application_group; /* name or token */
    const char *callable;
} wgw_choice_t;

/* The application group of a request, as the configuration says it: a name or token. */
const char *wgw_request_group(request_rec *r);

/* What %{RESOURCE} adds to the server's name: SCRIPT_NAME, or the expression of an alias that
 * names one script by it. */
const char *wgw_request_resource(request_rec *r);

/* Build the request that the bridge sees. Lives: as long as r. */
const wgw_request_t *wgw_request_create(request_rec *r, const wgw_process_t *process,
                                        const wgw_choice_t *choice, int64_t content_length);

/* Build a question to a script, without its arguments. What it sees of the request is without body,
 * without the client's secrets and, as long as httpd has not decided that the request is to be served,
 * without SetEnv. Lives: as long as r. */
wgw_request_t *wgw_request_ask(request_rec *r, const wgw_process_t *process,
                               const wgw_target_t *target, wgw_question_t question);

#endif
