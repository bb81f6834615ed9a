/* What a log that stays is told of an apply: read back from stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/progress.h"

struct capture {
    char path[32];
    int kept;
};

static struct capture begin(void)
{
    struct capture c = { .path = "/tmp/test-progress-XXXXXX" };
    const int fd = mkstemp(c.path);

    assert_true(fd >= 0);
    c.kept = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return c;
}

/* What was written meanwhile. Owned. */
static char *end(struct capture *c)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);

    dup2(c->kept, STDERR_FILENO);
    close(c->kept);
    assert_null(file_read(c->path, 4096, &text));
    unlink(c->path);
    return buf_take(&text);
}

static char *told(bool is_live, const char *stage, int64_t quiet_ms)
{
    struct capture c = begin();
    struct progress *p = progress_new(false, is_live, quiet_ms);

    progress_stage(p, stage);
    progress_event(p, ENGINE_EVENT_TICK, NULL, NULL);
    progress_detail(p, "the rest");
    progress_event(p, ENGINE_EVENT_TICK, NULL, NULL);
    progress_free(p);
    return end(&c);
}

static void test_silence_is_broken_where_lines_stay(void **unused)
{
    (void)unused;
    AUTO(free) char *loud = told(false, "reading", 0);
    AUTO(free) char *calm = told(false, "reading", 60000);
    AUTO(free) char *idle = told(false, NULL, 0);
    AUTO(free) char *live = told(true, "reading", 0);

    assert_non_null(strstr(loud, "  . reading: for "));
    assert_non_null(strstr(loud, ": the rest\n"));
    assert_string_equal(calm, "");
    assert_string_equal(idle, "");
    assert_null(strstr(live, "  . reading"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_is_broken_where_lines_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
