#include "probe/ch_native.h"

#include <inttypes.h>

#include "base/jsonx.h"
#include "base/text.h"

/* Revisions from which the server adds something (its own Defines.h). */
#define REVISION_BLOCK_INFO 51903u
#define REVISION_CLIENT_INFO 54032u
#define REVISION_TIMEZONE 54058u
#define REVISION_QUOTA_KEY 54060u
#define REVISION_TOTAL_ROWS 51554u

enum { CLIENT_HELLO = 0, CLIENT_QUERY = 1, CLIENT_DATA = 2 };
enum {
    SERVER_HELLO = 0,
    SERVER_DATA = 1,
    SERVER_EXCEPTION = 2,
    SERVER_PROGRESS = 3,
    SERVER_PONG = 4,
    SERVER_END_OF_STREAM = 5,
    SERVER_PROFILE_INFO = 6,
    SERVER_TOTALS = 7,
    SERVER_EXTREMES = 8,
};

static void add_varint(struct buf *out, uint64_t v)
{
    while (v >= 0x80) {
        buf_add_char(out, (char)(unsigned char)(v | 0x80));
        v >>= 7;
    }
    buf_add_char(out, (char)(unsigned char)v);
}

static void add_text(struct buf *out, struct str s)
{
    add_varint(out, s.len);
    buf_add_str(out, s);
}

void ch_add_hello(struct buf *out, struct str database, struct str user, struct str password)
{
    add_varint(out, CLIENT_HELLO);
    add_text(out, STR("deployer"));
    add_varint(out, 1);
    add_varint(out, 1);
    add_varint(out, CH_CLIENT_REVISION);
    add_text(out, database);
    add_text(out, user);
    add_text(out, password);
}

static void add_client_info(struct buf *out, uint64_t server_revision)
{
    buf_add_char(out, 1); /* initial query */
    add_text(out, STR(""));
    add_text(out, STR(""));
    add_text(out, STR("0.0.0.0:0"));
    buf_add_char(out, 1); /* over TCP */
    add_text(out, STR(""));
    add_text(out, STR(""));
    add_text(out, STR("deployer"));
    add_varint(out, 1);
    add_varint(out, 1);
    add_varint(out, CH_CLIENT_REVISION);
    if (server_revision >= REVISION_QUOTA_KEY)
        add_text(out, STR(""));
}

static void add_empty_block(struct buf *out, uint64_t server_revision)
{
    add_varint(out, CLIENT_DATA);
    add_text(out, STR(""));
    if (server_revision >= REVISION_BLOCK_INFO) {
        add_varint(out, 1);
        buf_add_char(out, 0);
        add_varint(out, 2);
        buf_add(out, "\xff\xff\xff\xff", 4);
        add_varint(out, 0);
    }
    add_varint(out, 0);
    add_varint(out, 0);
}

void ch_add_query(struct buf *out, uint64_t server_revision, struct str query)
{
    add_varint(out, CLIENT_QUERY);
    add_text(out, STR(""));
    if (server_revision >= REVISION_CLIENT_INFO)
        add_client_info(out, server_revision);
    add_text(out, STR("")); /* no settings */
    add_varint(out, 2);     /* to the end */
    add_varint(out, 0);     /* uncompressed */
    add_text(out, query);
    add_empty_block(out, server_revision);
}

/* Reads from the front; `is_short` once something is cut off, `e` once it is wrong. */
struct reader {
    struct str rest;
    bool is_short;
    struct err *e;
};

static bool is_over(const struct reader *r)
{
    return r->is_short || r->e != NULL;
}

static struct str take(struct reader *r, size_t len)
{
    if (is_over(r) || r->rest.len < len) {
        r->is_short = true;
        return STR("");
    }
    const struct str head = str_slice(r->rest, 0, len);

    r->rest = str_slice(r->rest, len, r->rest.len);
    return head;
}

static uint64_t take_varint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        const struct str byte = take(r, 1);

        if (is_over(r))
            return 0;
        v |= (uint64_t)((unsigned char)byte.p[0] & 0x7f) << shift;
        if (((unsigned char)byte.p[0] & 0x80) == 0)
            return v;
    }
    r->e = err_new(ERR_PROTO, 0, "a number of more than 10 bytes: ClickHouse sends none");
    return 0;
}

static struct str take_text(struct reader *r)
{
    const uint64_t len = take_varint(r);

    if (is_over(r))
        return STR("");
    if (len > CH_TEXT_MAX) {
        r->e = err_new(ERR_LIMIT, 0, "a text of %" PRIu64 " bytes exceeds the %u that are read",
                len, CH_TEXT_MAX);
        return STR("");
    }
    return take(r, (size_t)len);
}

static int64_t take_whole(struct reader *r, size_t bytes, bool is_signed)
{
    const struct str raw = take(r, bytes);
    uint64_t v = 0;

    if (is_over(r))
        return 0;
    for (size_t i = bytes; i > 0; i--)
        v = v << 8 | (unsigned char)raw.p[i - 1];
    if (is_signed && bytes < 8 && (v >> (bytes * 8 - 1) & 1) != 0)
        v |= ~(uint64_t)0 << (bytes * 8);
    return (int64_t)v;
}

static json_t *read_hello(struct reader *r)
{
    const struct str name = take_text(r);
    const uint64_t major = take_varint(r);
    const uint64_t minor = take_varint(r);
    const uint64_t revision = take_varint(r);
    /* Both sides' revision decides; ours has the time zone and not the display name. */
    const struct str zone = revision >= REVISION_TIMEZONE ? take_text(r) : STR("");

    if (is_over(r))
        return NULL;
    return jsonx_must(json_pack("{s:o, s:I, s:I, s:I, s:o}", "name", text_json(name), "major",
            (json_int_t)major, "minor", (json_int_t)minor, "revision", (json_int_t)revision,
            "timezone", text_json(zone)));
}

/* Nested causes are read and dropped; a server that nests without end is cut off. */
#define NESTED_MAX 16

static json_t *read_exception(struct reader *r, int depth)
{
    const int64_t code = take_whole(r, 4, true);
    const struct str name = take_text(r);
    const struct str message = take_text(r);

    take_text(r); /* stack trace */
    const bool has_nested = take_whole(r, 1, false) != 0;

    if (is_over(r))
        return NULL;
    if (has_nested && depth == NESTED_MAX)
        r->e = err_new(ERR_LIMIT, 0, "exceptions nested deeper than %d", NESTED_MAX);
    else if (has_nested)
        json_decref(read_exception(r, depth + 1));
    if (is_over(r))
        return NULL;
    return jsonx_must(json_pack("{s:I, s:o, s:o}", "code", (json_int_t)code, "name",
            text_json(name), "message", text_json(message)));
}

static void skip_block_info(struct reader *r)
{
    for (;;) {
        const uint64_t field = take_varint(r);

        if (field == 1)
            take(r, 1);
        else if (field == 2)
            take(r, 4);
        else
            return;
    }
}

static const struct {
    const char *type;
    size_t bytes;
    bool is_signed;
} whole_types[] = {
    { "UInt8", 1, false },
    { "UInt16", 2, false },
    { "UInt32", 4, false },
    { "UInt64", 8, false },
    { "Int8", 1, true },
    { "Int16", 2, true },
    { "Int32", 4, true },
    { "Int64", 8, true },
};

static void read_column(struct reader *r, struct str type, json_t *rows)
{
    size_t i = 0;
    json_t *row = NULL;

    if (str_eq(type, STR("String"))) {
        json_array_foreach (rows, i, row) {
            json_array_append_new(row, text_json(take_text(r)));
            if (is_over(r))
                return;
        }
        return;
    }
    for (size_t t = 0; t < ARRAY_LEN(whole_types); t++) {
        if (!str_eq(type, str_of(whole_types[t].type)))
            continue;
        json_array_foreach (rows, i, row) {
            json_array_append_new(row,
                    json_integer(take_whole(r, whole_types[t].bytes, whole_types[t].is_signed)));
            if (is_over(r))
                return;
        }
        return;
    }
    r->e = err_new(ERR_PROTO, 0,
            "a column of type %.*s was not asked for: only String and whole numbers are read",
            STR_ARG(str_slice(type, 0, 64)));
}

static json_t *read_block(struct reader *r, uint64_t server_revision)
{
    take_text(r); /* name of the external table */
    if (server_revision >= REVISION_BLOCK_INFO)
        skip_block_info(r);
    const uint64_t columns = take_varint(r);
    const uint64_t row_count = take_varint(r);

    if (is_over(r))
        return NULL;
    if (columns > CH_COLUMNS_MAX || row_count > CH_ROWS_MAX) {
        r->e = err_new(ERR_LIMIT, 0,
                "a block of %" PRIu64 " columns and %" PRIu64 " rows exceeds %u and %u", columns,
                row_count, CH_COLUMNS_MAX, CH_ROWS_MAX);
        return NULL;
    }
    json_auto_t *block = jsonx_must(json_pack("{s:[], s:[]}", "names", "rows"));
    json_t *rows = json_object_get(block, "rows");

    for (uint64_t i = 0; i < row_count; i++)
        json_array_append_new(rows, jsonx_must(json_array()));
    for (uint64_t i = 0; i < columns && !is_over(r); i++) {
        json_array_append_new(json_object_get(block, "names"), text_json(take_text(r)));
        const struct str type = take_text(r);

        if (!is_over(r))
            read_column(r, type, rows);
    }
    return is_over(r) ? NULL : json_incref(block);
}

static void read_body(
        struct reader *r, uint64_t type, uint64_t server_revision, struct ch_packet *ret)
{
    switch (type) {
    case SERVER_HELLO:
        ret->kind = CH_HELLO;
        ret->value = read_hello(r);
        break;
    case SERVER_DATA:
        ret->kind = CH_DATA;
        ret->value = read_block(r, server_revision);
        break;
    case SERVER_TOTALS:
    case SERVER_EXTREMES:
        ret->kind = CH_OTHER;
        json_decref(read_block(r, server_revision));
        break;
    case SERVER_EXCEPTION:
        ret->kind = CH_EXCEPTION;
        ret->value = read_exception(r, 0);
        break;
    case SERVER_PROGRESS:
        ret->kind = CH_PROGRESS;
        take_varint(r);
        take_varint(r);
        if (server_revision >= REVISION_TOTAL_ROWS)
            take_varint(r);
        break;
    case SERVER_PROFILE_INFO:
        ret->kind = CH_PROFILE_INFO;
        for (int i = 0; i < 3; i++)
            take_varint(r);
        take(r, 1);
        take_varint(r);
        take(r, 1);
        break;
    case SERVER_PONG:
        ret->kind = CH_PONG;
        break;
    case SERVER_END_OF_STREAM:
        ret->kind = CH_END_OF_STREAM;
        break;
    default:
        r->e = err_new(ERR_PROTO, (long)type, "unexpected packet [%" PRIu64 "] from server", type);
    }
}

struct err *ch_read_packet(struct str in, uint64_t server_revision, struct ch_packet *ret)
{
    struct reader r = { .rest = in };
    struct ch_packet p = { .kind = CH_NEED_MORE };
    const uint64_t type = take_varint(&r);

    if (!is_over(&r))
        read_body(&r, type, server_revision, &p);
    if (r.e != NULL || r.is_short) {
        json_decref(p.value);
        if (r.e == NULL && in.len > CH_PACKET_MAX)
            r.e = err_new(
                    ERR_LIMIT, 0, "a packet exceeds the %u bytes that are read", CH_PACKET_MAX);
        if (r.e == NULL)
            *ret = (struct ch_packet){ .kind = CH_NEED_MORE };
        return r.e;
    }
    p.used = in.len - r.rest.len;
    *ret = p;
    return NULL;
}
