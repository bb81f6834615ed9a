/* libcurl by its first call (late.h): functions and their parameters are the library's. */
#include "base/late.h"

#include <pthread.h>
#include <stdarg.h>

#include <curl/curl.h>

#include "base/compiler.h"

/* Macros that check types and call the function. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define FUNCTIONS(X)                                                                               \
    X(curl_easy_cleanup)                                                                           \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_init)                                                                              \
    X(curl_easy_perform)                                                                           \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_strerror)                                                                          \
    X(curl_free)                                                                                   \
    X(curl_getdate)                                                                                \
    X(curl_global_init)                                                                            \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_cleanup)                                                                          \
    X(curl_multi_info_read)                                                                        \
    X(curl_multi_init)                                                                             \
    X(curl_multi_perform)                                                                          \
    X(curl_multi_poll)                                                                             \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_setopt)                                                                           \
    X(curl_multi_wakeup)                                                                           \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)

static struct {
    FUNCTIONS(LATE_FIELD)
} api;

static void load(void)
{
    static const struct late_function rows[] = { FUNCTIONS(LATE_ROW) };

    late_load("libcurl.so.4", rows, ARRAY_LEN(rows));
}

#define CALL(name) (pthread_once(&once, load), api.name)

static pthread_once_t once = PTHREAD_ONCE_INIT;

CURL *curl_easy_init(void)
{
    return CALL(curl_easy_init)();
}

void curl_easy_cleanup(CURL *curl)
{
    CALL(curl_easy_cleanup)(curl);
}

CURLcode curl_easy_perform(CURL *curl)
{
    return CALL(curl_easy_perform)(curl);
}

const char *curl_easy_strerror(CURLcode code)
{
    return CALL(curl_easy_strerror)(code);
}

void curl_free(void *p)
{
    CALL(curl_free)(p);
}

time_t curl_getdate(const char *p, const time_t *unused)
{
    return CALL(curl_getdate)(p, unused);
}

CURLcode curl_global_init(long flags)
{
    return CALL(curl_global_init)(flags);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *curl)
{
    return CALL(curl_multi_add_handle)(multi, curl);
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    return CALL(curl_multi_cleanup)(multi);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *msgs)
{
    return CALL(curl_multi_info_read)(multi, msgs);
}

CURLM *curl_multi_init(void)
{
    return CALL(curl_multi_init)();
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
    return CALL(curl_multi_perform)(multi, running);
}

CURLMcode curl_multi_poll(
        CURLM *multi, struct curl_waitfd extra[], unsigned count, int timeout_ms, int *ret)
{
    return CALL(curl_multi_poll)(multi, extra, count, timeout_ms, ret);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *curl)
{
    return CALL(curl_multi_remove_handle)(multi, curl);
}

CURLMcode curl_multi_wakeup(CURLM *multi)
{
    return CALL(curl_multi_wakeup)(multi);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    return CALL(curl_slist_append)(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
    CALL(curl_slist_free_all)(list);
}

/* ---- one value follows: of the size of a pointer, whatever its type ---- */

CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    va_list ap;

    va_start(ap, option);
    void *value = va_arg(ap, void *);
    va_end(ap);
    return CALL(curl_easy_setopt)(curl, option, value);
}

CURLcode curl_easy_getinfo(CURL *curl, CURLINFO option, ...)
{
    va_list ap;

    va_start(ap, option);
    void *value = va_arg(ap, void *);
    va_end(ap);
    return CALL(curl_easy_getinfo)(curl, option, value);
}

CURLMcode curl_multi_setopt(CURLM *curl, CURLMoption option, ...)
{
    va_list ap;

    va_start(ap, option);
    void *value = va_arg(ap, void *);
    va_end(ap);
    return CALL(curl_multi_setopt)(curl, option, value);
}
