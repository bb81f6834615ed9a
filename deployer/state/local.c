/*
 * The state as a file, its journal beside it and a lock file: NAME.json, NAME.json.journal,
 * NAME.json.lock. The lock is flock(2)'s, so that it goes with its process however that ends; the
 * lock file's text says whose it is. An unlinked lock file is how force-unlock takes it away: the
 * holder notices at its next commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "state/backend.h"
#include "state/record.h"

#define LOCK_TEXT_MAX 4096u
#define LOCK_RETRY_MS 100

struct local {
    struct state_backend head;
    char *journal_path;
    char *lock_path;
    int lock_fd;          /* -1 without the lock */
    int journal_fd;       /* -1 until the first commit */
    off_t journal_length; /* what we know to be there */
};

static struct local *local_of(struct state_backend *b)
{
    return (struct local *)b;
}

static struct err *read_if_there(const char *path, size_t max_bytes, struct buf *ret)
{
    struct err *e = file_read(path, max_bytes, ret);

    if (e != NULL && err_kind(e) == ERR_NOINPUT) {
        err_ignore(e, "a state that was never written has no file");
        buf_clear(ret);
        return NULL;
    }
    return e;
}

/* ---- lock ---- */

/* Whether the file behind `fd` is still the one at `path`. */
static bool is_same_file(int fd, const char *path)
{
    struct stat here;
    struct stat there;

    return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_dev == there.st_dev
           && here.st_ino == there.st_ino;
}

static struct err *locked_by_other(struct local *l)
{
    AUTO(buf) struct buf who = BUF_INIT(LOCK_TEXT_MAX);
    struct err *ignored = read_if_there(l->lock_path, LOCK_TEXT_MAX, &who);

    err_ignore(ignored, "without its text the lock is still a lock");
    AUTO(free) char *words = state_holder_words(who.len > 0 ? buf_text(&who) : "{}");

    return err_new(ERR_LOCKED, 0, "%s: is locked by %s", l->head.name, words);
}

/* One attempt; *ret_fd stays -1 while somebody else holds the lock. */
static struct err *try_lock(struct local *l, int *ret_fd)
{
    const int fd = open(l->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(errno, "%s", l->lock_path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same_file(fd, l->lock_path)) {
        *ret_fd = fd;
        return NULL;
    }
    close(fd);
    return NULL;
}

static struct err *write_lock_text(struct local *l, const char *who)
{
    const size_t len = strlen(who);

    if (ftruncate(l->lock_fd, 0) != 0 || pwrite(l->lock_fd, who, len, 0) != (ssize_t)len)
        return err_errno(errno, "%s", l->lock_path);
    return NULL;
}

static struct err *make_folder(struct local *l)
{
    AUTO(free) char *dir = file_dirname(l->head.name);

    return file_make_dir(dir, 0700);
}

static struct err *local_lock(struct state_backend *b, const char *who, int64_t deadline_ms)
{
    struct local *l = local_of(b);

    TRY(make_folder(l));
    for (;;) {
        TRY(try_lock(l, &l->lock_fd));
        if (l->lock_fd >= 0)
            return write_lock_text(l, who);
        if (clock_left_ms(deadline_ms) == 0)
            return locked_by_other(l);
        TRY(cancel_check());
        clock_sleep_ms(LOCK_RETRY_MS);
    }
}

static void local_unlock(struct state_backend *b)
{
    struct local *l = local_of(b);

    if (l->lock_fd < 0)
        return;
    /* The file stays: unlinking it would race with who has just opened it. */
    if (is_same_file(l->lock_fd, l->lock_path) && ftruncate(l->lock_fd, 0) != 0)
        errno = 0; /* a left-over text is harmless: flock alone decides */
    close(l->lock_fd);
    l->lock_fd = -1;
}

static struct err *local_holder(struct state_backend *b, bool is_broken, struct buf *ret)
{
    struct local *l = local_of(b);
    int fd = -1;

    buf_clear(ret);
    if (!file_exists(l->lock_path))
        return NULL;
    TRY(try_lock(l, &fd));
    if (fd >= 0) {
        close(fd);
        return NULL;
    }
    TRY(read_if_there(l->lock_path, LOCK_TEXT_MAX, ret));
    if (is_broken && unlink(l->lock_path) != 0 && errno != ENOENT)
        return err_errno(errno, "%s", l->lock_path);
    return NULL;
}

/* ---- bytes ---- */

static struct err *local_load(struct state_backend *b, struct state_image *ret)
{
    struct local *l = local_of(b);

    /*
     * The journal first: a reader without the lock may meet a compaction between the two, and a
     * newer snapshot makes the older lines void, but an emptied journal would lose them.
     */
    TRY(read_if_there(l->journal_path, STATE_BYTES_MAX, &ret->journal));
    TRY(read_if_there(b->name, STATE_BYTES_MAX, &ret->snapshot));
    l->journal_length = (off_t)ret->journal.len;
    if (ret->snapshot.len == 0 && ret->journal.len > 0) {
        struct err *e = err_new(ERR_CONFIG, 0, "%s is gone, but its journal is there", b->name);

        err_set_hint(e, "restore the file, or remove %s too to start anew", l->journal_path);
        return e;
    }
    if (ret->snapshot.len == 0 && file_exists(b->name)) {
        struct err *e = err_new(ERR_CONFIG, 0, "%s is empty, which no state is", b->name);

        err_set_hint(e, "restore it from a copy; remove it only where nothing was deployed yet");
        return e;
    }
    return NULL;
}

static struct err *open_journal(struct local *l)
{
    if (l->journal_fd >= 0)
        return NULL;
    const bool is_new = !file_exists(l->journal_path);

    l->journal_fd = open(l->journal_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (l->journal_fd < 0)
        return err_errno(errno, "%s", l->journal_path);
    return is_new ? file_sync_dir_of(l->journal_path) : NULL;
}

static struct err *cut_journal(struct local *l, off_t length)
{
    TRY(open_journal(l));
    if (ftruncate(l->journal_fd, length) != 0 || fsync(l->journal_fd) != 0)
        return err_errno(errno, "%s: truncate", l->journal_path);
    l->journal_length = length;
    return NULL;
}

static struct err *local_trim(struct state_backend *b, size_t good)
{
    return cut_journal(local_of(b), (off_t)good);
}

static struct err *check_still_ours(struct local *l)
{
    struct stat st;

    if (l->lock_fd < 0 || !is_same_file(l->lock_fd, l->lock_path))
        return err_new(ERR_LOCKED, 0, "%s: the lock was taken away (force-unlock)", l->head.name);
    const off_t length = stat(l->journal_path, &st) == 0 ? st.st_size : 0;

    /* Longer by a line of our own that could not be synced is no foreign hand: it is cut first. */
    if (length < l->journal_length)
        return err_new(ERR_STALE, 0, "%s: was changed by somebody else", l->journal_path);
    return NULL;
}

static struct err *append(struct local *l, struct str line)
{
    off_t at = l->journal_length;
    struct str rest = line;

    TRY(open_journal(l));
    while (rest.len > 0) {
        const ssize_t n = pwrite(l->journal_fd, rest.p, rest.len, at);

        if (n < 0 && errno != EINTR)
            return err_errno(errno, "%s: write", l->journal_path);
        if (n > 0) {
            rest = str_slice(rest, (size_t)n, rest.len);
            at += n;
        }
    }
    if (ftruncate(l->journal_fd, at) != 0 || fdatasync(l->journal_fd) != 0)
        return err_errno(errno, "%s: sync", l->journal_path);
    l->journal_length = at;
    return NULL;
}

static struct err *local_save(struct state_backend *b, const struct state_save *w)
{
    struct local *l = local_of(b);

    TRY(check_still_ours(l));
    if (!w->is_snapshot)
        return append(l, w->line);
    AUTO(free) char *text = record_snapshot(w->whole);

    TRY(file_write(b->name, str_of(text), 0600));
    return cut_journal(l, 0);
}

static void local_free(struct state_backend *b)
{
    struct local *l = local_of(b);

    local_unlock(b);
    if (l->journal_fd >= 0)
        close(l->journal_fd);
    free(l->journal_path);
    free(l->lock_path);
    free(b->name);
    free(l);
}

static struct err *local_keep_copy(
        struct state_backend *b, const struct state_image *image, char **ret_where)
{
    char now[CLOCK_RFC3339_SIZE];

    clock_rfc3339(clock_wall_ms(), now);
    AUTO(free) char *copy = xasprintf("%s.damaged-%s", b->name, now);
    AUTO(free) char *journal = xasprintf("%s.journal", copy);

    TRY(file_write(copy, buf_str(&image->snapshot), 0600));
    if (image->journal.len > 0)
        TRY(file_write(journal, buf_str(&image->journal), 0600));
    *ret_where = TAKE(copy);
    return NULL;
}

static const struct state_backend_ops local_ops = {
    .name = "file",
    .lock = local_lock,
    .unlock = local_unlock,
    .holder = local_holder,
    .load = local_load,
    .trim = local_trim,
    .keep_copy = local_keep_copy,
    .save = local_save,
    .free = local_free,
};

/* Stack and environment names are checked where they are read; a slash here is our own fault. */
static char *default_path(const struct state_open *o)
{
    const char *env = o->owner.environment == NULL ? "" : o->owner.environment;
    AUTO(free)
    char *name = xasprintf(".deployer/%s%s%s.json", o->owner.stack, env[0] == '\0' ? "" : "-", env);

    return file_join(o->stack_dir == NULL ? "." : o->stack_dir, name);
}

struct err *state_local_new(const struct state_open *o, struct state_backend **ret)
{
    if (o->url == NULL && o->owner.stack == NULL)
        return err_new(ERR_USAGE, 0, "which state? Name a stack file or --state");
    struct local *l = xcalloc(1, sizeof(*l));
    const char *path =
            o->url != NULL && str_starts(str_of(o->url), STR("file://")) ? o->url + 7 : o->url;

    *l = (struct local){ .head.ops = &local_ops, .lock_fd = -1, .journal_fd = -1 };
    l->head.name = path == NULL ? default_path(o) : xstrdup(path);
    l->journal_path = xasprintf("%s.journal", l->head.name);
    l->lock_path = xasprintf("%s.lock", l->head.name);
    *ret = &l->head;
    return NULL;
}
