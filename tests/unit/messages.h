/*
 * messages.h - messages that only a call below the command line reaches: each call of a table must
 * fail, and what it says stands in a file of tests/data as a user would read it. UPDATE=1 renews
 * that file: read what changed as a user would. The other messages are shown by
 * tests/integration/test_messages.py, which counts these, too.
 */
#ifndef TESTS_UNIT_MESSAGES_H
#define TESTS_UNIT_MESSAGES_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

#define MESSAGES_BYTES_MAX (1u << 20)

struct call {
    const char *name;
    struct err *(*provoke)(const char *given);
    const char *given;
};

struct area {
    const char *name;
    const struct call *calls;
    size_t count;
};

/* For calls that need files; messages show it as DIR. */
static char message_folder[] = "/tmp/deployer-messages-XXXXXX";

static int message_folder_make(void **state)
{
    (void)state;
    return mkdtemp(message_folder) == NULL ? -1 : 0;
}

static int message_folder_remove(void **state)
{
    (void)state;
    err_ignore(file_remove_tree(message_folder), "a test's folder");
    return 0;
}

/* As main prints it, but for the name of the folder. */
static void message_add(struct buf *out, const struct call *c, const struct err *e)
{
    struct str text = str_of(err_text(e));
    const ptrdiff_t at = str_find(text, str_of(message_folder));

    buf_addf(out, "# %s\ndeployer: ", c->name);
    if (at >= 0) {
        buf_addf(out, "%.*sDIR", (int)at, text.p);
        text = str_slice(text, (size_t)at + strlen(message_folder), text.len);
    }
    buf_addf(out, "%.*s\n", STR_ARG(text));
    if (err_hint(e)[0] != '\0')
        buf_addf(out, "  next: %s\n", err_hint(e));
    buf_addf(out, "exit %d\n\n", err_exit_status(e));
}

static void messages_compare(const struct area *areas, size_t count, const char *golden)
{
    AUTO(buf) struct buf told = BUF_INIT(MESSAGES_BYTES_MAX);
    AUTO(buf) struct buf known = BUF_INIT(MESSAGES_BYTES_MAX);

    for (size_t i = 0; i < count; i++) {
        buf_addf(&told, "## %s\n\n", areas[i].name);
        for (size_t k = 0; k < areas[i].count; k++) {
            const struct call *c = &areas[i].calls[k];
            AUTO(err) struct err *e = c->provoke(c->given);

            if (e == NULL)
                fail_msg("%s: went well", c->name);
            message_add(&told, c, e);
        }
    }
    if (getenv("UPDATE") != NULL)
        assert_null(file_write(golden, buf_str(&told), 0644));
    assert_null(file_read(golden, MESSAGES_BYTES_MAX, &known));
    if (!str_eq(buf_str(&told), buf_str(&known)))
        fail_msg("UPDATE=1 make unit renews %s: read what changed", golden);
}

#endif
