/* Which variables a stack names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "stack/references.h"

static void note(void *arg, enum reference_root of, const char *name)
{
    buf_addf(arg, "%.1s:%s ", reference_root_name(of), name);
}

static void test_rows(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "a: ${env.A}\n", "e:A " },
        { "a: '${secret.B}'\nb: [\"x-${env.A}-${env.C}\"]\n", "s:B e:A e:C " },
        { "a: \"${env.A ?? env.B}\"\n", "e:A e:B " },
        { "a: ${env.A}\nb: ${env.A}\nc: ${secret.A}\n", "e:A s:A " },
        { "a: $${env.A}\n", "" },
        { "a: env.A\n", "" },
        { "a: \"${'env.A'}\"\n", "" },
        { "a: \"${my_env.A}${x.env.A}\"\n", "" },
        { "a: ${env.}\n", "e: " },
        { "a: \"${merge({a: var.x}, var.y)} var.z\"\n", "v:x v:y " },
        { "a: \"${variable.x}${var['x']}${json(var)}\"\n", "v: " },
        { "a: \"${'}' == env.A}\"\n", "e:A " },
        { "a: ${env.A\n", "e:A " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(diag) struct diag_list diags;
        AUTO(buf) struct buf got = BUF_INIT(1000);

        diag_init(&diags, arena);
        references_each(doc_parse(arena, str_of(rows[i].text), "f", &diags), note, &got);
        assert_string_equal(buf_text(&got), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests_name("stack_references", tests, NULL, NULL);
}
