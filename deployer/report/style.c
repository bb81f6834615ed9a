#include "report/style.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"

#define WIDTH_DEFAULT 100u
#define WIDTH_MIN 40u

static const char *const codes[] = {
    [STYLE_PLAIN] = "",
    [STYLE_BOLD] = "\033[1m",
    [STYLE_DIM] = "\033[2m",
    [STYLE_GOOD] = "\033[32m",
    [STYLE_BAD] = "\033[31m",
    [STYLE_WARN] = "\033[33m",
    [STYLE_CHANGE] = "\033[36m",
};

void style_add(struct buf *out, bool has_color, enum style style, const char *text)
{
    const bool is_styled = has_color && style != STYLE_PLAIN;

    if (is_styled)
        buf_add_text(out, codes[style]);
    text_add_escaped(out, str_of(text));
    if (is_styled)
        buf_add_text(out, "\033[0m");
}

void style_addf(struct buf *out, bool has_color, enum style style, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *text = xvasprintf(fmt, ap);

    va_end(ap);
    style_add(out, has_color, style, text);
}

void style_pad(struct buf *out, size_t used, size_t column)
{
    do {
        buf_add_char(out, ' ');
        used++;
    } while (used < column);
}

void style_wrap(
        struct buf *out, const char *const *words, size_t count, size_t indent, size_t width)
{
    size_t column = indent;

    for (size_t i = 0; i < count; i++) {
        const size_t len = text_columns(str_of(words[i])) + (i + 1 < count ? 1 : 0);

        if (i > 0 && column + 1 + len > width) {
            buf_add_char(out, '\n');
            for (size_t k = 0; k < indent; k++)
                buf_add_char(out, ' ');
            column = indent;
        } else if (i > 0) {
            buf_add_char(out, ' ');
            column++;
        }
        text_add_escaped(out, str_of(words[i]));
        if (i + 1 < count)
            buf_add_char(out, ',');
        column += len;
    }
}

static void add_cut(struct buf *out, const char *text, size_t max)
{
    AUTO(buf) struct buf safe = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&safe, str_of(text));
    if (safe.len <= max) {
        buf_add_str(out, buf_str(&safe));
        return;
    }
    size_t keep = max > 3 ? max - 3 : max;

    while (keep > 0 && ((unsigned char)safe.p[keep] & 0xc0u) == 0x80u)
        keep--; /* not within a character */
    buf_add(out, safe.p, keep);
    buf_add_text(out, "...");
}

/* Marks anywhere in a composed value are words too. */
static json_t *with_words(const json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (json_is_array(value)) {
        json_t *list = jsonx_must(json_array());

        json_array_foreach ((json_t *)(uintptr_t)value, i, member)
            json_array_append_new(list, with_words(member));
        return list;
    }
    if (!json_is_object(value))
        return json_incref((json_t *)(uintptr_t)value);
    if (json_object_size(value) == 1 && json_object_get(value, "$secret") != NULL)
        return jsonx_must(json_string("(secret)"));
    if (json_object_size(value) == 1 && json_object_get(value, "$unknown") != NULL)
        return jsonx_must(json_string("(known after apply)"));
    json_t *object = jsonx_must(json_object());

    json_object_foreach ((json_t *)(uintptr_t)value, key, member)
        json_object_set_new(object, key, with_words(member));
    return object;
}

void style_value(struct buf *out, const json_t *value, size_t max)
{
    json_auto_t *shown = value == NULL ? NULL : with_words(value);

    if (shown == NULL) {
        buf_add_text(out, "(none)");
    } else if (json_is_string(shown) && !json_is_string(value)) {
        buf_add_text(out, json_string_value(shown));
    } else {
        AUTO(free) char *text = jsonx_dump(shown);

        add_cut(out, text, max);
    }
}

void style_flow(struct buf *out, struct str text, size_t indent, size_t width)
{
    AUTO(buf) struct buf escaped = BUF_INIT(BUF_TEXT_MAX);
    size_t column = indent;

    text_add_escaped(&escaped, text);
    struct str rest = buf_str(&escaped);

    while (rest.p != NULL) {
        const struct str word = str_cut(&rest, ' ');
        const size_t len = text_columns(word);

        if (column > indent && column + 1 + len > width) {
            buf_addf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add_str(out, word);
        column += len;
    }
}

size_t style_width(int fd)
{
    struct winsize size = { 0 };

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}
