#include "sandbox/rid.h"

#include <ctype.h>
#include <strings.h>

#include "base/buf.h"

#define RID_SEGMENTS_MAX 64u

const char *rid_key(struct arena *arena, const char *id)
{
    char *key = arena_text(arena, id);

    for (char *c = key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return key;
}

static const char *canonical_word(const char *segment)
{
    static const char *const words[] = { "subscriptions", "resourceGroups", "providers" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(segment, words[i]) == 0)
            return words[i];
    }
    return segment;
}

/* Joins segments [from, to) with a slash before each. */
static const char *join(
        struct arena *arena, const char *const *segments, size_t from, size_t to, bool is_id)
{
    AUTO(buf) struct buf out = BUF_INIT(65536);

    for (size_t i = from; i < to; i++)
        buf_addf(&out, "/%s", is_id && i % 2 == 0 ? canonical_word(segments[i]) : segments[i]);
    return arena_text(arena, buf_text(&out));
}

/* Where the last "providers" with a namespace behind it stands, or `count`. */
static size_t find_providers(const char *const *segments, size_t count)
{
    for (size_t i = count; i >= 2; i--) {
        const size_t at = i - 2;

        if (strcasecmp(segments[at], "providers") == 0 && at % 2 == 0)
            return at;
    }
    return count;
}

static bool read_scope(
        struct arena *arena, const char *const *segments, size_t count, struct rid *ret)
{
    if (count == 0)
        return true;
    if (strcasecmp(segments[0], "subscriptions") != 0)
        return strcasecmp(segments[0], "providers") == 0;
    if (count < 2)
        return false;
    ret->subscription = arena_text(arena, segments[1]);
    if (count == 2 || strcasecmp(segments[2], "providers") == 0)
        return true;
    if (strcasecmp(segments[2], "resourceGroups") != 0 || count < 4)
        return false;
    ret->group = arena_text(arena, segments[3]);
    return count == 4 || strcasecmp(segments[4], "providers") == 0;
}

static void read_types(
        struct arena *arena, const char *const *segments, size_t at, size_t count, struct rid *ret)
{
    AUTO(buf) struct buf type = BUF_INIT(4096);
    const size_t first = at + 2;

    ret->ns = arena_text(arena, segments[at + 1]);
    buf_add_text(&type, ret->ns);
    for (size_t i = first; i < count; i += 2)
        buf_addf(&type, "/%s", segments[i]);
    ret->type = arena_text(arena, buf_text(&type));
    ret->is_collection = (count - first) % 2 == 1;
    ret->is_child = count - first > 2;
    ret->name = ret->is_collection ? NULL : arena_text(arena, segments[count - 1]);
    ret->scope_key = rid_key(arena, join(arena, segments, 0, at, true));
    const size_t parent_end = ret->is_collection ? count - 1 : count - 2;

    ret->parent_key = ret->is_child ? rid_key(arena, join(arena, segments, 0, parent_end, true))
                                    : ret->scope_key;
}

bool rid_parse(struct arena *arena, const char *const *segments, size_t count, struct rid *ret)
{
    const size_t at = find_providers(segments, count);

    *ret = (struct rid){ .scope_key = "", .parent_key = "" };
    if (count == 0 || !read_scope(arena, segments, count, ret))
        return false;
    ret->id = join(arena, segments, 0, count, true);
    ret->key = rid_key(arena, ret->id);
    if (at == count) {
        if (count != 2 && count != 4)
            return false;
        ret->type = count == 2 ? "Microsoft.Resources/subscriptions"
                               : "Microsoft.Resources/resourceGroups";
        ret->name = arena_text(arena, segments[count - 1]);
        if (count == 4)
            ret->parent_key = rid_key(arena, join(arena, segments, 0, 2, true));
        return true;
    }
    if (count < at + 3)
        return false;
    read_types(arena, segments, at, count, ret);
    return true;
}

bool rid_parse_text(struct arena *arena, const char *id, struct rid *ret)
{
    const char *segments[RID_SEGMENTS_MAX];
    size_t count = 0;
    struct str rest = str_of(id);

    while (rest.p != NULL && rest.len > 0) {
        const struct str part = str_cut(&rest, '/');

        if (part.len == 0)
            continue;
        if (count == RID_SEGMENTS_MAX)
            return false;
        segments[count++] = arena_str(arena, part);
    }
    return rid_parse(arena, segments, count, ret);
}
