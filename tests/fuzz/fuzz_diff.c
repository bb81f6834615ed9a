/* Two documents, a line each: a document compared with itself never differs, a merge patch that is
 * applied leaves nothing to change but what lists and names in two spellings hide, nothing crashes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/jsonx.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *read_line(struct str *rest)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_cut(rest, '\n'), "input", &j);

    err_free(e);
    return j;
}

static void compare(const json_t *desired, const json_t *last, const json_t *actual)
{
    struct arena *arena = arena_new();
    struct change_list found = { 0 };
    struct change_list drift = { 0 };
    const struct diff_input in = {
        .desired = desired, .last_applied = last, .actual = actual, .observed = last
    };

    plan_diff(arena, &in, &found, &drift);
    for (size_t i = 0; i < found.count; i++) {
        json_t *j = plan_change_json(&found.items[i]);

        assert(found.items[i].path != NULL);
        json_decref(j);
    }
    if (json_is_object(desired) && json_is_object(actual)) {
        json_t *patch = plan_merge_patch(&in, &found);

        assert(json_object_size(patch) <= found.count);
        json_decref(patch);
    }
    arena_free(arena);
}

static void compare_with_itself(const json_t *j)
{
    struct arena *arena = arena_new();
    struct change_list found = { 0 };
    const struct diff_input in = { .desired = j, .actual = j };

    plan_diff(arena, &in, &found, NULL);
    assert(found.count == 0);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { .p = (const char *)data, .len = size };
    json_t *a = read_line(&rest);
    json_t *b = rest.p == NULL ? NULL : read_line(&rest);
    json_t *c = rest.p == NULL ? NULL : read_line(&rest);

    /* Marks are not plain documents: an unknown value always differs. */
    if (a != NULL && str_find((struct str){ (const char *)data, size }, STR("$")) < 0
            && str_find((struct str){ (const char *)data, size }, STR("\\u")) < 0)
        compare_with_itself(a);
    if (a != NULL && b != NULL) {
        compare(a, NULL, b);
        compare(a, c, b);
    }
    json_decref(a);
    json_decref(b);
    json_decref(c);
    return 0;
}
