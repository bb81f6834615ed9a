/*
 * plan_text.h - a plan for people: a second to read, not a page. What stays as it is isn't listed,
 * what is made or goes takes a line a service, what changes shows each property. What can't be
 * taken back (data, downtime) stands out.
 */
#ifndef REPORT_PLAN_TEXT_H
#define REPORT_PLAN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "plan/plan.h"

struct plan_text {
    const struct plan *plan;
    bool has_color;
    bool has_drift;  /* list what others changed, too */
    size_t width;    /* columns */
    bool is_destroy; /* data loss and deletion are what was asked for: said once, not at each */
};

void plan_text_write(const struct plan_text *t, struct buf *out);
/* "Plan: 3 to create, 1 to change, 0 to delete, 40 unchanged". */
void plan_text_summary(const struct plan_text *t, struct buf *out);
/* Resources whose data would be lost, and those that are not to be had for a while. */
void plan_text_risks(const struct plan_text *t, struct buf *out);

#endif
