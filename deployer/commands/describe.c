#include "commands/describe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "commands/context.h"

/* Column from which the help's right side goes on in further lines. */
#define DOC_COLUMN 20u

/* Calls `line` by line; the text ends with str.p NULL. */
static bool next_line(struct str *rest, struct str *ret)
{
    if (rest->p == NULL)
        return false;
    *ret = str_cut(rest, '\n');
    return true;
}

static size_t indent_of(struct str line)
{
    size_t n = 0;

    while (n < line.len && line.p[n] == ' ')
        n++;
    return n;
}

/* Whether the line begins with the option: "      --plan FILE  does ..."; *ret is what follows. */
static bool is_line_of(struct str line, const char *name, struct str *ret)
{
    AUTO(free) char *flag = xasprintf("--%s", name);
    struct str rest = str_trim(line);

    if (rest.len > 4 && rest.p[0] == '-' && rest.p[1] != '-' && rest.p[2] == ',')
        rest = str_trim(str_slice(rest, 3, rest.len));
    if (!str_starts(rest, str_of(flag)))
        return false;
    rest = str_slice(rest, strlen(flag), rest.len);
    if (rest.len > 0 && rest.p[0] != ' ')
        return false;
    *ret = rest;
    return true;
}

/* "FILE  does ..." with its further lines: the value's name, then its meaning as one text. */
static void read_option(struct str line, struct str rest, bool has_value, json_t *option)
{
    AUTO(buf) struct buf doc = BUF_INIT(BUF_TEXT_MAX);
    struct str next;

    line = str_trim(line);
    if (has_value) {
        struct str tail = line;
        const struct str value = str_cut(&tail, ' ');

        json_object_set_new(option, "value", text_json(value));
        line = tail.p == NULL ? STR("") : str_trim(tail);
    }
    buf_add_str(&doc, line);
    while (next_line(&rest, &next) && indent_of(next) > DOC_COLUMN && str_trim(next).len > 0)
        buf_addf(&doc, " %.*s", STR_ARG(str_trim(next)));
    json_object_set_new(option, "doc", text_json(str_trim(buf_str(&doc))));
}

static void add_help(const char *usage, json_t *option)
{
    struct str rest = str_of(usage);
    struct str line;
    struct str tail;

    json_object_set_new(option, "value", json_string(""));
    json_object_set_new(option, "doc", json_string(""));
    while (next_line(&rest, &line)) {
        if (is_line_of(line, jsonx_text(option, "name"), &tail)) {
            read_option(tail, rest, jsonx_bool(option, "has_value", false), option);
            return;
        }
    }
}

/* "Usage: deployer NAME STACK [OPTIONS]": STACK. A verb's own arguments are not looked at. */
static json_t *argument_of(const struct command *c)
{
    struct str rest = str_of(c->usage);
    AUTO(free) char *head = xasprintf("Usage: deployer %s", c->name);
    struct str line = str_cut(&rest, '\n');

    if (!str_starts(line, str_of(head)))
        return json_string("");
    line = str_trim(str_slice(line, strlen(head), line.len));
    struct str word = str_cut(&line, ' ');

    while (word.len > 0 && (word.p[0] == '[' || word.p[0] == '('))
        word = str_slice(word, 1, word.len);
    size_t n = 0;

    while (n < word.len && ((word.p[n] >= 'A' && word.p[n] <= 'Z') || word.p[n] == '-'))
        n++;
    return text_json(str_slice(word, 0, n));
}

json_t *describe_command(const struct command *c)
{
    AUTO(free) char *name = xstrdup(c->name);
    char *argv[] = { name, NULL };
    json_t *shape = NULL;
    size_t i = 0;
    json_t *option = NULL;

    context_describe(&shape);
    err_ignore(c->run(1, argv), "it was only asked what it takes");
    context_describe(NULL);
    if (shape == NULL)
        shape = jsonx_must(json_pack("{s:[], s:[], s:[]}", "options", "verbs", "formats"));
    json_array_foreach (json_object_get(shape, "options"), i, option)
        add_help(c->usage, option);
    json_object_set_new(shape, "name", jsonx_textf("%s", c->name));
    json_object_set_new(shape, "summary", jsonx_textf("%s", c->summary));
    json_object_set_new(shape, "usage", jsonx_textf("%s", c->usage));
    json_object_set_new(shape, "argument", argument_of(c));
    return shape;
}
