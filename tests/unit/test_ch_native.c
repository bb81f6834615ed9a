#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "hex.h"
#include "probe/ch_native.h"

/* Packets as a server of revision 54412 sends them to our client revision. */
static const struct {
    const char *hex;
    enum ch_packet_kind kind;
    const char *json;
} packets[] = {
    /* hello: "ClickHouse" 18.16 54412 "Etc/UTC" */
    { "000a436c69636b486f75736512108ca903074574632f555443", CH_HELLO,
            "{\"major\":18,\"minor\":16,\"name\":\"ClickHouse\",\"revision\":54412,\"timezone\":"
            "\"Etc/UTC\"}" },
    /* exception 193, no nested one */
    { "02c1000000"
      "0d44423a3a457863657074696f6e"
      "0577726f6e67"
      "00"
      "00",
            CH_EXCEPTION, "{\"code\":193,\"message\":\"wrong\",\"name\":\"DB::Exception\"}" },
    /* data: one column "1" UInt8 with one row 1 */
    { "0100"
      "010002ffffffff00"
      "0101"
      "0131"
      "0555496e7438"
      "01",
            CH_DATA, "{\"names\":[\"1\"],\"rows\":[[1]]}" },
    /* data: String, Int32 over two rows */
    { "0100"
      "010002ffffffff00"
      "0202"
      "0173"
      "06537472696e67"
      "0161"
      "026262"
      "0169"
      "05496e743332"
      "ffffffff"
      "02000000",
            CH_DATA, "{\"names\":[\"s\",\"i\"],\"rows\":[[\"a\",-1],[\"bb\",2]]}" },
    { "03010203", CH_PROGRESS, NULL },
    { "04", CH_PONG, NULL },
    { "05", CH_END_OF_STREAM, NULL },
    { "06010101000100", CH_PROFILE_INFO, NULL },
};

static void whole_packets_and_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
        AUTO(buf) struct buf in = BUF_INIT(4096);

        hex_bytes(packets[i].hex, &in);
        for (size_t n = 0; n <= in.len; n++) {
            struct ch_packet p = { 0 };
            AUTO(err)
            struct err *e = ch_read_packet(str_slice(buf_str(&in), 0, n), CH_CLIENT_REVISION, &p);

            if (e != NULL)
                fail_msg("row %zu, %zu bytes: %s", i, n, err_text(e));
            if (n < in.len) {
                assert_int_equal(p.kind, CH_NEED_MORE);
                continue;
            }
            json_auto_t *value = p.value;

            assert_int_equal(p.kind, packets[i].kind);
            assert_int_equal(p.used, in.len);
            if (packets[i].json != NULL) {
                AUTO(free) char *got = jsonx_dump(value);

                assert_string_equal(got, packets[i].json);
            }
        }
    }
}

static void other_protocols_and_hostile_lengths_are_errors(void **state)
{
    static const struct {
        const char *hex;
        enum err_kind kind;
    } rows[] = {
        { "485454502f312e31203430302042616420", ERR_PROTO }, /* "HTTP/1.1 400 Bad " */
        { "1503030002", ERR_PROTO },                         /* a TLS alert */
        { "00ffffffff0f", ERR_LIMIT },                       /* a name of 4 GiB */
        { "0100010002ffffffff00"
          "0180808080808001",
                ERR_LIMIT }, /* rows without end */
        { "0100010002ffffffff00"
          "4101",
                ERR_LIMIT },                     /* 65 columns */
        { "ffffffffffffffffffff01", ERR_PROTO }, /* a number that does not end */
        { "0100010002ffffffff00"
          "0101"
          "0161"
          "04446174655a5a",
                ERR_PROTO }, /* a Date column */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf in = BUF_INIT(4096);
        struct ch_packet p = { 0 };

        hex_bytes(rows[i].hex, &in);
        AUTO(err) struct err *e = ch_read_packet(buf_str(&in), CH_CLIENT_REVISION, &p);

        if (e == NULL)
            fail_msg("%s was accepted", rows[i].hex);
        assert_int_equal(err_kind(e), rows[i].kind);
    }
}

static void hello_carries_the_login(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    AUTO(buf) struct buf hex = BUF_INIT(4096);

    (void)state;
    ch_add_hello(&out, STR("db"), STR("u"), STR("p"));
    encode_hex(&hex, out.p, out.len);
    assert_string_equal(buf_text(&hex), "00"
                                        "086465706c6f796572"
                                        "01"
                                        "01"
                                        "c5a703"
                                        "026462"
                                        "0175"
                                        "0170");
}

static void a_query_ends_with_an_empty_block(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    AUTO(buf) struct buf hex = BUF_INIT(4096);

    (void)state;
    ch_add_query(&out, CH_CLIENT_REVISION, STR("SELECT 1"));
    encode_hex(&hex, out.p, out.len);
    assert_true(str_ends(buf_str(&hex), STR("00"
                                            "02"
                                            "00"
                                            "0853454c4543542031"
                                            "0200"
                                            "010002ffffffff00"
                                            "0000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_packets_and_every_prefix),
        cmocka_unit_test(other_protocols_and_hostile_lengths_are_errors),
        cmocka_unit_test(hello_carries_the_login),
        cmocka_unit_test(a_query_ends_with_an_empty_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
