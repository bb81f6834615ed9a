/*
 * Functions that rules and lints are made of: looking through lists of documents, networks, URLs.
 */
#include "catalog/eval.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/uri.h"
#include "catalog/pattern.h"

static struct str text_of(const json_t *value)
{
    return (struct str){ .p = json_string_value(value), .len = json_string_length(value) };
}

/* --- lists of documents --- */

/* Adds what stands at "a.b[].c" below `at`; a mark on the way stands for all that is below it. */
static void collect(json_t *at, struct str path, json_t *ret)
{
    size_t i = 0;
    json_t *item = NULL;

    if (at == NULL || json_is_null(at))
        return;
    if (eval_mark(at) != EVAL_PLAIN) {
        json_array_append(ret, at);
        return;
    }
    if (str_starts(path, STR("[]"))) {
        path = str_slice(path, path.len > 2 && path.p[2] == '.' ? 3 : 2, path.len);
        json_array_foreach (at, i, item) {
            collect(item, path, ret);
        }
        return;
    }
    if (path.len == 0) {
        json_array_append(ret, at);
        return;
    }
    size_t end = 0;

    while (end < path.len && path.p[end] != '.' && path.p[end] != '[')
        end++;
    json_t *member = json_object_getn(at, path.p, end);

    collect(member, str_slice(path, end < path.len && path.p[end] == '.' ? end + 1 : end, path.len),
            ret);
}

static struct err *check_list(const struct func_call *c)
{
    if (!json_is_array(c->args[0]))
        return err_new(ERR_CONFIG, 0, "wants a list as first argument, got %s",
                eval_type_text(c->args[0]));
    if (!json_is_string(c->args[1]))
        return err_new(ERR_CONFIG, 0, "wants a path as second argument");
    return NULL;
}

struct err *func_pluck(const struct func_call *c, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_array());
    size_t i = 0;
    json_t *item = NULL;

    TRY(check_list(c));
    json_array_foreach (c->args[0], i, item) {
        const size_t before = json_array_size(all);

        collect(item, text_of(c->args[1]), all);
        if (c->count > 2 && json_array_size(all) == before)
            json_array_append(all, c->args[2]);
    }
    *ret = TAKE(all);
    return NULL;
}

/* Ids and ARM's words are the same in any case. */
static bool is_same(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return str_eq_ci(text_of(a), text_of(b));
    if (json_is_number(a) && json_is_number(b))
        return fabs(json_number_value(a) - json_number_value(b)) < 1e-9;
    return json_equal(a, b) == 1;
}

static bool is_wanted(const json_t *value, const json_t *wanted)
{
    size_t i = 0;
    json_t *one = NULL;

    if (!json_is_array(wanted))
        return is_same(value, wanted);
    json_array_foreach ((json_t *)(uintptr_t)wanted, i, one) {
        if (is_same(value, one))
            return true;
    }
    return false;
}

/* The elements of which one value at the path is wanted; unknown when that can't be told. */
struct err *func_where(const struct func_call *c, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_array());
    const char *unknown = eval_unknown_in(c->args[2]);
    size_t i = 0;
    json_t *item = NULL;

    TRY(check_list(c));
    json_array_foreach (c->args[0], i, item) {
        json_auto_t *values = jsonx_must(json_array());
        bool is_in = false;
        size_t k = 0;
        json_t *v = NULL;

        collect(item, text_of(c->args[1]), values);
        json_array_foreach (values, k, v) {
            if (unknown == NULL)
                unknown = eval_unknown_in(v);
            is_in = is_in || is_wanted(v, c->args[2]);
        }
        if (json_array_size(values) == 0)
            is_in = is_wanted(json_null(), c->args[2]);
        if (is_in)
            json_array_append(all, item);
    }
    *ret = unknown != NULL ? eval_unknown(unknown) : TAKE(all);
    return NULL;
}

struct err *func_unique(const struct func_call *c, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_array());
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(c->args[0]))
        return err_new(ERR_CONFIG, 0, "wants a list, got %s", eval_type_text(c->args[0]));
    json_array_foreach (c->args[0], i, item) {
        if (json_array_size(all) == 0 || !is_wanted(item, all))
            json_array_append(all, item);
    }
    *ret = TAKE(all);
    return NULL;
}

/* --- texts --- */

struct err *func_matches(const struct func_call *c, json_t **ret)
{
    if (!json_is_string(c->args[1]))
        return err_new(ERR_CONFIG, 0, "wants a pattern as second argument");
    *ret = json_boolean(
            json_is_string(c->args[0])
            && pattern_found(json_string_value(c->args[1]), json_string_value(c->args[0])));
    return NULL;
}

/* The element of a list of texts that a mistyped word probably means, or null. */
struct err *func_closest(const struct func_call *c, json_t **ret)
{
    const size_t count = json_array_size(c->args[1]);
    AUTO(free) const char **words = xcalloc(count + 1, sizeof *words);
    const char *meant = NULL;

    if (!json_is_string(c->args[0]) || !json_is_array(c->args[1]))
        return err_new(ERR_CONFIG, 0, "wants a text and a list of texts");
    for (size_t i = 0; i < count; i++) {
        words[i] = json_string_value(json_array_get(c->args[1], i));
        if (words[i] == NULL)
            return err_new(ERR_CONFIG, 0, "wants a text and a list of texts");
    }
    meant = text_suggest(str_of(json_string_value(c->args[0])), words, count);
    *ret = meant == NULL ? json_null() : jsonx_must(json_string(meant));
    return NULL;
}

#define GROUPS_MAX 10u

/* `to` with $0 to $9 as what the groups of the pattern found. */
static json_t *with_groups(const char *text, const regmatch_t *groups, const char *to)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (const char *p = to; *p != '\0'; p++) {
        const bool is_group = *p == '$' && p[1] >= '0' && p[1] <= '9';

        if (!is_group) {
            buf_add_char(&out, *p);
            continue;
        }
        const regmatch_t *g = &groups[*++p - '0'];

        if (g->rm_so >= 0)
            buf_add(&out, text + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
    }
    return jsonx_textf("%s", buf_text(&out));
}

/* Null where the pattern is not found: `?? ...` says what then. */
struct err *func_rewrite(const struct func_call *c, json_t **ret)
{
    const char *text = json_string_value(c->args[0]);
    const char *to = json_string_value(c->args[2]);
    regmatch_t groups[GROUPS_MAX];
    regex_t compiled;

    if (!json_is_string(c->args[1]) || to == NULL)
        return err_new(ERR_CONFIG, 0, "wants a text, a pattern and a text");
    const int rc = regcomp(&compiled, json_string_value(c->args[1]), REG_EXTENDED);

    if (rc != 0) {
        char reason[128];

        regerror(rc, NULL, reason, sizeof(reason));
        return err_new(
                ERR_CONFIG, 0, "'%s' is not a pattern: %s", json_string_value(c->args[1]), reason);
    }
    const bool is_found = text != NULL && regexec(&compiled, text, GROUPS_MAX, groups, 0) == 0;

    *ret = is_found ? with_groups(text, groups, to) : json_null();
    regfree(&compiled);
    return NULL;
}

/* --- numbers --- */

/* A whole number where it is one, so that it equals one that is written so. */
static json_t *number(double n)
{
    const double whole = nearbyint(n);

    return fabs(n - whole) < 1e-9 && fabs(whole) < 1e15 ? json_integer((json_int_t)whole)
                                                        : json_real(n);
}

/* Gibibytes of "0.5Gi", "512Mi"; a plain number is one. */
static struct err *gibibytes(const json_t *value, json_t **ret)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = { { "Ki", 1.0 / 1048576 }, { "Mi", 1.0 / 1024 }, { "Gi", 1 }, { "Ti", 1024 },
        { "G", 0.931322574615 }, { "M", 0.000931322575 }, { "", 1 } };
    char *end = NULL;

    if (json_is_number(value)) {
        *ret = number(json_number_value(value));
        return NULL;
    }
    if (!json_is_string(value))
        return err_new(
                ERR_CONFIG, 0, "wants a quantity such as 0.5Gi, got %s", eval_type_text(value));
    const double amount = strtod(json_string_value(value), &end);

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(units[i].unit, end) == 0) {
            *ret = number(amount * units[i].factor);
            return NULL;
        }
    }
    return err_new(ERR_CONFIG, 0, "'%s' is not a quantity such as 0.5Gi", json_string_value(value));
}

/* Of one quantity, or of each in a list. */
struct err *func_gibibytes(const struct func_call *c, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_array());
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(c->args[0]))
        return gibibytes(c->args[0], ret);
    json_array_foreach (c->args[0], i, item) {
        json_t *one = NULL;

        TRY(gibibytes(item, &one));
        json_array_append_new(all, one);
    }
    *ret = TAKE(all);
    return NULL;
}

static struct err *fold(const json_t *list, bool is_product, json_t **ret)
{
    double result = is_product ? 1 : 0;
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(list))
        return err_new(ERR_CONFIG, 0, "wants a list, got %s", eval_type_text(list));
    json_array_foreach (list, i, item) {
        if (!json_is_number(item))
            return err_new(ERR_CONFIG, 0, "wants numbers, got %s", eval_type_text(item));
        result = is_product ? result * json_number_value(item) : result + json_number_value(item);
    }
    *ret = number(result);
    return NULL;
}

struct err *func_sum(const struct func_call *c, json_t **ret)
{
    return fold(c->args[0], false, ret);
}

struct err *func_product(const struct func_call *c, json_t **ret)
{
    return fold(c->args[0], true, ret);
}

struct err *func_ratio(const struct func_call *c, json_t **ret)
{
    if (!json_is_number(c->args[0]) || !json_is_number(c->args[1]))
        return err_new(ERR_CONFIG, 0, "wants two numbers");
    if (fabs(json_number_value(c->args[1])) < 1e-12)
        return err_new(ERR_CONFIG, 0, "can't divide by 0");
    *ret = number(json_number_value(c->args[0]) / json_number_value(c->args[1]));
    return NULL;
}

/* --- URLs --- */

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : jsonx_textf("%s", text);
}

static json_t *params_of(const struct uri *u)
{
    json_t *map = jsonx_must(json_object());

    for (size_t i = 0; i < u->param_count; i++)
        json_object_set_new(map, u->params[i].name, text_or_null(u->params[i].value));
    return map;
}

/* Null for what is no URL: also one in which something is not escaped that must be. */
struct err *func_url_parts(const struct func_call *c, json_t **ret)
{
    AUTO(uri) struct uri u = { 0 };
    AUTO(err)
    struct err *e = json_is_string(c->args[0]) ? uri_parse(text_of(c->args[0]), &u)
                                               : err_new(ERR_CONFIG, 0, "no text");

    if (e != NULL) {
        *ret = json_null();
        return NULL;
    }
    const struct uri_host *host = u.host_count > 0 ? &u.hosts[0] : NULL;

    *ret = jsonx_must(json_pack("{s:s, s:o, s:b, s:o, s:o, s:s, s:o, s:b}", "scheme", u.scheme,
            "user", text_or_null(u.user), "has_password", (int)(u.password != NULL), "host",
            text_or_null(host == NULL ? NULL : host->name), "port",
            host == NULL || host->port == 0 ? json_null() : json_integer(host->port), "path",
            u.path == NULL ? "" : u.path, "params", params_of(&u), "has_query",
            (int)(u.param_count > 0)));
    return NULL;
}

/* Of a URL in clear: only where the whole environment is in clear too (deployer env --file). */
struct err *func_url_password(const struct func_call *c, json_t **ret)
{
    AUTO(uri) struct uri u = { 0 };

    if (!json_is_string(c->args[0]))
        return err_new(ERR_CONFIG, 0, "wants a URL, got %s", eval_type_text(c->args[0]));
    TRY(uri_parse(text_of(c->args[0]), &u));
    const struct str value = u.password == NULL ? STR("") : secret_reveal(u.password);

    *ret = jsonx_must(json_stringn(value.p, value.len));
    return NULL;
}
