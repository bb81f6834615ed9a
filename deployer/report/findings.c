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

static bool names_check(const json_t *finding, const json_t *check)
{
    const char *name = jsonx_text(check, "name");
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach (json_object_get(finding, "checks"), i, c) {
        if (text_eq(json_string_value(c), name))
            return true;
    }
    return false;
}

bool findings_explain(const json_t *document, const json_t *check)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        if (names_check(f, check))
            return true;
    }
    return false;
}

/* ---- what fails ---- */

static int rank_of(const char *severity)
{
    if (text_eq(severity, "error"))
        return 2;
    return text_eq(severity, "warning") || text_eq(severity, "warn") ? 1 : 0;
}

static const char *limit_of(const json_t *document)
{
    return first_text(document, "fail_on", "fail_on", "error");
}

bool findings_fails(const json_t *document, const json_t *finding)
{
    return rank_of(jsonx_text(finding, "severity")) >= rank_of(limit_of(document));
}

const json_t *findings_against(const json_t *document, const json_t *check)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        if (findings_fails(document, f) && names_check(f, check))
            return f;
    }
    return NULL;
}

bool findings_check_fails(const json_t *document, const json_t *check)
{
    return text_eq(jsonx_text(check, "status"), "fail")
           || findings_against(document, check) != NULL;
}

/* Of those that fail, how many have this rank or more. */
static size_t count_failing(const json_t *document, int rank)
{
    size_t n = 0;
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        n += findings_fails(document, f) && rank_of(jsonx_text(f, "severity")) >= rank;
    }
    return n;
}

bool findings_any_fails(const json_t *document)
{
    return jsonx_int(json_object_get(document, "summary"), "fail", 0) > 0
           || count_failing(document, 0) > 0;
}

char *findings_why(const json_t *document)
{
    const size_t count = count_failing(document, 0);

    if (count == count_failing(document, rank_of("error")))
        return NULL;
    return xasprintf("%zu finding%s at or above '%s' fail%s", count, count == 1 ? "" : "s",
            limit_of(document), count == 1 ? "s" : "");
}
