/*
 * pool.c - checks side by side in a fixed pool of threads: a job (its own deep copies) in, evidence
 * out.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "verify/judge.h"
#include "verify/verify.h"

struct pool {
    struct verify_jobs *jobs;
    const struct verify_options *o;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t next;      /* to be taken by a thread */
    size_t *finished; /* in the order of their ends */
    size_t finished_count;
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

    if (job->skip == NULL && job->broken == NULL)
        job->evidence = probe_run(&probe);
    job->duration_ms = clock_now_ms() - started_ms;
    verify_judge(job, p->o);
}

static void *work(void *arg)
{
    struct pool *p = arg;

    for (;;) {
        pthread_mutex_lock(&p->lock);
        const size_t mine = p->next < p->jobs->count ? p->next++ : p->jobs->count;

        pthread_mutex_unlock(&p->lock);
        if (mine == p->jobs->count)
            return NULL;
        run_one(p, &p->jobs->items[mine]);
        pthread_mutex_lock(&p->lock);
        p->finished[p->finished_count++] = mine;
        pthread_cond_signal(&p->ended);
        pthread_mutex_unlock(&p->lock);
    }
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

void verify_run(struct verify_jobs *jobs, const struct verify_options *o,
        void (*done)(void *arg, const struct verify_job *job), void *arg)
{
    struct pool p = { .jobs = jobs, .o = o };
    pthread_t threads[VERIFY_THREADS_MAX];
    size_t reported = 0;

    p.finished = xcalloc(jobs->count, sizeof(p.finished[0]));
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.ended, NULL);
    const size_t started = start_threads(&p, threads);

    if (started == 0)
        work(&p);
    pthread_mutex_lock(&p.lock);
    while (reported < jobs->count) {
        while (reported == p.finished_count)
            pthread_cond_wait(&p.ended, &p.lock);
        const size_t i = p.finished[reported++];

        pthread_mutex_unlock(&p.lock);
        if (done != NULL)
            done(arg, &jobs->items[i]);
        pthread_mutex_lock(&p.lock);
    }
    pthread_mutex_unlock(&p.lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&p.ended);
    pthread_mutex_destroy(&p.lock);
    free(p.finished);
}
