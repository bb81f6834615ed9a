/*
 * log.h - what the program says while it works: one line an event on stderr, as text or as JSON.
 * Every line is scrubbed of live secrets and escaped. Not for results (report/) and not for errors
 * that end a command (commands/). Main thread only.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_TRACE
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The start is WARN as text on stderr. */
void log_setup(enum log_level level, enum log_format format);
enum log_format log_get_format(void);
/* ERR_USAGE with the accepted words for an unknown name. */
MUST_CHECK struct err *log_parse_level(const char *name, enum log_level *ret);
bool log_is_on(enum log_level level);
/*
 * One line; `event` is a stable word for machines ("http.retry"), the text is for people.
 * A line begins with "deployer: " in text.
 */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A hook that is called before and after a line goes out (to redraw a progress display). */
void log_set_hook(void (*around)(void *arg, bool is_before), void *arg);

#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#endif
