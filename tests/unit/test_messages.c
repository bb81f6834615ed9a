/* Messages of what reads texts and bytes: limits, decoders, expressions. */
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
#include "base/num.h"
#include "base/uri.h"
#include "catalog/eval.h"
#include "catalog/expr_node.h"
#include "hex.h"
#include "messages.h"
#include "probe/ch_native.h"
#include "probe/resp.h"

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

static void all_are_as_people_read_them(void **state)
{
    static const struct area areas[] = {
        { "texts", texts, ARRAY_LEN(texts) },
        { "bytes of servers", servers, ARRAY_LEN(servers) },
        { "expressions", expressions, ARRAY_LEN(expressions) },
    };

    (void)state;
    messages_compare(areas, ARRAY_LEN(areas), "tests/data/messages-unit.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_as_people_read_them),
    };

    return cmocka_run_group_tests_name(
            "messages", tests, message_folder_make, message_folder_remove);
}
