/*
 * precheck.h - what can be known to go wrong before the first write: rights, locks, resource
 * providers, regions, SKUs and quotas, names that are taken or soft-deleted, images. It
 * reads only, all side by side, and tells everything at once. It knows no resource: what is asked
 * of a service stands in its kind (`before`, `soft_delete`, `rights`: docs/catalog.md).
 *
 * What can't be found out (no right to look, no such call in a cloud, a registry out of reach) is a
 * note and fails nothing.
 */
#ifndef PRECHECK_PRECHECK_H
#define PRECHECK_PRECHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "cloud/cloud.h"
#include "precheck/question.h"

struct http_loop;

/* How a cloud is asked, and its answers read. Paths are owned by the caller. */
struct precheck_cloud {
    void *arg;
    const char *subscription;
    /* One request; a GET's pages are followed. Never calls back from within. */
    void (*ask)(void *arg, const char *method, const char *path, const json_t *body,
            int64_t deadline_ms, cloud_done *done, void *done_arg);
    /* Runs the loop until `until` holds. */
    struct err *(*turn)(void *arg, bool (*until)(void *), void *until_arg, int64_t deadline_ms);
    char *(*rights_path)(const char *scope);
    bool (*allows)(const json_t *rights, const char *action);
    char *(*action_of)(const struct kind *k, const char *verb); /* "write", "delete" */
    char *(*type_of)(const char *id);
    /* Where rights on it are asked for; NULL: not known. */
    char *(*scope_of)(void *arg, const char *id);
    /* Whether it is there, so that rights on it itself can be asked for. */
    bool (*is_there)(void *arg, const char *id);
    char *(*locks_path)(const char *scope); /* NULL: the cloud has no locks */
    bool (*lock_refuses)(const json_t *lock, const char *id, bool is_delete);
    char *(*lock_text)(const json_t *lock);
    char *(*lock_hint)(const json_t *lock);
    char *(*provider_of)(const struct kind *k);
    char *(*provider_path)(const char *subscription, const char *provider);
    bool (*is_registered)(const json_t *provider);
    bool (*has_region)(const json_t *provider, const struct kind *k, const char *location);
    bool (*has_version)(const json_t *provider, const struct kind *k);
};

/* A right that a plan needs besides those to write and delete: of an action (listKeys). */
struct precheck_right {
    const char *address; /* of the resource that is written with it */
    const char *action;  /* "Microsoft.X/ys/listKeys/action" */
    const char *scope;
    const char *near; /* as of a subject */
};

struct precheck {
    struct precheck_cloud cloud;
    struct http_loop *loop; /* for images; NULL: they are not looked at */
    const struct precheck_subject *subjects;
    size_t subject_count;
    const struct precheck_right *rights;
    size_t right_count;
    const json_t *recover; /* [NAME]: soft-deleted namesakes that are wanted back */
    const json_t *purge;   /* [NAME]: that are to go for good */
    int64_t deadline_ms;
};

/*
 * Asks and judges. *ret (owned): [{"check", "severity": "error"|"warning"|"note", "address",
 * "text", "hint", "file", "line", "column"}], errors first; check is one of permission, lock,
 * provider, region, sku, quota, name, soft-deleted, image, version, and change (of the plan's own:
 * plan/steps.h). With "provider" there is the "provider" to register, with "soft-deleted" the
 * "purge" path and the "list" to see it gone, with "quota" what is "used", "limit" and "wanted".
 * Errors: what `turn` returns; answers may then still be due, and the cloud has to be freed before
 * its loop is run again.
 */
MUST_CHECK struct err *precheck_run(const struct precheck *p, json_t **ret);
/* How many findings have that severity. */
size_t precheck_count(const json_t *findings, const char *severity);
/*
 * ERR_DENIED when rights are missing, ERR_PROTECT when there is a lock or something soft-deleted
 * waits for a choice, else ERR_CONFIG, naming all; NULL without errors among the findings. `done`
 * is what was not done: "written", "deleted".
 */
MUST_CHECK struct err *precheck_refusal(const json_t *findings, const char *done);

#endif
