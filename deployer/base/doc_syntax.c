#include "base/doc_syntax.h"

#include <stdio.h>

#include <yaml.h>

#include "base/alloc.h"
#include "base/text.h"

/* The place of the trouble and what stands around it. */
struct trouble {
    struct diag_list *diags;
    const char *file;
    struct str text;
    const char *problem; /* libyaml's words */
    yaml_mark_t mark;
    yaml_mark_t context; /* where the construct begins that could not be finished */
    size_t offset;       /* bytes before the mark */
    char at;             /* the character there, NUL at the end */
};

static struct place place_at(const struct trouble *t, size_t line, size_t column)
{
    return (struct place){ .file = t->file, .line = (int)line + 1, .column = (int)column + 1 };
}

static void say(const struct trouble *t, yaml_mark_t mark, const char *code, const char *text,
        const char *hint)
{
    struct diag *d = diag_add(
            t->diags, DIAG_ERROR, code, place_at(t, mark.line, mark.column), "", "%s", text);

    if (hint != NULL)
        diag_set_hint(t->diags, d, "%s", hint);
}

/* libyaml counts characters; a character of UTF-8 begins with no 10xxxxxx byte. */
static size_t offset_of(struct str text, size_t characters)
{
    size_t i = 0;

    for (; i < text.len; i++) {
        if (((unsigned char)text.p[i] & 0xc0) == 0x80)
            continue;
        if (characters == 0)
            break;
        characters--;
    }
    return i;
}

static char byte_at(const struct trouble *t, size_t offset)
{
    return offset < t->text.len ? t->text.p[offset] : '\0';
}

/* The line up to the mark. */
static struct str line_before(const struct trouble *t)
{
    size_t start = t->offset;

    while (start > 0 && t->text.p[start - 1] != '\n' && t->text.p[start - 1] != '\r')
        start--;
    return str_slice(t->text, start, t->offset);
}

/* libyaml names the byte behind a sequence that is broken off. */
static size_t first_broken(struct str text, size_t otherwise)
{
    for (size_t i = 0, n = 0; i < text.len; i += n) {
        const unsigned char c = (unsigned char)text.p[i];

        n = c < 0x80 ? 1 : (c < 0xe0 ? 2 : (c < 0xf0 ? 3 : 4));
        if (!text_is_utf8(str_slice(text, i, i + n < text.len ? i + n : text.len)))
            return i;
    }
    return otherwise;
}

static void explain_bytes(const struct trouble *t, const yaml_parser_t *p)
{
    const bool is_control = strstr(t->problem, "control characters") != NULL;
    const size_t told = p->problem_offset < t->text.len ? p->problem_offset : t->text.len;
    const size_t offset = is_control ? told : first_broken(t->text, told);
    const unsigned char byte = (unsigned char)byte_at(t, offset);
    size_t line = 0;
    size_t column = 0;

    for (size_t i = 0; i < offset; i++) {
        column = t->text.p[i] == '\n' ? 0 : column + (((unsigned char)t->text.p[i] & 0xc0) != 0x80);
        line += t->text.p[i] == '\n';
    }
    const struct place at = place_at(t, line, column);

    if (str_starts(t->text, STR("\xff\xfe")) || str_starts(t->text, STR("\xfe\xff"))) {
        struct diag *d = diag_add(
                t->diags, DIAG_ERROR, "yaml.utf16", at, "", "the file is UTF-16, not UTF-8");

        diag_set_hint(t->diags, d, "save it as UTF-8");
    } else if (is_control) {
        diag_add(t->diags, DIAG_ERROR, "yaml.control", at, "",
                "there is a control character here (byte 0x%02x)", byte);
    } else {
        struct diag *d = diag_add(t->diags, DIAG_ERROR, "yaml.utf8", at, "",
                "the file is not UTF-8: byte 0x%02x", byte);

        diag_set_hint(t->diags, d, "save it as UTF-8");
    }
}

static void explain_start(const struct trouble *t)
{
    char text[64];

    if (t->at == '\t') {
        say(t, t->mark, "yaml.tab", "a tab stands where only spaces may indent",
                "indent with spaces");
        return;
    }
    snprintf(text, sizeof(text), "a value can't begin with '%c'", t->at);
    say(t, t->mark, "yaml.start", text, "quote the value");
}

static void explain_colon(const struct trouble *t)
{
    const struct str before = line_before(t);

    if (str_find(before, STR(": ")) >= 0)
        say(t, t->mark, "yaml.colon", "a ': ' stands inside a value",
                "quote a value that holds ': '");
    else
        say(t, t->mark, "yaml.key-place", "a key can't stand here: the line above is no map",
                "indent it as the key above, or give that key no value of its own");
}

static void explain_flow(const struct trouble *t)
{
    const char closing = strchr(t->problem, '}') != NULL ? '}' : ']';
    char text[80];

    if (t->at == '{' && t->offset > 0 && t->text.p[t->offset - 1] == '$') {
        yaml_mark_t dollar = t->mark;

        dollar.column--;
        say(t, dollar, "yaml.flow-reference", "${...} inside {...} or [...] needs quotes",
                "write it as \"${...}\"");
    } else if (t->at == ':' && str_find(line_before(t), STR(": ")) >= 0) {
        say(t, t->mark, "yaml.flow-colon", "a ': ' stands inside a value of {...} or [...]",
                "quote a value that holds ': '");
    } else {
        snprintf(text, sizeof(text),
                "the '%c' that begins here lacks a ',' or its '%c' by line %zu",
                closing == '}' ? '{' : '[', closing, t->mark.line + 1);
        say(t, t->context, "yaml.flow-open", text, NULL);
    }
}

static void explain_key(const struct trouble *t)
{
    const struct str before = str_trim(line_before(t));

    if (before.len == 0 && t->at == ':')
        say(t, t->mark, "yaml.no-key", "there is no key before this ':'",
                "write one, or quote the text");
    else if (before.len == 0 && t->at == '-')
        say(t, t->mark, "yaml.item-place", "an item ('- ') stands where a key must be",
                "a list stands below a key of its own");
    else if (before.len > 0 && (str_ends(before, STR("\"")) || str_ends(before, STR("'"))))
        say(t, t->mark, "yaml.quote-tail", "there is more behind the closing quote",
                "quote the whole value; inside single quotes a ' is written ''");
    else if (before.len > 0 && (str_ends(before, STR("]")) || str_ends(before, STR("}"))))
        say(t, t->mark, "yaml.flow-tail", "there is more behind the closing bracket",
                "quote the whole value, or take what follows away");
    else
        say(t, t->mark, "yaml.indentation", "the indentation fits no line above",
                "keys of one map, and items of one list, begin in the same column");
}

static void explain_escape(const struct trouble *t)
{
    char text[64];
    const char next = byte_at(t, t->offset + 1);

    if (next > ' ' && next < 0x7f)
        snprintf(text, sizeof(text), "'\\%c' is no escape", next);
    else
        snprintf(text, sizeof(text), "a '\\' begins no escape here");
    say(t, t->mark, "yaml.escape", text, "single quotes take a \\ as it is");
}

static void explain_other(const struct trouble *t, const yaml_parser_t *p)
{
    AUTO(free)
    char *text = xasprintf("%s%s%s", t->problem, p->context == NULL ? "" : " ",
            p->context == NULL ? "" : p->context);

    say(t, t->mark, "yaml.syntax", text, NULL);
}

static void explain_one_of(const struct trouble *t, const yaml_parser_t *p)
{
    static const struct {
        const char *problem;
        bool is_at_context;
        const char *code;
        const char *text;
        const char *hint;
    } rows[] = {
        { "found unexpected end of stream", true, "yaml.quote-open",
                "the quote that begins here is never closed", NULL },
        { "could not find expected ':'", true, "yaml.no-colon",
                "is neither 'key: value' nor '- item'", "a key has a ':' and a space behind it" },
        { "found a tab character", false, "yaml.block-tab",
                "a tab stands where only spaces may indent a text block", "indent with spaces" },
        { "block sequence entries are not allowed", false, "yaml.list-place",
                "a list can't begin here", "begin a list on a line of its own" },
        { "found undefined tag handle", false, "yaml.tag-handle", "tags (!...) are not used here",
                "quote a value that begins with '!'" },
        { "found invalid Unicode character escape", false, "yaml.escape-character",
                "the escape names no character", "write the character itself" },
        { "did not find expected hexdecimal number", false, "yaml.escape-digits",
                "\\x, \\u and \\U need 2, 4 and 8 hexadecimal digits",
                "single quotes take a \\ as it is" },
        { "did not find expected node content", false, "yaml.content",
                "a value is missing before this character", "quote a value that holds it" },
        { "did not find expected alphabetic", true, "yaml.sign",
                "a value can't begin with '&' or '*'", "quote the value" },
    };

    if (t->at == '\0' && strstr(t->problem, "did not find expected node content") != NULL) {
        say(t, t->mark, "yaml.flow-end", "the file ends inside a '[' or '{'", "close it");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strstr(t->problem, rows[i].problem) != NULL) {
            say(t, rows[i].is_at_context ? t->context : t->mark, rows[i].code, rows[i].text,
                    rows[i].hint);
            return;
        }
    }
    explain_other(t, p);
}

void doc_syntax_explain(
        const yaml_parser_t *parser, struct str text, const char *file, struct diag_list *diags)
{
    struct trouble t = { .diags = diags,
        .file = file,
        .text = text,
        .problem = parser->problem == NULL ? "can't be read" : parser->problem,
        .mark = parser->problem_mark,
        .context = parser->context_mark };

    t.offset = offset_of(text, t.mark.index);
    t.at = byte_at(&t, t.offset);
    if (parser->error == YAML_READER_ERROR)
        explain_bytes(&t, parser);
    else if (strstr(t.problem, "cannot start any token") != NULL)
        explain_start(&t);
    else if (strstr(t.problem, "mapping values are not allowed") != NULL)
        explain_colon(&t);
    else if (strstr(t.problem, "did not find expected ',' or") != NULL)
        explain_flow(&t);
    else if (strstr(t.problem, "did not find expected key") != NULL
             || strstr(t.problem, "did not find expected '-'") != NULL)
        explain_key(&t);
    else if (strstr(t.problem, "unknown escape") != NULL)
        explain_escape(&t);
    else
        explain_one_of(&t, parser);
}
