#include "probe/tls_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/hello.h"
#include "probe/net.h"
#include "probe/tls_certificate.h"

/* As for any first answer: silence must leave time to find out what is there. */
#define HANDSHAKE_MS 4000

struct tls_session {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    int alert;
    bool is_cert_requested;
    bool is_answered; /* the peer's first bytes were looked at */
    bool is_tls;
    char first[64];
    size_t first_len;
};

enum tls_mode tls_mode_of(const json_t *target, enum tls_mode otherwise)
{
    const char *word = jsonx_text(target, "tls");

    if (text_eq(word, "off"))
        return TLS_MODE_OFF;
    if (text_eq(word, "require"))
        return TLS_MODE_REQUIRE;
    if (text_eq(word, "verify-ca"))
        return TLS_MODE_VERIFY_CA;
    return text_eq(word, "verify") ? TLS_MODE_VERIFY : otherwise;
}

static bool is_ip(const char *host)
{
    unsigned char raw[16];

    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

struct tls_options tls_options_of(const json_t *target, enum tls_mode otherwise)
{
    const char *host = jsonx_text(target, "host");
    const char *name = jsonx_text(target, "server_name");

    if (name == NULL || name[0] == '\0')
        name = host;
    return (struct tls_options){ .mode = tls_mode_of(target, otherwise),
        .check_name = name,
        .sni = name == NULL || is_ip(name) ? NULL : name };
}

static int on_cert_request(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct tls_session *s = SSL_get_app_data(ssl);

    (void)cert;
    (void)key;
    s->is_cert_requested = true;
    return 0; /* none to give */
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_session *s = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && s != NULL)
        s->alert = value & 0xff;
}

static struct tls_session *session_new(
        const struct probe_job *job, int fd, const struct tls_options *o)
{
    struct tls_session *s = xcalloc(1, sizeof(*s));
    const char *own_ca = jsonx_text(job->target, "ca");

    s->fd = fd;
    s->ctx = SSL_CTX_new(TLS_client_method());
    if (s->ctx == NULL)
        die_oom();
    SSL_CTX_set_default_verify_paths(s->ctx);
    if (job->net->ca_file != NULL)
        SSL_CTX_load_verify_locations(s->ctx, job->net->ca_file, NULL);
    if (own_ca != NULL)
        SSL_CTX_load_verify_locations(s->ctx, own_ca, NULL);
    SSL_CTX_set_client_cert_cb(s->ctx, on_cert_request);
    SSL_CTX_set_info_callback(s->ctx, on_info);
    SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
    if (o->max_version != 0)
        SSL_CTX_set_max_proto_version(s->ctx, o->max_version);
    s->ssl = SSL_new(s->ctx);
    if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1)
        die_oom();
    SSL_set_app_data(s->ssl, s);
    if (o->sni != NULL)
        /* SSL_set_tlsext_host_name, whose cast clang doesn't let pass. */
        SSL_ctrl(s->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                (void *)(uintptr_t)o->sni);
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (s == NULL)
        return;
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    ERR_clear_error();
    free(s);
}

/* Looks at the first bytes without taking them: a TLS answer is a handshake (22) or an alert (21).
 */
static void look_at_answer(struct tls_session *s)
{
    const ssize_t n = recv(s->fd, s->first, sizeof(s->first), MSG_PEEK);

    if (n <= 0)
        return;
    s->is_answered = true;
    s->first_len = (size_t)n;
    s->is_tls = s->first[0] == 0x16 || s->first[0] == 0x15;
}

enum io_outcome { IO_DONE, IO_CLOSED, IO_RESET, IO_TIMEOUT, IO_PROTOCOL };

/* Waits for what `rc`, the answer of an SSL call, asks for; IO_DONE means: call again. */
static enum io_outcome wait_for_ssl(struct tls_session *s, int rc, int64_t deadline_ms)
{
    const int saved_errno = errno;

    switch (SSL_get_error(s->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        if (!net_wait(s->fd, POLLIN, deadline_ms))
            return IO_TIMEOUT;
        if (!s->is_answered)
            look_at_answer(s);
        return IO_DONE;
    case SSL_ERROR_WANT_WRITE:
        return net_wait(s->fd, POLLOUT, deadline_ms) ? IO_DONE : IO_TIMEOUT;
    case SSL_ERROR_ZERO_RETURN:
        return IO_CLOSED;
    case SSL_ERROR_SYSCALL:
        return saved_errno == ECONNRESET || saved_errno == EPIPE ? IO_RESET : IO_CLOSED;
    default:
        /* OpenSSL 3 reports an end of stream without close_notify as a protocol error. */
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? IO_CLOSED
                                                                                      : IO_PROTOCOL;
    }
}

static enum io_outcome handshake(struct tls_session *s, int64_t deadline_ms)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int rc = SSL_connect(s->ssl);

        if (rc == 1)
            return IO_DONE;
        const enum io_outcome outcome = wait_for_ssl(s, rc, deadline_ms);

        if (outcome != IO_DONE)
            return outcome;
    }
}

static const char *const peers[] = { "http", "redis", "postgres", "clickhouse", "none" };

/* What spoke instead of TLS. */
static const char *peer_protocol(struct str first)
{
    if (str_starts(first, STR("HTTP/")))
        return peers[0];
    if (first.len > 0 && (first.p[0] == '-' || first.p[0] == '+'))
        return peers[1];
    if (first.len > 0 && (first.p[0] == 'E' || first.p[0] == 'R'))
        return peers[2];
    if (first.len > 4 && first.p[0] == 2 && str_find(first, STR("DB::")) >= 0)
        return peers[3];
    return peers[4];
}

/* Silence on a ClientHello: something else may well answer to its own protocol. */
static void look_for_another_protocol(const struct probe_job *job, json_t *evidence, int fd)
{
    struct net_address peer = { .len = sizeof(peer.dialled) };

    if (getpeername(fd, (struct sockaddr *)&peer.dialled, &peer.len) != 0)
        return;
    peer.told = peer.dialled;
    hello_try_all(job, evidence, &peer);
}

static void record_failure(const struct probe_job *job, json_t *evidence, struct tls_session *s,
        enum io_outcome outcome)
{
    const bool not_tls = s->is_answered && !s->is_tls;
    const char *word = not_tls                 ? "not_tls"
                       : outcome == IO_TIMEOUT ? "timeout"
                       : outcome == IO_CLOSED  ? "closed"
                       : outcome == IO_RESET   ? "reset"
                                               : "failed";
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    char reason[160] = "";
    char code[32] = "";

    probe_fact(evidence, "tls.handshake", jsonx_must(json_string(word)));
    if (s->alert != 0) {
        probe_fact(evidence, "tls.alert", json_integer(s->alert));
        snprintf(code, sizeof(code), "alert %d", s->alert);
    }
    if (not_tls) {
        const struct str first = { .p = s->first, .len = s->first_len };

        probe_fact_text(job, evidence, "tls.peer_first_bytes", first);
        probe_fact(evidence, "tls.peer_protocol", jsonx_must(json_string(peer_protocol(first))));
    }
    ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
    buf_addf(&text, "TLS handshake: %s%s%s", word, ERR_peek_error() != 0 ? ": " : "",
            ERR_peek_error() != 0 ? reason : "");
    probe_failed(job, evidence, code[0] != '\0' ? code : word, buf_str(&text));
}

static bool record_success(const struct probe_job *job, json_t *evidence, struct tls_session *s,
        const struct tls_options *o)
{
    const struct tls_verdict v = tls_certificate_record(evidence, s->ssl, o->check_name);

    probe_fact(evidence, "tls.handshake", jsonx_must(json_string("ok")));
    probe_fact(evidence, "tls.version", jsonx_must(json_string(SSL_get_version(s->ssl))));
    probe_fact(evidence, "tls.cipher", jsonx_must(json_string(SSL_get_cipher_name(s->ssl))));
    if (v.is_ok || o->mode < TLS_MODE_VERIFY_CA
            || (o->mode == TLS_MODE_VERIFY_CA && text_eq(v.word, "name-mismatch")))
        return true;
    probe_failed(job, evidence, v.word, str_of(v.text));
    return false;
}

bool tls_session_open(const struct probe_job *job, json_t *evidence, int fd,
        const struct tls_options *o, struct tls_session **ret)
{
    AUTO(tls) struct tls_session *s = session_new(job, fd, o);

    probe_step(evidence, "tls");
    if (o->sni != NULL)
        probe_fact(evidence, "tls.server_name_sent", jsonx_must(json_string(o->sni)));
    const int64_t own_ms = clock_now_ms() + HANDSHAKE_MS;
    const enum io_outcome outcome =
            handshake(s, own_ms < job->deadline_ms ? own_ms : job->deadline_ms);

    probe_fact(evidence, "tls.client_cert_requested", json_boolean(s->is_cert_requested));
    if (outcome != IO_DONE) {
        record_failure(job, evidence, s, outcome);
        if (outcome == IO_TIMEOUT && !s->is_answered)
            look_for_another_protocol(job, evidence, fd);
        return false;
    }
    const bool is_good = record_success(job, evidence, s, o);

    *ret = TAKE(s);
    return is_good;
}

bool tls_session_send(struct tls_session *s, struct str bytes, int64_t deadline_ms)
{
    while (bytes.len > 0) {
        ERR_clear_error();
        errno = 0;
        const int rc =
                SSL_write(s->ssl, bytes.p, bytes.len > INT32_MAX ? INT32_MAX : (int)bytes.len);

        if (rc > 0) {
            bytes = str_slice(bytes, (size_t)rc, bytes.len);
            continue;
        }
        const enum io_outcome outcome = wait_for_ssl(s, rc, deadline_ms);

        if (outcome != IO_DONE) {
            errno = outcome == IO_TIMEOUT ? ETIMEDOUT : outcome == IO_RESET ? ECONNRESET : EPIPE;
            return false;
        }
    }
    return true;
}

ssize_t tls_session_recv(struct tls_session *s, void *p, size_t len, int64_t deadline_ms)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int rc = SSL_read(s->ssl, p, len > INT32_MAX ? INT32_MAX : (int)len);

        if (rc > 0)
            return rc;
        switch (wait_for_ssl(s, rc, deadline_ms)) {
        case IO_DONE:
            break;
        case IO_CLOSED:
            return 0;
        case IO_TIMEOUT:
            errno = ETIMEDOUT;
            return -1;
        case IO_RESET:
            errno = ECONNRESET;
            return -1;
        case IO_PROTOCOL:
        default:
            errno = EPROTO;
            return -1;
        }
    }
}

int tls_session_alert(const struct tls_session *s)
{
    return s->alert;
}

const char *tls_try(
        const struct probe_job *job, int fd, const struct tls_options *o, int64_t deadline_ms)
{
    AUTO(tls) struct tls_session *s = session_new(job, fd, o);

    switch (handshake(s, deadline_ms)) {
    case IO_DONE:
        return "ok";
    case IO_TIMEOUT:
        return "timeout";
    case IO_CLOSED:
    case IO_RESET:
        return "closed";
    case IO_PROTOCOL:
    default:
        return "failed";
    }
}
