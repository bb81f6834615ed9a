/*
 * firstwrite.h - the checks before the first write (precheck/), for a plan that was made: shown
 * with it, and in the way of an apply that would fail.
 */
#ifndef COMMANDS_FIRSTWRITE_H
#define COMMANDS_FIRSTWRITE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "commands/session.h"

struct firstwrite_options {
    bool is_skipped;             /* --skip-checks */
    const char *images;          /* --images check|skip; NULL: not on a sandbox, which has none */
    struct context_list recover; /* --recover NAME: soft-deleted namesakes that are wanted back */
    struct context_list purge;   /* --purge NAME */
};

/* The entries of a command's option table. */
#define FIRSTWRITE_OPTIONS(o)                                                                      \
    { .name = "skip-checks", .flag = &(o).is_skipped },                                            \
            { .name = "images", .value = &(o).images },                                            \
            { .name = "recover", .list = &(o).recover },                                           \
    {                                                                                              \
        .name = "purge", .list = &(o).purge                                                        \
    }

#define FIRSTWRITE_USAGE                                                                           \
    "      --recover NAME       takes a soft-deleted vault or the like back; repeatable\n"         \
    "      --purge NAME         lets it go for good before its name is used again; repeatable\n"   \
    "      --images check|skip  asks registries for the images (default: not on a sandbox)\n"      \
    "      --skip-checks        without the checks before the first write\n"

/* Before anything is asked or loaded. ERR_USAGE. */
MUST_CHECK struct err *firstwrite_check_options(const struct firstwrite_options *o);
/* Before the plan is made: writes into the documents what takes soft-deleted namesakes back. */
MUST_CHECK struct err *firstwrite_prepare(struct session *s, const struct firstwrite_options *o);
/* After the plan was made. *ret (owned): precheck.h's findings; empty where nothing is to be done.
 */
MUST_CHECK struct err *firstwrite_run(
        struct session *s, const struct firstwrite_options *o, json_t **ret);
/* Lines below a plan. */
void firstwrite_add_text(const json_t *findings, bool has_color, struct buf *out);
/* Once it was agreed to: registers providers, purges what was named, and waits for it. */
MUST_CHECK struct err *firstwrite_carry_out(struct session *s, const json_t *findings);

#endif
