/* plan_build by the action table of docs/planning.md; order, protection, saved plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "plan/plan.h"

#define GROUP_ID "/subscriptions/s/resourcegroups/g"
#define THING_ID GROUP_ID "/providers/m.t/things/t"
#define OTHER_ID GROUP_ID "/providers/m.t/things/u"
#define CHILD_ID THING_ID "/parts/p"

static struct kind_property thing_properties[] = {
    { .path = "fixed", .type = "string", .is_immutable = true },
};

const struct kind_property *kind_property(const struct kind *k, const char *path)
{
    for (size_t i = 0; i < k->property_count; i++) {
        if (text_eq(k->properties[i].path, path))
            return &k->properties[i];
    }
    return NULL;
}

static const struct kind thing = { .name = "thing",
    .type = "M.T/things",
    .is_deletable = true,
    .create_min = 5,
    .update_min = 2,
    .delete_min = 1,
    .properties = thing_properties,
    .property_count = ARRAY_LEN(thing_properties) };
static const struct kind database = {
    .name = "database", .type = "M.T/databases", .is_deletable = true, .holds_data = true
};
static const struct kind setting = { .name = "setting", .type = "M.T/settings" };
/* Its `reset` is set where it is used: JSON is no constant. */
static struct kind parameter = { .name = "parameter", .type = "M.T/parameters" };
static const struct kind link = {
    .name = "link", .type = "M.T/things/links", .is_deletable = true, .is_deleted_first = true
};
static const struct kind bar = { .name = "bar",
    .type = "M.L/locks",
    .is_deletable = true,
    .is_deleted_first = true,
    .is_barrier = true };
static const struct kind group = {
    .name = "group", .type = "M.T/groups", .is_deletable = true, .is_group = true
};

static const struct kind *kind_named(void *arg, const char *name)
{
    static const struct kind *const kinds[] = { &thing, &database, &setting, &parameter, &link,
        &bar, &group };

    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (text_eq(kinds[i]->name, name))
            return kinds[i];
    }
    return NULL;
}

/* ---- a situation, built up piece by piece ---- */

struct world {
    struct arena *arena;
    struct resource resources[8];
    struct plan_subject subjects[8];
    size_t count;
    json_t *state;
    json_t *actual;
    bool is_destroy;
};

static void release_json(void *j)
{
    json_decref(j);
}

static struct world new_world(struct arena *arena)
{
    struct world w = { .arena = arena,
        .state = json_pack("{s:i, s:s, s:i, s:s, s:{}, s:{}}", "format_version", 1, "lineage", "L",
                "serial", 4, "salt", "00", "entries", "intents"),
        .actual = json_object() };

    arena_hook(arena, release_json, w.state);
    arena_hook(arena, release_json, w.actual);
    return w;
}

static json_t *read_json(struct world *w, const char *text)
{
    json_t *j = NULL;

    assert_null(jsonx_load(str_of(text), text, &j));
    arena_hook(w->arena, release_json, j);
    return j;
}

static struct resource *in_file(struct world *w, const char *address, const char *id,
        const struct kind *kind, const char *body)
{
    struct resource *r = &w->resources[w->count];
    json_t *document = body == NULL ? NULL : read_json(w, body);

    *r = (struct resource){ .address = address, .kind = kind, .body = document };
    w->subjects[w->count++] = (struct plan_subject){
        .resource = r, .id = id, .desired = document, .desired_stored = document
    };
    return r;
}

static json_t *in_state(struct world *w, const char *address, const char *id, const char *kind,
        const char *last, const char *needs)
{
    json_t *entry = json_pack("{s:s, s:s, s:s, s:O, s:[]}", "address", address, "id", id, "kind",
            kind, "last_applied", read_json(w, last), "depends_on");

    if (needs != NULL)
        json_array_append_new(json_object_get(entry, "depends_on"), json_string(needs));
    json_object_set_new(json_object_get(w->state, "entries"), id, entry);
    return entry;
}

static void in_cloud(struct world *w, const char *id, const char *document)
{
    json_object_set(w->actual, id, read_json(w, document));
}

static struct plan *built(struct world *w)
{
    struct plan *p = NULL;
    struct err *e = plan_build(w->arena,
            &(struct plan_input){ .subjects = w->subjects,
                    .subject_count = w->count,
                    .state = w->state,
                    .actual = w->actual,
                    .kind = kind_named,
                    .is_destroy = w->is_destroy },
            &p);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    return p;
}

static const struct plan_item *item_at(const struct plan *p, const char *address)
{
    for (size_t i = 0; i < p->count; i++) {
        if (text_eq(p->items[i].address, address))
            return &p->items[i];
    }
    fail_msg("no item %s", address);
    return NULL;
}

/* "delete a.b, create a.b" in the plan's order. */
static const char *in_order(struct arena *arena, const struct plan *p)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < p->count; i++)
        buf_addf(&out, "%s%s %s", i > 0 ? ", " : "", plan_action_name(p->items[i].action),
                p->items[i].address);
    return arena_text(arena, buf_text(&out));
}

/* ---- the table ---- */

struct table_row {
    const char *file, *state, *cloud, *action, *reason;
};

static void build_file(struct world *w, const char *word)
{
    if (text_eq(word, "there"))
        in_file(w, "s.t", THING_ID, &thing, "{\"a\":1,\"fixed\":\"x\"}");
    else if (text_eq(word, "id unknown"))
        in_file(w, "s.t", NULL, &thing, "{\"a\":1,\"fixed\":\"x\"}");
    else if (text_eq(word, "renamed"))
        in_file(w, "s.t", OTHER_ID, &thing, "{\"a\":1,\"fixed\":\"x\"}");
    else if (text_eq(word, "existing"))
        in_file(w, "s.t", THING_ID, &thing, NULL)->existing = json_null();
    else if (text_eq(word, "destroy"))
        w->is_destroy = true;
    else if (!text_eq(word, "gone"))
        fail_msg("file '%s'?", word);
}

static void build_state(struct world *w, const char *word)
{
    static const char last[] = "{\"a\":1,\"fixed\":\"x\"}";

    if (text_eq(word, "yes"))
        in_state(w, "s.t", THING_ID, "thing", last, NULL);
    else if (text_eq(word, "other address"))
        in_state(w, "s.old", THING_ID, "thing", last, NULL);
    else if (text_eq(word, "tainted"))
        json_object_set_new(in_state(w, "s.t", THING_ID, "thing", last, NULL), "status",
                json_string("tainted"));
    else if (text_eq(word, "undeletable"))
        in_state(w, "s.t", THING_ID, "setting", last, NULL);
    else if (text_eq(word, "resettable"))
        in_state(w, "s.t", THING_ID, "parameter", last, NULL);
    else if (text_eq(word, "unknown kind"))
        in_state(w, "s.t", THING_ID, "forgotten", last, NULL);
    else if (text_eq(word, "intent"))
        json_object_set_new(json_object_get(w->state, "intents"), THING_ID,
                json_pack("{s:s}", "action", "create"));
    else if (!text_eq(word, "no"))
        fail_msg("state '%s'?", word);
}

static void build_cloud(struct world *w, const char *word)
{
    static const struct {
        const char *word, *document;
    } rows[] = {
        { "same", "{\"a\":1,\"fixed\":\"x\",\"more\":2}" },
        { "differs", "{\"a\":2,\"fixed\":\"x\"}" },
        { "differs, immutable", "{\"a\":1,\"fixed\":\"y\"}" },
        { "failed", "{\"a\":1,\"fixed\":\"x\",\"properties\":{\"provisioningState\":\"Failed\"}}" },
        { "cancelled",
                "{\"a\":1,\"fixed\":\"x\",\"properties\":{\"provisioningState\":\"Cancelled\"}}" },
        { "denied", "{\"$denied\":\"403 forbidden\"}" },
        { "absent", "null" },
        { "not read", NULL },
    };

    in_cloud(w, OTHER_ID, "null");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!text_eq(rows[i].word, word))
            continue;
        if (rows[i].document != NULL)
            in_cloud(w, THING_ID, rows[i].document);
        return;
    }
    fail_msg("cloud '%s'?", word);
}

static void check_row(const struct table_row *r)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);
    AUTO(buf) struct buf actions = BUF_INIT(BUF_TEXT_MAX);
    bool has_reason = r->reason[0] == '\0';

    build_file(&w, r->file);
    build_state(&w, r->state);
    build_cloud(&w, r->cloud);
    const struct plan *p = built(&w);

    for (size_t i = 0; i < p->count; i++) {
        const char *reason = p->items[i].reason;

        buf_addf(&actions, "%s%s", i > 0 ? ", " : "", plan_action_name(p->items[i].action));
        if (r->reason[0] == '\0' && reason != NULL)
            fail_msg("%s/%s/%s: has a reason: %s", r->file, r->state, r->cloud, reason);
        has_reason = has_reason || (reason != NULL && strstr(reason, r->reason) != NULL);
    }
    if (strcmp(buf_text(&actions), r->action) != 0 || !has_reason)
        fail_msg("%s/%s/%s: '%s' (%s), not '%s' (%s)", r->file, r->state, r->cloud,
                buf_text(&actions),
                p->count > 0 && p->items[0].reason != NULL ? p->items[0].reason : "", r->action,
                r->reason);
}

static const char *next_cell(struct arena *arena, struct str *line)
{
    return arena_str(arena, str_trim(str_cut(line, '|')));
}

static void test_action_table(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t rows = 0;
    bool is_in = false;
    json_auto_t *reset = json_pack("{s:i, s:s}", "a", 1, "fixed", "{fixed}");

    parameter.reset = reset;
    assert_null(file_read("docs/planning.md", BUF_TEXT_MAX, &text));
    struct str rest = buf_str(&text);

    while (rest.p != NULL) {
        struct str line = str_cut(&rest, '\n');

        if (str_starts(line, STR("| file |"))) {
            is_in = true;
            continue;
        }
        if (!is_in || str_starts(line, STR("| ---")))
            continue;
        if (line.len == 0 || line.p[0] != '|')
            break;
        str_cut(&line, '|');
        struct table_row r = { 0 };

        r.file = next_cell(arena, &line);
        r.state = next_cell(arena, &line);
        r.cloud = next_cell(arena, &line);
        r.action = next_cell(arena, &line);
        r.reason = next_cell(arena, &line);
        check_row(&r);
        rows++;
    }
    assert_true(rows >= 30);
    parameter.reset = NULL;
}

/* ---- order, children, protection ---- */

static void test_children_go_with_what_is_replaced(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);
    static const char *const child_needs[] = { "s.t" };

    in_file(&w, "s.t", THING_ID, &thing, "{\"fixed\":\"new\"}");
    struct resource *child = in_file(&w, "s.p", CHILD_ID, &database, "{\"a\":1}");

    child->depends_on = child_needs;
    child->depends_on_count = 1;
    in_state(&w, "s.t", THING_ID, "thing", "{\"fixed\":\"old\"}", NULL);
    in_state(&w, "s.p", CHILD_ID, "database", "{\"a\":1}", "s.t");
    in_state(&w, "s.q", THING_ID "/parts/q", "database", "{\"a\":1}", "s.t");
    in_cloud(&w, THING_ID, "{\"fixed\":\"old\"}");
    in_cloud(&w, CHILD_ID, "{\"a\":1}");
    in_cloud(&w, THING_ID "/parts/q", "{\"a\":1}");
    const struct plan *p = built(&w);
    const struct plan_item *parent = item_at(p, "s.t");
    const struct plan_item *part = item_at(p, "s.p");
    const struct plan_item *gone = item_at(p, "s.q");

    assert_int_equal(parent->action, PLAN_REPLACE);
    assert_true(parent->needs_replace_consent);
    assert_false(parent->loses_data);
    assert_non_null(parent->downtime);
    assert_int_equal(part->action, PLAN_REPLACE);
    assert_string_equal(part->goes_with, "s.t");
    assert_true(part->loses_data && part->is_protected);
    assert_int_equal(gone->action, PLAN_DELETE);
    assert_string_equal(gone->goes_with, "s.t");
    assert_int_equal(part->need_count, 1);
    assert_string_equal(p->items[part->needs[0]].address, "s.t");
}

static const char *downtime_of_change(const char *rollout_when, const char *was, const char *is)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);
    struct kind app = { .name = "thing", .type = "M.T/things" };

    app.document = read_json(&w, rollout_when);
    in_file(&w, "s.t", THING_ID, &app, is)->rollout = "stop-first";
    in_state(&w, "s.t", THING_ID, "thing", was, NULL);
    in_cloud(&w, THING_ID, was);
    return item_at(built(&w), "s.t")->downtime; /* a literal */
}

static void test_only_what_is_worth_a_rollout_stops(void **unused)
{
    (void)unused;
    const char *when = "{\"rollout_when\":[\"inner\"]}";

    assert_null(downtime_of_change(when, "{\"tags\":{\"a\":\"1\"}}", "{\"tags\":{\"a\":\"2\"}}"));
    assert_non_null(downtime_of_change(when, "{\"inner\":{\"a\":1}}", "{\"inner\":{\"a\":2}}"));
    assert_non_null(
            downtime_of_change("{}", "{\"tags\":{\"a\":\"1\"}}", "{\"tags\":{\"a\":\"2\"}}"));
}

static void test_what_a_deletion_does_not_take_along_is_deleted_first(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);

    w.is_destroy = true;
    in_state(&w, "s.t", THING_ID, "thing", "{}", NULL);
    in_state(&w, "s.l", THING_ID "/links/l", "link", "{}", "s.t");
    in_state(&w, "s.p", CHILD_ID, "database", "{}", "s.t");
    in_cloud(&w, THING_ID, "{}");
    in_cloud(&w, THING_ID "/links/l", "{}");
    in_cloud(&w, CHILD_ID, "{}");
    const struct plan *p = built(&w);
    const struct plan_item *parent = item_at(p, "s.t");

    assert_null(item_at(p, "s.l")->goes_with);
    assert_string_equal(item_at(p, "s.p")->goes_with, "s.t");
    assert_int_equal(parent->delete_need_count, 1);
    assert_string_equal(p->items[parent->delete_needs[0]].address, "s.l");
}

static void test_a_lock_goes_before_what_it_locks(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);

    w.is_destroy = true;
    in_state(&w, "a.group", GROUP_ID, "group", "{}", NULL);
    in_state(&w, "b.net", THING_ID, "thing", "{}", "a.group");
    in_state(&w, "c.lock", GROUP_ID "/providers/M.L/locks/l", "bar", "{}", "a.group");
    in_state(&w, "d.lock", THING_ID "/providers/m.l/locks/l", "bar", "{}", NULL);
    in_cloud(&w, GROUP_ID, "{}");
    in_cloud(&w, THING_ID, "{}");
    in_cloud(&w, GROUP_ID "/providers/M.L/locks/l", "{}");
    in_cloud(&w, THING_ID "/providers/m.l/locks/l", "{}");
    const struct plan *p = built(&w);

    assert_int_equal(item_at(p, "c.lock")->delete_need_count, 0);
    assert_int_equal(item_at(p, "d.lock")->delete_need_count, 0);
    assert_int_equal(item_at(p, "b.net")->delete_need_count, 2);
    assert_int_equal(item_at(p, "a.group")->delete_need_count, 3);
}

static void test_order_of_deletions(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);

    w.is_destroy = true;
    in_state(&w, "a.group", GROUP_ID, "group", "{}", NULL);
    in_state(&w, "b.net", THING_ID, "thing", "{}", "a.group");
    in_state(&w, "c.app", OTHER_ID, "database", "{}", "b.net");
    in_cloud(&w, GROUP_ID, "{}");
    in_cloud(&w, THING_ID, "{}");
    in_cloud(&w, OTHER_ID, "{}");
    const struct plan *p = built(&w);

    assert_string_equal(in_order(arena, p), "delete c.app, delete b.net, delete a.group");
    assert_int_equal(p->items[2].delete_need_count, 1);
    assert_int_equal(p->items[2].delete_needs[0], 1);
    assert_null(p->items[0].goes_with); /* a group takes nothing along */
    assert_true(p->items[0].is_protected);
    assert_true(plan_has_changes(p));
}

static void test_who_used_it_is_updated_before_it_goes(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);

    in_file(&w, "a.app", OTHER_ID, &thing, "{\"a\":2}");
    in_state(&w, "a.app", OTHER_ID, "thing", "{\"a\":1}", "b.store");
    in_state(&w, "b.store", THING_ID, "thing", "{}", NULL);
    in_cloud(&w, THING_ID, "{}");
    in_cloud(&w, OTHER_ID, "{\"a\":1}");
    assert_string_equal(in_order(arena, built(&w)), "update a.app, delete b.store");
}

static void test_one_id_twice(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);
    struct plan *p = NULL;

    in_file(&w, "a.x", THING_ID, &thing, "{}");
    in_file(&w, "b.y", "/Subscriptions/S/resourceGroups/g/providers/M.T/things/T/", &thing, "{}");
    AUTO(err)
    struct err *e = plan_build(arena,
            &(struct plan_input){ .subjects = w.subjects,
                    .subject_count = 2,
                    .state = w.state,
                    .actual = w.actual },
            &p);

    assert_int_equal(err_kind(e), ERR_CONFIG);
    assert_non_null(strstr(err_text(e), "a.x and b.y are one resource"));
}

/* Somebody else's may be named twice; what one service makes, another may name as existing. */
static void test_one_id_named_as_existing(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();

    for (int ours_first = 0; ours_first < 2; ours_first++) {
        struct world w = new_world(arena);
        struct resource *first = in_file(&w, "a.x", THING_ID, &thing, "{\"a\":1}");
        struct resource *second = in_file(&w, "b.y", THING_ID, &thing, "{\"a\":1}");

        (ours_first ? second : first)->existing = json_null();
        in_state(&w, ours_first ? "a.x" : "b.y", THING_ID, "thing", "{\"a\":1}", NULL);
        in_cloud(&w, THING_ID, "{\"a\":1}");
        const struct plan *p = built(&w);

        assert_string_equal(
                in_order(arena, p), ours_first ? "none a.x, read b.y" : "read a.x, none b.y");
        assert_false(plan_has_changes(p)); /* it does not leave the state */
        first->existing = second->existing = json_null();
        assert_string_equal(in_order(arena, built(&w)), "read a.x, read b.y");
        assert_true(plan_has_changes(built(&w)));
    }
}

/* ---- saved plans ---- */

static struct plan_basis basis_of(const struct world *w)
{
    return (struct plan_basis){ .stack = "s",
        .environment = "",
        .target = "azure",
        .subscription = "sub",
        .state = w->state,
        .model_digest = "m" };
}

static void fill(struct world *w, const char *desired, const char *actual)
{
    in_file(w, "s.t", THING_ID, &thing, desired);
    in_state(w, "s.t", THING_ID, "thing", "{\"a\":1}", NULL);
    in_cloud(w, THING_ID, actual);
}

static void assert_stale(
        const json_t *saved, struct world *w, const struct plan_basis *basis, const char *part)
{
    AUTO(err) struct err *e = plan_check_stale(saved, built(w), basis);

    if (part == NULL && e != NULL)
        fail_msg("stale: %s", err_text(e));
    if (part != NULL && (e == NULL || strstr(err_text(e), part) == NULL))
        fail_msg("'%s', not '%s'", e == NULL ? "fresh" : err_text(e), part);
    if (e != NULL)
        assert_int_equal(err_kind(e), ERR_STALE);
}

static void test_saved_plan(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);

    fill(&w, "{\"a\":2}", "{\"a\":1,\"b\":1}");
    struct plan_basis basis = basis_of(&w);
    json_auto_t *saved = plan_save(built(&w), &basis);
    AUTO(free) char *text = jsonx_pretty(saved);
    json_auto_t *loaded = NULL;
    const char *lineage = NULL;
    const char *salt = NULL;

    assert_null(plan_load(str_of(text), "plan", &loaded));
    assert_stale(loaded, &w, &basis, NULL);
    assert_false(plan_saved_identity(loaded, &lineage, &salt));
    basis.model_digest = "n";
    assert_stale(loaded, &w, &basis, "the stack's files");
    basis = basis_of(&w);
    basis.subscription = "other";
    assert_stale(loaded, &w, &basis, "the subscription");
    basis = basis_of(&w);
    json_object_set_new(w.state, "serial", json_integer(5));
    assert_stale(loaded, &w, &basis, "serial is 5, not 4");
    json_object_set_new(w.state, "serial", json_integer(4));

    static const struct {
        const char *desired, *actual, *want;
    } rows[] = {
        { "{\"a\":2}", "{\"a\":1,\"b\":2}", NULL }, /* nothing that the plan looks at */
        { "{\"a\":3}", "{\"a\":1}", "another document" },
        { "{\"a\":2}", "{\"a\":7}", "other values" },
        { "{\"a\":2}", "{\"a\":2}", "another action" },
        { "{\"a\":2}", "null", "another action" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world now = new_world(arena);

        fill(&now, rows[i].desired, rows[i].actual);
        basis.state = now.state;
        assert_stale(loaded, &now, &basis, rows[i].want);
    }
    struct world more = new_world(arena);

    fill(&more, "{\"a\":2}", "{\"a\":1}");
    in_file(&more, "s.u", OTHER_ID, &thing, "{}");
    in_cloud(&more, OTHER_ID, "null");
    basis.state = more.state;
    assert_stale(loaded, &more, &basis, "s.u was not in the plan");
    struct world less = new_world(arena);

    basis.state = less.state;
    assert_stale(loaded, &less, &basis, "not in the plan any more");
}

static void test_saved_plan_of_a_new_state(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct world w = new_world(arena);
    const char *lineage = NULL;
    const char *salt = NULL;

    json_object_set_new(w.state, "serial", json_integer(0));
    in_file(&w, "s.t", THING_ID, &thing, "{\"a\":1}");
    in_cloud(&w, THING_ID, "null");
    const struct plan_basis basis = basis_of(&w);
    json_auto_t *saved = plan_save(built(&w), &basis);

    assert_true(plan_saved_identity(saved, &lineage, &salt));
    assert_string_equal(lineage, "L");
    assert_string_equal(salt, "00");
}

static void test_load_refuses(void **unused)
{
    (void)unused;
    static const char *const rows[] = { "", "{", "[]", "{}", "{\"saved\":\"deployer plan\"}",
        "{\"saved\":\"deployer plan\",\"basis\":{},\"actions\":[],\"format_version\":99}" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *j = NULL;
        AUTO(err) struct err *e = plan_load(str_of(rows[i]), "p", &j);

        assert_non_null(e);
        assert_int_equal(err_kind(e), ERR_CONFIG);
        assert_null(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_action_table),
        cmocka_unit_test(test_children_go_with_what_is_replaced),
        cmocka_unit_test(test_only_what_is_worth_a_rollout_stops),
        cmocka_unit_test(test_what_a_deletion_does_not_take_along_is_deleted_first),
        cmocka_unit_test(test_a_lock_goes_before_what_it_locks),
        cmocka_unit_test(test_order_of_deletions),
        cmocka_unit_test(test_who_used_it_is_updated_before_it_goes),
        cmocka_unit_test(test_one_id_twice),
        cmocka_unit_test(test_one_id_named_as_existing),
        cmocka_unit_test(test_saved_plan),
        cmocka_unit_test(test_saved_plan_of_a_new_state),
        cmocka_unit_test(test_load_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
