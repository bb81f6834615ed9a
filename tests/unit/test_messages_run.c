/* Messages of what a run needs: logins, waits, locks, files. */
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

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/auth_jwt.h"
#include "http/loop.h"
#include "messages.h"
#include "pem.h"
#include "state/state.h"
#include "verify/environment.h"

/* ---- logins ---- */

/* Signs with a key and the certificate of another (or of the same; NULL: of none). */
static struct err *signed_with(EVP_PKEY *key, EVP_PKEY *of)
{
    AUTO(free) char *private = pem_of_key(key, NULL);
    AUTO(free) char *certificate = of == NULL ? xstrdup("") : pem_of_certificate(of);
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

static struct state_open state_of(bool is_locked)
{
    return (struct state_open){ .stack_dir = message_folder,
        .owner = { .stack = "shop", .target = "azure" },
        .is_locked = is_locked };
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

/* ---- files ---- */

static struct err *made_twice(const char *name)
{
    AUTO(free) char *path = file_join(message_folder, name);

    TRY(file_create(path, STR("a"), 0600));
    return file_create(path, STR("b"), 0600);
}

static struct err *rules_of_another_form(const char *given)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(environment) struct environment env = { .problems = NULL };
    json_auto_t *rules = NULL;

    TRY(jsonx_load(str_of(given), "the rules", &rules));
    return environment_read(arena, rules, NULL, 0, &env);
}

static const struct call files[] = {
    { "a file that is there already", made_twice, "stack.yaml" },
    { "rules for environments that are not ours", rules_of_another_form, "{\"format\": 2}" },
};

static void all_are_as_people_read_them(void **state)
{
    static const struct area areas[] = {
        { "logins", logins, ARRAY_LEN(logins) },
        { "waiting", waits, ARRAY_LEN(waits) },
        { "the state's lock", locks, ARRAY_LEN(locks) },
        { "files", files, ARRAY_LEN(files) },
    };

    (void)state;
    messages_compare(areas, ARRAY_LEN(areas), "tests/data/messages-unit-run.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_as_people_read_them),
    };

    return cmocka_run_group_tests_name(
            "messages_run", tests, message_folder_make, message_folder_remove);
}
