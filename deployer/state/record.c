#include "state/record.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"

/* Over the compact JSON with sorted keys, without `member` itself. */
static void checksum_of(const json_t *object, const char *member, char ret[DIGEST_HEX_SIZE])
{
    json_auto_t *bare = jsonx_must(json_copy((json_t *)(uintptr_t)object));

    json_object_del(bare, member);
    AUTO(free) char *text = jsonx_dump(bare);

    digest_sha256_hex(str_of(text), ret);
}

static bool has_good_sum(const json_t *object, const char *member)
{
    char sum[DIGEST_HEX_SIZE];

    checksum_of(object, member, sum);
    return text_eq(jsonx_text(object, member), sum);
}

char *record_line(const char *lineage, int64_t serial, const json_t *ops)
{
    char sum[DIGEST_HEX_SIZE];
    json_auto_t *line = jsonx_must(json_pack(
            "{s:s, s:I, s:O}", "lineage", lineage, "serial", (json_int_t)serial, "ops", ops));

    checksum_of(line, "sum", sum);
    json_object_set_new(line, "sum", jsonx_must(json_string(sum)));
    AUTO(free) char *text = jsonx_dump(line);

    return xasprintf("%s\n", text);
}

char *record_snapshot(const json_t *document)
{
    char sum[DIGEST_HEX_SIZE];
    json_auto_t *whole = jsonx_must(json_copy((json_t *)(uintptr_t)document));

    checksum_of(whole, "checksum", sum);
    json_object_set_new(whole, "checksum", jsonx_must(json_string(sum)));
    return jsonx_pretty(whole);
}

static struct err *check_snapshot(const json_t *j, const char *what)
{
    const json_int_t format = json_integer_value(json_object_get(j, "format_version"));

    if (format < 1 || !json_is_object(j))
        return err_new(ERR_CONFIG, 0, "%s: this is no state (format_version is missing)", what);
    if (format > STATE_FORMAT) {
        struct err *e =
                err_new(ERR_CONFIG, 0, "%s: format %lld is newer than this program reads (%d)",
                        what, (long long)format, STATE_FORMAT);

        err_set_hint(e, "use the version of deployer that wrote it, or a newer one");
        return e;
    }
    if (!has_good_sum(j, "checksum")) {
        struct err *e = err_new(ERR_CONFIG, 0,
                "%s: the checksum does not match: the state was damaged or edited by hand", what);

        err_set_hint(
                e, "restore it from a copy, or take it over with 'deployer state push --repair'");
        return e;
    }
    if (jsonx_text(j, "lineage") == NULL || jsonx_text(j, "salt") == NULL
            || !json_is_integer(json_object_get(j, "serial"))
            || !json_is_object(json_object_get(j, "owner"))
            || !json_is_object(json_object_get(j, "entries"))
            || !json_is_object(json_object_get(j, "intents")))
        return err_new(ERR_CONFIG, 0, "%s: this is no state (members are missing)", what);
    return NULL;
}

struct err *record_read_snapshot(struct str text, const char *what, json_t **ret)
{
    json_auto_t *j = NULL;
    struct err *e = jsonx_load(text, what, &j);

    if (e != NULL) {
        struct err *mine = err_new(ERR_CONFIG, 0, "%s", err_text(e));

        err_ignore(e, "a state that is no JSON is the user's data, not a peer's protocol");
        return mine;
    }
    TRY(check_snapshot(j, what));
    json_object_del(j, "checksum");
    *ret = TAKE(j);
    return NULL;
}

bool record_apply(json_t *document, const json_t *op)
{
    const char *verb = json_string_value(json_array_get(op, 0));
    const char *key = json_string_value(json_array_get(op, 1));
    json_t *value = json_array_get(op, 2);
    json_t *target = NULL;

    if (verb == NULL || key == NULL || value == NULL)
        return false;
    if (text_eq(verb, "entry"))
        target = json_object_get(document, "entries");
    else if (text_eq(verb, "intent"))
        target = json_object_get(document, "intents");
    else if (text_eq(verb, "set"))
        target = document;
    if (!json_is_object(target))
        return false;
    if (json_is_null(value))
        json_object_del(target, key);
    else
        json_object_set(target, key, value);
    return true;
}

/* The line as JSON if it is whole and its sum is right, else NULL. Owned. */
static json_t *read_line(struct str line)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(line, "journal", &j);

    if (e != NULL) {
        err_ignore(e, "a line that is no JSON is judged by what follows it");
        return NULL;
    }
    if (json_is_object(j) && has_good_sum(j, "sum") && json_is_array(json_object_get(j, "ops")))
        return j;
    json_decref(j);
    return NULL;
}

static struct err *apply_line(json_t *document, const json_t *line, const char *what)
{
    const int64_t have = jsonx_int(document, "serial", 0);
    const int64_t serial = jsonx_int(line, "serial", 0);
    size_t i = 0;
    json_t *op = NULL;

    if (!text_eq(jsonx_text(line, "lineage"), jsonx_text(document, "lineage")))
        return err_new(ERR_CONFIG, 0, "%s: belongs to another state (lineage %s, not %s)", what,
                jsonx_text(line, "lineage") == NULL ? "none" : jsonx_text(line, "lineage"),
                jsonx_text(document, "lineage"));
    if (serial <= have)
        return NULL; /* compaction was cut off between its rename and the emptying of the journal */
    if (serial != have + 1)
        return err_new(ERR_CONFIG, 0, "%s: goes from serial %lld to %lld: commits are missing",
                what, (long long)have, (long long)serial);
    json_array_foreach (json_object_get(line, "ops"), i, op) {
        if (!record_apply(document, op))
            return err_new(ERR_CONFIG, 0, "%s: serial %lld holds an operation we don't know", what,
                    (long long)serial);
    }
    json_object_set_new(document, "serial", jsonx_must(json_integer((json_int_t)serial)));
    return NULL;
}

struct err *record_replay(json_t *document, struct str journal, const char *what, size_t *ret_good)
{
    struct str rest = journal;
    size_t good = 0;
    bool is_damaged = false;

    while (rest.len > 0) {
        const ptrdiff_t end = str_find(rest, STR("\n"));

        if (end < 0)
            break; /* torn: the line end is written last */
        json_auto_t *line = read_line(str_slice(rest, 0, (size_t)end));

        rest = str_slice(rest, (size_t)end + 1, rest.len);
        if (line == NULL) {
            is_damaged = true;
            continue;
        }
        if (is_damaged)
            return err_new(ERR_CONFIG, 0,
                    "%s: damaged at byte %zu, before commits that are whole (serial %lld)", what,
                    good, (long long)jsonx_int(line, "serial", 0));
        TRY(apply_line(document, line, what));
        good = journal.len - rest.len;
    }
    *ret_good = good;
    return NULL;
}
