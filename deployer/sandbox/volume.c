#include "sandbox/volume.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/task.h"

#define FILE_MAX (1u << 20)

/* ---- shares ---- */

static char *share_folder(const struct backend *b, struct str account, struct str share)
{
    return xasprintf("%s/shares/%.*s/%.*s", b->dir, STR_ARG(account), STR_ARG(share));
}

/* ".../storageAccounts/ACCOUNT/fileServices/default/shares/NAME" */
static char *folder_of_share(const struct backend *b, const char *id)
{
    static const struct str marker = { "/storageaccounts/", 17 };
    struct str rest = str_of(id);

    while (rest.len > marker.len && !str_starts_ci(rest, marker))
        rest = str_slice(rest, 1, rest.len);
    rest = str_slice(rest, marker.len, rest.len);
    const struct str account = str_cut(&rest, '/');

    return share_folder(b, account, str_of(backend_name(id)));
}

static void put(struct backend *b, struct entry *e)
{
    AUTO(free) char *dir = folder_of_share(b, e->id);

    backend_set_ready(e);
    if (!b->has_services)
        return;
    struct err *err = file_make_dir(dir, 0755);

    if (err != NULL)
        backend_set_failed(e, "SandboxServiceFailed", "share: %s", err_text(err));
    err_free(err);
}

static void removed(struct backend *b, struct entry *e)
{
    AUTO(free) char *dir = folder_of_share(b, e->id);

    if (b->has_services)
        backend_bury(b, dir, NULL);
}

const struct driver driver_share = {
    .type = "microsoft.storage/storageaccounts/fileservices/shares",
    .put = put,
    .remove = removed,
};

/* ---- volumes ---- */

static char *volume_folder(const struct volume_request *r, const char *name)
{
    return xasprintf("%s/volumes/%s", r->dir, name);
}

static struct err *link_share(
        struct backend *b, const char *folder, struct str account, struct str share)
{
    AUTO(free) char *target = share_folder(b, account, share);

    if (!file_is_dir(target))
        return err_new(ERR_CONFIG, 0, "there is no share '%.*s' in the storage account '%.*s'",
                STR_ARG(share), STR_ARG(account));
    return symlink(target, folder) == 0 ? NULL : err_errno(errno, "%s", folder);
}

static struct err *make_share(
        struct backend *b, const struct volume_request *r, const json_t *volume, const char *folder)
{
    const char *storage = jsonx_text(volume, "storageName");
    AUTO(free)
    char *id = xasprintf("%s/storages/%s", r->environment_id == NULL ? "" : r->environment_id,
            storage == NULL ? "" : storage);
    const struct entry *e = backend_find(b, id);
    const json_t *p = e == NULL ? NULL : json_object_get(e->doc, "properties");
    const json_t *smb = json_object_get(p, "azureFile");
    const char *nfs = jsonx_text(json_object_get(p, "nfsAzureFile"), "shareName");

    if (nfs != NULL) {
        struct str share = str_of(nfs);

        if (str_starts(share, STR("/")))
            share = str_slice(share, 1, share.len);
        const struct str account = str_cut(&share, '/');

        return link_share(b, folder, account, share);
    }
    if (smb != NULL)
        return link_share(b, folder, str_of(jsonx_text(smb, "accountName")),
                str_of(jsonx_text(smb, "shareName")));
    return err_new(
            ERR_CONFIG, 0, "the environment has no storage '%s'", storage == NULL ? "" : storage);
}

static struct err *add_secret_file(
        const struct volume_request *r, const char *folder, const char *name, const char *path)
{
    const char *value = jsonx_text(r->secrets, name);

    if (value == NULL)
        return err_new(ERR_CONFIG, 0, "there is no secret '%s'", name);
    return task_write_file(folder, r->user, path == NULL ? name : path, value);
}

static struct err *make_secrets(
        const struct volume_request *r, const json_t *volume, const char *folder)
{
    const json_t *list = json_object_get(volume, "secrets");
    const json_t *item = NULL;
    const char *name = NULL;
    json_t *value = NULL;
    size_t i = 0;

    TRY(file_make_dir(folder, 0700));
    TRY(task_give(folder, r->user));
    json_array_foreach (list, i, item) {
        const char *ref = jsonx_text(item, "secretRef");

        TRY(add_secret_file(r, folder, ref == NULL ? "" : ref, jsonx_text(item, "path")));
    }
    if (json_array_size(list) > 0)
        return NULL;
    json_object_foreach ((json_t *)(uintptr_t)r->secrets, name, value) {
        TRY(add_secret_file(r, folder, name, NULL));
    }
    return NULL;
}

static struct err *make_one(struct backend *b, const struct volume_request *r, const json_t *volume)
{
    const char *type = jsonx_text(volume, "storageType");
    const char *name = jsonx_text(volume, "name");
    AUTO(free) char *folder = volume_folder(r, name == NULL ? "" : name);

    if (type != NULL && str_eq_ci(str_of(type), STR("Secret")))
        return make_secrets(r, volume, folder);
    if (type != NULL
            && (str_eq_ci(str_of(type), STR("NfsAzureFile"))
                    || str_eq_ci(str_of(type), STR("AzureFile"))))
        return make_share(b, r, volume, folder);
    TRY(file_make_dir(folder, 0700));
    return task_give(folder, r->user);
}

struct err *volume_make_all(struct backend *b, const struct volume_request *r)
{
    AUTO(free) char *all = file_join(r->dir, "volumes");
    const json_t *volume = NULL;
    size_t i = 0;

    TRY(file_make_dir(all, 0711));
    json_array_foreach (json_object_get(r->template, "volumes"), i, volume) {
        struct err *e = make_one(b, r, volume);

        if (e != NULL)
            return err_wrap(e, "volume '%s'", jsonx_text(volume, "name"));
    }
    return NULL;
}

/* ---- mounts ---- */

static const json_t *find_volume(const struct volume_request *r, const char *name)
{
    const json_t *volume = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(r->template, "volumes"), i, volume) {
        if (text_eq(jsonx_text(volume, "name"), name))
            return volume;
    }
    return NULL;
}

static bool is_secret_volume(const json_t *volume)
{
    const char *type = jsonx_text(volume, "storageType");

    return type != NULL && str_eq_ci(str_of(type), STR("Secret"));
}

/* The text with every mount path that stands at `at` replaced; advances over it. */
static bool translate_at(const json_t *mounts, const char *root, const char **at, struct buf *out)
{
    const char *best = NULL;
    const json_t *mount = NULL;
    size_t i = 0;

    json_array_foreach (mounts, i, mount) {
        const char *path = jsonx_text(mount, "mountPath");

        if (path != NULL && str_starts(str_of(*at), str_of(path))
                && (best == NULL || strlen(path) > strlen(best)))
            best = path;
    }
    if (best == NULL)
        return false;
    buf_addf(out, "%s%s", root, best);
    *at += strlen(best);
    return true;
}

static struct err *translate_file(const struct volume_request *r, const json_t *mounts,
        const char *root, const char *from, const char *to)
{
    AUTO(buf) struct buf text = BUF_INIT(FILE_MAX);
    AUTO(buf) struct buf out = BUF_INIT(FILE_MAX);

    TRY(file_read(from, FILE_MAX, &text));
    for (const char *at = buf_text(&text); *at != '\0';)
        if (*at != '/' || !translate_at(mounts, root, &at, &out))
            buf_add_char(&out, *at++);
    TRY(buf_check(&out, from));
    return task_write_file("/", r->user, to, buf_text(&out));
}

struct translating {
    const struct volume_request *r;
    const json_t *mounts;
    const char *root, *from, *to;
};

static struct err *translate_entry(void *arg, const char *name)
{
    const struct translating *t = arg;
    AUTO(free) char *from = file_join(t->from, name);
    AUTO(free) char *to = file_join(t->to, name);

    return file_is_dir(from) ? NULL : translate_file(t->r, t->mounts, t->root, from, to);
}

static struct err *copy_translated(const struct volume_request *r, const json_t *mounts,
        const char *root, const char *from, const char *to)
{
    struct translating t = { .r = r, .mounts = mounts, .root = root, .from = from, .to = to };

    if (!file_is_dir(from))
        return translate_file(r, mounts, root, from, to);
    TRY(file_make_dir(to, 0700));
    TRY(task_give(to, r->user));
    return file_each(from, NULL, translate_entry, &t);
}

/* A mount hides what the image has there; inside another mount nothing is touched. */
static struct err *hide(const char *root, const char *parent, const char *to)
{
    char real_root[PATH_MAX];
    char real_parent[PATH_MAX];

    if (unlink(to) == 0 || !file_is_dir(to))
        return NULL;
    if (realpath(root, real_root) == NULL || realpath(parent, real_parent) == NULL)
        return err_errno(errno, "%s", to);
    return str_starts(str_of(real_parent), str_of(real_root)) ? file_remove_tree(to) : NULL;
}

static struct err *link_mount(const char *root, const char *from, const char *to)
{
    AUTO(free) char *parent = file_dirname(to);

    TRY(file_make_dir(parent, 0755));
    TRY(hide(root, parent, to));
    return symlink(from, to) == 0 ? NULL : err_errno(errno, "%s", to);
}

static struct err *mount_one(const struct volume_request *r, const json_t *mounts,
        const json_t *mount, const char *root, bool translates)
{
    const char *name = jsonx_text(mount, "volumeName");
    const char *path = jsonx_text(mount, "mountPath");
    const char *sub = jsonx_text(mount, "subPath");
    const json_t *volume = name == NULL ? NULL : find_volume(r, name);

    if (volume == NULL || path == NULL)
        return err_new(ERR_CONFIG, 0, "mount of an unknown volume '%s'", name == NULL ? "" : name);
    AUTO(free) char *folder = volume_folder(r, name);
    AUTO(free)
    char *from = sub == NULL || sub[0] == '\0' ? xstrdup(folder) : file_join(folder, sub);
    AUTO(free) char *to = xasprintf("%s%s%s", root, path[0] == '/' ? "" : "/", path);

    if (access(from, F_OK) != 0 && !is_secret_volume(volume)) {
        TRY(file_make_dir(from, 0755)); /* a subPath that is not there is made */
        TRY(task_give(from, r->user));
    }
    if (translates && is_secret_volume(volume))
        return copy_translated(r, mounts, root, from, to);
    return link_mount(root, from, to);
}

struct err *volume_mount(
        const struct volume_request *r, const json_t *container, const char *root, bool translates)
{
    const json_t *mounts = json_object_get(container, "volumeMounts");
    const json_t *mount = NULL;
    size_t i = 0;

    json_array_foreach (mounts, i, mount) {
        struct err *e = mount_one(r, mounts, mount, root, translates);

        if (e != NULL)
            return err_wrap(e, "mount %s", jsonx_text(mount, "mountPath"));
    }
    return NULL;
}
