#include "sandbox/validate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "sandbox/reply.h"

struct walk {
    struct arena *arena;
    const struct kind *kind;
    bool is_create;
    bool may_be_unknown;
};

/* The namespace's own code for a sort of mistake. */
static const char *code_of(const struct kind *kind, const char *sort, const char *otherwise)
{
    const char *own = jsonx_text(json_object_get(kind->data, "errors"), sort);

    if (own == NULL)
        own = jsonx_text(kind->ns->codes, sort);
    return own == NULL ? otherwise : own;
}

static const char *below(struct arena *arena, const char *path, const char *name)
{
    return path[0] == '\0' ? name : arena_printf(arena, "%s.%s", path, name);
}

static struct err *mistyped(
        const struct walk *w, const char *path, const json_t *value, const char *wanted)
{
    AUTO(free) char *text = jsonx_dump(value);

    return refuse(400, code_of(w->kind, "type", "InvalidRequestContent"),
            "The request content was invalid and could not be deserialized: 'Error converting "
            "value %.200s to type '%s'. Path '%s''.",
            text, wanted, path);
}

/* The bits of its family's addresses, 32 or 128, and its bytes; 0 for what is no address. */
static int address_bits(struct str s, unsigned char ret_bytes[16])
{
    AUTO(free) char *text = str_dup(s);

    if (inet_pton(AF_INET, text, ret_bytes) == 1)
        return 32;
    return inet_pton(AF_INET6, text, ret_bytes) == 1 ? 128 : 0;
}

static bool is_address(struct str s)
{
    unsigned char bytes[16];

    return address_bits(s, bytes) != 0;
}

/* The sort of mistake in a range of addresses; NULL: none. */
static const char *cidr_mistake(struct str s)
{
    struct str rest = s;
    unsigned char bytes[16];
    int64_t length = 0;
    const int bits = address_bits(str_cut(&rest, '/'), bytes);

    if (bits == 0 || rest.p == NULL)
        return "cidr";
    AUTO(err) struct err *e = num_parse_i64(rest, 0, bits, &length);

    if (e != NULL)
        return "cidr";
    for (int i = (int)length; i < bits; i++) {
        if ((bytes[i / 8] & (0x80u >> (i % 8))) != 0)
            return "host_bits";
    }
    return NULL;
}

static bool is_word(const struct spec *s, const char *text)
{
    for (size_t i = 0; i < s->word_count; i++) {
        if (strcasecmp(s->words[i], text) == 0)
            return true;
    }
    return s->word_count == 0;
}

static struct err *bad_value(const struct walk *w, const char *path, const char *sort,
        const char *value, const char *why)
{
    return refuse(400, code_of(w->kind, sort, "InvalidParameterValue"),
            "The value '%.200s' of parameter '%s' is not valid: %s.", value, path, why);
}

/* Bits beyond the prefix are a mistake only where the namespace has a code for it: networks do,
 * while the bridge of a container environment is given by an address in it. */
static struct err *check_cidr(const struct walk *w, const char *path, const char *text)
{
    const char *sort = cidr_mistake(str_of(text));

    if (sort == NULL || (text_eq(sort, "host_bits") && code_of(w->kind, sort, NULL) == NULL))
        return NULL;
    if (code_of(w->kind, sort, NULL) == NULL)
        sort = "value";
    return bad_value(w, path, sort, text,
            text_eq(sort, "host_bits") ? "the address has bits beyond the prefix's length"
                                       : "it should follow CIDR notation, for example 10.0.0.0/24");
}

static struct err *check_text(
        const struct walk *w, const struct spec *s, const char *path, const char *text)
{
    const double len = (double)strlen(text);

    if (s->drops_empty && text[0] == '\0')
        return NULL;
    if (!is_word(s, text)) {
        AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);

        for (size_t i = 0; i < s->word_count; i++)
            buf_addf(&list, "%s%s", i > 0 ? ", " : "", s->words[i]);
        return bad_value(w, path, "enum", text,
                arena_printf(w->arena, "the allowed values are %s", buf_text(&list)));
    }
    if ((s->has_min && len < s->min) || (s->has_max && len > s->max))
        return bad_value(w, path, "value", text,
                arena_printf(w->arena, "its length must be from %.0f to %.0f", s->min, s->max));
    if (s->pattern != NULL && regexec(s->pattern, text, 0, NULL, 0) != 0)
        return bad_value(w, path, "value", text,
                arena_printf(w->arena, "it does not match '%s'", s->pattern_text));
    if (s->is_ip && !is_address(str_of(text)))
        return bad_value(w, path, "value", text, "it is no valid address");
    if (s->is_cidr)
        TRY(check_cidr(w, path, text));
    if (s->is_id && text[0] != '/' && text[0] != '\0')
        return refuse(400, code_of(w->kind, "id", "LinkedInvalidPropertyId"),
                "Property id '%.200s' at path '%s' is invalid. Expect fully qualified resource Id "
                "that start with '/subscriptions/{subscriptionId}' or "
                "'/providers/{resourceProviderNamespace}/'.",
                text, path);
    return NULL;
}

static struct err *check_number(
        const struct walk *w, const struct spec *s, const char *path, const json_t *value)
{
    const double number = json_number_value(value);

    if (s->type == SPEC_INT && fabs(number - trunc(number)) > 0)
        return mistyped(w, path, value, "System.Int32");
    if ((s->has_min && number < s->min) || (s->has_max && number > s->max))
        return bad_value(w, path, "value", arena_printf(w->arena, "%g", number),
                s->has_max ? arena_printf(w->arena, "it must be from %g to %g", s->min, s->max)
                           : arena_printf(w->arena, "it must be at least %g", s->min));
    return NULL;
}

static struct err *check_scalar(
        const struct walk *w, const struct spec *s, const char *path, const json_t *value)
{
    switch (s->type) {
    case SPEC_STRING:
        return json_is_string(value) ? check_text(w, s, path, json_string_value(value))
                                     : mistyped(w, path, value, "System.String");
    case SPEC_INT:
    case SPEC_NUMBER:
        return json_is_number(value)
                       ? check_number(w, s, path, value)
                       : mistyped(w, path, value,
                               s->type == SPEC_INT ? "System.Int32" : "System.Double");
    case SPEC_BOOL:
        return json_is_boolean(value) ? NULL : mistyped(w, path, value, "System.Boolean");
    case SPEC_ANY:
    case SPEC_OBJECT:
    case SPEC_LIST:
    case SPEC_MAP:
    default:
        return NULL;
    }
}

/* "1.0Gi" -> "1Gi", "0.50Gi" -> "0.5Gi". */
static json_t *short_quantity(const char *text)
{
    const size_t digits = strspn(text, "0123456789.");
    size_t keep = digits;

    if (memchr(text, '.', digits) != NULL) {
        while (keep > 0 && text[keep - 1] == '0')
            keep--;
        if (keep > 0 && text[keep - 1] == '.')
            keep--;
    }
    return jsonx_textf("%.*s%s", (int)keep, text, text + digits);
}

static json_t *changed_case(const char *text, int (*change)(int))
{
    AUTO(free) char *copy = xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = (char)change((unsigned char)*c);
    return jsonx_textf("%s", copy);
}

static json_t *rewritten(const struct spec *s, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return jsonx_copy(value);
    switch (s->rewrite) {
    case SPEC_CASE_LOWER:
        return changed_case(text, tolower);
    case SPEC_CASE_ONOFF:
        if (strcasecmp(text, "on") == 0 || strcasecmp(text, "off") == 0)
            return changed_case(text, toupper);
        break;
    case SPEC_CASE_CIDR:
        if (strchr(text, '/') == NULL)
            return jsonx_textf("%s/32", text);
        break;
    case SPEC_CASE_QUANTITY:
        return short_quantity(text);
    case SPEC_CASE_ROLE: {
        const char *at = strstr(text, "/providers/");

        return jsonx_textf("%s", at == NULL ? text : at);
    }
    case SPEC_CASE_KEEP:
    default:
        break;
    }
    return jsonx_copy(value);
}

static struct err *clean(const struct walk *w, const struct spec *s, const char *path,
        const json_t *value, const json_t *old, json_t **ret);

static struct err *clean_list(const struct walk *w, const struct spec *s, const char *path,
        const json_t *value, json_t **ret)
{
    json_auto_t *list = jsonx_must(json_array());
    const double count = (double)json_array_size(value);
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(value))
        return mistyped(w, path, value, "System.Collections.Generic.List");
    if ((s->has_min && count < s->min) || (s->has_max && count > s->max))
        return bad_value(w, path, "value", arena_printf(w->arena, "%.0f items", count),
                arena_printf(w->arena, "it must have from %.0f to %.0f", s->min, s->max));
    json_array_foreach ((json_t *)(uintptr_t)value, i, item) {
        json_t *one = NULL;

        TRY(clean(w, s->element, arena_printf(w->arena, "%s[%zu]", path, i), item, NULL, &one));
        json_array_append_new(list, one);
    }
    *ret = TAKE(list);
    return NULL;
}

static struct err *clean_map(const struct walk *w, const struct spec *s, const char *path,
        const json_t *value, json_t **ret)
{
    json_auto_t *map = jsonx_must(json_object());
    const char *key = NULL;
    json_t *item = NULL;

    if (!json_is_object(value))
        return mistyped(w, path, value, "System.Collections.Generic.IDictionary");
    json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
        json_t *one = NULL;

        TRY(clean(w, s->element, below(w->arena, path, key), item, NULL, &one));
        json_object_set_new(map, key, one);
    }
    *ret = TAKE(map);
    return NULL;
}

/* Members that every body may carry and that are not the kind's. */
static bool is_envelope(const char *key)
{
    static const char *const keys[] = { "id", "name", "type", "location", "tags", "etag",
        "systemData", "apiVersion", "dependsOn", "comments", "condition" };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcasecmp(keys[i], key) == 0)
            return true;
    }
    return false;
}

static struct err *unknown_member(const struct walk *w, const char *path, const char *key)
{
    const char *full = below(w->arena, path, key);
    const char *owner = strrchr(path, '.');

    owner = owner == NULL ? path : owner + 1;
    return refuse(400, code_of(w->kind, "unknown", "InvalidRequestContent"),
            "The request content was invalid and could not be deserialized: 'Could not find member "
            "'%s' on object of type '%s'. Path '%s''.",
            key, path[0] == '\0' ? "ResourceDefinition" : owner, full);
}

static struct err *missing_member(const struct walk *w, const char *path, const char *key)
{
    return refuse(400, code_of(w->kind, "missing", "InvalidParameter"),
            "Required parameter '%s' is missing (null).", below(w->arena, path, key));
}

/* What a value that was not sent becomes: the old one where it can't change, else the default. */
static struct err *absent_member(const struct walk *w, const struct spec *m, const char *path,
        const json_t *old, json_t *out)
{
    const bool stays = m->is_secret || m->is_immutable;

    if (m->is_read_only)
        return NULL;
    if (old != NULL && stays) {
        json_object_set_new(out, m->name, jsonx_copy(old));
        return NULL;
    }
    if (m->is_required || (m->is_required_on_create && w->is_create))
        return missing_member(w, path, m->name);
    if (m->otherwise != NULL && !m->is_create_only)
        json_object_set_new(out, m->name, jsonx_copy(m->otherwise));
    return NULL;
}

static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return strcasecmp(json_string_value(a), json_string_value(b)) == 0;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key = NULL;
        json_t *value = NULL;

        json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
            if (!same_value(value, json_object_get(b, key)))
                return false;
        }
        return json_object_size(a) == json_object_size(b);
    }
    return json_equal(a, b) == 1;
}

static struct err *check_immutable(const struct walk *w, const struct spec *m, const char *path,
        const json_t *old, json_t *now)
{
    if (!m->is_immutable || old == NULL || same_value(old, now))
        return NULL;
    const json_t *own = json_object_get(w->kind->data, "immutable_error");
    const char *code = jsonx_text(own, "code");

    return refuse((int)jsonx_int(own, "status", 400),
            code == NULL ? "PropertyChangeNotAllowed" : code,
            "Changing property '%s' is not allowed.", path);
}

static struct err *clean_member(const struct walk *w, const struct spec *m, const char *path,
        const json_t *value, const json_t *old, json_t *out)
{
    json_auto_t *now = NULL;

    if (m->is_read_only)
        return NULL;
    TRY(clean(w, m, path, value, old, &now));
    TRY(check_immutable(w, m, path, old, now));
    const bool is_dropped = m->drops_empty
                            && (json_is_false(now) || json_is_null(now)
                                    || (json_is_string(now) && json_string_length(now) == 0));

    if (!m->is_create_only && !is_dropped)
        json_object_set(out, m->name, now);
    return NULL;
}

static struct err *clean_object(const struct walk *w, const struct spec *s, const char *path,
        const json_t *value, const json_t *old, json_t **ret)
{
    json_auto_t *out = jsonx_must(json_object());
    const char *key = NULL;
    json_t *item = NULL;

    if (!json_is_object(value))
        return mistyped(w, path, value, s->name[0] == '\0' ? "System.Object" : s->name);
    json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
        const struct spec *m = spec_member(s, key);

        if (m == NULL && path[0] == '\0' && is_envelope(key))
            continue;
        if (m == NULL && s->is_open)
            json_object_set_new(out, key, jsonx_copy(item));
        else if (m == NULL)
            return unknown_member(w, path, key);
        else if (!json_is_null(item))
            TRY(clean_member(
                    w, m, below(w->arena, path, key), item, jsonx_get_ci(old, m->name), out));
    }
    for (size_t i = 0; i < s->member_count; i++) {
        const struct spec *m = s->members[i];

        if (json_object_get(out, m->name) == NULL
                && (jsonx_get_ci(value, m->name) == NULL
                        || json_is_null(jsonx_get_ci(value, m->name))))
            TRY(absent_member(w, m, path, json_object_get(old, m->name), out));
    }
    *ret = TAKE(out);
    return NULL;
}

static struct err *clean(const struct walk *w, const struct spec *s, const char *path,
        const json_t *value, const json_t *old, json_t **ret)
{
    if (w->may_be_unknown && json_is_string(value) && json_string_value(value)[0] == '[') {
        *ret = jsonx_copy(value);
        return NULL;
    }
    if (s->type == SPEC_OBJECT && s->member_count > 0)
        return clean_object(w, s, path, value, old, ret);
    if (s->type == SPEC_OBJECT && !json_is_object(value))
        return mistyped(w, path, value, "System.Object");
    if (s->type == SPEC_LIST && s->element != NULL)
        return clean_list(w, s, path, value, ret);
    if (s->type == SPEC_MAP && s->element != NULL)
        return clean_map(w, s, path, value, ret);
    TRY(check_scalar(w, s, path, value));
    *ret = rewritten(s, value);
    return NULL;
}

static json_t *without_envelope(const json_t *body)
{
    json_t *out = jsonx_must(json_object());
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)body, key, value) {
        if (!is_envelope(key))
            json_object_set_new(out, key, jsonx_copy(value));
    }
    return out;
}

struct err *validate_body(const struct validate_request *q, json_t **ret)
{
    const struct walk w = { .arena = q->arena,
        .kind = q->kind,
        .is_create = q->old == NULL,
        .may_be_unknown = q->may_be_unknown };

    if (q->kind->body == NULL) {
        *ret = without_envelope(q->body);
        return NULL;
    }
    return clean_object(&w, q->kind->body, "", q->body, q->old, ret);
}

struct err *validate_name(const struct kind *kind, const char *name)
{
    const struct spec *rule = kind->name;
    const double len = (double)strlen(name);

    if (rule == NULL)
        return NULL;
    const bool is_long = (rule->has_min && len < rule->min) || (rule->has_max && len > rule->max);
    const bool is_bad = rule->pattern != NULL && regexec(rule->pattern, name, 0, NULL, 0) != 0;
    const bool has_bad = kind->name_forbids != NULL && strstr(name, kind->name_forbids) != NULL;

    if (!is_long && !is_bad && !has_bad)
        return NULL;
    return refuse(400, code_of(kind, "name", "InvalidResourceName"),
            "Resource name '%.200s' is invalid for type %s: it must match '%s'%s%s%s and have from "
            "%.0f to %.0f characters.",
            name, kind->type, rule->pattern_text == NULL ? ".*" : rule->pattern_text,
            kind->name_forbids == NULL ? "" : ", must not contain '",
            kind->name_forbids == NULL ? "" : kind->name_forbids,
            kind->name_forbids == NULL ? "" : "'", rule->min, rule->max);
}

struct ref_walk {
    struct err *(*fn)(void *arg, const char *path, const char *id);
    void *arg;
};

static struct err *each_ref(
        const struct ref_walk *w, const struct spec *s, const char *path, const json_t *value)
{
    size_t i = 0;
    const char *key = NULL;
    json_t *item = NULL;

    if (s->is_ref && json_is_string(value) && json_string_length(value) > 0)
        return w->fn(w->arg, path, json_string_value(value));
    if (s->type == SPEC_LIST && s->element != NULL) {
        json_array_foreach ((json_t *)(uintptr_t)value, i, item)
            TRY(each_ref(w, s->element, path, item));
    } else if (s->type == SPEC_OBJECT) {
        json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
            const struct spec *m = spec_member(s, key);

            if (m == NULL)
                continue;
            AUTO(free) char *at = xasprintf("%s%s%s", path, path[0] == '\0' ? "" : ".", m->name);

            TRY(each_ref(w, m, at, item));
        }
    }
    return NULL;
}

struct err *validate_each_ref(const struct kind *kind, const json_t *doc,
        struct err *(*fn)(void *arg, const char *path, const char *id), void *arg)
{
    const struct ref_walk w = { .fn = fn, .arg = arg };

    return kind->body == NULL ? NULL : each_ref(&w, kind->body, "", doc);
}

static json_t *public_part(const struct spec *s, const json_t *value)
{
    size_t i = 0;
    const char *key = NULL;
    json_t *item = NULL;

    if (s == NULL || json_is_null(value))
        return jsonx_copy(value);
    if (json_is_array(value)) {
        json_t *list = jsonx_must(json_array());

        json_array_foreach ((json_t *)(uintptr_t)value, i, item)
            json_array_append_new(list, public_part(s->element, item));
        return list;
    }
    if (!json_is_object(value))
        return jsonx_copy(value);
    json_t *out = jsonx_must(json_object());

    json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
        const struct spec *m = s->type == SPEC_MAP ? s->element : spec_member(s, key);

        if (m == NULL || !m->is_secret)
            json_object_set_new(out, key, public_part(m, item));
    }
    return out;
}

json_t *validate_public(const struct kind *kind, const json_t *doc)
{
    return public_part(kind->body, doc);
}
