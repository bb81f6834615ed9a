#include "report/lint_text.h"

#include "base/jsonx.h"
#include "base/text.h"
#include "report/findings.h"
#include "report/style.h"

static void add_line(struct buf *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_addf(out, "  %-6s", name);
    text_add_escaped(out, str_of(text));
    buf_add_char(out, '\n');
}

static void add_place(const json_t *f, struct buf *out)
{
    const char *file = jsonx_text(f, "file");
    const char *path = jsonx_text(f, "path");

    if (file == NULL)
        return;
    buf_addf(out, "  at    %s", file);
    if (jsonx_int(f, "line", 0) > 0)
        buf_addf(out, ":%lld:%lld", (long long)jsonx_int(f, "line", 0),
                (long long)jsonx_int(f, "column", 0));
    if (path != NULL && path[0] != '\0')
        buf_addf(out, " (%s)", path);
    buf_add_char(out, '\n');
}

void report_lint_text(const json_t *findings, bool has_color, struct buf *out)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        const char *severity = jsonx_text(f, "severity");

        buf_add_char(out, '\n');
        style_add(out, has_color,
                text_eq(severity, "error")     ? STYLE_BAD
                : text_eq(severity, "warning") ? STYLE_WARN
                                               : STYLE_DIM,
                severity);
        buf_addf(out, "  %s  ", findings_id(f));
        text_add_escaped(out, str_of(findings_title(f)));
        buf_add_char(out, '\n');
        add_place(f, out);
        add_line(out, "cause", jsonx_text(f, "cause"));
        add_line(out, "fix", jsonx_text(f, "fix"));
        if (jsonx_text(f, "runbook") != NULL)
            buf_addf(out, "  more  deployer explain %s\n", jsonx_text(f, "runbook"));
    }
}
