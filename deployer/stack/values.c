#include "stack/values.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "stack/dotenv.h"
#include "stack/stack.h"

struct known_secret {
    const char *name;
    struct secret *value;
    struct known_secret *next;
};

struct stack_values {
    struct arena *arena;
    char **process; /* "NAME=VALUE" copies, NULL-terminated */
    size_t process_count;
    struct dotenv dotenv;
    struct known_secret *secrets; /* those asked for so far */
    struct known_secret *vault;   /* its answers; value NULL: it has none */
};

static void values_release(void *object)
{
    struct stack_values *v = object;

    for (struct known_secret *s = v->secrets; s != NULL; s = s->next)
        secret_unref(s->value);
    for (struct known_secret *s = v->vault; s != NULL; s = s->next)
        secret_unref(s->value);
    for (size_t i = 0; i < v->process_count; i++) {
        explicit_bzero(v->process[i], strlen(v->process[i]));
        free(v->process[i]);
    }
    free(v->process);
    dotenv_release(&v->dotenv);
}

static void copy_environment(struct stack_values *v)
{
    size_t count = 0;

    while (environ != NULL && environ[count] != NULL)
        count++;
    v->process = xcalloc(count + 1, sizeof(*v->process));
    for (size_t i = 0; i < count; i++)
        v->process[i] = xstrdup(environ[i]);
    v->process_count = count;
}

struct err *values_load(struct arena *arena, const char *dotenv_path, struct diag_list *diags,
        struct stack_values **ret)
{
    struct stack_values *v = arena_alloc(arena, sizeof(*v));
    struct buf text = { .max_bytes = DOTENV_BYTES_MAX, .is_secret = true };

    v->arena = arena;
    arena_hook(arena, values_release, v);
    copy_environment(v);
    struct err *e = file_read(dotenv_path, DOTENV_BYTES_MAX, &text);

    if (e == NULL)
        dotenv_parse(buf_str(&text), arena_text(arena, dotenv_path), diags, &v->dotenv);
    buf_release(&text);
    if (e != NULL && err_kind(e) == ERR_NOINPUT && !file_exists(dotenv_path)) {
        err_ignore(e, "a stack needs no .env");
        e = NULL;
    }
    *ret = v;
    return e;
}

static const char *from_process(const struct stack_values *v, struct str name)
{
    for (size_t i = 0; i < v->process_count; i++) {
        const struct str entry = str_of(v->process[i]);

        if (entry.len > name.len && entry.p[name.len] == '=' && str_starts(entry, name))
            return entry.p + name.len + 1;
    }
    return NULL;
}

enum values_origin values_origin(
        const struct stack_values *v, const char *name, bool is_secret, struct place *ret_place)
{
    const char *process = from_process(v, str_of(name));
    const struct dotenv_entry *e = dotenv_find(&v->dotenv, str_of(name));

    if (process != NULL && (!is_secret || process[0] != '\0'))
        return VALUES_PROCESS;
    if (e == NULL || (is_secret && e->value[0] == '\0'))
        return VALUES_NONE;
    if (ret_place != NULL)
        *ret_place = e->place;
    return VALUES_DOTENV;
}

static const char *find(const struct stack_values *v, const char *name, bool is_secret)
{
    switch (values_origin(v, name, is_secret, NULL)) {
    case VALUES_PROCESS:
        return from_process(v, str_of(name));
    case VALUES_DOTENV:
        return dotenv_find(&v->dotenv, str_of(name))->value;
    case VALUES_NONE:
    default:
        return NULL;
    }
}

const char *stack_env(const struct stack *s, const char *name)
{
    return find(s->values, name, false);
}

static const struct known_secret *find_secret(const struct known_secret *list, const char *name)
{
    while (list != NULL && !text_eq(list->name, name))
        list = list->next;
    return list;
}

/* Takes the value. */
static void add_secret(
        struct stack_values *v, struct known_secret **list, const char *name, struct secret *value)
{
    struct known_secret *k = arena_alloc(v->arena, sizeof(*k));

    *k = (struct known_secret){ .name = arena_text(v->arena, name), .value = value, .next = *list };
    *list = k;
}

struct secret *stack_secret(const struct stack *s, const char *name)
{
    struct stack_values *v = s->values;
    const struct known_secret *known = find_secret(v->secrets, name);

    if (known != NULL)
        return known->value;
    const char *value = find(v, name, true);

    if (value == NULL) {
        known = find_secret(v->vault, name);
        return known == NULL ? NULL : known->value;
    }
    add_secret(v, &v->secrets, name, secret_new(str_of(value)));
    return v->secrets->value;
}

void stack_tell_vault(struct stack *s, const struct stack_vault_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find_secret(s->values->vault, answers[i].name) == NULL)
            add_secret(s->values, &s->values->vault, answers[i].name,
                    answers[i].value == NULL ? NULL : secret_ref(answers[i].value));
    }
}

bool stack_is_in_doubt(const struct stack *s, const char *name)
{
    return s->vault != NULL && stack_secret(s, name) == NULL
           && find_secret(s->values->vault, name) == NULL;
}
