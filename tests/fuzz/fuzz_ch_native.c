/* Arbitrary bytes as packets of ClickHouse's native protocol: a packet never takes more than there
 * is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "probe/ch_native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { .p = (const char *)data, .len = size };

    while (rest.len > 0) {
        struct ch_packet p = { 0 };
        struct err *e = ch_read_packet(rest, CH_CLIENT_REVISION, &p);

        if (e != NULL) {
            err_free(e);
            return 0;
        }
        json_decref(p.value);
        if (p.kind == CH_NEED_MORE)
            return 0;
        if (p.used == 0 || p.used > rest.len)
            abort();
        rest = str_slice(rest, p.used, rest.len);
    }
    return 0;
}
