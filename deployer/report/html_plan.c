#include "report/html_plan.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "report/html_page.h"
#include "report/html_text.h"

/* In the order in which they are worth a look; the class gives the colour. */
static const struct {
    const char *action;
    const char *title;
    const char *css;
} groups[] = {
    { "replace", "Deleted and made again", "error" },
    { "delete", "Deleted", "error" },
    { "forget", "Forgotten, left in the cloud", "warning" },
    { "adopt", "Taken over", "warning" },
    { "update", "Changed", "warning" },
    { "move", "Moved", "note" },
    { "create", "Created", "pass" },
    { "unknown", "Not compared", "skip" },
};

static void add_value(struct buf *out, const json_t *value)
{
    AUTO(free)
    char *text = value == NULL || json_is_null(value) ? xstrdup("(none)")
                 : json_is_string(value)              ? xstrdup(json_string_value(value))
                                                      : jsonx_dump(value);

    buf_add_text(out, "<code>");
    html_add(out, text);
    buf_add_text(out, "</code>");
}

static void add_changes(const json_t *action, struct buf *out)
{
    const json_t *changes = json_object_get(action, "changes");
    size_t i = 0;
    json_t *c = NULL;

    if (json_array_size(changes) == 0)
        return;
    buf_add_text(out, "<ul class=facts>");
    json_array_foreach ((json_t *)(uintptr_t)changes, i, c) {
        buf_add_text(out, "<li>");
        html_add(out, jsonx_text(c, "path"));
        buf_add_text(out, ": ");
        add_value(out, json_object_get(c, "actual"));
        buf_add_text(out, " &rarr; ");
        add_value(out, json_object_get(c, "desired"));
        if (jsonx_bool(c, "forces_replacement", false))
            buf_add_text(out, " <strong>can only be set anew</strong>");
        buf_add_text(out, "</li>");
    }
    buf_add_text(out, "</ul>");
}

static void add_action(const json_t *action, const char *css, struct buf *out)
{
    const char *reason = jsonx_text(action, "reason");
    const bool loses = jsonx_bool(action, "loses_data", false);

    buf_addf(out, "<div class=%s><div class=row><span class=word>%s</span><span class=name>", css,
            jsonx_text(action, "action"));
    html_add(out, jsonx_text(action, "address"));
    buf_add_text(out, "</span><span class=why>");
    html_add(out, jsonx_text(action, "kind"));
    buf_add_text(out, reason == NULL ? "" : ": ");
    html_add(out, reason);
    buf_addf(out, "%s</span></div>", loses ? " <strong>its data is lost</strong>" : "");
    add_changes(action, out);
    buf_add_text(out, "</div>\n");
}

static void add_group(const json_t *plan, size_t group, struct buf *out)
{
    const int64_t count = jsonx_int(json_object_get(plan, "summary"), groups[group].action, 0);
    size_t i = 0;
    json_t *a = NULL;

    if (count == 0)
        return;
    buf_addf(out, "<h2>%s <span>%lld</span></h2>\n<div class=checks>\n", groups[group].title,
            (long long)count);
    json_array_foreach (json_object_get(plan, "actions"), i, a) {
        if (text_eq(jsonx_text(a, "action"), groups[group].action))
            add_action(a, groups[group].css, out);
    }
    buf_add_text(out, "</div>\n");
}

void report_html_plan(const json_t *plan, struct buf *out)
{
    const json_t *summary = json_object_get(plan, "summary");
    const bool has_changes = jsonx_bool(plan, "has_changes", false);

    html_page_begin(out, has_changes ? "What apply would do" : "Nothing to change");
    buf_add_text(out, "<ul class=counts>");
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        const int64_t n = jsonx_int(summary, groups[g].action, 0);

        if (n > 0)
            buf_addf(out, "<li class=%s><b class=word>%lld</b> %s</li>", groups[g].css,
                    (long long)n, groups[g].action);
    }
    buf_addf(out, "<li class=skip><b class=word>%lld</b> unchanged</li></ul>\n",
            (long long)jsonx_int(summary, "none", 0));
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        add_group(plan, g, out);
    html_page_end(out, "Values of secrets are never in it.");
}
