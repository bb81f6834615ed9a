/*
 * probe - one endpoint by its URL: what a check of verify would find there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/uri.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/runbook_set.h"
#include "commands/verdict.h"
#include "probe/probe.h"

/* How a scheme is probed: these are protocols' own words, their usual ports (IANA) included. */
static const struct scheme {
    const char *name;
    const char *probe;
    const char *port_member;
    int port;
    const char *tls; /* NULL: the probe's own default */
} schemes[] = {
    { "clickhouse", "clickhouse", "native_port", 9000, "off" },
    { "clickhouses", "clickhouse", "native_port", 9440, "verify" },
    { "http", "http", "port", 80, "off" },
    { "https", "http", "port", 443, "verify" },
    { "redis", "redis", "port", 6379, "off" },
    { "rediss", "redis", "port", 6379, "verify" },
    { "postgres", "postgres", "port", 5432, NULL },
    { "postgresql", "postgres", "port", 5432, NULL },
    { "tls", "tls", "port", 443, "verify" },
    { "tcp", "tcp", "port", 0, "off" },
    { "dns", "dns", NULL, 0, NULL },
};

/* HTTP ports that are ClickHouse's alone. */
#define CLICKHOUSE_HTTP 8123
#define CLICKHOUSE_HTTPS 8443

static const struct scheme *find_scheme(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (text_eq(schemes[i].name, name))
            return &schemes[i];
    }
    return NULL;
}

static void set_text(json_t *o, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_object_set_new(o, key, jsonx_textf("%s", text));
}

struct options {
    const char *ca;
    const char *server_name;
    const char *client_mode;
    const char *fail_on;
    bool is_write;
};

/* libpq's sslmode in the words of a target. */
static const char *tls_of_sslmode(const char *mode)
{
    if (text_eq(mode, "disable"))
        return "off";
    if (text_eq(mode, "verify-ca") || text_eq(mode, "verify-full"))
        return "verify";
    return "require";
}

static json_t *target_of(const struct uri *u, const struct scheme *s, const struct options *o,
        const char **ret_probe)
{
    json_t *t = jsonx_must(json_object());
    const struct uri_host *host = &u->hosts[0];
    const int port = host->port != 0 ? host->port : s->port;
    const bool is_clickhouse_http =
            text_eq(s->probe, "http") && (port == CLICKHOUSE_HTTP || port == CLICKHOUSE_HTTPS);
    AUTO(free) char *database = uri_database(u);

    *ret_probe = is_clickhouse_http ? "clickhouse" : s->probe;
    set_text(t, "host", host->name);
    if (s->port_member != NULL)
        json_object_set_new(
                t, is_clickhouse_http ? "http_port" : s->port_member, json_integer(port));
    if (s->port_member != NULL)
        json_object_set_new(t, "port", json_integer(port));
    set_text(t, "scheme", u->scheme);
    set_text(t, "user", u->user);
    set_text(t, "tls",
            text_eq(s->probe, "postgres") ? tls_of_sslmode(uri_param(u, "sslmode")) : s->tls);
    set_text(t, "ca", o->ca != NULL ? o->ca : uri_param(u, "sslrootcert"));
    set_text(t, "server_name", o->server_name);
    if (text_eq(*ret_probe, "http"))
        set_text(t, "path", u->path);
    else
        set_text(t, "database", database);
    json_object_set_new(
            t, "url_has_userinfo", json_boolean(u->user != NULL || u->password != NULL));
    json_object_set_new(t, "write", json_boolean(o->is_write));
    json_t *client = jsonx_must(json_object());

    json_object_set_new(client, "cluster", json_boolean(text_eq(o->client_mode, "cluster")));
    json_object_set_new(client, "tls", json_boolean(!text_eq(s->tls, "off")));
    set_text(client, "server_name", o->server_name);
    json_object_set_new(t, "client", client);
    return t;
}

static json_t *probe_check(const struct context *c, const struct uri *u, const char *shown,
        const struct scheme *s, const struct options *o, const struct probe_net *net)
{
    const char *probe = NULL;
    json_auto_t *target = target_of(u, s, o, &probe);
    const struct probe_secret password = { .member = "password", .value = u->password };
    const struct probe_job job = { .probe = probe,
        .target = target,
        .secrets = &password,
        .secret_count = u->password == NULL ? 0 : 1,
        .net = net,
        .deadline_ms = clock_now_ms() + (c->timeout_ms > 0 ? c->timeout_ms : 10000) };
    json_t *evidence = probe_run(&job);
    const char *error = json_string_value(jsonx_at(evidence, "probe.error"));
    json_t *check = jsonx_must(json_object());

    set_text(check, "name", shown);
    set_text(check, "service", s->probe);
    set_text(check, "probe", probe);
    set_text(check, "status", json_is_true(jsonx_at(evidence, "probe.ok")) ? "pass" : "fail");
    set_text(check, "reason", error);
    set_text(check, "vantage", "here");
    json_object_set_new(check, "duration_ms", jsonx_copy(jsonx_at(evidence, "probe.duration_ms")));
    json_object_set_new(check, "target", jsonx_copy(target));
    json_object_set_new(check, "evidence", evidence);
    json_object_set_new(check, "findings", json_array());
    return check;
}

static struct err *parse_url(const char *text, struct uri *u, const struct scheme **ret)
{
    TRY(err_wrap(uri_parse(str_of(text), u), "probe"));
    *ret = find_scheme(u->scheme);
    if (*ret == NULL)
        return err_new(ERR_USAGE, 0,
                "probe: '%s' is not one of clickhouse, http, https, redis, rediss, "
                "postgres, postgresql, tls, tcp, dns",
                u->scheme);
    if (u->host_count != 1 || u->hosts[0].name[0] == '\0')
        return err_new(ERR_USAGE, 0, "probe: the URL needs one host");
    if (u->hosts[0].port == 0 && (*ret)->port == 0 && (*ret)->port_member != NULL)
        return err_new(ERR_USAGE, 0, "probe: %s:// needs a port", u->scheme);
    return NULL;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(uri) struct uri u = { 0 };
    struct options o = { 0 };
    struct runbooks set;
    struct probe_net net = { 0 };
    const struct scheme *s = NULL;
    const struct context_option own[] = {
        { .name = "ca", .value = &o.ca },
        { .name = "server-name", .value = &o.server_name },
        { .name = "client-mode", .value = &o.client_mode },
        { .name = "fail-on", .value = &o.fail_on },
        { .name = "write", .flag = &o.is_write },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = VERDICT_FORMATS }));
    if (o.client_mode != NULL && !text_eq(o.client_mode, "cluster")
            && !text_eq(o.client_mode, "single"))
        return err_new(ERR_USAGE, 0, "--client-mode '%s' is not cluster or single", o.client_mode);
    TRY(parse_url(c.args[0], &u, &s));
    net.resolver = c.resolver;
    for (size_t i = 0; i < c.address_maps.count; i++)
        TRY(address_map_parse(&net.map, str_of(c.address_maps.items[i])));
    TRY(runbook_set_load(&c, &set));
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *checks = jsonx_must(json_array());
    const int64_t started_ms = clock_now_ms();

    uri_build_redacted(&u, &shown);
    json_array_append_new(checks, probe_check(&c, &u, buf_text(&shown), s, &o, &net));
    json_auto_t *document = verdict_document(&set, "probe", checks, clock_now_ms() - started_ms);

    TRY(verdict_write(&c, document));
    return verdict_status(document, o.fail_on);
}

const struct command command_probe = {
    .name = "probe",
    .summary = "one endpoint by its URL: evidence, cause, way out",
    .usage =
            "Usage: deployer probe URL [OPTIONS]\n"
            "\n"
            "Speaks the protocol of the URL with the endpoint and says what it found.\n"
            "  clickhouse://user:password@host:9000/db   http://host:8123   "
            "rediss://:key@host:10000\n"
            "  postgres://user:password@host/db?sslmode=require   tls://host:port   "
            "tcp://host:port   dns:name\n"
            "\n"
            "Options:\n"
            "      --ca FILE            further root certificates (PEM)\n"
            "      --server-name NAME   sent and checked in place of the host\n"
            "      --client-mode MODE   cluster or single: what the application's Redis client is\n"
            "      --write              also makes and drops a table where the protocol has "
            "tables\n"
            "      --fail-on SEVERITY   error (default), warn or note\n" CONTEXT_USAGE,
    .run = run,
};
