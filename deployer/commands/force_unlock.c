/* force-unlock: takes the lock of a state away from whoever holds it. */
#include "commands/command.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "commands/context.h"
#include "commands/state_access.h"
#include "stack/stack.h"
#include "state/state.h"

static struct err *say(struct context *c, const char *holder, bool is_broken)
{
    AUTO(free) char *who = holder == NULL ? xstrdup("nobody") : state_holder_words(holder);
    AUTO(free)
    char *text = holder == NULL ? xstrdup("The state is not locked.\n")
                                : xasprintf("The lock of %s was taken away.\n", who);
    json_auto_t *j = jsonx_must(json_pack("{s:i, s:b, s:s?}", "format_version", 1, "broken",
            (int)is_broken, "holder", holder == NULL ? NULL : who));

    if (context_wants(c, "text"))
        TRY(context_write(c, "text", str_of(text)));
    return context_wants(c, "json") ? context_write_json(c, j) : NULL;
}

static struct err *unlock(struct context *c, const struct state_open *o)
{
    AUTO(free) char *holder = NULL;
    AUTO(free) char *now = NULL;

    TRY(state_lock_holder(o, false, &holder));
    if (holder == NULL)
        return say(c, NULL, false);
    AUTO(free) char *who = state_holder_words(holder);
    AUTO(free)
    char *question = xasprintf("The lock is held by %s. If that run is still going on, it "
                               "stops at its next step. Take it away?",
            who);

    TRY(context_confirm(c, question));
    TRY(state_lock_holder(o, true, &now));
    return say(c, now, now != NULL);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(state_access) struct state_access access = { 0 };
    struct state_open o = { .is_locked = false };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .args_min = 1, .args_max = 1, .formats = "text json" }));
    if (!text_eq(c.args[0], "-")) {
        TRY(context_load_stack(&c, c.args[0]));
        o.stack_dir = c.stack->dir;
        o.owner.stack = c.stack->name;
        o.owner.environment = c.stack->environment;
    }
    o.url = state_access_url(&c);
    TRY(state_access_fill(&access, &c, NULL, NULL, &o));
    return unlock(&c, &o);
}

const struct command command_force_unlock = {
    .name = "force-unlock",
    .summary = "take the state's lock away from whoever holds it",
    .usage = "Usage: deployer force-unlock STACK [options]\n\n"
             "Says whose lock it is, asks, and takes it away. A run that still holds it stops "
             "before\n"
             "its next request that changes something. STACK is the stack file, or '-' with "
             "--state.\n"
             "Formats: text (default), json.\n" CONTEXT_USAGE,
    .run = run,
};
