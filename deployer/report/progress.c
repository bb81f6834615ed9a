#include "report/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "report/style.h"

#define ROWS_MAX 10u
#define NAME_COLUMN 40u
/* An estimate says something only for what takes a while. */
#define ESTIMATE_MIN_MINUTES 0.5
#define QUIET_ROWS_MAX 3u

struct progress {
    bool has_color;
    bool is_live;
    const struct engine *engine;
    const char *stage;
    double scale; /* of usual times */
    char *detail; /* of the stage */
    int64_t began_ms;
    int64_t quiet_ms;
    int64_t said_ms; /* when the last line was written */
    size_t rows;     /* of the block that stands on the screen */
    unsigned frame;
};

static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };

/* ---- the block ---- */

static void put(struct buf *out)
{
    secret_scrub(out);
    fwrite(out->p == NULL ? "" : out->p, 1, out->len, stderr);
    fflush(stderr);
}

static void add_erase(struct progress *p, struct buf *out)
{
    if (p->rows > 0)
        buf_addf(out, "\033[%zuA\033[J", p->rows);
    p->rows = 0;
}

static void end_row(struct progress *p, struct buf *out, size_t start, size_t width)
{
    struct str row = str_slice(buf_str(out), start, out->len);

    /* Escapes take bytes and no columns; a row that could wrap is cut without colours. */
    if (!p->has_color && text_columns(row) >= width) {
        size_t keep = start + width - 1;

        while (keep > start && ((unsigned char)out->p[keep] & 0xc0u) == 0x80u)
            keep--;
        buf_truncate(out, keep);
    }
    buf_add_char(out, '\n');
    p->rows++;
}

static const char *verb(const struct engine_node *n)
{
    switch (n->action) {
    case PLAN_CREATE:
        return "create";
    case PLAN_REPLACE:
        return "replace";
    case PLAN_DELETE:
        return "delete";
    case PLAN_ADOPT:
        return "adopt";
    case PLAN_FORGET:
        return "forget";
    case PLAN_RESET:
        return "reset";
    case PLAN_UPDATE:
    case PLAN_NONE:
    case PLAN_MOVE:
    case PLAN_READ:
    case PLAN_UNKNOWN:
        break;
    }
    return "change";
}

/* "12 min", "40 s": an estimate has no seconds behind its minutes. */
static void usual_text(double minutes, char ret[CLOCK_DURATION_SIZE])
{
    if (minutes >= 1)
        snprintf(ret, CLOCK_DURATION_SIZE, "%.0f min", minutes);
    else
        snprintf(ret, CLOCK_DURATION_SIZE, "%.0f s", minutes * 60);
}

static void add_running(struct progress *p, const struct engine_node *n, struct buf *out)
{
    const size_t width = style_width(STDERR_FILENO);
    const size_t start = out->len;
    const int64_t elapsed = clock_now_ms() - n->started_ms;
    char text[CLOCK_DURATION_SIZE];

    buf_add_text(out, "  ");
    style_add(out, p->has_color, STYLE_CHANGE, frames[p->frame % ARRAY_LEN(frames)]);
    buf_addf(out, " %s", n->address);
    style_pad(out, 4 + text_columns(str_of(n->address)), NAME_COLUMN);
    clock_duration(elapsed, text);
    buf_addf(out, "%-12s", text);
    if (n->item != NULL && n->item->minutes * p->scale >= ESTIMATE_MIN_MINUTES) {
        usual_text(n->item->minutes * p->scale, text);
        style_addf(out, p->has_color, STYLE_DIM, "usually %-8s", text);
    }
    const size_t used = text_columns(str_slice(buf_str(out), start, out->len));
    const char *doing = n->doing == NULL ? verb(n) : n->doing;
    const size_t room = width > used + 2 ? width - used - 2 : 0;

    style_addf(out, p->has_color, STYLE_DIM, "%.*s", (int)room, doing);
    end_row(p, out, start, width);
}

static bool is_shown_running(const struct engine_node *n)
{
    return n->status == NODE_RUNNING && n->doing != NULL;
}

static void add_head(struct progress *p, size_t of, size_t done, struct buf *out)
{
    const size_t start = out->len;
    char text[CLOCK_DURATION_SIZE];
    const double left = engine_remaining_minutes(p->engine, p->scale);

    clock_duration(clock_now_ms() - p->began_ms, text);
    style_addf(out, p->has_color, STYLE_BOLD, "%zu of %zu done", done, of);
    buf_addf(out, "  %s", text);
    if (left >= ESTIMATE_MIN_MINUTES) {
        usual_text(left, text);
        buf_addf(out, ", usually %s more", text);
    }
    end_row(p, out, start, style_width(STDERR_FILENO));
}

static void add_stage(struct progress *p, struct buf *out)
{
    const size_t start = out->len;
    char text[CLOCK_DURATION_SIZE];

    clock_duration(clock_now_ms() - p->began_ms, text);
    style_add(out, p->has_color, STYLE_CHANGE, frames[p->frame % ARRAY_LEN(frames)]);
    buf_addf(out, " %s  ", p->stage);
    style_add(out, p->has_color, STYLE_DIM, text);
    if (p->detail != NULL) {
        const size_t width = style_width(STDERR_FILENO);
        const size_t used = 6 + text_columns(str_of(p->stage)) + text_columns(str_of(text));

        style_addf(out, p->has_color, STYLE_PLAIN, "  %.*s",
                (int)(width > used + 1 ? width - used - 1 : 0), p->detail);
    }
    end_row(p, out, start, style_width(STDERR_FILENO));
}

static bool is_work(const struct engine_node *n)
{
    return n->item != NULL && n->item->action != PLAN_NONE && n->item->action != PLAN_READ
           && n->item->action != PLAN_UNKNOWN;
}

static void add_block(struct progress *p, struct buf *out)
{
    size_t of = 0;
    size_t done = 0;
    size_t running = 0;

    if (p->stage != NULL) {
        add_stage(p, out);
        return;
    }
    for (size_t i = 0; p->engine != NULL && i < engine_count(p->engine); i++) {
        const struct engine_node *n = engine_node(p->engine, i);

        of += is_work(n);
        done += is_work(n) && n->status == NODE_DONE;
        running += is_shown_running(n);
    }
    if (running == 0)
        return;
    size_t shown = 0;

    for (size_t i = 0; i < engine_count(p->engine) && shown < ROWS_MAX; i++) {
        const struct engine_node *n = engine_node(p->engine, i);

        if (!is_shown_running(n))
            continue;
        add_running(p, n, out);
        shown++;
    }
    if (shown < running) {
        buf_addf(out, "    and %zu more\n", running - shown);
        p->rows++;
    }
    add_head(p, of, done, out);
}

static void redraw(struct progress *p)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    if (!p->is_live)
        return;
    add_erase(p, &out);
    add_block(p, &out);
    put(&out);
}

static void around_log(void *arg, bool is_before)
{
    struct progress *p = arg;

    if (!is_before) {
        redraw(p);
        return;
    }
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    add_erase(p, &out);
    put(&out);
}

/* ---- lines that stay ---- */

static void say_line(struct progress *p, const struct buf *line)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    if (p->is_live)
        add_erase(p, &out);
    buf_add_str(&out, buf_str(line));
    buf_add_char(&out, '\n');
    if (p->is_live)
        add_block(p, &out);
    put(&out);
    p->said_ms = clock_now_ms();
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *text = xvasprintf(fmt, ap);

    va_end(ap);
    text_add_escaped(&line, str_of(text));
    say_line(p, &line);
}

void progress_detail(struct progress *p, const char *detail)
{
    char *copy = detail == NULL ? NULL : xstrdup(detail);

    free(p->detail);
    p->detail = copy;
    p->frame++;
    redraw(p);
}

void progress_stage(struct progress *p, const char *stage)
{
    p->stage = stage;
    free(p->detail);
    p->detail = NULL;
    p->began_ms = clock_now_ms();
    redraw(p);
}

static void say_running(struct progress *p, const struct engine_node *n)
{
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);
    char text[CLOCK_DURATION_SIZE];

    clock_duration(clock_now_ms() - n->started_ms, text);
    buf_addf(&line, "  . %s: for %s", n->address, text);
    if (n->item != NULL && n->item->minutes * p->scale >= ESTIMATE_MIN_MINUTES) {
        usual_text(n->item->minutes * p->scale, text);
        buf_addf(&line, " of usually %s", text);
    }
    buf_addf(&line, ": %s", n->doing);
    progress_say(p, "%s", buf_text(&line));
}

/* A job's log that says nothing for long looks as if it hangs, and some runners end it. */
static void say_still(struct progress *p)
{
    size_t running = 0;

    if (p->stage != NULL) {
        char text[CLOCK_DURATION_SIZE];

        clock_duration(clock_now_ms() - p->began_ms, text);
        progress_say(p, "  . %s: for %s%s%s", p->stage, text, p->detail == NULL ? "" : ": ",
                p->detail == NULL ? "" : p->detail);
        return;
    }
    for (size_t i = 0; p->engine != NULL && i < engine_count(p->engine); i++) {
        const struct engine_node *n = engine_node(p->engine, i);

        if (is_shown_running(n) && running++ < QUIET_ROWS_MAX)
            say_running(p, n);
    }
    if (running > QUIET_ROWS_MAX)
        progress_say(p, "    and %zu more", running - QUIET_ROWS_MAX);
}

static const char *past(const struct engine_node *n)
{
    if (n->was_kept)
        return "kept";
    switch (n->item->action) {
    case PLAN_CREATE:
        return "created";
    case PLAN_REPLACE:
        return "replaced";
    case PLAN_DELETE:
        return "deleted";
    case PLAN_ADOPT:
        return "adopted";
    case PLAN_MOVE:
        return "moved";
    case PLAN_FORGET:
        return "forgotten";
    case PLAN_RESET:
        return "set back";
    case PLAN_UPDATE:
    case PLAN_NONE:
    case PLAN_READ:
    case PLAN_UNKNOWN:
        break;
    }
    return "changed";
}

static void say_end(struct progress *p, const struct engine_node *n, enum style style,
        const char *sign, const char *word, const char *text)
{
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);
    char took[CLOCK_DURATION_SIZE];

    clock_duration(n->elapsed_ms, took);
    buf_add_text(&line, "  ");
    style_add(&line, p->has_color, style, sign);
    buf_addf(&line, " %s", n->address);
    style_pad(&line, 4 + text_columns(str_of(n->address)), NAME_COLUMN);
    buf_addf(&line, "%-10s", word);
    if (n->elapsed_ms > 0)
        style_addf(&line, p->has_color, STYLE_DIM, " %s", took);
    if (text != NULL && text[0] != '\0') {
        buf_add_text(&line, "  ");
        style_add(&line, p->has_color, style == STYLE_BAD ? STYLE_BAD : STYLE_WARN, text);
    }
    say_line(p, &line);
}

void progress_event(
        void *arg, enum engine_event_kind kind, const struct engine_node *n, const char *text)
{
    struct progress *p = arg;

    p->frame++;
    switch (kind) {
    case ENGINE_EVENT_STARTED:
        if (p->is_live)
            redraw(p);
        else
            progress_say(p, "  . %s: %s", n->address, verb(n));
        return;
    case ENGINE_EVENT_PROGRESS:
        if (p->is_live)
            redraw(p);
        else
            log_info("engine.progress", "%s: %s", n->address, text);
        return;
    case ENGINE_EVENT_DONE:
        say_end(p, n, n->note == NULL ? STYLE_GOOD : STYLE_WARN, "✓", past(n), n->note);
        return;
    case ENGINE_EVENT_FAILED:
        say_end(p, n, STYLE_BAD, "✗", "failed", text);
        return;
    case ENGINE_EVENT_SKIPPED:
        say_end(p, n, STYLE_DIM, "-", "skipped", NULL);
        return;
    case ENGINE_EVENT_RESUMED:
        progress_say(p, "  ↻ %s", text);
        return;
    case ENGINE_EVENT_TICK:
        redraw(p);
        if (!p->is_live && clock_now_ms() - p->said_ms >= p->quiet_ms)
            say_still(p);
        return;
    }
}

/* ---- life cycle ---- */

struct progress *progress_new(bool has_color, bool is_live, int64_t quiet_ms)
{
    struct progress *p = xcalloc(1, sizeof(*p));

    p->has_color = has_color;
    p->is_live = is_live;
    p->scale = 1;
    p->began_ms = clock_now_ms();
    p->quiet_ms = quiet_ms;
    p->said_ms = p->began_ms;
    log_set_hook(around_log, p);
    return p;
}

void progress_set_scale(struct progress *p, double scale)
{
    p->scale = scale;
}

void progress_attach(struct progress *p, const struct engine *e)
{
    p->engine = e;
    p->stage = NULL;
    p->began_ms = clock_now_ms();
}

void progress_free(struct progress *p)
{
    if (p == NULL)
        return;
    p->engine = NULL;
    p->stage = NULL;
    redraw(p);
    log_set_hook(NULL, NULL);
    free(p->detail);
    free(p);
}
