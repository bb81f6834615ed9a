/* What is written as a line of .env is read as the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "report/dotenv_text.h"
#include "stack/dotenv.h"

static void test_round_trip(void **state)
{
    static const char *const values[] = { "", "plain", "a b", "it's", "\"q\"", "$HOME ${X}", "a#b",
        " # c ", "two\nlines", "it's $5\n\\n", "back\\slash", "\r\n", "a=b", "'", "\"'\"",
        "\xc3\xa9", "postgresql://u:p%40@h:5432/d?sslmode=require" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(diag) struct diag_list diags = { 0 };
        AUTO(dotenv) struct dotenv read = { 0 };
        AUTO(buf) struct buf text = BUF_INIT(4096);

        diag_init(&diags, arena);
        dotenv_text_add(&text, "X", values[i]);
        dotenv_parse(buf_str(&text), ".env", &diags, &read);
        if (diags.errors > 0 || read.count != 1 || !text_eq(read.entries[0].value, values[i]))
            fail_msg("%s is read as '%s'", buf_text(&text),
                    read.count == 0 ? "(nothing)" : read.entries[0].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
