#include "stack/schema.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"
#include "stack/inputs.h"

#define STACK_NAME_MAX 40u
#define VAULT_NAME_MIN 3u
#define VAULT_NAME_MAX 24u

enum shape {
    SHAPE_ANY,
    SHAPE_TEXT,        /* may hold ${...} */
    SHAPE_WORD,        /* text without ${...} */
    SHAPE_NAME,        /* a word of lower case letters, digits and - */
    SHAPE_MAP,         /* of anything */
    SHAPE_TEXT_OR_MAP, /* an id, or a map with ids */
    SHAPE_LIST,
    SHAPE_TEXTS, /* a text or a list of texts */
};

struct checker {
    struct diag_list *diags;
    bool is_overlay; /* null removes, and nothing is required */
};

struct field {
    const char *name;
    enum shape shape;
    bool is_required;
    void (*check)(struct checker *c, const struct doc_node *node, const char *path);
};

static const char *const kind_names[] = { "text", "a map", "a list" };
_Static_assert(ARRAY_LEN(kind_names) == DOC_LIST + 1, "one name a kind");

static char *sub_path(const char *path, const char *key)
{
    return xasprintf("%s%s%s", path, path[0] == '\0' ? "" : ".", key);
}

static void wrong_type(
        struct checker *c, const struct doc_node *node, const char *path, const char *want)
{
    if (doc_is_null(node))
        diag_add(c->diags, DIAG_ERROR, "stack.empty", node->place, path, "is empty, but must be %s",
                want);
    else
        diag_add(c->diags, DIAG_ERROR, "stack.type", node->place, path, "is %s, but must be %s",
                kind_names[node->kind], want);
}

/* Whether it is a text; complains when it is not. */
static bool check_text(
        struct checker *c, const struct doc_node *node, const char *path, bool may_reference)
{
    if (node->kind != DOC_SCALAR || doc_is_null(node)) {
        wrong_type(c, node, path, "text");
        return false;
    }
    const size_t errors = c->diags->errors;
    json_auto_t *typed = doc_json(node, path, c->diags);

    if (c->diags->errors != errors)
        return false;
    if (!json_is_string(typed)) {
        diag_add(c->diags, DIAG_ERROR, "stack.type", node->place, path,
                "'%s' is a %s, but must be text: quote it", node->text,
                json_is_boolean(typed) ? "boolean" : "number");
        return false;
    }
    if (node->text_len == 0) {
        diag_add(c->diags, DIAG_ERROR, "stack.empty", node->place, path, "is an empty text");
        return false;
    }
    if (!may_reference && strstr(node->text, "${") != NULL) {
        diag_add(c->diags, DIAG_ERROR, "stack.reference", node->place, path,
                "must be written out: no ${...} here");
        return false;
    }
    return true;
}

static void check_name(struct checker *c, const char *text, struct place place, const char *path)
{
    const size_t len = strlen(text);
    const bool is_name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && len > 0
                         && text[0] >= 'a' && text[len - 1] != '-';

    if (is_name && len <= STACK_NAME_MAX)
        return;
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&shown, str_slice(str_of(text), 0, STACK_NAME_MAX + 8));
    diag_add(c->diags, DIAG_ERROR, "stack.name", place, path,
            "'%s' is no name: lower case letters, digits and '-', a letter first, no '-' last, at "
            "most %u characters",
            buf_text(&shown), STACK_NAME_MAX);
}

static void check_texts(struct checker *c, const struct doc_node *node, const char *path)
{
    if (node->kind != DOC_LIST) {
        check_text(c, node, path, true);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        AUTO(free) char *sub = xasprintf("%s[%zu]", path, i);

        check_text(c, node->items[i], sub, true);
    }
}

/* Whether the value has the shape of its field. */
static bool check_shape(
        struct checker *c, const struct doc_node *node, const char *path, enum shape shape)
{
    switch (shape) {
    case SHAPE_TEXT:
        return check_text(c, node, path, true);
    case SHAPE_WORD:
        return check_text(c, node, path, false);
    case SHAPE_NAME:
        if (!check_text(c, node, path, false))
            return false;
        check_name(c, node->text, node->place, path);
        return true;
    case SHAPE_MAP:
        if (node->kind != DOC_MAP)
            wrong_type(c, node, path, "a map");
        return node->kind == DOC_MAP;
    case SHAPE_TEXT_OR_MAP:
        return node->kind == DOC_MAP || check_text(c, node, path, true);
    case SHAPE_LIST:
        if (node->kind != DOC_LIST)
            wrong_type(c, node, path, "a list");
        return node->kind == DOC_LIST;
    case SHAPE_TEXTS:
        check_texts(c, node, path);
        return true;
    case SHAPE_ANY:
    default:
        return true;
    }
}

static void unknown_key(struct checker *c, const struct doc_entry *e, const char *path,
        const struct field *fields, size_t count)
{
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));
    AUTO(buf) struct buf known = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    const char *meant = text_suggest(str_of(e->key), names, count);
    struct diag *d = diag_add(c->diags, DIAG_ERROR, "stack.unknown-key", e->key_place, path,
            "is not known here%s%s%s", meant == NULL ? "" : " (did you mean ",
            meant == NULL ? "" : meant, meant == NULL ? "" : "?)");

    if (meant != NULL) {
        AUTO(free)
        char *right = xasprintf("%.*s%s", (int)(strlen(path) - strlen(e->key)), path, meant);

        diag_set_meant(c->diags, d, right);
    }
    text_add_list(&known, names, count, 20);
    if (doc_is_null(e->value) && meant == NULL) /* {doc: one, two} */
        diag_set_hint(c->diags, d,
                "known are %s; inside {...} a value that holds a comma needs quotes",
                buf_text(&known));
    else
        diag_set_hint(c->diags, d, "known are %s", buf_text(&known));
}

static void check_fields(struct checker *c, const struct doc_node *map, const char *path,
        const struct field *fields, size_t count)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);
        const struct field *f = NULL;

        for (size_t k = 0; k < count && f == NULL; k++)
            f = text_eq(fields[k].name, e->key) ? &fields[k] : NULL;
        if (f == NULL)
            unknown_key(c, e, sub, fields, count);
        else if (!(c->is_overlay && doc_is_null(e->value))
                 && check_shape(c, e->value, sub, f->shape) && f->check != NULL)
            f->check(c, e->value, sub);
    }
}

static void check_required(struct diag_list *diags, const struct doc_node *map, const char *path,
        const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(free) char *sub = sub_path(path, fields[i].name);

        if (fields[i].is_required && doc_get(map, fields[i].name) == NULL
                && !diag_explains(diags, sub))
            diag_add(diags, DIAG_ERROR, "stack.missing-key", map->place, path, "'%s' is missing",
                    fields[i].name);
    }
}

static void check_tags(struct checker *c, const struct doc_node *map, const char *path)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        if (!(c->is_overlay && doc_is_null(e->value)))
            check_text(c, e->value, sub, true);
    }
}

static void check_existing_id(struct checker *c, const struct doc_node *node, const char *path)
{
    static const struct field fields[] = { { .name = "existing", .shape = SHAPE_TEXT } };

    if (node->kind != DOC_MAP)
        return;
    check_fields(c, node, path, fields, ARRAY_LEN(fields));
    AUTO(free) char *sub = sub_path(path, "existing");

    if (!c->is_overlay && doc_get(node, "existing") == NULL && !diag_explains(c->diags, sub))
        diag_add(c->diags, DIAG_ERROR, "stack.missing-key", node->place, path,
                "'existing' is missing: write a name, or {existing: ID}");
}

static void check_azure(struct checker *c, const struct doc_node *map, const char *path)
{
    static const struct field fields[] = {
        { .name = "subscription", .shape = SHAPE_TEXT },
        { .name = "tenant", .shape = SHAPE_TEXT },
        { .name = "resource_group", .shape = SHAPE_TEXT_OR_MAP, .check = check_existing_id },
        { .name = "tags", .shape = SHAPE_MAP, .check = check_tags },
    };

    check_fields(c, map, path, fields, ARRAY_LEN(fields));
}

static void check_registry(struct checker *c, const struct doc_node *map, const char *path)
{
    static const struct field fields[] = {
        { .name = "server", .shape = SHAPE_TEXT, .is_required = true },
        { .name = "prefix", .shape = SHAPE_TEXT },
        { .name = "identity", .shape = SHAPE_TEXT },
    };

    check_fields(c, map, path, fields, ARRAY_LEN(fields));
    if (!c->is_overlay)
        check_required(c->diags, map, path, fields, ARRAY_LEN(fields));
}

static void check_ignore(struct checker *c, const struct doc_node *list, const char *path)
{
    static const struct field fields[] = {
        { .name = "id", .shape = SHAPE_WORD, .is_required = true },
        { .name = "because", .shape = SHAPE_WORD, .is_required = true },
        { .name = "service", .shape = SHAPE_WORD },
    };

    for (size_t i = 0; i < list->count; i++) {
        AUTO(free) char *sub = xasprintf("%s[%zu]", path, i);
        struct checker inner = { .diags = c->diags };

        if (!check_shape(&inner, list->items[i], sub, SHAPE_MAP))
            continue;
        check_fields(&inner, list->items[i], sub, fields, ARRAY_LEN(fields));
        check_required(c->diags, list->items[i], sub, fields, ARRAY_LEN(fields));
    }
}

static void check_needs(struct checker *c, const struct doc_node *map, const char *path)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        if (!(c->is_overlay && doc_is_null(e->value)))
            check_text(c, e->value, sub, false);
    }
}

static void check_existing(struct checker *c, const struct doc_node *node, const char *path)
{
    for (size_t i = 0; node->kind == DOC_MAP && i < node->count; i++) {
        const struct doc_entry *e = &node->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        /* A part with `each` has an id for each key. */
        if (e->value->kind == DOC_MAP)
            check_tags(c, e->value, sub);
        else if (!(c->is_overlay && doc_is_null(e->value)))
            check_text(c, e->value, sub, true);
    }
}

/* Its inputs are the catalog's to know. */
static void check_network(struct checker *c, const struct doc_node *map, const char *path)
{
    const struct doc_node *existing = doc_get(map, "existing");
    AUTO(free) char *sub = sub_path(path, "existing");

    if (existing != NULL && !doc_is_null(existing)
            && check_shape(c, existing, sub, SHAPE_TEXT_OR_MAP))
        check_existing(c, existing, sub);
}

static const struct field service_fields[] = {
    { .name = "use", .shape = SHAPE_WORD, .is_required = true },
    { .name = "with", .shape = SHAPE_MAP },
    { .name = "needs", .shape = SHAPE_MAP, .check = check_needs },
    { .name = "existing", .shape = SHAPE_TEXT_OR_MAP, .check = check_existing },
};

static void check_services(struct checker *c, const struct doc_node *map, const char *path)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        check_name(c, e->key, e->key_place, sub);
        if (text_eq(e->key, "stack"))
            diag_add(c->diags, DIAG_ERROR, "stack.reserved", e->key_place, sub,
                    "'stack' is the service that every stack has: take another name");
        if (c->is_overlay && doc_is_null(e->value))
            continue;
        if (check_shape(c, e->value, sub, SHAPE_MAP))
            check_fields(c, e->value, sub, service_fields, ARRAY_LEN(service_fields));
    }
}

static void check_command(struct checker *c, const struct doc_node *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        AUTO(free) char *sub = xasprintf("%s[%zu]", path, i);

        check_text(c, list->items[i], sub, false);
    }
    if (list->count == 0)
        diag_add(c->diags, DIAG_ERROR, "stack.empty-list", list->place, path,
                "is an empty list: it must name a program");
}

static void check_inputs(struct checker *c, const struct doc_node *map, const char *path)
{
    static const struct field fields[] = {
        { .name = "default", .shape = SHAPE_ANY },
        { .name = "type", .shape = SHAPE_WORD },
        { .name = "enum", .shape = SHAPE_LIST },
        { .name = "pattern", .shape = SHAPE_WORD },
        { .name = "doc", .shape = SHAPE_WORD },
        { .name = "terraform", .shape = SHAPE_WORD },
        { .name = "file", .shape = SHAPE_WORD },
        { .name = "command", .shape = SHAPE_LIST, .check = check_command },
    };

    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        if (!inputs_is_name(e->key))
            diag_add(c->diags, DIAG_ERROR, "stack.input-name", e->key_place, sub,
                    "the name of an input holds letters, digits and _, a letter first");
        if (e->value->kind == DOC_MAP)
            check_fields(c, e->value, sub, fields, ARRAY_LEN(fields));
    }
}

void schema_check_vault(
        const char *name, struct place place, const char *path, struct diag_list *diags)
{
    const struct str text = str_of(name);
    const size_t letters =
            strspn(text.p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);

    if (letters == text.len && text.len >= VAULT_NAME_MIN && text.len <= VAULT_NAME_MAX
            && isalpha((unsigned char)text.p[0]) && text.p[text.len - 1] != '-')
        return;
    text_add_escaped(&shown, str_slice(text, 0, 60));
    struct diag *d = diag_add(diags, DIAG_ERROR, "stack.vault", place, path,
            "'%s' is no vault's name: %u to %u letters, digits and '-', a letter first, no '-' "
            "last",
            buf_text(&shown), VAULT_NAME_MIN, VAULT_NAME_MAX);

    if (str_starts(text, STR("https://")))
        diag_set_hint(diags, d, "write what stands before the first dot");
}

/* With ${...} it is looked at when it is a name (catalog_settle). */
static void check_vault(struct checker *c, const struct doc_node *node, const char *path)
{
    if (strstr(node->text, "${") == NULL)
        schema_check_vault(node->text, node->place, path, c->diags);
}

static void check_environments(struct checker *c, const struct doc_node *map, const char *path);

static void check_format_value(struct checker *c, const struct doc_node *node, const char *path)
{
    (void)c; /* schema_check_format did it */
    (void)node;
    (void)path;
}

/* Those of an environment are the same but for the four that identify the file. */
#define OVERLAY_FIELDS                                                                             \
    { .name = "location", .shape = SHAPE_TEXT },                                                   \
            { .name = "azure", .shape = SHAPE_MAP, .check = check_azure },                         \
            { .name = "inputs", .shape = SHAPE_MAP, .check = check_inputs },                       \
            { .name = "network", .shape = SHAPE_MAP, .check = check_network },                     \
            { .name = "registry", .shape = SHAPE_MAP, .check = check_registry },                   \
            { .name = "services", .shape = SHAPE_MAP, .check = check_services },                   \
            { .name = "state", .shape = SHAPE_TEXT },                                              \
            { .name = "vault", .shape = SHAPE_TEXT, .check = check_vault },                        \
    {                                                                                              \
        .name = "ignore", .shape = SHAPE_LIST, .check = check_ignore                               \
    }

static const struct field root_fields[] = {
    { .name = "deployer", .shape = SHAPE_ANY, .check = check_format_value },
    { .name = "stack", .shape = SHAPE_NAME },
    OVERLAY_FIELDS,
    { .name = "environments", .shape = SHAPE_MAP, .check = check_environments },
    { .name = "catalog", .shape = SHAPE_TEXTS },
};

static const struct field overlay_fields[] = { OVERLAY_FIELDS };

static void check_environments(struct checker *c, const struct doc_node *map, const char *path)
{
    struct checker inner = { .diags = c->diags, .is_overlay = true };

    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *sub = sub_path(path, e->key);

        check_name(c, e->key, e->key_place, sub);
        if (doc_is_null(e->value))
            continue; /* an environment that changes nothing */
        if (check_shape(c, e->value, sub, SHAPE_MAP))
            check_fields(&inner, e->value, sub, overlay_fields, ARRAY_LEN(overlay_fields));
    }
}

bool schema_check_format(const struct doc_node *root, struct diag_list *diags)
{
    const struct doc_node *node = doc_get(root, "deployer");
    int64_t format = 0;

    if (node == NULL)
        return true; /* schema_check_file says so */
    AUTO(err)
    struct err *e = node->kind != DOC_SCALAR
                            ? NULL
                            : num_parse_i64(str_of(node->text), 1, INT64_MAX, &format);

    if (e != NULL || format == 0) {
        diag_add(diags, DIAG_ERROR, "stack.format", node->place, "deployer",
                "is the version of the file's format: a number from 1 to %d", STACK_FORMAT);
        return true;
    }
    if (format <= STACK_FORMAT)
        return true;
    struct diag *d = diag_add(diags, DIAG_ERROR, "stack.format-newer", node->place, "deployer",
            "the file is written for a newer deployer: its format is %s, this one reads up to %d",
            node->text, STACK_FORMAT);

    diag_set_hint(diags, d, "update deployer (this is %s)", DEPLOYER_VERSION);
    return false;
}

void schema_check_file(const struct doc_node *root, struct diag_list *diags)
{
    struct checker c = { .diags = diags };

    check_fields(&c, root, "", root_fields, ARRAY_LEN(root_fields));
    if (doc_get(root, "deployer") != NULL || diag_explains(diags, "deployer"))
        return;
    struct diag *d = diag_add(diags, DIAG_ERROR, "stack.format-missing", root->place, "",
            "'deployer: %d' is missing: the version of the file's format", STACK_FORMAT);

    diag_set_hint(diags, d, "write 'deployer: %d' in the first line", STACK_FORMAT);
}

static void check_need_targets(const struct doc_node *services, const struct doc_entry *service,
        const char *path, struct diag_list *diags)
{
    const struct doc_node *needs = doc_get(service->value, "needs");
    AUTO(free) const char **names = xcalloc(services->count, sizeof(*names));

    for (size_t i = 0; i < services->count; i++)
        names[i] = services->entries[i].key;
    for (size_t i = 0; needs != NULL && needs->kind == DOC_MAP && i < needs->count; i++) {
        const struct doc_entry *e = &needs->entries[i];
        AUTO(free) char *sub = xasprintf("%s.needs.%s", path, e->key);

        if (e->value->kind != DOC_SCALAR || e->value->text_len == 0)
            continue;
        if (text_eq(e->value->text, service->key)) {
            diag_add(diags, DIAG_ERROR, "stack.needs-itself", e->value->place, sub,
                    "the service can't need itself");
        } else if (doc_get(services, e->value->text) == NULL) {
            const char *meant = text_suggest(str_of(e->value->text), names, services->count);

            diag_add(diags, DIAG_ERROR, "stack.needs-missing", e->value->place, sub,
                    "'%s' is not a service of this stack%s%s%s", e->value->text,
                    meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                    meant == NULL ? "" : "?)");
        }
    }
}

void schema_check_merged(const struct doc_node *root, struct diag_list *diags)
{
    const struct doc_node *services = doc_get(root, "services");

    if (doc_get(root, "stack") == NULL && !diag_explains(diags, "stack"))
        diag_add(diags, DIAG_ERROR, "stack.missing-key", root->place, "",
                "'stack' is missing: the name of the stack");
    if (services == NULL && !diag_explains(diags, "services"))
        diag_add(diags, DIAG_ERROR, "stack.missing-key", root->place, "",
                "'services' is missing: what the stack consists of");
    for (size_t i = 0; services != NULL && services->kind == DOC_MAP && i < services->count; i++) {
        const struct doc_entry *e = &services->entries[i];
        AUTO(free) char *path = xasprintf("services.%s", e->key);

        if (e->value->kind != DOC_MAP)
            continue;
        check_required(diags, e->value, path, service_fields, ARRAY_LEN(service_fields));
        check_need_targets(services, e, path, diags);
    }
}

/* A service of an overlay alone is a new one, or a misspelt one of the base. */
static void check_added(const struct doc_node *services, const struct doc_entry *e,
        const char *path, struct diag_list *diags)
{
    AUTO(free) char *use = sub_path(path, "use");
    AUTO(free) const char **names = xcalloc(services->count, sizeof(*names));
    size_t count = 0;

    if (doc_get(doc_get(services, e->key), "use") != NULL || diag_explains(diags, use))
        return;
    for (size_t i = 0; i < services->count; i++) {
        if (!text_eq(services->entries[i].key, e->key))
            names[count++] = services->entries[i].key;
    }
    const char *meant = text_suggest(str_of(e->key), names, count);

    diag_add(diags, DIAG_ERROR, "stack.missing-key", e->key_place, path,
            "the base has no such service%s%s%s, and a new one needs 'use'",
            meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");
}

void schema_check_overlay(const struct doc_node *merged, const struct doc_node *overlay,
        const char *path, struct diag_list *diags)
{
    const struct doc_node *services = doc_get(merged, "services");
    const struct doc_node *own = doc_get(overlay, "services");

    if (services == NULL || services->kind != DOC_MAP || own == NULL || own->kind != DOC_MAP)
        return;
    for (size_t i = 0; i < own->count; i++) {
        const struct doc_entry *e = &own->entries[i];
        AUTO(free) char *sub = xasprintf("%s.services.%s", path, e->key);

        if (e->value->kind != DOC_MAP)
            continue;
        check_added(services, e, sub, diags);
        check_need_targets(services, e, sub, diags);
    }
}
