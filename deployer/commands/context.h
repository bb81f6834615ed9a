/*
 * context.h - what the commands share: the common options, where results go, and the way from the
 * name of a stack file to a model. A command fills a context_spec, calls context_parse, then what
 * it needs of context_load_*, and ends with context_write for each result.
 *
 *     static struct err *run(int argc, char **argv)
 *     {
 *         AUTO(context) struct context c = { 0 };
 *         const char *save = NULL;
 *         const struct context_option own[] = { { .name = "save", .value = &save } };
 *
 *         TRY(context_parse(&c, argc, argv,
 *                 &(struct context_spec){ .options = own, .option_count = ARRAY_LEN(own),
 *                         .args_min = 1, .args_max = 1, .formats = "text json" }));
 *         TRY(context_load_model(&c, c.args[0]));
 *         ...
 */
#ifndef COMMANDS_CONTEXT_H
#define COMMANDS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"

struct stack;
struct catalog;
struct model;

/* Texts of a repeatable option, in the order given. The texts are argv's, the list the context's
 * arena's. */
struct context_list {
    const char **items;
    size_t count;
    size_t capacity;
};

/* An option of one command alone: exactly one of flag, value, list is set and receives it. */
struct context_option {
    const char *name; /* "save", without the dashes */
    char letter;      /* short form, or 0 */
    bool *flag;
    const char **value; /* the last one given counts */
    struct context_list *list;
    const char *const *words; /* the only values that it takes, ending in NULL; or NULL */
};

struct context_spec {
    const struct context_option *options;
    size_t option_count;
    size_t args_min; /* arguments that are no options */
    size_t args_max;
    const char *formats;      /* what -o takes, the default first: "text json junit" */
    const char *const *verbs; /* what the first argument can be, ending in NULL; NULL: anything */
};

/* One -o FORMAT[=FILE]. */
struct context_output {
    char *format;     /* owned */
    const char *file; /* NULL: standard output */
};

struct vault_answers;

struct context {
    struct arena *arena;     /* the run's; owned */
    struct diag_list diags;  /* of everything loaded so far */
    size_t diags_printed;    /* context_print_diags goes on behind them */
    const char *environment; /* -e, or NULL */
    bool checks_overlays;    /* without -e: those of the stack are looked at, too */
    const char *target;      /* "azure" or "sandbox" */
    bool is_target_given;    /* false: the state's recorded target counts */
    const char *state_url;   /* --state, or NULL */
    struct context_list vars;
    struct context_list catalogs;
    struct context_list address_maps; /* --address-map FROM=TO */
    const char *resolver;             /* --resolver HOST[:PORT], or NULL */
    const char *sandbox_dir;          /* --sandbox-dir or the default; never NULL after a parse */
    const char *suffix;   /* for context_load_model: recorded in the state; NULL: derived */
    const json_t *ids;    /* likewise: {ADDRESS: ID} of what was adopted; lives in the arena */
    const json_t *labels; /* likewise: commands/names.h */
    struct vault_answers
            *vault;     /* what it said (commands/vault.h), for every later load; or NULL */
    int64_t timeout_ms; /* --timeout; 0: the command's own */
    bool is_yes;        /* --yes */
    bool has_color;     /* stdout is a terminal, and neither --no-color nor NO_COLOR says no */
    bool has_stderr_color;
    struct context_output *outputs; /* exactly one of them goes to standard output */
    size_t output_count;
    const char **args;
    size_t arg_count;
    struct stack *stack;                      /* after context_load_stack */
    struct catalog *catalog;                  /* after context_load_catalog */
    struct model *model;                      /* after context_load_model; owned */
    void (*release_model)(struct context *c); /* set when there is a model to release */
};

/*
 * Reads the command line (argv[0] is the command's name) and sets up the log. Results that -o sends
 * to files only come besides the default format on standard output. ERR_USAGE with what was meant
 * for an unknown option, format or number of arguments. The context keeps pointers into argv.
 */
MUST_CHECK struct err *context_parse(
        struct context *c, int argc, char **argv, const struct context_spec *spec);
/*
 * Asks the next context_parse to say what the command takes instead of reading anything: it returns
 * ERR_CANCELED and *ret is {"options": [{"name", "letter", "has_value", "words"}], "verbs": [],
 * "formats": []}. *ret stays NULL for a command without a context. `ret` NULL: as if nothing had
 * been asked.
 */
void context_describe(json_t **ret);
/*
 * Stack file, overlay and .env. Diagnostics are printed; ERR_CONFIG "N errors in FILE" when any is
 * an error. `file` may be a folder with a stack.yaml in it.
 */
MUST_CHECK struct err *context_load_stack(struct context *c, const char *file);
/* The embedded catalog, the stack's folders (if one is loaded) and --catalog. */
MUST_CHECK struct err *context_load_catalog(struct context *c);
/* All three: stack, catalog, expansion. */
MUST_CHECK struct err *context_load_model(struct context *c, const char *file);
/*
 * Prints the diagnostics that were not printed yet: text or, with --log-format json, one JSON
 * object a line, on stderr.
 */
void context_print_diags(struct context *c, const char *what);
/* ERR_CONFIG "N errors in WHAT" if there are any, after printing them. */
MUST_CHECK struct err *context_check_diags(struct context *c, const char *what);
/* The list as JSON for -o json: [{severity, code, file, line, column, path, text, hint}]. Owned. */
MUST_CHECK json_t *context_diags_json(const struct diag_list *list);
/*
 * {"endpoint", "ca", ...} of the running sandbox (docs/sandbox.md), from SANDBOX_DIR/sandbox.json.
 * Owned. ERR_NOINPUT with the command that starts it as the hint.
 */
MUST_CHECK struct err *context_sandbox(const struct context *c, json_t **ret);
/* Prints the error that ends the command: text or, with --log-format json, one JSON object. */
void context_print_error(const struct err *e);
/* Whether -o asked for this format. */
bool context_wants(const struct context *c, const char *format);
/*
 * Writes a result to every output of that format: standard output, or its file (replaced whole).
 * Live secrets are scrubbed unless the command was asked to reveal them.
 */
MUST_CHECK struct err *context_write(struct context *c, const char *format, struct str text);
MUST_CHECK struct err *context_write_revealed(
        struct context *c, const char *format, struct str text);
/* As context_write, a JSON document with sorted keys and a line end. */
MUST_CHECK struct err *context_write_json(struct context *c, const json_t *document);
/*
 * Asks on the terminal (stderr and /dev/tty) and waits for "yes"; --yes answers. ERR_USAGE without
 * a terminal; ERR_CANCELED for any other answer.
 */
MUST_CHECK struct err *context_confirm(struct context *c, const char *question);

/* The common options, for the usage text of a command (string literal to concatenate). */
#define CONTEXT_USAGE                                                                              \
    "\nCommon options:\n"                                                                          \
    "  -e, --environment NAME   the environment of the stack file to merge over its base\n"        \
    "      --target WHERE       azure (default) or sandbox\n"                                      \
    "      --state URL          where the state is kept\n"                                         \
    "      --var NAME=VALUE     sets a declared input of the stack; repeatable\n"                  \
    "      --catalog DIR        adds or replaces kinds and services; repeatable\n"                 \
    "      --timeout TIME       ends after 90s, 15m, 2h\n"                                         \
    "      --yes                answers questions with yes\n"                                      \
    "  -o, --output FORMAT[=FILE]  how, and where, results are written; repeatable\n"              \
    "      --log-level LEVEL    error, warn (default), info, debug, trace\n"                       \
    "      --log-format FORMAT  text (default) or json: one object a line on stderr\n"             \
    "      --no-color           no colours (NO_COLOR does the same)\n"                             \
    "      --sandbox-dir DIR    folder of the sandbox for --target sandbox\n"                      \
    "      --address-map A=B    dials addresses of network A in network B; repeatable; none: as\n" \
    "                           they are, even on the sandbox\n"                                   \
    "      --resolver HOST:PORT  the DNS server to ask\n"

void context_release(struct context *c);

static inline void auto_context(struct context *c)
{
    context_release(c);
}

#endif
