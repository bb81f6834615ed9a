/*
 * junit.h - the result of verify as JUnit XML (the schema that GitLab, Jenkins and GitHub's
 * reporters read).
 */
#ifndef REPORT_JUNIT_H
#define REPORT_JUNIT_H

#include <jansson.h>

#include "base/buf.h"

/* One suite a service, one case a check. */
void report_junit(const json_t *document, struct buf *out);

#endif
