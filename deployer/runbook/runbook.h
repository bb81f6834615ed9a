/*
 * runbook.h - the runbooks: loaded from Markdown with front matter (docs/runbooks.md), matched on
 * evidence and on texts, turned into findings. No I/O but the reading of a folder; what is embedded
 * in the binary is handed in.
 */
#ifndef RUNBOOK_RUNBOOK_H
#define RUNBOOK_RUNBOOK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"
#include "base/str.h"

#define RUNBOOK_BYTES_MAX (256u << 10)

enum runbook_severity { RUNBOOK_ERROR, RUNBOOK_WARNING, RUNBOOK_NOTE };

const char *runbook_severity_name(enum runbook_severity severity);

struct runbook {
    const char *id; /* "RED-001" */
    const char *title;
    const char *area;
    const char *file; /* "runbooks/RED-001-cluster-redirect.md" */
    enum runbook_severity severity;
    bool is_likely; /* certainty: likely */
    int rank;
    const char *const *texts; /* patterns */
    size_t text_count;
    const json_t *when; /* conditions, or NULL */
    const json_t *lint; /* or NULL */
    struct place lint_place;
    const char *const *explains; /* ids */
    size_t explains_count;
    const char *cause; /* with ${FACT}, or NULL */
    const char *fix;
    const char *body; /* Markdown behind the front matter */
    struct place place;
};

struct runbooks {
    struct arena *arena;   /* borrowed */
    struct runbook *items; /* by id */
    size_t count;
    size_t capacity;
    struct runbook_patterns *patterns; /* compiled when first asked; freed with the arena */
};

/* Reads one file's text into the set; what is wrong goes to diags. The same id replaces. */
void runbook_add(struct runbooks *set, struct str text, const char *file, struct diag_list *diags);
/*
 * The same with a file whose front matter was read before, and whose form the tests check: what is
 * built in. Keeps all that it is given.
 */
void runbook_add_read(struct runbooks *set, const struct doc_node *front, const char *body,
        const char *file, struct diag_list *diags);
/* All *.md of a folder. ERR_NOINPUT when there is none. */
MUST_CHECK struct err *runbook_add_folder(
        struct runbooks *set, const char *dir, struct diag_list *diags);
/* After the last one: sorts, and checks that every id in `explains` exists. */
void runbook_finish(struct runbooks *set, struct diag_list *diags);
/* By id, without regard to case; NULL. */
const struct runbook *runbook_find(const struct runbooks *set, const char *id);
/* A section of the body by its heading ("Fix"), without the heading; an empty str if there is none.
 */
struct str runbook_section(const struct runbook *r, const char *heading);

/*
 * The findings on the evidence of one check, most important first: [{"runbook", "title",
 * "severity", "certainty", "cause", "fix", "evidence": [...], "checks": [name], "service",
 * "endpoint"}]. `check` and `service` fill the texts; NULL is accepted. Owned.
 */
MUST_CHECK json_t *runbook_match(
        const struct runbooks *set, const json_t *evidence, const char *check, const char *service);
/*
 * The findings of all checks (each an object with "findings") as one list: the same runbook on one
 * endpoint once with all its checks, consequences left out. Owned.
 */
MUST_CHECK json_t *runbook_merge(const struct runbooks *set, const json_t *checks);
/*
 * The runbooks whose texts match a line, at most `max`, the longest match first. Returns how many.
 * A line is cut to 16 KiB.
 */
size_t runbook_explain(
        struct runbooks *set, struct str line, const struct runbook **ret, size_t max);
/* Fills ${FACT}, ${A|B}, ${A|'text'} from evidence; owned. */
MUST_CHECK char *runbook_fill(const char *text, const json_t *evidence);

#endif
