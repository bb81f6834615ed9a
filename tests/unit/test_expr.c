/* The ${...} language as expansion evaluates it: values, what is left over, and its errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/eval.h"

/* data.X is plain, late.X is known later, gone.X is absent. */
static struct err *lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);

    if (text_eq(root, "data")) {
        *ret = json_incref(arg);
        *ret_used = 0;
        return NULL;
    }
    eval_print_path(&text, root, path, path.count);
    *ret_used = path.count;
    if (text_eq(root, "late") || text_eq(root, "secret") || text_eq(root, "resource"))
        *ret = eval_left(&text);
    else if (text_eq(root, "gone"))
        *ret = eval_absent(buf_text(&text));
    else
        return err_new(ERR_CONFIG, 0, "there is no '%s'", root);
    return NULL;
}

static json_t *data(void)
{
    return json_pack("{s:s, s:i, s:b, s:n, s:[i,i], s:{s:s, s:s}, s:s, s:[]}", "text", "abc", "n",
            3, "yes", 1, "nothing", "list", 1, 2, "map", "k", "v", "a b", "w", "cidr",
            "10.20.0.0/16", "empty");
}

/* The value of a text as JSON, or "ERROR message @offset". Owned. */
static char *evaluate(const char *text)
{
    AUTO(arena) struct arena *arena = arena_new();
    json_auto_t *values = data();
    json_auto_t *value = NULL;
    struct expr_node *n = NULL;
    struct eval ev = { .arg = values, .lookup = lookup, .text = str_of(text) };
    AUTO(err) struct err *e = expr_parse_template(arena, str_of(text), &n, &ev.offset);

    if (e == NULL)
        e = eval_value(&ev, n, &value);
    if (e != NULL)
        return xasprintf("ERROR %s @%zu", err_text(e), ev.offset);
    return jsonx_dump(value);
}

struct row {
    const char *text;
    const char *value;
};

static const struct row values[] = {
    /* whole and mixed texts */
    { "plain", "\"plain\"" },
    { "", "\"\"" },
    { "${data.n}", "3" },
    { "n=${data.n}", "\"n=3\"" },
    { "${data.text}${data.n}", "\"abc3\"" },
    { "$${data.n}", "\"${data.n}\"" },
    { "a$b$$c", "\"a$b$$c\"" },
    { "${'}'}", "\"}\"" },
    { "${{a: {b: 1}}}", "{\"a\":{\"b\":1}}" },
    /* literals */
    { "${'it\\'s \\u00e9\\n'}", "\"it's \xc3\xa9\\n\"" },
    { "${\"a\\\"b\"}", "\"a\\\"b\"" },
    { "${-12}", "-12" },
    { "${1.5}", "1.5" },
    { "${[1, 'a', null]}", "[1,\"a\",null]" },
    { "${{'k k': true}}", "{\"k k\":true}" },
    { "${[]}", "[]" },
    /* references */
    { "${data.map.k}", "\"v\"" },
    { "${data.map['a b']}", "\"w\"" },
    { "${data.list[1]}", "2" },
    { "${data['list'][0]}", "1" },
    { "${[1,2][1]}", "2" },
    { "${({a: 1}).a}", "1" },
    /* operators */
    { "${1 == 1.0}", "true" },
    { "${1 == '1'}", "false" },
    { "${data.list == [1, 2]}", "true" },
    { "${1 < 2}", "true" },
    { "${'a' >= 'b'}", "false" },
    { "${2 <= 2}", "true" },
    { "${!data.yes}", "false" },
    { "${!!true}", "true" },
    { "${!null}", "true" },
    { "${true && false || true}", "true" },
    { "${false && gone.x}", "false" },
    { "${true || gone.x}", "true" },
    { "${data.yes ? 'a' : 'b'}", "\"a\"" },
    { "${false ? gone.x : 1 == 1 ? 2 : 3}", "2" },
    { "${gone.x ?? 1}", "1" },
    { "${data.nothing ?? data.map.zz ?? 5}", "5" },
    { "${data.n ?? 1 == 3}", "true" },
    { "${gone.x == null}", "true" },
    { "${null != data.n}", "true" },
    { "${data.map.zz.deeper ?? 'd'}", "\"d\"" },
    { "${default(gone.x, 7)}", "7" },
    { "${default('', 7)}", "7" },
    { "${default(0, 7)}", "0" },
    /* functions */
    { "${upper('aé1')}", "\"A\xc3\xa9"
                         "1\"" },
    { "${lower('ABC')}", "\"abc\"" },
    { "${trim(' a b ')}", "\"a b\"" },
    { "${replace('a-b-c', '-', '')}", "\"abc\"" },
    { "${join(['a', 1, true], ',')}", "\"a,1,true\"" },
    { "${split('a,b', ',')}", "[\"a\",\"b\"]" },
    { "${split('', ',')}", "[]" },
    { "${concat('a', 1)}", "\"a1\"" },
    { "${concat([1], [2, 3])}", "[1,2,3]" },
    { "${length('aé')}", "2" },
    { "${length(data.list)}", "2" },
    { "${length(data.map)}", "2" },
    { "${contains('abc', 'b')}", "true" },
    { "${contains(data.list, 2)}", "true" },
    { "${contains(data.map, 'zz')}", "false" },
    { "${startswith('abc', 'ab')}", "true" },
    { "${endswith('abc', 'ab')}", "false" },
    { "${closest('uksuth', ['japaneast', 'uksouth', 'ukwest'])}", "\"uksouth\"" },
    { "${closest('mars', ['japaneast'])}", "null" },
    { "${keys({b: 1, a: 2})}", "[\"b\",\"a\"]" },
    { "${values(data.map)}", "[\"v\",\"w\"]" },
    { "${merge({a: 1}, null, {a: 2, b: 3})}", "{\"a\":2,\"b\":3}" },
    { "${first(data.list)}", "1" },
    { "${last(data.list)}", "2" },
    { "${one(['x'])}", "\"x\"" },
    { "${flatten([[1], 2, [3]])}", "[1,2,3]" },
    { "${string(1.5)}", "\"1.5\"" },
    { "${int('42')}", "42" },
    { "${int(4.9)}", "4" },
    { "${json({b: [1], a: 'x'})}", "\"{\\\"a\\\":\\\"x\\\",\\\"b\\\":[1]}\"" },
    { "${base64('ab')}", "\"YWI=\"" },
    { "${base64decode('YWI=')}", "\"ab\"" },
    { "${urlencode('a b/~')}", "\"a%20b%2F~\"" },
    { "${sha256('')}", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"" },
    { "${uuid5('x') == uuid5('x')}", "true" },
    { "${cidrsubnet(data.cidr, 8, 1)}", "\"10.20.1.0/24\"" },
    { "${cidrsubnet('10.0.0.0/23', 0, 0)}", "\"10.0.0.0/23\"" },
    { "${cidrhost('10.20.1.0/24', 4)}", "\"10.20.1.4\"" },
    { "${cidrhost('10.20.1.0/24', -2)}", "\"10.20.1.254\"" },
    { "${basename('/a/b/c')}", "\"c\"" },
    { "${url_host('https://u:p@h.example:8443/x?y')}", "\"h.example\"" },
    { "${url_host('http://[::1]:80/')}", "\"::1\"" },
};

static const struct row left_over[] = {
    { "${late.a.b[0]}", "late.a.b[0]" },
    { "${late['x y'].z}", "late[\"x y\"].z" },
    { "a${late.x}b", "concat(\"a\", late.x, \"b\")" },
    { "${late.x == 1}", "(late.x == 1)" },
    { "${!late.x}", "(!late.x)" },
    { "${late.x ?? 'd'}", "(late.x ?? \"d\")" },
    { "${true && late.x}", "late.x" },
    { "${late.x && data.yes}", "(late.x && true)" },
    { "${late.x ? data.n : [late.y]}", "(late.x ? 3 : [late.y])" },
    { "${late.x == null}", "(late.x == null)" },
    { "${upper(late.x)}", "upper(late.x)" },
    { "${join(['a', late.x], '-')}", "join([\"a\", late.x], \"-\")" },
    { "${merge({a: 1}, late.m)}", "merge({\"a\": 1}, late.m)" },
    { "${(late.x ?? data.map).k}", "(late.x ?? {\"k\": \"v\", \"a b\": \"w\"}).k" },
    { "${data.map[late.k]}", "{\"k\": \"v\", \"a b\": \"w\"}[late.k]" },
    { "${urlencode(secret.P)}", "urlencode(secret.P)" },
    { "${digest('plain')}", "digest(\"plain\")" },
    { "${secret(late.x)}", "secret(late.x)" },
    { "${default(late.x, 1)}", "default(late.x, 1)" },
    { "${\"q\\\"\\\\\" == late.x}", "(\"q\\\"\\\\\" == late.x)" },
};

/* What looks at the outside only stays known although something inside is not. */
static const struct row outside_known[] = {
    { "${length([late.x, 1])}", "2" },
    { "${keys({a: late.x})}", "[\"a\"]" },
    { "${contains({a: late.x}, 'a')}", "true" },
    { "${concat([late.x], [1])}", "[{\"$expr\":\"late.x\"},1]" },
    { "${first([late.x])}", "{\"$expr\":\"late.x\"}" },
    { "${secret.P != null}", "true" },
    { "${secret.P ?? 'd'}", "{\"$expr\":\"secret.P\"}" },
    { "${concat('a', late.x) == null}", "false" },
};

static const struct row errors[] = {
    { "${gone.x}", "ERROR gone.x is not there @2" },
    { "${data.map.zz}", "ERROR data.map.zz is not there @2" },
    { "x${data.list.a}", "ERROR data.list is a list: it has no member 'a' @3" },
    { "${data.n.a}", "ERROR data.n is a whole number: it has no members @2" },
    { "${data.list['a' == 'a']}",
            "ERROR data.list[...]: the key is true or false, not a text or a whole number @2" },
    { "${nope.x}", "ERROR there is no 'nope' @2" },
    { "${upcase('x')}", "ERROR there is no function 'upcase' @2" },
    { "${uper('x')}", "ERROR there is no function 'uper' (did you mean upper?) @2" },
    { "${upper()}", "ERROR upper() takes 1 argument, not 0 @2" },
    { "${upper('a', 'b')}", "ERROR upper() takes 1 argument, not 2 @2" },
    { "${upper(data.list)}", "ERROR upper(): wants a text, got a list @2" },
    { "a ${data.nothing}", "ERROR null within a text: add ?? '' or another value @4" },
    { "a ${data.list}", "ERROR a list within a text @4" },
    { "${1 && true}", "ERROR is a whole number where true or false is wanted @2" },
    { "${'a' ? 1 : 2}", "ERROR is a text where true or false is wanted @2" },
    { "${1 < 'a'}",
            "ERROR '<' compares two numbers or two texts, not a whole number and a text @2" },
    { "${1 < 2 < 3}", "ERROR comparisons can't be chained: use && or parentheses @8" },
    { "${first([])}", "ERROR first(): the list is empty @2" },
    { "${one([1, 2])}", "ERROR one(): the list has 2 elements, not one @2" },
    { "${int('x')}", NULL },
    { "${replace('a', '', 'b')}", "ERROR replace(): can't replace an empty text @2" },
    { "${base64decode('?')}", "ERROR base64decode(): wants base64 @2" },
    { "${cidrsubnet('10.0.0.0/24', 9, 0)}", "ERROR cidrsubnet(): 9 is not from 0 to 8 @2" },
    { "${cidrsubnet('10.0.0.0/24', 2, 4)}", "ERROR cidrsubnet(): 4 is not from 0 to 3 @2" },
    { "${cidrsubnet('10.0.0/24', 2, 1)}",
            "ERROR cidrsubnet(): '10.0.0' is not an IPv4 address @2" },
    { "${cidrhost('10.0.0.0/24', 256)}", "ERROR cidrhost(): 256 is not from -256 to 255 @2" },
    { "${url_host('nope')}", "ERROR url_host(): wants a URL @2" },
    { "${file('x')}", "ERROR file() can't be used here @2" },
    /* syntax */
    { "${", "ERROR the expression ends where a value should follow @2" },
    { "${}", "ERROR '}' stands where a value should follow @2" },
    { "${data.n", "ERROR the expression ends where '}' should follow @8" },
    { "${data.}", "ERROR '}' stands where a name should follow @7" },
    { "${data.n data.n}", "ERROR 'data' stands where '}' should follow @9" },
    { "${'abc}", "ERROR a text does not end: ' is missing @2" },
    { "${'\\x'}", NULL },
    { "${'\\ud800'}", "ERROR \\ud800 is not a character @2" },
    { "${a = b}", "ERROR '=' is no operator: write == @4" },
    { "${a & b}", "ERROR '&' can't stand here @4" },
    { "${{a: 1, a: 2}}", "ERROR the key 'a' is there twice @9" },
    { "${{'$secret': 0}}", "ERROR a key can't begin with $ @3" },
    { "${upper('a'}", "ERROR '}' stands where ',' should follow @11" },
    { "${99999999999999999999}", NULL },
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(free) char *got = evaluate(rows[i].text);

        if (rows[i].value == NULL ? strncmp(got, "ERROR", 5) != 0 : strcmp(got, rows[i].value) != 0)
            fail_msg("%s\n  gives %s\n  not   %s", rows[i].text, got, rows[i].value);
    }
}

static void test_values(void **state)
{
    (void)state;
    check_rows(values, ARRAY_LEN(values));
    check_rows(outside_known, ARRAY_LEN(outside_known));
}

static void test_errors(void **state)
{
    (void)state;
    check_rows(errors, ARRAY_LEN(errors));
}

/* What is left over is in normal form: parsed and printed again it is the same. */
static void test_left_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left_over); i++) {
        AUTO(free) char *got = evaluate(left_over[i].text);
        json_auto_t *j = json_loads(got, JSON_DECODE_ANY, NULL);
        AUTO(free) char *again = xasprintf("${%s}", left_over[i].value);
        AUTO(free) char *second = evaluate(again);

        if (!text_eq(jsonx_text(j, "$expr"), left_over[i].value))
            fail_msg("%s\n  gives %s\n  not   %s", left_over[i].text, got, left_over[i].value);
        if (strstr(left_over[i].value, "secret(") == NULL)
            assert_string_equal(second, got);
    }
}

static char *repeated(const char *before, const char *piece, size_t count, const char *behind)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_add_text(&text, before);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&text, piece);
    buf_add_text(&text, behind);
    return buf_take(&text);
}

static void test_limits(void **state)
{
    static const struct {
        const char *before, *piece, *behind;
        size_t good, bad;
    } rows[] = {
        { "${", "(", "1", 62, 65 },
        { "${", "!", "true}", 62, 65 },
        { "${", "[", "1", 62, 65 },
        { "${1", " ?? 1", "}", 62, 65 },
        { "${true", " && true", "}", 62, 65 },
        { "${'", "x", "'}", EXPR_TEXT_MAX - 5, EXPR_TEXT_MAX },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *bad = repeated(rows[i].before, rows[i].piece, rows[i].bad, rows[i].behind);
        AUTO(free)
        char *good = repeated(rows[i].before, rows[i].piece, rows[i].good, rows[i].behind);
        AUTO(free) char *got_bad = evaluate(bad);
        AUTO(free) char *got_good = evaluate(good);

        assert_non_null(strstr(got_bad, i == 5 ? "exceeds" : "nests deeper"));
        assert_null(strstr(got_good, "nests deeper"));
        assert_null(strstr(got_good, "exceeds"));
    }
}

/* Every prefix of every row is parsed or refused; none is read past its end. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (size_t n = 0; n < strlen(values[i].text); n++) {
            AUTO(arena) struct arena *arena = arena_new();
            AUTO(free) char *prefix = xmemdup0(values[i].text, n);
            struct expr_node *node = NULL;
            size_t offset = 0;
            AUTO(err)
            struct err *e = expr_parse_template(
                    arena, (struct str){ .p = prefix, .len = n }, &node, &offset);

            assert_true(offset <= n);
            assert_true(e != NULL || node != NULL);
        }
    }
}

/* docs/expressions.md lists exactly the functions of the table. */
static void test_documented(void **state)
{
    AUTO(buf) struct buf doc = BUF_INIT(1u << 20);
    size_t documented = 0;

    (void)state;
    assert_null(file_read("docs/expressions.md", 1u << 20, &doc));
    const char *section = strstr(buf_text(&doc), "## Functions");

    assert_non_null(section);
    for (size_t i = 0; i < func_count; i++) {
        AUTO(free) char *call = xasprintf("`%s(", func_table[i].name);

        if (strstr(section, call) == NULL)
            fail_msg("%s() is not in docs/expressions.md", func_table[i].name);
        assert_true(func_table[i].doc[0] != '\0');
    }
    for (const char *p = strstr(section, "| `"); p != NULL; p = strstr(p + 1, "| `")) {
        const char *end = strchr(p + 1, '\n');

        for (const char *q = strchr(p, '`'); q != NULL && q < end; q = strchr(q + 1, '`')) {
            AUTO(free) char *name = xmemdup0(q + 1, strcspn(q + 1, "(`"));

            if (q[1 + strlen(name)] != '(')
                break;
            if (func_find(name) == NULL)
                fail_msg("docs/expressions.md has %s(), the table has not", name);
            documented++;
            q = strchr(q + 1, '`');
        }
    }
    assert_int_equal(documented, func_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
