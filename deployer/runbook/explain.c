/*
 * explain.c - which runbook a line of a log belongs to.
 */
#include <regex.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "runbook/runbook.h"

#define LINE_MAX_BYTES 16384u

struct runbook_patterns {
    regex_t *compiled;
    size_t count;
};

static void release(void *arg)
{
    struct runbook_patterns *p = arg;

    for (size_t i = 0; i < p->count; i++)
        regfree(&p->compiled[i]);
    free(p->compiled);
    free(p);
}

/* One after the other in the order of the runbooks; each was checked when it was loaded. */
static void compile(struct runbooks *set)
{
    struct runbook_patterns *p = xcalloc(1, sizeof(*p));
    size_t total = 0;

    for (size_t i = 0; i < set->count; i++)
        total += set->items[i].text_count;
    p->compiled = xcalloc(total, sizeof(p->compiled[0]));
    for (size_t i = 0; i < set->count; i++) {
        for (size_t k = 0; k < set->items[i].text_count; k++) {
            if (regcomp(&p->compiled[p->count++], set->items[i].texts[k], REG_EXTENDED) != 0)
                die_oom();
        }
    }
    arena_hook(set->arena, release, p);
    set->patterns = p;
}

/* The length of the longest match of a runbook's patterns, 0 for none. */
static size_t longest_match(
        const struct runbook_patterns *p, size_t first, size_t count, const char *line)
{
    size_t longest = 0;

    for (size_t k = first; k < first + count; k++) {
        regmatch_t m;

        if (regexec(&p->compiled[k], line, 1, &m, 0) != 0)
            continue;
        const size_t len = (size_t)(m.rm_eo - m.rm_so);

        if (len + 1 > longest)
            longest = len + 1;
    }
    return longest;
}

size_t runbook_explain(
        struct runbooks *set, struct str line, const struct runbook **ret, size_t max)
{
    AUTO(free) char *text = str_dup(str_slice(line, 0, LINE_MAX_BYTES));
    size_t *lengths = xcalloc(max, sizeof(*lengths));
    size_t found = 0;
    size_t first = 0;

    if (set->patterns == NULL)
        compile(set);
    for (size_t i = 0; i < set->count; i++) {
        const struct runbook *r = &set->items[i];
        const size_t len = longest_match(set->patterns, first, r->text_count, text);
        size_t at = found;

        first += r->text_count;
        if (len == 0)
            continue;
        while (at > 0 && lengths[at - 1] < len)
            at--;
        if (at == max)
            continue;
        if (found < max)
            found++;
        for (size_t k = found - 1; k > at; k--) {
            lengths[k] = lengths[k - 1];
            ret[k] = ret[k - 1];
        }
        lengths[at] = len;
        ret[at] = r;
    }
    free(lengths);
    return found;
}
