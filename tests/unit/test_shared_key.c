#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/encode.h"
#include "http/shared_key.h"

static void signs_what_the_specification_says(void **state)
{
    AUTO(secret) struct secret *key = secret_new(STR("a2V5")); /* "key" */
    const struct shared_key_request r = {
        .account = "acc",
        .key = key,
        .method = "PUT",
        .path = "/acc/c/b",
        .query = "timeout=20&comp=lease",
        .headers = { { "x-ms-version", "2021-12-02" }, { "x-ms-date", "d" },
                { "content-length", "" }, { "if-match", "e" } },
        .header_count = 4,
    };
    /* The string to sign, written out by hand. */
    const struct str expected = STR("PUT\n\n\n\n\n\n\n\ne\n\n\n\n"
                                    "x-ms-date:d\nx-ms-version:2021-12-02\n"
                                    "/acc/acc/c/b\ncomp:lease\ntimeout:20");
    AUTO(buf) struct buf got = BUF_INIT(1024);
    AUTO(buf) struct buf want = BUF_INIT(1024);
    unsigned char mac[DIGEST_SHA256_BYTES];
    AUTO(err) struct err *e = shared_key_sign(&r, &got);

    (void)state;
    assert_null(e);
    digest_hmac_sha256(STR("key"), expected, mac);
    buf_add_text(&want, "SharedKey acc:");
    encode_base64(&want, mac, sizeof(mac));
    assert_string_equal(buf_text(&got), buf_text(&want));
}

static void a_key_that_is_no_base64_is_named_but_not_shown(void **state)
{
    AUTO(secret) struct secret *key = secret_new(STR("not base64 at all!"));
    const struct shared_key_request r = {
        .account = "acc", .key = key, .method = "GET", .path = "/", .query = ""
    };
    AUTO(buf) struct buf got = BUF_INIT(1024);
    AUTO(err) struct err *e = shared_key_sign(&r, &got);

    (void)state;
    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_CONFIG);
    assert_string_equal(err_text(e), "the key of storage account acc is not base64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_what_the_specification_says),
        cmocka_unit_test(a_key_that_is_no_base64_is_named_but_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
