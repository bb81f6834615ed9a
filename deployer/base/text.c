#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"

#define SUGGEST_LEN_MAX 64u

/* The length of the well-formed sequence at the head of `s`, or 0. */
static size_t utf8_len(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    const unsigned char c = p[0];
    size_t n = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        n = 2;
    else if (c >= 0xe0 && c <= 0xef)
        n = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        n = 4;
    if (n == 0 || s.len < n)
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return n;
}

/* Whether eight bytes from `at` on are ASCII: most texts are nothing else. */
static bool is_ascii_8(struct str s, size_t at)
{
    uint64_t bytes = 0;

    if (s.len - at < sizeof(bytes))
        return false;
    memcpy(&bytes, s.p + at, sizeof(bytes));
    return (bytes & UINT64_C(0x8080808080808080)) == 0;
}

bool text_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.len;) {
        const size_t n = is_ascii_8(s, i)               ? 8
                         : (unsigned char)s.p[i] < 0x80 ? 1
                                                        : utf8_len(str_slice(s, i, s.len));

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* C1 control characters (U+0080 to U+009F) can drive a terminal just as C0 ones. */
static bool is_control(struct str s, size_t n)
{
    const unsigned char c = (unsigned char)s.p[0];

    if (n == 1)
        return c < 0x20 || c == 0x7f;
    return n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0;
}

void text_add_escaped(struct buf *out, struct str s)
{
    while (s.len > 0) {
        const size_t n = utf8_len(s);
        const size_t taken = n == 0 ? 1 : n;

        if (s.p[0] == '\n') {
            buf_add_text(out, "\\n");
        } else if (s.p[0] == '\t') {
            buf_add_text(out, "\\t");
        } else if (n == 0 || is_control(s, n)) {
            for (size_t i = 0; i < taken; i++)
                buf_addf(out, "\\x%02x", (unsigned)(unsigned char)s.p[i]);
        } else {
            buf_add(out, s.p, n);
        }
        s = str_slice(s, taken, s.len);
    }
}

json_t *text_json(struct str s)
{
    if (text_is_utf8(s)) {
        json_t *j = json_stringn_nocheck(s.p, s.len);

        if (j == NULL)
            die_oom();
        return j;
    }
    AUTO(buf) struct buf escaped = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&escaped, s);
    json_t *j = json_stringn(buf_text(&escaped), escaped.len);

    if (j == NULL)
        die_oom();
    return j;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    const size_t m = a < b ? a : b;

    return m < c ? m : c;
}

static size_t distance(struct str a, struct str b)
{
    size_t rows[3][SUGGEST_LEN_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i - 1) % 3];
        const size_t *earlier = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const int x = tolower((unsigned char)a.p[i - 1]);
            const int y = tolower((unsigned char)b.p[j - 1]);

            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b.p[j - 2])
                    && y == tolower((unsigned char)a.p[i - 2]) && earlier[j - 2] + 1 < now[j])
                now[j] = earlier[j - 2] + 1;
        }
    }
    return rows[a.len % 3][b.len];
}

static bool same_letters(struct str a, struct str b)
{
    size_t i = 0;
    size_t j = 0;

    for (;;) {
        while (i < a.len && !isalnum((unsigned char)a.p[i]))
            i++;
        while (j < b.len && !isalnum((unsigned char)b.p[j]))
            j++;
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len && a.len > 0;
        if (tolower((unsigned char)a.p[i++]) != tolower((unsigned char)b.p[j++]))
            return false;
    }
}

const char *text_article(const char *noun)
{
    return noun[0] != '\0' && strchr("aeioAEIO", noun[0]) != NULL ? "an" : "a"; /* "a user" */
}

const char *text_suggest(struct str wrong, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = 0;

    if (wrong.len == 0 || wrong.len > SUGGEST_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct str word = str_of(words[i]);

        if (word.len == 0 || word.len > SUGGEST_LEN_MAX)
            continue;
        if (same_letters(wrong, word))
            return words[i];
        const size_t longer = wrong.len > word.len ? wrong.len : word.len;
        const size_t shorter = wrong.len > word.len ? word.len : wrong.len;

        if ((longer - shorter) * 3 > longer) /* that many letters are too much by themselves */
            continue;
        const size_t d = distance(wrong, word);

        if (d * 3 <= longer && (best == NULL || d < best_distance)) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}

bool text_eq_loose(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (*a == '\0' || tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return *a == *b;
    }
}

void text_add_list(struct buf *out, const char *const *words, size_t count, size_t max)
{
    for (size_t i = 0; i < count && i < max; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    if (count > max)
        buf_addf(out, "%s... (%zu more)", max > 0 ? ", " : "", count - max);
}

size_t text_columns(struct str s)
{
    size_t columns = 0;

    for (size_t i = 0; i < s.len; i++)
        columns += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return columns;
}
