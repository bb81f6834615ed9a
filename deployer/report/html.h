/*
 * html.h - the result of verify, probe and validate as one HTML file: no scripts, nothing loaded,
 * readable in light and dark and on paper.
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <jansson.h>

#include "base/buf.h"

/* `runbooks`: {ID: Markdown} of those that the findings name, or NULL. */
void report_html(const json_t *document, const json_t *runbooks, struct buf *out);

#endif
