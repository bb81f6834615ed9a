#include "verify/control.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "runbook/runbook.h"
#include "verify/path.h"

/* One step of a kind's `facts` about one resource, for one job. */
struct telling {
    struct verify_job *job;
    const struct control_view *view;
    const char *address;
    const json_t *step;
};

/* ---- the facts ---- */

/* Of several resources the first tells, but a "no" of any of them counts. */
static void tell(struct verify_job *job, const char *fact, json_t *value)
{
    const json_t *old = jsonx_at(job->evidence, fact);

    if (old == NULL || json_is_false(value))
        jsonx_set_at(job->evidence, fact, value);
    else
        json_decref(value);
}

/* "a[].b": what the rest of the path leads to in each member. Adds to `ret`. */
static void collect(const json_t *document, struct str path, json_t *ret)
{
    const ptrdiff_t at = str_find(path, STR("[]"));
    AUTO(free) char *head = str_dup(at < 0 ? path : str_slice(path, 0, (size_t)at));
    const json_t *value = head[0] == '\0' ? document : jsonx_at_ci(document, head);
    size_t i = 0;
    json_t *member = NULL;

    if (at < 0) {
        if (value != NULL && !json_is_null(value))
            json_array_append(ret, (json_t *)(uintptr_t)value);
        return;
    }
    struct str rest = str_slice(path, (size_t)at + 2, path.len);

    if (rest.len > 0 && rest.p[0] == '.')
        rest = str_slice(rest, 1, rest.len);
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        collect(member, rest, ret);
    }
}

/* The first known of "a|b"; a list for a path with []. Owned; NULL: none. */
static json_t *member_at(const json_t *document, const char *paths)
{
    struct str rest = str_of(paths);

    while (rest.p != NULL) {
        const struct str path = str_trim(str_cut(&rest, '|'));
        json_auto_t *found = jsonx_must(json_array());

        collect(document, path, found);
        if (json_array_size(found) == 0)
            continue;
        if (str_find(path, STR("[]")) >= 0)
            return TAKE(found);
        return jsonx_copy(json_array_get(found, 0));
    }
    return NULL;
}

static bool is_word(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return str_eq_ci(str_of(json_string_value(a)), str_of(json_string_value(b)));
    return json_equal(a, b) == 1;
}

/* PATH -> value or list of values; *ret_is_known false when the document lacks a path. */
static bool holds(const json_t *condition, const json_t *document, bool *ret_is_known)
{
    bool is_true = true;
    const char *path = NULL;
    json_t *want = NULL;

    *ret_is_known = true;
    json_object_foreach ((json_t *)(uintptr_t)condition, path, want) {
        const json_t *got = jsonx_at_ci(document, path);
        bool is_any = is_word(want, got);

        for (size_t i = 0; i < json_array_size(want); i++)
            is_any = is_any || is_word(json_array_get(want, i), got);
        *ret_is_known = *ret_is_known && got != NULL;
        is_true = is_true && is_any;
    }
    return is_true;
}

static void take(const struct telling *t, const json_t *document)
{
    const char *fact = NULL;
    json_t *path = NULL;

    json_object_foreach (json_object_get(t->step, "take"), fact, path) {
        json_t *value = member_at(document, json_string_value(path));

        if (value != NULL)
            tell(t->job, fact, value);
    }
}

static void judge(const struct telling *t, const json_t *document)
{
    const char *fact = NULL;
    json_t *condition = NULL;

    json_object_foreach (json_object_get(t->step, "holds"), fact, condition) {
        bool is_known = true;
        const bool is_true = document != NULL && holds(condition, document, &is_known);

        if (is_known)
            tell(t->job, fact, json_boolean(is_true));
    }
    json_object_foreach (json_object_get(t->step, "same"), fact, condition) {
        const json_t *a = jsonx_at_ci(document, json_string_value(json_array_get(condition, 0)));
        const json_t *b = jsonx_at_ci(document, json_string_value(json_array_get(condition, 1)));

        if (a != NULL && b != NULL)
            tell(t->job, fact, json_boolean(is_word(a, b)));
    }
}

static bool is_denied_by(const json_t *step, const json_t *document)
{
    json_auto_t *evidence = jsonx_must(json_object());
    struct verify_job job = { .evidence = evidence };
    const struct telling t = { .job = &job, .step = step };
    const char *fact = NULL;
    json_t *condition = NULL;

    judge(&t, document);
    json_object_foreach (json_object_get(step, "holds"), fact, condition) {
        if (json_is_false(jsonx_at(evidence, fact)))
            return true;
    }
    json_object_foreach (json_object_get(step, "same"), fact, condition) {
        if (json_is_false(jsonx_at(evidence, fact)))
            return true;
    }
    return false;
}

/* Whether a zone's record covers the host: by its own name, by *, without the label "privatelink".
 */
static bool is_record_of(struct str record, struct str host, struct str zone)
{
    const struct str label = STR("privatelink.");
    const struct str suffix =
            str_starts_ci(zone, label) ? str_slice(zone, label.len, zone.len) : zone;

    if (!str_ends_ci(host, suffix) || host.len <= suffix.len
            || host.p[host.len - suffix.len - 1] != '.')
        return str_eq_ci(host, suffix) && str_eq(record, STR("@"));
    return str_eq(record, STR("*"))
           || str_eq_ci(record, str_slice(host, 0, host.len - suffix.len - 1));
}

static void tell_record(const struct telling *t, const json_t *document)
{
    const char *fact = jsonx_text(t->step, "names_host");
    const struct str host = str_of(jsonx_text(t->job->target, "host"));
    const struct str zone = str_of(jsonx_text(t->view->document, "name"));
    json_auto_t *names = member_at(document, "[].name");
    bool is_found = false;
    size_t i = 0;
    json_t *name = NULL;

    if (fact == NULL || document == NULL || host.len == 0 || zone.len == 0)
        return;
    json_array_foreach (names, i, name) {
        is_found = is_found || is_record_of(str_of(json_string_value(name)), host, zone);
    }
    tell(t->job, fact, json_boolean(is_found));
}

/* ---- questions ---- */

static const char *method_of(const json_t *step, const char **ret_path)
{
    const char *get = jsonx_text(step, "get");

    *ret_path = get != NULL ? get : jsonx_text(step, "post");
    return get != NULL ? "GET" : "POST";
}

static char *path_of(const struct telling *t, const char *text)
{
    json_auto_t *names =
            jsonx_must(json_pack("{s:O}", "self", (json_t *)(uintptr_t)t->view->document));

    return runbook_fill(text, names);
}

static char *key_of(const char *address, const char *method, const char *path)
{
    return xasprintf("%s %s %s", method, address, path);
}

/* Whether a step of the kind that looks at the document alone comes to a "no". */
static bool has_denial(const struct control_view *view)
{
    size_t i = 0;
    json_t *step = NULL;

    json_array_foreach ((json_t *)(uintptr_t)view->kind->facts, i, step) {
        if (json_object_get(step, "get") == NULL && json_object_get(step, "post") == NULL
                && is_denied_by(step, view->document))
            return true;
    }
    return false;
}

static void add_question(const struct telling *t, json_t *questions)
{
    const char *text = NULL;
    const char *method = method_of(t->step, &text);

    /* What passed needs no explanation, unless the control plane says that something is wrong. */
    if (text == NULL || t->view->document == NULL
            || (t->job->status == VERIFY_PASS && !text_eq(t->job->check->probe, "control")
                    && !has_denial(t->view)))
        return;
    AUTO(free) char *path = path_of(t, text);
    AUTO(free) char *key = key_of(t->address, method, path);

    if (json_object_get(questions, key) == NULL)
        json_object_set_new(questions, key,
                jsonx_must(json_pack(
                        "{s:s, s:s, s:s}", "address", t->address, "method", method, "path", path)));
}

static void note_unanswered(struct verify_job *job, const char *key, const char *why)
{
    json_t *list = jsonx_at(job->evidence, "arm.not_told");

    if (list == NULL) {
        list = jsonx_must(json_array());
        jsonx_set_at(job->evidence, "arm.not_told", list);
    }
    json_array_append_new(list, jsonx_textf("%s: %s", key, why));
}

static void tell_answer(const struct telling *t, const json_t *questions)
{
    const char *text = NULL;
    const char *method = method_of(t->step, &text);

    if (text == NULL || t->view->document == NULL)
        return;
    AUTO(free) char *path = path_of(t, text);
    AUTO(free) char *key = key_of(t->address, method, path);
    const json_t *question = json_object_get(questions, key);
    const json_t *answer = json_object_get(question, "answer");

    if (answer == NULL) {
        if (jsonx_text(question, "error") != NULL)
            note_unanswered(t->job, key, jsonx_text(question, "error"));
        return;
    }
    take(t, answer);
    judge(t, answer);
    tell_record(t, answer);
}

/* ---- all steps of all jobs ---- */

static void tell_step(const struct telling *t, const json_t *questions)
{
    const char *exists = jsonx_text(t->step, "exists");

    if (exists != NULL)
        tell(t->job, exists, json_boolean(t->view->document != NULL));
    if (json_object_get(t->step, "get") != NULL || json_object_get(t->step, "post") != NULL) {
        tell_answer(t, questions);
        return;
    }
    take(t, t->view->document);
    judge(t, t->view->document);
}

/* First round (`answers` NULL): collects the questions. Second: tells. */
static void go_through(struct verify_job *job, const struct control_source *source,
        json_t *questions, bool is_telling)
{
    for (size_t i = 0; i < job->check->about_count; i++) {
        struct control_view view = { 0 };
        struct telling t = { .job = job, .view = &view, .address = job->check->about[i] };
        size_t s = 0;
        json_t *step = NULL;

        if (!source->look(source->arg, t.address, &view))
            continue;
        if (view.is_denied && is_telling)
            note_unanswered(job, t.address, "reading it is not allowed");
        if (view.is_denied)
            continue;
        json_array_foreach ((json_t *)(uintptr_t)view.kind->facts, s, step) {
            t.step = step;
            if (is_telling)
                tell_step(&t, questions);
            else
                add_question(&t, questions);
        }
    }
}

static void tell_job(struct verify_job *job, const struct control_source *source, json_t *questions)
{
    if (job->evidence == NULL)
        job->evidence = jsonx_must(json_object());
    if (job->tolerated != NULL
            || (source->not_running != NULL
                    && source->not_running(source->arg, job->check->service) != NULL))
        tell(job, "arm.not_running", json_true());
    go_through(job, source, questions, true);
    verify_path(job, source);
    if (json_object_size(job->evidence) == 0) {
        json_decref(job->evidence);
        job->evidence = NULL;
    }
}

struct err *verify_control(struct verify_jobs *jobs, const struct control_source *source)
{
    json_auto_t *questions = jsonx_must(json_object());

    for (size_t i = 0; i < jobs->count; i++)
        go_through(&jobs->items[i], source, questions, false);
    if (json_object_size(questions) > 0)
        TRY(source->ask(source->arg, questions));
    for (size_t i = 0; i < jobs->count; i++)
        tell_job(&jobs->items[i], source, questions);
    return NULL;
}
