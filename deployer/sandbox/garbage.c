#include "sandbox/garbage.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "sandbox/process.h"
#include "sandbox/task.h"

struct grave {
    char *dir;
    struct process *process; /* NULL */
    struct task *task;       /* NULL */
    struct grave *next;
};

static struct grave *add(struct backend *b)
{
    struct grave *g = xcalloc(1, sizeof(*g));

    g->next = b->graves;
    b->graves = g;
    return g;
}

void backend_bury(struct backend *b, const char *dir, struct process *process)
{
    struct grave *g = add(b);

    g->process = process;
    process_stop(process);
    /* Under another name at once: the same resource may be created again before it has ended. */
    g->dir = xasprintf("%s.gone-%llu", dir, (unsigned long long)++b->grave_counter);
    if (rename(dir, g->dir) != 0) {
        free(g->dir);
        g->dir = NULL;
    }
}

void backend_finish_later(struct backend *b, struct task *task)
{
    if (task != NULL)
        add(b)->task = task;
}

static bool is_over(struct backend *b, struct grave *g)
{
    if (b->is_closing)
        return !process_is_running(g->process);
    return !process_is_running(g->process)
           && (g->task == NULL || task_tick(g->task) != TASK_RUNNING);
}

void garbage_tick(struct backend *b)
{
    for (struct grave **at = &b->graves; *at != NULL;) {
        struct grave *g = *at;

        if (!is_over(b, g)) {
            at = &g->next;
            continue;
        }
        *at = g->next;
        if (g->dir != NULL)
            err_ignore(file_remove_tree(g->dir), "a left-over folder does no harm");
        process_free(g->process);
        task_free(g->task);
        free(g->dir);
        free(g);
    }
}
