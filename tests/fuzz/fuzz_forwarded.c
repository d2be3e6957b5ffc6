/* What a proxy says of a request. A byte of settings, and then, with a NUL after each: the trusted
 * networks, what the client sent, what the proxy has appended. What is believed is well formed and
 * lies within the field; and of a field that ends with what a proxy says of a client, nothing that
 * the client put before it changes who the client is. */
#include <stdlib.h>
#include <string.h>

#include "exchange/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    wgw_network_t networks[2];
    wgw_proxy_field_t fields[2];
    wgw_trust_t trust;
} rig_t;

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Take a text up to its NUL, or what is left. Owns: the copy, to be freed. */
static char *take(const uint8_t **at, size_t *left)
{
    size_t len = strnlen((const char *)*at, *left);
    char *text = malloc(len + 1);

    require(text);
    memcpy(text, *at, len);
    text[len] = '\0';
    len += len < *left;
    *at += len;
    *left -= len;
    return text;
}

static void check_span(wgw_span_t span, const char *allowed)
{
    for (size_t i = 0; span.data && i < span.len; i++)
        require((span.data[i] >= '0' && span.data[i] <= '9') ||
                (span.data[i] >= 'a' && span.data[i] <= 'z') ||
                (span.data[i] >= 'A' && span.data[i] <= 'Z') || strchr(allowed, span.data[i]));
}

static void check_client(const char *client)
{
    char again[WGW_ADDRESS_TEXT_SIZE];
    wgw_address_t address;

    if (!*client)
        return;
    require(wgw_address_read(client, strlen(client), &address));
    wgw_address_print(&address, again);
    require(strcmp(client, again) == 0);
}

static void check(const wgw_forwarded_t *out, const char *value)
{
    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++) {
        const char *shown = out->values[field];
        require(!shown || (out->is_trusted && out->governed >> field & 1));
        require(!shown || (shown >= value && shown < value + strlen(value)));
    }
    check_client(out->client);
    check_span(out->host, "-._:[]");
    check_span(out->server, "-._:[]");
    require(!out->script.data || (!memchr(out->script.data, '?', out->script.len) &&
                                  strncmp(out->script.data, "//", 2) != 0));
}

static void read_field(const rig_t *rig, const char *value, wgw_forwarded_t *out)
{
    wgw_forwarded_input_t input = { .peer = "10.0.0.1", .client = "10.0.0.1" };

    for (size_t i = 0; i < rig->trust.field_count; i++)
        input.values[rig->fields[i]] = value;
    wgw_forwarded_read(&rig->trust, &input, out);
    check(out, value);
}

/* Whether somebody is named who is not a proxy, so that the walk ended there. */
static bool has_client(const rig_t *rig, const wgw_forwarded_t *out)
{
    wgw_address_t address;

    return *out->client && wgw_address_read(out->client, strlen(out->client), &address) &&
           !wgw_networks_contain(rig->trust.proxies, rig->trust.proxy_count, &address);
}

static void check_prefix(const rig_t *rig, const char *sent, const char *appended)
{
    size_t len = strlen(sent) + strlen(appended) + 3;
    char *joined = malloc(len);
    wgw_forwarded_t alone, behind;

    require(joined);
    strcat(strcat(strcpy(joined, sent), ", "), appended);
    read_field(rig, appended, &alone);
    read_field(rig, joined, &behind);
    if ((rig->fields[0] == WGW_PROXY_FORWARDED || rig->fields[0] == WGW_PROXY_X_FORWARDED_FOR) &&
        has_client(rig, &alone))
        require(strcmp(alone.client, behind.client) == 0);
    free(joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rig_t rig = { 0 };

    if (size-- == 0)
        return 0;
    uint8_t settings = *data++;
    char *network = take(&data, &size), *sent = take(&data, &size), *appended = take(&data, &size);
    wgw_network_read("10.0.0.0/8", &rig.networks[0]);
    rig.trust = (wgw_trust_t){ rig.networks, 1, rig.fields, 1 + (settings & 1) };
    if (wgw_network_read(network, &rig.networks[1]))
        rig.trust.proxy_count = 2;
    rig.fields[0] = settings / 2 % WGW_PROXY_FIELD_COUNT;
    rig.fields[1] = settings / 32 % WGW_PROXY_FIELD_COUNT;
    check_prefix(&rig, sent, appended);
    free(network);
    free(sent);
    free(appended);
    return 0;
}
