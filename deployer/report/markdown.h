/*
 * markdown.h - the result of verify and validate as GitHub-flavoured Markdown (a job's step
 * summary) and as GitHub Actions' annotations (workflow commands).
 */
#ifndef REPORT_MARKDOWN_H
#define REPORT_MARKDOWN_H

#include <jansson.h>

#include "base/buf.h"

void report_markdown(const json_t *document, struct buf *out);
/* One "::error file=...,line=...::text" line a finding and a failed check that none explains. */
void report_github(const json_t *document, const char *stack_file, struct buf *out);

#endif
