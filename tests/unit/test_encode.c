/* base64, hex and percent-encoding, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "hex.h"

static void test_base64(void **state)
{
    static const struct {
        const char *clear;
        const char *coded;
        const char *url;
    } rows[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "\xfb\xff\xbf", "+/+/", "-_-_" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf coded = BUF_INIT(100);
        AUTO(buf) struct buf url = BUF_INIT(100);
        AUTO(buf) struct buf back = BUF_INIT(100);
        AUTO(buf) struct buf url_back = BUF_INIT(100);

        encode_base64(&coded, rows[i].clear, strlen(rows[i].clear));
        encode_base64url(&url, rows[i].clear, strlen(rows[i].clear));
        assert_string_equal(buf_text(&coded), rows[i].coded);
        assert_string_equal(buf_text(&url), rows[i].url);
        assert_null(decode_base64(buf_str(&coded), &back));
        assert_null(decode_base64(buf_str(&url), &url_back));
        assert_string_equal(buf_text(&back), rows[i].clear);
        assert_string_equal(buf_text(&url_back), rows[i].clear);
    }
}

static void test_refuses(void **state)
{
    static const char *const base64[] = { "A", "AAAAA",
        "A A=", "AA\n=", "=A==", "AA*=", "A===", "Zg=", "Zg===", "Zm9v=" };
    static const char *const percent[] = { "%", "%4", "a%zz", "%4g", "%%41" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(base64); i++) {
        AUTO(buf) struct buf out = BUF_INIT(100);
        AUTO(err) struct err *e = decode_base64(str_of(base64[i]), &out);

        if (e == NULL)
            fail_msg("%s was taken", base64[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(percent); i++) {
        AUTO(buf) struct buf out = BUF_INIT(100);
        AUTO(err) struct err *e = decode_percent(str_of(percent[i]), &out);

        assert_non_null(e);
    }
}

static void test_all_bytes(void **state)
{
    unsigned char all[256];
    AUTO(buf) struct buf hex = BUF_INIT(1000);
    AUTO(buf) struct buf percent = BUF_INIT(1000);
    AUTO(buf) struct buf back = BUF_INIT(1000);

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    encode_hex(&hex, all, sizeof(all));
    hex_bytes(buf_text(&hex), &back);
    assert_memory_equal(back.p, all, sizeof(all));
    encode_percent(&percent, (struct str){ .p = (const char *)all, .len = sizeof(all) });
    buf_clear(&back);
    assert_null(decode_percent(buf_str(&percent), &back));
    assert_memory_equal(back.p, all, sizeof(all));
    buf_clear(&percent);
    encode_percent(&percent, STR("aZ09-._~ +/@:"));
    assert_string_equal(buf_text(&percent), "aZ09-._~%20%2B%2F%40%3A");
    buf_clear(&back);
    assert_null(decode_percent(STR("a+b%2b"), &back));
    assert_string_equal(buf_text(&back), "a+b+");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_all_bytes),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
