/*
 * fill.c - the sentences of a finding: ${FACT} and its alternatives.
 */
#include "base/alloc.h"
#include "base/jsonx.h"
#include "runbook/runbook.h"

static void add_value(struct buf *out, const json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;

    if (json_is_string(value)) {
        buf_add_text(out, json_string_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach ((json_t *)(uintptr_t)value, i, item) {
            buf_add_text(out, i == 0 ? "" : ", ");
            add_value(out, item);
        }
    } else {
        AUTO(free) char *text = jsonx_dump(value);

        buf_add_text(out, text);
    }
}

/* "A|B|'text'": the first that is known. */
static void add_reference(struct buf *out, struct str reference, const json_t *evidence)
{
    while (reference.p != NULL) {
        const struct str one = str_trim(str_cut(&reference, '|'));

        if (one.len >= 2 && one.p[0] == '\'') {
            buf_add_str(out, str_slice(one, 1, one.len - 1));
            return;
        }
        AUTO(free) char *path = str_dup(one);
        const json_t *value = jsonx_at(evidence, path);

        if (value != NULL && !json_is_null(value)) {
            add_value(out, value);
            return;
        }
    }
    buf_add_text(out, "(unknown)");
}

char *runbook_fill(const char *text, const json_t *evidence)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = str_of(text);

    for (;;) {
        const ptrdiff_t at = str_find(rest, STR("${"));
        const struct str tail = at < 0 ? STR("") : str_slice(rest, (size_t)at + 2, rest.len);
        const ptrdiff_t end = at < 0 ? -1 : str_find(tail, STR("}"));

        if (end < 0)
            break;
        buf_add_str(&out, str_slice(rest, 0, (size_t)at));
        add_reference(&out, str_slice(tail, 0, (size_t)end), evidence);
        rest = str_slice(tail, (size_t)end + 1, tail.len);
    }
    buf_add_str(&out, rest);
    return buf_take(&out);
}
