/* Hashes against published vectors; randomness; UUIDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"

static void test_sha256(void **state)
{
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    digest_sha256_hex(STR(""), hex); /* FIPS 180-4 examples */
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256_hex(STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_hmac(void **state)
{
    unsigned char raw[DIGEST_SHA256_BYTES];
    AUTO(buf) struct buf hex = BUF_INIT(100);

    (void)state;
    digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), raw); /* RFC 4231, 2 */
    encode_hex(&hex, raw, sizeof(raw));
    assert_string_equal(
            buf_text(&hex), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_secret_digest(void **state)
{
    AUTO(secret) struct secret *a = secret_new(STR("hunter2hunter2"));
    AUTO(secret) struct secret *b = secret_new(STR("hunter2hunter3"));
    AUTO(free) char *one = digest_secret(a, STR("salt"));
    AUTO(free) char *again = digest_secret(a, STR("salt"));
    AUTO(free) char *salted = digest_secret(a, STR("other"));
    AUTO(free) char *other = digest_secret(b, STR("salt"));

    (void)state;
    assert_string_equal(one, again);
    assert_string_not_equal(one, salted);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), 7 + 64);
    assert_memory_equal(one, "scrypt:", 7);
}

static void test_random(void **state)
{
    AUTO(free) char *text = digest_random_text("abc", 3000);
    AUTO(free) char *none = digest_random_text("abc", 0);
    AUTO(free) char *same = digest_random_text("x", 4);
    size_t counts[3] = { 0 };

    (void)state;
    assert_int_equal(strspn(text, "abc"), 3000);
    for (size_t i = 0; i < 3000; i++)
        counts[text[i] - 'a']++;
    for (size_t i = 0; i < 3; i++)
        assert_in_range(counts[i], 800, 1200); /* five standard deviations are 130 */
    assert_string_equal(none, "");
    assert_string_equal(same, "xxxx");
}

static void test_uuid(void **state)
{
    char a[DIGEST_UUID_SIZE];
    char b[DIGEST_UUID_SIZE];

    (void)state;
    digest_uuid4(a);
    digest_uuid4(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    digest_uuid5(STR("https://example.com/"), a);
    digest_uuid5(STR("https://example.com/"), b);
    assert_string_equal(a, b);
    digest_uuid5(STR("http://www.example.com/"), a);
    assert_string_equal(a, "fcde3c85-2270-590f-9e7c-ee003d65e0e2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_secret_digest),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_uuid),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
