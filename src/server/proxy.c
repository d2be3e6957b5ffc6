#include "server/proxy.h"

#include "server/config.h"
#include "server/module.h"

/* --- a request ------------------------------------------------------------------------ */

/* Several fields of one name count as one (RFC 9110, 5.3). */
static void get_values(request_rec *r, const wgw_trust_t *trust, wgw_forwarded_input_t *input)
{
    for (size_t i = 0; i < trust->field_count; i++) {
        wgw_proxy_field_t field = trust->fields[i];
        input->values[field] = apr_table_getm(r->pool, r->headers_in, wgw_proxy_field_name(field));
    }
}

static void log_ignored(request_rec *r, const wgw_forwarded_input_t *input,
                        const wgw_forwarded_t *forwarded)
{
    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++)
        if (forwarded->ignored >> field & 1)
            ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                          WGWNO(0171) "%s of the proxy %s is ignored, as it says what is not allowed "
                          "there: %.200s", wgw_proxy_field_name((wgw_proxy_field_t)field),
                          input->peer, input->values[field]);
}

static void log_untrusted(request_rec *r, const wgw_forwarded_input_t *input)
{
    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++)
        if (input->values[field])
            ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                          WGWNO(0172) "%s is ignored, as %s is not one of WSGITrustedProxies",
                          wgw_proxy_field_name((wgw_proxy_field_t)field), input->peer);
}

const wgw_forwarded_t *wgw_proxy_read(request_rec *r)
{
    const wgw_dir_config_t *dir = wgw_dir_config(r);
    const char *peer = r->connection->client_ip;

    if (!dir->proxy_fields)
        return NULL;
    wgw_forwarded_t *forwarded = apr_palloc(r->pool, sizeof *forwarded);
    wgw_trust_t trust = { .fields = (const wgw_proxy_field_t *)dir->proxy_fields->elts,
                          .field_count = (size_t)dir->proxy_fields->nelts };
    /* The peer is who has connected, whatever mod_remoteip has made of it: it is who can forge. */
    wgw_forwarded_input_t input = { .peer = peer ? peer : "",
                                    .client = r->useragent_ip ? r->useragent_ip : "" };

    if (dir->trusted_proxies) {
        trust.proxies = (const wgw_network_t *)dir->trusted_proxies->elts;
        trust.proxy_count = (size_t)dir->trusted_proxies->nelts;
    }
    get_values(r, &trust, &input);
    wgw_forwarded_read(&trust, &input, forwarded);
    if (APLOGrdebug(r) && !forwarded->is_trusted)
        log_untrusted(r, &input);
    if (APLOGrdebug(r))
        log_ignored(r, &input, forwarded);
    return forwarded;
}

/* --- the configuration ---------------------------------------------------------------- */

/* Virtual hosts may each name their own proxies. */
static bool names_proxies(const server_rec *s, bool has_hosts)
{
    bool is_named = wgw_server_config(s)->names_proxies;

    for (s = s->next; s && has_hosts && !is_named; s = s->next)
        is_named = wgw_server_config(s)->names_proxies;
    return is_named;
}

void wgw_proxy_check(const server_rec *main_server)
{
    for (const server_rec *s = main_server; s; s = s->next) {
        const wgw_server_config_t *conf = wgw_server_config(s);
        if (!conf->proxy_fields_file || names_proxies(main_server, s == main_server) ||
            conf->names_proxies)
            continue;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     WGWNO(0170) "WSGITrustedProxyHeaders (%s, line %d): no WSGITrustedProxies says "
                     "from whom. These header fields are ignored and kept from applications. Name "
                     "the addresses of the proxies; * believes every client",
                     conf->proxy_fields_file, conf->proxy_fields_line);
    }
}
