/*
 * dotenv_text.h - writes a line of a .env file so that stack/dotenv.h (and a shell) reads the same
 * value again.
 */
#ifndef REPORT_DOTENV_TEXT_H
#define REPORT_DOTENV_TEXT_H

#include "base/buf.h"

/* NAME='value', or in double quotes with escapes where the value holds ' or a line end. */
void dotenv_text_add(struct buf *out, const char *name, const char *value);

#endif
