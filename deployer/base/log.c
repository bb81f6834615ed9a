#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/secret.h"
#include "base/text.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };
_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_TRACE + 1, "one name a level");

static struct {
    enum log_level level;
    enum log_format format;
    void (*around)(void *, bool);
    void *around_arg;
} logger = { .level = LOG_LEVEL_WARN };

void log_setup(enum log_level level, enum log_format format)
{
    logger.level = level;
    logger.format = format;
}

enum log_format log_get_format(void)
{
    return logger.format;
}

struct err *log_parse_level(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (text_eq(name, level_names[i])) {
            *ret = (enum log_level)i;
            return NULL;
        }
    }
    return err_new(
            ERR_USAGE, 0, "--log-level '%s' is not one of error, warn, info, debug, trace", name);
}

bool log_is_on(enum log_level level)
{
    return level <= logger.level;
}

void log_set_hook(void (*around)(void *arg, bool is_before), void *arg)
{
    logger.around = around;
    logger.around_arg = arg;
}

static void format_line(
        struct buf *line, enum log_level level, const char *event, struct buf *message)
{
    if (logger.format == LOG_FORMAT_TEXT) {
        buf_addf(line, "deployer: %s%s", level <= LOG_LEVEL_WARN ? level_names[level] : "",
                level <= LOG_LEVEL_WARN ? ": " : "");
        text_add_escaped(line, buf_str(message));
    } else {
        char now[CLOCK_RFC3339_SIZE];

        clock_rfc3339(clock_wall_ms(), now);
        json_auto_t *o = json_pack("{s:s, s:s, s:s, s:o}", "time", now, "level", level_names[level],
                "event", event, "message", text_json(buf_str(message)));

        jsonx_print(line, o, JSON_COMPACT | JSON_SORT_KEYS);
    }
    buf_add_char(line, '\n');
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    AUTO(buf) struct buf message = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    buf_add_text(&message, text);
    free(text);
    secret_scrub(&message);
    format_line(&line, level, event, &message);
    if (logger.around != NULL)
        logger.around(logger.around_arg, true);
    fwrite(line.p, 1, line.len, stderr);
    if (logger.around != NULL)
        logger.around(logger.around_arg, false);
}
