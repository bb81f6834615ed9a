/* A contract for people: the table of its variables, and a .env to fill in. */
#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "lint/contract.h"

static void add_words(struct buf *out, const json_t *list, const char *between)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        buf_addf(out, "%s%s", i == 0 ? "" : between, json_string_value(one));
    }
}

/* In a table's cell. */
static void add_cell(struct buf *out, const char *text)
{
    for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
        if (*c == '|' || *c == '<' || *c == '*' || *c == '_')
            buf_add_char(out, '\\');
        buf_add_char(out, *c);
    }
}

static void add_form(struct buf *out, const json_t *v)
{
    const char *type = jsonx_text(v, "type");
    static const char *const bounds[][2] = { { "min", "≥" }, { "above", ">" }, { "max", "≤" } };
    const json_t *words = json_object_get(v, "enum");

    if (words != NULL)
        add_words(out, words, ", ");
    else if (json_object_get(v, "list_of") != NULL) {
        buf_add_text(out, "list of ");
        add_words(out, json_object_get(v, "list_of"), ", ");
    } else {
        buf_add_text(out, type);
    }
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        const json_t *n = json_object_get(v, bounds[i][0]);

        if (n != NULL)
            buf_addf(out, " %s %g", bounds[i][1], json_number_value(n));
    }
    if (jsonx_text(v, "pattern") != NULL) {
        buf_add_text(out, ", ");
        add_cell(out, jsonx_text(v, "pattern"));
    }
    if (jsonx_bool(v, "secret", false))
        buf_add_text(out, ", secret");
}

static void add_row(struct buf *out, const char *name, const json_t *v)
{
    buf_addf(out, "| `%s` | ", name);
    add_words(out, json_object_get(v, "in"), ", ");
    buf_add_text(out, " | ");
    add_form(out, v);
    buf_add_text(out, " | ");
    if (json_array_size(json_object_get(v, "required")) > 0)
        buf_add_text(out, "**required**");
    else
        add_cell(out, jsonx_text(v, "default"));
    buf_add_text(out, " | ");
    add_cell(out, jsonx_text(v, "doc"));
    if (jsonx_int(v, "since", 0) > 0)
        buf_addf(out, " (from version %lld)", (long long)jsonx_int(v, "since", 0));
    if (jsonx_int(v, "until", 0) > 0)
        buf_addf(out, " (to version %lld)", (long long)jsonx_int(v, "until", 0));
    if (jsonx_text(v, "runbook") != NULL)
        buf_addf(out, " — %s", jsonx_text(v, "runbook"));
    buf_add_text(out, " |\n");
}

/* The groups in the order in which they are first met. Owned. */
static json_t *groups_of(const json_t *variables)
{
    json_t *groups = jsonx_must(json_object());
    const char *name = NULL;
    json_t *v = NULL;

    json_object_foreach ((json_t *)(uintptr_t)variables, name, v) {
        const char *group = jsonx_text(v, "group");

        if (group == NULL)
            group = "other";
        if (json_object_get(groups, group) == NULL)
            json_object_set_new(groups, group, jsonx_must(json_object()));
        json_object_set(json_object_get(groups, group), name, v);
    }
    return groups;
}

void contract_table(const json_t *contract, struct buf *out)
{
    json_auto_t *groups = groups_of(json_object_get(contract, "variables"));
    const char *group = NULL;
    json_t *members = NULL;
    size_t i = 0;
    json_t *rule = NULL;

    buf_addf(out,
            "# %s\n\nGenerated from services/%s/contract.yaml by `deployer env --table`. %s\n",
            jsonx_text(contract, "title"), jsonx_text(contract, "contract"),
            jsonx_text(contract, "doc") == NULL ? "" : jsonx_text(contract, "doc"));
    json_object_foreach (groups, group, members) {
        const char *name = NULL;
        json_t *v = NULL;

        buf_addf(out,
                "\n## %s\n\n| variable | read by | form | default | what |\n| --- | --- | --- | "
                "--- | --- |\n",
                group);
        json_object_foreach (members, name, v) {
            add_row(out, name, v);
        }
    }
    buf_add_text(out, "\n## Rules between them\n\n| rule | variable | what is wrong | what to do "
                      "|\n| --- | --- | --- | --- |\n");
    json_array_foreach (json_object_get(contract, "rules"), i, rule) {
        buf_addf(out, "| env.%s%s%s | ", jsonx_text(rule, "id"),
                jsonx_text(rule, "runbook") == NULL ? "" : ", ",
                jsonx_text(rule, "runbook") == NULL ? "" : jsonx_text(rule, "runbook"));
        add_cell(out, jsonx_text(rule, "variable"));
        buf_add_text(out, " | ");
        add_cell(out, jsonx_text(rule, "text"));
        buf_add_text(out, " | ");
        add_cell(out, jsonx_text(rule, "fix"));
        buf_add_text(out, " |\n");
    }
}

void contract_template(const json_t *contract, const json_t *names, struct buf *out)
{
    const char *name = NULL;
    json_t *v = NULL;

    json_object_foreach (json_object_get(contract, "variables"), name, v) {
        const bool is_required = json_array_size(json_object_get(v, "required")) > 0;
        const char *value = jsonx_text(v, "default");

        if (json_object_get(names, name) == NULL && !is_required)
            continue;
        buf_addf(out, "# %s", jsonx_text(v, "doc") == NULL ? name : jsonx_text(v, "doc"));
        buf_addf(out, "%s%s\n", is_required ? " (required)" : "",
                jsonx_bool(v, "secret", false) ? " (secret)" : "");
        buf_addf(out, "# %s=%s\n", name, value == NULL ? "" : value);
    }
}
