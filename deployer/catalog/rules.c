/*
 * What must hold between the inputs of a service: its `rules`, each an `assert` with the text that
 * says what is wrong. Judged before any resource is made of them.
 */
#include "base/alloc.h"
#include "catalog/expand.h"

/* Where the stack gives the input that a rule is about, else where it names the service. */
static struct place place_of(const struct instance *in, const char *input)
{
    const struct doc_node *given = input == NULL ? NULL : doc_get(in->with, input);

    return given == NULL ? in->place : given->place;
}

static void check_rule(struct scope *s, const struct doc_node *rule, const char *at)
{
    if (rule->kind != DOC_MAP || doc_get(rule, "assert") == NULL) {
        value_error(s, rule, at, "a rule is {assert: \"${...}\", input: NAME, text: ...}");
        return;
    }
    if (value_bool(s, doc_get(rule, "assert"), at, true))
        return;
    const char *input = value_text(s, doc_get(rule, "input"), at);
    const char *text = value_text(s, doc_get(rule, "text"), at);
    AUTO(free)
    char *path =
            input == NULL ? xstrdup(s->in->with_path) : xasprintf("%s.%s", s->in->with_path, input);

    diag_add(s->x->diags, DIAG_ERROR, "service.rule", place_of(s->in, input), path, "%s",
            text == NULL ? "a rule of the service does not hold" : text);
}

void rules_check(struct expansion *x, struct instance *in)
{
    const struct doc_node *list = doc_get(in->spec->root, "rules");

    for (size_t i = 0; list != NULL && list->kind == DOC_LIST && i < list->count; i++) {
        struct scope s = { .x = x, .in = in };
        AUTO(free) char *at = xasprintf("rules[%zu]", i);

        check_rule(&s, list->items[i], at);
    }
}
