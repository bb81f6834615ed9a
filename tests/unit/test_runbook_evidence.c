/*
 * Each shipped runbook on what it was written for: saved evidence (tests/data/evidence/ID*.json,
 * whose `source` says where it comes from) on which it is first, silence on healthy-*.json, and
 * lines of logs (tests/data/explain.tsv) that find it first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/embedded.h"
#include "runbook/runbook.h"

#define FOLDER "tests/data/evidence"
#define LINES "tests/data/explain.tsv"

static struct {
    struct arena *arena;
    struct diag_list diags;
    struct runbooks set;
    bool *is_proven; /* by evidence */
    bool *is_found;  /* by a text */
} t;

static int setup(void **state)
{
    (void)state;
    t.arena = arena_new();
    diag_init(&t.diags, t.arena);
    t.set = (struct runbooks){ .arena = t.arena };
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (str_starts(str_of(f->path), STR("runbooks/"))
                && str_find(str_of(f->path), STR("README")) < 0)
            runbook_add(&t.set, (struct str){ .p = f->text, .len = f->len }, f->path, &t.diags);
    }
    runbook_finish(&t.set, &t.diags);
    t.is_proven = xcalloc(t.set.count, sizeof(*t.is_proven));
    t.is_found = xcalloc(t.set.count, sizeof(*t.is_found));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(t.is_proven);
    free(t.is_found);
    diag_release(&t.diags);
    arena_free(t.arena);
    return 0;
}

static size_t index_of(struct str id)
{
    AUTO(free) char *text = str_dup(id);
    const struct runbook *r = runbook_find(&t.set, text);

    if (r == NULL)
        fail_msg("there is no runbook %s", text);
    return (size_t)(r - t.set.items);
}

/* "RED-001-plain.json" -> "RED-001". */
static struct str id_of(const char *file)
{
    const char *dash = strchr(file, '-');
    size_t n = dash == NULL ? 0 : (size_t)(dash - file) + 1;

    while (file[n] >= '0' && file[n] <= '9')
        n++;
    return (struct str){ .p = file, .len = n };
}

static void check_file(const char *name)
{
    AUTO(free) char *path = file_join(FOLDER, name);
    json_auto_t *saved = NULL;
    struct err *e = jsonx_load_file(path, 1u << 20, &saved);

    if (e != NULL)
        fail_msg("%s: %s", name, err_text(e));
    if (jsonx_text(saved, "source") == NULL)
        fail_msg("%s does not say where it comes from", name);
    json_auto_t *findings =
            runbook_match(&t.set, json_object_get(saved, "evidence"), "s.check", "s");
    const json_t *first = json_array_get(findings, 0);

    if (str_starts(str_of(name), STR("healthy-"))) {
        if (first != NULL)
            fail_msg("%s: %s says: %s", name, jsonx_text(first, "runbook"),
                    jsonx_text(first, "cause"));
        return;
    }
    const struct str id = id_of(name);

    if (first == NULL || !str_eq(str_of(jsonx_text(first, "runbook")), id))
        fail_msg("%s: the first finding is %s", name,
                first == NULL ? "none" : jsonx_text(first, "runbook"));
    if (strstr(jsonx_text(first, "cause"), "(unknown)") != NULL
            || strstr(jsonx_text(first, "fix"), "(unknown)") != NULL)
        fail_msg("%s: a fact is missing in: %s; %s", name, jsonx_text(first, "cause"),
                jsonx_text(first, "fix"));
    t.is_proven[index_of(id)] = true;
}

static void conditions_hold_on_their_evidence_alone(void **state)
{
    DIR *dir = opendir(FOLDER);
    size_t healthy = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        if (!str_ends(str_of(d->d_name), STR(".json")))
            continue;
        healthy += str_starts(str_of(d->d_name), STR("healthy-"));
        check_file(d->d_name);
    }
    closedir(dir);
    assert_true(healthy >= 6);
    for (size_t i = 0; i < t.set.count; i++) {
        if (t.set.items[i].when != NULL && !t.is_proven[i])
            fail_msg("%s has conditions and no evidence in " FOLDER, t.set.items[i].id);
    }
}

static void texts_find_their_runbook_first(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(1u << 20);
    struct err *e = file_read(LINES, 1u << 20, &text);

    (void)state;
    if (e != NULL)
        fail_msg("%s", err_text(e));
    struct str rest = buf_str(&text);

    while (rest.p != NULL) {
        struct str line = str_cut(&rest, '\n');
        const struct str id = str_cut(&line, '\t');
        const struct runbook *found = NULL;

        if (line.p == NULL || id.len == 0 || id.p[0] == '#')
            continue;
        if (runbook_explain(&t.set, line, &found, 1) == 0 || !str_eq(str_of(found->id), id))
            fail_msg("%.*s: %s is found by: %.*s", STR_ARG(id), found == NULL ? "none" : found->id,
                    STR_ARG(line));
        t.is_found[index_of(id)] = true;
    }
    for (size_t i = 0; i < t.set.count; i++) {
        if (t.set.items[i].text_count > 0 && !t.is_found[i])
            fail_msg("%s has texts and no line in " LINES, t.set.items[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conditions_hold_on_their_evidence_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_find_their_runbook_first, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
