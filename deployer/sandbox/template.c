#include "sandbox/template.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/str.h"

static json_t *new_key(size_t len)
{
    AUTO(buf) struct buf out = BUF_INIT(256);
    unsigned char bytes[64];

    digest_random(bytes, len);
    encode_base64(&out, bytes, len);
    return jsonx_textf("%s", buf_text(&out));
}

static json_t *new_letters(const char *alphabet, size_t len)
{
    AUTO(free) char *text = digest_random_text(alphabet, len);

    return jsonx_textf("%s", text);
}

static json_t *new_uuid(void)
{
    char uuid[DIGEST_UUID_SIZE];

    digest_uuid4(uuid);
    return jsonx_textf("%s", uuid);
}

/* A label as environments have it: "salmonforest-1a2b3c4d". */
static json_t *new_word(void)
{
    static const char *const firsts[] = { "ash", "bright", "calm", "delight", "green", "happy",
        "kind", "lively", "mango", "nice", "proud", "quiet", "red", "salmon", "thank", "wonder" };
    static const char *const lasts[] = { "beach", "bay", "cliff", "coast", "dune", "field",
        "forest", "ground", "hill", "island", "meadow", "mud", "pond", "river", "sea", "stone" };
    unsigned char random[2];
    AUTO(free) char *digits = digest_random_text("0123456789abcdef", 8);

    digest_random(random, sizeof(random));
    return jsonx_textf("%s%s-%s", firsts[random[0] % ARRAY_LEN(firsts)],
            lasts[random[1] % ARRAY_LEN(lasts)], digits);
}

static json_t *new_value(const char *path)
{
    char now[CLOCK_RFC3339_SIZE];

    if (text_eq(path, "new.uuid"))
        return new_uuid();
    if (text_eq(path, "new.key64"))
        return new_key(64);
    if (text_eq(path, "new.key32"))
        return new_key(32);
    if (text_eq(path, "new.hex16"))
        return new_letters("0123456789abcdef", 16);
    if (text_eq(path, "new.hex32"))
        return new_letters("0123456789abcdef", 32);
    if (text_eq(path, "new.hex64"))
        return new_letters("0123456789ABCDEF", 64);
    if (text_eq(path, "new.word"))
        return new_word();
    if (text_eq(path, "public.ip")) {
        unsigned char random[3];

        digest_random(random, sizeof(random));
        return jsonx_textf("20.%d.%d.%d", random[0], random[1], 1 + random[2] % 254);
    }
    if (text_eq(path, "now")) {
        clock_rfc3339(clock_wall_ms(), now);
        return jsonx_textf("%s", now);
    }
    return NULL;
}

static json_t *value_of(struct str path, const json_t *context)
{
    AUTO(free) char *text = str_dup(path);
    json_t *made = new_value(text);

    if (made != NULL)
        return made;
    const json_t *found = jsonx_at_ci(context, text);

    return found == NULL ? json_null() : jsonx_copy(found);
}

static void add_value(struct buf *out, struct str path, const json_t *context)
{
    json_auto_t *value = value_of(path, context);

    if (json_is_string(value)) {
        buf_add_text(out, json_string_value(value));
    } else if (!json_is_null(value)) {
        AUTO(free) char *text = jsonx_dump(value);

        buf_add_text(out, text);
    }
}

static json_t *expand_text(struct str text, const json_t *context)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const ptrdiff_t end = str_find(text, STR("}"));

    if (str_starts(text, STR("${")) && end == (ptrdiff_t)text.len - 1)
        return value_of(str_slice(text, 2, text.len - 1), context);
    while (text.len > 0) {
        const ptrdiff_t at = str_find(text, STR("${"));

        if (at < 0) {
            buf_add_str(&out, text);
            break;
        }
        const struct str tail = str_slice(text, (size_t)at + 2, text.len);
        const ptrdiff_t close = str_find(tail, STR("}"));

        buf_add_str(&out, str_slice(text, 0, (size_t)at));
        if (close < 0)
            break;
        add_value(&out, str_slice(tail, 0, (size_t)close), context);
        text = str_slice(tail, (size_t)close + 1, tail.len);
    }
    return jsonx_textf("%s", buf_text(&out));
}

json_t *template_expand(const json_t *template, const json_t *context)
{
    size_t i = 0;
    const char *key = NULL;
    json_t *item = NULL;

    if (json_is_string(template))
        return expand_text(str_of(json_string_value(template)), context);
    if (json_is_array(template)) {
        json_t *list = jsonx_must(json_array());

        json_array_foreach ((json_t *)(uintptr_t) template, i, item)
            json_array_append_new(list, template_expand(item, context));
        return list;
    }
    if (json_is_object(template)) {
        json_t *out = jsonx_must(json_object());

        json_object_foreach ((json_t *)(uintptr_t) template, key, item)
            json_object_set_new(out, key, template_expand(item, context));
        return out;
    }
    return jsonx_copy(template);
}
