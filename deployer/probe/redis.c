/*
 * redis.c - the redis probe: login, PING, INFO, a write and a read, scripts over one and two slots,
 * the cluster's nodes (redis_cluster.c), and what a close means (redis_close.c).
 */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "probe/hello.h"
#include "probe/redis_parts.h"

/* The refusal at the connection limit is sent before we speak, and lost once we write. */
#define GREETING_MS 30
/* Redis answers in milliseconds; what takes seconds leaves time to find out what it is. */
#define ANSWER_MS 4000

static void set_text(json_t *evidence, const char *path, const char *text)
{
    probe_fact(evidence, path, jsonx_must(json_string(text)));
}

bool redis_call(struct redis_dialog *d, const char *step, const struct str *args, size_t count,
        json_t **ret)
{
    const int64_t own_ms = clock_now_ms() + ANSWER_MS;
    const enum resp_outcome outcome = resp_call(&d->conn, d->reader, args, count,
            own_ms < d->job->deadline_ms ? own_ms : d->job->deadline_ms, ret);

    if (outcome == RESP_ANSWERED)
        return true;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    d->is_broken = true;
    buf_addf(&text, "%s: %s", step,
            outcome == RESP_EOF       ? "the peer closed the connection"
            : outcome == RESP_RESET   ? "the connection was reset"
            : outcome == RESP_TIMEOUT ? "no answer"
                                      : "the answer is not Redis's protocol");
    if (outcome == RESP_EOF || outcome == RESP_RESET) {
        set_text(d->evidence, "redis.closed_after", d->last_step);
        set_text(d->evidence, "redis.closed_how", resp_outcome_name(outcome));
    }
    if (d->conn.tls != NULL && tls_session_alert(d->conn.tls) != 0)
        probe_fact(d->evidence, "tls.alert", json_integer(tls_session_alert(d->conn.tls)));
    probe_failed(d->job, d->evidence, resp_outcome_name(outcome), buf_str(&text));
    return false;
}

/* The first word of an error: "WRONGPASS". */
static void record_error(struct redis_dialog *d, const char *error)
{
    struct str rest = str_of(error);
    const struct str word = str_cut(&rest, ' ');

    probe_fact_text(d->job, d->evidence, "redis.error", word);
    probe_fact_text(d->job, d->evidence, "redis.error_text", str_of(error));
}

static bool read_greeting(struct redis_dialog *d)
{
    const int64_t until_ms = clock_now_ms() + GREETING_MS;
    json_auto_t *reply = NULL;
    const enum resp_outcome outcome = resp_call(&d->conn, d->reader, NULL, 0,
            until_ms < d->job->deadline_ms ? until_ms : d->job->deadline_ms, &reply);
    const char *error = resp_error(reply);

    if (outcome == RESP_TIMEOUT)
        return true;
    if (error != NULL) {
        probe_fact_text(d->job, d->evidence, "redis.greeting", str_of(error));
        probe_fact(d->evidence, "redis.max_clients_reached",
                json_boolean(strstr(error, "max number of clients") != NULL));
        probe_failed(d->job, d->evidence, "ERR", str_of(error));
    } else if (outcome == RESP_EOF || outcome == RESP_RESET) {
        set_text(d->evidence, "redis.closed_after", d->last_step);
        set_text(d->evidence, "redis.closed_how", resp_outcome_name(outcome));
        if (d->conn.tls != NULL && tls_session_alert(d->conn.tls) != 0)
            probe_fact(d->evidence, "tls.alert", json_integer(tls_session_alert(d->conn.tls)));
        probe_failed(d->job, d->evidence, resp_outcome_name(outcome),
                STR("the peer closed before anything was sent"));
    } else {
        probe_failed(
                d->job, d->evidence, "greeting", STR("the peer speaks first: this is not Redis"));
    }
    d->is_broken = true;
    return false;
}

static const char *auth_word(const char *error)
{
    if (error == NULL)
        return "ok";
    if (str_starts(str_of(error), STR("WRONGPASS")) || strstr(error, "invalid password") != NULL)
        return "wrongpass";
    if (str_starts(str_of(error), STR("NOAUTH")))
        return "noauth";
    return strstr(error, "without any password configured") != NULL ? "none_needed" : "error";
}

bool redis_authenticate(struct redis_dialog *d)
{
    const struct secret *password = probe_secret(d->job, "password");
    const char *user = jsonx_text(d->job->target, "user");
    json_auto_t *reply = NULL;
    struct str args[3] = { STR("AUTH") };
    size_t count = 1;

    if (password == NULL)
        return true;
    if (user != NULL && user[0] != '\0')
        args[count++] = str_of(user);
    args[count++] = secret_reveal(password);
    probe_step(d->evidence, "login");
    if (!redis_call(d, "AUTH", args, count, &reply))
        return false;
    const char *error = resp_error(reply);

    d->last_step = "auth";
    set_text(d->evidence, "redis.auth", auth_word(error));
    if (error == NULL)
        return true;
    probe_fact_text(d->job, d->evidence, "redis.auth_error", str_of(error));
    if (text_eq(auth_word(error), "none_needed"))
        return true;
    record_error(d, error);
    probe_failed(d->job, d->evidence, "AUTH", str_of(error));
    return false;
}

static bool ping(struct redis_dialog *d)
{
    json_auto_t *reply = NULL;

    if (!redis_call(d, "PING", (struct str[]){ STR("PING") }, 1, &reply))
        return false;
    const char *error = resp_error(reply);

    d->last_step = "ping";
    if (error == NULL) {
        probe_fact(d->evidence, "redis.ping", json_true());
        if (jsonx_at(d->evidence, "redis.auth") == NULL)
            set_text(d->evidence, "redis.auth", "none_needed");
        return true;
    }
    if (str_starts(str_of(error), STR("NOAUTH")))
        set_text(d->evidence, "redis.auth", "noauth");
    probe_fact(
            d->evidence, "redis.loading", json_boolean(str_starts(str_of(error), STR("LOADING"))));
    record_error(d, error);
    probe_failed(d->job, d->evidence, "PING", str_of(error));
    return false;
}

/* Fields of INFO worth a fact: name there, path here, whether it is a number. */
static const struct {
    const char *field;
    const char *path;
    bool is_number;
} info_fields[] = {
    { "redis_version", "redis.version", false },
    { "redis_mode", "redis.mode", false },
    { "role", "redis.role", false },
    { "maxmemory_policy", "redis.maxmemory_policy", false },
    { "maxclients", "redis.maxclients", true },
    { "connected_clients", "redis.connected_clients", true },
};

void redis_record_info(const struct probe_job *job, json_t *evidence, struct str info)
{
    while (info.p != NULL) {
        struct str value = str_trim(str_cut(&info, '\n'));
        const struct str field = str_cut(&value, ':');

        for (size_t i = 0; value.p != NULL && i < ARRAY_LEN(info_fields); i++) {
            int64_t number = 0;

            if (!str_eq(field, str_of(info_fields[i].field)))
                continue;
            if (!info_fields[i].is_number) {
                probe_fact_text(job, evidence, info_fields[i].path, value);
                continue;
            }
            struct err *e = num_parse_i64(value, 0, INT64_MAX, &number);

            if (e == NULL)
                probe_fact(evidence, info_fields[i].path, json_integer(number));
            err_free(e);
        }
        if (value.p != NULL && str_eq(field, STR("cluster_enabled")))
            probe_fact(evidence, "redis.cluster_enabled", json_boolean(str_eq(value, STR("1"))));
        if (value.p != NULL && str_eq(field, STR("loading")))
            probe_fact(evidence, "redis.loading", json_boolean(str_eq(value, STR("1"))));
    }
}

static bool info(struct redis_dialog *d)
{
    json_auto_t *reply = NULL;

    if (!redis_call(d, "INFO", (struct str[]){ STR("INFO") }, 1, &reply))
        return false;
    if (json_is_string(reply))
        redis_record_info(d->job, d->evidence, str_of(json_string_value(reply)));
    return true;
}

/* CONFIG is blocked on managed services; INFO has the policy there. */
static bool read_policy(struct redis_dialog *d)
{
    json_auto_t *reply = NULL;

    if (jsonx_at(d->evidence, "redis.maxmemory_policy") != NULL)
        return true;
    if (!redis_call(d, "CONFIG",
                (struct str[]){ STR("CONFIG"), STR("GET"), STR("maxmemory-policy") }, 3, &reply))
        return false;
    const char *policy = json_string_value(json_array_get(reply, 1));

    if (policy != NULL)
        probe_fact_text(d->job, d->evidence, "redis.maxmemory_policy", str_of(policy));
    return true;
}

static void record_key_error(struct redis_dialog *d, const char *command, const char *error)
{
    struct str rest = str_of(error);
    const struct str word = str_cut(&rest, ' ');

    record_error(d, error);
    if (str_eq(word, STR("MOVED")) || str_eq(word, STR("ASK"))) {
        str_cut(&rest, ' ');
        probe_fact_text(d->job, d->evidence, "redis.moved_to", rest);
    }
    /* A redirection is how a cluster works: a failure only for a client that isn't one. */
    if (!str_eq(word, STR("MOVED"))
            || !jsonx_bool(json_object_get(d->job->target, "client"), "cluster", false))
        probe_failed(d->job, d->evidence, command, str_of(error));
}

static bool write_and_read(struct redis_dialog *d, const char *key)
{
    json_auto_t *set = NULL;
    json_auto_t *get = NULL;
    json_auto_t *del = NULL;

    probe_step(d->evidence, "write");
    if (!redis_call(d, "SET",
                (struct str[]){ STR("SET"), str_of(key), STR("deployer"), STR("EX"), STR("30") }, 5,
                &set))
        return false;
    const char *error = resp_error(set);

    probe_fact(d->evidence, "redis.set_ok", json_boolean(error == NULL));
    if (error != NULL) {
        record_key_error(d, "SET", error);
        return true;
    }
    if (!redis_call(d, "GET", (struct str[]){ STR("GET"), str_of(key) }, 2, &get)
            || !redis_call(d, "DEL", (struct str[]){ STR("DEL"), str_of(key) }, 2, &del))
        return false;
    const bool is_same = text_eq(json_string_value(get), "deployer");

    probe_fact(d->evidence, "redis.get_ok", json_boolean(is_same));
    if (!is_same)
        probe_failed(d->job, d->evidence, "GET", STR("what was written did not come back"));
    return true;
}

static const char *script_word(const json_t *reply)
{
    const char *error = resp_error(reply);

    if (error == NULL)
        return "ok";
    if (strstr(error, "CROSSSLOT") != NULL)
        return "crossslot";
    return str_starts(str_of(error), STR("MOVED")) ? "moved" : "error";
}

/* A script over two keys, as job queues run them: where slots count it needs both in one. */
static bool run_script(
        struct redis_dialog *d, const char *path, const char *key_a, const char *key_b)
{
    json_auto_t *reply = NULL;
    const struct str args[] = { STR("EVAL"), STR("return 1"), STR("2"), str_of(key_a),
        str_of(key_b) };

    if (!redis_call(d, "EVAL", args, ARRAY_LEN(args), &reply))
        return false;
    set_text(d->evidence, path, script_word(reply));
    return true;
}

static bool exercise(struct redis_dialog *d)
{
    AUTO(free) char *unique = digest_random_text("abcdefghijklmnopqrstuvwxyz", 12);
    const char *prefix = jsonx_text(d->job->target, "key_prefix");
    AUTO(free) char *a = xasprintf("%sdeployer:verify:%s:a", prefix == NULL ? "" : prefix, unique);
    AUTO(free) char *b = xasprintf("%sdeployer:verify:%s:b", prefix == NULL ? "" : prefix, unique);
    AUTO(free) char *tagged_a = xasprintf("{deployer}:%s:a", unique);
    AUTO(free) char *tagged_b = xasprintf("{deployer}:%s:b", unique);

    return write_and_read(d, a) && run_script(d, "redis.two_slot_script", a, b)
           && run_script(d, "redis.hash_tag_script", tagged_a, tagged_b);
}

/* A script that the application needs and that its server refuses is a failure of the check. */
static void judge_script(struct redis_dialog *d)
{
    const char *word = json_string_value(jsonx_at(d->evidence, "redis.two_slot_script"));
    const bool is_cluster_client =
            jsonx_bool(json_object_get(d->job->target, "client"), "cluster", false);

    if (text_eq(word, "crossslot") && !is_cluster_client)
        probe_failed(d->job, d->evidence, "CROSSSLOT",
                STR("a script over two keys is refused: their slots differ"));
}

static void run(const struct probe_job *job, json_t *evidence)
{
    AUTO(redis_dialog)
    struct redis_dialog d = { .job = job,
        .evidence = evidence,
        .conn = CONN_INIT,
        .last_step =
                tls_mode_of(job->target, TLS_MODE_OFF) == TLS_MODE_OFF ? "connect" : "handshake" };

    d.reader = resp_reader_new();
    const bool is_open = conn_open(job, evidence, 6379, TLS_MODE_OFF, &d.conn);
    const bool is_alive =
            d.conn.fd >= 0
            && (d.conn.tls != NULL || tls_mode_of(job->target, TLS_MODE_OFF) == TLS_MODE_OFF);

    if (is_alive && read_greeting(&d) && redis_authenticate(&d) && ping(&d) && info(&d)
            && read_policy(&d) && redis_record_cluster(&d) && exercise(&d))
        judge_script(&d);
    if ((!is_open && !is_alive && d.conn.fd >= 0) || d.is_broken)
        redis_explain_close(&d);
    if (d.is_broken && d.conn.tls == NULL
            && text_eq(json_string_value(jsonx_at(evidence, "probe.error_code")), "timeout"))
        hello_try_all(job, evidence, &d.conn.addresses.items[0]);
}

const struct probe probe_redis = {
    .name = "redis",
    .summary = "Redis: login, PING, INFO, a write and a read, cluster nodes",
    .run = run,
};
