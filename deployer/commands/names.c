#include "commands/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "catalog/model.h"
#include "state/state.h"

static void add_services(json_t *labels, const json_t *recorded, const json_t *entries)
{
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach ((json_t *)(uintptr_t)entries, key, entry) {
        const char *address = jsonx_text(entry, "address");

        if (address == NULL)
            continue;
        AUTO(free) char *service = str_dup(str_slice(str_of(address), 0, strcspn(address, ".")));
        json_t *label = json_object_get(recorded, service);

        if (json_object_get(labels, service) != NULL)
            continue;
        json_object_set_new(labels, service,
                label != NULL ? json_incref(label) : jsonx_must(json_pack("{s:s}", "label", "")));
    }
}

json_t *names_labels(const json_t *state_document)
{
    const json_t *recorded = json_object_get(state_document, "labels");
    json_t *labels = jsonx_must(json_object());

    add_services(labels, recorded, json_object_get(state_document, "entries"));
    add_services(labels, recorded, json_object_get(state_document, "intents"));
    return labels;
}

/* Of what is to go, too: it may come back before it is gone. */
static json_t *labels_to_record(const json_t *document, const struct model *m)
{
    json_auto_t *before = names_labels(document);
    json_t *labels = jsonx_must(json_object());
    const char *service = NULL;
    json_t *label = NULL;

    json_object_foreach (before, service, label) {
        if (jsonx_text(label, "use") != NULL)
            json_object_set(labels, service, label);
    }
    for (size_t i = 0; i < m->resource_count; i++)
        json_object_del(labels, m->resources[i].service);
    if (m->labels != NULL)
        json_object_update(labels, (json_t *)(uintptr_t)m->labels);
    return labels;
}

void names_record(struct state *state, const struct model *m)
{
    const json_t *document = state_document(state);
    const json_t *before = json_object_get(document, "labels");
    json_auto_t *labels = labels_to_record(document, m);

    if (m->suffix != NULL && !text_eq(jsonx_text(document, "suffix"), m->suffix))
        state_set(state, "suffix", jsonx_must(json_string(m->suffix)));
    if (json_equal(before, labels) == 1 || (before == NULL && json_object_size(labels) == 0))
        return;
    state_set(state, "labels", json_object_size(labels) == 0 ? NULL : json_incref(labels));
}
