/* late_curl.h - <curl/curl.h>, loaded late (late.c). banned.h includes it everywhere. */
#ifndef BASE_LATE_CURL_H
#define BASE_LATE_CURL_H

#include <curl/curl.h>

#ifdef LATE
/* Macros that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* clang-format off */
#define LATE_CURL(X) \
    X(easy_cleanup) \
    X(easy_getinfo) \
    X(easy_init) \
    X(easy_perform) \
    X(easy_setopt) \
    X(easy_strerror) \
    X(free) \
    X(getdate) \
    X(global_init) \
    X(multi_add_handle) \
    X(multi_cleanup) \
    X(multi_info_read) \
    X(multi_init) \
    X(multi_perform) \
    X(multi_poll) \
    X(multi_remove_handle) \
    X(multi_setopt) \
    X(multi_wakeup) \
    X(slist_append) \
    X(slist_free_all) \
    X(url) \
    X(url_cleanup) \
    X(url_get) \
    X(url_set)
/* clang-format on */

#define LATE_CURL_FIELD(name) __typeof__(&curl_##name) name;

struct late_curl {
    LATE_CURL(LATE_CURL_FIELD)
};

const struct late_curl *late_curl(void);

#define curl_easy_cleanup (late_curl()->easy_cleanup)
#define curl_easy_getinfo (late_curl()->easy_getinfo)
#define curl_easy_init (late_curl()->easy_init)
#define curl_easy_perform (late_curl()->easy_perform)
#define curl_easy_setopt (late_curl()->easy_setopt)
#define curl_easy_strerror (late_curl()->easy_strerror)
#define curl_free (late_curl()->free)
#define curl_getdate (late_curl()->getdate)
#define curl_global_init (late_curl()->global_init)
#define curl_multi_add_handle (late_curl()->multi_add_handle)
#define curl_multi_cleanup (late_curl()->multi_cleanup)
#define curl_multi_info_read (late_curl()->multi_info_read)
#define curl_multi_init (late_curl()->multi_init)
#define curl_multi_perform (late_curl()->multi_perform)
#define curl_multi_poll (late_curl()->multi_poll)
#define curl_multi_remove_handle (late_curl()->multi_remove_handle)
#define curl_multi_setopt (late_curl()->multi_setopt)
#define curl_multi_wakeup (late_curl()->multi_wakeup)
#define curl_slist_append (late_curl()->slist_append)
#define curl_slist_free_all (late_curl()->slist_free_all)
#define curl_url (late_curl()->url)
#define curl_url_cleanup (late_curl()->url_cleanup)
#define curl_url_get (late_curl()->url_get)
#define curl_url_set (late_curl()->url_set)
#endif

#endif
