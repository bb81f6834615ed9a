/*
 * faults.h - how the sandbox misbehaves when told to: a script of matches and answers, and
 * settings (buckets, lags, unregistered providers, permissions). The format is in
 * docs/sandbox.md. The file is read again when it changes.
 */
#ifndef SANDBOX_FAULTS_H
#define SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "sandbox/reply.h"
#include "sandbox/request.h"

struct faults;

/* What a matching entry asks for. */
struct fault {
    int status; /* 0: none */
    const char *code, *message, *text;
    const json_t *headers;
    int64_t delay_ms;
    bool is_reset, is_cut;
    bool is_after;                   /* the request is carried out, only its answer is replaced */
    int64_t lro_ms;                  /* -1: as usual */
    json_t *lro_error;               /* {"code", "message"}; NULL: succeeds */
    int64_t get_lag_ms, list_lag_ms; /* of what this request creates */
};

/* `path` NULL: nothing ever happens. */
MUST_CHECK struct err *faults_open(const char *path, struct faults **ret);
void faults_free(struct faults *f);
/* Reads the file again if it changed; a broken one is reported once in the log and left out. */
void faults_refresh(struct faults *f);
/* The entry that this request hits, counting it; NULL for none. Borrowed until the next refresh. */
const struct fault *faults_match(struct faults *f, const struct request *q, const char *type);
/* Puts what a fault asks for into the reply. */
void fault_apply(const struct fault *fault, struct reply *r);
/*
 * Takes one token of the bucket for this method and adds the x-ms-ratelimit headers; a 429 when it
 * is empty. Without `buckets` in the script nothing is ever refused.
 */
MUST_CHECK struct err *faults_throttle(struct faults *f, const struct request *q, struct reply *r);
/*
 * Sets Retry-After in the form that the script asks for (seconds, date, ms). What is left below a
 * second is told as retry-after-ms besides.
 */
void faults_retry_after(const struct faults *f, struct reply *r, int seconds, int64_t left_ms);
/* A member of `settings`, or NULL. Borrowed. */
const json_t *faults_setting(const struct faults *f, const char *name);

#endif
