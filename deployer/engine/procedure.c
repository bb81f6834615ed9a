#include "engine/procedure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "catalog/kind.h"

#define DEPTH_MAX KIND_STEPS_DEPTH_MAX
#define TIMEOUT_MIN 10.0
#define POLL_S 2.0
/* The first look comes early: what is quick (or the sandbox) is not kept waiting by poll_s. */
#define POLL_FIRST_MS 100

/* A list of steps in work; a `list` step opens one more for each of its members. */
struct frame {
    const json_t *steps;
    size_t at;
    json_t *items; /* owned; NULL in the outermost */
    size_t item_at;
};

struct procedure {
    struct frame frames[DEPTH_MAX];
    size_t depth;
    json_t *names; /* owned: self, it, item and what steps saved */
    const char *target;
    int64_t step_since_ms;
    int64_t next_ms; /* not before */
    int64_t delay_ms;
    bool is_asked;         /* an answer is outstanding */
    bool is_self_refresh;  /* ... and it is for self: a path had no value yet */
    const json_t *explain; /* the list that tells more of the failure is asked for */
    char *path;
    char *doing;
    char *tolerated;
    struct err *error;
};

/* ---- conditions and texts ---- */

static bool scalar_equal(const json_t *want, const json_t *got)
{
    if (json_is_string(want) && json_is_string(got))
        return str_eq_ci(str_of(json_string_value(want)), str_of(json_string_value(got)));
    if (json_is_number(want) && json_is_number(got))
        return json_number_value(want) == json_number_value(got);
    if (json_is_null(want) || got == NULL || json_is_null(got))
        return json_is_null(want) && (got == NULL || json_is_null(got));
    AUTO(free) char *a = json_is_string(want) ? xstrdup(json_string_value(want)) : jsonx_dump(want);
    AUTO(free) char *b = json_is_string(got) ? xstrdup(json_string_value(got)) : jsonx_dump(got);

    return str_eq_ci(str_of(a), str_of(b));
}

static bool value_holds(const json_t *want, const json_t *got)
{
    size_t i = 0;
    const json_t *one = NULL;

    if (!json_is_array(want))
        return scalar_equal(want, got);
    json_array_foreach ((json_t *)(uintptr_t)want, i, one) {
        if (scalar_equal(one, got))
            return true;
    }
    return false;
}

bool procedure_holds(const json_t *condition, const json_t *document)
{
    const char *path = NULL;
    json_t *want = NULL;

    if (!json_is_object(condition))
        return false;
    json_object_foreach ((json_t *)(uintptr_t)condition, path, want) {
        if (!value_holds(want, document == NULL ? NULL : jsonx_at_ci(document, path)))
            return false;
    }
    return true;
}

static void add_value(struct buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        buf_add_text(out, json_string_value(value));
    } else if (value != NULL && !json_is_null(value)) {
        AUTO(free) char *text = jsonx_dump(value);

        buf_add_text(out, text);
    }
}

/* The value of "self.properties.x", "it.x", "item.name", "run.name". */
static const json_t *lookup(const struct procedure *p, struct str reference)
{
    struct str rest = reference;
    const struct str name = str_cut(&rest, '.');
    AUTO(free) char *root = str_dup(name);
    AUTO(free) char *path = str_dup(rest);
    const json_t *document = json_object_get(p->names, root);

    return rest.len == 0 ? document : jsonx_at_ci(document, path);
}

/*
 * Fills a step's text in. *ret_missing is set to a reference that has no value (a copy), or NULL.
 * With `is_prose` a sentence that the text has already is left out: services say one thing in
 * several members.
 */
static char *fill_as(const struct procedure *p, const char *text, bool is_prose, char **ret_missing)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = str_of(text);

    *ret_missing = NULL;
    for (;;) {
        const ptrdiff_t open = str_find(rest, STR("${"));
        const ptrdiff_t close =
                open < 0 ? -1 : str_find(str_slice(rest, (size_t)open, rest.len), STR("}"));

        if (close < 0)
            break;
        const struct str name = str_trim(str_slice(rest, (size_t)open + 2, (size_t)(open + close)));
        const json_t *value = lookup(p, name);
        const struct str said = str_of(is_prose ? json_string_value(value) : NULL);

        buf_add_str(&out, str_slice(rest, 0, (size_t)open));
        if ((value == NULL || json_is_null(value)) && *ret_missing == NULL)
            *ret_missing = str_dup(name);
        if (str_find(said, STR(" ")) < 0 || str_find(buf_str(&out), said) < 0)
            add_value(&out, value);
        rest = str_slice(rest, (size_t)(open + close) + 1, rest.len);
    }
    buf_add_str(&out, rest);
    return buf_take(&out);
}

static char *fill(const struct procedure *p, const char *text, char **ret_missing)
{
    return fill_as(p, text, false, ret_missing);
}

static char *fill_prose(const struct procedure *p, const char *text)
{
    AUTO(free) char *missing = NULL;
    AUTO(free) char *filled = fill_as(p, text, true, &missing);

    return str_dup(str_trim(str_of(filled)));
}

/* ---- steps ---- */

static const json_t *current_step(const struct procedure *p)
{
    const struct frame *f = &p->frames[p->depth - 1];

    return json_array_get(f->steps, f->at);
}

static void begin_step(struct procedure *p, int64_t now_ms)
{
    p->step_since_ms = now_ms;
    p->next_ms = now_ms;
    p->delay_ms = POLL_FIRST_MS;
}

static void set_doing(struct procedure *p, char *text)
{
    free(p->doing);
    p->doing = text;
}

static void fail(struct procedure *p, struct err *e)
{
    err_free(p->error);
    p->error = e;
}

/* As fail, but the step's `explain` list is asked first, if it has one. */
static void fail_explained(struct procedure *p, const json_t *step, struct err *e)
{
    fail(p, e);
    p->explain = json_object_get(step, "explain");
    if (p->explain == NULL)
        p->explain = json_object_get(step, "x-explain");
}

/* Moves behind the current step; at the end of a `do` list to the list's next member. */
static void advance(struct procedure *p, int64_t now_ms)
{
    begin_step(p, now_ms);
    p->frames[p->depth - 1].at++;
    while (p->depth > 1) {
        struct frame *f = &p->frames[p->depth - 1];

        if (f->at < json_array_size(f->steps))
            return;
        f->item_at++;
        f->at = 0;
        if (f->item_at < json_array_size(f->items)) {
            json_object_set(p->names, "item", json_array_get(f->items, f->item_at));
            return;
        }
        json_decref(f->items);
        f->items = NULL;
        p->depth--;
        p->frames[p->depth - 1].at++;
    }
}

static void open_list(struct procedure *p, const json_t *step, json_t *answer, int64_t now_ms)
{
    json_t *members = json_is_array(answer) ? answer : json_object_get(answer, "value");
    const json_t *where = json_object_get(step, "where");
    json_t *items = jsonx_must(json_array());
    size_t i = 0;
    json_t *member = NULL;

    json_array_foreach (members, i, member) {
        if (where == NULL || procedure_holds(where, member))
            json_array_append(items, member);
    }
    if (json_array_size(items) == 0 || json_array_size(json_object_get(step, "do")) == 0) {
        json_decref(items);
        advance(p, now_ms);
        return;
    }
    assert(p->depth < DEPTH_MAX); /* a kind with deeper ones is not read */
    p->frames[p->depth++] = (struct frame){ .steps = json_object_get(step, "do"), .items = items };
    json_object_set(p->names, "item", json_array_get(items, 0));
    begin_step(p, now_ms);
}

static char *step_reason(const struct procedure *p, const json_t *step)
{
    const char *text = jsonx_text(step, "reason");

    return text == NULL ? NULL : fill_prose(p, text);
}

/* "properties.runningState is Processing, ..." of the paths that a condition looks at. */
static char *describe(const json_t *condition, const json_t *document)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const char *path = NULL;
    json_t *want = NULL;

    json_object_foreach ((json_t *)(uintptr_t)condition, path, want) {
        const char *dot = strrchr(path, '.');

        if (value_holds(want, jsonx_at_ci(document, path)))
            continue;
        buf_addf(&out, "%s%s is ", out.len > 0 ? ", " : "", dot == NULL ? path : dot + 1);
        const json_t *got = jsonx_at_ci(document, path);

        if (got == NULL || json_is_null(got))
            buf_add_text(&out, "not known");
        else
            add_value(&out, got);
    }
    return buf_take(&out);
}

static bool is_tolerated(struct procedure *p, const json_t *step)
{
    const json_t *t = json_object_get(step, "tolerate");
    const char *target = jsonx_text(t, "target");

    if (t == NULL || (target != NULL && !text_eq(target, p->target))
            || !procedure_holds(json_object_get(t, "when"), json_object_get(p->names, "it")))
        return false;
    const char *as = jsonx_text(t, "as");

    free(p->tolerated);
    p->tolerated = xstrdup(as == NULL ? "tolerated" : as);
    return true;
}

static void poll_later(struct procedure *p, const json_t *step, int64_t now_ms, const char *state)
{
    const json_t *minutes = json_object_get(step, "timeout_min");
    const json_t *seconds = json_object_get(step, "poll_s");
    const double timeout = json_is_number(minutes) ? json_number_value(minutes) : TIMEOUT_MIN;
    const double poll = json_is_number(seconds) ? json_number_value(seconds) : POLL_S;
    const int64_t poll_ms = (int64_t)(poll * 1000);

    if (now_ms - p->step_since_ms > (int64_t)(timeout * 60000)) {
        AUTO(free) char *reason = step_reason(p, step);

        fail_explained(p, step,
                err_new(ERR_TIMEOUT, 0, "%s: not done after %g minutes: %s%s%s", p->path, timeout,
                        state, reason != NULL && reason[0] != '\0' ? ": " : "",
                        reason == NULL ? "" : reason));
        return;
    }
    p->next_ms = now_ms + (p->delay_ms < poll_ms ? p->delay_ms : poll_ms);
    p->delay_ms *= 2;
}

static void judge(struct procedure *p, const json_t *step, int64_t now_ms)
{
    const json_t *it = json_object_get(p->names, "it");
    const json_t *until = json_object_get(step, "until");
    const bool is_gone = json_is_null(it);

    if (until == NULL || (text_eq(json_string_value(until), "absent") && is_gone)
            || (!is_gone && procedure_holds(until, it))) {
        advance(p, now_ms);
        return;
    }
    if (is_tolerated(p, step)) {
        p->depth = 1;
        p->frames[0].at = json_array_size(p->frames[0].steps);
        return;
    }
    AUTO(free) char *state = is_gone ? xstrdup("it is not there") : describe(until, it);

    if (!is_gone && procedure_holds(json_object_get(step, "fail"), it)) {
        AUTO(free) char *reason = step_reason(p, step);
        const bool has_reason = reason != NULL && reason[0] != '\0';

        fail_explained(p, step,
                err_new(ERR_FAILED, 0, "%s: %s%s%s", p->path, state, has_reason ? ": " : "",
                        has_reason ? reason : ""));
        return;
    }
    set_doing(p, xasprintf("waits for %s: %s", p->path[0] == '\0' ? "it" : p->path, state));
    poll_later(p, step, now_ms, state);
}

/* The step's path, filled in; where a value is missing, self is read again and the step waits. */
static enum procedure_want ask(struct procedure *p, const json_t *step, const char *method,
        const char *text, int64_t now_ms, struct procedure_request *ret)
{
    AUTO(free) char *missing = NULL;
    char *path = fill(p, text, &missing);

    free(p->path);
    p->path = path;
    p->is_asked = true;
    p->is_self_refresh = false;
    if (missing != NULL) {
        if (!str_starts(str_of(missing), STR("self."))) {
            fail(p, err_new(ERR_PROTO, 0, "%s: the answer has no %s", text, missing));
            return PROCEDURE_FAILED;
        }
        set_doing(p, xasprintf("waits for %s", missing + strlen("self.")));
        p->is_self_refresh = true;
        *ret = (struct procedure_request){ .method = "GET", .path = "" };
        return PROCEDURE_ACT;
    }
    (void)now_ms;
    *ret = (struct procedure_request){
        .method = method, .path = p->path, .body = json_object_get(step, "body")
    };
    return PROCEDURE_ACT;
}

enum procedure_want procedure_next(
        struct procedure *p, int64_t now_ms, struct procedure_request *ret)
{
    const char *text = NULL;

    if (p->explain != NULL) {
        char *missing = NULL;

        free(p->path);
        p->path = fill(p, jsonx_text(p->explain, "list"), &missing);
        free(missing);
        *ret = (struct procedure_request){ .method = "GET", .path = p->path };
        return PROCEDURE_ACT;
    }
    if (p->error != NULL)
        return PROCEDURE_FAILED;
    for (;;) {
        const json_t *step = current_step(p);

        if (step == NULL)
            return PROCEDURE_DONE;
        const json_t *when = json_object_get(step, "when");

        if (when != NULL && !procedure_holds(when, json_object_get(p->names, "self"))) {
            advance(p, now_ms);
            continue;
        }
        if (now_ms < p->next_ms) {
            ret->at_ms = p->next_ms;
            return PROCEDURE_WAIT;
        }
        if ((text = jsonx_text(step, "post")) != NULL)
            return ask(p, step, "POST", text, now_ms, ret);
        if ((text = jsonx_text(step, "get")) != NULL || (text = jsonx_text(step, "list")) != NULL)
            return ask(p, step, "GET", text, now_ms, ret);
        fail(p, err_new(ERR_CONFIG, 0, "procedure: a step has none of post, get, list"));
        return PROCEDURE_FAILED;
    }
}

/* What the list's members say goes behind the error. */
static void explain(struct procedure *p, const json_t *answer)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const json_t *members = json_is_array(answer) ? answer : json_object_get(answer, "value");
    const char *text = jsonx_text(p->explain, "text");
    size_t i = 0;
    json_t *member = NULL;

    json_array_foreach ((json_t *)(uintptr_t)members, i, member) {
        json_object_set(p->names, "item", member);
        AUTO(free) char *line = fill_prose(p, text == NULL ? "${item.name}" : text);

        if (str_find(str_of(err_text(p->error)), str_of(line)) < 0
                && str_find(buf_str(&out), str_of(line)) < 0)
            buf_addf(&out, "%s%s", out.len > 0 ? "; " : "", line);
    }
    p->explain = NULL;
    if (out.len == 0)
        return;
    struct err *first = TAKE(p->error);

    p->error =
            err_new(err_kind(first), err_code(first), "%s (%s)", err_text(first), buf_text(&out));
    err_free(first);
}

void procedure_answer(struct procedure *p, int64_t now_ms, json_t *document, struct err *e)
{
    const json_t *step = current_step(p);

    if (p->explain != NULL) {
        err_ignore(e, "the failure itself is what counts");
        explain(p, document);
        return;
    }

    p->is_asked = false;
    if (e != NULL) {
        fail(p, e);
        return;
    }
    json_t *value = document == NULL ? json_null() : document;

    if (p->is_self_refresh) {
        p->is_self_refresh = false;
        if (document != NULL)
            json_object_set(p->names, "self", document);
        poll_later(p, step, now_ms, "it has no such value yet");
        return;
    }
    json_object_set(p->names, "it", value);
    if (p->path[0] == '\0' && document != NULL)
        json_object_set(p->names, "self", document);
    if (jsonx_text(step, "save") != NULL)
        json_object_set(p->names, jsonx_text(step, "save"), value);
    if (jsonx_text(step, "list") != NULL)
        open_list(p, step, value, now_ms);
    else if (jsonx_text(step, "post") != NULL)
        advance(p, now_ms);
    else
        judge(p, step, now_ms);
}

/* ---- life cycle ---- */

struct procedure *procedure_new(
        const json_t *steps, json_t *self, const char *target, int64_t now_ms)
{
    struct procedure *p = xcalloc(1, sizeof(*p));

    p->frames[0] = (struct frame){ .steps = steps };
    p->depth = 1;
    p->names = jsonx_must(json_object());
    p->target = target;
    p->path = xstrdup("");
    if (self != NULL)
        json_object_set(p->names, "self", self);
    begin_step(p, now_ms);
    return p;
}

void procedure_free(struct procedure *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < DEPTH_MAX; i++)
        json_decref(p->frames[i].items);
    json_decref(p->names);
    free(p->path);
    free(p->doing);
    free(p->tolerated);
    err_free(p->error);
    free(p);
}

struct err *procedure_take_error(struct procedure *p)
{
    return TAKE(p->error);
}

const char *procedure_tolerated(const struct procedure *p)
{
    return p->tolerated;
}

const char *procedure_doing(const struct procedure *p)
{
    return p->doing == NULL ? "" : p->doing;
}
