#include "lint/contract.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "base/uri.h"
#include "catalog/eval.h"
#include "catalog/pattern.h"
#include "lint/rule.h"

static const json_t *variables_of(const struct contract_subject *s)
{
    return json_object_get(s->contract, "variables");
}

static void tell(
        const struct contract_subject *s, const json_t *variable, const struct contract_finding *f)
{
    struct contract_finding own = *f;

    if (own.runbook == NULL)
        own.runbook = jsonx_text(variable, "runbook");
    if (own.severity == NULL)
        own.severity = "error";
    s->fn(s->arg, &own);
}

static bool has_word(const json_t *list, const char *word)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        if (text_eq(json_string_value(one), word))
            return true;
    }
    return false;
}

static bool is_for(const json_t *containers, const char *container)
{
    return container == NULL || json_array_size(containers) == 0 || has_word(containers, container);
}

/* ---- the form of one value ---- */

struct value {
    const struct contract_subject *subject;
    const char *name;
    const json_t *variable; /* of the contract */
    const char *text;
};

static void wrong(const struct value *v, const char *code, char *what, const char *fix)
{
    AUTO(free) char *taken = what;
    AUTO(free) char *text = xasprintf("%s %s", v->name, taken);

    tell(v->subject, v->variable,
            &(struct contract_finding){
                    .code = code, .variable = v->name, .text = text, .fix = fix });
}

/* " 'True'", or nothing for a secret. Owned. */
static char *shown(const struct value *v)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    if (jsonx_bool(v->variable, "secret", false))
        return xstrdup("a value that");
    buf_add_char(&out, '\'');
    text_add_escaped(&out, str_slice(str_of(v->text), 0, 120));
    buf_add_text(&out, "', which");
    return xstrdup(buf_text(&out));
}

static void check_words(const struct value *v, const json_t *words)
{
    const char *items[256];
    size_t n = 0;
    AUTO(buf) struct buf fix = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *value = shown(v);

    if (has_word(words, v->text))
        return;
    for (size_t i = 0; i < json_array_size(words) && n < ARRAY_LEN(items); i++)
        items[n++] = json_string_value(json_array_get(words, i));
    const char *meant = text_suggest(str_of(v->text), items, n);

    if (meant != NULL)
        buf_addf(&fix, "write %s; allowed: ", meant);
    else
        buf_add_text(&fix, "one of ");
    text_add_list(&fix, items, n, 20);
    wrong(v, "env.value", xasprintf("is %s is not among the accepted values", value),
            buf_text(&fix));
}

static void check_boolean(const struct value *v)
{
    const json_t *words = json_object_get(v->variable, "enum");
    AUTO(free) char *value = shown(v);

    if (words != NULL) {
        check_words(v, words);
        return;
    }
    if (!text_eq(v->text, "true") && !text_eq(v->text, "false"))
        wrong(v, "env.boolean",
                xasprintf("is %s is neither true nor false: nothing else is read as one", value),
                "write true or false, in lower case and without quotes");
}

static void check_number(const struct value *v, bool is_whole)
{
    char *end = NULL;
    const double n = strtod(v->text, &end);
    AUTO(free) char *value = shown(v);
    const json_t *min = json_object_get(v->variable, "min");
    const json_t *max = json_object_get(v->variable, "max");
    const json_t *above = json_object_get(v->variable, "above");

    if (end == v->text || *end != '\0' || !isfinite(n)) {
        wrong(v, "env.number", xasprintf("is %s is no number", value), "write digits only");
        return;
    }
    if (is_whole && fabs(n - nearbyint(n)) > 0)
        wrong(v, "env.number", xasprintf("is %s is no whole number", value),
                "write a whole number");
    if ((min != NULL && n < json_number_value(min)) || (max != NULL && n > json_number_value(max))
            || (above != NULL && n <= json_number_value(above)))
        wrong(v, "env.range", xasprintf("is %s is out of range", value),
                "see docs/langfuse-variables.md for the range");
}

static void check_url(const struct value *v)
{
    AUTO(uri) struct uri u = { 0 };
    AUTO(err) struct err *e = uri_parse(str_of(v->text), &u);
    const json_t *schemes = json_object_get(v->variable, "schemes");

    if (e != NULL) {
        wrong(v, "env.url", xasprintf("is no URL: %s", err_text(e)),
                "write SCHEME://HOST[:PORT]/PATH, and percent-encode user and password");
        return;
    }
    if (schemes != NULL && !has_word(schemes, u.scheme))
        wrong(v, "env.url", xasprintf("begins with %s://", u.scheme),
                json_string_value(json_array_get(schemes, 0)));
}

static void check_list(const struct value *v, const json_t *words)
{
    struct str rest = str_of(v->text);

    while (rest.p != NULL) {
        AUTO(free) char *word = str_dup(str_trim(str_cut(&rest, ',')));

        if (!has_word(words, word))
            wrong(v, "env.value", xasprintf("has a part that is not among the accepted ones"),
                    "see docs/langfuse-variables.md");
    }
}

static void check_text(const struct value *v)
{
    const char *pattern = jsonx_text(v->variable, "pattern");
    const int64_t min = jsonx_int(v->variable, "length_min", 0);
    const int64_t exact = jsonx_int(v->variable, "length", -1);
    const int64_t length = (int64_t)strlen(v->text);

    if (pattern != NULL && !pattern_found(pattern, v->text))
        wrong(v, "env.pattern", xasprintf("does not have the form %s", pattern),
                text_eq(jsonx_text(v->variable, "runbook"), "LF-003") ? "openssl rand -hex 32"
                                                                      : "write it in that form");
    if (length < min)
        wrong(v, "env.length", xasprintf("is shorter than %lld characters", (long long)min),
                "take a longer one");
    if (exact >= 0 && length != exact)
        wrong(v, "env.length", xasprintf("is not of %lld characters", (long long)exact), NULL);
}

static void check_value(const struct value *v)
{
    const char *type = jsonx_text(v->variable, "type");
    const json_t *words = json_object_get(v->variable, "list_of");

    if (strcspn(v->text, "\r\n") != strlen(v->text) || v->text[0] == ' '
            || v->text[strlen(v->text) - 1] == ' ')
        wrong(v, "env.blank", xstrdup("begins or ends with a blank, or holds a line end"),
                "take it away: it was pasted along");
    if (text_eq(type, "boolean"))
        check_boolean(v);
    else if (text_eq(type, "number") || text_eq(type, "integer"))
        check_number(v, text_eq(type, "integer"));
    else if (text_eq(type, "enum"))
        check_words(v, json_object_get(v->variable, "enum"));
    else if (text_eq(type, "url"))
        check_url(v);
    else if (words != NULL)
        check_list(v, words);
    check_text(v);
}

/* ---- names ---- */

static void check_name(const struct contract_subject *s, const char *name)
{
    const json_t *variables = variables_of(s);
    const char *use = jsonx_text(json_object_get(s->contract, "mistaken"), name);
    const char *others = jsonx_text(s->contract, "others");
    const char *prefixes = jsonx_text(s->contract, "prefixes");

    if ((others != NULL && pattern_found(others, name)))
        return;
    const size_t count = json_object_size(variables);
    AUTO(free) const char **words = xcalloc(count + 1, sizeof(*words));
    const char *key = NULL;
    json_t *variable = NULL;
    size_t n = 0;

    json_object_foreach ((json_t *)(uintptr_t)variables, key, variable) {
        words[n++] = key;
    }
    const char *meant = use != NULL ? use : text_suggest(str_of(name), words, n);

    if (use == NULL && (meant == NULL || json_object_get(s->env, meant) != NULL)
            && (prefixes == NULL || !pattern_found(prefixes, name)))
        return;
    AUTO(free) char *text = xasprintf("nothing reads %s: it has no effect", name);
    AUTO(free)
    char *fix = meant != NULL ? xasprintf("did you mean %s?", meant)
                              : xstrdup("take it away, or mend its name");

    tell(s, NULL,
            &(struct contract_finding){ .code = "env.unknown",
                    .runbook = "RED-017",
                    .severity = use != NULL ? "error" : "warning",
                    .variable = name,
                    .text = text,
                    .fix = fix });
}

static void check_names_and_values(const struct contract_subject *s)
{
    const json_t *variables = variables_of(s);
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)s->env, name, value) {
        const struct value v = { .subject = s,
            .name = name,
            .variable = json_object_get(variables, name),
            .text = json_string_value(value) };

        if (v.variable == NULL)
            check_name(s, name);
        else if (v.text != NULL && v.text[0] != '\0')
            check_value(&v);
    }
}

static void check_required(const struct contract_subject *s)
{
    const char *name = NULL;
    json_t *variable = NULL;

    json_object_foreach ((json_t *)(uintptr_t)variables_of(s), name, variable) {
        const json_t *required = json_object_get(variable, "required");

        if (json_array_size(required) == 0 || json_object_get(s->env, name) != NULL
                || !is_for(required, s->container))
            continue;
        AUTO(free) char *text = xasprintf("%s is not set: the container does not start", name);
        AUTO(free) char *fix = xasprintf("set %s", name);

        tell(s, variable,
                &(struct contract_finding){
                        .code = "env.required", .variable = name, .text = text, .fix = fix });
    }
}

/* ---- rules ---- */

struct sink {
    const struct contract_subject *subject;
    const json_t *rule;
};

static void on_break(void *arg, const struct rule_break *b)
{
    const struct sink *s = arg;
    const char *id = jsonx_text(s->rule, "id");
    AUTO(free) char *code = xasprintf("env.%s", id == NULL ? "rule" : id);

    tell(s->subject, NULL,
            &(struct contract_finding){ .code = code,
                    .runbook = jsonx_text(s->rule, "runbook"),
                    .severity = jsonx_text(s->rule, "severity"),
                    .variable = b->at,
                    .text = b->text,
                    .fix = b->fix });
}

/* A rule names its variable where others name a place. Owned. */
static json_t *with_place(const json_t *rule)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)rule);

    if (json_object_get(rule, "variable") != NULL)
        json_object_set(copy, "at", json_object_get(rule, "variable"));
    return copy;
}

/* One that can't be judged keeps none of the others from it. */
static struct err *check_rules(const struct contract_subject *s)
{
    json_auto_t *empty =
            jsonx_must(json_pack("{s:[], s:{}, s:{}}", "containers", "services", "resources"));
    struct err *first = NULL;
    size_t i = 0;
    json_t *rule = NULL;

    json_array_foreach (json_object_get(s->contract, "rules"), i, rule) {
        json_auto_t *vars =
                jsonx_must(json_pack("{s:O, s:O?}", "env", s->env, "context", s->context));
        json_auto_t *placed = with_place(rule);
        struct rule_scope scope = {
            .root = s->root != NULL ? s->root : empty, .vars = vars, .memory = s->memory
        };
        struct sink sink = { .subject = s, .rule = rule };

        if (json_object_get(vars, "context") == NULL)
            json_object_set_new(vars, "context", jsonx_must(json_object()));
        if (!is_for(json_object_get(rule, "containers"), s->container))
            continue;
        struct err *e =
                err_wrap(rule_judge(placed, &scope, on_break, &sink), "%s", jsonx_text(rule, "id"));

        if (first == NULL)
            first = e;
        else
            err_ignore(e, "the first one is told");
    }
    return first;
}

/* Without what is empty: an empty value counts as not set. Owned. */
static json_t *set_ones(const json_t *env)
{
    json_t *set = jsonx_must(json_object());
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)env, name, value) {
        if (!json_is_null(value) && !text_eq(json_string_value(value), ""))
            json_object_set(set, name, value);
    }
    return set;
}

struct err *contract_judge(const struct contract_subject *s)
{
    json_auto_t *env = set_ones(s->env);
    struct contract_subject own = *s;

    own.env = env;
    check_names_and_values(&own);
    /* A container of another purpose (a migration job) reads a part only. */
    if (!is_for(json_object_get(s->contract, "containers"), s->container))
        return NULL;
    check_required(&own);
    return check_rules(&own);
}

struct err *contract_derive(const json_t *contract, json_t *env)
{
    json_auto_t *original = set_ones(env);
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (json_object_get(contract, "derive"), i, one) {
        const char *name = jsonx_text(one, "name");
        json_auto_t *vars = jsonx_must(json_pack("{s:O}", "env", original));
        struct rule_scope scope = { .root = vars, .vars = vars };
        char *text = NULL;

        if (name == NULL || json_object_get(original, name) != NULL)
            continue;
        TRY(err_wrap(rule_text(one, "value", &scope, &text), "%s", name));
        if (text != NULL)
            json_object_set_new(env, name, text_json(str_of(text)));
        free(text);
    }
    return NULL;
}

struct err *contract_check(const json_t *contract)
{
    static const char *const types[] = { "string", "boolean", "number", "integer", "enum", "url" };
    const char *name = NULL;
    json_t *variable = NULL;
    size_t i = 0;
    json_t *rule = NULL;

    if (!json_is_object(contract))
        return err_new(ERR_CONFIG, 0, "a contract is a map of variables, rules and more");
    json_object_foreach (json_object_get(contract, "variables"), name, variable) {
        bool is_known = false;

        for (size_t t = 0; t < ARRAY_LEN(types); t++)
            is_known = is_known || text_eq(types[t], jsonx_text(variable, "type"));
        if (!is_known)
            return err_new(ERR_CONFIG, 0,
                    "variable %s: the type '%s' is none of string, boolean, number, integer, enum, "
                    "url",
                    name, jsonx_text(variable, "type") == NULL ? "" : jsonx_text(variable, "type"));
    }
    json_array_foreach (json_object_get(contract, "rules"), i, rule) {
        if (jsonx_text(rule, "id") == NULL)
            return err_new(ERR_CONFIG, 0, "rule %zu has no id: a finding is told and ignored by it",
                    i + 1);
        TRY(err_wrap(rule_check(rule), "%s", jsonx_text(rule, "id")));
    }
    return NULL;
}
