/* plan_diff, plan_merge_patch and plan_observed, in rows. JSON is written with ' for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "plan/plan.h"

static void release_json(void *j)
{
    json_decref(j);
}

static json_t *read_json(struct arena *arena, const char *text)
{
    if (text == NULL)
        return NULL;
    AUTO(free) char *quoted = xstrdup(text);
    json_t *j = NULL;

    for (char *c = quoted; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    struct err *e = jsonx_load(str_of(quoted), text, &j);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    arena_hook(arena, release_json, j);
    return j;
}

static const struct kind *read_kind(struct arena *arena, const char *properties)
{
    struct diag_list diags;
    const char *text = arena_printf(arena,
            "format: 1\nkind: thing\ntitle: thing\ncloud: arm\ntype: Microsoft.Test/things\n"
            "api_version: \"2025-01-01\"\nscope: group\nupdate: patch\n"
            "minutes: {create: 1, update: 1, delete: 1}\nactions: {x: {}}\nproperties:\n%s",
            properties);

    diag_init(&diags, arena);
    const struct doc_node *root = doc_parse(arena, str_of(text), "thing.yaml", &diags);
    const struct kind *k = kind_parse(arena, root, "thing", &diags);

    if (k == NULL)
        fail_msg("%s: %s", properties, diags.items[0].text);
    return k;
}

/* "+path", "~path", "-path"; "!" before those that force a replacement. */
static const char *summary(struct arena *arena, const struct change_list *list)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < list->count; i++)
        buf_addf(&out, "%s%s%c%s", i > 0 ? " " : "", list->items[i].forces_replacement ? "!" : "",
                "+~-"[list->items[i].action], list -> items[i].path);
    return arena_text(arena, buf_text(&out));
}

struct pair_row {
    const char *desired, *actual, *want;
};

static void check_pairs(const struct kind *kind, const struct pair_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct change_list found = { 0 };

        plan_diff(arena,
                &(struct diff_input){ .kind = kind,
                        .desired = read_json(arena, rows[i].desired),
                        .actual = read_json(arena, rows[i].actual) },
                &found, NULL);
        if (strcmp(summary(arena, &found), rows[i].want) != 0)
            fail_msg("%s | %s: '%s', not '%s'", rows[i].desired, rows[i].actual,
                    summary(arena, &found), rows[i].want);
    }
}

static void test_general_rules(void **unused)
{
    (void)unused;
#define GUID "0a1b2c3d-0000-0000-0000-00000000000f"
    static const struct pair_row rows[] = {
        { "{'a':1}", "{'a':1,'b':2,'id':'/x','etag':'y'}", "" },
        { "{'a':1}", "{'a':2}", "~a" },
        { "{'a':1}", "{}", "+a" },
        { "{'A':1}", "{'a':1.0}", "" },
        { "{'a':100}", "{'a':100.5}", "~a" },
        /* the root's envelope and what servers set */
        { "{'id':'x','name':'n','type':'t','etag':'e'}", "{'id':'y'}", "" },
        { "{'p':{'provisioningState':'x'}}", "{'p':{'provisioningState':'Succeeded'}}", "" },
        { "{'p':{'name':'a'}}", "{'p':{'name':'b'}}", "~p.name" },
        /* null, "", [], {} and absent; false and 0 where nothing came back */
        { "{'a':null,'b':'','c':[],'d':{},'e':false,'f':0}", "{}", "" },
        { "{'a':'','b':[],'c':{}}", "{'a':null,'b':null,'c':''}", "" },
        { "{'a':{'b':{'c':false}}}", "{}", "" },
        { "{'a':{'b':{'c':true}}}", "{}", "+a.b.c" },
        { "{'a':false}", "{'a':true}", "~a" },
        { "{'a':''}", "{'a':'x'}", "~a" },
        { "{'a':[]}", "{'a':['x']}", "~a" },
        { "{'a':null}", "{'a':'x'}", "" },
        { "{'tags':{'a':'b'}}", "{'tags':''}", "+tags.a" },
        { "{'tags':{}}", "{'tags':''}", "" },
        /* locations */
        { "{'location':'East US'}", "{'location':'eastus'}", "" },
        { "{'location':'Global'}", "{'location':'global'}", "" },
        { "{'location':'East US'}", "{'location':'eastus2'}", "!~location" },
        /* ids */
        { "{'x':'/subscriptions/S/resourceGroups/g/providers/A.B/c/d'}",
                "{'x':'/subscriptions/s/resourcegroups/G/providers/a.b/C/D/'}", "" },
        { "{'x':'/subscriptions/S/resourceGroups/g/providers/A.B/c/d'}",
                "{'x':'/subscriptions/S/resourceGroups/g/providers/A.B/c/e'}", "~x" },
        { "{'x':'/subscriptions/S/providers/M.A/roleDefinitions/1'}",
                "{'x':'/providers/M.A/roleDefinitions/1'}", "" },
        { "{'x':'/subscriptions/S/providers/M.A/roleDefinitions/1'}",
                "{'x':'/providers/M.A/roleDefinitions/2'}", "~x" },
        { "{'environmentId':'/subscriptions/S/a'}", "{'managedEnvironmentId':'/subscriptions/s/a'}",
                "" },
        { "{'environmentId':'/subscriptions/S/a'}", "{'managedEnvironmentId':'/subscriptions/s/b'}",
                "+environmentId" },
        /* one value and a list of one */
        { "{'addressPrefix':'10.0.0.0/24'}", "{'addressPrefixes':['10.0.0.0/24']}", "" },
        { "{'hostNames':['a.b']}", "{'hostName':'a.b'}", "" },
        { "{'addressPrefix':'10.0.0.0/24'}", "{'addressPrefixes':['10.0.1.0/24']}",
                "+addressPrefix" },
        /* identities */
        { "{'identity':{'type':'SystemAssigned, UserAssigned','userAssignedIdentities':"
          "{'/subscriptions/S/I/A':{}}}}",
                "{'identity':{'type':'UserAssigned,SystemAssigned','userAssignedIdentities':"
                "{'/subscriptions/s/i/a':{'clientId':'1'}}}}",
                "" },
        { "{'identity':{'type':'UserAssigned','userAssignedIdentities':{'/subscriptions/S/A':{},"
          "'/subscriptions/S/B':{}}}}",
                "{'identity':{'type':'UserAssigned','userAssignedIdentities':{'/subscriptions/S/A':"
                "{'clientId':'1'}}}}",
                "+identity.userAssignedIdentities[\"/subscriptions/S/B\"]" },
        /* case: words of the service, not words of the user */
        { "{'mode':'enabled'}", "{'mode':'Enabled'}", "" },
        { "{'sku':{'name':'pergb2018'}}", "{'sku':{'name':'PerGB2018'}}", "" },
        { "{'userName':'bob'}", "{'userName':'Bob'}", "~userName" },
        { "{'p':{'value':'on'}}", "{'p':{'value':'ON'}}", "" },
        { "{'p':{'value':'abc'}}", "{'p':{'value':'Abc'}}", "~p.value" },
        { "{'args':['Start']}", "{'args':['start']}", "~args[0]" },
        { "{'tags':{'a':'enabled'}}", "{'tags':{'A':'Enabled'}}", "~tags.a" },
        { "{'t':'" GUID "'}", "{'t':'0A1B2C3D-0000-0000-0000-00000000000F'}", "" },
        /* formats */
        { "{'m':'1.0Gi'}", "{'m':'1Gi'}", "" },
        { "{'m':'1024Mi'}", "{'m':'1Gi'}", "" },
        { "{'m':'2Gi'}", "{'m':'1Gi'}", "~m" },
        { "{'d':'PT60S'}", "{'d':'PT1M'}", "" },
        { "{'d':'P1DT1H'}", "{'d':'PT25H'}", "" },
        { "{'d':'PT60S'}", "{'d':'PT2M'}", "~d" },
        { "{'d':'P1M'}", "{'d':'P30D'}", "~d" },
        { "{'t':'2026-01-01T00:00:00Z'}", "{'t':'2026-01-01T01:00:00.000+01:00'}", "" },
        { "{'t':'2026-01-01T00:00:00Z'}", "{'t':'2026-01-01T00:00:01Z'}", "~t" },
        { "{'ip':'1.2.3.4'}", "{'ip':'1.2.3.4/32'}", "" },
        { "{'ip':'1.2.3.0/24'}", "{'ip':'1.2.3.0/25'}", "~ip" },
        { "{'ip':'2001:db8::1'}", "{'ip':'2001:0DB8:0::1/128'}", "" },
        { "{'redisVersion':'4'}", "{'redisVersion':'4.0.14'}", "" },
        { "{'redisVersion':'4'}", "{'redisVersion':'40'}", "~redisVersion" },
        { "{'other':'4'}", "{'other':'4.0.14'}", "~other" },
        /* what is never answered */
        { "{'administratorLoginPassword':'x'}", "{}", "" },
        { "{'sharedKey':'x'}", "{'sharedKey':'****'}", "" },
        { "{'sharedKey':'x'}", "{'sharedKey':'y'}", "~sharedKey" },
        { "{'createMode':'Default'}", "{}", "" },
        { "{'createMode':'Replica'}", "{'createMode':'Default'}", "~createMode" },
        /* wrong types must not crash */
        { "{'a':{'b':1}}", "{'a':'x'}", "~a" },
        { "{'a':{'b':1}}", "{'a':[1]}", "~a" },
        { "{'a':[1]}", "{'a':{'b':1}}", "~a" },
        { "{'a':'x'}", "{'a':{'b':1}}", "~a" },
        /* other spellings */
        { "{'net':'10.0.0.9/24'}", "{'net':'10.0.0.0/24'}", "" },
        { "{'net':'10.0.0.9'}", "{'net':'10.0.0.0'}", "~net" },
        { "{'net':'fd00::1/64'}", "{'net':'FD00::/64'}", "" },
        { "{'uri':'https://A.b'}", "{'uri':'https://a.b/'}", "" },
        { "{'uri':'https://a.b/c'}", "{'uri':'https://a.b/C'}", "~uri" },
        { "{'uri':'https://a.b?x'}", "{'uri':'https://a.b'}", "~uri" },
        { "{'doc':'{\\'a\\':1}'}", "{'doc':'{ \\'a\\': 1 }'}", "" },
        { "{'doc':'{\\'a\\':1}'}", "{'doc':'{\\'a\\':2}'}", "~doc" },
        { "{'doc':'<a> <b/> </a>'}", "{'doc':'<a><b/></a>\\n'}", "" },
        { "{'doc':'<a>x y</a>'}", "{'doc':'<a>xy</a>'}", "~doc" },
        { "{'fqdn':'a.b.'}", "{'fqdn':'A.b'}", "" },
        { "{'subjectName':'a.b'}", "{'subjectName':'CN=a.b'}", "" },
        { "{'d':'PT7D'}", "{'d':'P7D'}", "" },
        { "{'t':'Microsoft.A/B'}", "{'t':'microsoft.a/b'}", "" },
        { "{'s':['/subscriptions/a']}", "{'s':['subscriptions/A']}", "" },
        /* what stands in place of a value */
        { "{'p':{'v':'x'}}", "{'p':{'v':'***'}}", "" },
        { "{'p':{'v':'x'}}", "{'p':{'v':'*'}}", "~p.v" },
        { "{'sharedKey':'x'}", "{'sharedKey':'<key>'}", "" },
        { "{'sharedKey':'<key>x'}", "{'sharedKey':'<key>'}", "~sharedKey" },
        { "{'other':'x'}", "{'other':'<key>'}", "~other" },
        { "{'secrets':[{'name':'a','value':'x'}]}", "{'secrets':[{'name':'a'}]}", "" },
        { "{'tags':{'key':'x'}}", "{}", "+tags.key" },
        /* another resource by its id; a child's location; a list by index */
        { "{'r':{'id':'/subscriptions/a','x':1}}", "{'r':{'id':'/subscriptions/A'}}", "" },
        { "{'r':{'id':'/subscriptions/a','x':1}}", "{'r':{'id':'/subscriptions/b'}}",
                "~r.id +r.x" },
        { "{'r':{'id':'/subscriptions/a','x':1}}", "{'r':{'id':'/subscriptions/a','x':2}}",
                "~r.x" },
        { "{'location':'a'}", "{'id':'/subscriptions/s/providers/A.B/c/d/e/f'}", "" },
        { "{'location':'a'}", "{'id':'/subscriptions/s/providers/A.B/c/d'}", "!+location" },
        { "{'l':[{'a':1},{'a':2}]}", "{'l':{'0':{'a':1},'1':{'a':2}}}", "" },
        { "{'l':[{'a':1},{'a':2}]}", "{'l':{'0':{'a':1},'1':{'a':3}}}", "~l[1].a" },
    };

    check_pairs(NULL, rows, ARRAY_LEN(rows));
}

static void test_lists(void **unused)
{
    (void)unused;
    static const struct pair_row rows[] = {
        /* maps by name, in any order */
        { "{'l':[{'name':'a','x':1},{'name':'b','x':2}]}",
                "{'l':[{'name':'b','x':2,'id':'/s'},{'name':'a','x':1}]}", "" },
        { "{'l':[{'name':'a','x':1},{'name':'b','x':2}]}",
                "{'l':[{'name':'b','x':3},{'name':'a','x':1}]}", "~l[b].x" },
        { "{'l':[{'name':'a'},{'name':'b'}]}", "{'l':[{'name':'a'}]}", "+l[b]" },
        { "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'},{'name':'b'}]}", "-l[b]" },
        { "{'l':[{'name':'PATH'},{'name':'Path','v':1}]}",
                "{'l':[{'name':'Path','v':1},{'name':'PATH'}]}", "" },
        { "{'l':[{'name':'Test'}]}", "{'l':[{'name':'test'}]}", "~l[Test].name" },
        { "{'l':[{'id':'/subscriptions/S/A','action':'Allow'}]}",
                "{'l':[{'id':'/subscriptions/s/a','action':'Allow','state':'Succeeded'}]}", "" },
        /* what could be switched on is listed too */
        { "{'logs':[{'category':'a','enabled':true}]}",
                "{'logs':[{'category':'b','enabled':false},{'category':'a','enabled':true}]}", "" },
        { "{'logs':[{'category':'a','enabled':true}]}",
                "{'logs':[{'category':'b','enabled':true},{'category':'a','enabled':true}]}",
                "-logs[0]" },
        /* objects without a name: what is the same is the same, wherever it stands */
        { "{'r':[{'v':'1.1.1.1'},{'v':'2.2.2.2'}]}", "{'r':[{'v':'2.2.2.2/32'},{'v':'1.1.1.1'}]}",
                "" },
        { "{'r':[{'v':'1.1.1.1'},{'v':'3.3.3.3'}]}", "{'r':[{'v':'2.2.2.2'},{'v':'1.1.1.1'}]}",
                "~r[1].v" },
        { "{'r':[{'v':1}]}", "{'r':[{'v':1},{'v':2}]}", "-r[1]" },
        { "{'r':[{'v':1},{'v':2}]}", "{'r':[{'v':1}]}", "+r[1]" },
        { "{'r':[]}", "{'r':[{'name':'x'}]}", "-r[x]" },
        /* scalars: the order counts, but for ids and networks */
        { "{'z':['1','2']}", "{'z':['2','1']}", "~z[0] ~z[1]" },
        { "{'z':['1','2']}", "{'z':['1']}", "~z" },
        { "{'z':['1']}", "{}", "+z" },
        { "{'z':['10.0.0.0/8','fd00::/8']}", "{'z':['fd00::/8','10.0.0.0/8']}", "" },
        { "{'z':['/subscriptions/a','/subscriptions/b']}",
                "{'z':['/subscriptions/B','/subscriptions/a']}", "" },
        { "{'z':['10.0.0.0/8','fd00::/8']}", "{'z':['fd00::/8','11.0.0.0/8']}", "~z[0]" },
    };

    check_pairs(NULL, rows, ARRAY_LEN(rows));
}

static void test_kinds(void **unused)
{
    (void)unused;
    static const struct {
        const char *properties;
        struct pair_row pair;
    } rows[] = {
        { "  p.x: {type: string, immutable: true}",
                { "{'p':{'x':'a'}}", "{'p':{'x':'b'}}", "!~p.x" } },
        { "  p: {type: object, immutable: true}",
                { "{'p':{'x':'a'}}", "{'p':{'x':'b'}}", "!~p.x" } },
        { "  p.x: {type: string, read_only: true}", { "{'p':{'x':'a'}}", "{'p':{}}", "" } },
        { "  p.x: {type: string, write_only: true}", { "{'p':{'x':'a'}}", "{'p':{}}", "" } },
        { "  p.x: {type: string, create_only: true}", { "{'p':{'x':'a'}}", "{'p':{}}", "" } },
        { "  p.x: {type: string, create_only: true}",
                { "{'p':{'x':'a'}}", "{'p':{'x':'b'}}", "~p.x" } },
        { "  p.name: {type: string, ignore_case: true}",
                { "{'p':{'name':'a'}}", "{'p':{'name':'A'}}", "" } },
        { "  p.x: {type: string, default: b c}", { "{'p':{'x':'b c'}}", "{'p':{}}", "" } },
        { "  p.x: {type: string, default: b c}", { "{'p':{'x':'d'}}", "{'p':{}}", "+p.x" } },
        { "  p.x: {type: boolean, default: true}", { "{'p':{'x':false}}", "{'p':{}}", "+p.x" } },
        { "  p.x: {type: boolean, default: true}", { "{'p':{'x':true}}", "{'p':{}}", "" } },
        { "  p.x: {type: array, set: true}",
                { "{'p':{'x':['a','b']}}", "{'p':{'x':['b','a']}}", "" } },
        { "  p.x: {type: array, set: true}",
                { "{'p':{'x':['a','b']}}", "{'p':{'x':['b','c']}}", "~p.x[0]" } },
        { "  p.x: {type: array, map_by: server}",
                { "{'p':{'x':[{'server':'a','u':1}]}}", "{'p':{'x':[{'server':'a','u':2}]}}",
                        "~p.x[a].u" } },
        { "  p.x: {type: array, map_by: value}\n  p.x[].value: {type: string, format: cidr}",
                { "{'p':{'x':[{'value':'1.1.1.1'}]}}", "{'p':{'x':[{'value':'1.1.1.1/32'}]}}",
                        "" } },
        { "  p.x: {type: string, format: csv-set}",
                { "{'p':{'x':'a, b'}}", "{'p':{'x':'b,a'}}", "" } },
        { "  p.x: {type: string, format: version-prefix}",
                { "{'p':{'x':'latest'}}", "{'p':{'x':'6.0'}}", "" } },
        { "  p.x: {type: string, format: last-segment}",
                { "{'p':{'x':'/subscriptions/a/b/c'}}", "{'p':{'x':'/subscriptions/d/C'}}", "" } },
        { "  p.x: {type: string, alias: p.y}", { "{'p':{'x':'a'}}", "{'p':{'y':'a'}}", "" } },
        { "  p.x: {type: string, alias: p.y}", { "{'p':{'x':'a'}}", "{'p':{'y':'b'}}", "~p.x" } },
        { "  p.x: {type: string, alias: p.y}", { "{'p':{'y':'a'}}", "{'p':{'x':'a'}}", "" } },
        { "  p.m{}.v: {type: string, read_only: true}",
                { "{'p':{'m':{'k':{'v':'a'}}}}", "{'p':{'m':{'k':{}}}}", "" } },
        { "  p.x: {type: array, added: [sys*]}",
                { "{'p':{'x':[{'name':'a'}]}}", "{'p':{'x':[{'name':'a'},{'name':'SysB'}]}}",
                        "" } },
        { "  p.x: {type: array, added: [sys*]}",
                { "{'p':{'x':[{'name':'a'}]}}", "{'p':{'x':[{'name':'a'},{'name':'b'}]}}",
                        "-p.x[b]" } },
        { "  p.x: {type: integer, at_least: {p.grow: Up}}",
                { "{'p':{'x':1}}", "{'p':{'x':2,'grow':'up'}}", "" } },
        { "  p.x: {type: integer, at_least: {p.grow: Up}}",
                { "{'p':{'x':1}}", "{'p':{'x':2,'grow':'down'}}", "~p.x" } },
        { "  p.x: {type: integer, at_least: {p.grow: Up}}",
                { "{'p':{'x':2}}", "{'p':{'x':1,'grow':'up'}}", "~p.x" } },
        { "  p.x: {type: string, swaps_with: p.y}\n  p.y: {type: string, swaps_with: p.x}",
                { "{'p':{'x':'1','y':'2'}}", "{'p':{'x':'2','y':'1'}}", "" } },
        { "  p.x: {type: string, swaps_with: p.y}\n  p.y: {type: string, swaps_with: p.x}",
                { "{'p':{'x':'1','y':'2'}}", "{'p':{'x':'2','y':'3'}}", "~p.x ~p.y" } },
        { "  p.x: {type: string, swaps_with: p.y}",
                { "{'p':{'x':'1'}}", "{'p':{'x':'2'}}", "~p.x" } },
        { "  p.x: {type: string, may_be_dropped: true}", { "{'p':{'x':'a'}}", "{'p':{}}", "" } },
        { "  p.x: {type: string, may_be_dropped: true}",
                { "{'p':{'x':'a'}}", "{'p':{'x':'b'}}", "~p.x" } },
        { "  p.x: {type: string, immutable_unless: {from: [None]}}",
                { "{'p':{'x':'a'}}", "{'p':{'x':'none'}}", "~p.x" } },
        { "  p.x: {type: string, immutable_unless: {from: [None]}}",
                { "{'p':{'x':'None'}}", "{'p':{'x':'a'}}", "!~p.x" } },
        { "  p.x: {type: string, immutable_unless: {from: [a], to: [b]}}",
                { "{'p':{'x':'c'}}", "{'p':{'x':'a'}}", "!~p.x" } },
        { "  p.x: {type: array, default: [{w: 100}]}",
                { "{'p':{'x':[{'w':100}]}}", "{'p':{}}", "" } },
        { "  p.x: {type: array, default: [{w: 100}]}",
                { "{'p':{'x':[{'w':50}]}}", "{'p':{}}", "~p.x[0].w" } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();

        check_pairs(read_kind(arena, rows[i].properties), &rows[i].pair, 1);
    }
}

/* desired (as it would be stored), last applied, actual, observed, changes, drift */
struct way_row {
    const char *what, *desired, *last, *actual, *observed, *want, *drift;
};

static void check_ways(const struct kind *kind, const struct way_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct change_list found = { 0 };
        struct change_list drift = { 0 };
        const json_t *desired = read_json(arena, rows[i].desired);

        plan_diff(arena,
                &(struct diff_input){ .kind = kind,
                        .desired = desired,
                        .desired_stored = desired,
                        .last_applied = read_json(arena, rows[i].last),
                        .actual = read_json(arena, rows[i].actual),
                        .observed = read_json(arena, rows[i].observed) },
                &found, &drift);
        if (strcmp(summary(arena, &found), rows[i].want) != 0)
            fail_msg("%s: '%s', not '%s'", rows[i].what, summary(arena, &found), rows[i].want);
        if (strcmp(summary(arena, &drift), rows[i].drift) != 0)
            fail_msg("%s: drift '%s', not '%s'", rows[i].what, summary(arena, &drift),
                    rows[i].drift);
    }
}

#define DIGEST(d) "{'$secret':{'refs':['secret.A'],'digest':'" d "'}}"

static void test_three_ways(void **unused)
{
    (void)unused;
    static const struct way_row rows[] = {
        /* each sort of thing that can be removed from the file */
        { "member", "{'a':1}", "{'a':1,'b':2}", "{'a':1,'b':2}", NULL, "-b", "" },
        { "member that is gone", "{'a':1}", "{'a':1,'b':2}", "{'a':1}", NULL, "", "-b" },
        { "member that was never ours", "{'a':1}", "{'a':1}", "{'a':1,'b':2}", NULL, "", "" },
        { "nested member", "{'p':{'a':1}}", "{'p':{'a':1,'b':{'c':2}}}",
                "{'p':{'a':1,'b':{'c':2,'d':3}}}", NULL, "-p.b", "" },
        { "object of which only defaults are left", "{}", "{'p':{'on':true,'n':5}}",
                "{'p':{'on':false}}", NULL, "", "~p.on -p.n" },
        { "tag", "{'tags':{'a':'1'}}", "{'tags':{'a':'1','B':'2'}}", "{'tags':{'a':'1','b':'2'}}",
                NULL, "-tags.B", "" },
        { "all tags", "{}", "{'tags':{'a':'1'}}", "{'tags':{'a':'1'}}", NULL, "-tags", "" },
        { "element by name", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'},{'name':'b'}]}",
                "{'l':[{'name':'a'},{'name':'b'}]}", NULL, "-l[b]", "" },
        { "element of others", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}",
                "{'l':[{'name':'a'},{'name':'b'}]}", NULL, "", "" },
        { "element of others, observed", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}",
                "{'l':[{'name':'a'},{'name':'b'}]}", "{'l':[{'name':'a'}]}", "", "+l[b]" },
        { "element without a name", "{'l':[{'v':1}]}", "{'l':[{'v':1},{'v':2}]}",
                "{'l':[{'v':1},{'v':2}]}", NULL, "-l[1]", "" },
        { "scalar element", "{'z':['a']}", "{'z':['a','b']}", "{'z':['a','b']}", NULL, "~z", "" },
        { "identity", "{'identity':{'userAssignedIdentities':{}}}",
                "{'identity':{'userAssignedIdentities':{'/subscriptions/A':{}}}}",
                "{'identity':{'userAssignedIdentities':{'/subscriptions/a':{'clientId':'1'}}}}",
                NULL, "-identity.userAssignedIdentities[\"/subscriptions/A\"]", "" },
        { "set to null", "{'a':null}", "{'a':'x'}", "{'a':'x'}", NULL, "-a", "" },
        { "emptied list", "{'l':[]}", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}", NULL, "-l[a]",
                "" },
        { "reference, of which something else was sent", "{'r':{'id':'/subscriptions/a','x':2}}",
                "{'r':{'id':'/subscriptions/a','x':1}}", "{'r':{'id':'/subscriptions/a'}}", NULL,
                "+r.x", "-r.x" },
        /* drift */
        { "others changed ours", "{'a':1}", "{'a':1}", "{'a':2}", NULL, "~a", "~a" },
        { "others changed what we don't set", "{'a':1}", "{'a':1}", "{'a':1,'b':2}",
                "{'a':1,'b':1}", "", "~b" },
        { "others added", "{'a':1}", "{'a':1}", "{'a':1,'c':5}", "{'a':1}", "", "+c" },
        { "others removed", "{'a':1}", "{'a':1}", "{'a':1}", "{'a':1,'b':1}", "", "-b" },
        { "portal's tag", "{'a':1}", "{'a':1}", "{'a':1,'tags':{'hidden-title':'x'}}",
                "{'a':1,'tags':{}}", "", "" },
        { "file and cloud changed alike", "{'a':2}", "{'a':1}", "{'a':2}", NULL, "", "~a" },
        { "server's own", "{'a':1}", "{'a':1}", "{'a':1,'etag':'2','provisioningState':'Updating'}",
                "{'a':1}", "", "" },
        /* nothing changed on either side: how the server spells it is not ours to judge */
        { "rewritten by the server", "{'a':'x y'}", "{'a':'x y'}", "{'a':'z'}", "{'a':'z'}", "",
                "" },
        { "rewritten, then changed", "{'a':'x y'}", "{'a':'x y'}", "{'a':'q'}", "{'a':'z'}", "~a",
                "~a" },
        { "rewritten, then changed in the file", "{'a':'new'}", "{'a':'x y'}", "{'a':'z'}",
                "{'a':'z'}", "~a", "" },
        { "never returned", "{'p':{'a':'x'}}", "{'p':{'a':'x'}}", "{'p':{'b':1}}", "{'p':{'b':1}}",
                "", "" },
        { "removed by others", "{'p':{'a':'x'}}", "{'p':{'a':'x'}}", "{'p':{'b':1}}",
                "{'p':{'a':'x','b':1}}", "+p.a", "-p.a" },
        /* secrets */
        { "same secret", "{'s':" DIGEST("1") "}", "{'s':" DIGEST("1") "}", "{}", NULL, "", "" },
        { "rotated secret", "{'s':" DIGEST("2") "}", "{'s':" DIGEST("1") "}", "{}", NULL, "+s",
                "" },
        { "new secret", "{'s':" DIGEST("1") "}", "{}", "{}", NULL, "+s", "" },
        { "secret of unknown origin", "{'s':" DIGEST("1") "}", NULL, "{}", NULL, "+s", "" },
        { "secret in a list", "{'l':[{'name':'a','value':" DIGEST("2") "}]}",
                "{'l':[{'name':'a','value':" DIGEST("1") "}]}", "{'l':[{'name':'a'}]}", NULL,
                "+l[a].value", "" },
        { "unknown", "{'a':{'$unknown':'x.id'}}", "{'a':1}", "{'a':1}", NULL, "~a", "" },
        { "plain password", "{'password':'b'}", "{'password':'a'}", "{}", NULL, "+password", "" },
        { "same password", "{'password':'a'}", "{'password':'a'}", "{}", NULL, "", "" },
    };

    check_ways(NULL, rows, ARRAY_LEN(rows));
}

static void test_three_ways_with_a_kind(void **unused)
{
    (void)unused;
    static const struct {
        const char *properties;
        struct way_row way;
    } rows[] = {
        { "  a: {type: string, immutable: true}", { "immutable that is not returned", "{'a':'x'}",
                                                          "{'a':'x'}", "{}", NULL, "", "-a" } },
        { "  a: {type: string, immutable: true}",
                { "immutable removed", "{}", "{'a':'x'}", "{'a':'x'}", NULL, "!-a", "" } },
        { "  a: {type: string, default: d}",
                { "back to the default", "{}", "{'a':'x'}", "{'a':'d'}", NULL, "", "~a" } },
        { "  a: {type: string, write_only: true}",
                { "write-only changed", "{'a':'y'}", "{'a':'x'}", "{}", NULL, "+a", "" } },
        { "  a: {type: string, write_only: true}",
                { "write-only removed", "{}", "{'a':'x'}", "{}", NULL, "", "" } },
        { "  a: {type: string, create_only: true}",
                { "create-only changed", "{'a':'y'}", "{'a':'x'}", "{}", NULL, "", "" } },
        { "  a: {type: string, read_only: true}",
                { "read-only changed", "{}", "{}", "{'a':'y'}", "{'a':'x'}", "", "" } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();

        check_ways(read_kind(arena, rows[i].properties), &rows[i].way, 1);
    }
}

static void test_merge_patch(void **unused)
{
    (void)unused;
    static const struct {
        const char *desired, *last, *actual, *want;
    } rows[] = {
        { "{'a':1}", "{'a':1}", "{'a':1}", "{}" },
        { "{'a':2,'b':1}", "{'a':1,'b':1}", "{'a':1,'b':1}", "{'a':2}" },
        { "{'p':{'a':{'x':2,'y':1}}}", "{}", "{'p':{'a':{'x':1,'y':1}}}", "{'p':{'a':{'x':2}}}" },
        { "{'p':{}}", "{'p':{'a':1}}", "{'p':{'a':1,'b':2}}", "{'p':{'a':null}}" },
        { "{}", "{'p':{'a':1}}", "{'P':{'a':1,'b':2}}", "{'P':null}" },
        { "{'l':[{'name':'a','x':2},{'name':'b'}]}", "{}",
                "{'l':[{'name':'a','x':1},{'name':'b'}]}",
                "{'l':[{'name':'a','x':2},{'name':'b'}]}" },
        { "{'tags':{'a.b':'2'}}", "{'tags':{'a.b':'1','c/d':'1'}}",
                "{'tags':{'a.b':'1','c/d':'1'}}", "{'tags':{'a.b':'2','c/d':null}}" },
        { "{'p':{'a':1},'q':{'n':1}}", "{}", "{'p':{'a':2}}", "{'p':{'a':1},'q':{'n':1}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct change_list found = { 0 };
        const struct diff_input in = { .desired = read_json(arena, rows[i].desired),
            .last_applied = read_json(arena, rows[i].last),
            .actual = read_json(arena, rows[i].actual) };

        plan_diff(arena, &in, &found, NULL);
        json_auto_t *patch = plan_merge_patch(&in, &found);

        if (!json_equal(patch, read_json(arena, rows[i].want)))
            fail_msg("%s: %s, not %s", rows[i].desired, jsonx_dump(patch), rows[i].want);
    }
}

static void test_patch_takes_along_what_is_wanted_every_time(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    const struct kind *kind = read_kind(arena,
            "  p.key: {type: string, required: true, write_only: true}\n  p.a: {type: integer}");
    struct change_list found = { 0 };
    const struct diff_input in = { .kind = kind,
        .desired = read_json(arena, "{'p':{'a':2,'key':{'$secret':0}}}"),
        .desired_stored = read_json(arena, "{'p':{'a':2,'key':" DIGEST("1") "}}"),
        .last_applied = read_json(arena, "{'p':{'a':1,'key':" DIGEST("1") "}}"),
        .actual = read_json(arena, "{'p':{'a':1}}") };

    plan_diff(arena, &in, &found, NULL);
    assert_string_equal(summary(arena, &found), "~p.a");
    json_auto_t *patch = plan_merge_patch(&in, &found);

    assert_true(json_equal(patch, in.desired));
}

static void test_secrets_are_marked(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct change_list found = { 0 };

    plan_diff(arena,
            &(struct diff_input){ .desired = read_json(arena, "{'sharedKey':'b','x':1}"),
                    .actual = read_json(arena, "{'sharedKey':'a','x':2}") },
            &found, NULL);
    assert_int_equal(found.count, 2);
    assert_true(found.items[0].is_secret);
    assert_false(found.items[1].is_secret);
    json_auto_t *j = plan_change_json(&found.items[0]);

    assert_string_equal(jsonx_text(j, "actual"), "(secret)");
    assert_string_equal(jsonx_text(j, "desired"), "(secret)");
}

static void test_a_tag_is_no_secret(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    const struct diff_input in = {
        .desired = read_json(arena, "{'tags':{'key':'a'},'key':'a'}"),
        .actual = read_json(arena, "{'tags':{'key':'b'},'key':'b'}"),
    };
    struct change_list found = { 0 };

    plan_diff(arena, &in, &found, NULL);
    assert_int_equal(found.count, 2);
    for (size_t i = 0; i < found.count; i++)
        assert_int_equal(found.items[i].is_secret, text_eq(found.items[i].path, "key"));
}

static void test_observed_keeps_no_secret(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    const struct kind *kind = read_kind(arena, "  p.hidden: {type: string, secret: true}\n  "
                                               "p.count: {type: integer, read_only: true}");
    json_auto_t *kept = plan_observed(kind,
            read_json(arena, "{'id':'/x','name':'n','etag':'e','p':{'hidden':'s','count':5,'a':1,"
                             "'connectionString':'c','l':[{'name':'k','password':'p','b':2}]}}"));

    assert_true(json_equal(kept, read_json(arena, "{'p':{'a':1,'l':[{'name':'k','b':2}]}}")));
}

/* what is sent, and what of others goes along (=) or is lost (!) */
struct body_row {
    const char *what, *desired, *last, *actual, *want, *kept;
};

static const char *kept_summary(struct arena *arena, const struct change_list *list)
{
    const char *text = "";

    for (size_t i = 0; i < list->count; i++)
        text = arena_printf(arena, "%s%s%s%s", text, i == 0 ? "" : " ",
                list->items[i].action == CHANGE_REMOVE ? "!" : "=", list->items[i].path);
    return text;
}

static void test_what_others_added_goes_along(void **unused)
{
    (void)unused;
    static const struct body_row rows[] = {
        { "nothing of others", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}",
                "{'l':[{'name':'a','etag':'x'}]}", "{'l':[{'name':'a'}]}", "" },
        { "an element by name", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}",
                "{'l':[{'name':'b','p':1,'etag':'x','ro':2},{'name':'a'}]}",
                "{'l':[{'name':'a'},{'name':'b','p':1}]}", "=l[b]" },
        { "ours that is removed goes", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'},{'name':'b'}]}",
                "{'l':[{'name':'a'},{'name':'b'},{'name':'c'}]}",
                "{'l':[{'name':'a'},{'name':'c'}]}", "=l[c]" },
        { "within an element", "{'l':[{'name':'a','m':[{'name':'x'}]}]}",
                "{'l':[{'name':'a','m':[{'name':'x'}]}]}",
                "{'l':[{'name':'a','m':[{'name':'x'},{'name':'y'}]}]}",
                "{'l':[{'name':'a','m':[{'name':'x'},{'name':'y'}]}]}", "=l[a].m[y]" },
        { "a tag", "{'tags':{'a':'1'}}", "{'tags':{'a':'0'}}", "{'tags':{'a':'0','b':'2'}}",
                "{'tags':{'a':'1','b':'2'}}", "=tags.b" },
        { "a tag that was ours", "{'tags':{'a':'1'}}", "{'tags':{'a':'1','b':'2'}}",
                "{'tags':{'a':'1','B':'2'}}", "{'tags':{'a':'1'}}", "" },
        { "an identity", "{'identity':{'ids':{'/subscriptions/a':{}}}}",
                "{'identity':{'ids':{'/subscriptions/a':{}}}}",
                "{'identity':{'ids':{'/subscriptions/A':{},'/subscriptions/b':{'clientId':'1'}}}}",
                "{'identity':{'ids':{'/subscriptions/a':{},'/subscriptions/b':{}}}}",
                "=identity.ids[\"/subscriptions/b\"]" },
        { "a set of the kind's", "{'set':['a']}", "{'set':['a']}", "{'set':['b','A']}",
                "{'set':['a','b','A']}", "=set[b] =set[A]" },
        { "networks", "{'n':['10.0.0.0/8']}", "{'n':['11.0.0.0/8']}",
                "{'n':['11.0.0.0/8','12.0.0.0/8']}", "{'n':['10.0.0.0/8','12.0.0.0/8']}",
                "=n[12.0.0.0/8]" },
        { "order counts", "{'z':['a']}", "{'z':['a']}", "{'z':['a','b']}", "{'z':['a']}", "" },
        { "objects without a key", "{'z':[{'v':1}]}", "{'z':[{'v':1}]}", "{'z':[{'v':2}]}",
                "{'z':[{'v':1}]}", "" },
        { "a list that only others have", "{'p':1}", "{'p':1}",
                "{'p':1,'map':[{'key':'a'}],'z':[{'name':'x'}],'q':2}",
                "{'p':1,'map':[{'key':'a'}]}", "=map[a]" },
        { "the service's own", "{'own':[]}", "{'own':[]}", "{'own':[{'name':'sysA'}]}",
                "{'own':[]}", "" },
        { "what is off", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}",
                "{'l':[{'name':'a'},{'name':'b','enabled':false}]}", "{'l':[{'name':'a'}]}", "" },
        { "a secret that is not told", "{'keys':[{'name':'a'}]}", "{'keys':[{'name':'a'}]}",
                "{'keys':[{'name':'a'},{'name':'b'}]}", "{'keys':[{'name':'a'}]}", "!keys[b]" },
        { "a secret that an action tells", "{'told':[{'name':'a'}]}", "{'told':[{'name':'a'}]}",
                "{'told':[{'name':'a'},{'name':'b'}]}", "{'told':[{'name':'a'},{'name':'b'}]}",
                "=told[b]" },
        { "never written by us", "{'l':[{'name':'a'}]}", NULL, "{'l':[{'name':'b'}]}",
                "{'l':[{'name':'a'}]}", "" },
        { "nothing is there", "{'l':[{'name':'a'}]}", "{'l':[{'name':'a'}]}", NULL,
                "{'l':[{'name':'a'}]}", "" },
    };
    static const char *const kind = "  l[].ro: {read_only: true}\n"
                                    "  set: {type: array, set: true}\n"
                                    "  map: {type: array, map_by: key}\n"
                                    "  own: {type: array, map_by: name, added: [sys*]}\n"
                                    "  keys: {type: array, map_by: name, not_resent: true}\n"
                                    "  told: {type: array, map_by: name, resend: {action: x}}\n";

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct change_list kept = { 0 };
        json_auto_t *body = plan_body(arena,
                &(struct diff_input){ .kind = read_kind(arena, kind),
                        .desired = read_json(arena, rows[i].desired),
                        .last_applied = read_json(arena, rows[i].last),
                        .actual = read_json(arena, rows[i].actual) },
                &kept);

        if (!json_equal(body, read_json(arena, rows[i].want)))
            fail_msg("%s: %s", rows[i].what, jsonx_dump(body));
        if (strcmp(kept_summary(arena, &kept), rows[i].kept) != 0)
            fail_msg("%s: kept '%s'", rows[i].what, kept_summary(arena, &kept));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_general_rules),
        cmocka_unit_test(test_what_others_added_goes_along),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_three_ways),
        cmocka_unit_test(test_three_ways_with_a_kind),
        cmocka_unit_test(test_merge_patch),
        cmocka_unit_test(test_patch_takes_along_what_is_wanted_every_time),
        cmocka_unit_test(test_secrets_are_marked),
        cmocka_unit_test(test_a_tag_is_no_secret),
        cmocka_unit_test(test_observed_keeps_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
