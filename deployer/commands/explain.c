/*
 * explain - which runbook is this? By id, by a line of text, or over a log stream on standard
 * input.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/runbook_set.h"

#define ANSWERS_MAX 3u
#define QUOTE_MAX 200u

struct answers {
    struct runbooks set;
    json_t *list; /* [{"runbook", "title", "line", "text", ...}] */
    bool is_stream;
};

static json_t *entry(const struct runbook *r, int64_t line, struct str text)
{
    json_t *o = jsonx_must(json_object());
    AUTO(buf) struct buf quote = BUF_INIT(BUF_TEXT_MAX);

    json_object_set_new(o, "runbook", jsonx_textf("%s", r->id));
    json_object_set_new(o, "title", jsonx_textf("%s", r->title));
    json_object_set_new(o, "severity", jsonx_textf("%s", runbook_severity_name(r->severity)));
    json_object_set_new(o, "cause", text_json(runbook_section(r, "Cause")));
    json_object_set_new(o, "fix", text_json(runbook_section(r, "Fix")));
    json_object_set_new(o, "file", jsonx_textf("%s", r->file));
    if (line > 0)
        json_object_set_new(o, "line", json_integer(line));
    if (text.len > 0) {
        text_add_escaped(&quote, str_slice(str_trim(text), 0, QUOTE_MAX));
        json_object_set_new(o, "text", text_json(buf_str(&quote)));
    }
    return o;
}

static bool is_named(const json_t *list, const char *id)
{
    size_t i = 0;
    json_t *o = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, o) {
        if (text_eq(jsonx_text(o, "runbook"), id))
            return true;
    }
    return false;
}

static void explain_line(struct answers *a, struct str line, int64_t number)
{
    const struct runbook *found[ANSWERS_MAX];
    const size_t count = runbook_explain(&a->set, line, found, a->is_stream ? 1 : ANSWERS_MAX);

    for (size_t i = 0; i < count; i++) {
        if (!is_named(a->list, found[i]->id))
            json_array_append_new(a->list, entry(found[i], number, line));
    }
}

/* A log may be endless: it is read line by line, and of an overlong line the head counts. */
static void explain_stream(struct answers *a, FILE *in)
{
    AUTO(buf) struct buf line = BUF_INIT(65536);
    int64_t number = 0;
    int c = 0;

    while (c != EOF) {
        buf_clear(&line);
        for (c = getc(in); c != EOF && c != '\n'; c = getc(in))
            buf_add_char(&line, (char)c);
        number++;
        if (line.len > 0)
            explain_line(a, buf_str(&line), number);
    }
}

static void add_text(struct buf *out, const json_t *o)
{
    const int64_t line = jsonx_int(o, "line", 0);

    buf_addf(out, "%s  %s\n", jsonx_text(o, "runbook"), jsonx_text(o, "title"));
    if (line > 0)
        buf_addf(out, "  line %lld: %s\n", (long long)line, jsonx_text(o, "text"));
    buf_addf(out, "\nCause\n%s\n\nFix\n%s\n\n  more: deployer runbooks show %s\n",
            jsonx_text(o, "cause"), jsonx_text(o, "fix"), jsonx_text(o, "runbook"));
}

static struct err *write_answers(struct context *c, const struct answers *a)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *document = jsonx_must(json_pack(
            "{s:i, s:s, s:O}", "format_version", 1, "kind", "explain", "findings", a->list));
    size_t i = 0;
    json_t *o = NULL;

    json_array_foreach (a->list, i, o) {
        buf_add_text(&text, i == 0 ? "" : "\n");
        add_text(&text, o);
    }
    if (json_array_size(a->list) == 0)
        buf_add_text(&text, "no runbook knows this text\n");
    TRY(context_write(c, "text", buf_str(&text)));
    return context_write_json(c, document);
}

static bool looks_like_id(const char *text)
{
    size_t n = 0;

    while (isalpha((unsigned char)text[n]) || text[n] == '-')
        n++;
    return n > 1 && text[n - 1] == '-' && strspn(text + n, "0123456789") == strlen(text + n)
           && text[n] != '\0';
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    json_auto_t *list = jsonx_must(json_array());
    struct answers a = { .list = list };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .args_min = 1, .args_max = 1, .formats = "text json" }));
    TRY(runbook_set_load(&c, &a.set));
    const struct runbook *r = runbook_find(&a.set, c.args[0]);

    if (r != NULL) {
        json_array_append_new(list, entry(r, 0, STR("")));
    } else if (looks_like_id(c.args[0])) {
        return err_new(
                ERR_USAGE, 0, "there is no runbook %s: see deployer runbooks list", c.args[0]);
    } else if (text_eq(c.args[0], "-")) {
        a.is_stream = true;
        explain_stream(&a, stdin);
    } else {
        explain_line(&a, str_of(c.args[0]), 0);
    }
    TRY(write_answers(&c, &a));
    return json_array_size(list) > 0 ? NULL : err_new(ERR_FAILED, 0, "%s", "");
}

const struct command command_explain = {
    .name = "explain",
    .summary = "which runbook is this? an id, a text of an error, or - for a log on standard input",
    .usage = "Usage: deployer explain ID | TEXT | -\n"
             "\n"
             "Names the runbook of a failure with its cause and its fix.\n"
             "  deployer explain RED-003\n"
             "  deployer explain 'MOVED 10137 10.0.2.4:8500'\n"
             "  az containerapp logs show ... | deployer explain -\n"
             "\n"
             "Exit status 1 when no runbook knows the text.\n" CONTEXT_USAGE,
    .run = run,
};
