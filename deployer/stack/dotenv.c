#include "stack/dotenv.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

struct cursor {
    struct str text;
    size_t at;
    int line;
    size_t line_start;
    const char *file;
    struct diag_list *diags;
};

static struct place place_at(const struct cursor *c, size_t at)
{
    return (struct place){
        .file = c->file, .line = c->line, .column = (int)(at - c->line_start) + 1
    };
}

static int peek(const struct cursor *c)
{
    return c->at < c->text.len ? (unsigned char)c->text.p[c->at] : -1;
}

static bool is_blank(int ch)
{
    return ch == ' ' || ch == '\t';
}

static void skip_blanks(struct cursor *c)
{
    while (is_blank(peek(c)))
        c->at++;
}

/* Steps over the line end: LF, CR LF or a lone CR. False at the end of the text. */
static bool next_line(struct cursor *c)
{
    const int ch = peek(c);

    if (ch < 0)
        return false;
    c->at++;
    if (ch == '\r' && peek(c) == '\n')
        c->at++;
    c->line++;
    c->line_start = c->at;
    return true;
}

static bool is_line_end(int ch)
{
    return ch < 0 || ch == '\n' || ch == '\r';
}

static void skip_to_line_end(struct cursor *c)
{
    while (!is_line_end(peek(c)))
        c->at++;
}

static bool is_name_char(int ch, bool is_first)
{
    return ch == '_' || (ch < 128 && ch >= 0 && (is_first ? isalpha(ch) : isalnum(ch)));
}

/* The name before the '='; empty after a complaint. */
static struct str read_name(struct cursor *c)
{
    const size_t start = c->at;

    while (!is_line_end(peek(c)) && peek(c) != '=' && !is_blank(peek(c)))
        c->at++;
    const struct str name = str_slice(c->text, start, c->at);

    skip_blanks(c);
    if (peek(c) != '=') {
        AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);
        struct diag *d = NULL;

        /* A line without '=' may be the rest of a broken secret: only a name is shown. */
        for (size_t i = 0; i < name.len && is_name_char(name.p[i], i == 0); i++)
            buf_add_char(&shown, name.p[i]);
        if (name.len > 0 && shown.len == name.len && is_line_end(peek(c)))
            d = diag_add(c->diags, DIAG_ERROR, "dotenv.no-value", place_at(c, start), "",
                    "'%s' has no '=' behind it", buf_text(&shown));
        else
            d = diag_add(c->diags, DIAG_ERROR, "dotenv.syntax", place_at(c, start), "",
                    "is not NAME=VALUE, a comment or empty");
        diag_set_hint(
                c->diags, d, "write NAME=VALUE; a value of several lines stands in double quotes");
        return (struct str){ 0 };
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char((unsigned char)name.p[i], i == 0)) {
            diag_add(c->diags, DIAG_ERROR, "dotenv.name", place_at(c, start + i), "",
                    "a name holds letters, digits and _ and begins with no digit");
            return (struct str){ 0 };
        }
    }
    if (name.len == 0)
        diag_add(c->diags, DIAG_ERROR, "dotenv.no-name", place_at(c, start), "",
                "there is no name before the '='");
    return name;
}

/* What stands behind the closing quote: blanks and a comment, nothing else. */
static void check_tail(struct cursor *c)
{
    skip_blanks(c);
    if (is_line_end(peek(c)) || peek(c) == '#')
        return;
    diag_add(c->diags, DIAG_ERROR, "dotenv.tail", place_at(c, c->at), "",
            "there is more behind the closing quote");
}

static void add_escape(struct cursor *c, struct buf *value)
{
    static const char from[] = "nrt\"\\$`";
    static const char to[] = "\n\r\t\"\\$`";
    const int ch = peek(c);
    const char *known = ch > 0 ? strchr(from, ch) : NULL;

    if (known != NULL) {
        buf_add_char(value, to[known - from]);
        c->at++;
    } else if (ch == '\n' || ch == '\r') {
        next_line(c); /* a backslash at the end joins the lines, as in a shell */
    } else {
        buf_add_char(value, '\\'); /* kept, as in a shell */
    }
}

static bool read_quoted(struct cursor *c, char quote, struct buf *value)
{
    const struct place start = place_at(c, c->at);

    c->at++;
    for (int ch = peek(c); ch >= 0; ch = peek(c)) {
        if (ch == quote) {
            c->at++;
            check_tail(c);
            return true;
        }
        if (ch == '\n' || ch == '\r') {
            next_line(c);
            buf_add_char(value, '\n');
            continue;
        }
        c->at++;
        if (ch == '\\' && quote == '"')
            add_escape(c, value);
        else
            buf_add_char(value, (char)ch);
    }
    diag_add(c->diags, DIAG_ERROR, "dotenv.unclosed", start, "",
            "the quote that begins here is never closed");
    return false;
}

static void read_unquoted(struct cursor *c, struct str name, struct buf *value)
{
    const size_t start = c->at;

    if (peek(c) == '#' && start > 0 && c->text.p[start - 1] == '=') {
        struct diag *d = diag_add(c->diags, DIAG_WARNING, "dotenv.hash", place_at(c, start), "",
                "the value of %.*s begins with '#': some programs read a comment here",
                STR_ARG(name));

        diag_set_hint(c->diags, d, "quote it: %.*s='#...'", STR_ARG(name));
    } else if (peek(c) == '#') {
        return;
    }
    while (!is_line_end(peek(c))
            && !(peek(c) == '#' && c->at > start && is_blank(c->text.p[c->at - 1])))
        c->at++;
    buf_add_str(value, str_trim(str_slice(c->text, start, c->at)));
}

static void check_bytes(struct cursor *c, struct str name, struct place at, struct str value)
{
    if (memchr(value.p, '\0', value.len) != NULL)
        diag_add(c->diags, DIAG_ERROR, "dotenv.nul", at, "", "the value of %.*s holds a NUL byte",
                STR_ARG(name));
    else if (!text_is_utf8(value))
        diag_add(c->diags, DIAG_ERROR, "dotenv.utf8", at, "", "the value of %.*s is not UTF-8",
                STR_ARG(name));
}

static void warn_of_expansion(
        struct cursor *c, struct str name, struct place at, struct str value, char quote)
{
    const ptrdiff_t found = str_find(value, STR("${"));

    if (quote == '\'' || found < 0)
        return;
    struct diag *d = diag_add(c->diags, DIAG_WARNING, "dotenv.expansion", at, "",
            "'${' in the value of %.*s is taken as it is: nothing is expanded here, elsewhere it "
            "may be",
            STR_ARG(name));

    diag_set_hint(c->diags, d, "put the value in single quotes");
}

static void store(struct dotenv *ret, struct cursor *c, struct str name, struct place at,
        const struct buf *value)
{
    struct dotenv_entry *old = (struct dotenv_entry *)(uintptr_t)dotenv_find(ret, name);

    if (old != NULL) {
        diag_add(c->diags, DIAG_WARNING, "dotenv.twice", at, "",
                "%.*s is set twice (first in line %d): this one counts", STR_ARG(name),
                old->place.line);
        explicit_bzero(old->value, strlen(old->value));
        free(old->value);
        old->value = xmemdup0(buf_text(value), value->len);
        old->place = at;
        return;
    }
    if (ret->count == DOTENV_ENTRIES_MAX) {
        diag_add(c->diags, DIAG_ERROR, "dotenv.limit", at, "", "more than %u names",
                DOTENV_ENTRIES_MAX);
        c->at = c->text.len;
        return;
    }
    GROW(ret->entries, ret->count, ret->capacity);
    ret->entries[ret->count++] = (struct dotenv_entry){
        .name = str_dup(name), .value = xmemdup0(buf_text(value), value->len), .place = at
    };
}

static void read_line(struct cursor *c, struct dotenv *ret)
{
    skip_blanks(c);
    if (is_line_end(peek(c)) || peek(c) == '#')
        return;
    if (str_starts(str_slice(c->text, c->at, c->text.len), STR("export")) && c->at + 6 < c->text.len
            && is_blank(c->text.p[c->at + 6])) {
        c->at += 6;
        skip_blanks(c);
    }
    const struct place at = place_at(c, c->at);
    const struct str name = read_name(c);
    struct buf value = { .max_bytes = DOTENV_BYTES_MAX, .is_secret = true };

    if (name.len == 0)
        return;
    c->at++;
    skip_blanks(c);
    const int first = peek(c);
    const char quote = first == '"' || first == '\'' ? (char)first : '\0';
    bool is_read = true;

    if (quote != '\0')
        is_read = read_quoted(c, quote, &value);
    else
        read_unquoted(c, name, &value);
    if (is_read) {
        check_bytes(c, name, at, buf_str(&value));
        warn_of_expansion(c, name, at, buf_str(&value), quote);
        store(ret, c, name, at, &value);
    }
    buf_release(&value);
}

void dotenv_parse(struct str text, const char *file, struct diag_list *diags, struct dotenv *ret)
{
    struct cursor c = { .text = text, .line = 1, .file = file, .diags = diags };

    if (str_starts(text, STR("\xef\xbb\xbf")))
        c.text = str_slice(text, 3, text.len);
    do {
        read_line(&c, ret);
        skip_to_line_end(&c);
    } while (next_line(&c));
}

const struct dotenv_entry *dotenv_find(const struct dotenv *d, struct str name)
{
    for (size_t i = 0; i < d->count; i++) {
        if (str_eq(str_of(d->entries[i].name), name))
            return &d->entries[i];
    }
    return NULL;
}

void dotenv_release(struct dotenv *d)
{
    for (size_t i = 0; i < d->count; i++) {
        explicit_bzero(d->entries[i].value, strlen(d->entries[i].value));
        free(d->entries[i].value);
        free(d->entries[i].name);
    }
    free(d->entries);
    *d = (struct dotenv){ 0 };
}
