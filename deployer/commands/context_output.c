/* The printing half of context.h: results, diagnostics, the last error, questions. */
#include "commands/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

bool context_wants(const struct context *c, const char *format)
{
    for (size_t i = 0; i < c->output_count; i++) {
        if (text_eq(c->outputs[i].format, format))
            return true;
    }
    return false;
}

static struct err *write_outputs(
        struct context *c, const char *format, struct str text, mode_t mode)
{
    for (size_t i = 0; i < c->output_count; i++) {
        const struct context_output *o = &c->outputs[i];

        if (!text_eq(o->format, format))
            continue;
        if (o->file != NULL)
            TRY(file_write_named(o->file, text, mode));
        else
            fwrite(text.p, 1, text.len, stdout); /* main looks at ferror once, at the end */
    }
    return NULL;
}

struct err *context_write(struct context *c, const char *format, struct str text)
{
    AUTO(buf) struct buf scrubbed = BUF_INIT(SIZE_MAX / 4);

    buf_add_str(&scrubbed, text);
    secret_scrub(&scrubbed);
    return write_outputs(c, format, buf_str(&scrubbed), 0644);
}

struct err *context_write_revealed(struct context *c, const char *format, struct str text)
{
    return write_outputs(c, format, text, 0600);
}

struct err *context_write_json(struct context *c, const json_t *document)
{
    AUTO(free) char *text = jsonx_pretty(document);

    return context_write(c, "json", str_of(text));
}

static void print_scrubbed(struct buf *line)
{
    secret_scrub(line);
    fwrite(buf_text(line), 1, line->len, stderr);
}

static json_t *diag_json(const struct diag *d)
{
    json_t *j = jsonx_must(json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:o}", "severity",
            diag_severity_name(d->severity), "code", text_json(str_of(d->code)), "file",
            text_json(str_of(d->place.file)), "line", d->place.line, "column", d->place.column,
            "path", text_json(str_of(d->path)), "text", text_json(str_of(d->text))));

    if (d->hint != NULL)
        json_object_set_new(j, "hint", text_json(str_of(d->hint)));
    return j;
}

static bool is_same(const struct diag *a, const struct diag *b)
{
    return a->severity == b->severity && a->place.line == b->place.line
           && a->place.column == b->place.column
           && str_eq(str_of(a->place.file), str_of(b->place.file)) && text_eq(a->path, b->path)
           && text_eq(a->text, b->text);
}

/* The stack and the catalog may both look at a value and say the same of it. */
static bool is_said_before(const struct diag_list *list, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_same(&list->items[i], &list->items[at]))
            return true;
    }
    return false;
}

json_t *context_diags_json(const struct diag_list *list)
{
    json_t *all = jsonx_must(json_array());

    for (size_t i = 0; i < list->count; i++) {
        if (!is_said_before(list, i))
            json_array_append_new(all, diag_json(&list->items[i]));
    }
    return all;
}

static void print_json_line(const struct diag *d)
{
    char now[CLOCK_RFC3339_SIZE];
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *j = diag_json(d);

    clock_rfc3339(clock_wall_ms(), now);
    json_object_set_new(j, "time", jsonx_textf("%s", now));
    json_object_set_new(j, "event", jsonx_textf("diagnostic"));
    json_object_set_new(j, "level",
            jsonx_textf("%s", d->severity == DIAG_ERROR     ? "error"
                              : d->severity == DIAG_WARNING ? "warn"
                                                            : "info"));
    json_object_set_new(j, "message", json_incref(json_object_get(j, "text")));
    json_object_del(j, "text");
    AUTO(free) char *text = jsonx_dump(j);

    buf_addf(&line, "%s\n", text);
    print_scrubbed(&line);
}

/* "FILE:LINE:COLUMN: " as far as they are known. */
static void add_place(struct buf *line, struct place place)
{
    if (place.file != NULL && place.line > 0)
        buf_addf(line, "%s:%d:%d: ", place.file, place.line, place.column);
    else if (place.file != NULL)
        buf_addf(line, "%s: ", place.file);
}

static void print_text_line(const struct diag *d)
{
    AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);

    add_place(&line, d->place);
    if (d->severity != DIAG_ERROR)
        buf_addf(&line, "%s: ", diag_severity_name(d->severity));
    if (d->path[0] != '\0') {
        text_add_escaped(&line, str_of(d->path));
        buf_add_text(&line, ": ");
    }
    text_add_escaped(&line, str_of(d->text));
    buf_add_char(&line, '\n');
    if (d->hint != NULL) {
        buf_add_text(&line, "  next: ");
        text_add_escaped(&line, str_of(d->hint));
        buf_add_char(&line, '\n');
    }
    print_scrubbed(&line);
}

void context_print_diags(struct context *c, const char *what)
{
    struct diag_list rest = c->diags;

    rest.items += c->diags_printed;
    rest.count -= c->diags_printed;
    if (rest.count > 0)
        diag_sort(&rest);
    for (size_t i = 0; i < rest.count; i++) {
        if (is_said_before(&c->diags, c->diags_printed + i))
            continue;
        if (log_get_format() == LOG_FORMAT_JSON)
            print_json_line(&rest.items[i]);
        else
            print_text_line(&rest.items[i]);
    }
    c->diags_printed = c->diags.count;
    if (c->diags.dropped > 0)
        log_warn("diagnostics.dropped", "%s: %zu further findings are not shown", what,
                c->diags.dropped);
}

struct err *context_check_diags(struct context *c, const char *what)
{
    size_t errors = c->diags.dropped;

    context_print_diags(c, what);
    if (c->diags.errors == 0)
        return NULL;
    for (size_t i = 0; i < c->diags.count; i++)
        errors += c->diags.items[i].severity == DIAG_ERROR && !is_said_before(&c->diags, i);
    return err_new(ERR_CONFIG, 0, "%zu error%s in %s", errors, errors == 1 ? "" : "s", what);
}

void context_print_error(const struct err *e)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (err_text(e)[0] == '\0')
        return;
    if (log_get_format() == LOG_FORMAT_JSON) {
        char now[CLOCK_RFC3339_SIZE];
        json_auto_t *j = jsonx_must(json_object());

        clock_rfc3339(clock_wall_ms(), now);
        json_object_set_new(j, "time", jsonx_textf("%s", now));
        json_object_set_new(j, "level", jsonx_textf("error"));
        json_object_set_new(j, "event", jsonx_textf("failed"));
        json_object_set_new(j, "code", jsonx_textf("%s", err_kind_name(err_kind(e))));
        json_object_set_new(j, "message", text_json(str_of(err_text(e))));
        if (err_hint(e)[0] != '\0')
            json_object_set_new(j, "hint", text_json(str_of(err_hint(e))));
        AUTO(free) char *line = jsonx_dump(j);

        buf_addf(&text, "%s\n", line);
    } else {
        buf_addf(&text, "deployer: %s\n", err_text(e));
        if (err_hint(e)[0] != '\0')
            buf_addf(&text, "  next: %s\n", err_hint(e));
    }
    print_scrubbed(&text);
}

struct err *context_confirm(struct context *c, const char *question)
{
    char answer[16] = "";

    if (c->is_yes)
        return NULL;
    const int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        struct err *e = err_new(ERR_USAGE, 0, "there is no terminal to ask on: %s", question);

        err_set_hint(e, "--yes answers it");
        return e;
    }
    fprintf(stderr, "%s Type yes to go on: ", question);
    fflush(stderr);
    const ssize_t n = read(fd, answer, sizeof(answer) - 1);

    close(fd);
    TRY(cancel_check());
    if (n > 0 && str_eq(str_trim(str_of(answer)), STR("yes")))
        return NULL;
    return err_new(ERR_CANCELED, 1, "not confirmed: nothing was changed");
}

void context_release(struct context *c)
{
    for (size_t i = 0; i < c->output_count; i++)
        free(c->outputs[i].format);
    free(c->outputs);
    free(c->args);
    diag_release(&c->diags);
    if (c->release_model != NULL)
        c->release_model(c);
    arena_free(c->arena);
    *c = (struct context){ 0 };
}
