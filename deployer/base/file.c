#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

/* Whatever the reason: the file that was named can't be read, and that is no fault of ours. */
static struct err *no_input(int errnum, const char *path)
{
    char reason[128] = "";

    return err_new(ERR_NOINPUT, errnum, "%s: %s", path, strerror_r(errnum, reason, sizeof(reason)));
}

struct err *file_read(const char *path, size_t max_bytes, struct buf *ret)
{
    const bool is_stdin = text_eq(path, "-");
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    char block[16384];
    ssize_t n = 0;

    if (fd < 0)
        return no_input(errno, path);
    buf_clear(ret);
    ret->max_bytes = max_bytes;
    while (!ret->is_overflown && (n = read(fd, block, sizeof(block))) != 0) {
        if (n > 0)
            buf_add(ret, block, (size_t)n);
        else if (errno != EINTR)
            break;
    }
    const int errnum = errno;

    if (ret->is_secret)
        explicit_bzero(block, sizeof(block));
    if (!is_stdin)
        close(fd);
    return n < 0 ? no_input(errnum, path) : buf_check(ret, path);
}

static struct err *write_bytes(int fd, struct str content, const char *path)
{
    while (content.len > 0) {
        const ssize_t n = write(fd, content.p, content.len);

        if (n < 0 && errno != EINTR)
            return err_errno(errno, "%s: write", path);
        if (n > 0)
            content = str_slice(content, (size_t)n, content.len);
    }
    return NULL;
}

static struct err *write_all(int fd, struct str content, const char *path)
{
    TRY(write_bytes(fd, content, path));
    return fsync(fd) != 0 ? err_errno(errno, "%s: fsync", path) : NULL;
}

struct err *file_sync_dir_of(const char *path)
{
    AUTO(free) char *dir = file_dirname(path);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(errno, "%s", dir);
    const int rc = fsync(fd);

    close(fd);
    /* Some file systems can't sync a folder; the rename itself is still atomic there. */
    return rc != 0 && errno != EINVAL ? err_errno(errno, "%s: fsync", dir) : NULL;
}

static struct err *write_temporary(const char *path, struct str content, mode_t mode, char **ret)
{
    AUTO(free) char *temporary = xasprintf("%s.XXXXXX", path);
    const int fd = mkostemp(temporary, O_CLOEXEC);

    if (fd < 0)
        return err_errno(errno, "%s", path);
    struct err *e = fchmod(fd, mode) != 0 ? err_errno(errno, "%s: chmod", path)
                                          : write_all(fd, content, path);

    close(fd);
    if (e != NULL) {
        unlink(temporary);
        return e;
    }
    *ret = TAKE(temporary);
    return NULL;
}

/* Whether a file of the name can be put in place: nothing is there, or a file, or a link to one. */
static bool is_replaceable(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

struct err *file_write(const char *path, struct str content, mode_t mode)
{
    AUTO(free) char *temporary = NULL;

    if (!is_replaceable(path))
        return err_new(ERR_PROTECT, 0, "%s: is no file and is left as it is", path);
    TRY(write_temporary(path, content, mode, &temporary));
    if (rename(temporary, path) != 0) {
        struct err *e = err_errno(errno, "%s", path);

        unlink(temporary);
        return e;
    }
    return file_sync_dir_of(path);
}

static struct err *write_in_place(const char *path, struct str content)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(errno, "%s", path);
    struct err *e = write_bytes(fd, content, path);

    close(fd);
    return e;
}

struct err *file_write_named(const char *path, struct str content, mode_t mode)
{
    struct stat st;
    const bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    const bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);

    /* /dev/stdout is a link to a file where it is redirected to one. */
    if ((!is_replaceable(path) && !is_folder)
            || (is_link && str_starts(str_of(path), STR("/dev/"))))
        return write_in_place(path, content);
    AUTO(free) char *target = is_link ? realpath(path, NULL) : NULL;

    return file_write(target != NULL ? target : path, content, mode);
}

struct err *file_create(const char *path, struct str content, mode_t mode)
{
    AUTO(free) char *temporary = NULL;

    TRY(write_temporary(path, content, mode, &temporary));
    const int rc = link(temporary, path);
    const int errnum = errno;

    unlink(temporary);
    if (rc != 0 && errnum == EEXIST)
        return err_new(ERR_PROTECT, errnum, "%s: is there already and is left as it is", path);
    return rc != 0 ? err_errno(errnum, "%s", path) : file_sync_dir_of(path);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

struct err *file_make_dir(const char *path, mode_t mode)
{
    if (file_is_dir(path))
        return NULL;
    AUTO(free) char *parent = file_dirname(path);

    if (!text_eq(parent, path))
        TRY(file_make_dir(parent, mode));
    if (mkdir(path, mode) != 0 && !(errno == EEXIST && file_is_dir(path)))
        return err_errno(errno, "%s", path);
    return NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

struct err *file_remove_tree(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return err_errno(errno, "%s: remove", path);
    return NULL;
}

char *file_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0')
        return xstrdup(name);
    return xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *file_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xmemdup0(path, (size_t)(slash - path));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

struct err *file_each(
        const char *dir, const char *ext, struct err *(*fn)(void *arg, const char *name), void *arg)
{
    struct dirent **entries = NULL;
    const int count = scandir(dir, &entries, NULL, by_name);
    struct err *e = NULL;

    if (count < 0)
        return err_errno(errno, "%s", dir);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (e == NULL && name[0] != '.' && (ext == NULL || str_ends(str_of(name), str_of(ext))))
            e = fn(arg, name);
        free(entries[i]);
    }
    free(entries);
    return e;
}
