#include "cloud/arm/fault.h"

#include <stdint.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "cloud/arm/refusal.h"

#define DEPTH_MAX 8
#define DETAILS_MAX 20
#define MESSAGE_MAX 1000u
#define SHOWN_MAX 5

static json_t *read_object(const json_t *j, int depth);

/* --- reading --------------------------------------------------------------------------------- */

static json_t *parse_or_null(struct str text)
{
    json_t *j = NULL;
    const struct str t = str_trim(text);

    if (t.len == 0 || (t.p[0] != '{' && !str_starts(t, STR("\xef\xbb\xbf"))))
        return NULL;
    struct err *e = jsonx_load(t, "error", &j);

    err_ignore(e, "what is no JSON is shown as text");
    return e == NULL ? j : NULL;
}

static const json_t *member(const json_t *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *j = jsonx_get_ci(object, names[i]);

        if (j != NULL && !json_is_null(j))
            return j;
    }
    return NULL;
}

/* The object that holds code and message, out of its wrappers; NULL if nothing looks like one. */
static const json_t *unwrap(const json_t *j)
{
    static const char *const wrappers[] = { "error", "odata.error" };
    static const char *const marks[] = { "code", "message" };
    const json_t *inner = member(j, wrappers, ARRAY_LEN(wrappers));

    if (json_is_object(inner))
        return unwrap(inner);
    const json_t *properties = jsonx_get_ci(j, "properties");

    if (json_is_object(properties)
            && (json_is_object(jsonx_get_ci(properties, "error"))
                    || jsonx_get_ci(properties, "statusMessage") != NULL))
        return unwrap(properties);
    if (member(j, marks, ARRAY_LEN(marks)) != NULL || json_is_string(inner)
            || jsonx_get_ci(j, "statusMessage") != NULL)
        return j;
    return NULL;
}

static void set_text(json_t *object, const char *key, struct str value)
{
    json_object_set_new(object, key, text_json(str_slice(str_trim(value), 0, MESSAGE_MAX)));
}

static void add_detail(json_t *fault, json_t *detail)
{
    json_t *list = json_object_get(fault, "details");

    if (detail == NULL)
        return;
    if (list == NULL) {
        list = jsonx_must(json_array());
        json_object_set_new(fault, "details", list);
    }
    if (json_array_size(list) < DETAILS_MAX)
        json_array_append_new(list, detail);
    else
        json_decref(detail);
}

/* A message that is a JSON document (deployments wrap so) becomes a detail. */
static void set_message(json_t *fault, const char *message, int depth)
{
    json_auto_t *inside = parse_or_null(str_of(message));
    json_t *detail = inside == NULL ? NULL : read_object(inside, depth + 1);

    if (detail != NULL)
        add_detail(fault, detail);
    else if (message != NULL)
        set_text(fault, "message", str_of(message));
}

static json_t *read_object(const json_t *j, int depth)
{
    static const char *const messages[] = { "message", "statusMessage", "error_description",
        "error" };
    const json_t *o = depth < DEPTH_MAX ? unwrap(j) : NULL;

    if (o == NULL)
        return NULL;
    json_t *fault = jsonx_must(json_object());
    const json_t *code = jsonx_get_ci(o, "code");
    const json_t *message = member(o, messages, ARRAY_LEN(messages));
    const json_t *details = jsonx_get_ci(o, "details");
    size_t i = 0;
    const json_t *d = NULL;

    if (json_is_string(code))
        set_text(fault, "code", str_of(json_string_value(code)));
    else if (json_is_integer(code))
        json_object_set_new(
                fault, "code", jsonx_textf("%" JSON_INTEGER_FORMAT, json_integer_value(code)));
    if (json_is_object(message) && jsonx_get_ci(message, "value") != NULL) /* OData */
        message = jsonx_get_ci(message, "value");
    if (json_is_object(message))
        add_detail(fault, read_object(message, depth + 1));
    else
        set_message(fault, json_string_value(message), depth);
    if (json_is_string(details)) /* some services put a text there */
        set_message(fault, json_string_value(details), depth);
    json_array_foreach (details, i, d)
        add_detail(fault, read_object(d, depth + 1));
    if (json_is_object(jsonx_get_ci(o, "innererror")))
        add_detail(fault, read_object(jsonx_get_ci(o, "innererror"), depth + 1));
    json_t *policies = arm_refusal_policies(jsonx_get_ci(o, "additionalInfo"));

    if (policies != NULL)
        json_object_set_new(fault, "policies", policies);
    return fault;
}

/* The text between <Tag> and </Tag>, empty if there is none. */
static struct str xml_text(struct str xml, struct str open, struct str close)
{
    const ptrdiff_t from = str_find(xml, open);

    if (from < 0)
        return STR("");
    const struct str rest = str_slice(xml, (size_t)from + open.len, xml.len);
    const ptrdiff_t to = str_find(rest, close);

    return to < 0 ? STR("") : str_slice(rest, 0, (size_t)to);
}

static json_t *read_text(struct str body)
{
    json_t *fault = jsonx_must(json_object());
    const struct str code = xml_text(body, STR("<Code>"), STR("</Code>"));
    struct str message = xml_text(body, STR("<Message>"), STR("</Message>"));

    if (message.len == 0)
        message = xml_text(body, STR("<title>"), STR("</title>")); /* a proxy's page */
    if (code.len > 0)
        set_text(fault, "code", code);
    if (message.len > 0)
        set_text(fault, "message", message);
    else if (str_trim(body).len > 0)
        set_text(fault, "message", str_slice(str_trim(body), 0, 200));
    return fault;
}

json_t *arm_fault_of(const json_t *document)
{
    return read_object(document, 0);
}

json_t *arm_fault_read(struct str body, struct str code)
{
    json_auto_t *document = parse_or_null(body);
    json_t *fault = document == NULL ? read_text(body) : read_object(document, 0);

    if (fault == NULL)
        fault = jsonx_must(json_object());
    if (code.p != NULL && code.len > 0)
        set_text(fault, "code", code);
    return fault;
}

/* --- asking ---------------------------------------------------------------------------------- */

bool arm_fault_has(const json_t *fault, const char *code)
{
    const char *own = jsonx_text(fault, "code");
    size_t i = 0;
    const json_t *d = NULL;

    if (own != NULL && code != NULL && strcasecmp(own, code) == 0)
        return true;
    json_array_foreach (json_object_get(fault, "details"), i, d) {
        if (arm_fault_has(d, code))
            return true;
    }
    return false;
}

static const json_t *innermost(const json_t *fault)
{
    const json_t *first = json_array_get(json_object_get(fault, "details"), 0);

    while (first != NULL && jsonx_text(first, "code") != NULL) {
        fault = first;
        first = json_array_get(json_object_get(fault, "details"), 0);
    }
    return fault;
}

const char *arm_fault_code(const json_t *fault)
{
    const char *code = jsonx_text(innermost(fault), "code");

    return code == NULL ? "" : code;
}

const json_t *arm_fault_rule(const struct kind *k, long status, const json_t *fault)
{
    size_t i = 0;
    const json_t *rule = NULL;
    const json_t *by_code = NULL;

    if (k == NULL || fault == NULL)
        return NULL;
    json_array_foreach (k->conflicts, i, rule) {
        if (!arm_fault_has(fault, jsonx_text(rule, "code")))
            continue;
        if (jsonx_int(rule, "status", status) == status)
            return rule;
        if (status == 0 && by_code == NULL)
            by_code = rule;
    }
    return by_code;
}

int64_t arm_fault_rule_wait_ms(const json_t *rule, unsigned n)
{
    const json_t *wait = json_object_get(rule, "wait_s");
    double ms = json_is_number(wait) ? json_number_value(wait) * 1000 : 10000;

    for (unsigned i = 0; i < n && ms < 180000; i++)
        ms *= 1.5;
    return ms > 180000 ? 180000 : (int64_t)ms;
}

bool arm_fault_is_unregistered(long status, const json_t *fault)
{
    static const char *const codes[] = { "MissingSubscriptionRegistration",
        "MissingRegistrationForResourceProvider", "Subscription Not Registered",
        "SubscriptionNotRegistered" };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (status == 409 && arm_fault_has(fault, codes[i]))
            return true;
    }
    return false;
}

/* --- telling --------------------------------------------------------------------------------- */

static void add_one(struct buf *out, const json_t *fault)
{
    const char *code = jsonx_text(fault, "code");
    const char *message = jsonx_text(fault, "message");
    struct str m = str_trim(str_of(message));

    while (m.len > 0 && m.p[m.len - 1] == '.')
        m.len--;
    buf_add_text(out, code);
    if (code != NULL && m.len > 0)
        buf_add_text(out, ": ");
    text_add_escaped(out, m);
    if (code == NULL && m.len == 0)
        buf_add_text(out, "no reason given");
}

static void add_leaves(struct buf *out, const json_t *fault, size_t *shown)
{
    const json_t *details = json_object_get(fault, "details");
    size_t i = 0;
    const json_t *d = NULL;

    if (json_array_size(details) == 0) {
        if (++*shown > SHOWN_MAX)
            return;
        if (*shown > 1)
            buf_add_text(out, "; ");
        add_one(out, fault);
    }
    json_array_foreach (details, i, d)
        add_leaves(out, d, shown);
}

static void add_fault(struct buf *out, const json_t *fault)
{
    size_t shown = 0;

    add_leaves(out, fault, &shown);
    if (shown > SHOWN_MAX)
        buf_addf(out, "; %zu more", shown - SHOWN_MAX);
    if (json_array_size(json_object_get(fault, "details")) > 0
            && (jsonx_text(fault, "code") != NULL || jsonx_text(fault, "message") != NULL)) {
        buf_add_text(out, " (in ");
        add_one(out, fault);
        buf_add_char(out, ')');
    }
}

/* ARM's own codes, of no type in particular. */
static const struct {
    const char *code;
    const char *hint;
} hints[] = {
    { "QuotaExceeded", "ask for more quota in the portal, or choose another size or region" },
    { "AuthorizationFailed", "grant the login a role that allows the action named, at the scope "
                             "named; a fresh grant "
                             "takes up to ten minutes" },
    { "LinkedAuthorizationFailed",
            "the login also needs a role on the linked resource that the message names" },
    { "SubscriptionNotFound", "check the subscription id and that the login's tenant holds it" },
    { "ResourceGroupNotFound", "check the resource group's name" },
    { "NoRegisteredProviderFound", "the region lacks this api-version: choose another region" },
    { "LocationNotAvailableForResourceType", "choose another region" },
};

static void add_hint(struct err *e, const json_t *fault)
{
    AUTO(free) char *refusal = arm_refusal_hint(fault);

    if (refusal != NULL) {
        err_set_hint(e, "%s", refusal);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (!arm_fault_has(fault, hints[i].code))
            continue;
        err_set_hint(e, "%s", hints[i].hint);
        return;
    }
}

static enum err_kind kind_of(long status)
{
    return status == 401 ? ERR_AUTH : status == 403 ? ERR_DENIED : ERR_API;
}

struct err *arm_fault_err(const json_t *fault, const struct arm_fault_context *c)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    char spent[CLOCK_DURATION_SIZE];
    AUTO(free) char *id = str_dup(c->request_id);

    if (c->status != 0)
        buf_addf(&text, "HTTP %ld ", c->status);
    else
        buf_addf(&text, "ended as %s: ", c->state == NULL ? "Failed" : c->state);
    add_fault(&text, fault);
    clock_duration(c->elapsed_ms, spent);
    buf_addf(&text, " [after %s", spent);
    if (c->correlation_id.len > 0)
        buf_addf(&text, "; correlation id %.*s", STR_ARG(c->correlation_id));
    if (c->request_id.len > 0)
        buf_addf(&text, "; request id %.*s", STR_ARG(c->request_id));
    buf_add_char(&text, ']');
    struct err *e = err_new(kind_of(c->status), c->status, "%s: %s", c->what, buf_text(&text));

    err_set_api(e, arm_fault_code(fault), id);
    add_hint(e, fault);
    return e;
}
