#include "stack/inputs.h"

#include <ctype.h>
#include <regex.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "stack/input_type.h"
#include "stack/references.h"
#include "stack/sources.h"

static const struct place command_line = { .file = "--var" };

bool inputs_is_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]))
        return false;
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p >= 128 || (!isalnum((unsigned char)*p) && *p != '_'))
            return false;
    }
    return true;
}

struct doc_node *inputs_normalise(struct arena *arena, const struct doc_node *inputs)
{
    struct doc_node *all = doc_new_map(arena, inputs->place);

    for (size_t i = 0; i < inputs->count; i++) {
        const struct doc_entry *e = &inputs->entries[i];
        struct doc_node *value = e->value;

        if (value->kind != DOC_MAP && !doc_is_null(value)) {
            value = doc_new_map(arena, e->value->place);
            doc_set(arena, value, "default", e->value->place, e->value);
        }
        doc_set(arena, all, e->key, e->key_place, value);
    }
    return all;
}

static enum input_type type_of(const json_t *j)
{
    for (size_t i = 0; i < INPUT_ANY; i++) {
        if (input_type_fits((enum input_type)i, j))
            return (enum input_type)i;
    }
    return INPUT_ANY;
}

/* The declared type, or the default's, or string. */
static enum input_type declared_type(const struct doc_node *declaration, const json_t *otherwise,
        const char *path, struct diag_list *diags)
{
    const struct doc_node *node = doc_get(declaration, "type");

    if (node == NULL || node->kind != DOC_SCALAR)
        return otherwise == NULL ? INPUT_STRING : type_of(otherwise);
    for (size_t i = 0; i < INPUT_TYPES; i++) {
        if (text_eq(input_type_names[i], node->text))
            return (enum input_type)i;
    }
    AUTO(buf) struct buf known = BUF_INIT(BUF_TEXT_MAX);
    const char *meant = text_suggest(str_of(node->text), input_type_names, INPUT_TYPES);

    text_add_list(&known, input_type_names, INPUT_TYPES, INPUT_TYPES);
    diag_add(diags, DIAG_ERROR, "stack.input-type", node->place, path,
            "'%s' is not one of %s%s%s%s", node->text, buf_text(&known),
            meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");
    return INPUT_ANY;
}

/* The text behind NAME= as the type says; NULL if it can't be read as that. */
static json_t *parse_typed(struct str text, enum input_type type)
{
    struct err *e = NULL;
    json_t *j = NULL;
    int64_t whole = 0;
    double real = 0;

    switch (type) {
    case INPUT_INTEGER:
        e = num_parse_i64(text, INT64_MIN, INT64_MAX, &whole);
        j = e == NULL ? jsonx_must(json_integer((json_int_t)whole)) : NULL;
        break;
    case INPUT_NUMBER:
        e = num_parse_double(text, -1e300, 1e300, &real);
        j = e == NULL ? jsonx_must(json_real(real)) : NULL;
        break;
    case INPUT_BOOLEAN:
        if (str_eq(text, STR("true")) || str_eq(text, STR("false")))
            j = json_boolean(text.p[0] == 't');
        break;
    case INPUT_LIST:
    case INPUT_MAP:
        e = jsonx_load(text, "--var", &j);
        if (e == NULL && !input_type_fits(type, j)) {
            json_decref(j);
            j = NULL;
        }
        break;
    case INPUT_STRING:
    case INPUT_ANY:
    default:
        j = text_is_utf8(text) ? text_json(text) : NULL;
        break;
    }
    err_ignore(e, "the caller says what was wanted");
    return j;
}

static void check_enum(const struct doc_node *declaration, const json_t *value, struct place place,
        const char *path, struct diag_list *diags)
{
    const struct doc_node *allowed = doc_get(declaration, "enum");
    AUTO(buf) struct buf known = BUF_INIT(BUF_TEXT_MAX);

    if (allowed == NULL || allowed->kind != DOC_LIST)
        return;
    AUTO(free) const char **words = xcalloc(allowed->count, sizeof(*words));

    for (size_t i = 0; i < allowed->count; i++) {
        AUTO(free) char *sub = xasprintf("%s.enum[%zu]", path, i);
        json_auto_t *one = doc_json(allowed->items[i], sub, diags);

        if (json_equal(one, value))
            return;
        words[i] = allowed->items[i]->kind == DOC_SCALAR ? allowed->items[i]->text : "...";
    }
    AUTO(free) char *shown = jsonx_dump(value);
    const char *meant = json_is_string(value) ? text_suggest(
                                str_of(json_string_value(value)), words, allowed->count)
                                              : NULL;

    text_add_list(&known, words, allowed->count, 12);
    diag_add(diags, DIAG_ERROR, "stack.input-enum", place, path, "%s is not one of %s%s%s%s", shown,
            buf_text(&known), meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");
}

static void check_pattern(const struct doc_node *declaration, const json_t *value,
        struct place place, const char *path, struct diag_list *diags)
{
    const struct doc_node *pattern = doc_get(declaration, "pattern");
    regex_t re;

    if (pattern == NULL || pattern->kind != DOC_SCALAR)
        return;
    if (pattern->text_len > 256 || regcomp(&re, pattern->text, REG_EXTENDED | REG_NOSUB) != 0) {
        diag_add(diags, DIAG_ERROR, "stack.input-pattern-bad", pattern->place, path,
                "'%.60s' is no regular expression (POSIX extended, at most 256 characters)",
                pattern->text);
        return;
    }
    if (json_is_string(value) && regexec(&re, json_string_value(value), 0, NULL, 0) != 0)
        diag_add(diags, DIAG_ERROR, "stack.input-pattern", place, path, "'%.60s' does not match %s",
                json_string_value(value), pattern->text);
    regfree(&re);
}

/* The last "NAME=..." for that name, its value in *ret. */
static bool find_var(const struct inputs_given *given, const char *name, struct str *ret)
{
    const struct str wanted = str_of(name);

    for (size_t i = given->var_count; i > 0; i--) {
        struct str rest = str_of(given->vars[i - 1]);

        if (str_eq(str_cut(&rest, '='), wanted) && rest.p != NULL) {
            *ret = rest;
            return true;
        }
    }
    return false;
}

/* The default as JSON; NULL if there is none. Owned. */
static json_t *default_of(
        const struct doc_node *declaration, const char *path, struct diag_list *diags)
{
    const struct doc_node *node = doc_get(declaration, "default");

    if (node == NULL)
        return NULL;
    if (node->kind == DOC_SCALAR && strstr(node->text, "${") != NULL)
        diag_add(diags, DIAG_ERROR, "stack.input-reference", node->place, path,
                "the default of an input is written out: no ${...} here");
    return doc_json(node, path, diags);
}

/* One input on its way to a value. */
struct reading {
    const struct doc_entry *entry;
    const char *path;
    const json_t *otherwise; /* its default, or NULL */
    enum input_type type;
    struct place place; /* of what gives the value */
    struct diag_list *diags;
};

/* What --var says. Owned. */
static json_t *from_var(struct reading *r, struct str text)
{
    json_t *value = parse_typed(text, r->type);

    r->place = command_line;
    if (value == NULL)
        diag_add(r->diags, DIAG_ERROR, "stack.var-type", r->place, r->entry->key, "'%.*s' is no %s",
                STR_ARG(str_slice(text, 0, 60)), input_type_names[r->type]);
    return value;
}

/* Whether everything that sources_read takes for granted is there; complained about before. */
static bool is_readable(const struct doc_node *source)
{
    if (source->kind == DOC_SCALAR)
        return source->text_len > 0;
    for (size_t i = 0; source->kind == DOC_LIST && i < source->count; i++) {
        if (source->items[i]->kind != DOC_SCALAR)
            return false;
    }
    return source->kind == DOC_LIST && source->count > 0;
}

/* What a file, a command or Terraform says. Owned. */
static json_t *from_source(struct reading *r, const char *key, const char *dir)
{
    const struct doc_node *source = doc_get(r->entry->value, key);
    json_auto_t *value = NULL;

    r->place = source->place;
    if (r->otherwise != NULL)
        diag_add(r->diags, DIAG_ERROR, "stack.input-both", r->place, r->path,
                "has a default and a source ('%s'): take one of them away", key);
    if (r->otherwise != NULL || !is_readable(source)
            || (source->kind == DOC_LIST) != text_eq(key, "command"))
        return NULL;
    struct err *e = sources_read(r->entry->value, dir, &value);

    if (e != NULL) {
        diag_add(r->diags, DIAG_ERROR, "stack.input-source", r->place, r->path, "%s", err_text(e));
        err_free(e);
        return NULL;
    }
    if (!json_is_string(value))
        return TAKE(value);
    json_t *typed = parse_typed(str_of(json_string_value(value)), r->type);

    if (typed == NULL)
        diag_add(r->diags, DIAG_ERROR, "stack.input-source-type", r->place, r->path,
                "what the %s gives is no %s", key, input_type_names[r->type]);
    return typed;
}

static json_t *from_default(struct reading *r)
{
    if (r->otherwise == NULL) {
        struct diag *d = diag_add(r->diags, DIAG_ERROR, "stack.input-missing", r->place, r->path,
                "has no value: it has no default");

        diag_set_hint(r->diags, d, "give it with --var %s=...", r->entry->key);
        return NULL;
    }
    if (!input_type_fits(r->type, r->otherwise)) {
        diag_add(r->diags, DIAG_ERROR, "stack.input-default", r->place, r->path,
                "the default is a %s, but the type is %s", input_type_names[type_of(r->otherwise)],
                input_type_names[r->type]);
        return NULL;
    }
    return json_incref((json_t *)(uintptr_t)r->otherwise);
}

/* One input's value, or NULL after a complaint. Owned. */
static json_t *value_of(
        const struct doc_entry *e, const struct inputs_given *given, struct diag_list *diags)
{
    AUTO(free) char *path = xasprintf("inputs.%s", e->key);
    json_auto_t *otherwise = default_of(e->value, path, diags);
    const char *source = sources_key(e->value);
    struct reading r = { .entry = e, .path = path, .otherwise = otherwise, .diags = diags };
    struct str text = { 0 };
    json_t *value = NULL;

    r.type = declared_type(e->value, otherwise, path, diags);
    r.place = otherwise == NULL ? e->key_place : doc_get(e->value, "default")->place;
    if (find_var(given, e->key, &text))
        value = from_var(&r, text);
    else if (source != NULL)
        value = from_source(&r, source, given->dir);
    else
        value = from_default(&r);
    if (value != NULL) {
        check_enum(e->value, value, r.place, path, diags);
        check_pattern(e->value, value, r.place, path, diags);
    }
    return value;
}

static void check_var_names(
        const struct doc_node *inputs, const struct inputs_given *given, struct diag_list *diags)
{
    const size_t count = inputs == NULL ? 0 : inputs->count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = inputs->entries[i].key;
    for (size_t i = 0; i < given->var_count; i++) {
        struct str rest = str_of(given->vars[i]);
        const struct str name = str_cut(&rest, '=');
        AUTO(free) char *key = str_dup(name);

        if (rest.p == NULL) {
            diag_add(diags, DIAG_ERROR, "stack.var-syntax", command_line, key, "is not NAME=VALUE");
        } else if (doc_get(inputs, key) == NULL) {
            const char *meant = text_suggest(name, names, count);

            diag_add(diags, DIAG_ERROR, "stack.var-unknown", command_line, key,
                    "is not a declared input of the stack%s%s%s",
                    meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                    meant == NULL ? "" : "?)");
        }
    }
}

json_t *inputs_values(
        const struct doc_node *inputs, const struct inputs_given *given, struct diag_list *diags)
{
    json_t *values = jsonx_must(json_object());

    check_var_names(inputs, given, diags);
    for (size_t i = 0; inputs != NULL && i < inputs->count; i++) {
        const struct doc_entry *e = &inputs->entries[i];
        json_t *value = value_of(e, given, diags);

        if (value != NULL && text_is_utf8(str_of(e->key)))
            json_object_set_new(values, e->key, value);
        else
            json_decref(value);
    }
    return values;
}

/* ---- what an environment adds ---- */

struct readers {
    const char **names; /* owned, as each of them */
    size_t count, capacity;
    bool is_any; /* an expression may read each of them */
};

static void add_reader(void *arg, enum reference_root of, const char *name)
{
    struct readers *r = arg;

    if (of != REFERENCE_VAR)
        return;
    r->is_any = r->is_any || name[0] == '\0';
    GROW(r->names, r->count, r->capacity);
    r->names[r->count++] = xstrdup(name);
}

static bool is_read(const struct readers *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++) {
        if (text_eq(r->names[i], name))
            return true;
    }
    return r->is_any;
}

/* What an environment adds to the base's inputs is new there, or one of them misspelt. */
static void check_added(const struct readers *r, const struct doc_node *base,
        const struct doc_node *added, const char *path, struct diag_list *diags)
{
    for (size_t i = 0; added != NULL && added->kind == DOC_MAP && i < added->count; i++) {
        const struct doc_entry *e = &added->entries[i];
        AUTO(free) char *own = xasprintf("%s.%s", path, e->key);

        if (doc_get(base, e->key) != NULL || is_read(r, e->key) || diag_explains(diags, own))
            continue;
        const char *meant = text_suggest(str_of(e->key), r->names, r->count);
        struct diag *d = diag_add(diags, DIAG_WARNING, "stack.input-unread", e->key_place, own,
                "the base has no such input, and no ${var.%s} reads it", e->key);

        if (meant != NULL)
            diag_set_hint(diags, d, "did you mean %s?", meant);
    }
}

void inputs_check_added(const struct doc_node *file_root, struct diag_list *diags)
{
    const struct doc_node *all = doc_get(file_root, "environments");
    struct readers r = { 0 };

    references_each(file_root, add_reader, &r);
    for (size_t i = 0; all != NULL && all->kind == DOC_MAP && i < all->count; i++) {
        AUTO(free) char *path = xasprintf("environments.%s.inputs", all->entries[i].key);

        check_added(&r, doc_get(file_root, "inputs"), doc_get(all->entries[i].value, "inputs"),
                path, diags);
    }
    for (size_t i = 0; i < r.count; i++)
        free((char *)(uintptr_t)r.names[i]);
    free(r.names);
}
