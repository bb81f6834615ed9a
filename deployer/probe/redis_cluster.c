/*
 * redis_cluster.c - the cluster as it advertises itself, and each node as a client would reach it:
 * a node's own certificate and address are where cluster clients fail without a word.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "probe/redis_parts.h"

#define NODES_MAX 32u
#define NODE_MS 2500

static void record_cluster_info(struct redis_dialog *d, struct str text)
{
    while (text.p != NULL) {
        struct str value = str_trim(str_cut(&text, '\n'));
        const struct str field = str_cut(&value, ':');
        int64_t number = 0;

        if (value.p == NULL)
            continue;
        if (str_eq(field, STR("cluster_state")))
            probe_fact_text(d->job, d->evidence, "redis.cluster_state", value);
        if (str_eq(field, STR("cluster_slots_assigned"))) {
            struct err *e = num_parse_i64(value, 0, 16384, &number);

            if (e == NULL)
                probe_fact(d->evidence, "redis.cluster_slots_assigned", json_integer(number));
            err_free(e);
        }
    }
}

static bool is_listed(const json_t *nodes, const char *address, json_int_t port)
{
    size_t i = 0;
    json_t *n = NULL;

    json_array_foreach ((json_t *)(uintptr_t)nodes, i, n) {
        if (text_eq(jsonx_text(n, "address"), address) && jsonx_int(n, "port", 0) == port)
            return true;
    }
    return false;
}

/* The nodes of a CLUSTER SLOTS answer: [[from, to, [host, port, id, ...], ...], ...]. Owned. */
static json_t *nodes_of(const json_t *slots)
{
    json_t *nodes = jsonx_must(json_array());
    size_t i = 0;
    json_t *range = NULL;

    json_array_foreach ((json_t *)(uintptr_t)slots, i, range) {
        for (size_t k = 2; k < json_array_size(range); k++) {
            const json_t *n = json_array_get(range, k);
            const char *host = json_string_value(json_array_get(n, 0));
            const json_int_t port = json_integer_value(json_array_get(n, 1));

            if (host == NULL || host[0] == '\0' || port < 1 || port > 65535
                    || json_array_size(nodes) == NODES_MAX || is_listed(nodes, host, port))
                continue;
            json_array_append_new(
                    nodes, jsonx_must(json_pack("{s:s, s:I}", "address", host, "port", port)));
        }
    }
    return nodes;
}

/* Reaches one node as the client would, by the advertised address and the client's server name. */
static void reach_node(struct redis_dialog *d, json_t *node)
{
    json_auto_t *target = jsonx_copy(d->job->target);
    json_auto_t *seen = jsonx_must(json_object());
    struct probe_job job = *d->job;
    AUTO(redis_dialog) struct redis_dialog n = { .conn = CONN_INIT, .last_step = "handshake" };
    const int64_t until_ms = clock_now_ms() + NODE_MS;

    json_object_set(target, "host", json_object_get(node, "address"));
    json_object_set(target, "port", json_object_get(node, "port"));
    job.target = target;
    job.deadline_ms = until_ms < job.deadline_ms ? until_ms : job.deadline_ms;
    n.job = &job;
    n.evidence = seen;
    n.reader = resp_reader_new();
    const bool is_open = conn_open(&job, seen, 6379, TLS_MODE_OFF, &n.conn);
    const json_t *status = jsonx_at(seen, "tcp.status");

    probe_fact(node, "tcp", status == NULL ? json_string("unresolved") : jsonx_copy(status));
    if (jsonx_at(seen, "tls.handshake") != NULL) {
        probe_fact(node, "tls", jsonx_copy(jsonx_at(seen, "tls.handshake")));
        if (jsonx_at(seen, "tls.verify") != NULL) {
            probe_fact(node, "verify", jsonx_copy(jsonx_at(seen, "tls.verify")));
            probe_fact(node, "name_matches", jsonx_copy(jsonx_at(seen, "tls.name_matches")));
        }
    }
    if (is_open && redis_authenticate(&n) && jsonx_at(seen, "redis.auth") != NULL)
        probe_fact(node, "auth", jsonx_copy(jsonx_at(seen, "redis.auth")));
}

static void record_nodes(struct redis_dialog *d, json_t *nodes)
{
    size_t unreachable = 0;
    size_t mismatched = 0;
    bool are_ips = json_array_size(nodes) > 0;
    size_t i = 0;
    json_t *node = NULL;

    json_array_foreach (nodes, i, node) {
        unsigned char raw[16];
        const char *address = jsonx_text(node, "address");

        reach_node(d, node);
        are_ips = are_ips
                  && (inet_pton(AF_INET, address, raw) == 1
                          || inet_pton(AF_INET6, address, raw) == 1);
        unreachable += !text_eq(jsonx_text(node, "tcp"), "ok");
        mismatched += json_is_false(json_object_get(node, "name_matches"));
    }
    probe_fact(d->evidence, "redis.nodes_are_ips", json_boolean(are_ips));
    probe_fact(d->evidence, "redis.nodes_unreachable", json_integer((json_int_t)unreachable));
    probe_fact(d->evidence, "redis.nodes_name_mismatch", json_integer((json_int_t)mismatched));
    if (jsonx_bool(json_object_get(d->job->target, "client"), "cluster", false)) {
        if (unreachable > 0)
            probe_failed(d->job, d->evidence, "node-unreachable",
                    STR("a node that the cluster advertises can't be reached"));
        else if (mismatched > 0 && tls_mode_of(d->job->target, TLS_MODE_OFF) == TLS_MODE_VERIFY)
            probe_failed(d->job, d->evidence, "node-name-mismatch",
                    STR("a node's certificate does not hold the name or address it is advertised "
                        "by"));
    }
    probe_fact(d->evidence, "redis.nodes", json_incref(nodes));
}

bool redis_record_cluster(struct redis_dialog *d)
{
    json_auto_t *info = NULL;
    json_auto_t *slots = NULL;
    const bool is_cluster = json_is_true(jsonx_at(d->evidence, "redis.cluster_enabled"));

    if (!redis_call(d, "CLUSTER", (struct str[]){ STR("CLUSTER"), STR("SLOTS") }, 2, &slots))
        return false;
    if (resp_error(slots) != NULL) {
        probe_fact_text(d->job, d->evidence, "redis.cluster_error", str_of(resp_error(slots)));
        if (jsonx_bool(json_object_get(d->job->target, "client"), "cluster", false))
            probe_failed(d->job, d->evidence, "CLUSTER", str_of(resp_error(slots)));
        return true;
    }
    if (!is_cluster)
        probe_fact(d->evidence, "redis.cluster_enabled", json_true());
    if (!redis_call(d, "CLUSTER", (struct str[]){ STR("CLUSTER"), STR("INFO") }, 2, &info))
        return false;
    if (json_is_string(info))
        record_cluster_info(d, str_of(json_string_value(info)));
    json_auto_t *nodes = nodes_of(slots);

    record_nodes(d, nodes);
    return true;
}
