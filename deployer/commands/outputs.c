/* deployer outputs: the values that a stack gives to others. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "catalog/expr.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/session.h"
#include "report/dotenv_text.h"
#include "report/result_text.h"

struct options {
    bool is_revealed;
    const char *auth;
};

/* A value in clear: only for --reveal. */
static struct err *reveal(const struct session *s, const json_t *value, json_t **ret)
{
    AUTO(buf) struct buf wire = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };

    TRY(expr_write_wire(value, engine_secrets(s->engine), &wire));
    *ret = json_loadb(wire.p, wire.len, JSON_DECODE_ANY, NULL);
    return *ret != NULL ? NULL : err_new(ERR_INTERNAL, 0, "a value that is no JSON");
}

static struct err *shown(const struct session *s, const json_t *one, bool is_revealed, json_t **ret)
{
    const json_t *value = json_object_get(one, "value");

    if (expr_has_unknown(value, NULL))
        *ret = json_null();
    else if (is_revealed)
        return reveal(s, value, ret);
    else if (jsonx_bool(one, "secret", false))
        *ret = jsonx_must(json_string("(secret)"));
    else
        *ret = jsonx_copy(value);
    return NULL;
}

/* {NAME: value} as it may be shown. */
static struct err *values(
        const struct session *s, const json_t *outputs, bool is_revealed, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_object());
    const char *name = NULL;
    json_t *one = NULL;

    json_object_foreach ((json_t *)(uintptr_t)outputs, name, one) {
        json_t *value = NULL;

        TRY(shown(s, one, is_revealed, &value));
        json_object_set_new(all, name, value);
    }
    *ret = TAKE(all);
    return NULL;
}

/* SERVICE_NAME. Owned. */
static char *variable_name(const char *output)
{
    char *name = xstrdup(output);

    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (!(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9'))
            *c = '_';
    }
    return name;
}

static void add_dotenv(const json_t *all, struct buf *out)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)all, name, value) {
        AUTO(free) char *variable = variable_name(name);
        AUTO(free)
        char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : jsonx_dump(value);

        if (!json_is_null(value))
            dotenv_text_add(out, variable, text);
    }
}

static struct err *write_out(
        struct context *c, const char *format, const struct buf *text, bool is_revealed)
{
    return is_revealed ? context_write_revealed(c, format, buf_str(text))
                       : context_write(c, format, buf_str(text));
}

static void add_lines(
        const json_t *all, const json_t *outputs, bool is_revealed, bool has_color, struct buf *out)
{
    json_auto_t *plain = jsonx_must(json_object());
    const char *name = NULL;
    json_t *value = NULL;

    if (!is_revealed) {
        result_text_outputs(outputs, has_color, out);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)all, name, value)
        json_object_set_new(plain, name, json_pack("{s:O}", "value", value));
    result_text_outputs(plain, has_color, out);
}

static struct err *print(
        struct context *c, const struct session *s, const json_t *outputs, bool is_revealed)
{
    json_auto_t *all = NULL;
    AUTO(buf) struct buf text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf dotenv = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf json = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };

    TRY(values(s, outputs, is_revealed, &all));
    add_lines(all, outputs, is_revealed, c->has_color, &text);
    add_dotenv(all, &dotenv);
    AUTO(free) char *pretty = jsonx_pretty(all);

    buf_add_text(&json, pretty);
    TRY(write_out(c, "text", &text, is_revealed));
    TRY(write_out(c, "dotenv", &dotenv, is_revealed));
    return write_out(c, "json", &json, is_revealed);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    json_auto_t *outputs = NULL;
    const struct context_option own[] = {
        { .name = "reveal", .flag = &o.is_revealed },
        { .name = "auth", .value = &o.auth },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json dotenv" }));
    TRY(session_open(&c, &(struct session_options){ .file = c.args[0], .auth = o.auth }, &s));
    TRY(session_refresh(&s));
    TRY(session_outputs(&s, &outputs));
    return print(&c, &s, outputs, o.is_revealed);
}

const struct command command_outputs = {
    .name = "outputs",
    .summary = "print the values that the stack gives to others",
    .usage = "Usage: deployer outputs STACK [OPTIONS]\n\n"
             "Names are SERVICE.NAME; with -o dotenv SERVICE_NAME. What is not known yet is "
             "null.\n\n"
             "Options:\n"
             "      --reveal             prints secrets too\n"
             "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
