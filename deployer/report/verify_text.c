#include "report/verify_text.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/findings.h"
#include "report/style.h"

/* Where cause, fix and evidence begin. */
#define LABEL_COLUMN 12u
/* Wider lines are hard to read, however wide the terminal is. */
#define PROSE_WIDTH 110u
/* What is longer pushes its own line, not all of them. */
#define COLUMN_MAX 48u

static const struct {
    const char *word;
    enum style style;
} styles[] = {
    { "pass", STYLE_GOOD },
    { "fail", STYLE_BAD },
    { "warn", STYLE_WARN },
    { "skip", STYLE_DIM },
    { "error", STYLE_BAD },
    { "warning", STYLE_WARN },
};

struct report {
    const json_t *document;
    const json_t *checks;
    struct buf *out;
    bool has_color;
    size_t width;
    size_t name_width;
    size_t middle_width;
};

static void add_word(struct report *r, const char *word)
{
    enum style style = STYLE_PLAIN;

    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        if (text_eq(styles[i].word, word))
            style = styles[i].style;
    }
    style_add(r->out, r->has_color, style, word);
}

static bool is_status(const json_t *check, const char *word)
{
    return text_eq(jsonx_text(check, "status"), word);
}

/* ---- a line a check ---- */

/* "10.20.0.5:5432", from what the evidence has. Owned. */
static char *endpoint_of(const json_t *check)
{
    const json_t *e = json_object_get(check, "evidence");
    const char *address = json_string_value(jsonx_at(e, "tcp.address"));
    const json_t *port = jsonx_at(e, "tcp.port");
    const json_t *first = json_array_get(jsonx_at(e, "dns.addresses"), 0);

    if (address != NULL)
        return xasprintf("%s:%lld", address, (long long)json_integer_value(port));
    return xstrdup(json_is_string(first) ? json_string_value(first) : "");
}

static void add_check(struct report *r, const json_t *check)
{
    const json_t *e = json_object_get(check, "evidence");
    const char *name = jsonx_text(check, "name");
    const char *reason = jsonx_text(check, "reason");
    const char *tls = json_string_value(jsonx_at(e, "tls.version"));
    const char *mapped = json_string_value(jsonx_at(e, "tcp.mapped_address"));
    AUTO(free) char *endpoint = endpoint_of(check);
    char duration[CLOCK_DURATION_SIZE];

    clock_duration(jsonx_int(check, "duration_ms", 0), duration);
    buf_add_text(r->out, "  ");
    add_word(r, jsonx_text(check, "status"));
    buf_addf(r->out, "  %s", name);
    style_pad(r->out, text_columns(str_of(name)), r->name_width + 2);
    buf_add_text(r->out, endpoint);
    style_pad(r->out, text_columns(str_of(endpoint)), r->middle_width + 2);
    style_addf(r->out, r->has_color, STYLE_DIM, "%8s", is_status(check, "skip") ? "" : duration);
    if (tls != NULL)
        style_addf(r->out, r->has_color, STYLE_DIM, "  %s", tls);
    /* The least of it: left out where the line would wrap. */
    const size_t used = 8 + r->name_width + r->middle_width + 12 + (tls == NULL ? 0 : 9);

    if (mapped != NULL && used + 10 + strlen(mapped) <= r->width)
        style_addf(r->out, r->has_color, STYLE_DIM, "  dialled %s", mapped);
    while (r->out->len > 0 && r->out->p[r->out->len - 1] == ' ')
        buf_truncate(r->out, r->out->len - 1);
    buf_add_char(r->out, '\n');
    if (reason != NULL && !is_status(check, "pass")) {
        buf_add_text(r->out, "        ");
        style_flow(r->out, str_of(reason), 8, r->width);
        buf_add_char(r->out, '\n');
    }
}

/* ---- a line a service, where all of it passed ---- */

static bool is_of(const json_t *check, const char *service)
{
    return text_eq(jsonx_text(check, "service"), service);
}

static bool has_passed(const struct report *r, const char *service)
{
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        if (is_of(c, service) && !is_status(c, "pass"))
            return false;
    }
    return text_eq(jsonx_text(r->document, "kind"), "verify");
}

/* The check's name within its service. */
static const char *short_name(const json_t *check)
{
    const char *name = jsonx_text(check, "name");
    const char *dot = name == NULL ? NULL : strchr(name, '.');

    return dot == NULL ? name : dot + 1;
}

/* "dns, tls, login". Owned. */
static char *names_of(const struct report *r, const char *service)
{
    struct buf names = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        if (is_of(c, service))
            buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", short_name(c));
    }
    return buf_take(&names);
}

static void add_service(struct report *r, const char *service)
{
    AUTO(free) char *names = names_of(r, service);
    char duration[CLOCK_DURATION_SIZE];
    int64_t slowest_ms = 0;
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        const int64_t ms = is_of(c, service) ? jsonx_int(c, "duration_ms", 0) : 0;

        slowest_ms = ms > slowest_ms ? ms : slowest_ms;
    }
    clock_duration(slowest_ms, duration);
    buf_add_text(r->out, "  ");
    add_word(r, "pass");
    buf_addf(r->out, "  %s", service);
    style_pad(r->out, text_columns(str_of(service)), r->name_width + 2);
    buf_add_text(r->out, names);
    style_pad(r->out, text_columns(str_of(names)), r->middle_width + 2);
    style_addf(r->out, r->has_color, STYLE_DIM, "%8s", duration);
    buf_add_char(r->out, '\n');
}

static void widen(size_t *width, size_t to)
{
    *width = to > *width && to <= COLUMN_MAX ? to : *width;
}

static void measure(struct report *r)
{
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        const char *service = jsonx_text(c, "service");
        const bool is_short = has_passed(r, service);
        AUTO(free) char *middle = is_short ? names_of(r, service) : endpoint_of(c);

        widen(&r->name_width, text_columns(str_of(is_short ? service : jsonx_text(c, "name"))));
        widen(&r->middle_width, text_columns(str_of(middle)));
    }
}

static bool is_first_of(const struct report *r, size_t at)
{
    const char *service = jsonx_text(json_array_get(r->checks, at), "service");

    for (size_t i = 0; i < at; i++) {
        if (is_of(json_array_get(r->checks, i), service))
            return false;
    }
    return true;
}

static void add_checks(struct report *r)
{
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        const char *service = jsonx_text(c, "service");

        if (!has_passed(r, service))
            add_check(r, c);
        else if (is_first_of(r, i))
            add_service(r, service);
    }
}

/* ---- findings ---- */

static void add_labelled(struct report *r, const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_add_text(r->out, "  ");
    style_add(r->out, r->has_color, STYLE_DIM, label);
    style_pad(r->out, 2 + text_columns(str_of(label)), LABEL_COLUMN);
    style_flow(r->out, str_of(text), LABEL_COLUMN, r->width);
    buf_add_char(r->out, '\n');
}

static void add_check_names(struct report *r, const json_t *checks)
{
    AUTO(buf) struct buf names = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *v = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, v) {
        buf_addf(&names, "%s%s", i == 0 ? "" : ", ", json_string_value(v));
    }
    add_labelled(r, json_array_size(checks) > 1 ? "checks" : "check", buf_text(&names));
}

static void add_finding(struct report *r, const json_t *f)
{
    AUTO(free) char *more = xasprintf("deployer explain %s", jsonx_text(f, "runbook"));
    size_t i = 0;
    json_t *v = NULL;

    buf_add_char(r->out, '\n');
    add_word(r, jsonx_text(f, "severity"));
    buf_add_text(r->out, "  ");
    style_addf(r->out, r->has_color, STYLE_BOLD, "%s  %s", jsonx_text(f, "runbook"),
            jsonx_text(f, "title"));
    if (text_eq(jsonx_text(f, "certainty"), "likely"))
        style_add(r->out, r->has_color, STYLE_DIM, " (likely)");
    buf_add_char(r->out, '\n');
    add_labelled(r, "cause", jsonx_text(f, "cause"));
    add_labelled(r, "fix", jsonx_text(f, "fix"));
    json_array_foreach (json_object_get(f, "evidence"), i, v) {
        add_labelled(r, i == 0 ? "evidence" : "", json_string_value(v));
    }
    if (text_eq(jsonx_text(r->document, "kind"), "verify"))
        add_check_names(r, json_object_get(f, "checks"));
    add_labelled(r, "more", more);
}

/* ---- the end ---- */

/* What would make the checks that could not be made from here. */
static void add_outside(struct report *r)
{
    const char *network = NULL;
    size_t count = 0;
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)r->checks, i, c) {
        const char *id = json_string_value(jsonx_at(c, "evidence.arm.zone_linked_to"));

        if (!json_is_false(jsonx_at(c, "evidence.probe.reachable")))
            continue;
        count++;
        network = network == NULL && id != NULL ? strrchr(id, '/') : network;
    }
    if (count == 0)
        return;
    AUTO(free)
    char *text = xasprintf(
            "%zu check%s can only be made inside of the network%s%s: run the same command on a "
            "machine or a runner there, or over a VPN that leads its DNS here too. What the "
            "control "
            "plane knows was checked.",
            count, count == 1 ? "" : "s", network == NULL ? "" : " ",
            network == NULL ? "" : network + 1);

    buf_add_char(r->out, '\n');
    style_flow(r->out, str_of(text), 0, r->width);
    buf_add_char(r->out, '\n');
}

static void add_count(struct report *r, const char *word, const char *shown, bool *is_first)
{
    const int64_t n = jsonx_int(json_object_get(r->document, "summary"), word, 0);

    if (n == 0 && !text_eq(word, "pass"))
        return;
    buf_add_text(r->out, *is_first ? "" : ", ");
    *is_first = false;
    buf_addf(r->out, "%lld ", (long long)n);
    style_add(r->out, r->has_color && n > 0,
            text_eq(word, "pass")   ? STYLE_GOOD
            : text_eq(word, "fail") ? STYLE_BAD
            : text_eq(word, "warn") ? STYLE_WARN
                                    : STYLE_DIM,
            shown);
}

static void add_summary(struct report *r)
{
    AUTO(free) char *why = findings_why(r->document);
    char duration[CLOCK_DURATION_SIZE];
    bool is_first = true;

    clock_duration(jsonx_int(r->document, "duration_ms", 0), duration);
    buf_add_char(r->out, '\n');
    add_count(r, "pass", "passed", &is_first);
    add_count(r, "fail", "failed", &is_first);
    add_count(r, "warn", "warned", &is_first);
    add_count(r, "skip", "skipped", &is_first);
    buf_addf(r->out, " in %s\n", duration);
    if (why != NULL) {
        style_add(r->out, r->has_color, STYLE_BAD, why);
        buf_add_char(r->out, '\n');
    }
}

void report_verify_text(const json_t *document, bool has_color, size_t width, struct buf *out)
{
    struct report r = { .document = document,
        .checks = json_object_get(document, "checks"),
        .out = out,
        .has_color = has_color,
        .width = width < PROSE_WIDTH ? width : PROSE_WIDTH };
    size_t i = 0;
    json_t *v = NULL;

    measure(&r);
    add_checks(&r);
    json_array_foreach (json_object_get(document, "findings"), i, v) {
        add_finding(&r, v);
    }
    add_outside(&r);
    add_summary(&r);
}
