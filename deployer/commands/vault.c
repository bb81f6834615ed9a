#include "commands/vault.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "catalog/model.h"
#include "cloud/arm/vault.h"
#include "http/loop.h"
#include "stack/stack.h"

#define ASK_MS 120000

/* Values live until the context's arena goes. */
struct vault_answers {
    struct arena *arena; /* of the texts */
    struct stack_vault_answer *items;
    size_t count, capacity;
};

static void release(void *object)
{
    struct vault_answers *a = object;

    for (size_t i = 0; i < a->count; i++)
        secret_unref(a->items[i].value);
    free(a->items);
}

static struct vault_answers *answers_of(struct context *c)
{
    if (c->vault == NULL) {
        c->vault = arena_alloc(c->arena, sizeof(*c->vault));
        c->vault->arena = c->arena;
        arena_hook(c->arena, release, c->vault);
    }
    return c->vault;
}

/* The names in doubt, into `ret` where it is not NULL. Returns how many. */
static size_t names_in_doubt(const struct context *c, const char **ret)
{
    const struct model *m = c->model;
    size_t n = 0;

    for (size_t i = 0; i < m->secret_count + m->doubtful_count; i++) {
        const char *name = i < m->secret_count ? m->secrets[i] : m->doubtful[i - m->secret_count];

        if (!stack_is_in_doubt(c->stack, name))
            continue;
        if (ret != NULL)
            ret[n] = name;
        n++;
    }
    return n;
}

bool vault_is_wanted(const struct context *c)
{
    return names_in_doubt(c, NULL) > 0;
}

struct asking {
    struct vault_answers *answers;
    bool is_done;
    struct err *e;
};

static void on_answer(void *arg, const char *name, struct secret *value)
{
    struct vault_answers *a = ((struct asking *)arg)->answers;

    GROW(a->items, a->count, a->capacity);
    a->items[a->count++] = (struct stack_vault_answer){ .name = arena_text(a->arena, name),
        .value = value == NULL ? NULL : secret_ref(value) };
}

static void on_done(void *arg, struct err *e)
{
    struct asking *a = arg;

    a->is_done = true;
    a->e = e;
}

static bool is_done(void *arg)
{
    return ((struct asking *)arg)->is_done;
}

struct err *vault_ask(struct context *c, struct http_loop *loop, struct cloud *cloud)
{
    const struct place at = c->stack->vault_node->place;
    const size_t count = names_in_doubt(c, NULL);
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));
    struct asking asking = { .answers = answers_of(c) };
    const int64_t deadline =
            clock_now_ms() + (c->timeout_ms > 0 && c->timeout_ms < ASK_MS ? c->timeout_ms : ASK_MS);

    names_in_doubt(c, names);
    arm_vault_ask(cloud, &(struct arm_vault_question){ .vault = c->stack->vault,
                                 .names = names,
                                 .count = count,
                                 .deadline_ms = deadline,
                                 .answer = on_answer,
                                 .done = on_done,
                                 .arg = &asking });
    TRY(err_wrap(
            http_loop_run(loop, is_done, &asking, deadline + 1000), "vault %s", c->stack->vault));
    return err_wrap(asking.e, "%s:%d:%d", at.file, at.line, at.column);
}

void vault_tell(const struct context *c)
{
    if (c->vault != NULL)
        stack_tell_vault(c->stack, c->vault->items, c->vault->count);
}
