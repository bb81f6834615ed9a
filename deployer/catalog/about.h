/*
 * about.h - the inside of expand.c: which resources a check is about (docs/catalog.md, "checks").
 */
#ifndef CATALOG_ABOUT_H
#define CATALOG_ABOUT_H

#include "catalog/expand.h"

/*
 * Reads `about: [RESOURCE, need.NAME, need.NAME.RESOURCE]` of a check into its addresses. What the
 * stack does not have (an unbound need, `when: false`) is left out.
 */
void about_read(struct scope *s, const struct doc_node *list, const char *path, struct check *ret);

#endif
