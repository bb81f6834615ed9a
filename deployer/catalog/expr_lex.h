/*
 * expr_lex.h - the words of an expression.
 */
#ifndef CATALOG_EXPR_LEX_H
#define CATALOG_EXPR_LEX_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum lex_kind { LEX_END, LEX_NAME, LEX_TEXT, LEX_NUMBER, LEX_MARK };

struct lex {
    struct str text;
    size_t at; /* behind the word */
    /* the word */
    enum lex_kind kind;
    size_t offset;
    struct str word;   /* NAME, NUMBER, MARK: as written; TEXT: with its quotes */
    struct buf quoted; /* TEXT: its value */
};

/* Moves to the next word. ERR_CONFIG; `offset` is where then. */
MUST_CHECK struct err *lex_next(struct lex *l);
/* Whether the word is this mark, which has one or two characters. */
bool lex_is(const struct lex *l, const char *mark);

#endif
