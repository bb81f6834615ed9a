/*
 * volume.h - what a container sees of files: a folder that stands for its root, in which each mount
 * is a link to a volume's folder or file. Shares are folders that outlive the apps that mount them.
 */
#ifndef SANDBOX_VOLUME_H
#define SANDBOX_VOLUME_H

#include "sandbox/backend_core.h"

extern const struct driver driver_share;

struct volume_request {
    const json_t *template;     /* of the app or job */
    const json_t *secrets;      /* name -> value */
    const char *environment_id; /* or NULL */
    const char *dir;            /* of the replica; volumes are made in DIR/volumes */
    const char *user;           /* who owns what is made, where we are root; NULL: ourselves */
};

/*
 * Makes every volume of the template. Errors name the volume: a share or a storage of the
 * environment that is not there.
 */
MUST_CHECK struct err *volume_make_all(struct backend *b, const struct volume_request *r);
/*
 * Links the mounts of one container below `root`. With `translates`, the absolute paths of the
 * mounts inside the files of Secret volumes become paths below `root` (the files are copied).
 */
MUST_CHECK struct err *volume_mount(
        const struct volume_request *r, const json_t *container, const char *root, bool translates);

#endif
