/*
 * ch_native.h - ClickHouse's native protocol as far as a probe needs it: hello with login, a query,
 * columns of text and whole numbers, exceptions. Pure: bytes in, packets out; no socket, no clock.
 * The client says revision 54213 (that of clickhouse-go 1.4.3, which Langfuse's migrations use):
 * servers from 18.16 to current ones still speak it.
 * Source: the protocol of https://clickhouse.com/docs/native-protocol
 */
#ifndef PROBE_CH_NATIVE_H
#define PROBE_CH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define CH_CLIENT_REVISION 54213u
#define CH_TEXT_MAX (256u << 10) /* bytes of one text */
#define CH_PACKET_MAX (1u << 20) /* bytes of one packet */
#define CH_COLUMNS_MAX 64u
#define CH_ROWS_MAX 10000u

enum ch_packet_kind {
    CH_NEED_MORE,
    CH_HELLO,
    CH_DATA,
    CH_EXCEPTION,
    CH_PROGRESS,
    CH_PONG,
    CH_END_OF_STREAM,
    CH_PROFILE_INFO,
    CH_OTHER, /* totals, extremes, log: read and dropped */
};

struct ch_packet {
    enum ch_packet_kind kind;
    size_t used; /* bytes it takes; 0 for CH_NEED_MORE */
    /*
     * CH_HELLO: {"name", "major", "minor", "revision", "timezone", "display_name"};
     * CH_EXCEPTION: {"code", "name", "message"}; CH_DATA: {"names": [...], "rows": [[...], ...]}.
     * Owned by the caller; NULL otherwise.
     */
    json_t *value;
};

void ch_add_hello(struct buf *out, struct str database, struct str user, struct str password);
/* A query with the empty block that ends external data. `server_revision` is from the hello. */
void ch_add_query(struct buf *out, uint64_t server_revision, struct str query);
/*
 * Decodes the packet at the head of `in`.
 * Errors: ERR_PROTO not this protocol, or a column type that is not read; ERR_LIMIT.
 */
MUST_CHECK struct err *ch_read_packet(
        struct str in, uint64_t server_revision, struct ch_packet *ret);

#endif
