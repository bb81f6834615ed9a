#include "probe/tls_certificate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "probe/probe.h"

#define CHAIN_MAX 10
#define NAMES_MAX 100

static json_t *name_json(const X509_NAME *name)
{
    char text[256] = "";

    X509_NAME_oneline(name, text, sizeof(text));
    return text_json(str_of(text));
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm = { 0 };

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static json_t *date_json(const ASN1_TIME *t)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(time_of(t) * 1000, text);
    return jsonx_must(json_string(text));
}

static void record_chain(json_t *evidence, SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    json_t *list = jsonx_must(json_array());

    for (int i = 0; chain != NULL && i < sk_X509_num(chain) && i < CHAIN_MAX; i++) {
        const X509 *c = sk_X509_value(chain, i);
        json_t *o = jsonx_must(json_object());

        json_object_set_new(o, "subject", name_json(X509_get_subject_name(c)));
        json_object_set_new(o, "issuer", name_json(X509_get_issuer_name(c)));
        json_object_set_new(o, "not_before", date_json(X509_get0_notBefore(c)));
        json_object_set_new(o, "not_after", date_json(X509_get0_notAfter(c)));
        json_array_append_new(list, o);
    }
    probe_fact(evidence, "tls.chain", list);
}

static json_t *ip_json(const ASN1_OCTET_STRING *ip)
{
    const int len = ASN1_STRING_length(ip);
    char text[INET6_ADDRSTRLEN] = "";

    if (len == 4 || len == 16)
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text, sizeof(text));
    return jsonx_must(json_string(text));
}

static void record_names(json_t *evidence, X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    json_t *dns = jsonx_must(json_array());
    json_t *ips = jsonx_must(json_array());

    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

        if (n->type == GEN_DNS)
            json_array_append_new(dns,
                    text_json((struct str){ .p = (const char *)ASN1_STRING_get0_data(n->d.dNSName),
                            .len = (size_t)ASN1_STRING_length(n->d.dNSName) }));
        else if (n->type == GEN_IPADD)
            json_array_append_new(ips, ip_json(n->d.iPAddress));
    }
    GENERAL_NAMES_free(names);
    probe_fact(evidence, "tls.names", dns);
    probe_fact(evidence, "tls.ip_names", ips);
}

static bool holds_name(X509 *leaf, const char *name)
{
    unsigned char raw[16];

    if (inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1)
        return X509_check_ip_asc(leaf, name, 0) == 1;
    return X509_check_host(leaf, name, 0, 0, NULL) == 1;
}

static const char *chain_word(long code)
{
    switch (code) {
    case X509_V_OK:
        return "ok";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "not-yet-valid";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "self-signed";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "unknown-ca";
    default:
        return "other";
    }
}

struct tls_verdict tls_certificate_record(json_t *evidence, SSL *ssl, const char *check_name)
{
    X509 *leaf = SSL_get1_peer_certificate(ssl);
    const long code = SSL_get_verify_result(ssl);
    struct tls_verdict v = { .is_ok = code == X509_V_OK, .word = chain_word(code) };

    snprintf(v.text, sizeof(v.text), "certificate: %s", X509_verify_cert_error_string(code));
    record_chain(evidence, ssl);
    if (leaf == NULL)
        return (struct tls_verdict){ .word = "other", .text = "the peer sent no certificate" };
    record_names(evidence, leaf);
    probe_fact(evidence, "tls.not_after", date_json(X509_get0_notAfter(leaf)));
    probe_fact(evidence, "tls.days_left",
            json_integer((time_of(X509_get0_notAfter(leaf)) - clock_wall_ms() / 1000) / 86400));
    if (check_name != NULL) {
        const bool matches = holds_name(leaf, check_name);

        probe_fact(evidence, "tls.checked_name", text_json(str_of(check_name)));
        probe_fact(evidence, "tls.name_matches", json_boolean(matches));
        if (v.is_ok && !matches) {
            v.is_ok = false;
            v.word = "name-mismatch";
            snprintf(v.text, sizeof(v.text), "the certificate does not name %s", check_name);
        }
    }
    probe_fact(evidence, "tls.verify", jsonx_must(json_string(v.word)));
    probe_fact(evidence, "tls.verify_code", json_integer(code));
    probe_fact(evidence, "tls.verify_text", jsonx_must(json_string(v.text)));
    X509_free(leaf);
    return v;
}
