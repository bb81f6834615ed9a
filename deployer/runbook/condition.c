#include "runbook/condition.h"

#include <regex.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

/* What is matched of a text: the rest of a long one tells no more. */
#define MATCHED_MAX 8192u
#define DEPTH_MAX 8

enum operator_kind { OP_IS, OP_NOT, OP_IN, OP_MATCHES, OP_CONTAINS, OP_ABOVE, OP_BELOW, OP_KNOWN };

static const char *const operators[] = { "is", "not", "in", "matches", "contains", "above", "below",
    "known" };
_Static_assert(ARRAY_LEN(operators) == OP_KNOWN + 1, "one name an operator");

static bool is_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        const double gap = json_number_value(a) - json_number_value(b);

        return gap > -1e-9 && gap < 1e-9;
    }
    return json_equal(a, b) == 1;
}

static bool is_in(const json_t *value, const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
        if (is_equal(value, item))
            return true;
    }
    return false;
}

static bool matches(const char *text, const char *pattern)
{
    AUTO(free) char *part = str_dup(str_slice(str_of(text), 0, MATCHED_MAX));
    regex_t re;

    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool is_match = regexec(&re, part, 0, NULL, 0) == 0;

    regfree(&re);
    return is_match;
}

static bool contains(const json_t *value, const json_t *part)
{
    if (json_is_array(value))
        return is_in(part, value);
    return json_is_string(value) && json_is_string(part)
           && strstr(json_string_value(value), json_string_value(part)) != NULL;
}

static enum truth apply(enum operator_kind op, const json_t *value, const json_t *operand)
{
    bool holds = false;

    switch (op) {
    case OP_IS:
        holds = is_equal(value, operand);
        break;
    case OP_NOT:
        holds = !is_equal(value, operand);
        break;
    case OP_IN:
        holds = is_in(value, operand);
        break;
    case OP_MATCHES:
        if (!json_is_string(value))
            return TRUTH_UNKNOWN;
        holds = matches(json_string_value(value), json_string_value(operand));
        break;
    case OP_CONTAINS:
        holds = contains(value, operand);
        break;
    case OP_ABOVE:
    case OP_BELOW:
        if (!json_is_number(value))
            return TRUTH_UNKNOWN;
        holds = op == OP_ABOVE ? json_number_value(value) > json_number_value(operand)
                               : json_number_value(value) < json_number_value(operand);
        break;
    case OP_KNOWN:
    default:
        holds = json_is_true(operand);
        break;
    }
    return holds ? TRUTH_TRUE : TRUTH_FALSE;
}

/* "a.b[].c": any member of the list at a.b for whose c it holds. */
static enum truth eval_path(
        enum operator_kind op, const char *path, const json_t *evidence, const json_t *operand)
{
    const char *brackets = strstr(path, "[]");

    if (brackets == NULL) {
        const json_t *value = jsonx_at(evidence, path);

        if (op == OP_KNOWN)
            return (value != NULL && !json_is_null(value)) == json_is_true(operand) ? TRUTH_TRUE
                                                                                    : TRUTH_FALSE;
        return value == NULL || json_is_null(value) ? TRUTH_UNKNOWN : apply(op, value, operand);
    }
    AUTO(free) char *head = xmemdup0(path, (size_t)(brackets - path));
    const char *tail = brackets + 2 + (brackets[2] == '.');
    const json_t *list = jsonx_at(evidence, head);
    enum truth any = json_is_array(list) ? TRUTH_FALSE : TRUTH_UNKNOWN;
    size_t i = 0;
    json_t *item = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
        const enum truth t =
                tail[0] == '\0' ? apply(op, item, operand) : eval_path(op, tail, item, operand);

        if (t == TRUTH_TRUE)
            return TRUTH_TRUE;
        if (t == TRUTH_UNKNOWN)
            any = TRUTH_UNKNOWN;
    }
    return any;
}

static enum truth eval_fact(const json_t *condition, const json_t *evidence)
{
    const char *path = jsonx_text(condition, "fact");

    for (size_t op = 0; path != NULL && op < ARRAY_LEN(operators); op++) {
        const json_t *operand = json_object_get(condition, operators[op]);

        if (operand != NULL)
            return eval_path((enum operator_kind)op, path, evidence, operand);
    }
    return TRUTH_UNKNOWN;
}

static enum truth eval_list(const json_t *list, const json_t *evidence, bool is_any, int depth);

static enum truth eval_one(const json_t *c, const json_t *evidence, int depth)
{
    if (depth > DEPTH_MAX)
        return TRUTH_UNKNOWN;
    if (json_is_array(c))
        return eval_list(c, evidence, false, depth);
    if (json_object_get(c, "any") != NULL)
        return eval_list(json_object_get(c, "any"), evidence, true, depth);
    if (json_object_get(c, "no") != NULL) {
        const enum truth t = eval_one(json_object_get(c, "no"), evidence, depth + 1);

        return t == TRUTH_UNKNOWN ? t : t == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;
    }
    if (json_object_get(c, "unless") != NULL)
        return eval_one(json_object_get(c, "unless"), evidence, depth + 1) == TRUTH_TRUE
                       ? TRUTH_FALSE
                       : TRUTH_TRUE;
    return eval_fact(c, evidence);
}

/* All: false wins, then unknown. Any: true wins, then unknown. */
static enum truth eval_list(const json_t *list, const json_t *evidence, bool is_any, int depth)
{
    enum truth result = is_any ? TRUTH_FALSE : TRUTH_TRUE;
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, c) {
        const enum truth t = eval_one(c, evidence, depth + 1);

        if (t == (is_any ? TRUTH_TRUE : TRUTH_FALSE))
            return t;
        if (t == TRUTH_UNKNOWN)
            result = TRUTH_UNKNOWN;
    }
    return result;
}

enum truth condition_eval(const json_t *conditions, const json_t *evidence)
{
    if (json_array_size(conditions) == 0 && !json_is_object(conditions))
        return TRUTH_UNKNOWN;
    return eval_one(conditions, evidence, 0);
}

static struct err *check_pattern(const char *pattern)
{
    regex_t re;
    char reason[128];
    const int rc = pattern == NULL ? REG_BADPAT : regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

    if (rc == 0) {
        regfree(&re);
        return NULL;
    }
    if (pattern == NULL)
        return err_new(ERR_CONFIG, 0, "matches: needs a pattern as text");
    regerror(rc, &re, reason, sizeof(reason));
    return err_new(ERR_CONFIG, 0, "matches: '%s': %s", pattern, reason);
}

static struct err *check_fact(const json_t *c)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t found = 0;

    if (jsonx_text(c, "fact") == NULL)
        return err_new(ERR_CONFIG, 0, "a condition needs `fact`, `any`, `no` or `unless`");
    json_object_foreach ((json_t *)(uintptr_t)c, key, value) {
        size_t op = 0;

        if (text_eq(key, "fact"))
            continue;
        while (op < ARRAY_LEN(operators) && !text_eq(key, operators[op]))
            op++;
        if (op == ARRAY_LEN(operators))
            return err_new(ERR_CONFIG, 0, "'%s' is not an operator", key);
        if (op == OP_IN && !json_is_array(value))
            return err_new(ERR_CONFIG, 0, "in: needs a list");
        if (op == OP_MATCHES)
            TRY(check_pattern(json_string_value(value)));
        found++;
    }
    return found == 1 ? NULL
                      : err_new(ERR_CONFIG, 0, "%s: needs exactly one operator",
                              jsonx_text(c, "fact"));
}

static struct err *check_one(const json_t *c, int depth)
{
    const json_t *list = json_is_array(c) ? c : json_object_get(c, "any");
    size_t i = 0;
    json_t *item = NULL;

    if (depth > DEPTH_MAX)
        return err_new(ERR_CONFIG, 0, "conditions are nested deeper than %d", DEPTH_MAX);
    if (list == NULL) {
        const json_t *no = json_object_get(c, "no");
        const json_t *inner = no != NULL ? no : json_object_get(c, "unless");

        return inner != NULL ? check_one(inner, depth + 1) : check_fact(c);
    }
    json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
        TRY(check_one(item, depth + 1));
    }
    return NULL;
}

struct err *condition_check(const json_t *conditions)
{
    return check_one(conditions, 0);
}

void condition_quote(const json_t *c, const json_t *evidence, json_t *ret)
{
    const json_t *list = json_is_array(c) ? c : json_object_get(c, "any");
    const char *path = jsonx_text(c, "fact");
    size_t i = 0;
    json_t *item = NULL;

    if (path != NULL && strstr(path, "[]") == NULL) {
        const json_t *value = jsonx_at(evidence, path);

        if (value != NULL && !json_is_null(value)) {
            AUTO(free) char *shown = jsonx_dump(value);

            json_array_append_new(ret, jsonx_textf("%s = %.300s", path, shown));
        }
    }
    json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
        condition_quote(item, evidence, ret);
    }
}
