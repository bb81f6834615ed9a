#include "http/loop.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/resolve.h"
#include "http/transfer.h"

/* Enough for an engine's ten operations, their polls and the state's blob. */
#define CONNECTIONS_MAX 64L
#define WAIT_MAX_MS 60000

struct timer {
    struct timer *next;
    unsigned id;
    int64_t due_ms;
    http_timer_fn *fn;
    void *arg;
};

struct watch {
    int fd;
    short events;
    http_watch_fn *fn;
    void *arg;
};

struct http_loop {
    CURLM *multi;
    char *ca_file;
    struct resolve *resolve; /* NULL: curl resolves */
    struct transfer *transfers;
    struct timer *timers; /* by due time */
    struct watch *watches;
    size_t watch_count;
    size_t watch_capacity;
    struct curl_waitfd *fds; /* of the current wait: watches, c-ares, cancel */
    unsigned last_id;
    unsigned request_count;
    bool cancel_told;
    void (*hook)(void *arg, const struct http_record *record);
    void *hook_arg;
};

struct err *http_loop_new(const struct http_options *o, struct http_loop **ret)
{
    static bool is_curl_ready;
    struct resolve *resolve = NULL;

    if (!is_curl_ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_new(ERR_INTERNAL, 0, "libcurl can't be set up");
    is_curl_ready = true;
    TRY(resolve_new(&o->dial, &resolve));
    struct http_loop *loop = xcalloc(1, sizeof(*loop));

    loop->resolve = resolve;
    loop->ca_file = xstrdup(o->ca_file);
    loop->multi = curl_multi_init();
    if (loop->multi == NULL)
        die_oom();
    curl_multi_setopt(loop->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    *ret = loop;
    return NULL;
}

static void drop_transfer(struct http_loop *loop, struct transfer *t)
{
    if (t->state == TRANSFER_RESOLVING)
        resolve_cancel(loop->resolve, t);
    if (t->state == TRANSFER_RUNNING)
        curl_multi_remove_handle(loop->multi, t->easy);
    transfer_free(t);
}

void http_loop_free(struct http_loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->transfers != NULL) {
        struct transfer *t = loop->transfers;

        loop->transfers = t->next;
        drop_transfer(loop, t);
    }
    while (loop->timers != NULL) {
        struct timer *t = loop->timers;

        loop->timers = t->next;
        free(t);
    }
    resolve_free(loop->resolve);
    curl_multi_cleanup(loop->multi);
    free(loop->watches);
    free(loop->fds);
    free(loop->ca_file);
    free(loop);
}

/* --- requests -------------------------------------------------------------------------------- */

static void on_resolved(void *arg, const char *address, struct err *e)
{
    struct transfer *t = arg;

    if (e != NULL) {
        transfer_fail(t, err_wrap(e, "%s", t->method));
        return;
    }
    transfer_dial(t, address);
    t->state = TRANSFER_READY;
}

static void start_resolving(struct http_loop *loop, struct transfer *t)
{
    unsigned port = 0;
    AUTO(free) char *host = transfer_host(t, &port);

    if (host == NULL)
        return; /* curl says what is wrong with the URL */
    t->state = TRANSFER_RESOLVING;
    resolve_start(loop->resolve, host, on_resolved, t);
}

unsigned http_send(struct http_loop *loop, const struct http_request *r)
{
    struct transfer *t = transfer_new(r, loop->ca_file);
    struct transfer **end = &loop->transfers;

    loop->request_count++;
    t->response.id = ++loop->last_id;
    while (*end != NULL)
        end = &(*end)->next;
    *end = t;
    if (t->state == TRANSFER_READY && loop->resolve != NULL && !t->is_direct)
        start_resolving(loop, t);
    return t->response.id;
}

void http_cancel(struct http_loop *loop, unsigned id)
{
    for (struct transfer **at = &loop->transfers; *at != NULL; at = &(*at)->next) {
        struct transfer *t = *at;

        if (t->response.id == id) {
            *at = t->next;
            drop_transfer(loop, t);
            return;
        }
    }
}

static void hand_ready_to_curl(struct http_loop *loop)
{
    for (struct transfer *t = loop->transfers; t != NULL; t = t->next) {
        if (t->state != TRANSFER_READY)
            continue;
        t->state = TRANSFER_RUNNING;
        if (curl_multi_add_handle(loop->multi, t->easy) != CURLM_OK)
            die_oom();
    }
}

static void harvest(struct http_loop *loop)
{
    int left = 0;

    for (CURLMsg *m = curl_multi_info_read(loop->multi, &left); m != NULL;
            m = curl_multi_info_read(loop->multi, &left)) {
        struct transfer *t = NULL;
        CURL *easy = m->easy_handle;
        const CURLcode code = m->data.result; /* m is gone after the removal */

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(loop->multi, easy);
        transfer_end(t, code);
    }
}

static void tell(struct http_loop *loop, const struct transfer *t)
{
    const struct http_response *r = &t->response;
    const struct str url = str_of(t->url);
    const ptrdiff_t query = str_find(url, STR("?"));
    const struct str shown = query < 0 ? url : str_slice(url, 0, (size_t)query);

    if (r->e != NULL)
        log_debug("http.request", "%s %.*s: %s, after %lld ms", t->method, STR_ARG(shown),
                err_text(r->e), (long long)r->elapsed_ms);
    else
        log_debug("http.request", "%s %.*s: %ld in %lld ms", t->method, STR_ARG(shown), r->status,
                (long long)r->elapsed_ms);
    if (loop->hook != NULL)
        loop->hook(loop->hook_arg, &(struct http_record){ .method = t->method,
                                           .url = t->url,
                                           .status = r->status,
                                           .elapsed_ms = r->elapsed_ms,
                                           .sent_bytes = t->sent,
                                           .received_bytes = r->body.len,
                                           .is_new_connection = t->is_new_connection });
}

/* The callback may send, cancel and drop as it likes: the transfer is out of the list first. */
static bool deliver_one(struct http_loop *loop)
{
    for (struct transfer **at = &loop->transfers; *at != NULL; at = &(*at)->next) {
        struct transfer *t = *at;

        if (t->state != TRANSFER_ENDED)
            continue;
        *at = t->next;
        tell(loop, t);
        t->done(t->arg, &t->response);
        transfer_free(t);
        return true;
    }
    return false;
}

/* --- timers and descriptors ------------------------------------------------------------------ */

unsigned http_loop_after(struct http_loop *loop, int64_t ms, http_timer_fn *fn, void *arg)
{
    struct timer *t = xcalloc(1, sizeof(*t));
    struct timer **at = &loop->timers;

    *t = (struct timer){
        .id = ++loop->last_id, .due_ms = clock_now_ms() + (ms < 0 ? 0 : ms), .fn = fn, .arg = arg
    };
    while (*at != NULL && (*at)->due_ms <= t->due_ms)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    return t->id;
}

void http_loop_drop_timer(struct http_loop *loop, unsigned id)
{
    for (struct timer **at = &loop->timers; *at != NULL; at = &(*at)->next) {
        struct timer *t = *at;

        if (t->id == id) {
            *at = t->next;
            free(t);
            return;
        }
    }
}

/* Only what was due at the start: a timer that sets itself again at 0 ms must not starve the rest.
 */
static void run_timers(struct http_loop *loop)
{
    const int64_t now = clock_now_ms();
    const unsigned newest = loop->last_id;

    while (loop->timers != NULL && loop->timers->due_ms <= now && loop->timers->id <= newest) {
        struct timer *t = loop->timers;

        loop->timers = t->next;
        t->fn(t->arg);
        free(t);
    }
}

void http_loop_watch(struct http_loop *loop, int fd, short events, http_watch_fn *fn, void *arg)
{
    http_loop_unwatch(loop, fd);
    GROW(loop->watches, loop->watch_count, loop->watch_capacity);
    loop->watches[loop->watch_count++] =
            (struct watch){ .fd = fd, .events = events, .fn = fn, .arg = arg };
}

void http_loop_unwatch(struct http_loop *loop, int fd)
{
    for (size_t i = 0; i < loop->watch_count; i++) {
        if (loop->watches[i].fd == fd) {
            loop->watches[i] = loop->watches[--loop->watch_count];
            return;
        }
    }
}

void http_loop_wake(struct http_loop *loop)
{
    curl_multi_wakeup(loop->multi);
}

static void call_watch(struct http_loop *loop, int fd, short revents)
{
    for (size_t i = 0; i < loop->watch_count; i++) {
        if (loop->watches[i].fd == fd) {
            loop->watches[i].fn(loop->watches[i].arg, fd, revents);
            return;
        }
    }
}

/* --- the loop -------------------------------------------------------------------------------- */

static size_t fill_fds(struct http_loop *loop)
{
    size_t n = 0;

    loop->fds = xrealloc(loop->fds, loop->watch_count + RESOLVE_FDS_MAX + 1, sizeof(*loop->fds));
    for (; n < loop->watch_count; n++) {
        const short events = loop->watches[n].events;

        loop->fds[n] = (struct curl_waitfd){ .fd = loop->watches[n].fd,
            .events = (short)(((events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0)
                              | ((events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0)) };
    }
    return n;
}

static int next_timeout_ms(const struct http_loop *loop, int64_t deadline_ms)
{
    int64_t due = deadline_ms;

    if (loop->timers != NULL && loop->timers->due_ms < due)
        due = loop->timers->due_ms;
    const int left = clock_left_ms(due);

    return left < WAIT_MAX_MS ? left : WAIT_MAX_MS;
}

static void wait_once(struct http_loop *loop, int64_t deadline_ms)
{
    int timeout_ms = next_timeout_ms(loop, deadline_ms);
    const size_t watched = fill_fds(loop);
    const size_t names = resolve_fds(loop->resolve, loop->fds + watched, &timeout_ms);
    size_t n = watched + names;

    if (cancel_fd() >= 0 && !loop->cancel_told)
        loop->fds[n++] = (struct curl_waitfd){ .fd = cancel_fd(), .events = CURL_WAIT_POLLIN };
    curl_multi_poll(loop->multi, loop->fds, (unsigned)n, timeout_ms, NULL);
    resolve_process(loop->resolve, loop->fds + watched, names);
    for (size_t i = 0; i < watched; i++) {
        const short got = loop->fds[i].revents;

        if (got != 0)
            call_watch(loop, loop->fds[i].fd,
                    (short)(((got & CURL_WAIT_POLLIN) != 0 ? POLLIN : 0)
                            | ((got & CURL_WAIT_POLLOUT) != 0 ? POLLOUT : 0)));
    }
}

static bool has_ended(const struct http_loop *loop)
{
    for (const struct transfer *t = loop->transfers; t != NULL; t = t->next) {
        if (t->state == TRANSFER_ENDED)
            return true;
    }
    return false;
}

static struct err *step(struct http_loop *loop, int64_t deadline_ms)
{
    int running = 0;

    if (cancel_is_asked() && !loop->cancel_told) {
        loop->cancel_told = true;
        return cancel_check();
    }
    if (clock_now_ms() >= deadline_ms)
        return err_new(ERR_TIMEOUT, 0, "what was asked for did not come within the time given");
    if (loop->transfers == NULL && loop->timers == NULL && loop->watch_count == 0)
        return err_new(ERR_INTERNAL, 0, "the loop has nothing to wait for");
    hand_ready_to_curl(loop);
    curl_multi_perform(loop->multi, &running);
    harvest(loop);
    if (!has_ended(loop))
        wait_once(loop, deadline_ms);
    return NULL;
}

struct err *http_loop_run(
        struct http_loop *loop, bool (*until)(void *arg), void *arg, int64_t deadline_ms)
{
    while (!until(arg)) {
        if (deliver_one(loop))
            continue;
        run_timers(loop);
        if (until(arg))
            return NULL;
        TRY(step(loop, deadline_ms));
    }
    return NULL;
}

void http_loop_set_hook(struct http_loop *loop,
        void (*hook)(void *arg, const struct http_record *record), void *arg)
{
    loop->hook = hook;
    loop->hook_arg = arg;
}

unsigned http_loop_count(const struct http_loop *loop)
{
    return loop->request_count;
}
