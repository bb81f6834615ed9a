/* loop.h without a network: timers, descriptors, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <poll.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "http/loop.h"
#include "http/transfer.h"

static struct http_loop *fresh(void)
{
    struct http_loop *loop = NULL;

    assert_null(http_loop_new(&(struct http_options){ 0 }, &loop));
    return loop;
}

static char trail[16];
static size_t trail_len;

static void mark(void *arg)
{
    trail[trail_len++] = *(const char *)arg;
}

static bool has_three(void *arg)
{
    (void)arg;
    return trail_len == 3;
}

static void timers_run_in_order(void **state)
{
    struct http_loop *loop = fresh();

    (void)state;
    trail_len = 0;
    http_loop_after(loop, 4, mark, (char[]){ 'c' });
    http_loop_after(loop, 0, mark, (char[]){ 'a' });
    const unsigned dropped = http_loop_after(loop, 1, mark, (char[]){ 'x' });

    http_loop_after(loop, 2, mark, (char[]){ 'b' });
    http_loop_drop_timer(loop, dropped);
    assert_null(http_loop_run(loop, has_three, NULL, INT64_MAX));
    assert_memory_equal(trail, "abc", 3);
    http_loop_free(loop);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void ends_when_nothing_can_happen(void **state)
{
    struct http_loop *loop = fresh();
    AUTO(err) struct err *e = http_loop_run(loop, never, NULL, INT64_MAX);

    (void)state;
    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_INTERNAL);
    http_loop_free(loop);
}

static void ends_at_the_deadline(void **state)
{
    struct http_loop *loop = fresh();

    (void)state;
    http_loop_after(loop, 100000, mark, NULL);
    AUTO(err) struct err *e = http_loop_run(loop, never, NULL, clock_now_ms() + 5);

    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_TIMEOUT);
    http_loop_free(loop); /* and the timer with it */
}

static void on_readable(void *arg, int fd, short events)
{
    assert_int_equal(events, POLLIN);
    *(int *)arg = fd;
}

static bool is_set(void *arg)
{
    return *(int *)arg >= 0;
}

static void watches_descriptors(void **state)
{
    struct http_loop *loop = fresh();
    int fds[2];
    int seen = -1;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    http_loop_watch(loop, fds[0], POLLIN, on_readable, &seen);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_null(http_loop_run(loop, is_set, &seen, clock_now_ms() + 2000));
    assert_int_equal(seen, fds[0]);
    http_loop_unwatch(loop, fds[0]);
    close(fds[0]);
    close(fds[1]);
    http_loop_free(loop);
}

static void keep_kind(void *arg, struct http_response *r)
{
    *(int *)arg = r->e == NULL ? -2 : (int)err_kind(r->e);
}

static void refuses_what_cannot_be_sent(void **state)
{
    static const struct {
        const char *name, *url;
        int64_t deadline_ms;
        enum err_kind want;
    } rows[] = {
        { "file", "file:///etc/passwd", INT64_MAX, ERR_CONFIG },
        { "no host", "https://", INT64_MAX, ERR_CONFIG },
        { "no time", "https://localhost/", 0, ERR_TIMEOUT },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_loop *loop = fresh();
        int kind = -1;

        http_send(loop, &(struct http_request){ .method = "GET",
                                .url = rows[i].url,
                                .deadline_ms = rows[i].deadline_ms,
                                .done = keep_kind,
                                .arg = &kind });
        assert_int_equal(kind, -1); /* never from within the call */
        assert_null(http_loop_run(loop, is_set, &kind, clock_now_ms() + 2000));
        if (kind != (int)rows[i].want)
            fail_msg("%s: kind %d", rows[i].name, kind);
        http_loop_free(loop);
    }
}

static void knows_the_host_to_dial(void **state)
{
    static const struct {
        const char *url, *host; /* host NULL: none */
        unsigned port;
    } rows[] = {
        { "https://a.example/x:1/y?b=c:2", "a.example", 443 },
        { "http://a.example", "a.example", 80 },
        { "https://a.example:8443?x=@b", "a.example", 8443 },
        { "https://u:p@a.example:1#f", "a.example", 1 },
        { "https://[::1]:65535/", "::1", 65535 },
        { "https://[fe80::1]/", "fe80::1", 443 },
        { "https://a.example:65536/", NULL, 0 },
        { "https://a.example:x/", NULL, 0 },
        { "a.example", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *url = xstrdup(rows[i].url);
        const struct transfer t = { .url = url };
        unsigned port = 0;
        AUTO(free) char *host = transfer_host(&t, &port);

        const bool is_right = rows[i].host == NULL
                                      ? host == NULL
                                      : text_eq(host, rows[i].host) && port == rows[i].port;

        if (!is_right)
            fail_msg("%s: %s, %u", rows[i].url, host == NULL ? "none" : host, port);
    }
}

static void reads_headers(void **state)
{
    char text[] = "content-type: a\nretry-after:  7 \nretry-after: 9\n";
    const struct http_response r = { .headers = text };
    struct str value = { 0 };

    (void)state;
    assert_true(http_response_header(&r, "Retry-After", &value));
    assert_true(str_eq(value, STR("7")));
    assert_false(http_response_header(&r, "retry", &value));
}

static void refuses_a_bad_resolver(void **state)
{
    struct http_loop *loop = NULL;
    AUTO(err)
    struct err *e = http_loop_new(
            &(struct http_options){ .dial = { .resolver = "not an address" } }, &loop);

    (void)state;
    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order),
        cmocka_unit_test(ends_when_nothing_can_happen),
        cmocka_unit_test(ends_at_the_deadline),
        cmocka_unit_test(watches_descriptors),
        cmocka_unit_test(refuses_what_cannot_be_sent),
        cmocka_unit_test(knows_the_host_to_dial),
        cmocka_unit_test(reads_headers),
        cmocka_unit_test(refuses_a_bad_resolver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
