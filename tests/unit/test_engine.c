#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/file.h"
#include "catalog/kind.h"
#include "engine/engine.h"
#include "state/state.h"
#include "fake_cloud.h"

#define ID(type, name) FAKE_GROUP "/providers/T/" type "/" name

/* ---- kinds ---- */

static const char *const kind_texts[] = {
    "format: 1\nkind: group\ntitle: group\ncloud: arm\ntype: T/groups\napi_version: '1'\n"
    "scope: subscription\nupdate: put\ngroup: true\nlocation: none\ntags: false\n"
    "actions: {contents: {method: GET, path: resources, secret: false}}\n",
    "format: 1\nkind: thing\ntitle: thing\ncloud: arm\ntype: T/things\napi_version: '1'\n"
    "scope: group\nupdate: put\nlocation: none\ntags: false\n"
    "minutes: {create: 1, update: 1, delete: 1}\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n"
    "  properties.fixed: {type: string, immutable: true}\n"
    "  properties.password: {type: string, write_only: true, secret: true}\n"
    "actions: {listKeys: {method: POST, path: listKeys}}\n",
    "format: 1\nkind: data\ntitle: data store\ncloud: arm\ntype: T/datas\napi_version: '1'\n"
    "scope: group\nupdate: patch\nlocation: none\ntags: false\nholds_data: true\n"
    "minutes: {create: 5, update: 1, delete: 1}\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n"
    "  properties.fixed: {type: string, immutable: true}\n",
    "format: 1\nkind: child\ntitle: child\ncloud: arm\ntype: T/datas/children\napi_version: '1'\n"
    "scope: parent\nupdate: put\nlocation: none\ntags: false\nserial: [parent]\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n",
    "format: 1\nkind: app\ntitle: app\ncloud: arm\ntype: T/apps\napi_version: '1'\n"
    "scope: group\nupdate: put\nlocation: none\ntags: false\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n"
    "ready:\n  - {get: state, until: {s: up}, fail: {s: down}, reason: '${it.why}'}\n"
    "run:\n  - {post: start}\n"
    "resume:\n  - {post: again}\n"
    "rollouts:\n  stop-first:\n    - {post: stop}\n",
    "format: 1\nkind: pin\ntitle: pin\ncloud: arm\ntype: T/pins\napi_version: '1'\n"
    "scope: group\nupdate: put\nlocation: none\ntags: false\nserial: ['ref:properties.net']\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n"
    "  properties.net: {type: string, immutable: true}\n",
    "format: 1\nkind: knob\ntitle: knob\ncloud: arm\ntype: T/datas/knobs\napi_version: '1'\n"
    "scope: parent\nupdate: put\nlocation: none\ntags: false\nserial: [parent]\n"
    "deletable: false\nreset: {properties: {v: 1}}\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n",
    "format: 1\nkind: board\ntitle: board\ncloud: arm\ntype: T/boards\napi_version: '1'\n"
    "scope: group\nupdate: put\netag: true\nlocation: none\ntags: false\n"
    "properties:\n"
    "  properties.server: {type: string, read_only: true}\n"
    "  properties.notes: {type: array, map_by: name, shared: true, resend: {action: tell, list: "
    "all}}\n"
    "  properties.notes[].value: {type: string, secret: true, write_only: true}\n"
    "actions: {tell: {method: POST, path: tell}}\n",
};
static const char *const kind_names[] = { "group", "thing", "data", "child", "app", "pin", "knob",
    "board" };

/* ---- one test's world ---- */

#define RESOURCES_MAX 16

struct world {
    struct arena *arena;
    struct fake_cloud cloud;
    struct kind *kinds[ARRAY_LEN(kind_texts)];
    struct model model;
    struct resource resources[RESOURCES_MAX];
    char dir[64];
    struct state *state;
    struct engine *engine;
    struct secret *secret;
    struct buf events;
};

static const struct kind *find_kind(void *arg, const char *name)
{
    struct world *w = arg;

    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (text_eq(kind_names[i], name))
            return w->kinds[i];
    }
    return NULL;
}

static struct secret *find_secret(void *arg, const char *name)
{
    struct world *w = arg;

    return text_eq(name, "PW") ? w->secret : NULL;
}

static struct err *turn(void *arg, bool (*until)(void *), void *until_arg, int64_t deadline_ms)
{
    return fake_turn(&((struct world *)arg)->cloud, until, until_arg, deadline_ms);
}

static void on_event(
        void *arg, enum engine_event_kind kind, const struct engine_node *n, const char *text)
{
    struct world *w = arg;

    if (kind == ENGINE_EVENT_FAILED)
        buf_addf(&w->events, "failed %s: %s; ", n->address, text);
    else if (kind == ENGINE_EVENT_SKIPPED)
        buf_addf(&w->events, "skipped %s for %s; ", n->address, text);
    else if (kind == ENGINE_EVENT_DONE && n->note != NULL)
        buf_addf(&w->events, "note %s: %s; ", n->address, text);
}

static json_t *load(const char *text)
{
    AUTO(free) char *copy = xstrdup(text);
    json_t *j = NULL;

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct err *e = jsonx_load(str_of(copy), "test", &j);

    if (e != NULL)
        fail_msg("%s: %s", err_text(e), text);
    return j;
}

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s", err_text(e));
}

static void open_state(struct world *w)
{
    const struct state_open o = {
        .url = arena_printf(w->arena, "%s/state.json", w->dir),
        .stack_dir = w->dir,
        .owner = { .stack = "s",
                .environment = "",
                .tenant = "",
                .subscription = "s",
                .endpoint = "https://x",
                .target = "azure" },
        .is_locked = true,
    };

    ok(state_open(&o, &w->state));
}

static void world_init(struct world *w)
{
    *w = (struct world){ .arena = arena_new(), .events = BUF_INIT(1u << 16) };
    fake_init(&w->cloud);
    clock_fake(1000000, 1700000000000);
    for (size_t i = 0; i < ARRAY_LEN(kind_texts); i++) {
        struct diag_list diags = { 0 };

        diag_init(&diags, w->arena);
        struct doc_node *doc = doc_parse(w->arena, str_of(kind_texts[i]), kind_names[i], &diags);

        w->kinds[i] = kind_parse(w->arena, doc, kind_names[i], &diags);
        if (diags.errors > 0)
            fail_msg("%s: %s: %s", kind_names[i], diags.items[0].path, diags.items[0].text);
        diag_release(&diags);
    }
    w->secret = secret_new(STR("first-secret"));
    w->model = (struct model){ .stack = "s",
        .environment = "",
        .target = "azure",
        .subscription = "s",
        .resource_group = "g",
        .resources = w->resources };
    snprintf(w->dir, sizeof(w->dir), "/tmp/test_engine.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_state(w);
}

static void forget_engine(struct world *w)
{
    fake_die(&w->cloud);
    engine_free(w->engine);
    w->engine = NULL;
}

static void world_release(struct world *w)
{
    forget_engine(w);
    state_close(w->state);
    err_ignore(file_remove_tree(w->dir), "a test's folder");
    fake_release(&w->cloud);
    secret_unref(w->secret);
    buf_release(&w->events);
    arena_free(w->arena);
    clock_fake(-1, -1);
}

static json_t *kept(struct world *w, json_t *j)
{
    if (j != NULL)
        arena_hook(w->arena, (void (*)(void *))json_decref, j);
    return j;
}

static json_t *expr(struct world *w, const char *text)
{
    return kept(w, text == NULL ? NULL : json_pack("{s:s}", "$expr", text));
}

/* Adds a resource; `needs` is a space-separated list of addresses; `parent` an address or NULL. */
static struct resource *add(struct world *w, const char *address, const char *kind,
        const char *parent, const char *body, const char *needs)
{
    struct resource *r = &w->resources[w->model.resource_count++];
    const char *dot = strchr(address, '.');
    const char **list = arena_alloc(w->arena, 8 * sizeof(*list));
    struct str rest = str_of(needs);

    *r = (struct resource){
        .address = address,
        .service = "a",
        .name = dot == NULL ? address : dot + 1,
        .kind = find_kind(w, kind),
        .arm_name = kept(w, json_string(dot == NULL ? address : dot + 1)),
        .body = kept(w, load(body)),
        .parent = parent == NULL ? NULL
                                 : expr(w, arena_printf(w->arena, "resource[\"%s\"].id", parent)),
        .depends_on = list,
    };
    while (needs[0] != '\0' && rest.p != NULL)
        list[r->depends_on_count++] = arena_str(w->arena, str_cut(&rest, ' '));
    return r;
}

/* As a new process: nothing is kept but the state's file and the cloud. */
static struct err *prepare(struct world *w, bool is_destroy)
{
    forget_engine(w);
    state_close(w->state);
    w->state = NULL;
    open_state(w);
    const struct engine_setup setup = {
        .model = &w->model,
        .state = w->state,
        .cloud = &w->cloud.base,
        .kind = find_kind,
        .secret = find_secret,
        .turn = turn,
        .event = on_event,
        .arg = w,
    };

    buf_clear(&w->events);
    TRY(engine_new(&setup, &w->engine));
    TRY(engine_resume(w->engine));
    TRY(engine_refresh(w->engine));
    return is_destroy ? engine_plan_destroy(w->engine) : engine_plan(w->engine);
}

static struct err *apply(struct world *w)
{
    TRY(prepare(w, false));
    return engine_apply(w->engine, false);
}

static void check_log(struct world *w, const char *expected)
{
    if (strcmp(buf_text(&w->cloud.log), expected) != 0)
        fail_msg("asked: %s\nnot:   %s", buf_text(&w->cloud.log), expected);
    buf_clear(&w->cloud.log);
}

static void check_events(struct world *w, const char *expected)
{
    if (strcmp(buf_text(&w->events), expected) != 0)
        fail_msg("events: %s\nnot:    %s", buf_text(&w->events), expected);
}

static void check_no_change(struct world *w)
{
    ok(prepare(w, false));
    for (size_t i = 0; i < engine_result(w->engine)->count; i++) {
        const struct plan_item *item = &engine_result(w->engine)->items[i];

        if (item->action != PLAN_NONE && item->action != PLAN_READ)
            fail_msg("%s: %s %s (%s)", plan_action_name(item->action), item->address,
                    item->changes.count > 0 ? item->changes.items[0].path : "",
                    item->reason == NULL ? "" : item->reason);
    }
    buf_clear(&w->cloud.log);
}

static void check_failed(struct err *e)
{
    assert_non_null(e);
    if (err_kind(e) != ERR_FAILED)
        fail_msg("%s", err_text(e));
    err_free(e);
}

static void run_in_world(void (*test)(struct world *w))
{
    struct world w;

    world_init(&w);
    test(&w);
    world_release(&w);
}

/* ---- tests ---- */

static void plain_stack(struct world *w)
{
    struct resource *group = add(w, "a.g", "group", NULL, "{}", "");

    group->arm_name = kept(w, json_string("g"));
    add(w, "a.one", "thing", NULL, "{'properties': {'v': 1}}", "a.g");
    add(w, "a.two", "thing", NULL,
            "{'properties': {'ref': {'$expr': 'resource[\\\"a.one\\\"].properties.server'}}}",
            "a.g a.one");
    add(w, "a.db", "data", NULL, "{'properties': {'size': 1}}", "a.g");
    add(w, "a.c1", "child", "a.db", "{'properties': {'x': 1}}", "a.db");
    add(w, "a.c2", "child", "a.db", "{'properties': {'x': 2}}", "a.db");
}

static void creates_in_order(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    /* Nothing below an absent group is asked for; the longest chain first. */
    check_log(w, "GET g; PUT g; PUT db; PUT one; PUT c1; PUT two; PUT c2; ");
    assert_string_equal(
            json_string_value(jsonx_at(fake_get(&w->cloud, ID("things", "two")), "properties.ref")),
            "sv-one");
    check_no_change(w);
}

static void reads_by_collections(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    buf_clear(&w->cloud.log);
    ok(prepare(w, false));
    check_log(w, "GET g; GET db; LIST things; LIST children; ");
}

static void confirms_what_a_list_lacks(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    w->cloud.is_list_lagging = true;
    check_no_change(w);
}

static void changes_one_thing(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    json_decref(json_incref(w->resources[3].body));
    w->resources[3].body = kept(w, load("{'properties': {'size': 2}}"));
    w->resources[4].body = kept(w, load("{'properties': {}}"));
    w->cloud.is_log_writes_only = true;
    buf_clear(&w->cloud.log);
    ok(apply(w));
    check_log(w, "LIST things; LIST children; PATCH db; PUT c1; ");
    assert_int_equal(
            json_integer_value(jsonx_at(fake_get(&w->cloud, ID("datas", "db")), "properties.size")),
            2);
    assert_null(jsonx_at(fake_get(&w->cloud, ID("datas", "db/children/c1")), "properties.x"));
    check_no_change(w);
}

static void removes_what_is_gone_from_the_file(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    w->model.resource_count = 2;
    w->cloud.is_log_writes_only = true;
    buf_clear(&w->cloud.log);
    ok(apply(w));
    /* The children go with what they are in. */
    assert_null(strstr(buf_text(&w->cloud.log), "DELETE c1"));
    assert_non_null(strstr(buf_text(&w->cloud.log), "DELETE db"));
    assert_non_null(strstr(buf_text(&w->cloud.log), "DELETE two"));
    assert_int_equal(json_object_size(w->cloud.resources), 2);
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "entries")), 2);
    check_no_change(w);
}

static void failure_skips_what_needs_it(struct world *w)
{
    plain_stack(w);
    json_object_set_new(w->cloud.faults, "PUT one", json_integer(400));
    check_failed(apply(w));
    check_events(w, "failed a.one: HTTP 400 Fault; skipped a.two for a.one; ");
    assert_non_null(fake_get(&w->cloud, ID("datas", "db/children/c2")));
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "intents")), 0);
    ok(apply(w));
    check_no_change(w);
}

static void failed_operation_is_repaired(struct world *w)
{
    plain_stack(w);
    json_object_set_new(w->cloud.faults, "PUT one!", json_integer(1));
    check_failed(apply(w));
    assert_string_equal(
            jsonx_text(state_entry(w->state, ID("things", "one")), "status"), "tainted");
    ok(apply(w));
    check_no_change(w);
}

static void lost_answer_leaves_the_intent(struct world *w)
{
    plain_stack(w);
    json_object_set_new(w->cloud.faults, "PUT one", json_integer(599));
    check_failed(apply(w));
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "intents")), 1);
    ok(apply(w));
    check_no_change(w);
}

static void serial_children_do_not_overlap(struct world *w)
{
    add(w, "a.db", "data", NULL, "{}", "");
    add(w, "a.c1", "child", "a.db", "{}", "a.db");
    add(w, "a.c2", "child", "a.db", "{}", "a.db");
    add(w, "a.c3", "child", "a.db", "{}", "a.db");
    ok(apply(w));
    assert_int_equal(w->cloud.writing_max, 1);
    check_no_change(w);
}

static void add_pins(struct world *w, const char *net)
{
    for (int i = 0; i < 3; i++) {
        const char *address = arena_printf(w->arena, "a.p%d", i);

        add(w, address, "pin", NULL, "{}", "");
        w->resources[w->model.resource_count - 1].body =
                kept(w, load(arena_printf(w->arena, "{'properties': {'net': '%s'}}", net)));
    }
}

/* What is deleted is sent no document: the one that is there tells what it hangs on. */
static void serial_by_what_is_there(struct world *w)
{
    add_pins(w, "/n/1");
    ok(apply(w));
    assert_int_equal(w->cloud.writing_max, 1);
    for (size_t i = 0; i < w->model.resource_count;
            i++) /* replaced: deleted in one net, made in the other */
        w->resources[i].body = kept(w, load(arena_printf(w->arena, "{'properties': {'net': '%s'}}",
                                               i == 0   ? "/n/1b"
                                               : i == 1 ? "/n/2"
                                                        : "/n/3")));
    ok(apply(w));
    assert_int_equal(w->cloud.deleting_max, 1);
    for (size_t i = 0; i < w->model.resource_count; i++)
        w->resources[i].body = kept(w, load("{'properties': {'net': '/n/4'}}"));
    ok(apply(w)); /* deleted in three nets */
    assert_int_equal(w->cloud.deleting_max, 3);
    w->cloud.deleting_max = 0;
    ok(prepare(w, true));
    ok(engine_apply(w->engine, false));
    assert_int_equal(w->cloud.deleting_max, 1);
}

static void at_most_ten_at_once(struct world *w)
{
    for (int i = 0; i < RESOURCES_MAX; i++)
        add(w, arena_printf(w->arena, "a.t%d", i), "thing", NULL, "{}", "");
    ok(apply(w));
    assert_int_equal(w->cloud.writing_max, 10);
    check_no_change(w);
}

static void replaces_with_what_is_in_it(struct world *w)
{
    plain_stack(w);
    w->resources[3].body = kept(w, load("{'properties': {'fixed': 'x'}}"));
    ok(apply(w));
    w->resources[3].body = kept(w, load("{'properties': {'fixed': 'y'}}"));
    buf_clear(&w->cloud.log);
    ok(prepare(w, false));
    const struct engine_node *db = engine_find(w->engine, "a.db");

    assert_int_equal(db->action, PLAN_REPLACE);
    assert_true(db->item->loses_data);
    assert_int_equal(engine_find(w->engine, "a.c1")->action, PLAN_REPLACE);
    buf_clear(&w->cloud.log);
    ok(engine_apply(w->engine, false));
    check_log(w, "DELETE db; PUT db; PUT c1; PUT c2; ");
    check_no_change(w);
}

static void moves_without_touching(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    struct resource *two = &w->resources[2];

    two->address = "b.two";
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "b.two")->action, PLAN_MOVE);
    buf_clear(&w->cloud.log);
    ok(engine_apply(w->engine, false));
    check_log(w, "");
    assert_string_equal(jsonx_text(state_entry(w->state, ID("things", "two")), "address"), "b.two");
    check_no_change(w);
}

static void existing_is_read_only(struct world *w)
{
    json_t *there = load("{'id': '" ID("things", "theirs") "', 'name': 'theirs', 'properties': "
                                                           "{'server': 'sv'}}");
    AUTO(free) char *key = fake_key(ID("things", "theirs"));

    json_object_set_new(w->cloud.resources, key, there);
    struct resource *r = add(w, "a.theirs", "thing", NULL, "{}", "");

    r->existing = kept(w, json_string(ID("things", "theirs")));
    add(w, "a.two", "thing", NULL,
            "{'properties': {'ref': {'$expr': 'resource[\\\"a.theirs\\\"].properties.server'}}}",
            "a.theirs");
    ok(apply(w));
    check_log(w, "GET theirs; LIST things; PUT two; ");
    assert_null(state_entry(w->state, ID("things", "theirs")));
    ok(prepare(w, true));
    ok(engine_apply(w->engine, false));
    assert_non_null(fake_get(&w->cloud, ID("things", "theirs")));
    assert_null(fake_get(&w->cloud, ID("things", "two")));
}

static void existing_that_is_not_there(struct world *w)
{
    struct resource *r = add(w, "a.theirs", "thing", NULL, "{}", "");

    r->existing = kept(w, json_string(ID("things", "theirs")));
    AUTO(err) struct err *e = apply(w);

    assert_int_equal(err_kind(e), ERR_CONFIG);
}

static void foreign_is_adopted(struct world *w)
{
    AUTO(free) char *key = fake_key(ID("things", "one"));

    json_object_set_new(w->cloud.resources, key,
            load("{'id': '" ID(
                    "things", "one") "', 'name': 'one', 'properties': {'v': 1, 'server': 'x'}}"));
    plain_stack(w);
    ok(prepare(w, false));
    assert_int_equal(
            engine_find(w->engine, "a.one")->action, PLAN_CREATE); /* no group, not asked */
    json_object_set_new(w->cloud.resources, "/subscriptions/s/resourcegroups/g",
            load("{'id': '" FAKE_GROUP "', 'name': 'g'}"));
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "a.one")->action, PLAN_ADOPT);
    assert_true(engine_find(w->engine, "a.one")->is_foreign);
    buf_clear(&w->cloud.log);
    ok(engine_apply(w->engine, false));
    assert_null(strstr(buf_text(&w->cloud.log), "PUT one"));
    check_no_change(w);
}

static void own_create_that_exists(struct world *w)
{
    add(w, "a.one", "thing", NULL, "{'properties': {'v': 1}}", "");
    ok(prepare(w, false));
    AUTO(free) char *key = fake_key(ID("things", "one"));

    /* The first answer was lost: it is there when the retry is refused. */
    json_object_set_new(w->cloud.resources, key,
            load("{'id': '" ID("things", "one") "', 'name': 'one', 'properties': {'v': 1}}"));
    json_object_set_new(w->cloud.faults, "PUT one", json_integer(409));
    ok(engine_apply(w->engine, false));
    check_no_change(w);
}

static void conflict_that_is_not_ours(struct world *w)
{
    add(w, "a.one", "thing", NULL, "{'properties': {'v': 1}}", "");
    json_object_set_new(w->cloud.faults, "PUT one", json_integer(409));
    check_failed(apply(w));
    check_events(w, "failed a.one: HTTP 409 Fault; ");
}

static void group_with_foreign_things_stays(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    json_object_set_new(w->cloud.answers, "GET g/resources",
            load("[{'value': [{'id': '" ID("things", "other") "'}, {'id': '" ID(
                    "things", "one") "'}]}]"));
    ok(prepare(w, true));
    ok(engine_apply(w->engine, false));
    check_events(w, "note a.g: kept: it holds " ID("things", "other") ", which is not ours; ");
    assert_int_equal(json_object_size(w->cloud.resources), 1);
    json_object_set_new(w->cloud.answers, "GET g/resources", load("[{'value': []}]"));
    ok(prepare(w, true));
    ok(engine_apply(w->engine, false));
    assert_int_equal(json_object_size(w->cloud.resources), 0);
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "entries")), 0);
}

static void destroys_in_reverse(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    json_object_set_new(w->cloud.answers, "GET g/resources", load("[{'value': []}]"));
    ok(prepare(w, true));
    buf_clear(&w->cloud.log);
    ok(engine_apply(w->engine, false));
    const char *log = buf_text(&w->cloud.log);

    assert_true(strstr(log, "DELETE two") < strstr(log, "DELETE one"));
    assert_true(strstr(log, "DELETE one") < strstr(log, "DELETE g"));
    assert_int_equal(json_object_size(w->cloud.resources), 0);
}

static void app_is_ready_run_and_rolled_out(struct world *w)
{
    struct resource *app = add(w, "a.app", "app", NULL, "{'properties': {'v': 1}}", "");

    app->rollout = "stop-first";
    json_object_set_new(
            w->cloud.answers, "GET app/state", load("[{'s': 'starting'}, {'s': 'up'}]"));
    json_object_set_new(w->cloud.answers, "POST app/start", load("[{}]"));
    json_object_set_new(w->cloud.answers, "POST app/stop", load("[{}]"));
    ok(apply(w));
    check_log(w, "GET app; PUT app; GET state; GET state; POST start; ");
    check_no_change(w);
    app->body = kept(w, load("{'properties': {'v': 2}}"));
    ok(apply(w));
    check_log(w, "GET app; POST stop; PUT app; GET state; POST start; ");
    check_no_change(w);
}

static void unready_app_is_waited_for_again(struct world *w)
{
    add(w, "a.app", "app", NULL, "{'properties': {'v': 1}}", "");
    json_object_set_new(w->cloud.answers, "GET app/state",
            load("[{'s': 'down', 'why': 'no image'}, {'s': 'up'}]"));
    json_object_set_new(w->cloud.answers, "POST app/start", load("[{}]"));
    json_object_set_new(w->cloud.answers, "POST app/again", load("[{}]"));
    check_failed(apply(w));
    check_events(w, "failed a.app: state: s is down: no image; ");
    buf_clear(&w->cloud.log);
    ok(apply(w));
    check_log(w, "GET app; POST again; GET state; POST start; ");
    check_no_change(w);
}

static void keys_reach_others_as_secrets(struct world *w)
{
    add(w, "a.one", "thing", NULL, "{'properties': {'password': {'$expr': 'secret.PW'}}}", "");
    add(w, "a.two", "thing", NULL,
            "{'properties': {'password': {'$expr': "
            "'resource[\\\"a.one\\\"].action.listKeys.key'}}}",
            "a.one");
    json_object_set_new(w->cloud.answers, "POST one/listKeys", load("[{'key': 'k-of-one'}]"));
    ok(apply(w));
    check_no_change(w);
    AUTO(free) char *text = jsonx_dump(state_document(w->state));

    assert_null(strstr(text, "first-secret"));
    assert_null(strstr(text, "k-of-one"));
    secret_unref(w->secret);
    w->secret = secret_new(STR("second-secret"));
    ok(prepare(w, false));
    const struct engine_node *one = engine_find(w->engine, "a.one");

    assert_int_equal(one->action, PLAN_UPDATE);
    assert_int_equal(one->changes.count, 1);
    assert_true(one->changes.items[0].is_secret);
    ok(engine_apply(w->engine, false));
    check_no_change(w);
}

static void refused_keys_are_not_compared(struct world *w)
{
    add(w, "a.one", "thing", NULL, "{}", "");
    add(w, "a.two", "thing", NULL,
            "{'properties': {'password': {'$expr': "
            "'resource[\\\"a.one\\\"].action.listKeys.key'}}}",
            "a.one");
    json_object_set_new(w->cloud.answers, "POST one/listKeys", load("[{'key': 'k-of-one'}]"));
    ok(apply(w));
    json_object_set_new(w->cloud.faults, "POST listKeys", json_integer(403));
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "a.two")->action, PLAN_UNKNOWN);
}

static void what_may_not_be_read_is_unknown(struct world *w)
{
    plain_stack(w);
    ok(apply(w));
    w->cloud.is_denied = true;
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "a.one")->action, PLAN_UNKNOWN);
}

static void a_change_shows_in_what_refers_to_it(struct world *w)
{
    add(w, "a.one", "thing", NULL, "{'properties': {'port': 1}}", "");
    add(w, "a.two", "thing", NULL,
            "{'properties': {'ref': {'$expr': 'resource[\\\"a.one\\\"].properties.port'}, 'id': "
            "{'$expr': 'resource[\\\"a.one\\\"].id'}, 'late': {'$expr': "
            "'resource[\\\"a.one\\\"].properties.server'}}}",
            "a.one");
    ok(prepare(w, false));
    const json_t *desired = engine_find(w->engine, "a.two")->desired;

    assert_int_equal(json_integer_value(jsonx_at(desired, "properties.ref")), 1);
    assert_string_equal(json_string_value(jsonx_at(desired, "properties.id")), ID("things", "one"));
    assert_true(expr_has_unknown(jsonx_at(desired, "properties.late"), NULL));
    ok(engine_apply(w->engine, false));
    w->resources[0].body = kept(w, load("{'properties': {'port': 2}}"));
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "a.two")->changes.count, 1);
    ok(engine_apply(w->engine, true));
    check_no_change(w);
}

/* ---- what others share ---- */

/* Made by an apply, changed in the file, and planned; what others do comes after that. */
static void planned_board(struct world *w)
{
    add(w, "a.board", "board", NULL, "{'properties': {'v': 1, 'notes': [{'name': 'ours'}]}}", "");
    ok(apply(w));
    w->resources[0].body = kept(w, load("{'properties': {'v': 2, 'notes': [{'name': 'ours'}]}}"));
    ok(prepare(w, false));
    buf_clear(&w->cloud.log);
}

/* The engine has read the document that is there now: theirs is another one. */
static json_t *as_others_write(struct world *w)
{
    AUTO(free) char *key = fake_key(ID("boards", "board"));
    json_t *board = jsonx_copy(json_object_get(w->cloud.resources, key));

    json_object_set_new(w->cloud.resources, key, board);
    return json_object_get(board, "properties");
}

static void others_add(struct world *w, const char *note)
{
    json_array_append_new(json_object_get(as_others_write(w), "notes"), load(note));
}

static const char *note_of_others(struct world *w)
{
    const json_t *board = fake_get(&w->cloud, ID("boards", "board"));
    const json_t *notes = json_object_get(json_object_get(board, "properties"), "notes");
    AUTO(free) char *text = jsonx_dump(notes);

    return arena_text(w->arena, text);
}

static void added_after_the_plan(struct world *w)
{
    planned_board(w);
    others_add(w, "{'name': 'theirs', 'color': 'red'}");
    json_object_set_new(w->cloud.answers, "POST board/tell",
            load("[{'all': [{'name': 'ours'}, {'name': 'theirs', 'value': 'hush'}]}]"));
    ok(engine_apply(w->engine, false));
    check_log(w, "GET board; POST tell; PUT board; ");
    assert_string_equal(note_of_others(w), "[{\"name\":\"ours\"},{\"color\":\"red\",\"name\":"
                                           "\"theirs\",\"value\":{\"$secret\":0}}]");
    assert_int_equal(engine_secrets(w->engine)->count, 1);
    /* What an action told is not for the state. */
    AUTO(free) char *state = jsonx_dump(state_document(w->state));

    assert_null(strstr(state, "hush"));
    check_no_change(w);
}

static void taken_away_before_it_is_told(struct world *w)
{
    planned_board(w);
    others_add(w, "{'name': 'theirs'}");
    json_object_set_new(w->cloud.answers, "POST board/tell", load("[{'all': []}]"));
    ok(engine_apply(w->engine, false));
    assert_string_equal(note_of_others(w), "[{\"name\":\"ours\"}]");
}

static void untold_secrets_stop_the_write(struct world *w)
{
    planned_board(w);
    others_add(w, "{'name': 'theirs'}");
    json_object_set_new(w->cloud.faults, "POST tell", json_integer(403));
    check_failed(engine_apply(w->engine, false));
    check_log(w, "GET board; POST tell; ");
    check_events(w,
            "failed a.board: tell of it for what others added to properties.notes, which the write "
            "would remove: HTTP 403 AuthorizationFailed; ");
}

static void nobody_else_is_there(struct world *w)
{
    planned_board(w);
    ok(engine_apply(w->engine, false));
    check_log(w, "GET board; PUT board; ");
}

static void changed_between_reading_and_writing(struct world *w)
{
    planned_board(w);
    json_object_set_new(w->cloud.faults, "PUT board", json_integer(412));
    ok(engine_apply(w->engine, false));
    check_log(w, "GET board; PUT board; GET board; PUT board; ");
    check_no_change(w);
}

/* Somebody was faster, or it was our own write, whose answer was lost. */
static void as_it_should_be_by_now(struct world *w)
{
    planned_board(w);
    json_object_set_new(as_others_write(w), "v", json_integer(2));
    ok(engine_apply(w->engine, false));
    check_log(w, "GET board; ");
    check_no_change(w);
}

static void own_write_is_under_way(struct world *w)
{
    planned_board(w);
    json_t *properties = as_others_write(w);

    json_object_set_new(properties, "v", json_integer(2));
    json_object_set_new(properties, "provisioningState", json_string("Updating"));
    ok(engine_apply(w->engine, false));
    check_log(w, "GET board; RESUME board; ");
}

static void deleted_after_the_plan(struct world *w)
{
    planned_board(w);
    json_object_clear(w->cloud.resources);
    check_failed(engine_apply(w->engine, false));
    check_events(w, "failed a.board: it would now have to be created, which the plan did not say: "
                    "run apply "
                    "again; ");
}

/* ---- what is being deleted ---- */

static void others_delete(struct world *w, const char *id)
{
    AUTO(free) char *key = fake_key(id);

    json_object_set_new(w->cloud.under_way, key, json_null());
}

static void what_is_being_deleted_is_made_anew(struct world *w)
{
    add(w, "a.db", "data", NULL, "{'properties': {'size': 1}}", "");
    add(w, "a.c1", "child", "a.db", "{'properties': {'x': 1}}", "a.db");
    add(w, "a.far", "thing", NULL,
            "{'properties': {'ref': {'$expr': 'resource[\\\"a.db\\\"].properties.server'}}}",
            "a.db");
    ok(apply(w));
    buf_clear(&w->cloud.log);
    others_delete(w, ID("datas", "db"));
    ok(prepare(w, false));
    assert_int_equal(engine_find(w->engine, "a.db")->item->action, PLAN_CREATE);
    assert_string_equal(engine_find(w->engine, "a.db")->item->reason,
            "is being deleted: that is waited for, then it is made anew");
    assert_int_equal(engine_find(w->engine, "a.c1")->item->action, PLAN_CREATE);
    buf_clear(&w->cloud.log);
    ok(engine_apply(w->engine, false));
    check_log(w, "AWAIT db; PUT db; PUT c1; ");
    check_no_change(w);
}

/* Its deletion is seen through, not forgotten: it might still fail. */
static void what_is_being_deleted_is_destroyed(struct world *w)
{
    add(w, "a.db", "data", NULL, "{'properties': {'size': 1}}", "");
    ok(apply(w));
    others_delete(w, ID("datas", "db"));
    buf_clear(&w->cloud.log);
    ok(prepare(w, true));
    ok(engine_apply(w->engine, false));
    check_log(w, "GET db; DELETE db; ");
}

/* ---- the process dies between any two steps ---- */

static void kill_stack(struct world *w)
{
    plain_stack(w);
    w->resources[4].kind = find_kind(w, "child");
    json_object_set_new(w->cloud.answers, "GET app/state", load("[{'s': 'up'}]"));
    json_object_set_new(w->cloud.answers, "POST app/start", load("[{}]"));
    json_object_set_new(w->cloud.answers, "POST app/stop", load("[{}]"));
    add(w, "a.app", "app", NULL, "{'properties': {'v': 1}}", "a.one");
}

static bool dies(struct world *w, unsigned step, struct err *(*run)(struct world *w))
{
    w->cloud.die_after = step;
    w->cloud.steps = 0;
    struct err *e = run(w);

    w->cloud.die_after = 0;
    if (e == NULL)
        return false;
    if (err_kind(e) != ERR_INTERNAL)
        fail_msg("step %u: %s", step, err_text(e));
    err_free(e);
    forget_engine(w);
    return true;
}

static void check_created_once(struct world *w)
{
    const char *id = NULL;
    json_t *count = NULL;

    json_object_foreach (w->cloud.created, id, count) {
        if (json_integer_value(count) != 1)
            fail_msg("%s was created %d times", id, (int)json_integer_value(count));
    }
    assert_int_equal(json_object_size(w->cloud.created), 7);
    assert_int_equal(json_object_size(w->cloud.resources), 7);
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "entries")), 7);
    assert_int_equal(json_object_size(json_object_get(state_document(w->state), "intents")), 0);
}

static bool kill_create_at(unsigned step)
{
    struct world w;

    world_init(&w);
    kill_stack(&w);
    const bool has_died = dies(&w, step, apply);

    ok(apply(&w));
    check_created_once(&w);
    check_no_change(&w);
    world_release(&w);
    return has_died;
}

static void test_kill_during_create(void **state)
{
    unsigned step = 1;

    (void)state;
    while (kill_create_at(step))
        step++;
    assert_true(step > 20);
}

static struct err *destroy(struct world *w)
{
    TRY(prepare(w, true));
    return engine_apply(w->engine, false);
}

static bool kill_destroy_at(unsigned step)
{
    struct world w;

    world_init(&w);
    kill_stack(&w);
    json_object_set_new(w.cloud.answers, "GET g/resources", load("[{'value': []}]"));
    ok(apply(&w));
    const bool has_died = dies(&w, step, destroy);

    ok(destroy(&w));
    assert_int_equal(json_object_size(w.cloud.resources), 0);
    assert_int_equal(json_object_size(json_object_get(state_document(w.state), "entries")), 0);
    world_release(&w);
    return has_died;
}

static void test_kill_during_destroy(void **state)
{
    unsigned step = 1;

    (void)state;
    while (kill_destroy_at(step))
        step++;
    assert_true(step > 10);
}

static bool kill_change_at(unsigned step)
{
    struct world w;

    world_init(&w);
    kill_stack(&w);
    ok(apply(&w));
    w.resources[3].body = kept(&w, load("{'properties': {'fixed': 'y'}}"));
    w.resources[6].body = kept(&w, load("{'properties': {'v': 2}}"));
    const bool has_died = dies(&w, step, apply);

    ok(apply(&w));
    assert_int_equal(json_object_size(w.cloud.resources), 7);
    check_no_change(&w);
    world_release(&w);
    return has_died;
}

static void test_kill_during_change(void **state)
{
    unsigned step = 1;

    (void)state;
    while (kill_change_at(step))
        step++;
    assert_true(step > 10);
}

/* What the state says of a resource that the file no longer has is all that is known of it. */
static void check_edges_are_kept(struct world *w, const char *id)
{
    open_state(w);
    const json_t *entry = state_entry(w->state, id);

    if (entry != NULL)
        assert_string_equal(
                json_string_value(json_array_get(json_object_get(entry, "depends_on"), 0)), "a.db");
    state_close(w->state);
    w->state = NULL;
}

static bool kill_reset_at(unsigned step)
{
    struct world w;
    const char *id = ID("datas", "db") "/knobs/k1";

    world_init(&w);
    kill_stack(&w);
    add(&w, "a.k1", "knob", "a.db", "{'properties': {'v': 8}}", "a.db");
    add(&w, "a.k2", "knob", "a.db", "{'properties': {'v': 9}}", "a.db");
    ok(apply(&w));
    w.model.resource_count -= 2;
    const bool has_died = dies(&w, step, apply);

    ok(prepare(&w, false)); /* takes up what was under way */
    forget_engine(&w);
    state_close(w.state);
    check_edges_are_kept(&w, id);
    ok(apply(&w));
    assert_int_equal(jsonx_int(json_object_get(fake_get(&w.cloud, id), "properties"), "v", 0), 1);
    assert_int_equal(json_object_size(w.cloud.resources), 9);
    assert_int_equal(json_object_size(json_object_get(state_document(w.state), "entries")), 7);
    assert_int_equal(json_object_size(json_object_get(state_document(w.state), "intents")), 0);
    check_no_change(&w);
    world_release(&w);
    return has_died;
}

static void test_kill_during_reset(void **state)
{
    unsigned step = 1;

    (void)state;
    while (kill_reset_at(step))
        step++;
    assert_true(step > 10);
}

#define ROW(name)                                                                                  \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_world(name);                                                                        \
    }
ROW(creates_in_order)
ROW(reads_by_collections)
ROW(confirms_what_a_list_lacks)
ROW(changes_one_thing)
ROW(removes_what_is_gone_from_the_file)
ROW(failure_skips_what_needs_it)
ROW(failed_operation_is_repaired)
ROW(lost_answer_leaves_the_intent)
ROW(serial_children_do_not_overlap)
ROW(serial_by_what_is_there)
ROW(at_most_ten_at_once)
ROW(replaces_with_what_is_in_it)
ROW(moves_without_touching)
ROW(existing_is_read_only)
ROW(existing_that_is_not_there)
ROW(foreign_is_adopted)
ROW(own_create_that_exists)
ROW(conflict_that_is_not_ours)
ROW(group_with_foreign_things_stays)
ROW(destroys_in_reverse)
ROW(app_is_ready_run_and_rolled_out)
ROW(unready_app_is_waited_for_again)
ROW(keys_reach_others_as_secrets)
ROW(refused_keys_are_not_compared)
ROW(what_may_not_be_read_is_unknown)
ROW(a_change_shows_in_what_refers_to_it)
ROW(added_after_the_plan)
ROW(taken_away_before_it_is_told)
ROW(untold_secrets_stop_the_write)
ROW(nobody_else_is_there)
ROW(changed_between_reading_and_writing)
ROW(as_it_should_be_by_now)
ROW(own_write_is_under_way)
ROW(deleted_after_the_plan)
ROW(what_is_being_deleted_is_made_anew)
ROW(what_is_being_deleted_is_destroyed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creates_in_order),
        cmocka_unit_test(test_reads_by_collections),
        cmocka_unit_test(test_confirms_what_a_list_lacks),
        cmocka_unit_test(test_changes_one_thing),
        cmocka_unit_test(test_removes_what_is_gone_from_the_file),
        cmocka_unit_test(test_failure_skips_what_needs_it),
        cmocka_unit_test(test_failed_operation_is_repaired),
        cmocka_unit_test(test_lost_answer_leaves_the_intent),
        cmocka_unit_test(test_serial_children_do_not_overlap),
        cmocka_unit_test(test_serial_by_what_is_there),
        cmocka_unit_test(test_at_most_ten_at_once),
        cmocka_unit_test(test_replaces_with_what_is_in_it),
        cmocka_unit_test(test_moves_without_touching),
        cmocka_unit_test(test_existing_is_read_only),
        cmocka_unit_test(test_existing_that_is_not_there),
        cmocka_unit_test(test_foreign_is_adopted),
        cmocka_unit_test(test_own_create_that_exists),
        cmocka_unit_test(test_conflict_that_is_not_ours),
        cmocka_unit_test(test_group_with_foreign_things_stays),
        cmocka_unit_test(test_destroys_in_reverse),
        cmocka_unit_test(test_app_is_ready_run_and_rolled_out),
        cmocka_unit_test(test_unready_app_is_waited_for_again),
        cmocka_unit_test(test_keys_reach_others_as_secrets),
        cmocka_unit_test(test_refused_keys_are_not_compared),
        cmocka_unit_test(test_what_may_not_be_read_is_unknown),
        cmocka_unit_test(test_a_change_shows_in_what_refers_to_it),
        cmocka_unit_test(test_added_after_the_plan),
        cmocka_unit_test(test_taken_away_before_it_is_told),
        cmocka_unit_test(test_untold_secrets_stop_the_write),
        cmocka_unit_test(test_nobody_else_is_there),
        cmocka_unit_test(test_changed_between_reading_and_writing),
        cmocka_unit_test(test_as_it_should_be_by_now),
        cmocka_unit_test(test_own_write_is_under_way),
        cmocka_unit_test(test_deleted_after_the_plan),
        cmocka_unit_test(test_what_is_being_deleted_is_made_anew),
        cmocka_unit_test(test_what_is_being_deleted_is_destroyed),
        cmocka_unit_test(test_kill_during_create),
        cmocka_unit_test(test_kill_during_destroy),
        cmocka_unit_test(test_kill_during_change),
        cmocka_unit_test(test_kill_during_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
