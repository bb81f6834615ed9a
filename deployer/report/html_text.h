/*
 * html_text.h - text and a runbook's Markdown as HTML. Whatever comes in, what goes out is text: no
 * markup of the input survives, and nothing in it leads out of the file.
 */
#ifndef REPORT_HTML_TEXT_H
#define REPORT_HTML_TEXT_H

#include "base/buf.h"
#include "base/str.h"

/* Escaped, for text and quoted attributes of HTML and XML. NULL is accepted. */
void html_add(struct buf *out, const char *text);
void html_add_str(struct buf *out, struct str text);
/*
 * Headings, paragraphs, lists, code (indented or fenced), `code` and **strong** of Markdown; tables
 * and all else are told as they are. The text of links stays, where they lead to is dropped.
 */
void html_add_markdown(struct buf *out, struct str text);

#endif
