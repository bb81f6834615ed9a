/*
 * The inputs of a service: where their values come from and what they may be.
 */
#include "catalog/expand.h"

#include <ctype.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "catalog/pattern.h"

/* An input (or a part of one) that is being checked. */
struct checked {
    struct expansion *x;
    const struct service_input *spec;
    const struct doc_node *node; /* where it was written, or NULL: a default */
    struct place place;
    const char *path;
    const char *hint;
};

/* `name` below `path` is what an unknown name there was meant to be; NULL: nothing like it. */
static void set_meant(struct expansion *x, struct diag *d, const char *path, const char *name)
{
    AUTO(free) char *meant = name == NULL ? NULL : xasprintf("%s.%s", path, name);

    if (meant != NULL)
        diag_set_meant(x->diags, d, meant);
}

static void complain(const struct checked *c, const char *code, const char *text)
{
    struct diag *d = diag_add(c->x->diags, DIAG_ERROR, code, c->place, c->path, "%s", text);

    if (c->hint != NULL)
        diag_set_hint(c->x->diags, d, "%s", c->hint);
}

static void release_regex(void *compiled)
{
    regfree(compiled);
}

bool pattern_matches(struct expansion *x, const char *pattern, const char *text)
{
    const enum pattern_answer quick = pattern_match(pattern, text);
    regex_t *compiled = index_get(&x->patterns, pattern);

    if (quick != PATTERN_UNKNOWN)
        return quick == PATTERN_YES;

    if (compiled == NULL) {
        compiled = arena_alloc(x->arena, sizeof(*compiled));
        if (regcomp(compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            return true; /* the catalog's check reports it */
        arena_hook(x->arena, release_regex, compiled);
        index_put(&x->patterns, pattern, compiled);
    }
    return regexec(compiled, text, 0, NULL, 0) == 0;
}

/* --- types --- */

static const char *const type_texts[] = { "a text", "a whole number", "a number", "true or false",
    "a list", "a map", "a value" };
_Static_assert(ARRAY_LEN(type_texts) == INPUT_TYPES, "a text for each type");

/* A text that came out of ${...} as the number or boolean that is wanted; NULL if it is none. */
static json_t *from_text(const char *text, enum input_type type)
{
    int64_t whole = 0;
    double real = 0;
    struct err *e = NULL;

    if (type == INPUT_BOOLEAN && (text_eq(text, "true") || text_eq(text, "false")))
        return json_boolean(text[0] == 't');
    if (type == INPUT_INTEGER || type == INPUT_NUMBER) {
        e = num_parse_i64(str_of(text), INT64_MIN, INT64_MAX, &whole);
        if (e == NULL)
            return json_integer((json_int_t)whole);
        err_ignore(e, "a text that is no number keeps its type, which is then reported");
    }
    if (type == INPUT_NUMBER) {
        e = num_parse_double(str_of(text), -1e300, 1e300, &real);
        if (e == NULL)
            return json_real(real);
        err_ignore(e, "as above");
    }
    return NULL;
}

/* The value in the wanted type where that is a matter of spelling. Takes and gives owned. */
static json_t *convert(const struct checked *c, json_t *value, enum input_type type)
{
    const struct doc_node *n = c->node;
    const bool is_scalar = n != NULL && n->kind == DOC_SCALAR;
    const bool is_template =
            is_scalar && expr_is_template((struct str){ .p = n->text, .len = n->text_len });
    json_t *converted = NULL;

    if (type == INPUT_STRING && is_scalar && !is_template
            && (json_is_number(value) || json_is_boolean(value)))
        converted = text_json((struct str){ .p = n->text, .len = n->text_len });
    else if (type == INPUT_STRING && json_is_integer(value))
        converted = jsonx_textf("%lld", (long long)json_integer_value(value));
    else if (json_is_string(value) && is_template)
        converted = from_text(json_string_value(value), type);
    if (converted == NULL)
        return value;
    json_decref(value);
    return converted;
}

/* --- constraints --- */

static void check_enum(const struct checked *c, const json_t *value)
{
    const size_t count = json_array_size(c->spec->values);
    AUTO(free) char **words = xcalloc(count + 1, sizeof(*words));
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf shown = BUF_INIT(4096);
    bool is_in = false;

    for (size_t i = 0; i < count; i++) {
        const json_t *allowed = json_array_get(c->spec->values, i);

        is_in = is_in || json_equal(allowed, value) == 1;
        words[i] =
                json_is_string(allowed) ? xstrdup(json_string_value(allowed)) : jsonx_dump(allowed);
    }
    if (!is_in) {
        if (json_is_string(value))
            text_add_escaped(&shown, str_of(json_string_value(value)));
        else
            expr_print_value(&shown, value);
        const char *meant = text_suggest(buf_str(&shown), (const char *const *)words, count);

        text_add_list(&list, (const char *const *)words, count, 20);
        AUTO(free)
        char *text = xasprintf("'%s' is not one of %s%s%s%s", buf_text(&shown), buf_text(&list),
                meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                meant == NULL ? "" : "?)");

        complain(c, "input.enum", text);
    }
    for (size_t i = 0; i < count; i++)
        free(words[i]);
}

static void check_range(const struct checked *c, const json_t *value)
{
    const struct service_input *in = c->spec;
    const bool is_number = json_is_number(value);
    const double n = is_number               ? json_number_value(value)
                     : json_is_array(value)  ? (double)json_array_size(value)
                     : json_is_object(value) ? (double)json_object_size(value)
                                             : (double)json_string_length(value);
    const char *of = is_number ? "" : json_is_string(value) ? " characters" : " elements";

    if (in->has_min && n < in->min) {
        AUTO(free) char *text = xasprintf("is %g%s, at least %g are wanted", n, of, in->min);

        complain(c, "input.range", text);
    }
    if (in->has_max && n > in->max) {
        AUTO(free) char *text = xasprintf("is %g%s, at most %g are allowed", n, of, in->max);

        complain(c, "input.range", text);
    }
}

/* Expressions compare with case: a known word in another one would be taken for none of them. */
static bool differs_in_case_alone(const struct service_input *in, const char *word)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)in->values, i, one) {
        const char *known = json_string_value(one);

        if (known != NULL && !text_eq(known, word) && str_eq_ci(str_of(known), str_of(word)))
            return true;
    }
    return false;
}

static void check_plain(const struct checked *c, const json_t *value, bool is_shown)
{
    const struct service_input *in = c->spec;

    if (in->is_open) {
        if (json_is_string(value) && is_shown
                && differs_in_case_alone(in, json_string_value(value)))
            check_enum(c, value);
        return; /* the kind of the resource that gets it judges the rest */
    }
    if (in->values != NULL && is_shown)
        check_enum(c, value);
    if (in->pattern != NULL && json_is_string(value)
            && !pattern_matches(c->x, in->pattern, json_string_value(value))) {
        AUTO(buf) struct buf shown = BUF_INIT(4096);

        text_add_escaped(&shown, str_slice(str_of(json_string_value(value)), 0, 200));
        AUTO(free)
        char *text = is_shown ? xasprintf("'%s' does not match %s", buf_text(&shown), in->pattern)
                              : xasprintf("the secret's value does not match %s", in->pattern);

        complain(c, "input.pattern", text);
    }
    check_range(c, value);
}

static json_t *check(const struct checked *c, json_t *value);

static json_t *check_items(const struct checked *c, json_t *list)
{
    struct service_input item = { .type = INPUT_ANY };
    json_t *copy = jsonx_must(json_array());

    for (int t = INPUT_STRING; t <= INPUT_ANY; t++) {
        if (text_eq(input_type_names[t], c->spec->items))
            item.type = (enum input_type)t;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        AUTO(free) char *path = xasprintf("%s[%zu]", c->path, i);
        const struct doc_node *node =
                c->node != NULL && c->node->kind == DOC_LIST && i < c->node->count
                        ? c->node->items[i]
                        : NULL;
        const struct checked sub = { .x = c->x,
            .spec = &item,
            .node = node,
            .place = node != NULL ? node->place : c->place,
            .path = path,
            .hint = c->hint };

        json_array_append_new(copy, check(&sub, json_incref(json_array_get(list, i))));
    }
    json_decref(list);
    return copy;
}

static void check_unknown_members(const struct checked *c, const json_t *map)
{
    const size_t count = c->spec->member_count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));
    const char *key = NULL;
    json_t *member = NULL;

    for (size_t i = 0; i < count; i++)
        names[i] = c->spec->members[i].name;
    json_object_foreach ((json_t *)(uintptr_t)map, key, member) {
        bool is_known = false;

        for (size_t i = 0; i < count; i++)
            is_known = is_known || text_eq(names[i], key);
        if (is_known)
            continue;
        const struct doc_entry *entry = doc_entry(c->node, key);
        AUTO(free) char *path = xasprintf("%s.%s", c->path, key);
        AUTO(err) struct err *e = scope_no_such("member", key, names, count);
        struct diag *d = diag_add(c->x->diags, DIAG_ERROR, "input.unknown",
                entry == NULL ? c->place : entry->key_place, path, "%s", err_text(e));

        if (c->hint != NULL || err_hint(e)[0] != '\0')
            diag_set_hint(c->x->diags, d, "%s", c->hint != NULL ? c->hint : err_hint(e));
        set_meant(c->x, d, c->path, text_suggest(str_of(key), names, count));
    }
}

static json_t *check_members(const struct checked *c, json_t *map)
{
    json_t *copy = jsonx_must(json_object());

    check_unknown_members(c, map);
    for (size_t i = 0; i < c->spec->member_count; i++) {
        const struct service_input *m = &c->spec->members[i];
        AUTO(free) char *path = xasprintf("%s.%s", c->path, m->name);
        const struct doc_node *node = doc_get(c->node, m->name);
        const struct checked sub = { .x = c->x,
            .spec = m,
            .node = node,
            .place = node != NULL ? node->place : c->place,
            .path = path,
            .hint = c->hint };
        json_t *value = json_incref(json_object_get(map, m->name));

        if (value == NULL || json_is_null(value)) {
            if (m->is_required && !diag_explains(c->x->diags, path))
                complain(&sub, "input.required", "is required");
            struct scope s = { .x = c->x };

            json_decref(value);
            value = m->default_value == NULL ? json_null() : value_of(&s, m->default_value, path);
        }
        json_object_set_new(copy, m->name, check(&sub, value));
    }
    json_decref(map);
    return copy;
}

/* The value of a secret is at hand while the stack is checked; it is looked at, never shown. */
static struct secret *find_secret(void *arg, const char *name)
{
    return stack_secret(arg, name);
}

static void check_secret(const struct checked *c, const json_t *value)
{
    struct expr_env env = { .arg = (void *)(uintptr_t)c->x->stack, .secret = find_secret };
    struct secret_table secrets = { 0 };
    struct eval ev = { .secrets = &secrets };
    const struct func_call call = { .ev = &ev };
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *resolved = NULL;

    text.is_secret = true;
    struct err *e = expr_resolve(value, &env, &secrets, &resolved);

    if (e == NULL && !expr_has_unknown(resolved, NULL))
        e = func_text_of(&call, resolved, &text);
    if (e == NULL && text.len > 0) {
        json_auto_t *plain = jsonx_must(json_stringn(buf_text(&text), text.len));

        check_plain(c, plain, false);
        explicit_bzero((void *)(uintptr_t)json_string_value(plain), json_string_length(plain));
    }
    err_ignore(e, "what can't be resolved before apply is checked by the service");
    secret_table_release(&secrets);
}

/* Takes the value, gives it in the wanted type. */
static json_t *check(const struct checked *c, json_t *value)
{
    const enum input_type type = c->spec->type;

    if (json_is_null(value) || eval_mark(value) == EVAL_POISON)
        return value;
    if (eval_mark(value) == EVAL_LEFT) {
        if (c->spec->is_secret)
            check_secret(c, value);
        return value;
    }
    value = convert(c, value, type);
    if (!input_type_fits(type, value)) {
        AUTO(free)
        char *text = xasprintf("must be %s, not %s", type_texts[type], eval_type_text(value));

        complain(c, "input.type", text);
        json_decref(value);
        return eval_poison();
    }
    check_plain(c, value, true);
    if (json_is_array(value) && c->spec->items != NULL)
        return check_items(c, value);
    if (json_is_object(value) && c->spec->member_count > 0)
        return check_members(c, value);
    return value;
}

/* --- where a value comes from --- */

struct wanted {
    struct instance *in;
    const struct service_input *spec;
};

static char *secret_name(const struct wanted *w)
{
    char *name = w->spec->env != NULL ? xstrdup(w->spec->env)
                                      : xasprintf("%s_%s", w->in->name, w->spec->name);

    for (char *p = name; *p != '\0'; p++)
        *p = *p == '-' || *p == '.' ? '_' : (char)toupper((unsigned char)*p);
    return name;
}

static void refuse_plain_secret(const struct checked *c, const struct wanted *w)
{
    AUTO(free) char *name = secret_name(w);
    AUTO(free)
    char *text =
            xasprintf("is a secret and must not stand in the file: write \"${secret.%s}\"", name);
    AUTO(free) char *hint = xasprintf("put %s=... into .env or the environment", name);
    struct checked with_hint = *c;

    with_hint.hint = hint;
    complain(&with_hint, "input.plain-secret", text);
}

static json_t *given_value(
        struct expansion *x, const struct wanted *w, struct checked *c, struct deps *deps)
{
    struct scope s = { .x = x, .deps = deps };
    json_t *value = value_of(&s, c->node, c->path);
    const enum eval_mark mark = eval_mark(value);

    if (w->spec->is_secret && !json_is_null(value) && mark != EVAL_POISON
            && !(mark == EVAL_LEFT && expr_is_secret(value))) {
        refuse_plain_secret(c, w);
        json_decref(value);
        return eval_poison();
    }
    return value;
}

/* From the variable that the input names; NULL if it is not set. */
static json_t *env_value(struct expansion *x, const struct wanted *w, const struct checked *c)
{
    const char *name = w->spec->env;

    if (w->spec->is_secret) {
        json_auto_t *value =
                w->spec->is_required ? scope_secret(x, name) : scope_optional_secret(x, name);
        struct scope s = { .x = x, .place = c->place };

        if (eval_mark(value) != EVAL_ABSENT)
            return TAKE(value);
        if (!w->spec->is_required)
            return NULL;
        if (diag_explains(x->diags, c->path))
            return eval_poison();
        scope_missing(&s, jsonx_text(value, "$absent"), c->path);
        return eval_poison();
    }
    const char *text = stack_env(x->stack, name);

    if (text == NULL)
        return NULL;
    json_t *converted = from_text(text, w->spec->type);

    return converted != NULL ? converted : text_json(str_of(text));
}

static json_t *default_value(
        struct expansion *x, const struct wanted *w, struct checked *c, struct deps *deps)
{
    struct scope s = { .x = x, .in = w->in, .deps = deps };
    AUTO(free) char *path = xasprintf("inputs.%s.default", w->spec->name);

    if (w->spec->is_required) {
        if (!diag_explains(x->diags, c->path))
            complain(c, "input.required", "is required");
        return eval_poison();
    }
    if (w->spec->default_value == NULL)
        return json_null();
    c->node = w->spec->default_value;
    return value_of(&s, w->spec->default_value, path);
}

static json_t *compute_input(struct expansion *x, void *arg, struct deps *deps)
{
    const struct wanted *w = arg;
    const struct doc_node *node = doc_get(w->in->with, w->spec->name);
    AUTO(free) char *path = xasprintf("%s.%s", w->in->with_path, w->spec->name);
    struct checked c = { .x = x,
        .spec = w->spec,
        .node = node,
        .place = node != NULL ? node->place : w->in->place,
        .path = path };
    json_t *value = NULL;

    if (!doc_is_null(node))
        value = given_value(x, w, &c, deps);
    if ((value == NULL || json_is_null(value)) && w->spec->env != NULL)
        value = env_value(x, w, &c);
    if (value == NULL || json_is_null(value))
        value = default_value(x, w, &c, deps);
    return check(&c, value);
}

json_t *input_value(struct instance *in, struct expansion *x, size_t at, struct deps *deps)
{
    struct wanted w = { .in = in, .spec = &in->spec->inputs[at] };
    struct slot *slot = &in->inputs[at];
    AUTO(free)
    char *what = slot->state == SLOT_DONE ? NULL : xasprintf("%s.%s", in->with_path, w.spec->name);

    return slot_value(x, slot, what, deps, compute_input, &w);
}

static void check_names(struct expansion *x, const struct instance *in, const struct doc_node *with,
        const char *with_path)
{
    const size_t count = in->spec->input_count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = in->spec->inputs[i].name;
    for (size_t i = 0; with != NULL && with->kind == DOC_MAP && i < with->count; i++) {
        const struct doc_entry *e = &with->entries[i];

        if (service_input(in->spec, e->key) != NULL
                || (in->entry == NULL && text_eq(e->key, "existing")))
            continue;
        AUTO(free) char *path = xasprintf("%s.%s", with_path, e->key);
        AUTO(free) char *what = xasprintf("input of service '%s' called", in->spec->name);
        AUTO(err) struct err *err = scope_no_such(what, e->key, names, count);
        struct diag *d = diag_add(
                x->diags, DIAG_ERROR, "input.unknown", e->key_place, path, "%s", err_text(err));

        if (err_hint(err)[0] != '\0')
            diag_set_hint(x->diags, d, "%s", err_hint(err));
        set_meant(x, d, with_path, text_suggest(str_of(e->key), names, count));
    }
}

/* What overlays that nobody chose would give the service. */
static void check_overlays(struct expansion *x, const struct instance *in)
{
    const struct doc_node *all = doc_get(x->stack->file_root, "environments");

    for (size_t i = 0; all != NULL && all->kind == DOC_MAP && i < all->count; i++) {
        AUTO(free)
        char *path = xasprintf("environments.%s.%s", all->entries[i].key, in->with_path);

        check_names(x, in, doc_at(all->entries[i].value, in->with_path), path);
    }
}

void inputs_check_names(struct expansion *x, const struct instance *in)
{
    check_names(x, in, in->with, in->with_path);
    if (x->stack->checks_overlays)
        check_overlays(x, in);
}

/* The input whose steps the service's `versions` allow. */
static void add_versions(struct expansion *x, struct instance *in)
{
    const json_t *versions = in->spec->versions;
    const char *name = jsonx_text(versions, "input");
    struct model *m = x->model;

    for (size_t i = 0; name != NULL && i < in->spec->input_count; i++) {
        if (strcmp(in->spec->inputs[i].name, name) != 0)
            continue;
        m->versions = arena_grow(x->arena, m->versions, m->version_count, &x->version_capacity,
                sizeof(*m->versions));
        m->versions[m->version_count++] = (struct version_input){ .service = in->name,
            .input = name,
            .value = input_value(in, x, i, NULL),
            .steps = json_object_get(versions, "steps"),
            .text = jsonx_text(versions, "text") };
    }
}

void inputs_check(struct expansion *x, struct instance *in)
{
    add_versions(x, in);
    for (size_t i = 0; i < in->spec->input_count; i++) {
        const struct service_input *spec = &in->spec->inputs[i];
        json_t *value = input_value(in, x, i, NULL);
        struct model *m = x->model;

        if (!spec->is_secret || spec->is_rotatable || json_is_null(value))
            continue;
        m->fixed = arena_grow(
                x->arena, m->fixed, m->fixed_count, &x->fixed_capacity, sizeof(*m->fixed));
        m->fixed[m->fixed_count++] = (struct fixed_input){
            .service = in->name, .input = spec->name, .value = value, .loss = spec->loss
        };
    }
}
