/*
 * pool.c - checks side by side in a fixed pool of threads: a job (its own deep copies) in, evidence
 * out.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "verify/judge.h"
#include "verify/verify.h"

#define TICK_MS 100

enum phase { PHASE_WAITING, PHASE_RUNNING, PHASE_ENDED };

struct pool {
    struct verify_jobs *jobs;
    const struct verify_options *o;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t next;       /* to be taken by a thread */
    enum phase *phase; /* of each job */
    size_t done;
};

static void run_one(const struct pool *p, struct verify_job *job)
{
    const struct probe_job probe = { .probe = job->check->probe,
        .target = job->target,
        .secrets = job->secrets,
        .secret_count = job->secret_count,
        .net = p->o->net,
        .deadline_ms = clock_now_ms() + job->timeout_ms };
    const int64_t started_ms = clock_now_ms();

    if (cancel_is_asked() && job->skip == NULL)
        job->skip = xstrdup("interrupted");
    if (job->skip == NULL && job->broken == NULL)
        job->evidence = probe_run(&probe);
    /* What a probe says that was cut short is nobody's fault. */
    if (cancel_is_asked() && job->skip == NULL) {
        job->skip = xstrdup("interrupted");
        json_decref(job->evidence);
        job->evidence = NULL;
    }
    job->duration_ms = clock_now_ms() - started_ms;
    verify_judge(job, p->o);
}

/* The next job to run, or the count of all when there is none. */
static size_t take(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    const size_t mine = p->next < p->jobs->count ? p->next++ : p->jobs->count;

    if (mine < p->jobs->count)
        p->phase[mine] = PHASE_RUNNING;
    pthread_mutex_unlock(&p->lock);
    return mine;
}

static void give_back(struct pool *p, size_t mine)
{
    pthread_mutex_lock(&p->lock);
    p->phase[mine] = PHASE_ENDED;
    p->done++;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    struct pool *p = arg;

    for (size_t mine = take(p); mine < p->jobs->count; mine = take(p)) {
        run_one(p, &p->jobs->items[mine]);
        give_back(p, mine);
    }
    return NULL;
}

static size_t start_threads(struct pool *p, pthread_t threads[VERIFY_THREADS_MAX])
{
    const size_t wanted = p->jobs->count < VERIFY_THREADS_MAX ? p->jobs->count : VERIFY_THREADS_MAX;
    sigset_t all;
    sigset_t before;
    size_t started = 0;

    /* Signals are the main thread's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (started < wanted && pthread_create(&threads[started], NULL, work, p) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void wait_a_tick(struct pool *p)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&p->ended, &p->lock, &until);
}

/* Under the lock. */
static struct verify_progress progress_of(const struct pool *p)
{
    struct verify_progress progress = { .of = p->jobs->count, .done = p->done };

    for (size_t i = 0; i < p->jobs->count; i++) {
        if (p->phase[i] == PHASE_RUNNING && progress.running_count < VERIFY_THREADS_MAX)
            progress.running[progress.running_count++] = p->jobs->items[i].check;
    }
    return progress;
}

static void init(struct pool *p)
{
    pthread_condattr_t monotonic;

    p->phase = xcalloc(p->jobs->count + 1, sizeof(p->phase[0]));
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void verify_run(struct verify_jobs *jobs, const struct verify_options *o,
        void (*tell)(void *arg, const struct verify_progress *progress), void *arg)
{
    struct pool p = { .jobs = jobs, .o = o };
    pthread_t threads[VERIFY_THREADS_MAX];

    init(&p);
    const size_t started = start_threads(&p, threads);

    if (started == 0)
        work(&p);
    pthread_mutex_lock(&p.lock);
    while (p.done < jobs->count) {
        const struct verify_progress progress = progress_of(&p);

        if (tell != NULL) {
            pthread_mutex_unlock(&p.lock);
            tell(arg, &progress);
            pthread_mutex_lock(&p.lock);
        }
        if (p.done == progress.done)
            wait_a_tick(&p);
    }
    pthread_mutex_unlock(&p.lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&p.ended);
    pthread_mutex_destroy(&p.lock);
    free(p.phase);
    verify_settle(jobs, o);
}
