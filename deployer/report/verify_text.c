#include "report/verify_text.h"

#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/style.h"

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

static void add_word(struct buf *out, const char *word, bool has_color)
{
    enum style style = STYLE_PLAIN;

    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        if (text_eq(styles[i].word, word))
            style = styles[i].style;
    }
    style_add(out, has_color, style, word);
}

static size_t widest_name(const json_t *checks)
{
    size_t widest = 0;
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        const size_t n = text_columns(str_of(jsonx_text(c, "name")));

        widest = n > widest ? n : widest;
    }
    return widest;
}

/* "10.20.0.5:5432 (TLSv1.3)", from what the evidence has. */
static void add_endpoint(const json_t *check, struct buf *out)
{
    const json_t *e = json_object_get(check, "evidence");
    const char *address = json_string_value(jsonx_at(e, "tcp.address"));
    const char *mapped = json_string_value(jsonx_at(e, "tcp.mapped_address"));
    const json_t *port = jsonx_at(e, "tcp.port");
    const char *tls = json_string_value(jsonx_at(e, "tls.version"));
    const json_t *first = json_array_get(jsonx_at(e, "dns.addresses"), 0);

    if (address != NULL)
        buf_addf(out, "  %s:%lld", address, (long long)json_integer_value(port));
    else if (json_is_string(first))
        buf_addf(out, "  %s", json_string_value(first));
    if (mapped != NULL)
        buf_addf(out, " (dialled %s)", mapped);
    if (tls != NULL)
        buf_addf(out, "  %s", tls);
}

static void add_check(const json_t *check, size_t width, bool has_color, struct buf *out)
{
    const char *name = jsonx_text(check, "name");
    const char *reason = jsonx_text(check, "reason");
    char duration[CLOCK_DURATION_SIZE];

    clock_duration(jsonx_int(check, "duration_ms", 0), duration);
    buf_add_text(out, "  ");
    add_word(out, jsonx_text(check, "status"), has_color);
    buf_addf(out, "  %s%*s", name, (int)(width - text_columns(str_of(name))), "");
    add_endpoint(check, out);
    if (!text_eq(jsonx_text(check, "status"), "skip"))
        buf_addf(out, "  %s", duration);
    buf_add_char(out, '\n');
    if (reason != NULL) {
        buf_addf(out, "        ");
        text_add_escaped(out, str_of(reason));
        buf_add_char(out, '\n');
    }
}

static void add_finding(const json_t *f, bool has_color, struct buf *out)
{
    const json_t *checks = json_object_get(f, "checks");
    size_t i = 0;
    json_t *v = NULL;

    buf_add_char(out, '\n');
    add_word(out, jsonx_text(f, "severity"), has_color);
    buf_addf(out, "  %s  %s%s\n", jsonx_text(f, "runbook"), jsonx_text(f, "title"),
            text_eq(jsonx_text(f, "certainty"), "likely") ? " (likely)" : "");
    buf_add_text(out, "  cause     ");
    text_add_escaped(out, str_of(jsonx_text(f, "cause")));
    buf_add_text(out, "\n  fix       ");
    text_add_escaped(out, str_of(jsonx_text(f, "fix")));
    buf_add_char(out, '\n');
    json_array_foreach (json_object_get(f, "evidence"), i, v) {
        buf_add_text(out, i == 0 ? "  evidence  " : "            ");
        text_add_escaped(out, str_of(json_string_value(v)));
        buf_add_char(out, '\n');
    }
    if (json_array_size(checks) > 1) {
        buf_add_text(out, "  checks    ");
        json_array_foreach ((json_t *)(uintptr_t)checks, i, v) {
            buf_addf(out, "%s%s", i == 0 ? "" : ", ", json_string_value(v));
        }
        buf_add_char(out, '\n');
    }
    buf_addf(out, "  more      deployer explain %s\n", jsonx_text(f, "runbook"));
}

static void add_summary(const json_t *document, struct buf *out)
{
    const json_t *s = json_object_get(document, "summary");
    char duration[CLOCK_DURATION_SIZE];

    clock_duration(jsonx_int(document, "duration_ms", 0), duration);
    buf_addf(out, "\n%lld passed, %lld failed, %lld warned, %lld skipped in %s\n",
            (long long)jsonx_int(s, "pass", 0), (long long)jsonx_int(s, "fail", 0),
            (long long)jsonx_int(s, "warn", 0), (long long)jsonx_int(s, "skip", 0), duration);
}

void report_verify_text(const json_t *document, bool has_color, struct buf *out)
{
    const json_t *checks = json_object_get(document, "checks");
    const size_t width = widest_name(checks);
    size_t i = 0;
    json_t *v = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, v) {
        add_check(v, width, has_color, out);
    }
    json_array_foreach (json_object_get(document, "findings"), i, v) {
        add_finding(v, has_color, out);
    }
    add_summary(document, out);
}
