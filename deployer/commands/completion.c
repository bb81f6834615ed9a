/*
 * completion - what the shells want to know of the commands, written from their own tables
 * (describe.h): nothing here names a command or an option.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/describe.h"

/* What stands for a file in the help, and how each shell is told so. */
enum kind { KIND_NONE, KIND_FILE, KIND_DIR, KIND_STACK, KIND_WORDS };

static bool has_part(const char *text, const char *part)
{
    return text != NULL && str_find(str_of(text), str_of(part)) >= 0;
}

static enum kind kind_of(const char *placeholder)
{
    if (text_eq(placeholder, "STACK"))
        return KIND_STACK;
    if (has_part(placeholder, "DIR"))
        return KIND_DIR;
    return has_part(placeholder, "FILE") ? KIND_FILE : KIND_NONE;
}

/* An option's values: its own words, the command's formats for -o, else by the placeholder. */
static enum kind kind_of_option(const json_t *option)
{
    if (json_array_size(json_object_get(option, "words")) > 0)
        return KIND_WORDS;
    return kind_of(jsonx_text(option, "value"));
}

static json_t *words_of(const json_t *command, const json_t *option)
{
    return json_object_get(text_eq(jsonx_text(option, "name"), "output") ? command : option,
            text_eq(jsonx_text(option, "name"), "output") ? "formats" : "words");
}

static void add_words(struct buf *out, const json_t *words)
{
    for (size_t i = 0; i < json_array_size(words); i++)
        buf_addf(out, "%s%s", i == 0 ? "" : " ", json_string_value(json_array_get(words, i)));
}

/* In single quotes of a shell; `also` is escaped by a backslash within (zsh's colons, brackets). */
static void add_quoted(struct buf *out, const char *text, const char *also)
{
    for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
        if (*c == '\'')
            buf_add_text(out, "'\\''");
        else if (strchr(also, *c) != NULL)
            buf_addf(out, "\\%c", *c);
        else
            buf_add_char(out, *c);
    }
}

/* ---- bash ---- */

static void add_bash_options(struct buf *out, const json_t *command)
{
    size_t i = 0;
    json_t *o = NULL;

    json_array_foreach (json_object_get(command, "options"), i, o) {
        buf_addf(out, "%s--%s", i == 0 ? "" : " ", jsonx_text(o, "name"));
        if (jsonx_text(o, "letter")[0] != '\0')
            buf_addf(out, " -%s", jsonx_text(o, "letter"));
    }
}

/* `"plan --target") words="azure sandbox";;` for each option that takes a value. */
static void add_bash_values(struct buf *out, const json_t *command)
{
    static const char *const calls[] = { [KIND_NONE] = "return",
        [KIND_FILE] = "files=-f",
        [KIND_DIR] = "files=-d",
        [KIND_STACK] = "files=-f",
        [KIND_WORDS] = "" };
    size_t i = 0;
    json_t *o = NULL;

    json_array_foreach (json_object_get(command, "options"), i, o) {
        const json_t *words = words_of(command, o);

        if (!jsonx_bool(o, "has_value", false))
            continue;
        buf_addf(out, "    '%s --%s'", jsonx_text(command, "name"), jsonx_text(o, "name"));
        if (jsonx_text(o, "letter")[0] != '\0')
            buf_addf(out, "|'%s -%s'", jsonx_text(command, "name"), jsonx_text(o, "letter"));
        buf_add_text(out, ") ");
        if (json_array_size(words) > 0) {
            buf_add_text(out, "words='");
            add_words(out, words);
            buf_add_text(out, "'");
        } else {
            buf_add_text(out, calls[kind_of_option(o)]);
        }
        buf_add_text(out, " ;;\n");
    }
}

static void write_bash(const json_t *all, struct buf *out)
{
    size_t i = 0;
    json_t *c = NULL;

    buf_add_text(out,
            "# bash completion of deployer: source <(deployer completion bash)\n"
            "_deployer() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local command=${COMP_WORDS[1]} words= files= options= verbs= stack=\n"
            "    COMPREPLY=()\n"
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
            "        COMPREPLY=($(compgen -W '");
    json_array_foreach (all, i, c)
        buf_addf(out, "%s ", jsonx_text(c, "name"));
    buf_add_text(out, "--help --version' -- \"$cur\"))\n        return\n    fi\n"
                      "    case \"$command $previous\" in\n");
    json_array_foreach (all, i, c)
        add_bash_values(out, c);
    buf_add_text(out, "    *) case \"$command\" in\n");
    json_array_foreach (all, i, c) {
        buf_addf(out, "    %s) options='", jsonx_text(c, "name"));
        add_bash_options(out, c);
        buf_add_text(out, " --help' verbs='");
        add_words(out, json_object_get(c, "verbs"));
        buf_addf(out, "'%s ;;\n",
                kind_of(jsonx_text(c, "argument")) != KIND_NONE
                                || json_array_size(json_object_get(c, "verbs")) > 0
                        ? " stack=1"
                        : "");
    }
    buf_add_text(out,
            "    esac\n"
            "        if [[ $cur == -* ]]; then words=$options\n"
            "        elif [ -n \"$verbs\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then words=$verbs\n"
            "        elif [ -n \"$stack\" ]; then files=-f\n"
            "        fi ;;\n"
            "    esac\n"
            "    if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
            "    elif [ -n \"$files\" ]; then\n"
            "        local IFS=$'\\n'\n"
            "        COMPREPLY=($(compgen \"$files\" -- \"$cur\"))\n"
            "        compopt -o filenames 2>/dev/null\n"
            "    fi\n"
            "}\n"
            "complete -F _deployer deployer\n");
}

/* ---- zsh ---- */

static void add_zsh_value(struct buf *out, const json_t *command, const json_t *option)
{
    static const char *const actions[] = { [KIND_NONE] = "",
        [KIND_FILE] = "_files",
        [KIND_DIR] = "_files -/",
        [KIND_STACK] = "_files",
        [KIND_WORDS] = "" };
    const json_t *words = words_of(command, option);

    if (!jsonx_bool(option, "has_value", false))
        return;
    buf_add_text(out, ":");
    add_quoted(out, jsonx_text(option, "value"), ":[]");
    buf_add_text(out, ":");
    if (json_array_size(words) > 0) {
        buf_add_text(out, "(");
        add_words(out, words);
        buf_add_text(out, ")");
    } else {
        buf_add_text(out, actions[kind_of_option(option)]);
    }
}

static void add_zsh_command(struct buf *out, const json_t *command)
{
    size_t i = 0;
    json_t *o = NULL;

    buf_addf(out, "    %s) _arguments", jsonx_text(command, "name"));
    json_array_foreach (json_object_get(command, "options"), i, o) {
        const char *letter = jsonx_text(o, "letter");

        for (int is_short = 0; is_short <= (letter[0] != '\0'); is_short++) {
            buf_addf(out, " \\\n        '*%s%s[", is_short ? "-" : "--",
                    is_short ? letter : jsonx_text(o, "name"));
            add_quoted(out, jsonx_text(o, "doc"), ":[]");
            buf_add_text(out, "]");
            add_zsh_value(out, command, o);
            buf_add_text(out, "'");
        }
    }
    buf_add_text(out, " \\\n        '--help[describes the command]'");
    if (json_array_size(json_object_get(command, "verbs")) > 0) {
        buf_add_text(out, " \\\n        '1:verb:(");
        add_words(out, json_object_get(command, "verbs"));
        buf_add_text(out, ")'");
    }
    buf_add_text(out, " \\\n        '*:file:_files' ;;\n");
}

static void write_zsh(const json_t *all, struct buf *out)
{
    size_t i = 0;
    json_t *c = NULL;

    buf_add_text(out,
            "#compdef deployer\n"
            "# zsh completion of deployer: source <(deployer completion zsh), after compinit\n"
            "_deployer() {\n    local -a commands\n    commands=(\n");
    json_array_foreach (all, i, c) {
        buf_addf(out, "        '%s:", jsonx_text(c, "name"));
        add_quoted(out, jsonx_text(c, "summary"), ":");
        buf_add_text(out, "'\n");
    }
    buf_add_text(out, "    )\n    if (( CURRENT == 2 )); then\n"
                      "        _describe command commands\n        return\n    fi\n"
                      "    local command=${words[2]}\n    shift words\n    (( CURRENT-- ))\n"
                      "    case $command in\n");
    json_array_foreach (all, i, c)
        add_zsh_command(out, c);
    buf_add_text(out,
            "    esac\n}\n"
            "# Sourced it registers itself; from a folder of fpath its first call is this.\n"
            "if [ \"$funcstack[1]\" = _deployer ]; then _deployer \"$@\"\n"
            "elif (( $+functions[compdef] )); then compdef _deployer deployer\nfi\n");
}

/* ---- fish ---- */

static void add_fish_option(struct buf *out, const json_t *command, const json_t *option)
{
    static const char *const flags[] = { [KIND_NONE] = " -x",
        [KIND_FILE] = " -r -F",
        [KIND_DIR] = " -x -a '(__fish_complete_directories)'",
        [KIND_STACK] = " -r -F",
        [KIND_WORDS] = " -x" };
    const json_t *words = words_of(command, option);

    buf_addf(out, "complete -c deployer -n '__fish_seen_subcommand_from %s' -l %s",
            jsonx_text(command, "name"), jsonx_text(option, "name"));
    if (jsonx_text(option, "letter")[0] != '\0')
        buf_addf(out, " -s %s", jsonx_text(option, "letter"));
    if (jsonx_bool(option, "has_value", false) && json_array_size(words) > 0) {
        buf_add_text(out, " -x -a '");
        add_words(out, words);
        buf_add_text(out, "'");
    } else if (jsonx_bool(option, "has_value", false)) {
        buf_add_text(out, flags[kind_of_option(option)]);
    }
    buf_add_text(out, " -d '");
    add_quoted(out, jsonx_text(option, "doc"), "");
    buf_add_text(out, "'\n");
}

static void write_fish(const json_t *all, struct buf *out)
{
    size_t i = 0;
    size_t k = 0;
    json_t *c = NULL;
    json_t *o = NULL;

    buf_add_text(out, "# fish completion of deployer: deployer completion fish | source\n"
                      "complete -c deployer -n __fish_use_subcommand -f\n");
    json_array_foreach (all, i, c) {
        buf_addf(out, "complete -c deployer -n __fish_use_subcommand -f -a %s -d '",
                jsonx_text(c, "name"));
        add_quoted(out, jsonx_text(c, "summary"), "");
        buf_add_text(out, "'\n");
        json_array_foreach (json_object_get(c, "options"), k, o)
            add_fish_option(out, c, o);
        if (json_array_size(json_object_get(c, "verbs")) == 0)
            continue;
        buf_addf(out, "complete -c deployer -n '__fish_seen_subcommand_from %s' -a '",
                jsonx_text(c, "name"));
        add_words(out, json_object_get(c, "verbs"));
        buf_add_text(out, "'\n");
    }
}

/* ---- the man page ---- */

static void add_roff(struct buf *out, struct str text)
{
    if (text.len > 0 && (text.p[0] == '.' || text.p[0] == '\''))
        buf_add_text(out, "\\&");
    for (size_t i = 0; i < text.len; i++)
        buf_addf(out, text.p[i] == '\\' ? "\\e" : text.p[i] == '-' ? "\\-" : "%c", text.p[i]);
}

static void add_roff_lines(struct buf *out, const char *text)
{
    for (struct str rest = str_of(text); rest.p != NULL;) {
        const struct str line = str_cut(&rest, '\n');

        if (line.len == 0 && rest.p == NULL)
            break;
        add_roff(out, line);
        buf_add_char(out, '\n');
    }
}

static void write_man(const json_t *all, struct buf *out)
{
    size_t i = 0;
    json_t *c = NULL;

    buf_add_text(out,
            ".TH DEPLOYER 1 \"\" \"deployer " DEPLOYER_VERSION "\"\n.SH NAME\n"
            "deployer \\- takes a stack in one YAML file to running, verified services on Azure\n"
            ".SH SYNOPSIS\n.B deployer\n.I COMMAND\n[\\fIARGUMENTS\\fR]\n.SH COMMANDS\n");
    json_array_foreach (all, i, c) {
        buf_add_text(out, ".TP\n.B ");
        add_roff(out, str_of(jsonx_text(c, "name")));
        buf_add_char(out, '\n');
        add_roff_lines(out, jsonx_text(c, "summary"));
    }
    json_array_foreach (all, i, c) {
        buf_addf(out, ".SH \"%s\"\n.nf\n", jsonx_text(c, "name"));
        add_roff_lines(out, jsonx_text(c, "usage"));
        buf_add_text(out, ".fi\n");
    }
}

/* ---- the command ---- */

static const struct {
    const char *name;
    void (*write)(const json_t *all, struct buf *out);
} writers[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish },
    { "man", write_man } };

static json_t *describe_all(void)
{
    json_t *all = jsonx_must(json_array());

    for (size_t i = 0; command_table[i] != NULL; i++)
        json_array_append_new(all, describe_command(command_table[i]));
    return all;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    const char *names[ARRAY_LEN(writers) + 1] = { NULL };
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < ARRAY_LEN(writers); i++)
        names[i] = writers[i].name;
    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){
                    .args_min = 1, .args_max = 1, .verbs = names, .formats = "text json" }));
    json_auto_t *all = describe_all();

    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        if (text_eq(writers[i].name, c.args[0]))
            writers[i].write(all, &out);
    }
    json_auto_t *document = jsonx_must(
            json_pack("{s:i, s:s, s:O}", "format_version", 1, "kind", "commands", "commands", all));

    TRY(context_write(&c, "text", buf_str(&out)));
    return context_write_json(&c, document);
}

const struct command command_completion = {
    .name = "completion",
    .summary = "what bash, zsh or fish needs to complete commands, options and files",
    .usage = "Usage: deployer completion bash|zsh|fish|man [OPTIONS]\n"
             "\n"
             "  bash   source <(deployer completion bash)\n"
             "  zsh    source <(deployer completion zsh), after compinit\n"
             "  fish   deployer completion fish | source\n"
             "  man    the manual page deployer.1\n"
             "\n"
             "With -o json the commands with their options, for other programs.\n" CONTEXT_USAGE,
    .run = run,
};
