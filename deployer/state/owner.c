#include "state/owner.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"

struct owner_member {
    const char *name;
    const char *value;
};

#define OWNER_MEMBERS 6

static void owner_members(const struct state_owner *o, struct owner_member ret[OWNER_MEMBERS])
{
    const struct owner_member members[OWNER_MEMBERS] = {
        { "stack", o->stack },
        { "environment", o->environment },
        { "tenant", o->tenant },
        { "subscription", o->subscription },
        { "endpoint", o->endpoint },
        { "target", o->target },
    };

    memcpy(ret, members, sizeof(members));
}

json_t *state_owner_json(const struct state_owner *o)
{
    struct owner_member members[OWNER_MEMBERS];
    json_t *j = jsonx_must(json_object());

    owner_members(o, members);
    for (size_t i = 0; i < OWNER_MEMBERS; i++)
        json_object_set_new(j, members[i].name,
                jsonx_must(json_string(members[i].value == NULL ? "" : members[i].value)));
    return j;
}

/* The tenant may become known only with the login: empty on either side is not compared. */
static bool is_same_member(const struct owner_member *m, const char *recorded)
{
    if (m->value == NULL)
        return true;
    if (text_eq(m->name, "tenant") && (m->value[0] == '\0' || recorded[0] == '\0'))
        return true;
    return str_eq_ci(str_of(m->value), str_of(recorded));
}

struct err *state_owner_check(const struct state_owner *o, const json_t *document, const char *name)
{
    struct owner_member members[OWNER_MEMBERS];
    const json_t *recorded = json_object_get(document, "owner");
    AUTO(buf) struct buf what = BUF_INIT(BUF_TEXT_MAX);

    owner_members(o, members);
    for (size_t i = 0; i < OWNER_MEMBERS; i++) {
        const char *theirs = jsonx_text(recorded, members[i].name);

        if (theirs == NULL)
            theirs = "";
        if (!is_same_member(&members[i], theirs))
            buf_addf(&what, "%s%s is '%s' there and '%s' here", what.len > 0 ? ", " : "",
                    members[i].name, theirs, members[i].value);
    }
    if (what.len == 0)
        return NULL;
    struct err *e = err_new(
            ERR_CONFIG, 0, "%s: this is the state of another stack: %s", name, buf_text(&what));

    err_set_hint(e, "name this stack's own state with --state, or correct what differs");
    return e;
}
