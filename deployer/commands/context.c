#include "commands/context.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "cloud/arm/arm.h"
#include "http/resolve.h"

#define OPTION_BASE 256 /* getopt's values of long options: above every letter */
#define OPTIONS_MAX 48u

/* What the command line says and is read once all of it is known. */
struct parse {
    struct context *c;
    const struct context_spec *spec;
    const char *command;
    struct context_option all[OPTIONS_MAX]; /* the common ones, then the command's own */
    size_t count;
    struct context_list outputs;
    const char *target;
    const char *log_level;
    const char *log_format;
    const char *timeout;
    bool no_color;
};

/* In the arena: a command's own lists live as long as the run, and nobody frees them. */
static void add_to_list(struct arena *arena, struct context_list *list, const char *text)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        const char **items = arena_alloc(arena, capacity * sizeof(*items));

        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = text;
}

static void collect_options(struct parse *p)
{
    static const char *const targets[] = { "azure", "sandbox", NULL };
    static const char *const log_formats[] = { "text", "json", NULL };
    struct context *c = p->c;
    const struct context_option common[] = {
        { .name = "environment", .letter = 'e', .value = &c->environment },
        { .name = "target", .value = &p->target, .words = targets },
        { .name = "state", .value = &c->state_url },
        { .name = "var", .list = &c->vars },
        { .name = "catalog", .list = &c->catalogs },
        { .name = "log-level", .value = &p->log_level },
        { .name = "log-format", .value = &p->log_format, .words = log_formats },
        { .name = "no-color", .flag = &p->no_color },
        { .name = "timeout", .value = &p->timeout },
        { .name = "output", .letter = 'o', .list = &p->outputs },
        { .name = "yes", .flag = &c->is_yes },
        { .name = "sandbox-dir", .value = &c->sandbox_dir },
        { .name = "address-map", .list = &c->address_maps },
        { .name = "resolver", .value = &c->resolver },
    };

    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        p->all[p->count++] = common[i];
    for (size_t i = 0; i < p->spec->option_count && p->count < OPTIONS_MAX; i++)
        p->all[p->count++] = p->spec->options[i];
}

/* "'x' is not one of a, b (did you mean a?)" unless the value is one of the words. */
static struct err *check_word(
        const struct parse *p, const char *what, const char *const *words, const char *value)
{
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);
    size_t count = 0;

    for (; words[count] != NULL; count++) {
        if (text_eq(words[count], value))
            return NULL;
        buf_addf(&list, "%s%s", count == 0 ? "" : ", ", words[count]);
    }
    const char *meant = text_suggest(str_of(value), words, count);

    return err_new(ERR_USAGE, 0, "%s: %s'%s' is not one of %s%s%s%s", p->command, what, value,
            buf_text(&list), meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");
}

static struct err *check_option(
        const struct parse *p, const struct context_option *o, const char *value)
{
    AUTO(free) char *what = xasprintf("--%s ", o->name);

    return o->words == NULL ? NULL : check_word(p, what, o->words, value);
}

static void set_option(struct arena *arena, const struct context_option *o, const char *value)
{
    if (o->flag != NULL)
        *o->flag = true;
    else if (o->value != NULL)
        *o->value = value;
    else
        add_to_list(arena, o->list, value);
}

static struct err *unknown_option(const struct parse *p, const char *given)
{
    const char *names[OPTIONS_MAX];
    const struct str rest = str_of(given + strspn(given, "-"));
    struct str name = rest;

    name = str_cut(&name, '=');
    for (size_t i = 0; i < p->count; i++)
        names[i] = p->all[i].name;
    const char *meant = text_suggest(name, names, p->count);
    struct err *e = meant != NULL
                            ? err_new(ERR_USAGE, 0, "%s: %s is not an option (did you mean --%s?)",
                                    p->command, given, meant)
                            : err_new(ERR_USAGE, 0, "%s: %s is not an option", p->command, given);

    err_set_hint(e, "deployer %s --help lists the options", p->command);
    return e;
}

static const struct context_option *option_of(const struct parse *p, int code)
{
    if (code >= OPTION_BASE)
        return &p->all[code - OPTION_BASE];
    for (size_t i = 0; i < p->count; i++) {
        if (p->all[i].letter == code)
            return &p->all[i];
    }
    return NULL;
}

static struct err *read_options(struct parse *p, int argc, char **argv)
{
    struct option longs[OPTIONS_MAX + 1] = { 0 };
    char letters[2 * OPTIONS_MAX + 2] = ":";
    size_t n = 1;
    int code = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct context_option *o = &p->all[i];

        longs[i] = (struct option){ .name = o->name,
            .has_arg = o->flag != NULL ? no_argument : required_argument,
            .val = OPTION_BASE + (int)i };
        if (o->letter != 0) {
            letters[n++] = o->letter;
            if (o->flag == NULL)
                letters[n++] = ':';
        }
    }
    opterr = 0;
    optind = 0;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct context_option *o = code == '?' || code == ':' ? NULL : option_of(p, code);

        if (code == ':')
            return err_new(ERR_USAGE, 0, "%s: %s needs a value", p->command, argv[optind - 1]);
        if (o == NULL && optopt != 0 && optopt < OPTION_BASE) {
            const char letter[] = { '-', (char)optopt, '\0' };

            return unknown_option(p, letter);
        }
        if (o == NULL && optopt >= OPTION_BASE)
            return err_new(ERR_USAGE, 0, "%s: --%s takes no value", p->command,
                    p->all[optopt - OPTION_BASE].name);
        if (o == NULL)
            return unknown_option(p, argv[optind - 1]);
        TRY(check_option(p, o, optarg));
        set_option(p->c->arena, o, optarg);
    }
    return NULL;
}

static struct err *read_args(struct parse *p, int argc, char **argv)
{
    struct context *c = p->c;
    const size_t count = (size_t)(argc - optind);

    if (count < p->spec->args_min || count > p->spec->args_max) {
        struct err *e = err_new(ERR_USAGE, 0, "%s: %s", p->command,
                count < p->spec->args_min ? "an argument is missing" : "too many arguments");

        err_set_hint(e, "deployer %s --help says what it takes", p->command);
        return e;
    }
    if (p->spec->verbs != NULL && count > 0)
        TRY(check_word(p, "", p->spec->verbs, argv[optind]));
    c->args = xcalloc(count + 1, sizeof(*c->args));
    for (size_t i = 0; i < count; i++)
        c->args[i] = argv[optind + (int)i];
    c->arg_count = count;
    return NULL;
}

static bool has_word(const char *words, struct str word)
{
    struct str rest = str_of(words);

    while (rest.p != NULL) {
        if (str_eq(str_cut(&rest, ' '), word))
            return true;
    }
    return false;
}

static void print_words(const char *words, struct buf *out)
{
    for (struct str rest = str_of(words); rest.p != NULL;) {
        const struct str word = str_cut(&rest, ' ');

        buf_addf(out, "%s%.*s", out->len == 0 ? "" : ", ", STR_ARG(word));
    }
}

static void add_output(struct context *c, struct str format, const char *file)
{
    c->outputs = xrealloc(c->outputs, c->output_count + 1, sizeof(*c->outputs));
    c->outputs[c->output_count++] =
            (struct context_output){ .format = str_dup(format), .file = file };
}

static struct err *read_outputs(struct parse *p)
{
    struct context *c = p->c;
    const char *formats = p->spec->formats == NULL ? "text" : p->spec->formats;
    struct str rest = str_of(formats);
    const struct str otherwise = str_cut(&rest, ' ');
    size_t to_stdout = 0;

    for (size_t i = 0; i < p->outputs.count; i++) {
        struct str file = str_of(p->outputs.items[i]);
        const struct str format = str_cut(&file, '=');
        const bool is_stdout = file.p == NULL || str_eq(file, STR("-"));

        if (format.len == 0 || !has_word(formats, format)) {
            AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);

            print_words(formats, &list);
            return err_new(ERR_USAGE, 0, "%s: -o %.*s is not one of %s", p->command,
                    STR_ARG(format), buf_text(&list));
        }
        if (file.p != NULL && file.len == 0)
            return err_new(ERR_USAGE, 0, "%s: -o %.*s= names no file", p->command, STR_ARG(format));
        to_stdout += is_stdout;
        add_output(c, format, is_stdout ? NULL : file.p);
    }
    if (to_stdout > 1)
        return err_new(ERR_USAGE, 0,
                "%s: two -o write to standard output: give all but one a file (-o FORMAT=FILE)",
                p->command);
    if (to_stdout == 0)
        add_output(c, otherwise, NULL);
    return NULL;
}

static struct err *set_up_log(const struct parse *p)
{
    enum log_level level = LOG_LEVEL_WARN;

    if (p->log_level != NULL)
        TRY(log_parse_level(p->log_level, &level));
    log_setup(level, text_eq(p->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    return NULL;
}

static bool may_color(const struct parse *p, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return !p->no_color && (no_color == NULL || no_color[0] == '\0') && isatty(fd) == 1
           && !text_eq(terminal, "dumb");
}

static const char *default_sandbox_dir(struct arena *arena)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state != NULL && state[0] == '/')
        return arena_printf(arena, "%s/deployer/sandbox", state);
    return arena_printf(arena, "%s/.local/state/deployer/sandbox", home == NULL ? "" : home);
}

static void read_target(struct parse *p)
{
    struct context *c = p->c;

    c->is_target_given = p->target != NULL;
    c->target = p->target == NULL ? "azure" : p->target;
    if (c->sandbox_dir == NULL)
        c->sandbox_dir = default_sandbox_dir(c->arena);
}

static struct err *interpret(struct parse *p)
{
    struct context *c = p->c;

    TRY(set_up_log(p));
    read_target(p);
    TRY(read_outputs(p));
    if (p->timeout != NULL) {
        struct err *e = num_parse_duration_ms(str_of(p->timeout), &c->timeout_ms);

        if (e != NULL) {
            err_free(e);
            return err_new(ERR_USAGE, 0, "%s: --timeout '%s' is not a duration such as 90s or 15m",
                    p->command, p->timeout);
        }
    }
    if (c->resolver != NULL)
        TRY(err_wrap(resolve_check(c->resolver), "%s", p->command));
    c->has_color = may_color(p, STDOUT_FILENO);
    c->has_stderr_color = may_color(p, STDERR_FILENO);
    return NULL;
}

/* Where context_describe wants the next answer. */
static json_t **described;

void context_describe(json_t **ret)
{
    if (ret != NULL)
        *ret = NULL;
    described = ret;
}

static json_t *words_json(const char *const *words)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        json_array_append_new(list, jsonx_textf("%s", words[i]));
    return list;
}

static json_t *shape_of(const struct parse *p)
{
    json_t *options = jsonx_must(json_array());
    json_t *formats = jsonx_must(json_array());
    struct str rest = str_of(p->spec->formats == NULL ? "text" : p->spec->formats);

    for (size_t i = 0; i < p->count; i++) {
        const struct context_option *o = &p->all[i];
        const char letter[] = { o->letter, '\0' };

        json_array_append_new(options,
                jsonx_must(json_pack("{s:s, s:s, s:b, s:o}", "name", o->name, "letter", letter,
                        "has_value", o->flag == NULL, "words", words_json(o->words))));
    }
    while (rest.p != NULL)
        json_array_append_new(formats, text_json(str_cut(&rest, ' ')));
    return jsonx_must(json_pack("{s:o, s:o, s:o}", "options", options, "verbs",
            words_json(p->spec->verbs), "formats", formats));
}

struct err *context_parse(struct context *c, int argc, char **argv, const struct context_spec *spec)
{
    struct parse p = { .c = c, .spec = spec, .command = argv[0] };

    c->arena = arena_new();
    diag_init(&c->diags, c->arena);
    collect_options(&p);
    if (described != NULL) {
        *described = shape_of(&p);
        described = NULL;
        return err_new(ERR_CANCELED, 0, "%s was only asked what it takes", argv[0]);
    }
    struct err *e = read_options(&p, argc, argv);

    if (e == NULL)
        e = interpret(&p);
    if (e == NULL)
        e = read_args(&p, argc, argv);
    return e;
}

struct err *context_sandbox(const struct context *c, json_t **ret)
{
    return arm_sandbox_load(c->sandbox_dir, ret);
}
