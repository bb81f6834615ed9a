/*
 * doc_syntax.h - says libyaml's complaints in the terms of who wrote the file: where, what is wrong
 * there and what to write instead. For doc.c alone.
 */
#ifndef BASE_DOC_SYNTAX_H
#define BASE_DOC_SYNTAX_H

#include "base/diag.h"
#include "base/str.h"

struct yaml_parser_s;

/* Adds what stopped the parser, which was given `text`. */
void doc_syntax_explain(const struct yaml_parser_s *parser, struct str text, const char *file,
        struct diag_list *diags);

#endif
