/*
 * Labels: what tells the names of several services of one kind apart. The first is called nothing,
 * any other as the service is; a label is made once, recorded in the state, and stays, whatever
 * happens to the others. So a stack with one of a kind has names without any, a second one changes
 * nothing of the first, and another name for a service is a move.
 */
#include "catalog/expand.h"

#include <stdint.h>
#include <string.h>

#include "base/jsonx.h"
#include "catalog/reader.h"

static bool is_of(const struct instance *in, const struct service *spec)
{
    return in->spec == spec;
}

static const json_t *recorded_of(const struct expansion *x, const char *service)
{
    return json_object_get(x->options->labels, service);
}

/* What was recorded for a service of the stack. */
static void take_recorded(struct expansion *x, struct instance *in)
{
    const json_t *recorded = recorded_of(x, in->name);
    const char *use = jsonx_text(recorded, "use");
    const char *label = jsonx_text(recorded, "label");

    if (label != NULL && (use == NULL || text_eq(use, in->spec->name)))
        in->label = arena_text(x->arena, label);
}

static bool is_taken(const struct expansion *x, const struct service *spec, const char *label)
{
    for (size_t i = 0; i < x->instance_count; i++) {
        const struct instance *in = x->instances[i];

        if (is_of(in, spec) && text_eq(in->label, label))
            return true;
    }
    return false;
}

/* A label whose service is not in the stack any more; counts them. */
static const char *find_left(const struct expansion *x, const struct service *spec, size_t *count)
{
    const char *found = NULL;
    const char *service = NULL;
    json_t *recorded = NULL;

    *count = 0;
    json_object_foreach ((json_t *)(uintptr_t)x->options->labels, service, recorded) {
        const char *label = jsonx_text(recorded, "label");

        if (label == NULL || !text_eq(jsonx_text(recorded, "use"), spec->name)
                || index_get(&x->by_name, service) != NULL || is_taken(x, spec, label))
            continue;
        found = label;
        (*count)++;
    }
    return found;
}

static size_t count_new(const struct expansion *x, const struct service *spec)
{
    size_t count = 0;

    for (size_t i = 0; i < x->instance_count; i++)
        count += is_of(x->instances[i], spec) && x->instances[i]->label == NULL;
    return count;
}

/* One went and one came: the same one under another name. */
static void take_left(struct expansion *x, struct instance *in)
{
    size_t left = 0;
    const char *label = find_left(x, in->spec, &left);

    if (left == 1 && count_new(x, in->spec) == 1)
        in->label = arena_text(x->arena, label);
}

/* Nothing for one of them, unless somebody has or had that: rather for who is called as its kind.
 */
static void give_nothing(struct expansion *x, struct instance *in)
{
    struct instance *named = index_get(&x->by_name, in->spec->name);
    size_t left = 0;

    (void)find_left(x, in->spec, &left);
    if (left > 0 || is_taken(x, in->spec, ""))
        return;
    if (named == NULL || !is_of(named, in->spec) || named->label != NULL)
        named = in;
    named->label = "";
}

static json_t *record(struct expansion *x)
{
    json_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < x->instance_count; i++) {
        const struct instance *in = x->instances[i];
        bool is_one_labelled = false;

        for (size_t k = 0; !is_one_labelled && k < x->instance_count; k++)
            is_one_labelled = is_of(x->instances[k], in->spec) && x->instances[k]->label[0] != '\0';
        if (is_one_labelled)
            json_object_set_new(all, in->name,
                    jsonx_must(json_pack("{s:s, s:s}", "use", in->spec->name, "label", in->label)));
    }
    return all;
}

void labels_give(struct expansion *x)
{
    for (size_t i = 0; i < x->instance_count; i++)
        take_recorded(x, x->instances[i]);
    for (size_t i = 0; i < x->instance_count; i++) {
        if (x->instances[i]->label == NULL)
            take_left(x, x->instances[i]);
    }
    for (size_t i = 0; i < x->instance_count; i++) {
        struct instance *in = x->instances[i];

        if (in->label == NULL)
            give_nothing(x, in);
        if (in->label == NULL)
            in->label = in->name;
    }
    const json_t *labels = reader_keep(x->arena, record(x));

    x->model->labels = json_object_size(labels) > 0 ? labels : NULL;
}
