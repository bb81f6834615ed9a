/* Arbitrary bytes as a DNS message: bounded counts, names within their size. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "probe/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolve_answer a = { .status = RESOLVE_OK };

    resolve_parse(data, size, "a.example", size % 2 == 0 ? AF_INET : AF_INET6, &a);
    if (a.count > RESOLVE_ADDRESSES_MAX || a.cname_count > RESOLVE_CNAMES_MAX)
        abort();
    for (size_t i = 0; i < a.cname_count; i++) {
        if (memchr(a.cnames[i], '\0', RESOLVE_NAME_SIZE) == NULL)
            abort();
    }
    return 0;
}
