/* id.h: ids made, compared, taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "cloud/arm/id.h"

#define GROUP "/subscriptions/s1/resourceGroups/rg"
#define VNET GROUP "/providers/Microsoft.Network/virtualNetworks/v"

static void same(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        { VNET, VNET, true },
        { VNET, "/SUBSCRIPTIONS/S1/resourcegroups/RG/providers/microsoft.network/virtualnetworks/V",
                true },
        { VNET, VNET "/", true },
        { VNET, "/" VNET, true },
        { VNET "/A/*", VNET "/A/%2A", true },
        { VNET, VNET "2", false },
        { VNET, GROUP, false },
        { VNET "/x%", VNET "/x%", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (arm_id_same(rows[i].a, rows[i].b) != rows[i].is_same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static void parts(void **state)
{
    static const struct {
        const char *id, *parent, *collection, *name, *ns;
    } rows[] = {
        { VNET "/subnets/a", VNET, VNET "/subnets", "a", "Microsoft.Network" },
        { VNET, GROUP, GROUP "/providers/Microsoft.Network/virtualNetworks", "v",
                "Microsoft.Network" },
        { VNET "/providers/Microsoft.Insights/diagnosticSettings/d/", VNET,
                VNET "/providers/Microsoft.Insights/diagnosticSettings", "d",
                "Microsoft.Insights" },
        { GROUP, "/subscriptions/s1", "/subscriptions/s1/resourceGroups", "rg", "" },
        { "/subscriptions/s1", NULL, "/subscriptions", "s1", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *parent = arm_id_parent(rows[i].id);
        AUTO(free) char *collection = arm_id_collection(rows[i].id);

        if (rows[i].parent == NULL)
            assert_null(parent);
        else
            assert_string_equal(parent, rows[i].parent);
        assert_string_equal(collection, rows[i].collection);
        assert_true(str_eq(arm_id_name(rows[i].id), str_of(rows[i].name)));
        assert_true(str_eq(arm_id_namespace(rows[i].id), str_of(rows[i].ns)));
    }
    assert_true(str_eq(arm_id_part(VNET, "RESOURCEgroups"), STR("rg")));
    assert_int_equal(arm_id_part(GROUP, "providers").len, 0);
}

static void made(void **state)
{
    static const struct {
        const char *type;
        enum kind_scope scope;
        bool is_group;
        const char *parent, *name, *want;
    } rows[] = {
        { "Microsoft.Network/virtualNetworks", KIND_SCOPE_GROUP, false, NULL, "v", VNET },
        { "Microsoft.Network/virtualNetworks", KIND_SCOPE_GROUP, false,
                "/subscriptions/s2/resourceGroups/other/", "v",
                "/subscriptions/s2/resourceGroups/other/providers/Microsoft.Network/"
                "virtualNetworks/v" },
        { "Microsoft.Network/virtualNetworks/subnets", KIND_SCOPE_GROUP, false, NULL, "v/a",
                VNET "/subnets/a" },
        { "Microsoft.Network/virtualNetworks/subnets", KIND_SCOPE_PARENT, false, VNET, "a",
                VNET "/subnets/a" },
        { "Microsoft.Network/virtualNetworks/subnets", KIND_SCOPE_PARENT, false, NULL, "a", NULL },
        { "Microsoft.Resources/resourceGroups", KIND_SCOPE_SUBSCRIPTION, true, NULL, "rg", GROUP },
        { "Microsoft.Insights/diagnosticSettings", KIND_SCOPE_EXTENSION, false, VNET, "d",
                VNET "/providers/Microsoft.Insights/diagnosticSettings/d" },
        { "Microsoft.Authorization/policyAssignments", KIND_SCOPE_SUBSCRIPTION, false, NULL, "p",
                "/subscriptions/s1/providers/Microsoft.Authorization/policyAssignments/p" },
        { "Microsoft.Network/virtualNetworks", KIND_SCOPE_GROUP, false, NULL, NULL, NULL },
    };
    const struct arm_id_parts base = { .subscription = "s1", .resource_group = "rg" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kind k = {
            .type = rows[i].type, .scope = rows[i].scope, .is_group = rows[i].is_group
        };
        struct arm_id_parts p = base;

        p.parent = rows[i].parent;
        AUTO(free) char *id = arm_id_make(&k, &p, rows[i].name);

        if (rows[i].want == NULL)
            assert_null(id);
        else
            assert_string_equal(id, rows[i].want);
    }
}

static void urls(void **state)
{
    static const struct {
        const char *list, *id, *want;
    } rows[] = {
        { NULL, VNET, GROUP "/providers/Microsoft.Network/virtualNetworks" },
        { "{parent}/ALL", VNET "/A/x", VNET "/ALL" },
        { "/subscriptions/{subscription}/x/{group}/{name}", VNET, "/subscriptions/s1/x/rg/v" },
        { "{scope}/providers/NS/roles?$filter=atScope()",
                VNET "/providers/Microsoft.Authorization/roleAssignments/g",
                VNET "/providers/NS/roles?$filter=atScope()" },
    };
    AUTO(buf) struct buf url = BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kind k = { .list_path = rows[i].list };
        AUTO(free) char *got = arm_id_list_url(&k, rows[i].id);

        assert_string_equal(got, rows[i].want);
    }
    arm_id_add_url(&url, "/a//b c/*/\xc3\xa4?#/");
    assert_string_equal(buf_text(&url), "/a/b%20c/*/%C3%A4%3F%23");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same),
        cmocka_unit_test(parts),
        cmocka_unit_test(made),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
