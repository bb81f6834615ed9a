#include "sandbox/place.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"

#define ROOT_PLACE "/var/lib/deployer-sandbox"

/* Whether everybody may pass through every folder on the way to `path`. */
static bool is_passable(const char *path)
{
    AUTO(free) char *at = xstrdup(path);

    while (!text_eq(at, "/")) {
        struct stat st;

        if (stat(at, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
            return false;
        char *up = file_dirname(at);

        free(at);
        at = up;
    }
    return true;
}

/* A place whose sandbox folder was deleted is of no use to anybody. */
static struct err *sweep_one(void *arg, const char *name)
{
    AUTO(free) char *dir = file_join(ROOT_PLACE, name);
    AUTO(free) char *mark = file_join(dir, "owner");
    AUTO(buf) struct buf owner = BUF_INIT(PATH_MAX);
    struct err *e = file_read(mark, PATH_MAX, &owner);

    (void)arg;
    if (e == NULL && owner.len > 0 && !file_is_dir(buf_text(&owner)))
        e = file_remove_tree(dir);
    err_ignore(e, "what cannot be swept now is swept later");
    return NULL;
}

static struct err *root_place(const char *dir, char **ret)
{
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(str_of(dir), hex);
    AUTO(free) char *place = xasprintf(ROOT_PLACE "/%.12s", hex);
    AUTO(free) char *mark = file_join(place, "owner");

    TRY(file_make_dir(ROOT_PLACE, 0711));
    TRY(file_each(ROOT_PLACE, NULL, sweep_one, NULL));
    TRY(file_make_dir(place, 0711));
    TRY(file_write(mark, str_of(dir), 0600));
    *ret = TAKE(place);
    return NULL;
}

struct err *place_open(const struct backend_options *o, char **ret)
{
    char real[PATH_MAX];
    struct stat st;

    TRY(file_make_dir(o->dir, 0711));
    if (realpath(o->dir, real) == NULL || stat(real, &st) != 0)
        return err_errno(errno, "%s", o->dir);
    if (geteuid() == 0 && o->has_services) {
        if (st.st_uid == 0 && chmod(real, (st.st_mode & 07777) | S_IXOTH) != 0)
            return err_errno(errno, "%s", real);
        if (!is_passable(real))
            return root_place(real, ret);
    }
    AUTO(free) char *dir = file_join(real, "services");

    TRY(file_make_dir(dir, 0711));
    *ret = TAKE(dir);
    return NULL;
}
