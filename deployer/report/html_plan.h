/*
 * html_plan.h - a plan (the document of plan -o json) as one HTML file, for whoever approves it.
 */
#ifndef REPORT_HTML_PLAN_H
#define REPORT_HTML_PLAN_H

#include <jansson.h>

#include "base/buf.h"

void report_html_plan(const json_t *plan, struct buf *out);

#endif
