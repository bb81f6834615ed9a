#include "catalog/expr_lex.h"

#include <string.h>

#include "base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct lex *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.p[l->at + ahead] : '\0';
}

static void add_utf8(struct buf *out, unsigned code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | (code >> 6)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xe0 | (code >> 12)));
        buf_add_char(out, (char)(0x80 | ((code >> 6) & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Four hex digits behind \u; surrogates and NUL are refused: the text can be written as it is. */
static struct err *read_code(struct lex *l)
{
    unsigned code = 0;

    for (size_t i = 0; i < 4; i++) {
        const char c = peek(l, i);
        const char *digits = "0123456789abcdef";
        const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        const char *at = lower == '\0' ? NULL : strchr(digits, lower);

        if (at == NULL)
            return err_new(ERR_CONFIG, 0, "\\u wants four hexadecimal digits, such as \\u00e9");
        code = code * 16 + (unsigned)(at - digits);
    }
    l->at += 4;
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        return err_new(ERR_CONFIG, 0, "\\u%04x is not a character", code);
    add_utf8(&l->quoted, code);
    return NULL;
}

static struct err *unknown_escape(const struct lex *l)
{
    AUTO(buf) struct buf shown = BUF_INIT(64);

    text_add_escaped(&shown, str_slice(l->text, l->at - 1, l->at));
    return err_new(ERR_CONFIG, 0,
            "\\%s is no escape: there are \\\\ \\' \\\" \\$ \\n \\t \\r and \\u with four digits",
            buf_text(&shown));
}

static struct err *read_escape(struct lex *l)
{
    const char c = peek(l, 0);

    l->at++;
    if (c == 'u')
        return read_code(l);
    if (c == 'n' || c == 't' || c == 'r')
        buf_add_char(&l->quoted, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
    else if (c != '\0' && strchr("\\'\"$", c) != NULL)
        buf_add_char(&l->quoted, c);
    else
        return unknown_escape(l);
    return NULL;
}

static struct err *read_text(struct lex *l)
{
    const char quote = peek(l, 0);

    l->at++;
    buf_clear(&l->quoted);
    while (l->at < l->text.len && l->text.p[l->at] != quote) {
        const char c = l->text.p[l->at++];

        if (c == '\0')
            return err_new(ERR_CONFIG, 0, "a text holds a NUL byte");
        if (c == '\\')
            TRY(read_escape(l));
        else
            buf_add_char(&l->quoted, c);
    }
    if (l->at >= l->text.len)
        return err_new(ERR_CONFIG, 0, "a text does not end: %c is missing", quote);
    l->at++;
    if (!text_is_utf8(buf_str(&l->quoted)))
        return err_new(ERR_CONFIG, 0, "a text is not UTF-8");
    return buf_check(&l->quoted, "a text");
}

static void read_number(struct lex *l)
{
    l->at++;
    while (is_digit(peek(l, 0)))
        l->at++;
    if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
        l->at++;
        while (is_digit(peek(l, 0)))
            l->at++;
    }
}

static size_t mark_len(char first, char second)
{
    const bool is_doubled = first == second && strchr("=&|?", first) != NULL;

    if (is_doubled || (second == '=' && strchr("!<>", first) != NULL))
        return 2;
    return strchr("<>!?:()[]{},.", first) != NULL ? 1 : 0;
}

static struct err *read_mark(struct lex *l)
{
    const char first = peek(l, 0);
    const size_t len = first == '\0' ? 0 : mark_len(first, peek(l, 1));

    l->at += len;
    if (len > 0)
        return NULL;
    AUTO(buf) struct buf shown = BUF_INIT(64);

    text_add_escaped(&shown, str_slice(l->text, l->at, l->at + 1));
    if (first == '$' && peek(l, 1) == '{')
        return err_new(ERR_CONFIG, 0, "another '${' before the first one ended: a '}' is missing");
    if (first == '=')
        return err_new(ERR_CONFIG, 0, "'=' is no operator: write ==");
    return err_new(ERR_CONFIG, 0, "'%s' can't stand here", buf_text(&shown));
}

struct err *lex_next(struct lex *l)
{
    while (l->at < l->text.len && strchr(" \t\r\n", peek(l, 0)) != NULL && peek(l, 0) != '\0')
        l->at++;
    const char c = peek(l, 0);

    l->offset = l->at;
    l->word = (struct str){ .p = l->text.p + l->at, .len = 0 };
    l->kind = LEX_MARK;
    if (l->at >= l->text.len) {
        l->kind = LEX_END;
        return NULL;
    }
    if (is_letter(c)) {
        l->kind = LEX_NAME;
        while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)) || peek(l, 0) == '-')
            l->at++;
    } else if (c == '\'' || c == '"') {
        l->kind = LEX_TEXT;
        TRY(read_text(l));
    } else if (is_digit(c) || (c == '-' && is_digit(peek(l, 1)))) {
        l->kind = LEX_NUMBER;
        read_number(l);
    } else {
        TRY(read_mark(l));
    }
    l->word.len = l->at - l->offset;
    return NULL;
}

bool lex_is(const struct lex *l, const char *mark)
{
    return l->kind == LEX_MARK && l->word.p[0] == mark[0]
           && (mark[1] == '\0' ? l->word.len == 1 : l->word.len == 2 && l->word.p[1] == mark[1]);
}
