/*
 * doc_pack.h - a document as bytes and back, places included. The build packs the files that go
 * into the binary (tools/pack.c), so that a run need not parse YAML that never changes: unpacking
 * takes a twentieth of the time. Bytes from outside never come here.
 */
#ifndef BASE_DOC_PACK_H
#define BASE_DOC_PACK_H

#include "base/buf.h"
#include "base/doc.h"

void doc_pack(const struct doc_node *root, struct buf *out);
/*
 * The document that was packed; `file` is what its places name. Nodes live in `arena`, keys and
 * values are those in `packed` and live as long as it does. Bytes that doc_pack did not write
 * abort.
 */
const struct doc_node *doc_unpack(struct arena *arena, struct str packed, const char *file);

#endif
