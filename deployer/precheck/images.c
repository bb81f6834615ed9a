/* Images that can't be pulled: a HEAD of each manifest, with a token for nobody where one is asked.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/secret.h"
#include "http/loop.h"
#include "precheck/image.h"
#include "precheck/internal.h"

#define ANSWER_MS 15000
#define BODY_MAX (1u << 20)

struct image_check {
    struct run *run;
    char *text; /* as the document has it */
    const char *address;
    bool has_login; /* the document gives the registry a login: what nobody may see, it may */
    struct image_name name;
    char *url;
    struct secret *token;
    bool was_challenged;
    unsigned request; /* under way, or 0 */
    long status;
    char *why; /* no answer */
    struct image_check *next;
};

/* ---- the requests ---- */

static void send_for(struct image_check *c, const char *url, const char *method, http_done *done)
{
    static const char *const manifest_headers[] = {
        "Accept: application/vnd.oci.image.index.v1+json, "
        "application/vnd.oci.image.manifest.v1+json, "
        "application/vnd.docker.distribution.manifest.list.v2+json, "
        "application/vnd.docker.distribution.manifest.v2+json",
        NULL
    };
    const struct http_secret_header secret = {
        .name = "Authorization", .prefix = "Bearer ", .value = c->token
    };

    c->request = http_send(c->run->p->loop, &(struct http_request){ .method = method,
                                                    .url = url,
                                                    .headers = manifest_headers,
                                                    .secrets = &secret,
                                                    .secret_count = c->token != NULL,
                                                    .deadline_ms = c->run->p->deadline_ms,
                                                    .timeout_ms = ANSWER_MS,
                                                    .connect_timeout_ms = ANSWER_MS / 3,
                                                    .max_response_bytes = BODY_MAX,
                                                    .is_secret_response = true,
                                                    .done = done,
                                                    .arg = c });
}

static void end(struct image_check *c, long status, const char *why)
{
    c->run->outstanding--;
    c->request = 0;
    c->status = status;
    c->why = xstrdup(why);
}

static void on_manifest(void *arg, struct http_response *response);

static void on_token(void *arg, struct http_response *response)
{
    struct image_check *c = arg;
    json_auto_t *body = NULL;

    if (response->e != NULL || response->status != 200) {
        end(c, response->e == NULL ? response->status : 0,
                response->e == NULL ? NULL : err_text(response->e));
        return;
    }
    struct err *e = jsonx_load(buf_str(&response->body), "token", &body);

    err_ignore(e, "then there is no token");
    const char *token = jsonx_text(body, "token");

    if (token == NULL)
        token = jsonx_text(body, "access_token");
    if (token == NULL) {
        end(c, 401, NULL);
        return;
    }
    c->token = secret_new(str_of(token));
    send_for(c, c->url, "HEAD", on_manifest);
}

static void on_manifest(void *arg, struct http_response *response)
{
    struct image_check *c = arg;
    struct str challenge = STR("");

    if (response->e != NULL) {
        end(c, 0, err_text(response->e));
        return;
    }
    if (response->status == 401 && !c->was_challenged
            && http_response_header(response, "www-authenticate", &challenge)) {
        AUTO(free) char *url = image_token_url(challenge);

        c->was_challenged = true;
        if (url != NULL) {
            send_for(c, url, "GET", on_token);
            return;
        }
    }
    end(c, response->status, NULL);
}

/* ---- which images there are ---- */

static struct image_check *find(const struct run *r, const char *text)
{
    for (struct image_check *c = r->images; c != NULL; c = c->next) {
        if (text_eq(c->text, text))
            return c;
    }
    return NULL;
}

struct finding_images {
    struct run *run;
    const struct precheck_subject *subject;
};

struct server_search {
    const char *registry;
    bool is_found;
};

static void compare_server(void *arg, const json_t *value)
{
    struct server_search *s = arg;

    s->is_found = s->is_found || text_eq(json_string_value(value), s->registry);
}

/* Whether the document names the registry anywhere besides in images: then it has a login for it.
 */
static void search_server(const json_t *j, struct server_search *s)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;

    if (json_is_string(j))
        compare_server(s, j);
    json_object_foreach ((json_t *)(uintptr_t)j, key, value)
        search_server(value, s);
    json_array_foreach ((json_t *)(uintptr_t)j, i, value)
        search_server(value, s);
}

static void add_image(void *arg, const json_t *value)
{
    const struct finding_images *f = arg;
    const char *text = json_string_value(value);
    struct image_name name = { 0 };

    if (text == NULL || find(f->run, text) != NULL || !image_parse(text, &name))
        return;
    struct image_check *c = xcalloc(1, sizeof(*c));
    struct server_search s = { .registry = name.registry };

    search_server(f->subject->desired, &s);
    *c = (struct image_check){ .run = f->run,
        .text = xstrdup(text),
        .address = f->subject->address,
        .has_login = s.is_found,
        .name = name,
        .url = image_url(&name),
        .next = f->run->images };
    f->run->images = c;
    f->run->outstanding++;
    send_for(c, c->url, "HEAD", on_manifest);
}

static void ask_all(struct run *r)
{
    for (size_t i = 0; i < r->p->subject_count; i++) {
        const struct precheck_subject *s = &r->p->subjects[i];
        struct finding_images f = { .run = r, .subject = s };

        for (size_t k = 0; s->is_written && k < s->kind->property_count; k++) {
            if (text_eq(s->kind->properties[k].format, "image"))
                question_each(s->desired, s->kind->properties[k].path, add_image, &f);
        }
    }
}

/* ---- what came of it ---- */

static void judge(struct run *r, const struct image_check *c)
{
    const char *severity = "note";
    AUTO(free) char *text = NULL;
    const char *hint = NULL;

    if (c->status >= 200 && c->status < 300)
        return;
    if (c->status == 404) {
        severity = "error";
        text = xasprintf("%s: %s has no image %s", c->address, c->name.registry, c->text);
        hint = "check its name and tag";
    } else if ((c->status == 401 || c->status == 403) && c->has_login) {
        text = xasprintf("%s: whether %s can be pulled is not known: it takes the login of the app",
                c->address, c->text);
    } else if (c->status == 401 || c->status == 403) {
        severity = "error";
        text = xasprintf(
                "%s: %s can't be pulled without a login, or is not there", c->address, c->text);
        hint = "check the name, or give the stack a registry with a login (registry:)";
    } else if (c->why != NULL) {
        text = xasprintf(
                "%s: whether %s can be pulled is not known: %s", c->address, c->text, c->why);
    } else {
        text = xasprintf("%s: whether %s can be pulled is not known: HTTP %ld", c->address, c->text,
                c->status);
    }
    run_add(r, "image", severity, c->address, text, hint);
}

void images_step(struct run *r, enum run_phase phase)
{
    if (r->p->loop == NULL)
        return;
    if (phase == RUN_ASK)
        ask_all(r);
    if (phase != RUN_JUDGE)
        return;
    for (const struct image_check *c = r->images; c != NULL; c = c->next)
        judge(r, c);
}

void images_free(struct run *r)
{
    while (r->images != NULL) {
        struct image_check *next = r->images->next;

        if (r->images->request != 0)
            http_cancel(r->p->loop, r->images->request);
        free(r->images->text);
        image_release(&r->images->name);
        free(r->images->url);
        secret_unref(r->images->token);
        free(r->images->why);
        free(r->images);
        r->images = next;
    }
}
