/* .env files line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "stack/dotenv.h"

/* "NAME=[VALUE]..." of all entries, then each diagnostic "!LINE:COLUMN TEXT". */
static char *read_all(struct str text)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    AUTO(dotenv) struct dotenv d = { 0 };
    struct buf out = BUF_INIT(BUF_TEXT_MAX);

    diag_init(&diags, arena);
    dotenv_parse(text, ".env", &diags, &d);
    for (size_t i = 0; i < d.count; i++)
        buf_addf(&out, "%s=[%s]", d.entries[i].name, d.entries[i].value);
    for (size_t i = 0; i < diags.count; i++)
        buf_addf(&out, "!%d:%d %s", diags.items[i].place.line, diags.items[i].place.column,
                diags.items[i].text);
    return buf_take(&out);
}

static void test_rows(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "" },
        { "A=b", "A=[b]" },
        { "A=b\nB=c\n", "A=[b]B=[c]" },
        { "\xef\xbb\xbf"
          "A=b\r\nB=c\r\n",
                "A=[b]B=[c]" },
        { "# comment\n\n  # another\nA=b\n", "A=[b]" },
        { "export A=b\n", "A=[b]" },
        { "  export\tA=b\n", "A=[b]" },
        { "export=b\n", "export=[b]" },
        { "A = b \n", "A=[b]" },
        { "A=\nB=\"\"\nC=''\n", "A=[]B=[]C=[]" },
        { "A=b # c\n", "A=[b]" },
        { "A=b#c\n", "A=[b#c]" },
        { "A= # c\n", "A=[]" },
        { "A=b c  d\n", "A=[b c  d]" },
        { "A=x=y=z\n", "A=[x=y=z]" },
        { "A='b # c' # d\n", "A=[b # c]" },
        { "A='b\\n$x\"y'\n", "A=[b\\n$x\"y]" },
        { "A=\"b\\nc\\td\\\"e\\\\f\\$g\\`h\\r\"\n", "A=[b\nc\td\"e\\f$g`h\r]" },
        { "A=\"\\d\"\n", "A=[\\d]" },
        { "A=\"b\nc\r\nd\"\nE=f\n", "A=[b\nc\nd]E=[f]" },
        { "A='b\nc'\n", "A=[b\nc]" },
        { "A=\"b\\\nc\"\n", "A=[bc]" },
        { "A=b\"c\n", "A=[b\"c]" },
        { "A=C:\\dir\\n\n", "A=[C:\\dir\\n]" },
        { "A=p@s$w%rd\n", "A=[p@s$w%rd]" },
        { "A='${B}'\n", "A=[${B}]" },
        { "A=#b\n",
                "A=[#b]!1:3 the value of A begins with '#': some programs read a comment here" },
        { "A=${B}\n", "A=[${B}]!1:1 '${' in the value of A is taken as it is: nothing is expanded "
                      "here, elsewhere it may be" },
        { "A=b\nA=c\n", "A=[c]!2:1 A is set twice (first in line 1): this one counts" },
        { "A\n", "!1:1 'A' has no '=' behind it" },
        { "export A\n", "!1:8 'A' has no '=' behind it" },
        { "a secret line\n", "!1:1 is not NAME=VALUE, a comment or empty" },
        { "s3cr-t\nB=c\n", "B=[c]!1:1 is not NAME=VALUE, a comment or empty" },
        { "=b\n", "!1:1 there is no name before the '='" },
        { "1A=b\n", "!1:1 a name holds letters, digits and _ and begins with no digit" },
        { "A-B=c\n", "!1:2 a name holds letters, digits and _ and begins with no digit" },
        { "A=\"b\nC=d\n", "!1:3 the quote that begins here is never closed" },
        { "A='b'c\nD=e\n", "A=[b]D=[e]!1:6 there is more behind the closing quote" },
        { "A=\xff\n", "A=[\xff]!1:1 the value of A is not UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = read_all(str_of(rows[i].text));

        assert_string_equal(got, rows[i].want);
    }
}

static void test_nul(void **state)
{
    AUTO(free) char *got = read_all(STR("A=b\0c\nB=d\n"));

    (void)state;
    assert_string_equal(got, "A=[b]B=[d]!1:1 the value of A holds a NUL byte");
}

static void test_limit(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    AUTO(dotenv) struct dotenv d = { 0 };

    (void)state;
    for (unsigned i = 0; i <= DOTENV_ENTRIES_MAX + 5; i++)
        buf_addf(&text, "A%u=b\n", i);
    diag_init(&diags, arena);
    dotenv_parse(buf_str(&text), ".env", &diags, &d);
    assert_int_equal(d.count, DOTENV_ENTRIES_MAX);
    assert_int_equal(diags.count, 1);
    assert_int_equal(diags.items[0].place.line, DOTENV_ENTRIES_MAX + 1);
}

static void test_every_prefix_ends(void **state)
{
    static const char text[] = "export A=\"b\\n\nc\" # d\nB='e' f\nC = g\r\n=h\nI";

    (void)state;
    for (size_t n = 0; n <= sizeof(text) - 1; n++) {
        AUTO(free) char *got = read_all((struct str){ .p = text, .len = n });

        assert_non_null(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_every_prefix_ends),
    };

    return cmocka_run_group_tests_name("stack_dotenv", tests, NULL, NULL);
}
