/*
 * transfer.h - one request as a curl easy handle: set up from struct http_request, filled by curl's
 * callbacks (which only append), read into a response. Knows no loop; loop.c is its only user.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/loop.h"

enum transfer_state {
    TRANSFER_RESOLVING, /* waits for our own name lookup */
    TRANSFER_READY,     /* to be given to curl */
    TRANSFER_RUNNING,
    TRANSFER_ENDED, /* response is final, callback due */
};

struct transfer {
    struct transfer *next;
    enum transfer_state state;
    CURL *easy;
    struct curl_slist *headers; /* may hold secrets: wiped */
    struct curl_slist *connect_to;
    char *url;
    char *method;
    struct str body;
    size_t sent;
    size_t max_body;
    bool is_too_big;
    struct buf header_lines;
    struct http_response response;
    int64_t started_ms;
    int64_t deadline_ms;
    bool is_direct;
    bool is_new_connection;
    char curl_text[CURL_ERROR_SIZE];
    http_done *done;
    void *arg;
};

/* Never fails: a transfer that can't be set up is TRANSFER_ENDED with an error. */
MUST_CHECK struct transfer *transfer_new(const struct http_request *r, const char *ca_file);
void transfer_free(struct transfer *t);
/* Host and port of its URL; host without brackets. Owned host; NULL for a URL without one. */
MUST_CHECK char *transfer_host(const struct transfer *t, unsigned *ret_port);
/* Dials `address` (as text) instead of the URL's host; the name in TLS and Host stays. */
void transfer_dial(struct transfer *t, const char *address);
/* Takes over how curl ended. */
void transfer_end(struct transfer *t, CURLcode code);
/* Ends it without curl. Takes e. */
void transfer_fail(struct transfer *t, struct err *e);

#endif
