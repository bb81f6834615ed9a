/*
 * probe - endpoints by their URLs: what a check of verify would find there.
 */
#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/runbook_set.h"
#include "commands/verdict.h"
#include "probe/probe.h"
#include "probe/endpoint.h"

#define URLS_MAX 8u
#define TIMEOUT_MS 8000

struct endpoints {
    struct endpoint items[URLS_MAX];
    size_t count;
};

static void auto_endpoints(struct endpoints *list)
{
    for (size_t i = 0; i < list->count; i++)
        endpoint_release(&list->items[i]);
}

static json_t *check_of(
        const struct context *c, const struct endpoint *e, const struct probe_net *net)
{
    const struct probe_secret password = { .member = "password", .value = e->password };
    const struct probe_job job = { .probe = e->probe,
        .target = e->target,
        .secrets = &password,
        .secret_count = e->password == NULL ? 0 : 1,
        .net = net,
        .deadline_ms = clock_now_ms() + (c->timeout_ms > 0 ? c->timeout_ms : TIMEOUT_MS) };
    json_t *evidence = probe_run(&job);
    const char *error = json_string_value(jsonx_at(evidence, "probe.error"));
    json_t *check = jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:o, s:[]}", "name",
            e->shown, "service", e->probe, "probe", e->probe, "vantage", "here", "status",
            json_is_true(jsonx_at(evidence, "probe.ok")) ? "pass" : "fail", "duration_ms",
            jsonx_at(evidence, "probe.duration_ms"), "target", e->target, "evidence", evidence,
            "findings"));

    if (error != NULL)
        json_object_set_new(check, "reason", jsonx_textf("%s", error));
    return check;
}

/* All URLs; two ports of one server become one. */
static struct err *parse_all(
        const struct context *c, const struct endpoint_options *o, struct endpoints *list)
{
    for (size_t i = 0; i < c->arg_count; i++) {
        AUTO(endpoint) struct endpoint e = { 0 };
        bool is_joined = false;

        TRY(err_wrap(endpoint_parse(str_of(c->args[i]), o, &e), "probe"));
        for (size_t k = 0; k < list->count && !is_joined; k++)
            is_joined = endpoint_join(&list->items[k], &e);
        if (is_joined)
            continue;
        list->items[list->count++] = e;
        e = (struct endpoint){ 0 };
    }
    return NULL;
}

static struct err *check_words(const char *client_mode, const char *tls)
{
    if (client_mode != NULL && !text_eq(client_mode, "cluster") && !text_eq(client_mode, "single"))
        return err_new(ERR_USAGE, 0, "--client-mode '%s' is not cluster or single", client_mode);
    if (tls != NULL && !text_eq(tls, "off") && !text_eq(tls, "require") && !text_eq(tls, "verify"))
        return err_new(ERR_USAGE, 0, "--tls '%s' is not off, require or verify", tls);
    return NULL;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(endpoints) struct endpoints list = { .count = 0 };
    struct endpoint_options o = { 0 };
    struct runbooks set;
    struct probe_net net = { 0 };
    const char *client_mode = NULL;
    const char *fail_on = NULL;
    const struct context_option own[] = {
        { .name = "ca", .value = &o.ca },
        { .name = "server-name", .value = &o.server_name },
        { .name = "tls", .value = &o.tls },
        { .name = "client-mode", .value = &client_mode },
        VERDICT_FAIL_ON(&fail_on),
        { .name = "write", .flag = &o.is_write },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = URLS_MAX,
                    .formats = VERDICT_FORMATS }));
    TRY(check_words(client_mode, o.tls));
    o.is_cluster = text_eq(client_mode, "cluster");
    TRY(parse_all(&c, &o, &list));
    net.resolver = c.resolver;
    for (size_t i = 0; i < c.address_maps.count; i++)
        TRY(address_map_parse(&net.map, str_of(c.address_maps.items[i])));
    TRY(runbook_set_load(&c, &set));
    json_auto_t *checks = jsonx_must(json_array());
    const int64_t started_ms = clock_now_ms();

    for (size_t i = 0; i < list.count; i++) {
        json_array_append_new(checks, check_of(&c, &list.items[i], &net));
        TRY(cancel_check());
    }
    json_auto_t *document = verdict_document(&set, "probe", checks, clock_now_ms() - started_ms);

    verdict_set_fail_on(document, fail_on);
    TRY(verdict_write(&c, document));
    return verdict_status(document);
}

const struct command command_probe = {
    .name = "probe",
    .summary = "an endpoint by its URL: evidence, cause, way out",
    .usage =
            "Usage: deployer probe URL... [OPTIONS]\n"
            "\n"
            "Speaks the protocol of each URL with its endpoint and says what it found. "
            "ClickHouse's "
            "two ports on\n"
            "one host are one server: clickhouse://h:9000 http://h:8123.\n"
            "  clickhouse://user:password@host:9000/db   clickhouse+http://host:18123   "
            "rediss://:key@host:10000\n"
            "  postgres://user:password@host/db?sslmode=require   tls://host:port   "
            "tcp://host:port   dns:name\n"
            "\n"
            "Options:\n"
            "      --ca FILE            further root certificates (PEM)\n"
            "      --server-name NAME   sent and checked in place of the host\n"
            "      --tls MODE           off, require (verify nothing) or verify, in place of the "
            "URL's\n"
            "      --client-mode MODE   cluster or single: what the application's Redis client is\n"
            "      --write              also makes and drops a table where the protocol has "
            "tables\n"
            "      --fail-on SEVERITY   error (default), warn or note\n" CONTEXT_USAGE,
    .run = run,
};
