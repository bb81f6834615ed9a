#include "stack/sources.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/proc.h"
#include "base/text.h"

static struct err *read_terraform(const struct doc_node *value, const char *dir, json_t **ret);
static struct err *read_text_file(const struct doc_node *value, const char *dir, json_t **ret);
static struct err *read_command(const struct doc_node *value, const char *dir, json_t **ret);

static const struct {
    const char *key;
    struct err *(*read)(const struct doc_node *value, const char *dir, json_t **ret);
} sources[] = {
    { "terraform", read_terraform },
    { "file", read_text_file },
    { "command", read_command },
};

const char *sources_key(const struct doc_node *declaration)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (doc_get(declaration, sources[i].key) != NULL)
            return sources[i].key;
    }
    return NULL;
}

struct err *sources_read(const struct doc_node *declaration, const char *dir, json_t **ret)
{
    size_t i = 0;

    while (doc_get(declaration, sources[i].key) == NULL) {
        i++;
        assert(i < ARRAY_LEN(sources)); /* sources_key found one */
    }
    return sources[i].read(doc_get(declaration, sources[i].key), dir, ret);
}

static struct err *run_program(const char *const *argv, struct buf *out)
{
    AUTO(buf) struct buf said = BUF_INIT(4096);
    const struct proc_run run = { .argv = argv, .deadline_ms = clock_now_ms() + SOURCES_TIME_MS };
    int status = 0;

    TRY(proc_run(&run, out, &said, &status));
    if (status == 0)
        return NULL;
    struct str rest = str_trim(buf_str(&said));
    AUTO(buf) struct buf shown = BUF_INIT(1024);

    text_add_escaped(&shown, str_slice(str_cut(&rest, '\n'), 0, 200));
    return err_new(ERR_CONFIG, status, "%s ended with status %d%s%s", argv[0], status,
            shown.len == 0 ? "" : ": ", buf_text(&shown));
}

/* {"NAME": {"value": V, "sensitive": B}} to {"NAME": V}. Owned. */
static json_t *plain_outputs(const json_t *outputs)
{
    json_t *plain = jsonx_must(json_object());
    const char *name = NULL;
    json_t *output = NULL;

    json_object_foreach ((json_t *)(uintptr_t)outputs, name, output) {
        json_t *value = json_object_get(output, "value");

        if (value != NULL && !jsonx_bool(output, "sensitive", false))
            json_object_set(plain, name, value);
    }
    return plain;
}

static struct err *read_terraform(const struct doc_node *value, const char *dir, json_t **ret)
{
    AUTO(free) char *path = file_join(dir, value->text);
    AUTO(free) char *chdir = xasprintf("-chdir=%s", path);
    AUTO(buf) struct buf out = BUF_INIT(SOURCES_BYTES_MAX);
    json_auto_t *document = NULL;

    if (file_is_dir(path)) {
        const char *const argv[] = { "terraform", chdir, "output", "-json", NULL };

        TRY(run_program(argv, &out));
        TRY(jsonx_load(buf_str(&out), "terraform output", &document));
        *ret = plain_outputs(document);
        return NULL;
    }
    TRY(jsonx_load_file(path, SOURCES_BYTES_MAX, &document));
    if (!json_is_object(json_object_get(document, "outputs")))
        return err_new(ERR_CONFIG, 0,
                "%s is no Terraform state: it has no outputs (name terraform.tfstate, or the "
                "folder that terraform runs in)",
                path);
    *ret = plain_outputs(json_object_get(document, "outputs"));
    return NULL;
}

/* As a shell's $(...) does it, but only one line end. */
static struct err *as_text(struct str text, const char *what, json_t **ret)
{
    if (str_ends(text, STR("\n")))
        text = str_slice(text, 0, text.len - 1);
    if (str_ends(text, STR("\r")))
        text = str_slice(text, 0, text.len - 1);
    if (!text_is_utf8(text) || (text.len > 0 && memchr(text.p, '\0', text.len) != NULL))
        return err_new(ERR_CONFIG, 0, "%s gives no text (UTF-8)", what);
    *ret = text_json(text);
    return NULL;
}

static struct err *read_text_file(const struct doc_node *value, const char *dir, json_t **ret)
{
    AUTO(free) char *path = file_join(dir, value->text);
    AUTO(buf) struct buf text = BUF_INIT(SOURCES_BYTES_MAX);

    TRY(file_read(path, SOURCES_BYTES_MAX, &text));
    return as_text(buf_str(&text), path, ret);
}

static struct err *read_command(const struct doc_node *value, const char *dir, json_t **ret)
{
    AUTO(buf) struct buf out = BUF_INIT(SOURCES_BYTES_MAX);
    AUTO(free) const char **argv = xcalloc(value->count + 1, sizeof(*argv));

    (void)dir; /* a command runs where deployer does */
    for (size_t i = 0; i < value->count; i++)
        argv[i] = value->items[i]->text;
    TRY(run_program(argv, &out));
    return as_text(buf_str(&out), argv[0], ret);
}
