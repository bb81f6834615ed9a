/*
 * Two services of one kind that nobody gave secrets of their own take the same variable: whoever
 * knows the one's password knows the other's. That may be meant, so it is a note.
 */
#include "lint/lint.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

struct pair {
    struct lint_run *run;
    const char *first, *second; /* services */
    const json_t *first_inputs, *second_inputs;
};

static bool is_written(const struct lint_run *run, const char *service, const char *input)
{
    const struct stack *s = run->in->stack;

    for (size_t i = 0; i < s->service_count; i++) {
        if (text_eq(s->services[i].name, service))
            return doc_get(s->services[i].with, input) != NULL;
    }
    return false;
}

/* The variable that both take because neither says anything else, or NULL. */
static const char *same_secret(const struct pair *p, const char *input, const json_t *spec)
{
    const char *env = jsonx_text(spec, "env");
    const json_t *value = json_object_get(p->second_inputs, input);
    const char *left = jsonx_text(value, "$expr");

    if (env == NULL || !jsonx_bool(spec, "secret", false) || !jsonx_bool(spec, "required", false))
        return NULL;
    return left != NULL && strncmp(left, "secret.", 7) == 0 && strcmp(left + 7, env) == 0
                           && json_equal(value, json_object_get(p->first_inputs, input)) == 1
                           && !is_written(p->run, p->second, input)
                   ? env
                   : NULL;
}

/* A name for a variable of the service alone: QUEUE_PASSWORD. */
static char *own_name(const char *service, const char *input)
{
    char *name = xasprintf("%s_%s", service, input);

    for (char *c = name; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

static void judge_pair(const struct pair *p, const json_t *specs)
{
    AUTO(buf) struct buf names = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf own = BUF_INIT(BUF_TEXT_MAX);
    const char *input = NULL;
    json_t *spec = NULL;

    json_object_foreach ((json_t *)(uintptr_t)specs, input, spec) {
        const char *name = same_secret(p, input, spec);

        if (name == NULL)
            continue;
        AUTO(free) char *variable = own_name(p->second, input);
        const char *comma = names.len == 0 ? "" : ", ";

        buf_addf(&names, "%s%s", comma, name);
        buf_addf(&own, "%s%s: \"${secret.%s}\"", comma, input, variable);
    }
    if (names.len == 0)
        return;
    AUTO(free)
    char *cause = xasprintf("%s has the same %s as %s", p->second, buf_text(&names), p->first);
    AUTO(free) char *fix = xasprintf("give it its own: with: {%s}", buf_text(&own));

    lint_add(p->run, &(struct lint_words){ .code = "secret.shared",
                             .title = "Two services with one secret",
                             .severity = "note",
                             .cause = cause,
                             .fix = fix,
                             .service = p->second });
}

/* The first service before it of the same kind. */
static bool find_first(const json_t *services, struct pair *p, const char *use)
{
    const char *name = NULL;
    json_t *service = NULL;

    json_object_foreach ((json_t *)(uintptr_t)services, name, service) {
        if (strcmp(name, p->second) == 0)
            return false;
        if (text_eq(jsonx_text(service, "use"), use)) {
            p->first = name;
            p->first_inputs = json_object_get(service, "inputs");
            return true;
        }
    }
    return false;
}

void lint_secrets(struct lint_run *run)
{
    const json_t *services = run->view->model->services;
    const char *name = NULL;
    json_t *service = NULL;

    json_object_foreach ((json_t *)(uintptr_t)services, name, service) {
        const char *use = jsonx_text(service, "use");
        struct pair p = {
            .run = run, .second = name, .second_inputs = json_object_get(service, "inputs")
        };

        if (find_first(services, &p, use))
            judge_pair(&p, json_object_get(catalog_service(run->in->catalog, use), "inputs"));
    }
}
