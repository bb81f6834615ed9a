/*
 * cancel.h - INT and TERM as a flag and a file descriptor to poll. The first signal asks for an
 * orderly end (record what is under way, exit within five seconds), the second ends at once.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdbool.h>

#include "base/err.h"

/* Installs the handlers. Call once, before threads. SIGPIPE is ignored from then on. */
void cancel_install(void);
bool cancel_is_asked(void);
/* Readable from the first signal on; never read from it. -1 before cancel_install. */
int cancel_fd(void);
/* NULL, or ERR_CANCELED whose code is the exit status (128 + signal). */
MUST_CHECK struct err *cancel_check(void);

#endif
