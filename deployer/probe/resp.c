#include "probe/resp.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <hiredis.h>
#include <read.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"

struct resp_reader {
    redisReader *reader;
    size_t fed; /* since the last whole reply */
};

/* Puts a new value where its task says; the array owns it then. NULL for a refused one. */
static void *place(const redisReadTask *task, json_t *value)
{
    if (task->parent != NULL)
        json_array_append_new(task->parent->obj, value);
    return value;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    json_t *value = text_json((struct str){ .p = text, .len = len });

    if (task->type == REDIS_REPLY_ERROR)
        value = jsonx_must(json_pack("{s:o}", "error", value));
    return place(task, value);
}

static void *make_array(const redisReadTask *task, unsigned long long elements)
{
    /* NULL makes the reader stop with an error: nothing was reserved. */
    return elements > RESP_ELEMENTS_MAX ? NULL : place(task, jsonx_must(json_array()));
}

/* hiredis 1.0 changed the type of this count from int to size_t. */
#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t elements)
{
    return make_array(task, elements);
}
#else
static void *create_array(const redisReadTask *task, int elements)
{
    return make_array(task, elements < 0 ? 0 : (unsigned long long)elements);
}
#endif

static void *create_integer(const redisReadTask *task, long long value)
{
    return place(task, jsonx_must(json_integer(value)));
}

static void *create_nil(const redisReadTask *task)
{
    return place(task, json_null());
}

static void free_object(void *object)
{
    json_decref(object);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

struct resp_reader *resp_reader_new(void)
{
    struct resp_reader *r = xcalloc(1, sizeof(*r));

    r->reader = redisReaderCreateWithFunctions(&functions);
    if (r->reader == NULL)
        die_oom();
    r->reader->maxbuf = 0;
    return r;
}

void resp_reader_free(struct resp_reader *r)
{
    if (r == NULL)
        return;
    redisReaderFree(r->reader);
    free(r);
}

struct err *resp_reader_feed(struct resp_reader *r, struct str bytes, json_t **ret)
{
    void *reply = NULL;

    *ret = NULL;
    r->fed += bytes.len;
    if (r->fed > RESP_REPLY_MAX)
        return err_new(ERR_LIMIT, 0, "a reply exceeds the %u bytes that are read", RESP_REPLY_MAX);
    if (bytes.len > 0 && redisReaderFeed(r->reader, bytes.p, bytes.len) != REDIS_OK)
        return err_new(ERR_PROTO, 0, "not RESP: %s", r->reader->errstr);
    if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
        return err_new(ERR_PROTO, 0, "not RESP: %s", r->reader->errstr);
    if (reply != NULL)
        r->fed = 0;
    *ret = reply;
    return NULL;
}

void resp_add_command(struct buf *out, const struct str *args, size_t count)
{
    buf_addf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "$%zu\r\n", args[i].len);
        buf_add_str(out, args[i]);
        buf_add_text(out, "\r\n");
    }
}

const char *resp_error(const json_t *reply)
{
    return jsonx_text(reply, "error");
}

static const char *const outcome_names[] = { "answered", "eof", "reset", "timeout", "not_resp" };
_Static_assert(ARRAY_LEN(outcome_names) == RESP_NOT_RESP + 1, "one name an outcome");

const char *resp_outcome_name(enum resp_outcome outcome)
{
    return outcome_names[outcome];
}

static enum resp_outcome outcome_of_errno(int errnum)
{
    return errnum == ETIMEDOUT ? RESP_TIMEOUT : RESP_RESET;
}

enum resp_outcome resp_call(struct conn *c, struct resp_reader *r, const struct str *args,
        size_t count, int64_t deadline_ms, json_t **ret)
{
    AUTO(buf) struct buf out = { .max_bytes = RESP_REPLY_MAX, .is_secret = true };
    char block[8192];

    if (count > 0)
        resp_add_command(&out, args, count);
    if (count > 0 && !conn_send(c, buf_str(&out), deadline_ms))
        return outcome_of_errno(errno);
    for (;;) {
        struct err *e = resp_reader_feed(r, (struct str){ .p = block, .len = 0 }, ret);

        if (e == NULL && *ret != NULL)
            return RESP_ANSWERED;
        const ssize_t n = e != NULL ? 0 : conn_recv(c, block, sizeof(block), deadline_ms);

        if (e == NULL && n > 0)
            e = resp_reader_feed(r, (struct str){ .p = block, .len = (size_t)n }, ret);
        if (e != NULL) {
            err_ignore(e, "the outcome says that it isn't RESP");
            return RESP_NOT_RESP;
        }
        if (n > 0 && *ret != NULL)
            return RESP_ANSWERED;
        if (n <= 0)
            return n == 0 ? RESP_EOF : outcome_of_errno(errno);
    }
}
