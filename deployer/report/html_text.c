#include "report/html_text.h"

#include "base/text.h"

void html_add_str(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.p[i]) {
        case '<':
            buf_add_text(out, "&lt;");
            break;
        case '>':
            buf_add_text(out, "&gt;");
            break;
        case '&':
            buf_add_text(out, "&amp;");
            break;
        case '"':
            buf_add_text(out, "&quot;");
            break;
        case '\'':
            buf_add_text(out, "&#39;");
            break;
        default:
            buf_add_char(out, text.p[i]);
        }
    }
}

void html_add(struct buf *out, const char *text)
{
    AUTO(buf) struct buf safe = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&safe, str_of(text));
    html_add_str(out, buf_str(&safe));
}

/* ---- inside of a line ---- */

/* The part up to `end`; *rest goes behind it. False: there is no end. */
static bool take_until(struct str *rest, const char *end, struct str *ret)
{
    const ptrdiff_t at = str_find(*rest, str_of(end));

    if (at < 0)
        return false;
    *ret = str_slice(*rest, 0, (size_t)at);
    *rest = str_slice(*rest, (size_t)at + strlen(end), rest->len);
    return true;
}

/* "[text](target)": the text. */
static bool add_link(struct buf *out, struct str *rest)
{
    struct str tail = str_slice(*rest, 1, rest->len);
    struct str text;
    struct str target;

    if (!take_until(&tail, "](", &text) || !take_until(&tail, ")", &target))
        return false;
    html_add_str(out, text);
    *rest = tail;
    return true;
}

static bool add_span(struct buf *out, struct str *rest, const char *mark, const char *tag)
{
    struct str tail = str_slice(*rest, strlen(mark), rest->len);
    struct str text;

    if (!str_starts(*rest, str_of(mark)) || !take_until(&tail, mark, &text))
        return false;
    buf_addf(out, "<%s>", tag);
    html_add_str(out, text);
    buf_addf(out, "</%s>", tag);
    *rest = tail;
    return true;
}

static void add_inline(struct buf *out, struct str text)
{
    while (text.len > 0) {
        if (add_span(out, &text, "`", "code") || add_span(out, &text, "**", "strong")
                || (text.p[0] == '[' && add_link(out, &text)))
            continue;
        html_add_str(out, str_slice(text, 0, 1));
        text = str_slice(text, 1, text.len);
    }
}

/* ---- lines ---- */

enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_LIST, BLOCK_CODE };

struct writer {
    struct buf *out;
    enum block block;
    bool is_fenced;
};

static const char *const ends[] = { [BLOCK_NONE] = "",
    [BLOCK_TEXT] = "</p>\n",
    [BLOCK_LIST] = "</li></ul>\n",
    [BLOCK_CODE] = "</pre>\n" };
static const char *const starts[] = {
    [BLOCK_NONE] = "", [BLOCK_TEXT] = "<p>", [BLOCK_LIST] = "<ul><li>", [BLOCK_CODE] = "<pre>"
};

/* Closes what is open unless it goes on; true: something new began. */
static bool enter(struct writer *w, enum block block)
{
    if (w->block == block)
        return false;
    buf_add_text(w->out, ends[w->block]);
    buf_add_text(w->out, starts[block]);
    w->block = block;
    return true;
}

static bool is_item(struct str line)
{
    return str_starts(line, STR("- ")) || str_starts(line, STR("* "));
}

static void add_code(struct writer *w, struct str line)
{
    if (!enter(w, BLOCK_CODE))
        buf_add_char(w->out, '\n');
    html_add_str(w->out, line);
}

static void add_line(struct writer *w, struct str line)
{
    const struct str text = str_trim(line);

    if (str_starts(text, STR("```"))) {
        w->is_fenced = !w->is_fenced;
        enter(w, BLOCK_NONE);
    } else if (w->is_fenced) {
        add_code(w, line);
    } else if (text.len == 0) {
        if (w->block != BLOCK_CODE)
            enter(w, BLOCK_NONE);
    } else if (str_starts(line, STR("    ")) && w->block != BLOCK_LIST) {
        add_code(w, str_slice(line, 4, line.len));
    } else if (str_starts(line, STR("## ")) || str_starts(line, STR("# "))) {
        enter(w, BLOCK_NONE);
        buf_add_text(w->out, "<h4>");
        add_inline(w->out, str_trim(str_slice(line, line.p[1] == '#' ? 3 : 2, line.len)));
        buf_add_text(w->out, "</h4>\n");
    } else if (is_item(text)) {
        if (!enter(w, BLOCK_LIST))
            buf_add_text(w->out, "</li><li>");
        add_inline(w->out, str_slice(text, 2, text.len));
    } else {
        if (w->block != BLOCK_LIST && !enter(w, BLOCK_TEXT))
            buf_add_char(w->out, ' ');
        else if (w->block == BLOCK_LIST)
            buf_add_char(w->out, ' ');
        add_inline(w->out, text);
    }
}

void html_add_markdown(struct buf *out, struct str text)
{
    AUTO(buf) struct buf safe = BUF_INIT(BUF_TEXT_MAX);
    struct writer w = { .out = out };

    while (text.p != NULL) {
        buf_clear(&safe);
        text_add_escaped(&safe, str_cut(&text, '\n'));
        add_line(&w, buf_str(&safe));
    }
    enter(&w, BLOCK_NONE);
}
