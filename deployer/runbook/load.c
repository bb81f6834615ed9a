/*
 * load.c - front matter and body of a runbook's file.
 */
#include <ctype.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "runbook/condition.h"
#include "runbook/runbook.h"

static const char *const severity_names[] = { "error", "warning", "note" };
_Static_assert(ARRAY_LEN(severity_names) == RUNBOOK_NOTE + 1, "one name a severity");

static const char *const known_keys[] = { "format", "id", "title", "area", "severity", "certainty",
    "texts", "when", "explains", "rank", "cause", "fix", "lint" };
static const char *const sections[] = { "Symptom", "Cause", "Fix", "Prevent", "Evidence" };

const char *runbook_severity_name(enum runbook_severity severity)
{
    return severity_names[severity];
}

struct load {
    struct runbooks *set;
    struct diag_list *diags;
    const struct doc_node *root;
};

static void complain(const struct load *l, const struct doc_node *at, const char *path,
        const char *fmt, ...) PRINTF_LIKE(4, 5);

static void complain(
        const struct load *l, const struct doc_node *at, const char *path, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    diag_add(l->diags, DIAG_ERROR, "runbook", at == NULL ? l->root->place : at->place, path, "%s",
            text);
}

static const char *text_of(const struct load *l, const char *key, bool is_required)
{
    const struct doc_node *n = doc_get(l->root, key);

    if (n != NULL && n->kind == DOC_SCALAR && n->text_len > 0)
        return n->text;
    if (n != NULL || is_required)
        complain(l, n, key, "a text is needed here");
    return NULL;
}

static const json_t *json_of(const struct load *l, const char *key)
{
    const struct doc_node *n = doc_get(l->root, key);

    if (doc_is_null(n))
        return NULL;
    json_t *j = doc_json(n, key, l->diags);

    arena_hook(l->set->arena, (void (*)(void *))(uintptr_t)json_decref, j);
    return j;
}

static const char *const *list_of(const struct load *l, const char *key, size_t *ret_count)
{
    const struct doc_node *n = doc_get(l->root, key);

    *ret_count = 0;
    if (doc_is_null(n))
        return NULL;
    if (n->kind != DOC_LIST) {
        complain(l, n, key, "a list of texts is needed here");
        return NULL;
    }
    const char **items = arena_alloc(l->set->arena, (n->count + 1) * sizeof(*items));

    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i]->kind == DOC_SCALAR)
            items[(*ret_count)++] = n->items[i]->text;
        else
            complain(l, n->items[i], key, "a text is needed here");
    }
    return items;
}

static void check_keys(const struct load *l)
{
    for (size_t i = 0; i < l->root->count; i++) {
        const struct doc_entry *e = &l->root->entries[i];
        size_t k = 0;

        while (k < ARRAY_LEN(known_keys) && !text_eq(known_keys[k], e->key))
            k++;
        if (k < ARRAY_LEN(known_keys))
            continue;
        const char *meant = text_suggest(str_of(e->key), known_keys, ARRAY_LEN(known_keys));

        diag_add(l->diags, DIAG_ERROR, "runbook", e->key_place, e->key, "unknown key%s%s%s",
                meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                meant == NULL ? "" : "?)");
    }
}

static void check_patterns(const struct load *l, const struct runbook *r)
{
    for (size_t i = 0; i < r->text_count; i++) {
        regex_t re;
        const int rc = regcomp(&re, r->texts[i], REG_EXTENDED);
        char reason[128];

        if (rc == 0 && regexec(&re, "", 0, NULL, 0) == 0)
            complain(l, doc_get(l->root, "texts"), "texts", "'%s' matches everything", r->texts[i]);
        if (rc == 0) {
            regfree(&re);
            continue;
        }
        regerror(rc, &re, reason, sizeof(reason));
        complain(l, doc_get(l->root, "texts"), "texts", "'%s': %s", r->texts[i], reason);
    }
}

static void check_conditions(const struct load *l, const struct runbook *r)
{
    struct err *e = r->when == NULL ? NULL : condition_check(r->when);

    if (e != NULL)
        complain(l, doc_get(l->root, "when"), "when", "%s", err_text(e));
    err_free(e);
    if (r->when != NULL && r->cause == NULL)
        complain(l, NULL, "cause", "a runbook with `when` needs the sentence that a finding says");
}

struct str runbook_section(const struct runbook *r, const char *heading)
{
    AUTO(free) char *line = xasprintf("## %s\n", heading);
    const struct str body = str_of(r->body);
    ptrdiff_t at = str_starts(body, str_of(line)) ? 0 : -1;

    if (at < 0) {
        AUTO(free) char *inner = xasprintf("\n## %s\n", heading);

        at = str_find(body, str_of(inner));
        if (at < 0)
            return STR("");
        at++;
    }
    const struct str rest = str_slice(body, (size_t)at + strlen(line), body.len);
    const ptrdiff_t end = str_starts(rest, STR("## ")) ? 0 : str_find(rest, STR("\n## "));

    return str_trim(end < 0 ? rest : str_slice(rest, 0, (size_t)end));
}

static void check_sections(const struct load *l, const struct runbook *r)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (runbook_section(r, sections[i]).len == 0)
            complain(l, NULL, sections[i], "the section '## %s' is missing or empty", sections[i]);
    }
}

static bool is_id(const char *id)
{
    const char *dash = id == NULL ? NULL : strrchr(id, '-');
    size_t digits = 0;

    if (dash == NULL || dash == id)
        return false;
    for (const char *c = id; c < dash; c++) {
        if (!isupper((unsigned char)*c) && *c != '-')
            return false;
    }
    while (isdigit((unsigned char)dash[1 + digits]))
        digits++;
    return digits == 3 && dash[4] == '\0';
}

static enum runbook_severity severity_of(const struct load *l)
{
    const char *word = text_of(l, "severity", true);

    for (size_t i = 0; word != NULL && i < ARRAY_LEN(severity_names); i++) {
        if (text_eq(word, severity_names[i]))
            return (enum runbook_severity)i;
    }
    if (word != NULL)
        complain(l, doc_get(l->root, "severity"), "severity", "'%s' is not error, warning or note",
                word);
    return RUNBOOK_ERROR;
}

static int rank_of(const struct load *l)
{
    const struct doc_node *n = doc_get(l->root, "rank");
    int64_t rank = 0;

    if (doc_is_null(n) || n->kind != DOC_SCALAR)
        return 0;
    struct err *e = num_parse_i64(str_of(n->text), -100, 100, &rank);

    if (e != NULL)
        complain(l, n, "rank", "%s", err_text(e));
    err_free(e);
    return (int)rank;
}

static void put(struct runbooks *set, const struct runbook *r)
{
    for (size_t i = 0; i < set->count; i++) {
        if (text_eq(set->items[i].id, r->id)) {
            set->items[i] = *r;
            return;
        }
    }
    if (set->count == set->capacity) {
        const size_t capacity = set->capacity == 0 ? 64 : set->capacity * 2;
        struct runbook *grown = arena_alloc(set->arena, capacity * sizeof(*grown));

        if (set->count > 0)
            memcpy(grown, set->items, set->count * sizeof(*grown));
        set->items = grown;
        set->capacity = capacity;
    }
    set->items[set->count++] = *r;
}

static struct runbook read_front(const struct load *l, const char *file, const char *body)
{
    const char *certainty = text_of(l, "certainty", false);
    struct runbook r = {
        .file = arena_text(l->set->arena, file), .body = body, .place = l->root->place
    };

    r.id = text_of(l, "id", true);
    r.title = text_of(l, "title", true);
    r.area = text_of(l, "area", true);
    r.severity = severity_of(l);
    r.is_likely = text_eq(certainty, "likely");
    if (certainty != NULL && !r.is_likely && !text_eq(certainty, "certain"))
        complain(l, doc_get(l->root, "certainty"), "certainty", "'%s' is not certain or likely",
                certainty);
    r.texts = list_of(l, "texts", &r.text_count);
    r.explains = list_of(l, "explains", &r.explains_count);
    r.when = json_of(l, "when");
    r.lint = json_of(l, "lint");
    r.lint_place = r.lint == NULL ? l->root->place : doc_get(l->root, "lint")->place;
    r.rank = rank_of(l);
    r.cause = text_of(l, "cause", false);
    r.fix = text_of(l, "fix", true);
    return r;
}

static bool is_sound(const struct load *l, const struct runbook *r)
{
    const char *base = strrchr(r->file, '/');

    check_keys(l);
    check_patterns(l, r);
    check_conditions(l, r);
    check_sections(l, r);
    if (!is_id(r->id))
        complain(l, doc_get(l->root, "id"), "id", "an id is capitals, a dash and three digits");
    else if (!str_starts(str_of(base == NULL ? r->file : base + 1), str_of(r->id)))
        complain(l, doc_get(l->root, "id"), "id", "the file's name does not begin with %s", r->id);
    else
        return true;
    return false;
}

void runbook_add(struct runbooks *set, struct str text, const char *file, struct diag_list *diags)
{
    struct load l = { .set = set, .diags = diags };
    const struct place start = { .file = file, .line = 1, .column = 1 };
    struct str front, body;

    if (!doc_front(text, &front, &body)) {
        diag_add(diags, DIAG_ERROR, "runbook", start, "",
                "no front matter: the file begins with '---' and it ends with '---'");
        return;
    }
    l.root = doc_parse(set->arena, front, file, diags);
    if (l.root == NULL)
        return;
    if (l.root->kind != DOC_MAP) {
        diag_add(diags, DIAG_ERROR, "runbook", start, "", "the front matter is no map");
        return;
    }
    const struct runbook r = read_front(&l, file, arena_str(set->arena, body));

    if (is_sound(&l, &r))
        put(set, &r);
}

void runbook_add_read(struct runbooks *set, const struct doc_node *front, const char *body,
        const char *file, struct diag_list *diags)
{
    const struct load l = { .set = set, .diags = diags, .root = front };
    const struct runbook r = read_front(&l, file, body);

    put(set, &r);
}

struct folder {
    struct runbooks *set;
    struct diag_list *diags;
    const char *dir;
};

static struct err *add_file(void *arg, const char *name)
{
    const struct folder *f = arg;
    AUTO(buf) struct buf text = BUF_INIT(RUNBOOK_BYTES_MAX);
    AUTO(free) char *path = file_join(f->dir, name);

    if (!isupper((unsigned char)name[0]) || strchr(name, '-') == NULL)
        return NULL; /* an index or a README */
    TRY(file_read(path, RUNBOOK_BYTES_MAX, &text));
    runbook_add(f->set, buf_str(&text), path, f->diags);
    return NULL;
}

struct err *runbook_add_folder(struct runbooks *set, const char *dir, struct diag_list *diags)
{
    struct folder f = { .set = set, .diags = diags, .dir = dir };

    return file_each(dir, ".md", add_file, &f);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct runbook *)a)->id, ((const struct runbook *)b)->id);
}

void runbook_finish(struct runbooks *set, struct diag_list *diags)
{
    if (set->count > 1)
        qsort(set->items, set->count, sizeof(set->items[0]), by_id);
    for (size_t i = 0; i < set->count; i++) {
        const struct runbook *r = &set->items[i];

        for (size_t k = 0; k < r->explains_count; k++) {
            if (runbook_find(set, r->explains[k]) == NULL)
                diag_add(diags, DIAG_WARNING, "runbook", r->place, "explains",
                        "there is no runbook %s", r->explains[k]);
        }
    }
}

const struct runbook *runbook_find(const struct runbooks *set, const char *id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcasecmp(set->items[i].id, id) == 0)
            return &set->items[i];
    }
    return NULL;
}
