/*
 * Expressions: any text is parsed or refused with an offset inside it; what is left over of one is
 * in normal form (parsed and evaluated again it is the same); patterns end and agree with regexec.
 */
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/eval.h"
#include "catalog/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* data.X is a map with some values, gone.X absent, everything else known later. */
static struct err *lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    *ret_used = 0;
    if (text_eq(root, "data")) {
        *ret = json_incref(arg);
        return NULL;
    }
    eval_print_path(&text, root, path, path.count);
    *ret_used = path.count;
    *ret = text_eq(root, "gone") ? eval_absent(buf_text(&text)) : eval_left(&text);
    return NULL;
}

static json_t *evaluate(
        const struct expr_node *n, struct str text, json_t *values, struct secret_table *secrets)
{
    struct eval ev = { .arg = values, .lookup = lookup, .text = text, .secrets = secrets };
    json_t *value = NULL;
    struct err *e = eval_value(&ev, n, &value);

    require((e == NULL) == (value != NULL));
    if (e != NULL)
        require(ev.offset <= text.len);
    err_free(e);
    return value;
}

static void check_normal_form(const char *left, json_t *values)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct expr_node *n = NULL;
    size_t offset = 0;
    AUTO(err) struct err *e = expr_parse(arena, str_of(left), &n, &offset);

    if (e != NULL) { /* only its depth can be too much */
        require(err_kind(e) == ERR_LIMIT);
        return;
    }
    json_auto_t *again = evaluate(n, str_of(left), values, NULL);

    require(again != NULL && text_eq(jsonx_text(again, "$expr"), left));
}

static void check_pattern(const char *text)
{
    static const char *const patterns[] = { "^[a-z](-?[a-z0-9])*$", "^(a|ab)(c|bcd){0,3}$",
        "^[^/]{2,5}x?$", "[/@]a.*(:|$)|^b+$", "x(a|ab)(c|bcd)?$|:" };

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        const enum pattern_answer answer = pattern_match(patterns[i], text);
        regex_t compiled;

        require(regcomp(&compiled, patterns[i], REG_EXTENDED | REG_NOSUB) == 0);
        if (answer != PATTERN_UNKNOWN)
            require((answer == PATTERN_YES) == (regexec(&compiled, text, 0, NULL, 0) == 0));
        regfree(&compiled);
    }
    (void)pattern_match(text, "abc-1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(free) char *copy = xmemdup0(size == 0 ? "" : (const char *)data, size);
    const struct str text = { .p = copy, .len = size };
    json_auto_t *values =
            json_pack("{s:i, s:[i,s], s:{s:s}, s:n}", "n", 3, "l", 1, "x", "m", "k", "v", "z");
    struct secret_table secrets = { 0 };
    struct expr_node *n = NULL;
    size_t offset = 0;
    AUTO(err) struct err *e = expr_parse_template(arena, text, &n, &offset);

    require(offset <= size);
    require((e == NULL) == (n != NULL) || e != NULL);
    if (e == NULL) {
        json_auto_t *value = evaluate(n, text, values, NULL);
        json_auto_t *resolved = evaluate(n, text, values, &secrets);
        const char *left =
                value == NULL || eval_mark(value) != EVAL_LEFT ? NULL : jsonx_text(value, "$expr");

        (void)resolved;
        if (left != NULL)
            check_normal_form(left, values);
    }
    secret_table_release(&secrets);
    if (strlen(copy) == size && size < 64 && text_is_utf8(text))
        check_pattern(copy);
    return 0;
}
