/*
 * html_page.h - what all pages have: head, style, heading and foot.
 */
#ifndef REPORT_HTML_PAGE_H
#define REPORT_HTML_PAGE_H

#include "base/buf.h"

/* Up to the heading, which says `title`, and open behind it. */
void html_page_begin(struct buf *out, const char *title);
void html_page_end(struct buf *out, const char *foot);

#endif
