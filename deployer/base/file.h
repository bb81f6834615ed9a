/*
 * file.h - whole files: read with a cap, written so that a crash leaves the old or the new one.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads all of `path` ("-" is standard input) up to max_bytes into `ret` (cleared first). */
MUST_CHECK struct err *file_read(const char *path, size_t max_bytes, struct buf *ret);
/*
 * Temporary file beside it, fsync, rename, fsync of the folder. What is there and is no file (a
 * device, a pipe) is never replaced: ERR_PROTECT.
 */
MUST_CHECK struct err *file_write(const char *path, struct str content, mode_t mode);
/* For a path that the user named: as file_write, but devices and pipes are written to, and links
 * are followed. */
MUST_CHECK struct err *file_write_named(const char *path, struct str content, mode_t mode);
/* As file_write, but ERR_PROTECT if `path` is there already. */
MUST_CHECK struct err *file_create(const char *path, struct str content, mode_t mode);
bool file_exists(const char *path);
bool file_is_dir(const char *path);
/* Makes the folder and its parents. */
MUST_CHECK struct err *file_make_dir(const char *path, mode_t mode);
/* Makes a new or renamed file's entry in its folder durable. */
MUST_CHECK struct err *file_sync_dir_of(const char *path);
/* Removes a folder with all in it; nothing there is no error. Does not follow links. */
MUST_CHECK struct err *file_remove_tree(const char *path);
/* "DIR/NAME"; an absolute NAME is returned alone. free() it. */
MUST_CHECK char *file_join(const char *dir, const char *name);
/* The folder part of a path, "." if there is none. free() it. */
MUST_CHECK char *file_dirname(const char *path);
/* Calls fn for each entry's name, sorted; stops at the first error. `ext` NULL or ".yaml". */
MUST_CHECK struct err *file_each(const char *dir, const char *ext,
        struct err *(*fn)(void *arg, const char *name), void *arg);

#endif
