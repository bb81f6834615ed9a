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

#include "base/address_map.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/uri.h"
#include "hex.h"
#include "http/shared_key.h"
#include "probe/ch_native.h"
#include "probe/resp.h"

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

/* ---- all of them ---- */

static const struct area areas[] = {
    { "texts", texts, ARRAY_LEN(texts) },
    { "bytes of servers", servers, ARRAY_LEN(servers) },
};

/* As main prints it. */
static void add_told(struct buf *out, const struct call *c, const struct err *e)
{
    buf_addf(out, "# %s\ndeployer: %s\n", c->name, err_text(e));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_as_people_read_them),
    };

    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
