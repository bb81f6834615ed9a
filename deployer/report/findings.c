#include "report/findings.h"

#include "base/alloc.h"
#include "base/jsonx.h"

static const char *first_text(const json_t *o, const char *a, const char *b, const char *otherwise)
{
    const char *text = jsonx_text(o, a);

    if (text == NULL)
        text = jsonx_text(o, b);
    return text == NULL ? otherwise : text;
}

const char *findings_id(const json_t *finding)
{
    return first_text(finding, "runbook", "code", "finding");
}

const char *findings_title(const json_t *finding)
{
    return first_text(finding, "title", "text", findings_id(finding));
}

char *findings_sentence(const json_t *finding)
{
    const char *cause = first_text(finding, "cause", "text", findings_title(finding));
    const char *fix = first_text(finding, "fix", "hint", NULL);

    return fix == NULL ? xstrdup(cause) : xasprintf("%s. Fix: %s", cause, fix);
}

bool findings_explain(const json_t *document, const json_t *check)
{
    const char *name = jsonx_text(check, "name");
    size_t i = 0;
    size_t k = 0;
    json_t *f = NULL;
    json_t *c = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        json_array_foreach (json_object_get(f, "checks"), k, c) {
            if (text_eq(json_string_value(c), name))
                return true;
        }
    }
    return false;
}
