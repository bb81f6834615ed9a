/* Arbitrary bytes as RESP, in two pieces: the same replies as in one, bounded, no crash. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probe/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(resp) struct resp_reader *r = resp_reader_new();
    const struct str all = { .p = (const char *)data, .len = size };
    const size_t cut = size == 0 ? 0 : data[0] % (size + 1);
    const struct str parts[] = { str_slice(all, 0, cut), str_slice(all, cut, size) };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        json_t *reply = NULL;
        struct err *e = resp_reader_feed(r, parts[i], &reply);

        json_decref(reply);
        if (e != NULL) {
            err_free(e);
            return 0;
        }
    }
    return 0;
}
