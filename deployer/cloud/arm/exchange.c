#include "cloud/arm/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "http/retry.h"

#define TRIES 4u
#define ANSWER_MAX (1u << 20)

struct exchange {
    struct http_loop *loop;
    struct exchange_spec spec; /* texts owned */
    struct buf body;
    unsigned tried;
    unsigned request;
    unsigned timer;
};

static void on_response(void *arg, struct http_response *r);

static void send_now(void *arg)
{
    struct exchange *x = arg;
    const struct http_secret_header secret = {
        .name = x->spec.secret_name, .prefix = x->spec.secret_prefix, .value = x->spec.secret
    };

    x->timer = 0;
    x->tried++;
    x->request = http_send(x->loop, &(struct http_request){ .method = x->spec.method,
                                            .url = x->spec.url,
                                            .headers = x->spec.headers,
                                            .secrets = &secret,
                                            .secret_count = x->spec.secret_name == NULL ? 0 : 1,
                                            .body = buf_str(&x->body),
                                            .deadline_ms = x->spec.deadline_ms,
                                            .timeout_ms = x->spec.timeout_ms,
                                            .max_response_bytes = ANSWER_MAX,
                                            .is_secret_response = true,
                                            .is_direct = x->spec.is_direct,
                                            .done = on_response,
                                            .arg = x });
}

static void release(struct exchange *x)
{
    for (size_t i = 0; i < ARRAY_LEN(x->spec.headers); i++)
        free((void *)(uintptr_t)x->spec.headers[i]);
    free((void *)(uintptr_t)x->spec.method);
    free((void *)(uintptr_t)x->spec.url);
    free((void *)(uintptr_t)x->spec.secret_name);
    free((void *)(uintptr_t)x->spec.secret_prefix);
    secret_unref(x->spec.secret);
    buf_release(&x->body);
    free(x);
}

static bool is_worth_another(const struct exchange *x, const struct http_response *r)
{
    if (x->tried >= x->spec.tries)
        return false;
    return r->e != NULL ? err_is_retryable(r->e) : x->spec.again(r->status);
}

static void on_response(void *arg, struct http_response *r)
{
    struct exchange *x = arg;

    x->request = 0;
    if (is_worth_another(x, r)) {
        uint32_t random = 0;

        digest_random(&random, sizeof(random));
        const int64_t after = r->e == NULL ? retry_after_ms(r, clock_wall_ms()) : -1;
        const int64_t wait = retry_delay_ms(x->tried, after, random);

        if (clock_now_ms() + wait < x->spec.deadline_ms) {
            log_debug("http.retry", "%s again in %lld ms", x->spec.method, (long long)wait);
            x->timer = http_loop_after(x->loop, wait, send_now, x);
            return;
        }
    }
    x->spec.done(x->spec.arg, r);
    release(x);
}

struct exchange *exchange_start(struct http_loop *loop, const struct exchange_spec *spec)
{
    struct exchange *x = xcalloc(1, sizeof(*x));

    x->loop = loop;
    x->spec = *spec;
    x->spec.method = xstrdup(spec->method);
    x->spec.url = xstrdup(spec->url);
    x->spec.secret_name = xstrdup(spec->secret_name);
    x->spec.secret_prefix = xstrdup(spec->secret_prefix);
    x->spec.secret = secret_ref(spec->secret);
    for (size_t i = 0; i < ARRAY_LEN(spec->headers); i++)
        x->spec.headers[i] = xstrdup(spec->headers[i]);
    x->spec.tries = spec->tries == 0 ? TRIES : spec->tries;
    x->spec.again = spec->again == NULL ? retry_status_is_transient : spec->again;
    if (spec->body != NULL) {
        x->body = *spec->body;
        *spec->body = (struct buf){ .max_bytes = x->body.max_bytes };
    }
    send_now(x);
    return x;
}

void exchange_cancel(struct exchange *x)
{
    if (x == NULL)
        return;
    http_cancel(x->loop, x->request);
    http_loop_drop_timer(x->loop, x->timer);
    release(x);
}
