/* A stack expanded by a small catalog of our own: what comes out, and what is said when it can't.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/catalog.h"
#include "catalog/expr.h"

struct fixture {
    struct arena *arena;
    struct diag_list diags;
    char dir[64];
    struct stack *stack;
    struct catalog *catalog;
    struct model *model;
    const json_t *ids;    /* that the state kept, or NULL */
    const json_t *labels; /* likewise */
};

static const struct {
    const char *path, *text;
} files[] = {
    { "templates/test/folder.yaml",
            "format: 1\nkind: folder\ntitle: folder\ntype: T.R/folders\napi_version: \"1\"\n"
            "scope: subscription\ngroup: true\n" },
    { "templates/test/box.yaml",
            "format: 1\nkind: box\ntitle: box\ntype: T.R/boxes\napi_version: \"1\"\nscope: group\n"
            "name: {pattern: \"^[a-z][a-z0-9-]*$\", min: 2, max: 20}\nholds_data: true\n"
            "properties: {properties.key: {type: string, secret: true}}\n"
            "actions: {listKeys: {}, info: {secret: false}}\n"
            "rollouts: {stop-first: [{post: stop}]}\n" },
    { "templates/test/item.yaml",
            "format: 1\nkind: item\ntitle: item\ntype: T.R/boxes/items\napi_version: \"1\"\n"
            "scope: parent\n" },
    { "templates/test/note.yaml",
            "format: 1\nkind: note\ntitle: note\ntype: T.R/notes\napi_version: \"1\"\n"
            "scope: extension\n" },
    { "templates/test/world.yaml",
            "format: 1\nkind: world\ntitle: world\ntype: T.R/worlds\napi_version: \"1\"\n"
            "scope: group\nlocation: global\ntags: false\n"
            "name: {pattern: \"^[a-z0-9]+$\", min: 2, max: 12, unique: true}\n" },
    /* The embedded catalog's own always-service is replaced by ours. */
    { "services/stack/service.yaml",
            "format: 1\nservice: stack\ntitle: folder\nalways: true\nresources:\n"
            "  group: {kind: folder, name: \"${azure.resource_group}\","
            " existing: \"${azure.existing_group}\"}\n" },
    { "services/net/service.yaml",
            "format: 1\nservice: net\ntitle: net\nstack_key: network\nmain: box\n"
            "inputs: {address_space: {default: 10.0.0.0/16}}\n"
            "resources: {box: {kind: box, name: net-box}, other: {kind: box, name: net-other,"
            " when: \"${existing.box == null}\"}}\n"
            "provides: {id: \"${resource.box.id}\", space: \"${input.address_space}\"}\n" },
    { "services/db/service.yaml",
            "format: 1\nservice: db\ntitle: database\n"
            "inputs:\n"
            "  password: {type: string, secret: true, required: true, env: DB_PW,"
            " pattern: \"^[a-z~]+$\", rotatable: false, loss: everything}\n"
            "  mode: {enum: [NoCluster, OSSCluster], default: NoCluster}\n"
            "  size: {type: integer, min: 1, max: 9, default: 2}\n"
            "  items: {type: list, items: string, default: [a, b]}\n"
            "  probe: {type: map, members: {path: {default: /}, port: {type: integer}}}\n"
            "  free: {type: map}\n"
            "  host: {pattern: \"^[a-z.]+$\"}\n"
            "needs: {net: {service: net, implied: true}}\n"
            "locals: {user: \"u-${stack.name}\"}\n"
            "resources:\n"
            "  box:\n"
            "    kind: box\n"
            "    name: \"box-${service.name}\"\n"
            "    rollout: stop-first\n"
            "    body:\n"
            "      tags: {own: \"1\"}\n"
            "      properties:\n"
            "        password: \"${input.password}\"\n"
            "        size: \"${input.size}\"\n"
            "        none: \"${input.host}\"\n"
            "        big: {$if: \"${input.size > 5}\", yes: true}\n"
            "        list:\n"
            "          - {$each: \"${input.items}\", $value: \"${item.key}=${item.value}\"}\n"
            "          - {$if: false, x: 1}\n"
            "        $merge: \"${input.free}\"\n"
            "  item: {kind: item, name: \"${each.key}\", each: \"${input.items}\","
            " parent: \"${resource.box.id}\", body: {}}\n"
            "  world: {kind: world, name: \"${service.name}${stack.name}\", depends_on: [item]}\n"
            "  note: {kind: note, name: note, on: \"${resource.item['a'].id}\","
            " when: \"${contains(input.items, 'a')}\", protect: true}\n"
            "provides:\n"
            "  url: {value: \"db://${local.user}:${urlencode(input.password)}@"
            "${resource.box.properties.host}\", output: true}\n"
            "  key: \"${resource.box.properties.key}\"\n"
            "  listed: \"${resource.box.action.listKeys.k}\"\n"
            "  info: \"${resource.box.action.info.k}\"\n"
            "  box: \"${resource.box.name}\"\n"
            "  note: \"${resource.note.id ?? null}\"\n"
            "checks:\n"
            "  login: {probe: tcp, private: true, target: {host: \"${provides.url}\", none: "
            "null}}\n"
            "  each: {probe: dns, each: \"${input.items}\", target: {name: \"${each.key}\"}}\n"
            "notes: [{text: \"at ${resource.box.properties.host}\"}]\n" },
    { "services/app/service.yaml",
            "format: 1\nservice: app\ntitle: app\n"
            "inputs: {extra: {type: map, default: {}}, image: {default: org/app:1}}\n"
            "needs: {db: {service: db}, logs: {provides: [logs_id], optional: true}}\n"
            "resources:\n"
            "  box:\n    kind: box\n    name: app-box\n    depends_on: [need.db]\n    body:\n"
            "      env: \"${environment('web')}\"\n      secrets: "
            "\"${environment_secrets('web')}\"\n"
            "      image: \"${image(input.image)}\"\n      text: \"${file('a.txt')}\"\n"
            "environment:\n"
            "  $common: {TZ: UTC, GONE: x}\n"
            "  web:\n    $include: [$common]\n    $merge: \"${input.extra}\"\n"
            "    GONE: null\n    PORT: 80\n    ON: true\n"
            "    DB_URL: {value: \"${need.db.url}\", reason: the database}\n"
            "    LOGS: \"${need.logs.logs_id ?? null}\"\n"
            "    SKIPPED: {value: x, when: \"${need.logs != null}\"}\n" },
    { "services/zoned/service.yaml",
            "format: 1\nservice: zoned\ntitle: zoned\nmain: box\n"
            "inputs: {mark: {default: x}, own: {type: boolean, default: true}, zone: {default: "
            "the-zone}, keys: {type: list, items: string, default: [a]}}\n"
            "needs: {net: {service: net, implied: true}}\n"
            "resources:\n"
            "  link: {kind: item, name: net, shared: true, when: \"${input.own}\", parent: "
            "\"${resource.zone.id}\", body: {net: \"${need.net.id}\"}}\n"
            "  zone: {kind: box, name: \"${input.zone}\", shared: true, when: "
            "\"${input.own}\", protect: false, body: {mark: \"${input.mark}\"}}\n"
            "  record: {kind: item, name: \"r-${each.key}\", each: \"${input.keys}\", shared: "
            "true, when: \"${input.own}\", parent: \"${resource.zone.id}\", body: {}}\n"
            "  box: {kind: box, name: \"box-${service.name}\", depends_on: [link, record], body: "
            "{zone: \"${resource.zone.id ?? null}\", name: \"${resource.zone.name ?? null}\"}}\n"
            "provides: {zone: {value: \"${resource.zone.id ?? null}\", output: true}}\n"
            "checks: {one: {probe: dns, about: [zone, link], target: {}}}\n" },
    { "services/named/service.yaml",
            "format: 1\nservice: named\ntitle: named\n"
            "resources: {box: {kind: box, name: \"box-${service.label}x\"}}\n"
            "provides: {label: \"${service.label}\"}\n" },
    { "services/user/service.yaml",
            "format: 1\nservice: user\ntitle: user\nneeds: {z: {service: zoned}}\n"
            "resources:\n"
            "  box: {kind: box, name: user-box, depends_on: [need.z], body: {zone: "
            "\"${need.z.zone}\"}}\n" },
    { "services/app/a.txt", "text of ${nothing}\n" },
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->arena = arena_new();
    diag_init(&f->diags, f->arena);
    snprintf(f->dir, sizeof(f->dir), "/tmp/test-catalog-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO(free) char *path = file_join(f->dir, files[i].path);
        AUTO(free) char *dir = file_dirname(path);

        assert_null(file_make_dir(dir, 0700));
        assert_null(file_write(path, str_of(files[i].text), 0600));
    }
    setenv("DB_PW", "p~w", 1);
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    if (f->model != NULL)
        arena_free(f->model->arena);
    f->model = NULL;
    diag_release(&f->diags);
    diag_init(&f->diags, f->arena);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    forget(f);
    diag_release(&f->diags);
    arena_free(f->arena);
    assert_null(file_remove_tree(f->dir));
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    AUTO(free) char *path = file_join(f->dir, name);
    AUTO(free) char *dir = file_dirname(path);

    assert_null(file_make_dir(dir, 0700));
    assert_null(file_write(path, str_of(text), 0600));
}

#define HEAD                                                                                       \
    "deployer: 1\nstack: demo\nlocation: here\n"                                                   \
    "azure: {subscription: 00000000-0000-4000-8000-000000000001, resource_group: rg, tags: "       \
    "{owner: me, own: \"0\"}}\n"

/* Loads and expands; the diagnostics stay in the fixture. */
static struct model *expand(struct fixture *f, const char *text, const char *suffix)
{
    AUTO(free) char *path = file_join(f->dir, "stack.yaml");
    const char *const dirs[] = { f->dir };
    const struct stack_options so = { .file = path, .catalogs = dirs, .catalog_count = 1 };
    const struct catalog_options o = {
        .target = "azure", .suffix = suffix, .ids = f->ids, .labels = f->labels
    };

    forget(f);
    put(f, "stack.yaml", text);
    assert_null(stack_load(f->arena, &so, &f->diags, &f->stack));
    assert_non_null(f->stack);
    f->catalog = catalog_load(f->arena, f->stack->catalogs, f->stack->catalog_count, &f->diags);
    if (f->catalog != NULL)
        f->model = catalog_expand(f->catalog, f->stack, &o, &f->diags);
    return f->model;
}

/* "LINE:COLUMN path: text" of all diagnostics. */
static const char *said(struct fixture *f)
{
    AUTO(buf) struct buf all = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < f->diags.count; i++) {
        const struct diag *d = &f->diags.items[i];

        buf_addf(&all, "%d:%d %s: %s\n", d->place.line, d->place.column, d->path, d->text);
    }
    return arena_text(f->arena, buf_text(&all));
}

static struct model *expand_good(struct fixture *f, const char *text)
{
    struct model *m = expand(f, text, NULL);

    if (m == NULL)
        fail_msg("%s", said(f));
    return m;
}

static void assert_json(const json_t *value, const char *path, const char *wanted)
{
    const json_t *at = path[0] == '\0' ? value : jsonx_at(value, path);
    AUTO(free) char *got = at == NULL ? xstrdup("(absent)") : jsonx_dump(at);

    if (strcmp(got, wanted) != 0)
        fail_msg("%s is %s, not %s", path, got, wanted);
}

static const char *deps(struct fixture *f, const char *address)
{
    const struct resource *r = model_resource(f->model, address);
    AUTO(buf) struct buf all = BUF_INIT(BUF_TEXT_MAX);

    assert_non_null(r);
    for (size_t i = 0; i < r->depends_on_count; i++)
        buf_addf(&all, "%s%s", i == 0 ? "" : " ", r->depends_on[i]);
    return arena_text(f->arena, buf_text(&all));
}

static const struct provided *provided(const struct model *m, const char *service, const char *name)
{
    for (size_t i = 0; i < m->provided_count; i++) {
        if (text_eq(m->provided[i].service, service) && text_eq(m->provided[i].name, name))
            return &m->provided[i];
    }
    fail_msg("no %s.%s", service, name);
    return NULL;
}

static void test_resources(void **state)
{
    struct fixture *f = *state;
    const struct model *m = expand_good(f, HEAD "services: {d: {use: db}}\n");
    const struct resource *box = model_resource(m, "d.box");
    const struct resource *world = model_resource(m, "d.world");

    assert_string_equal(m->subscription, "00000000-0000-4000-8000-000000000001");
    assert_string_equal(m->resource_group, "rg");
    assert_int_equal(m->resource_count, 8);
    assert_json(box->arm_name, "", "\"box-d\"");
    assert_json(box->body, "",
            "{\"location\":\"here\",\"properties\":{\"list\":[\"0=a\",\"1=b\"],\"password\":"
            "{\"$expr\":\"secret.DB_PW\"},\"size\":2},\"tags\":{\"deployer-address\":\"demo/"
            "d.box\",\"own\":\"1\",\"owner\":\"me\"}}");
    assert_true(box->is_protected);
    assert_string_equal(box->rollout, "stop-first");
    assert_string_equal(deps(f, "d.box"), "stack.group");
    assert_string_equal(deps(f, "d.item[\"a\"]"), "d.box");
    assert_string_equal(deps(f, "d.world"), "d.item[\"a\"] d.item[\"b\"] stack.group");
    assert_string_equal(deps(f, "d.note"), "d.item[\"a\"]");
    assert_json(model_resource(m, "d.note")->scope_id, "",
            "{\"$expr\":\"resource[\\\"d.item[\\\\\\\"a\\\\\\\"]\\\"].id\"}");
    assert_json(model_resource(m, "d.item[\"b\"]")->parent, "",
            "{\"$expr\":\"resource[\\\"d.box\\\"].id\"}");
    assert_true(model_resource(m, "d.note")->is_protected);
    assert_json(world->location, "", "\"global\"");
    assert_null(json_object_get(world->body, "tags"));
    assert_null(model_resource(m, "d.nothing"));
    assert_int_equal(m->fixed_count, 1);
    assert_string_equal(m->fixed[0].loss, "everything");
    assert_int_equal(m->secret_count, 1);
    assert_string_equal(m->secrets[0], "DB_PW");
}

static void test_provides_and_checks(void **state)
{
    struct fixture *f = *state;
    const struct model *m = expand_good(f, HEAD "services: {d: {use: db, with: {items: [b]}}}\n");

    assert_json(provided(m, "d", "url")->value, "",
            "{\"$expr\":\"concat(\\\"db://\\\", \\\"u-demo\\\", \\\":\\\", "
            "urlencode(secret.DB_PW), \\\"@\\\", resource[\\\"d.box\\\"].properties.host)\"}");
    assert_true(provided(m, "d", "url")->is_secret && provided(m, "d", "url")->is_output);
    assert_json(provided(m, "d", "key")->value, "",
            "{\"$expr\":\"secret(resource[\\\"d.box\\\"].properties.key)\"}");
    assert_true(provided(m, "d", "key")->is_secret);
    assert_true(provided(m, "d", "listed")->is_secret);
    assert_false(provided(m, "d", "info")->is_secret);
    assert_json(provided(m, "d", "info")->value, "",
            "{\"$expr\":\"resource[\\\"d.box\\\"].answer.info.k\"}");
    assert_json(provided(m, "d", "box")->value, "", "\"box-d\"");
    assert_json(provided(m, "d", "note")->value, "", "null");
    assert_null(model_resource(m, "d.note"));
    assert_int_equal(m->check_count, 2);
    assert_string_equal(m->checks[0].name, "d.login");
    assert_true(m->checks[0].is_private);
    assert_null(json_object_get(m->checks[0].target, "none"));
    assert_string_equal(m->checks[1].name, "d.each[\"b\"]");
    assert_json(m->notes, "[0].text",
            "{\"$expr\":\"concat(\\\"at \\\", resource[\\\"d.box\\\"].properties.host)\"}");
    assert_json(m->services, "d.needs.net", "\"net\"");
}

static void test_environment(void **state)
{
    struct fixture *f = *state;
    const struct model *m = expand_good(f,
            HEAD "registry: {server: reg.example, prefix: mirror}\n"
                 "services: {d: {use: db}, a: {use: app, with: {extra: {PORT: 81, MORE: x}}}}\n");
    const struct resource *box = model_resource(m, "a.box");

    assert_json(box->body, "image", "\"reg.example/mirror/org/app:1\"");
    assert_json(box->body, "text", "\"text of ${nothing}\\n\"");
    assert_json(box->body, "env[0]", "{\"name\":\"TZ\",\"value\":\"UTC\"}");
    assert_json(box->body, "env[1]", "{\"name\":\"PORT\",\"value\":\"81\"}");
    assert_json(box->body, "env[2]", "{\"name\":\"ON\",\"value\":\"true\"}");
    assert_json(box->body, "env[3]", "{\"name\":\"DB_URL\",\"secretRef\":\"db-url\"}");
    assert_json(box->body, "env[4]", "{\"name\":\"MORE\",\"value\":\"x\"}");
    assert_json(box->body, "env[5].name", "\"DEPLOYER_SECRETS\"");
    assert_int_equal(json_array_size(json_object_get(box->body, "env")), 6);
    assert_json(box->body, "secrets[0].name", "\"db-url\"");
    assert_int_equal(json_array_size(json_object_get(box->body, "secrets")), 1);
    assert_int_equal(m->variable_count, 5);
    assert_string_equal(m->variables[3].reason, "the database");
    assert_true(m->variables[3].is_secret);
    assert_non_null(strstr(deps(f, "a.box"), "d.item[\"b\"]"));
    assert_non_null(strstr(deps(f, "a.box"), "d.world"));
}

static void test_unique_names(void **state)
{
    struct fixture *f = *state;

    expand_good(f, HEAD "services: {d: {use: db}}\n");
    AUTO(free) char *derived = jsonx_dump(model_resource(f->model, "d.world")->arm_name);

    expand_good(f, HEAD "services: {d: {use: db}}\n");
    assert_json(model_resource(f->model, "d.world")->arm_name, "", derived);
    assert_int_equal(strlen(derived), strlen("\"ddemo12345\""));
    assert_non_null(expand(f, HEAD "services: {d: {use: db}}\n", "abcde"));
    assert_json(model_resource(f->model, "d.world")->arm_name, "", "\"ddemoabcde\"");
    /* a long base is cut so that the suffix fits */
    assert_non_null(expand(f,
            "deployer: 1\nstack: averylongname\nlocation: here\n"
            "azure: {subscription: 00000000-0000-4000-8000-000000000001, resource_group: "
            "rg}\nservices: {d: {use: db}}\n",
            "abcde"));
    assert_json(model_resource(f->model, "d.world")->arm_name, "", "\"daverylabcde\"");
    /* another group, another suffix */
    expand_good(f, "deployer: 1\nstack: demo\nlocation: here\n"
                   "azure: {subscription: 00000000-0000-4000-8000-000000000001, resource_group: "
                   "rg2}\nservices: {d: {use: db}}\n");
    AUTO(free) char *other = jsonx_dump(model_resource(f->model, "d.world")->arm_name);

    assert_string_not_equal(derived, other);
}

/* What was adopted keeps its name and id, in what refers to it, too. */
static void test_kept_ids(void **state)
{
    struct fixture *f = *state;
    json_auto_t *ids = jsonx_must(
            json_pack("{s:s, s:s}", "d.box", "/s/rg/boxes/old", "d.nothing", "/s/rg/boxes/x"));

    f->ids = ids;
    const struct model *m = expand_good(f, HEAD "services: {d: {use: db}}\n");

    f->ids = NULL;
    assert_string_equal(model_resource(m, "d.box")->kept_id, "/s/rg/boxes/old");
    assert_json(model_resource(m, "d.box")->arm_name, "", "\"old\"");
    assert_null(model_resource(m, "d.box")->existing);
    assert_null(model_resource(m, "d.world")->kept_id);
    m = expand_good(f, HEAD "services: {d: {use: db}}\n");
    assert_json(model_resource(m, "d.box")->arm_name, "", "\"box-d\"");
}

static void test_existing(void **state)
{
    struct fixture *f = *state;
    const struct model *m = expand_good(f,
            "deployer: 1\nstack: demo\nlocation: here\n"
            "azure: {subscription: 00000000-0000-4000-8000-000000000001, resource_group: "
            "{existing: /subscriptions/s/resourceGroups/mine}}\n"
            "network: {existing: /subscriptions/0/resourceGroups/g/providers/T.R/boxes/theirs, "
            "address_space: 10.9.0.0/16}\n"
            "services:\n"
            "  d: {use: db, existing: {item: {b: "
            "/subscriptions/0/resourceGroups/g/providers/T.R/boxes/q/items/old}}}\n");

    assert_json(model_resource(m, "stack.group")->existing, "",
            "\"/subscriptions/s/resourceGroups/mine\"");
    assert_string_equal(m->resource_group, "mine");
    assert_json(model_resource(m, "net.box")->existing, "",
            "\"/subscriptions/0/resourceGroups/g/providers/T.R/boxes/theirs\"");
    assert_json(model_resource(m, "net.box")->arm_name, "", "\"theirs\"");
    assert_null(model_resource(m, "net.other"));
    assert_json(provided(m, "net", "id")->value, "",
            "\"/subscriptions/0/resourceGroups/g/providers/T.R/boxes/theirs\"");
    assert_json(provided(m, "net", "space")->value, "", "\"10.9.0.0/16\"");
    assert_json(model_resource(m, "d.item[\"b\"]")->arm_name, "", "\"old\"");
    assert_null(model_resource(m, "d.item[\"a\"]")->existing);
}

static bool is_there(const struct model *m, const char *address)
{
    return model_resource(m, address) != NULL;
}

/* What two services declare alike is one resource: the first's. */
static void test_shared(void **state)
{
    struct fixture *f = *state;
    const struct model *m = expand_good(f,
            HEAD "services: {u: {use: user, needs: {z: b}}, a: {use: zoned}, b: {use: zoned, with: "
                 "{keys: [a, c]}}, c: {use: zoned}}\n");
    const struct resource *zone = model_resource(m, "a.zone");

    assert_true(is_there(m, "a.link") && is_there(m, "a.record[\"a\"]"));
    assert_false(is_there(m, "b.zone") || is_there(m, "b.link") || is_there(m, "c.zone"));
    assert_false(is_there(m, "b.record[\"a\"]"));
    assert_true(is_there(m, "b.record[\"c\"]")); /* only b has it */
    assert_json(model_resource(m, "b.record[\"c\"]")->parent, "",
            "{\"$expr\":\"resource[\\\"a.zone\\\"].id\"}");
    assert_int_equal(zone->shared_count, 2);
    assert_string_equal(zone->shared_with[0], "b.zone");
    assert_string_equal(zone->shared_with[1], "c.zone");
    assert_json(zone->body, "tags.deployer-address", "\"demo/a.zone\"");
    assert_json(model_resource(m, "b.box")->body, "zone",
            "{\"$expr\":\"resource[\\\"a.zone\\\"].id\"}");
    assert_json(model_resource(m, "b.box")->body, "name", "\"the-zone\"");
    assert_string_equal(deps(f, "a.link"), "a.zone net.box");
    assert_string_equal(
            deps(f, "b.box"), "a.link a.record[\"a\"] a.zone b.record[\"c\"] stack.group");
    assert_string_equal(
            deps(f, "u.box"), "a.link a.record[\"a\"] a.zone b.box b.record[\"c\"] stack.group");
    assert_json(provided(m, "c", "zone")->value, "", "{\"$expr\":\"resource[\\\"a.zone\\\"].id\"}");
    assert_string_equal(m->checks[1].name, "b.one");
    assert_string_equal(m->checks[1].about[0], "a.zone");
    /* other names, or one that is somebody else's: two */
    m = expand_good(f, HEAD "services: {a: {use: zoned}, b: {use: zoned, with: {zone: b-zone}}}\n");
    assert_true(is_there(m, "a.zone") && is_there(m, "b.zone") && is_there(m, "b.link"));
    assert_int_equal(model_resource(m, "a.zone")->shared_count, 0);
    m = expand_good(f, HEAD
            "services: {a: {use: zoned, existing: {zone: "
            "/subscriptions/0/resourceGroups/g/providers/T.R/boxes/the-zone}}, b: {use: zoned}}\n");
    assert_json(model_resource(m, "a.zone")->existing, "",
            "\"/subscriptions/0/resourceGroups/g/providers/T.R/boxes/the-zone\"");
    assert_true(is_there(m, "b.zone") && is_there(m, "a.link") && is_there(m, "b.link"));
    /* in one zone of somebody else's there is one link all the same */
    m = expand_good(f,
            HEAD "services: {a: {use: zoned, existing: {zone: "
                 "/subscriptions/0/resourceGroups/g/providers/T.R/boxes/the-zone}}, b: {use: "
                 "zoned, existing: {zone: "
                 "/subscriptions/0/resourceGroups/g/providers/T.R/boxes/the-zone}}}\n");
    assert_true(is_there(m, "a.link"));
    assert_false(is_there(m, "b.link"));
    /* the first that has it */
    m = expand_good(f, HEAD "services: {a: {use: zoned, with: {own: false}}, b: {use: zoned}}\n");
    assert_true(is_there(m, "b.zone"));
    assert_false(is_there(m, "a.zone"));
}

/* An id that was recorded for the first of them goes to who owns it now, and to nobody else. */
static void test_shared_kept_ids(void **state)
{
    struct fixture *f = *state;
    json_auto_t *ids = jsonx_must(json_pack("{s:s, s:s, s:s}", "a.zone",
            "/s/else/providers/T.R/boxes/THE-zone", "x.box", "/s/else/providers/T.R/boxes/the-zone",
            "c.zone", "/s/other/providers/T.R/boxes/c-zone"));

    f->ids = ids;
    const struct model *m = expand_good(
            f, HEAD "services: {b: {use: zoned}, c: {use: zoned, with: {zone: c-zone}}}\n");

    assert_string_equal(
            model_resource(m, "b.zone")->kept_id, "/s/else/providers/T.R/boxes/THE-zone");
    assert_string_equal(
            model_resource(m, "c.zone")->kept_id, "/s/other/providers/T.R/boxes/c-zone");
    assert_null(model_resource(m, "b.box")->kept_id);
    m = expand_good(f, HEAD "services: {b: {use: zoned}, a: {use: zoned}}\n");
    assert_string_equal(
            model_resource(m, "b.zone")->kept_id, "/s/else/providers/T.R/boxes/THE-zone");
    /* a's is another one, in a zone of its own: b's is made where the file says */
    m = expand_good(f, HEAD "services: {b: {use: zoned}, a: {use: zoned, with: {zone: a-zone}}}\n");
    assert_null(model_resource(m, "b.zone")->kept_id);
    f->ids = NULL;
}

/* What tells several of a kind apart is made once: for each row the labels that come of it. */
static void test_labels(void **state)
{
    static const struct {
        const char *services, *deployed, *labels;
    } rows[] = {
        { "a", "{}", "a=" },
        { "a b c", "{}", "a= b=b c=c" },
        { "a named b", "{}", "a=a named= b=b" }, /* who is called as the kind */
        /* deployed before there was a second one */
        { "b a", "{'a':{'label':''}}", "b=b a=" },
        { "named a", "{'a':{'label':''}}", "named=named a=" },
        /* the first one went */
        { "b", "{'a':{'use':'named','label':''},'b':{'use':'named','label':'b'}}", "b=b" },
        { "b", "{'b':{'use':'named','label':'b'}}", "b=b" },
        { "b c", "{'b':{'use':'named','label':'b'}}", "b=b c=" },
        /* another name in the file */
        { "b", "{'a':{'label':''}}", "b=" },
        { "x", "{'b':{'use':'named','label':'b'}}", "x=b" },
        { "a x", "{'a':{'use':'named','label':''},'b':{'use':'named','label':'b'}}", "a= x=b" },
        { "x b", "{'a':{'use':'named','label':''},'b':{'use':'named','label':'b'}}", "x= b=b" },
        /* nobody knows which is which: none gets another one's */
        { "x z", "{'a':{'use':'named','label':''},'b':{'use':'named','label':'b'}}", "x=x z=z" },
        { "x z", "{'b':{'use':'named','label':'b'}}", "x=x z=z" },
        /* what was of another kind */
        { "a b", "{'a':{'use':'db','label':'a'}}", "a= b=b" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *text = xstrdup(rows[i].deployed);
        AUTO(buf) struct buf file = BUF_INIT(BUF_TEXT_MAX);
        AUTO(buf) struct buf got = BUF_INIT(BUF_TEXT_MAX);
        struct str names = str_of(rows[i].services);

        for (char *c = text; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        json_auto_t *deployed = jsonx_must(json_loads(text, 0, NULL));

        buf_add_text(&file, HEAD "services:\n");
        while (names.p != NULL && names.len > 0) {
            const struct str name = str_cut(&names, ' ');

            buf_addf(&file, "  %.*s: {use: named}\n", STR_ARG(name));
        }
        f->labels = deployed;
        const struct model *m = expand_good(f, buf_text(&file));

        f->labels = NULL;
        for (size_t k = 0; k < m->provided_count; k++) {
            if (text_eq(m->provided[k].name, "label"))
                buf_addf(&got, "%s%s=%s", got.len == 0 ? "" : " ", m->provided[k].service,
                        json_string_value(m->provided[k].value));
        }
        if (!text_eq(buf_text(&got), rows[i].labels))
            fail_msg("%s of %s: %s", rows[i].services, rows[i].deployed, buf_text(&got));
    }
    expand_good(f, HEAD "services: {a: {use: named}, b: {use: named}, d: {use: db}}\n");
    assert_json(f->model->labels, "",
            "{\"a\":{\"label\":\"\",\"use\":\"named\"},\"b\":{\"label\":\"b\",\"use\":\"named\"}}");
    expand_good(f, HEAD "services: {b: {use: named}, d: {use: db}}\n");
    assert_null(f->model->labels); /* one of each kind: nothing to remember */
}

static void test_shared_differs(void **state)
{
    struct fixture *f = *state;

    assert_null(expand(f,
            HEAD "services:\n  a: {use: zoned}\n  b: {use: zoned, with: {mark: other}}\n", NULL));
    const struct diag *d = &f->diags.items[0];

    assert_int_equal(f->diags.count, 1);
    assert_non_null(
            strstr(d->text, "a.zone and b.zone are one box, and say different things of it: "
                            "'mark' (see "));
    assert_non_null(strstr(d->text, "services/zoned/service.yaml:9)"));
    assert_non_null(strstr(d->hint, "see service 'b'"));
    /* what is not marked as shared is none of it */
    assert_null(expand(f,
            HEAD "services:\n  a: {use: zoned}\n  b: {use: zoned, with: {zone: box-a}}\n", NULL));
    assert_non_null(strstr(said(f), "a.box and b.zone are one and the same box"));
}

static void test_values_keep_their_types(void **state)
{
    struct fixture *f = *state;

    setenv("SIZE", "7", 1);
    const struct model *m = expand_good(f,
            HEAD "inputs: {n: {default: 3}}\n"
                 "services:\n"
                 "  d:\n    use: db\n    with:\n      size: \"${env.SIZE}\"\n"
                 "      free: {n: \"${var.n}\", t: \"v${var.n}\", host: \"${services.e.box}\"}\n"
                 "      probe: {port: 80}\n"
                 "  e: {use: db}\n");

    assert_json(m->services, "d.inputs.size", "7");
    assert_json(m->services, "d.inputs.free", "{\"host\":\"box-e\",\"n\":3,\"t\":\"v3\"}");
    assert_json(m->services, "d.inputs.probe", "{\"path\":\"/\",\"port\":80}");
    assert_json(model_resource(m, "d.box")->body, "properties.big", "{\"yes\":true}");
    assert_json(model_resource(m, "d.box")->body, "properties.n", "3");
}

/* Each stack has exactly this to be said about it, in this place. */
static void test_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        { "services: {d: {use: db, with: {mode: OssCluster}}}\n",
                "5:38 services.d.with.mode: 'OssCluster' is not one of NoCluster, OSSCluster (did "
                "you mean OSSCluster?)\n" },
        { "services: {d: {use: db, with: {size: 12}}}\n",
                "5:38 services.d.with.size: is 12, at most 9 are allowed\n" },
        { "services: {d: {use: db, with: {size: big}}}\n",
                "5:38 services.d.with.size: must be a whole number, not a text\n" },
        { "services: {d: {use: db, with: {sise: 1}}}\n",
                "5:32 services.d.with.sise: there is no input of service 'db' called 'sise' (did "
                "you mean "
                "size?)\n" },
        { "services: {d: {use: db, with: {items: [a, 1, [b]]}}}\n",
                "5:46 services.d.with.items[2]: must be a text, not a list\n" },
        { "services: {d: {use: db, with: {probe: {pat: x}}}}\n",
                "5:40 services.d.with.probe.pat: there is no member 'pat' (did you mean path?)\n" },
        { "services: {d: {use: db, with: {probe: {port: x}}}}\n",
                "5:46 services.d.with.probe.port: must be a whole number, not a text\n" },
        { "services: {d: {use: db, with: {host: \"A b\"}}}\n",
                "5:38 services.d.with.host: 'A b' does not match ^[a-z.]+$\n" },
        { "services: {d: {use: db, with: {password: hunter2}}}\n",
                "5:42 services.d.with.password: is a secret and must not stand in the file: write "
                "\"${secret.DB_PW}\"\n" },
        { "services: {d: {use: db, with: {password: \"${env.DB_PW}\"}}}\n",
                "5:42 services.d.with.password: is a secret and must not stand in the file: write "
                "\"${secret.DB_PW}\"\n" },
        { "services: {d: {use: db, with: {password: \"${secret.BAD}\"}}}\n",
                "5:42 services.d.with.password: the secret's value does not match ^[a-z~]+$\n" },
        { "services: {d: {use: db, with: {items: [a, a]}}}\n", NULL },
        { "services: {d: {use: db, with: {items: [a, 9]}}}\n", "" },
        { "services: {d: {use: dbb}}\n",
                "5:21 services.d.use: there is no service 'dbb' (did you mean db?)\n" },
        { "services: {a: {use: app}}\n",
                "5:12 services.a.needs.db: needs a service 'db', and the stack has none\n" },
        { "services: {a: {use: app}, d: {use: db}, e: {use: db}}\n",
                "5:12 services.a.needs.db: several services fit, say which one: d, e\n" },
        { "services: {a: {use: app, needs: {db: e}}, d: {use: db}, e: {use: db}}\n", "" },
        { "services: {a: {use: app, needs: {db: a}}, d: {use: db}}\n", NULL },
        { "services: {a: {use: app, needs: {dbb: d}}, d: {use: db}}\n",
                "5:39 services.a.needs.dbb: there is no need of service 'app' called 'dbb' (did "
                "you mean "
                "db?)\n" },
        { "services: {d: {use: db, with: {host: \"${services.e.url}\"}}}\n",
                "5:41 services.d.with.host: there is no service 'e'\n" },
        { "services: {d: {use: db, with: {host: \"${services.d.url}\"}}}\n",
                "16:5 resources.box.body: refers to the resource itself, which is not known before "
                "it "
                "is made\n" },
        { "services: {d: {use: db, existing: {bix: /x}}}\n",
                "5:36 services.d.existing.bix: there is no resource 'bix' (did you mean box?)\n" },
        { "services: {d: {use: db, with: {host: \"${env.NOPE_A}\", free: {a: \"${env.NOPE_A}\", b: "
          "\"${secret.NOPE_B}\"}}}}\n",
                "5:38 services.d.with.host: the variable NOPE_A is not set; also used at "
                "%s/stack.yaml:5:65\n"
                "5:85 services.d.with.free.b: the secret NOPE_B is not set\n" },
        { "services: {d: {use: db, with: {host: \"${env.NOPE_A ?? 'x'}\"}}}\n", "" },
        { "services: {d: {use: db, with: {host: \"ab${1 +}\"}}}\n",
                "5:45 services.d.with.host: '+' can't stand here\n" },
        { "services: {d: {use: db}, d2: {use: cyc, needs: {other: d3}}, d3: {use: cyc, needs: "
          "{other: d2}}}\n",
                "5:26 services.d2.needs: services need each other in a circle: d2 -> d3 -> d2\n" },
        { "services: {l: {use: loc}}\n",
                "5:12 services.l.locals.a: depends on itself: services.l.locals.a <- "
                "services.l.locals.b <- services.l.locals.a\n" },
        { "services: {w: {use: wrong}}\n",
                "8:26 resources.box.when: resource[\"w.other\"].properties.x is known only after "
                "apply; this must be known before\n"
                "9:27 resources.caps.name: 'NoCaps' can't be the name of a box: it must match "
                "^[a-z][a-z0-9-]*$\n"
                "10:28 resources.twice.name: w.other and w.twice are one and the same box: both "
                "are called 'same-name'\n" },
    };
    struct fixture *f = *state;

    setenv("BAD", "UPPER", 1);
    put(f, "services/cyc/service.yaml",
            "format: 1\nservice: cyc\ntitle: c\nneeds: {other: {service: cyc}}\n");
    put(f, "services/loc/service.yaml",
            "format: 1\nservice: loc\ntitle: l\nlocals: {a: \"${local.b}\", b: \"${local.a}\"}\n"
            "provides: {x: \"${local.a}\"}\n");
    put(f, "services/wrong/service.yaml",
            "format: 1\nservice: wrong\ntitle: w\n\nresources:\n"
            "  other: {kind: box, name: same-name}\n\n"
            "  box: {kind: box, when: \"${resource.other.properties.x}\", name: bb}\n"
            "  caps: {kind: box, name: NoCaps}\n"
            "  twice: {kind: box, name: same-name}\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *text = xasprintf("%s%s", HEAD, rows[i].text);
        const bool is_good = rows[i].said != NULL && rows[i].said[0] == '\0';
        const struct model *m = expand(f, text, NULL);

        if (is_good != (m != NULL))
            fail_msg("%s  gives\n%s", rows[i].text, said(f));
        if (rows[i].said == NULL)
            continue;
        AUTO(buf) struct buf wanted = BUF_INIT(BUF_TEXT_MAX);
        const char *hole = strstr(rows[i].said, "%s");

        buf_add(&wanted, rows[i].said,
                hole == NULL ? strlen(rows[i].said) : (size_t)(hole - rows[i].said));
        if (hole != NULL)
            buf_addf(&wanted, "%s%s", f->dir, hole + 2);
        if (strcmp(said(f), buf_text(&wanted)) != 0)
            fail_msg("%s  gives\n%s  not\n%s", rows[i].text, said(f), buf_text(&wanted));
    }
}

/* What is wrong in a service's own expressions is told with the place in its file. */
static void test_service_errors(void **state)
{
    static const struct {
        const char *body, *said;
    } rows[] = {
        { "a: \"${input.x}\"", "there is no input 'x'" },
        { "a: \"${resource.boxx.id}\"", "there is no resource 'boxx' (did you mean box?)" },
        { "a: \"${resource.off.id}\"", "resource.off is not there" },
        { "a: \"${resource.off.id ?? 1}\"", "" },
        { "a: \"${resource.off != null}\"", "" },
        { "a: \"${resource.many['z'].id}\"", "resource.many[\"z\"] is not there" },
        { "a: \"${resource.many['k'].id}\"", "" },
        { "a: \"${keys(resource.many)}\"", "" },
        { "a: \"${resource.box.properties.x}\"",
                "refers to the resource itself, which is not known before it is made" },
        { "a: \"${resource.box.name}\"", "" },
        { "a: \"${resource.other.action.listKey.x}\"",
                "there is no action 'listKey' (did you mean listKeys?)" },
        { "a: \"${env.X}\"", "env can be used in the stack file only: declare an input" },
        { "a: \"${each.key}\"", "there is no 'each' here" },
        { "a: \"${local.x}\"", "there is no local 'x'" },
        { "a: \"${file('../x/service.yaml')}\"", "there is no file services/s/../x/service.yaml" },
        { "a: \"${environment('web')}\"", "there is no container 'web'" },
        { "$ife: true", "'$ife' is not one of $if, $each, $merge, $value" },
        { "$merge: 1", "$merge wants a map, got a whole number" },
        { "a: {$if: \"${resource.other.on}\"}",
                "resource[\"s.other\"].on is known only after apply; this must be known before" },
        { "a: [{$each: 5}]", "$each wants a list or a map, got a whole number" },
        { "a: \"${target}\"", "" },
        { "a: \"${azure.tenant}\"", "" },
        { "a: \"${azure.tenat}\"", "there is no azure value 'tenat' (did you mean tenant?)" },
        { "a: yes", NULL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free)
        char *text = xasprintf("format: 1\nservice: s\ntitle: s\nresources:\n"
                               "  other: {kind: box, name: other}\n"
                               "  off: {kind: box, name: off, when: false}\n"
                               "  many: {kind: box, name: \"m-${each.key}\", each: [k]}\n"
                               "  box: {kind: box, name: bb, body: {%s}}\n",
                rows[i].body);

        put(f, "services/s/service.yaml", text);
        const struct model *m = expand(f, HEAD "services: {s: {use: s}}\n", NULL);

        if (rows[i].said == NULL) {
            assert_null(m);
            continue;
        }
        if (rows[i].said[0] == '\0'
                        ? m == NULL
                        : f->diags.count != 1 || !text_eq(f->diags.items[0].text, rows[i].said)
                                  || f->diags.items[0].place.line != 8)
            fail_msg("%s gives\n%s", rows[i].body, said(f));
    }
}

static void count_references(void *arg, const char *address, const char *action)
{
    (void)address;
    (void)action;
    ++*(size_t *)arg;
}

/* A thousand resources of one `each`: each found by its address. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t references = 0;

    buf_add_text(&text, HEAD "services:\n  d:\n    use: db\n    with:\n      items: [");
    for (size_t i = 0; i < 1000; i++)
        buf_addf(&text, "%si%zu", i == 0 ? "" : ", ", i);
    buf_add_text(&text, "]\n");
    const struct model *m = expand_good(f, buf_text(&text));

    assert_int_equal(m->resource_count, 1005);
    for (size_t i = 0; i < 1000; i++) {
        AUTO(free) char *address = xasprintf("d.item[\"i%zu\"]", i);
        const struct resource *r = model_resource(m, address);

        assert_non_null(r);
        expr_each_reference(r->parent, count_references, &references);
    }
    assert_int_equal(references, 1000);
}

static void test_folders_are_checked(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = { "/tmp/there-is-no-such-folder" };

    assert_null(catalog_load(f->arena, bad, 1, &f->diags));
    assert_int_equal(f->diags.errors, 1);
    forget(f);
    put(f, "templates/test/box.yaml", "format: 1\nkind: box\n");
    const char *const dirs[] = { f->dir };

    assert_null(catalog_load(f->arena, dirs, 1, &f->diags));
    assert_true(f->diags.errors >= 3);
}

/* Sets what an example's .env.example says. */
static void set_example_env(const char *dir)
{
    AUTO(free) char *path = file_join(dir, ".env.example");
    AUTO(buf) struct buf text = BUF_INIT(1u << 16);

    assert_null(file_read(path, 1u << 16, &text));
    struct str rest = buf_str(&text);

    while (rest.p != NULL) {
        struct str value = str_cut(&rest, '\n');
        AUTO(free) char *name = str_dup(str_cut(&value, '='));
        AUTO(free) char *copy = value.p == NULL ? NULL : str_dup(value);

        if (name[0] != '#' && copy != NULL)
            setenv(name, copy, 1);
    }
}

/* The examples, as they are shipped, for the base and each of their environments. */
static void test_examples(void **state)
{
    static const struct {
        const char *dir, *environment;
    } rows[] = {
        { "examples/langfuse", NULL },
        { "examples/langfuse", "prod" },
        { "examples/custom-service", NULL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *file = file_join(rows[i].dir, "stack.yaml");
        const struct stack_options so = { .file = file, .environment = rows[i].environment };
        const struct catalog_options o = { .target = "sandbox" };

        forget(f);
        set_example_env(rows[i].dir);
        assert_null(stack_load(f->arena, &so, &f->diags, &f->stack));
        f->catalog = catalog_load(f->arena, f->stack->catalogs, f->stack->catalog_count, &f->diags);
        assert_non_null(f->catalog);
        f->model = catalog_expand(f->catalog, f->stack, &o, &f->diags);
        if (f->model == NULL || f->diags.count > 0)
            fail_msg("%s %s\n%s", file, rows[i].environment, said(f));
        assert_true(f->model->resource_count > 10);
        for (size_t k = 0; k < f->model->resource_count; k++) {
            const struct resource *r = &f->model->resources[k];

            for (size_t d = 0; d < r->depends_on_count; d++)
                assert_non_null(model_resource(f->model, r->depends_on[d]));
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_resources),
        TEST(test_provides_and_checks),
        TEST(test_environment),
        TEST(test_unique_names),
        TEST(test_kept_ids),
        TEST(test_existing),
        TEST(test_shared),
        TEST(test_shared_kept_ids),
        TEST(test_shared_differs),
        TEST(test_labels),
        TEST(test_values_keep_their_types),
        TEST(test_what_is_wrong),
        TEST(test_service_errors),
        TEST(test_many),
        TEST(test_folders_are_checked),
        TEST(test_examples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
