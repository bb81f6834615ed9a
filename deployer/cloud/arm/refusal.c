#include "cloud/arm/refusal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/text.h"
#include "cloud/arm/fault.h"

#define EXPRESSIONS_MAX 3u
#define SCOPES_MAX 3u

static const char *text_at(const json_t *j, const char *key)
{
    return json_string_value(jsonx_get_ci(j, key));
}

static void add_value(struct buf *out, const json_t *value)
{
    AUTO(free) char *text = value == NULL ? xstrdup("absent") : jsonx_dump(value);

    text_add_escaped(out, str_slice(str_of(text), 0, 100));
}

/* "properties.publicNetworkAccess is "Enabled" (Equals "Enabled")" of what made the policy bite. */
static void add_expressions(struct buf *out, const json_t *info)
{
    const json_t *list =
            jsonx_get_ci(jsonx_get_ci(info, "evaluationDetails"), "evaluatedExpressions");
    size_t shown = 0;
    size_t i = 0;
    const json_t *e = NULL;

    json_array_foreach (list, i, e) {
        const char *path = text_at(e, "path");
        const char *relation = text_at(e, "operator");

        if (path == NULL || shown == EXPRESSIONS_MAX)
            continue;
        buf_addf(out, "%s%s is ", shown == 0 ? ": " : ", ", path);
        add_value(out, jsonx_get_ci(e, "expressionValue"));
        if (relation != NULL) {
            buf_addf(out, " (%s ", relation);
            add_value(out, jsonx_get_ci(e, "targetValue"));
            buf_add_char(out, ')');
        }
        shown++;
    }
}

static const char *name_of(const json_t *info)
{
    static const char *const names[] = { "policyAssignmentDisplayName",
        "policyDefinitionDisplayName", "policyAssignmentName", "policyDefinitionName" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = text_at(info, names[i]);

        if (name != NULL && name[0] != '\0')
            return name;
    }
    return NULL;
}

static json_t *policy_text(const json_t *info)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const char *name = name_of(info);
    const char *assignment = text_at(info, "policyAssignmentId");
    const char *definition = text_at(info, "policyDefinitionId");

    if (name == NULL && assignment == NULL)
        return NULL;
    buf_addf(&out, "'%s'", name == NULL ? "" : name);
    if (assignment != NULL || definition != NULL)
        buf_addf(&out, " (%s%s%s%s%s)", assignment == NULL ? "" : "assignment ",
                assignment == NULL ? "" : assignment,
                assignment == NULL || definition == NULL ? "" : ", ",
                definition == NULL ? "" : "definition ", definition == NULL ? "" : definition);
    add_expressions(&out, info);
    return text_json(buf_str(&out));
}

json_t *arm_refusal_policies(const json_t *additional_info)
{
    json_auto_t *all = jsonx_must(json_array());
    size_t i = 0;
    const json_t *entry = NULL;

    json_array_foreach (additional_info, i, entry) {
        json_t *text = policy_text(jsonx_get_ci(entry, "info"));

        if (text != NULL)
            json_array_append_new(all, text);
    }
    return json_array_size(all) == 0 ? NULL : TAKE(all);
}

static void add_policies(struct buf *out, const json_t *fault)
{
    size_t i = 0;
    const json_t *one = NULL;

    json_array_foreach (json_object_get(fault, "policies"), i, one)
        buf_addf(out, "%s%s", out->len == 0 ? "" : "; ", json_string_value(one));
    json_array_foreach (json_object_get(fault, "details"), i, one)
        add_policies(out, one);
}

static char *policy_hint(const json_t *fault)
{
    AUTO(buf) struct buf names = BUF_INIT(BUF_TEXT_MAX);

    add_policies(&names, fault);
    return xasprintf(
            "an Azure Policy forbids this: change the stack to satisfy it, or ask its owner "
            "for an exemption%s%s",
            names.len == 0 ? "" : "; policy: ", buf_text(&names));
}

/* The message of the fault or detail that has the code. */
static const char *message_of(const json_t *fault, const char *code)
{
    const char *own = jsonx_text(fault, "code");
    size_t i = 0;
    const json_t *d = NULL;

    if (own != NULL && str_eq_ci(str_of(own), str_of(code)))
        return jsonx_text(fault, "message");
    json_array_foreach (json_object_get(fault, "details"), i, d) {
        const char *found = message_of(d, code);

        if (found != NULL)
            return found;
    }
    return NULL;
}

/* The quoted scopes behind "locked:". */
static void add_locked(struct buf *out, const char *message)
{
    const char *at = message == NULL ? NULL : strstr(message, "locked");
    struct str rest = str_of(at);
    unsigned count = 0;

    while (at != NULL && count < SCOPES_MAX) {
        str_cut(&rest, '\'');
        if (rest.p == NULL)
            break;
        const struct str scope = str_cut(&rest, '\'');

        if (str_starts(scope, STR("/")) && rest.p != NULL) {
            buf_addf(out, "%s%.*s", count == 0 ? "" : ", ", STR_ARG(scope));
            count++;
        }
    }
}

static char *lock_hint(const json_t *fault)
{
    AUTO(buf) struct buf scopes = BUF_INIT(BUF_TEXT_MAX);

    add_locked(&scopes, message_of(fault, "ScopeLocked"));
    if (scopes.len == 0)
        return xstrdup("a lock protects it: az lock list --resource-group GROUP shows which");
    return xasprintf(
            "a lock on %s protects it: az lock list --resource SCOPE (or --resource-group) "
            "shows who set it and why; it goes with az lock delete, which takes Owner or "
            "User Access Administrator",
            buf_text(&scopes));
}

char *arm_refusal_hint(const json_t *fault)
{
    if (arm_fault_has(fault, "RequestDisallowedByPolicy"))
        return policy_hint(fault);
    return arm_fault_has(fault, "ScopeLocked") ? lock_hint(fault) : NULL;
}
