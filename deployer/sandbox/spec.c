#include "sandbox/spec.h"

#include <strings.h>

#include "base/jsonx.h"
#include "base/num.h"
#include "base/str.h"

struct spec *spec_member(const struct spec *object, const char *name)
{
    for (size_t i = 0; i < object->member_count; i++) {
        if (strcasecmp(object->members[i]->name, name) == 0)
            return object->members[i];
    }
    return NULL;
}

static void release_pattern(void *p)
{
    regfree(p);
}

static void release_default(void *j)
{
    json_decref(j);
}

static struct err *read_enum(struct arena *arena, struct str words, struct spec *s)
{
    struct str rest = words;

    s->type = SPEC_STRING;
    s->words = arena_alloc(arena, (words.len + 1) * sizeof(*s->words));
    while (rest.p != NULL)
        s->words[s->word_count++] = arena_str(arena, str_cut(&rest, '|'));
    return NULL;
}

static struct err *read_type(struct arena *arena, struct str word, struct spec *s)
{
    static const struct {
        const char *name;
        enum spec_type type;
    } types[] = {
        { "any", SPEC_ANY },
        { "object", SPEC_OBJECT },
        { "list", SPEC_LIST },
        { "map", SPEC_MAP },
        { "string", SPEC_STRING },
        { "int", SPEC_INT },
        { "number", SPEC_NUMBER },
        { "bool", SPEC_BOOL },
        { "id", SPEC_STRING },
        { "ref", SPEC_STRING },
        { "ip", SPEC_STRING },
        { "cidr", SPEC_STRING },
    };

    if (str_starts(word, STR("enum:")))
        return read_enum(arena, str_slice(word, 5, word.len), s);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq(word, str_of(types[i].name))) {
            s->type = types[i].type;
            s->is_ref = str_eq(word, STR("ref"));
            s->is_id = str_eq(word, STR("id")) || s->is_ref;
            s->is_ip = str_eq(word, STR("ip"));
            s->is_cidr = str_eq(word, STR("cidr"));
            return NULL;
        }
    }
    return err_new(ERR_CONFIG, 0, "'%.*s' is no type", STR_ARG(word));
}

static struct err *read_default(struct arena *arena, struct str text, struct spec *s)
{
    json_t *j = NULL;

    if (s->type == SPEC_STRING)
        j = json_stringn(text.p, text.len);
    else
        TRY(jsonx_load(text, "default", &j));
    arena_hook(arena, release_default, j);
    s->otherwise = j;
    return NULL;
}

static struct err *read_pattern(struct arena *arena, struct str text, struct spec *s)
{
    s->pattern = arena_alloc(arena, sizeof(*s->pattern));
    s->pattern_text = arena_str(arena, text);
    if (regcomp(s->pattern, s->pattern_text, REG_EXTENDED | REG_NOSUB) != 0)
        return err_new(ERR_CONFIG, 0, "'%s' is no pattern", s->pattern_text);
    arena_hook(arena, release_pattern, s->pattern);
    return NULL;
}

static struct err *read_range(struct str text, struct spec *s)
{
    const ptrdiff_t dots = str_find(text, STR(".."));
    const size_t at = dots < 0 ? text.len : (size_t)dots;
    const struct str low = str_slice(text, 0, at);
    const struct str high = str_slice(text, at + 2, text.len);

    if (low.len > 0) {
        s->has_min = true;
        TRY(num_parse_double(low, -1e15, 1e15, &s->min));
    }
    if (dots >= 0 && high.len > 0) {
        s->has_max = true;
        TRY(num_parse_double(high, -1e15, 1e15, &s->max));
    }
    return NULL;
}

static bool read_flag(struct str word, struct spec *s)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        { "required", &s->is_required },
        { "needed", &s->is_required_on_create },
        { "readonly", &s->is_read_only },
        { "secret", &s->is_secret },
        { "createonly", &s->is_create_only },
        { "immutable", &s->is_immutable },
        { "open", &s->is_open },
        { "sub", &s->is_subresource },
        { "dropempty", &s->drops_empty },
    };
    static const struct {
        const char *name;
        enum spec_case rewrite;
    } rewrites[] = {
        { "lower", SPEC_CASE_LOWER },
        { "onoff", SPEC_CASE_ONOFF },
        { "cidr32", SPEC_CASE_CIDR },
        { "quantity", SPEC_CASE_QUANTITY },
        { "role", SPEC_CASE_ROLE },
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (str_eq(word, str_of(flags[i].name))) {
            *flags[i].flag = true;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
        if (str_eq(word, str_of(rewrites[i].name))) {
            s->rewrite = rewrites[i].rewrite;
            return true;
        }
    }
    return false;
}

/* Reads the words behind the type: flags, =default, ~pattern, low..high. */
static struct err *read_words(struct arena *arena, struct str rest, struct spec *s)
{
    while (rest.p != NULL && rest.len > 0) {
        const struct str word = str_cut(&rest, ' ');

        if (word.len == 0 || read_flag(word, s))
            continue;
        if (word.p[0] == '=')
            TRY(read_default(arena, str_slice(word, 1, word.len), s));
        else if (word.p[0] == '~')
            TRY(read_pattern(arena, str_slice(word, 1, word.len), s));
        else if (str_find(word, STR("..")) >= 0)
            TRY(read_range(word, s));
        else
            return err_new(ERR_CONFIG, 0, "'%.*s' is no attribute", STR_ARG(word));
    }
    return NULL;
}

static struct err *build(
        struct arena *arena, const char *path, const char *key, const json_t *j, struct spec **ret);

/* The key "+" of an object says what holds for the object itself. */
static struct err *build_object(
        struct arena *arena, const char *path, const json_t *j, struct spec *s)
{
    const char *key = NULL;
    json_t *value = NULL;

    s->type = SPEC_OBJECT;
    s->members = arena_alloc(arena, (json_object_size(j) + 1) * sizeof(struct spec *));
    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        if (text_eq(key, "+")) {
            TRY(read_words(arena, str_of(json_string_value(value)), s));
            continue;
        }
        const char *below = arena_printf(arena, "%s.%s", path, key);
        struct spec *member = NULL;

        TRY(build(arena, below, key, value, &member));
        s->members[s->member_count++] = member;
    }
    return NULL;
}

static struct err *build_value(
        struct arena *arena, const char *path, const json_t *j, struct spec *s)
{
    if (json_is_object(j))
        return build_object(arena, path, j, s);
    if (!json_is_string(j))
        return err_new(ERR_CONFIG, 0, "a text or an object is expected");
    struct str rest = str_of(json_string_value(j));

    TRY(read_type(arena, str_cut(&rest, ' '), s));
    return read_words(arena, rest, s);
}

/* "name[]" is a list of what follows, "name{}" a map; "name[] required" marks the list itself. */
static struct err *build(
        struct arena *arena, const char *path, const char *key, const json_t *j, struct spec **ret)
{
    struct str rest = str_of(key);
    struct str name = str_cut(&rest, ' ');
    const bool is_list = str_ends(name, STR("[]"));
    const bool is_map = str_ends(name, STR("{}"));
    struct spec *s = arena_alloc(arena, sizeof(*s));
    struct err *e = NULL;

    if (is_list || is_map) {
        name.len -= 2;
        s->type = is_list ? SPEC_LIST : SPEC_MAP;
        s->element = arena_alloc(arena, sizeof(*s->element));
        s->element->name = "";
        e = build_value(arena, path, j, s->element);
    } else {
        e = build_value(arena, path, j, s);
    }
    if (e == NULL && rest.p != NULL)
        e = read_words(arena, rest, s);
    if (e == NULL && s->otherwise == NULL && s->type == SPEC_LIST && s->is_subresource)
        s->element->is_subresource = true;
    s->name = arena_str(arena, name);
    *ret = s;
    return err_wrap(e, "%s", path);
}

struct err *spec_build(struct arena *arena, const char *path, const json_t *body, struct spec **ret)
{
    return build(arena, path, "", body, ret);
}
