/* The parts of the data plane that need no server: texts, rules, addresses, records, certificates.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "sandbox/backend_core.h"
#include "sandbox/dns.h"
#include "sandbox/netmap.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/relay_carry.h"
#include "sandbox/rules.h"
#include "sandbox/task.h"
#include "sandbox/volume.h"

struct world {
    struct backend *b;
    char dir[64];
};

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    snprintf(w->dir, sizeof(w->dir), "/tmp/backend-parts.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    const struct backend_options o = { .dir = w->dir, .ca_cert = "", .ca_key = "" };

    assert_null(backend_open(&o, &w->b));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    backend_close(w->b);
    err_ignore(file_remove_tree(w->dir), "test folder");
    free(w);
    return 0;
}

/* ---- recipes ---- */

static void expands_references(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        { "plain", "abc", "abc" },
        { "text", "a${name}c", "aXc" },
        { "path", "${doc.properties.list[1]}", "two" },
        { "number and boolean", "${port} ${on}", "5432 true" },
        { "absent is empty", "<${doc.nothing}>", "<>" },
        { "an object is empty", "<${doc}>", "<>" },
        { "not closed", "a${name", "a${name" },
        { "no second round", "${tricky}", "${name}" },
        { "dollar alone", "$5 $name", "$5 $name" },
        { "nothing", "", "" },
    };
    json_auto_t *scope = json_pack("{s:s, s:i, s:b, s:s, s:{s:{s:[s, s]}}}", "name", "X", "port",
            5432, "on", 1, "tricky", "${name}", "doc", "properties", "list", "one", "two");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = scope_expand(scope, rows[i].text);

        if (!text_eq(got, rows[i].want))
            fail_msg("%s: '%s', want '%s'", rows[i].name, got, rows[i].want);
    }
}

static void judges_conditions(void **state)
{
    static const struct {
        const char *name, *condition;
        bool want;
    } rows[] = {
        { "is", "{\"of\": \"${kind}\", \"is\": \"filestorage\"}", true },
        { "is not that", "{\"of\": \"${kind}\", \"is\": \"StorageV2\"}", false },
        { "one of", "{\"of\": \"${kind}\", \"is\": [\"a\", \"FileStorage\"]}", true },
        { "is_not", "{\"of\": \"${kind}\", \"is_not\": \"FileStorage\"}", false },
        { "is_not with a reference", "{\"of\": \"x\", \"is_not\": [\"${kind}\"]}", true },
        { "nothing asked", "{\"of\": \"x\"}", true },
    };
    json_auto_t *scope = json_pack("{s:s}", "kind", "FileStorage");

    (void)state;
    assert_true(scope_holds(scope, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *condition = json_loads(rows[i].condition, 0, NULL);

        if (scope_holds(scope, condition) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

static void maps_values(void **state)
{
    json_auto_t *scope = json_pack("{s:s, s:i}", "policy", "noEviction", "port", 10000);
    json_auto_t *rule = json_loads("{\"of\": \"${policy}\", \"map\": {\"NoEviction\": "
                                   "\"noeviction:${port}\"}, \"otherwise\": \"lru\"}",
            0, NULL);
    AUTO(free) char *known = scope_map(scope, rule);

    (void)state;
    json_object_set_new(scope, "policy", json_string("Other"));
    AUTO(free) char *other = scope_map(scope, rule);

    assert_string_equal(known, "noeviction:10000");
    assert_string_equal(other, "lru");
}

static void built_in_recipes_load(void **state)
{
    struct recipes *r = NULL;

    (void)state;
    assert_null(recipes_load(&r));
    assert_non_null(recipes_for(r, "microsoft.dbforpostgresql/FLEXIBLESERVERS"));
    assert_non_null(recipes_child(r, "Microsoft.DBforPostgreSQL/flexibleServers/databases"));
    assert_non_null(recipes_named(r, "blob"));
    assert_null(recipes_for(r, "Microsoft.Web/sites"));
    assert_true(json_array_size(recipes_images(r)) > 0);
    recipes_free(r);
}

static void own_images_come_first(void **state)
{
    struct world *w = *state;
    AUTO(free) char *good = file_join(w->dir, "images.yaml");
    AUTO(free) char *bad = file_join(w->dir, "bad.yaml");
    struct recipes *r = NULL;

    assert_null(file_write(good, STR("images:\n  - {match: mine, run: [sh]}\n"), 0600));
    assert_null(file_write(bad, STR("images: 5\n"), 0600));
    assert_null(recipes_load(&r));
    assert_null(recipes_add_images(r, good));
    assert_string_equal(jsonx_text(json_array_get(recipes_images(r), 0), "match"), "mine");
    AUTO(err) struct err *e = recipes_add_images(r, bad);

    assert_int_equal(err_kind(e), ERR_CONFIG);
    recipes_free(r);
}

static void finds_versions(void **state)
{
    static const struct {
        const char *output, *want;
    } rows[] = {
        { "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18" },
        { "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc\n", "7.0.15" },
        { "ClickHouse client version 18.16.1.\n", "18.16.1" },
        { "3.35.0\n", "3.35.0" },
        { "no such option\n", "unknown" },
        { "", "unknown" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = task_first_version(rows[i].output);

        assert_string_equal(got, rows[i].want);
    }
}

/* ---- addresses and rules ---- */

static void maps_addresses(void **state)
{
    struct netmap *one = NULL;
    struct netmap *two = NULL;
    char *a = NULL;
    char *b = NULL;

    (void)state;
    assert_null(netmap_open(&one));
    assert_null(netmap_open(&two));
    assert_string_not_equal(netmap_rules(one), netmap_rules(two));
    AUTO(free) char *in_one = netmap_apply(one, "10.20.2.5");
    AUTO(free) char *in_two = netmap_apply(two, "10.20.2.5");
    AUTO(free) char *other = netmap_apply(one, "192.168.0.1");

    assert_true(str_starts(str_of(in_one), STR("127.")));
    assert_string_not_equal(in_one, in_two);
    assert_string_equal(other, "192.168.0.1");
    assert_null(netmap_apply(one, "nonsense"));
    assert_null(netmap_apply(one, NULL));
    assert_null(netmap_take(one, 0, &a));
    assert_null(netmap_take(one, 0, &b));
    assert_string_not_equal(a, b);
    free(a);
    free(b);
    netmap_close(one);
    netmap_close(two);
}

static void rules_are_compared(void **state)
{
    struct rules a, b;

    (void)state;
    rules_init(&a);
    rules_init(&b);
    rules_add_tcp(&a, "127.0.0.9", 5432);
    assert_false(rules_equal(&a, &b));
    rules_add_tcp(&b, "127.0.0.9", 5432);
    assert_true(rules_equal(&a, &b));
    rules_add_target(&b, "127.0.0.8", 1);
    assert_false(rules_equal(&a, &b));
    rules_release(&a);
    rules_release(&b);
}

static void reads_heads(void **state)
{
    static const struct {
        const char *head, *host, *target;
    } rows[] = {
        { "GET /a?b HTTP/1.1\r\nHost: web.example\r\n\r\n", "web.example", "/a?b" },
        { "GET / HTTP/1.1\r\nX: y\r\nhOST:  Web:443 \r\n\r\n", "Web", "/" },
        { "GET / HTTP/1.1\r\nX: y\r\n\r\n", "", "/" },
        { "nonsense", "", "" },
        { "", "", "" },
        { "GET\r\nHost: a\r\n", "a", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str host, target;

        carry_parse_head(str_of(rows[i].head), &host, &target);
        assert_true(str_eq(host, str_of(rows[i].host)));
        assert_true(str_eq(str_trim(target), str_of(rows[i].target)));
    }
}

/* ---- DNS ---- */

#define NETWORK "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/"

static void put(struct world *w, const char *id, const char *type, const char *text)
{
    json_auto_t *doc = json_loads(text, 0, NULL);

    assert_non_null(doc);
    backend_put(w->b, id, type, doc);
}

static void add_zone(struct world *w, bool is_linked)
{
    put(w, NETWORK "virtualNetworks/vnet", "Microsoft.Network/virtualNetworks", "{}");
    put(w, NETWORK "privateDnsZones/privatelink.redis.azure.net",
            "Microsoft.Network/privateDnsZones", "{}");
    put(w, NETWORK "privateDnsZones/privatelink.redis.azure.net/A/own",
            "Microsoft.Network/privateDnsZones/A",
            "{\"properties\": {\"ARecords\": [{\"ipv4Address\": \"10.1.2.3\"}]}}");
    put(w, NETWORK "privateDnsZones/privatelink.redis.azure.net/A/*",
            "Microsoft.Network/privateDnsZones/A",
            "{\"properties\": {\"aRecords\": [{\"ipv4Address\": \"10.1.2.4\"}]}}");
    put(w, NETWORK "privateEndpoints/pe", "Microsoft.Network/privateEndpoints",
            "{\"properties\": {\"customDnsConfigs\": [{\"fqdn\": "
            "\"r.japaneast.redis.azure.net\", \"ipAddresses\": [\"10.1.2.5\"]}]}}");
    put(w, NETWORK "privateEndpoints/pe/privateDnsZoneGroups/default",
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
            "{\"properties\": {\"privateDnsZoneConfigs\": [{\"properties\": {\"privateDnsZoneId\": "
            "\"" NETWORK "PrivateDnsZones/privatelink.redis.azure.net\"}}]}}");
    if (is_linked)
        put(w, NETWORK "privateDnsZones/privatelink.redis.azure.net/virtualNetworkLinks/l",
                "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
                "{\"properties\": {\"virtualNetwork\": {\"id\": \"" NETWORK
                "virtualNetworks/vnet\"}}}");
}

static void serves_linked_zones(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    add_zone(*state, true);
    dns_add_records(((struct world *)*state)->b, &out);
    assert_string_equal(buf_text(&out),
            "address=/*.privatelink.redis.azure.net/10.1.2.4\n"
            "cname=r.japaneast.redis.azure.net,r.japaneast.privatelink.redis.azure.net\n"
            "host-record=own.privatelink.redis.azure.net,10.1.2.3\n"
            "host-record=r.japaneast.privatelink.redis.azure.net,10.1.2.5\n"
            "local=/privatelink.redis.azure.net/\n");
}

static void says_nothing_of_unlinked_zones(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    add_zone(*state, false);
    dns_add_records(((struct world *)*state)->b, &out);
    assert_string_equal(buf_text(&out), "");
}

/* ---- application gateway ---- */

#define GATEWAY NETWORK "applicationGateways/gw"
#define DOMAIN "env.example.azurecontainerapps.io"

static const char *backend_health(struct world *w, json_t **keep)
{
    int status = 0;

    assert_true(backend_handle(w->b, GATEWAY, "Microsoft.Network/applicationGateways", "POST",
            "backendhealth", NULL, &status, keep));
    assert_int_equal(status, 200);
    return json_string_value(jsonx_at(
            *keep, "backendAddressPools[0].backendHttpSettingsCollection[0].servers[0].health"));
}

static void tells_backend_health(void **state)
{
    struct world *w = *state;

    put(w, GATEWAY, "Microsoft.Network/applicationGateways",
            "{\"properties\": {\"backendAddressPools\": [{\"name\": \"p\", \"properties\": "
            "{\"backendAddresses\": [{\"fqdn\": \"web." DOMAIN "\"}]}}], "
            "\"backendHttpSettingsCollection\": [{\"name\": \"s\"}]}}");
    json_auto_t *no_zone = NULL;
    json_auto_t *no_app = NULL;
    json_auto_t *good = NULL;

    assert_string_equal(backend_health(w, &no_zone), "Unknown");
    put(w, NETWORK "virtualNetworks/vnet", "Microsoft.Network/virtualNetworks", "{}");
    put(w, NETWORK "privateDnsZones/" DOMAIN, "Microsoft.Network/privateDnsZones", "{}");
    put(w, NETWORK "privateDnsZones/" DOMAIN "/A/*", "Microsoft.Network/privateDnsZones/A",
            "{\"properties\": {\"aRecords\": [{\"ipv4Address\": \"10.1.2.4\"}]}}");
    put(w, NETWORK "privateDnsZones/" DOMAIN "/virtualNetworkLinks/l",
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
            "{\"properties\": {\"virtualNetwork\": {\"id\": \"" NETWORK
            "virtualNetworks/vnet\"}}}");
    assert_string_equal(backend_health(w, &no_app), "Unhealthy");
    put(w, "/subscriptions/s/resourceGroups/rg/providers/Microsoft.App/containerApps/web",
            "Microsoft.App/containerApps",
            "{\"properties\": {\"configuration\": {\"ingress\": {\"fqdn\": \"web." DOMAIN
            "\"}}, \"template\": {\"containers\": []}}}");
    assert_string_equal(backend_health(w, &good), "Healthy");
}

/* ---- volumes ---- */

static char *content(const char *root, const char *path)
{
    AUTO(free) char *full = xasprintf("%s%s", root, path);
    struct buf text = BUF_INIT(4096);

    assert_null(file_read(full, 4096, &text));
    return buf_take(&text);
}

static void mounts_translated_secrets(void **state)
{
    struct world *w = *state;
    json_auto_t *template = json_loads(
            "{\"volumes\": [{\"name\": \"own\", \"storageType\": \"Secret\", \"secrets\": "
            "[{\"secretRef\": \"conf\", \"path\": \"conf.xml\"}]}, {\"name\": \"tmp\"}]}",
            0, NULL);
    json_auto_t *container = json_loads(
            "{\"volumeMounts\": [{\"volumeName\": \"own\", \"mountPath\": \"/etc/own\"}, "
            "{\"volumeName\": \"own\", \"mountPath\": \"/etc/x.d/c.xml\", \"subPath\": "
            "\"conf.xml\"}, {\"volumeName\": \"tmp\", \"mountPath\": \"/var/tmp\"}]}",
            0, NULL);
    json_auto_t *secrets = json_pack("{s:s}", "conf", "a=/etc/own/users.xml b=/etc/other");
    AUTO(free) char *root = file_join(w->dir, "root");
    const struct volume_request r = { .template = template, .secrets = secrets, .dir = w->dir };

    assert_null(volume_make_all(w->b, &r));
    assert_null(volume_mount(&r, container, root, true));
    AUTO(free) char *want = xasprintf("a=%s/etc/own/users.xml b=/etc/other", root);
    AUTO(free) char *as_folder = content(root, "/etc/own/conf.xml");
    AUTO(free) char *as_file = content(root, "/etc/x.d/c.xml");
    AUTO(free) char *empty = xasprintf("%s/var/tmp/.", root);

    assert_string_equal(as_folder, want);
    assert_string_equal(as_file, want);
    assert_true(file_is_dir(empty));
}

static void refuses_volumes_that_are_not_there(void **state)
{
    static const char *const rows[] = {
        "{\"volumes\": [{\"name\": \"v\", \"storageType\": \"NfsAzureFile\", \"storageName\": "
        "\"none\"}]}",
        "{\"volumes\": [{\"name\": \"v\", \"storageType\": \"Secret\", \"secrets\": "
        "[{\"secretRef\": \"none\"}]}]}",
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *template = json_loads(rows[i], 0, NULL);
        json_auto_t *secrets = json_object();
        const struct volume_request r = { .template = template, .secrets = secrets, .dir = w->dir };
        AUTO(err) struct err *e = volume_make_all(w->b, &r);

        assert_int_equal(err_kind(e), ERR_CONFIG);
        assert_true(str_starts(str_of(err_text(e)), STR("volume 'v'")));
    }
}

/* ---- processes ---- */

static int run_to_end(struct supervisor *s, const char *script, struct str input, const char *log)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
    const struct process_spec spec = { .argv = argv, .env = env, .input = input, .log_path = log };
    const int64_t deadline_ms = clock_now_ms() + 5000;
    struct process *p = NULL;

    assert_null(process_start(s, &spec, &p));
    while (process_is_running(p) && clock_left_ms(deadline_ms) > 0) {
        supervisor_tick(s, clock_now_ms());
        clock_sleep_ms(1);
    }
    assert_false(process_is_running(p));
    const int status = process_exit_status(p);

    process_free(p);
    return status;
}

static void runs_processes(void **state)
{
    struct world *w = *state;
    AUTO(free) char *log = file_join(w->dir, "log");
    struct supervisor *s = NULL;

    assert_null(supervisor_new(&s));
    assert_int_equal(run_to_end(s, "cat; echo two; exit 3", STR("one\n"), log), 3);
    assert_int_equal(run_to_end(s, "kill -KILL $$", STR(""), log), 128 + 9);
    AUTO(free) char *text = content("", log);

    assert_string_equal(text, "one\ntwo\n");
    const char *const missing[] = { "/nonexistent/program", NULL };
    const struct process_spec spec = { .argv = missing, .env = missing + 1 };
    struct process *p = NULL;
    AUTO(err) struct err *e = process_start(s, &spec, &p);

    assert_int_equal(err_kind(e), ERR_NOINPUT);
    supervisor_free(s);
}

static void stops_what_will_not_end(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done", NULL };
    const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
    const struct process_spec spec = { .argv = argv, .env = env, .kill_after_ms = 50 };
    struct supervisor *s = NULL;
    struct process *p = NULL;

    (void)state;
    assert_null(supervisor_new(&s));
    assert_null(process_start(s, &spec, &p));
    const pid_t pid = process_pid(p);

    assert_int_equal(supervisor_running(s), 1);
    process_free(p);
    supervisor_free(s);
    assert_int_not_equal(kill(pid, 0), 0);
}

static void finds_programs(void **state)
{
    static const char *const rows[][3] = {
        { "no-such-program-anywhere", "sh", NULL },
        { "", "/bin/s[h]", NULL },
        { "/nonexistent/*/sh", "sh", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *path = process_find_program(rows[i]);

        assert_non_null(path);
        assert_true(str_ends(str_of(path), STR("/sh")));
    }
    const char *const none[] = { "no-such-program-anywhere", NULL };

    assert_null(process_find_program(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands_references),
        cmocka_unit_test(judges_conditions),
        cmocka_unit_test(maps_values),
        cmocka_unit_test(built_in_recipes_load),
        cmocka_unit_test_setup_teardown(own_images_come_first, setup, teardown),
        cmocka_unit_test(finds_versions),
        cmocka_unit_test(maps_addresses),
        cmocka_unit_test(rules_are_compared),
        cmocka_unit_test(reads_heads),
        cmocka_unit_test_setup_teardown(serves_linked_zones, setup, teardown),
        cmocka_unit_test_setup_teardown(says_nothing_of_unlinked_zones, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_backend_health, setup, teardown),
        cmocka_unit_test_setup_teardown(mounts_translated_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_volumes_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_processes, setup, teardown),
        cmocka_unit_test(stops_what_will_not_end),
        cmocka_unit_test(finds_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
