/*
 * redis_close.c - what tells apart the reasons for which a Redis port closes on us: each is one
 * more connection in another manner.
 */
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/redis_parts.h"

#define TRY_MS 2000

static int64_t try_deadline(const struct redis_dialog *d)
{
    const int64_t until_ms = clock_now_ms() + TRY_MS;

    return until_ms < d->job->deadline_ms ? until_ms : d->job->deadline_ms;
}

/* Whether a PING gets any Redis answer (a refusal is one) on a new connection made in this manner.
 */
static bool answers(const struct redis_dialog *d, const struct tls_options *tls)
{
    AUTO(conn) struct conn c = CONN_INIT;
    AUTO(resp) struct resp_reader *r = resp_reader_new();
    json_auto_t *reply = NULL;
    struct probe_job job = *d->job;

    job.deadline_ms = try_deadline(d);
    if (!conn_open_again(&job, &d->conn, tls, &c))
        return false;
    return resp_call(&c, r, (struct str[]){ STR("PING") }, 1, job.deadline_ms, &reply)
           == RESP_ANSWERED;
}

static bool handshakes(const struct redis_dialog *d, const struct tls_options *tls)
{
    struct probe_job job = *d->job;
    AUTO(fd) int fd = -1;

    job.deadline_ms = try_deadline(d);
    if (d->conn.addresses.count == 0)
        return false;
    fd = net_connect_quietly(&d->conn.addresses.items[0], job.deadline_ms);
    return fd >= 0 && text_eq(tls_try(&job, fd, tls, job.deadline_ms), "ok");
}

static void after_plaintext(struct redis_dialog *d)
{
    struct tls_options o = tls_options_of(d->job->target, TLS_MODE_REQUIRE);

    o.mode = TLS_MODE_REQUIRE;
    probe_fact(d->evidence, "redis.plaintext_on_tls_port", json_boolean(handshakes(d, &o)));
}

static void after_tls(struct redis_dialog *d)
{
    struct tls_options with = tls_options_of(d->job->target, TLS_MODE_REQUIRE);
    struct tls_options without = with;
    const char *name = jsonx_text(json_object_get(d->job->target, "client"), "server_name");

    with.mode = TLS_MODE_REQUIRE;
    without.mode = TLS_MODE_REQUIRE;
    without.sni = NULL;
    if (with.sni == NULL && name != NULL)
        with.sni = name;
    if (text_eq(json_string_value(jsonx_at(d->evidence, "tls.handshake")), "ok")) {
        if (with.sni != NULL)
            probe_fact(d->evidence, "tls.with_sni",
                    jsonx_must(json_string(answers(d, &with) ? "ok" : "closed")));
        probe_fact(d->evidence, "tls.without_sni",
                jsonx_must(json_string(answers(d, &without) ? "ok" : "closed")));
        if (text_eq(json_string_value(jsonx_at(d->evidence, "redis.closed_after")), "handshake"))
            probe_fact(d->evidence, "tls.closed_after_handshake",
                    jsonx_copy(jsonx_at(d->evidence, "redis.closed_how")));
    } else {
        probe_fact(d->evidence, "redis.tls_on_plaintext_port", json_boolean(answers(d, NULL)));
    }
}

void redis_explain_close(struct redis_dialog *d)
{
    if (json_is_true(jsonx_at(d->evidence, "redis.max_clients_reached")))
        return;
    if (tls_mode_of(d->job->target, TLS_MODE_OFF) == TLS_MODE_OFF)
        after_plaintext(d);
    else
        after_tls(d);
}
