/* A state's bytes: the first line is the snapshot, the rest the journal. Whatever they are, what is
 * read is whole, and a journal that was cut where told reads the same again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "state/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char start[] =
        "{\"format_version\":1,\"lineage\":\"L\",\"serial\":3,\"salt\":\"00\",\"owner\":{},"
        "\"entries\":{},\"intents\":{}}";

static void replay(struct str journal)
{
    json_t *document = json_loads(start, 0, NULL);
    json_t *again = json_loads(start, 0, NULL);
    size_t good = 0;
    size_t good_again = 0;
    struct err *e = record_replay(document, journal, "journal", &good);

    if (e == NULL) {
        assert(good <= journal.len);
        assert(good == 0 || journal.p[good - 1] == '\n');
        struct err *second =
                record_replay(again, str_slice(journal, 0, good), "journal", &good_again);

        assert(second == NULL && good_again == good && json_equal(document, again));
        assert(jsonx_int(document, "serial", 0) >= 3);
    }
    err_free(e);
    json_decref(document);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { .p = (const char *)data, .len = size };
    json_t *document = NULL;

    replay(rest);
    struct str snapshot = str_cut(&rest, '\n');
    struct err *e = record_read_snapshot(snapshot, "state", &document);

    if (e == NULL) {
        char *text = record_snapshot(document);
        json_t *same = NULL;
        struct err *second = record_read_snapshot(str_of(text), "state", &same);

        assert(second == NULL && json_equal(document, same));
        json_decref(same);
        free(text);
    }
    err_free(e);
    json_decref(document);
    return 0;
}
