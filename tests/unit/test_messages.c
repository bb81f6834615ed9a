/*
 * Messages that only a call below the command line reaches: limits, decoders, what a server or a
 * file of ours may hold. Each call must fail; its message stands in tests/data/messages-unit.txt as
 * a user would read it. UPDATE=1 renews that file: read what changed as a user would.
 * The rest is shown by tests/integration/test_messages.py, which counts this file's, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/address_map.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/num.h"
#include "base/jsonx.h"
#include "base/uri.h"
#include "catalog/eval.h"
#include "catalog/expr_node.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/auth_jwt.h"
#include "hex.h"
#include "http/loop.h"
#include "probe/ch_native.h"
#include "probe/resp.h"
#include "state/state.h"

#define GOLDEN "tests/data/messages-unit.txt"
#define GOLDEN_MAX (1u << 20)

/* What is given to it is shown where it is short: the name says the rest. */
struct call {
    const char *name;
    struct err *(*provoke)(const char *given);
    const char *given;
};

struct area {
    const char *name;
    const struct call *calls;
    size_t count;
};

/* `count` times the text. Owned. */
static char *repeated(const char *text, size_t count)
{
    struct buf out = BUF_INIT(64u << 20);

    for (size_t i = 0; i < count; i++)
        buf_add_text(&out, text);
    return buf_take(&out);
}

/* ---- texts of options and files ---- */

static struct err *base64(const char *given)
{
    AUTO(buf) struct buf out = BUF_INIT(64);

    return decode_base64(str_of(given), &out);
}

static struct err *whole_number(const char *given)
{
    int64_t n = 0;

    return num_parse_i64(str_of(given), 1, 65535, &n);
}

static struct err *number(const char *given)
{
    double n = 0;

    return num_parse_double(str_of(given), 0, 1, &n);
}

static struct err *url(const char *given)
{
    AUTO(uri) struct uri u = { 0 };

    return uri_parse(str_of(given), &u);
}

static struct err *url_of_many(const char *part)
{
    AUTO(free) char *parts = repeated(part, 20000);
    AUTO(free) char *whole = xasprintf("postgresql://a%s", parts);

    return url(whole);
}

static struct err *url_of_101(const char *part)
{
    AUTO(free) char *parts = repeated(part, 101);
    AUTO(free) char *whole = xasprintf("postgresql://a%s", parts);

    return url(whole);
}

static struct err *addresses(const char *given)
{
    struct address_map map = { .count = 0 };

    return address_map_parse(&map, str_of(given));
}

static struct err *many_addresses(const char *rule)
{
    AUTO(free) char *rules = repeated(rule, ADDRESS_MAP_RULES_MAX + 1);

    rules[strlen(rules) - 1] = '\0';
    return addresses(rules);
}

static const struct call texts[] = {
    { "base64, cut off", base64, "AAAAA" },
    { "base64, another character", base64, "AA A" },
    { "base64, too much at its end", base64, "A===" },
    { "a whole number", whole_number, "70000" },
    { "a number", number, "1e3" },
    { "a URL that is too long", url_of_many, "/path" },
    { "a URL with too many hosts", url_of_101, ",a" },
    { "a URL with too many parameters", url_of_101, "?a=1&" },
    { "an address map without the other side", addresses, "10.0.0.0/8" },
    { "an address map without the other port", addresses, ":443" },
    { "too many address maps", many_addresses, "10.0.0.0/8=127.0.0.0/8," },
    { "too many ports in address maps", many_addresses, ":1=:2," },
};

/* ---- bytes of servers ---- */

/* One packet of ClickHouse's native protocol, in hexadecimal digits. */
static struct err *packet(const char *given)
{
    AUTO(buf) struct buf bytes = BUF_INIT(4u << 20);
    struct ch_packet p = { .kind = CH_NEED_MORE };

    hex_bytes(given, &bytes);
    struct err *e = ch_read_packet(buf_str(&bytes), CH_CLIENT_REVISION, &p);

    json_decref(p.value);
    return e;
}

/* An exception in an exception in ... : code, name, message and stack of nothing, and one more. */
static struct err *nested_exceptions(const char *one)
{
    AUTO(free) char *all = repeated(one, 20);
    AUTO(free) char *whole = xasprintf("02%s", all);

    return packet(whole);
}

/* Rows of a column of texts that never come to their end. */
static struct err *endless_packet(const char *row)
{
    AUTO(free) char *rows = repeated(row, 9000);
    AUTO(free)
    char *whole = xasprintf("0100000190"
                            "4e"
                            "0161"
                            "06537472696e67%s",
            rows);

    return packet(whole);
}

static struct err *reply(const char *given)
{
    AUTO(resp) struct resp_reader *r = resp_reader_new();
    json_auto_t *value = NULL;

    return resp_reader_feed(r, str_of(given), &value);
}

static struct err *long_reply(const char *part)
{
    AUTO(free) char *parts = repeated(part, RESP_REPLY_MAX);
    AUTO(free) char *whole = xasprintf("+%s", parts);

    return reply(whole);
}

static const struct call servers[] = {
    { "ClickHouse: a packet of no known kind", packet, "48545450" },
    { "ClickHouse: a number without an end", packet, "ffffffffffffffffffff01" },
    { "ClickHouse: a text of 4 GB", packet, "00ffffffff0f" },
    { "ClickHouse: more columns than are asked for", packet,
            "01000041"
            "01" },
    { "ClickHouse: a type that is not asked for", packet,
            "010000010101610444617465"
            "00" },
    { "ClickHouse: exceptions in exceptions", nested_exceptions,
            "00000000"
            "00"
            "00"
            "00"
            "01" },
    { "ClickHouse: a packet that is too long", endless_packet,
            "80"
            "01"
            "61616161616161616161616161616161616161616161616161616161616161616161616161616161"
            "61616161616161616161616161616161616161616161616161616161616161616161616161616161"
            "61616161616161616161616161616161616161616161616161616161616161616161616161616161"
            "6161616161616161" },
    { "Redis: another protocol", reply, "HTTP/1.1 400 Bad Request\r\n" },
    { "Redis: a reply that is too long", long_reply, "a" },
};

/* ---- expressions, as they are resolved and sent ---- */

static const json_t *document_at(void *arg, const char *address)
{
    (void)address;
    return arg;
}

/* What expansion left over, resolved against one resource. */
static struct err *resolved(const char *left)
{
    json_auto_t *resource = json_pack("{s:s, s:{s:i}}", "id", "/x", "properties", "$secret", 0);
    json_auto_t *doc = json_pack("{s:s}", "$expr", left);
    json_auto_t *value = NULL;
    struct secret_table secrets = { 0 };
    const struct expr_env env = { .arg = resource, .resource = document_at };
    struct err *e = expr_resolve(doc, &env, &secrets, &value);

    secret_table_release(&secrets);
    return e;
}

static struct err *long_expression(const char *part)
{
    AUTO(free) char *parts = repeated(part, EXPR_LEFT_TEXT_MAX);
    AUTO(free) char *whole = xasprintf("'%s'", parts);

    return resolved(whole);
}

static struct err *long_text(const char *part)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(free) char *parts = repeated(part, EXPR_TEXT_MAX);
    struct expr_node *n = NULL;
    size_t offset = 0;

    return expr_parse_template(arena, str_of(parts), &n, &offset);
}

static struct err *no_text(const char *given)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct expr_node *n = NULL;
    size_t offset = 0;

    return expr_parse(arena, str_of(given), &n, &offset);
}

/* A value that is sent before it is known. */
static struct err *sent(const char *mark)
{
    AUTO(buf) struct buf out = BUF_INIT(64);
    json_auto_t *value = json_pack("{s:s}", mark, "resource[\"db.server\"].properties.fqdn");
    const struct secret_table secrets = { 0 };

    return expr_write_wire(value, &secrets, &out);
}

static const struct call expressions[] = {
    { "a document with a member of ours", resolved, "resource['db.server'].properties" },
    { "a resource by a number", resolved, "resource[0].id" },
    { "a secret by a number", resolved, "secret[0]" },
    { "an expression that is too long", long_expression, "a" },
    { "a text that is too long", long_text, "${1}" },
    { "a text of other bytes", no_text, "'\xff'" },
    { "a value that is not known yet is sent", sent, "$unknown" },
    { "an expression is sent", sent, "$expr" },
};

/* ---- logins ---- */

static char *text_of_bio(BIO *bio)
{
    char *p = NULL;
    const long n = BIO_get_mem_data(bio, &p);
    char *text = xmemdup0(p, (size_t)n);

    BIO_free(bio);
    return text;
}

static char *key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return text_of_bio(bio);
}

static char *certificate_text(EVP_PKEY *key)
{
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());

    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_sign(x, key, EVP_sha256());
    PEM_write_bio_X509(bio, x);
    X509_free(x);
    return text_of_bio(bio);
}

/* Signs with a key and the certificate of another (or of the same; NULL: of none). */
static struct err *signed_with(EVP_PKEY *key, EVP_PKEY *of)
{
    AUTO(free) char *private = key_text(key);
    AUTO(free) char *certificate = of == NULL ? xstrdup("") : certificate_text(of);
    AUTO(free) char *pem = xasprintf("%s%s", private, certificate);
    const struct auth_jwt jwt = {
        .audience = "https://login.example", .client_id = "id", .id = "1"
    };
    AUTO(secret) struct secret *token = NULL;

    return auth_jwt_sign(str_of(pem), STR(""), &jwt, &token);
}

/* "rsa 2048 none": a key, its bits or curve, and whose certificate stands beside it. */
static struct err *certificate(const char *given)
{
    EVP_PKEY *key = strstr(given, "curve") != NULL   ? EVP_EC_gen("P-256")
                    : strstr(given, "short") != NULL ? EVP_RSA_gen(512)
                                                     : EVP_RSA_gen(2048);
    EVP_PKEY *other = EVP_EC_gen("P-256");
    struct err *e = signed_with(key, strstr(given, "alone") != NULL   ? NULL
                                     : strstr(given, "other") != NULL ? other
                                                                      : key);

    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return e;
}

static struct err *no_key(const char *password)
{
    const struct auth_jwt jwt = {
        .audience = "https://login.example", .client_id = "id", .id = "1"
    };
    AUTO(secret) struct secret *token = NULL;

    return auth_jwt_sign(STR("no key"), str_of(password), &jwt, &token);
}

static struct err *token_answer(const char *given)
{
    json_auto_t *body = NULL;
    const struct auth_clock clock = { 0 };
    struct auth_token token = { NULL, 0, 0 };

    TRY(jsonx_load(str_of(given), "the answer", &body));
    return auth_answer_read(body, &clock, &token);
}

static const struct call logins[] = {
    { "a file without a key", no_key, "" },
    { "a file that the password does not open", no_key, "wrong" },
    { "a key without its certificate", certificate, "alone" },
    { "a key on a curve", certificate, "curve" },
    { "the certificate of another key", certificate, "other" },
    { "a key that is too short to sign", certificate, "short" },
    { "an answer without a token", token_answer, "{\"access_token\": \"\"}" },
};

/* ---- waiting ---- */

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void ignore(void *arg)
{
    (void)arg;
}

static struct err *ran(struct http_loop *loop, int64_t deadline_ms)
{
    struct err *e = http_loop_run(loop, never, NULL, deadline_ms);

    http_loop_free(loop);
    return e;
}

static struct http_loop *new_loop(void)
{
    struct http_loop *loop = NULL;

    assert_null(http_loop_new(&(struct http_options){ 0 }, &loop));
    return loop;
}

static struct err *nothing_to_wait_for(const char *given)
{
    (void)given;
    return ran(new_loop(), INT64_MAX);
}

static struct err *no_end(const char *given)
{
    struct http_loop *loop = new_loop();

    (void)given;
    http_loop_after(loop, 100000, ignore, NULL);
    return ran(loop, 0);
}

static void keep_error(void *arg, struct http_response *r)
{
    *(struct err **)arg = TAKE(r->e);
}

static bool is_kept(void *arg)
{
    return *(struct err **)arg != NULL;
}

static struct err *too_late(const char *url_given)
{
    struct http_loop *loop = new_loop();
    struct err *e = NULL;

    http_send(loop,
            &(struct http_request){
                    .method = "GET", .url = url_given, .done = keep_error, .arg = (void *)&e });
    assert_null(http_loop_run(loop, is_kept, (void *)&e, INT64_MAX));
    http_loop_free(loop);
    return e;
}

static const struct call waits[] = {
    { "nothing is under way", nothing_to_wait_for, "" },
    { "the time is over", no_end, "" },
    { "a request after its time", too_late,
            "https://user:pw@cloud.example/subscriptions?key=s3cret" },
};

/* ---- the state's lock ---- */

static char folder[] = "/tmp/deployer-messages-XXXXXX";

static struct state_open state_of(bool is_locked)
{
    return (struct state_open){
        .stack_dir = folder, .owner = { .stack = "shop", .target = "azure" }, .is_locked = is_locked
    };
}

static struct err *without_lock(const char *given)
{
    const struct state_open o = state_of(false);
    AUTO(state) struct state *s = NULL;

    (void)given;
    TRY(state_open(&o, &s));
    state_set(s, "suffix", json_string("a"));
    return state_commit(s);
}

/* A commit after force-unlock, and the one after that. */
static struct err *lock_taken(const char *given)
{
    const struct state_open o = state_of(true);
    AUTO(state) struct state *s = NULL;
    AUTO(free) char *holder = NULL;

    TRY(state_open(&o, &s));
    TRY(state_lock_holder(&o, true, &holder));
    state_set(s, "suffix", json_string("a"));
    struct err *e = state_commit(s);

    if (given[0] == '\0')
        return e;
    err_ignore(e, "the next one is looked at");
    return state_commit(s);
}

static const struct call locks[] = {
    { "a change without the lock", without_lock, "" },
    { "a change after the lock was taken away", lock_taken, "" },
    { "and one more", lock_taken, "again" },
};

/* ---- all of them ---- */

static const struct area areas[] = {
    { "texts", texts, ARRAY_LEN(texts) },
    { "bytes of servers", servers, ARRAY_LEN(servers) },
    { "expressions", expressions, ARRAY_LEN(expressions) },
    { "logins", logins, ARRAY_LEN(logins) },
    { "waiting", waits, ARRAY_LEN(waits) },
    { "the state's lock", locks, ARRAY_LEN(locks) },
};

/* As main prints it, but for the name of the folder. */
static void add_told(struct buf *out, const struct call *c, const struct err *e)
{
    struct str text = str_of(err_text(e));
    const ptrdiff_t at = str_find(text, str_of(folder));

    buf_addf(out, "# %s\ndeployer: ", c->name);
    if (at >= 0) {
        buf_addf(out, "%.*sDIR", (int)at, text.p);
        text = str_slice(text, (size_t)at + strlen(folder), text.len);
    }
    buf_addf(out, "%.*s\n", STR_ARG(text));
    if (err_hint(e)[0] != '\0')
        buf_addf(out, "  next: %s\n", err_hint(e));
    buf_addf(out, "exit %d\n\n", err_exit_status(e));
}

static void all_are_as_people_read_them(void **state)
{
    AUTO(buf) struct buf told = BUF_INIT(GOLDEN_MAX);
    AUTO(buf) struct buf golden = BUF_INIT(GOLDEN_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
        buf_addf(&told, "## %s\n\n", areas[i].name);
        for (size_t k = 0; k < areas[i].count; k++) {
            const struct call *c = &areas[i].calls[k];
            AUTO(err) struct err *e = c->provoke(c->given);

            if (e == NULL)
                fail_msg("%s: went well", c->name);
            add_told(&told, c, e);
        }
    }
    if (getenv("UPDATE") != NULL)
        assert_null(file_write(GOLDEN, buf_str(&told), 0644));
    assert_null(file_read(GOLDEN, GOLDEN_MAX, &golden));
    if (!str_eq(buf_str(&told), buf_str(&golden)))
        fail_msg("UPDATE=1 make unit T=messages renews %s: read what changed", GOLDEN);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    err_ignore(file_remove_tree(folder), "a test's folder");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_as_people_read_them),
    };

    return cmocka_run_group_tests_name("messages", tests, make_folder, remove_folder);
}
