/*
 * Libraries that are loaded by the first call of one of their functions. libcurl and libpq bring
 * thirty others along (Kerberos, LDAP, GnuTLS): a quarter of what validate, explain or a completion
 * take, which speak to nobody.
 *
 * late_curl.h and late_pq.h, included in place of the library's own header, make each function's
 * name a look-up in a table that is filled when it is first needed. Only where LATE is defined (the
 * release build); elsewhere the library is linked, and its own checks of types are at work. A
 * function that is missing in the list is an error of the release's linker.
 */
#ifdef LATE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/late_curl.h"
#include "base/late_pq.h"

#define STATUS_NO_LIBRARY 127 /* the dynamic linker's */

struct row {
    const char *name;
    size_t at; /* in the table */
};

NORETURN static void fail(const char *library)
{
    const char *why = dlerror();
    AUTO(free)
    char *text = xasprintf("deployer: %s: %s\n", library, why == NULL ? "can't be loaded" : why);

    fwrite(text, 1, strlen(text), stderr);
    _exit(STATUS_NO_LIBRARY);
}

/* A library or function that is missing ends the process, as it would have at its start. */
static void load(const char *library, const struct row *rows, size_t count, void *table)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL)
        fail(library);
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(handle, rows[i].name);

        if (symbol == NULL)
            fail(library);
        memcpy((char *)table + rows[i].at, &symbol, sizeof(symbol)); /* POSIX's way */
    }
}

#define CURL_ROW(name) { "curl_" #name, offsetof(struct late_curl, name) },
#define PQ_ROW(name) { "PQ" #name, offsetof(struct late_pq, name) },

static struct late_curl curl;
static struct late_pq pq;

static void load_curl(void)
{
    static const struct row rows[] = { LATE_CURL(CURL_ROW) };

    load("libcurl.so.4", rows, ARRAY_LEN(rows), &curl);
}

static void load_pq(void)
{
    static const struct row rows[] = { LATE_PQ(PQ_ROW) };

    load("libpq.so.5", rows, ARRAY_LEN(rows), &pq);
}

const struct late_curl *late_curl(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_curl);
    return &curl;
}

const struct late_pq *late_pq(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_pq);
    return &pq;
}
#else
typedef int late_is_off; /* a file of C is not empty */
#endif
