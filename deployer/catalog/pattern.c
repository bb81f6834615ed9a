#include "catalog/pattern.h"

#include <regex.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define STEPS_MAX 20000u
#define DEPTH_MAX 400u

/* Backtracking with what is still to be matched as a chain of continuations. */
struct matcher {
    unsigned steps, depth;
    bool is_lost; /* met something unknown */
};

struct rest {
    const char *p, *end; /* pattern that follows */
    const struct rest *up;
    /* or, behind an atom that repeats: */
    const struct atom *atom;
    unsigned count;
    const char *from; /* where this round began: an empty one ends it */
};

struct atom {
    const char *p, *end; /* without quantifier */
    unsigned min, max;
    const char *behind; /* the quantifier */
    const char *sequence_end;
};

static bool match_here(
        struct matcher *m, const char *p, const char *end, const char *s, const struct rest *up);

/* The end of a [class], behind its ]; NULL if there is none or it holds [:alpha:] or the like. */
static const char *class_end(const char *p, const char *end)
{
    p++;
    if (p < end && *p == '^')
        p++;
    if (p < end && *p == ']')
        p++;
    while (p < end && *p != ']') {
        if (*p == '[' && p + 1 < end && strchr(":.=", p[1]) != NULL)
            return NULL;
        p++;
    }
    return p < end ? p + 1 : NULL;
}

static bool in_class(const char *p, const char *end, unsigned char c)
{
    const bool is_inverse = p[1] == '^';
    const char *at = p + 1 + is_inverse;
    bool is_in = false;

    end--; /* the ] */
    for (; at < end; at++) {
        const unsigned char low = (unsigned char)*at;

        if (at + 2 < end && at[1] == '-') {
            is_in = is_in || (c >= low && c <= (unsigned char)at[2]);
            at += 2;
        } else {
            is_in = is_in || c == low;
        }
    }
    return is_in != is_inverse;
}

/* The end of a (group), behind its ). */
static const char *group_end(const char *p, const char *end)
{
    unsigned open = 0;

    while (p < end) {
        if (*p == '\\') {
            p += 2;
            continue;
        }
        if (*p == '[') {
            p = class_end(p, end);
            if (p == NULL)
                return NULL;
            continue;
        }
        open += *p == '(';
        open -= *p == ')';
        p++;
        if (open == 0)
            return p;
    }
    return NULL;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static const char *atom_end(const char *p, const char *end)
{
    if (is_word(*p))
        return p + 1;
    if (*p == '[')
        return class_end(p, end);
    if (*p == '(')
        return group_end(p, end);
    if (*p == '\\')
        return p + 1 < end && strchr(".[]{}()*+?^$|\\/-", p[1]) != NULL ? p + 2 : NULL;
    return strchr("*+?{)", *p) != NULL ? NULL : p + 1;
}

static const char *read_count(const char *p, const char *end, unsigned *ret)
{
    unsigned n = 0;

    while (p < end && *p >= '0' && *p <= '9' && n < 10000)
        n = n * 10 + (unsigned)(*p++ - '0');
    *ret = n;
    return p;
}

/* Sets min, max and behind; false for what is no quantifier of ours. */
static bool read_quantifier(struct atom *a, const char *end)
{
    const char *p = a->end;

    a->min = a->max = 1;
    a->behind = p;
    if (p >= end || is_word(*p))
        return true;
    if (*p == '*' || *p == '+' || *p == '?') {
        a->min = *p == '+';
        a->max = *p == '?' ? 1 : 100000;
        a->behind = p + 1;
    } else if (*p == '{') {
        p = read_count(p + 1, end, &a->min);
        a->max = a->min;
        if (p < end && *p == ',') {
            p = read_count(p + 1, end, &a->max);
            if (p[-1] == ',')
                a->max = 100000;
        }
        if (p >= end || *p != '}')
            return false;
        a->behind = p + 1;
    }
    return a->behind >= end || strchr("*+?{", *a->behind) == NULL;
}

/* What follows when a sequence is used up. */
static bool match_rest(struct matcher *m, const char *s, const struct rest *rest);

static bool match_rounds(struct matcher *m, const struct atom *a, unsigned done, const char *s,
        const struct rest *up);

static bool match_single(const struct atom *a, const char *s)
{
    if (*s == '\0')
        return false;
    if (*a->p == '[')
        return in_class(a->p, a->end, (unsigned char)*s);
    if (*a->p == '\\')
        return *s == a->p[1];
    return *a->p == '.' || *a->p == *s;
}

/* The alternatives of a group, each followed by the next round of the atom. */
static bool match_group(struct matcher *m, const struct atom *a, unsigned done, const char *s,
        const struct rest *up)
{
    const struct rest next = { .up = up, .atom = a, .count = done + 1, .from = s };
    const char *last = a->end - 1;
    const char *from = a->p + 1;

    for (const char *p = from; p <= last; p++) {
        if (p < last && *p != '|') {
            const char *behind = atom_end(p, last);

            p = behind == NULL ? p : behind - 1;
            continue;
        }
        if (match_here(m, from, p, s, &next))
            return true;
        from = p + 1;
    }
    return false;
}

/* One-character atoms repeat in a loop: longest first. */
static bool match_singles(
        struct matcher *m, const struct atom *a, const char *s, const struct rest *up)
{
    unsigned n = 0;

    while (n < a->max && match_single(a, s + n))
        n++;
    for (unsigned k = n + 1; k > a->min; k--) {
        if (match_here(m, a->behind, a->sequence_end, s + k - 1, up))
            return true;
    }
    return false;
}

static bool match_rounds(struct matcher *m, const struct atom *a, unsigned done, const char *s,
        const struct rest *up)
{
    if (done < a->max && match_group(m, a, done, s, up))
        return true;
    return done >= a->min && match_here(m, a->behind, a->sequence_end, s, up);
}

static bool match_rest(struct matcher *m, const char *s, const struct rest *rest)
{
    if (rest == NULL)
        return true;
    if (rest->atom == NULL)
        return match_here(m, rest->p, rest->end, s, rest->up);
    if (s == rest->from && rest->count > rest->atom->min)
        return false; /* a round that matched nothing */
    return match_rounds(m, rest->atom, rest->count, s, rest->up);
}

static bool match_step(
        struct matcher *m, const char *p, const char *end, const char *s, const struct rest *up)
{
    struct atom a = { .p = p, .sequence_end = end };

    if (p >= end)
        return match_rest(m, s, up);
    if (*p == '$' && p + 1 == end)
        return *s == '\0' && match_rest(m, s, up);
    if (*p == '^' || *p == '$' || *p == '|') {
        m->is_lost = true;
        return false;
    }
    a.end = atom_end(p, end);
    if (a.end == NULL || !read_quantifier(&a, end)) {
        m->is_lost = true;
        return false;
    }
    return *p == '(' ? match_rounds(m, &a, 0, s, up) : match_singles(m, &a, s, up);
}

static bool match_here(
        struct matcher *m, const char *p, const char *end, const char *s, const struct rest *up)
{
    if (m->is_lost || m->steps++ > STEPS_MAX || m->depth > DEPTH_MAX) {
        m->is_lost = true;
        return false;
    }
    m->depth++;
    const bool is_match = match_step(m, p, end, s, up);

    m->depth--;
    return is_match;
}

/* The end of the alternative that begins at `p`: a | outside of all groups. NULL: not ours. */
static const char *alternative_end(const char *p, const char *end)
{
    while (p < end && *p != '|') {
        p = strchr("*+?{}$^)", *p) != NULL ? p + 1 : atom_end(p, end);
        if (p == NULL)
            return NULL;
    }
    return p;
}

/* One alternative anywhere in the text, or with a ^ at its beginning. */
static bool find(struct matcher *m, const char *p, const char *end, const char *text)
{
    struct atom first = { .p = p, .sequence_end = end };

    if (*p == '^')
        return match_here(m, p + 1, end, text, NULL);
    first.end = strchr("($", *p) != NULL ? NULL : atom_end(p, end);
    const bool is_single = first.end != NULL && read_quantifier(&first, end) && first.min > 0;

    for (const char *s = text; !m->is_lost; s++) {
        if ((!is_single || match_single(&first, s)) && match_here(m, p, end, s, NULL))
            return true;
        if (*s == '\0')
            break;
    }
    return false;
}

enum pattern_answer pattern_match(const char *pattern, const char *text)
{
    struct matcher m = { 0 };
    const char *end = pattern + strlen(pattern);

    for (const unsigned char *c = (const unsigned char *)pattern; *c != '\0'; c++) {
        if (*c >= 0x80)
            return PATTERN_UNKNOWN;
    }
    for (const char *p = pattern;; p++) {
        const char *behind = alternative_end(p, end);

        if (behind == NULL || behind == p)
            return PATTERN_UNKNOWN;
        const bool is_match = find(&m, p, behind, text);

        if (m.is_lost)
            return PATTERN_UNKNOWN;
        if (is_match)
            return PATTERN_YES;
        p = behind;
        if (p == end)
            return PATTERN_NO;
    }
}

bool pattern_found(const char *pattern, const char *text)
{
    const enum pattern_answer quick = pattern_match(pattern, text);
    regex_t compiled;

    if (quick != PATTERN_UNKNOWN)
        return quick == PATTERN_YES;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool is_found = regexec(&compiled, text, 0, NULL, 0) == 0;

    regfree(&compiled);
    return is_found;
}
