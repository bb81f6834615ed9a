#include "state/state.h"

#include <ctype.h>
#include <pwd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "state/backend.h"
#include "state/owner.h"
#include "state/record.h"

#define SALT_BYTES 16u
/* Replaying more than this at every start costs more than writing the state anew once. */
#define JOURNAL_COMPACT_BYTES (8u << 20)

struct state {
    struct state_backend *backend;
    json_t *document;
    json_t *pending;    /* operations since the last commit */
    json_t *by_address; /* address -> key; NULL: to be made */
    size_t journal_bytes;
    struct state_image damaged; /* what could not be read, to be kept before it is gone over */
    char *kept_copy;
    bool is_new; /* nothing is written yet: the first commit writes a snapshot */
    bool is_locked;
    bool is_dead; /* somebody else's now: nothing is written any more */
};

/* ---- opening ---- */

static void learn_tenant(struct state *s, const struct state_owner *o)
{
    const json_t *recorded = json_object_get(s->document, "owner");
    const char *tenant = jsonx_text(recorded, "tenant");

    if (o->tenant == NULL || o->tenant[0] == '\0' || (tenant != NULL && tenant[0] != '\0'))
        return;
    json_t *owner = jsonx_copy(recorded);

    json_object_set_new(owner, "tenant", jsonx_must(json_string(o->tenant)));
    state_set(s, "owner", owner);
}

static json_t *new_document(const struct state_owner *o)
{
    char lineage[DIGEST_UUID_SIZE];
    unsigned char salt[SALT_BYTES];
    AUTO(buf) struct buf hex = BUF_INIT(SALT_BYTES * 2 + 1);

    digest_uuid4(lineage);
    digest_random(salt, sizeof(salt));
    encode_hex(&hex, salt, sizeof(salt));
    return jsonx_must(json_pack("{s:i, s:s, s:i, s:s, s:o, s:{}, s:{}}", "format_version",
            STATE_FORMAT, "lineage", lineage, "serial", 0, "salt", buf_text(&hex), "owner",
            state_owner_json(o), "entries", "intents"));
}

static struct state_image empty_image(void)
{
    return (struct state_image){ .snapshot = BUF_INIT(STATE_BYTES_MAX),
        .journal = BUF_INIT(STATE_BYTES_MAX) };
}

static void image_release(struct state_image *image)
{
    buf_release(&image->snapshot);
    buf_release(&image->journal);
}

/* The whole of an image; *ret_good is how far its journal goes. */
static struct err *read_record(
        const struct state_image *image, const char *name, json_t **ret, size_t *ret_good)
{
    json_auto_t *document = NULL;
    AUTO(free) char *journal = xasprintf("%s: journal", name);

    TRY(record_read_snapshot(buf_str(&image->snapshot), name, &document));
    struct err *e = record_replay(document, buf_str(&image->journal), journal, ret_good);

    if (e != NULL) {
        err_set_hint(e,
                "deployer state push STACK COPY --repair puts a copy in its place (this one "
                "is kept), and deployer import finds what was made since");
        return e;
    }
    *ret = TAKE(document);
    return NULL;
}

static struct err *read_image(
        struct state *s, const struct state_open *o, struct state_image *image)
{
    const char *name = s->backend->name;
    size_t good = 0;

    TRY(s->backend->ops->load(s->backend, image));
    if (image->snapshot.len == 0) {
        s->document = new_document(&o->owner);
        s->is_new = true;
        return NULL;
    }
    struct err *damage = read_record(image, name, &s->document, &good);

    if (damage != NULL && o->is_overwritten) {
        err_ignore(damage, "it is about to be replaced");
        s->document = new_document(&o->owner);
        s->damaged = *image;
        *image = empty_image();
        return NULL;
    }
    TRY(damage);
    TRY(state_owner_check(&o->owner, s->document, name));
    s->journal_bytes = good;
    if (s->is_locked && good < image->journal.len)
        TRY(s->backend->ops->trim(s->backend, good));
    return NULL;
}

static struct err *load(struct state *s, const struct state_open *o)
{
    struct state_image image = empty_image();
    struct err *e = read_image(s, o, &image);

    image_release(&image);
    return e;
}

static char *lock_text(void)
{
    char host[256] = "";
    char since[CLOCK_RFC3339_SIZE];
    const struct passwd *user = getpwuid(getuid());

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    clock_rfc3339(clock_wall_ms(), since);
    json_auto_t *j =
            jsonx_must(json_pack("{s:s, s:s, s:i, s:s}", "user", user == NULL ? "?" : user->pw_name,
                    "host", host, "pid", (int)getpid(), "since", since));

    return jsonx_dump(j);
}

static struct err *unknown_kind(const char *url)
{
    struct err *e = err_new(ERR_USAGE, 0, "state '%s': no such kind of state", url);

    err_set_hint(e, "write a path, azblob://ACCOUNT/CONTAINER/BLOB or postgres://...");
    return e;
}

static struct err *backend_new(const struct state_open *o, struct state_backend **ret)
{
    const struct str url = str_of(o->url);

    if (str_starts(url, STR("azblob://")))
        return state_azblob_new(o, ret);
    if (str_starts(url, STR("postgres://")) || str_starts(url, STR("postgresql://")))
        return state_postgres_new(o, ret);
    if (str_find(url, STR("://")) >= 0 && !str_starts(url, STR("file://")))
        return unknown_kind(o->url);
    if (o->is_named && o->url == NULL) {
        struct err *e = err_new(
                ERR_USAGE, 0, "CI=true: a state on this runner's disk is lost when the job ends");

        err_set_hint(e, "name a remote state with --state or the stack's `state:` "
                        "(azblob://..., postgres://...), or a path if the disk stays");
        return e;
    }
    return state_local_new(o, ret);
}

struct err *state_check_url(const char *url)
{
    const struct state_open o = { .url = url, .owner.stack = "any" };
    struct state_backend *backend = NULL;

    TRY(backend_new(&o, &backend));
    backend->ops->free(backend);
    return NULL;
}

struct err *state_open(const struct state_open *o, struct state **ret)
{
    AUTO(state) struct state *s = xcalloc(1, sizeof(*s));

    s->pending = jsonx_must(json_array());
    TRY(backend_new(o, &s->backend));
    if (o->is_locked) {
        AUTO(free) char *who = lock_text();

        TRY(s->backend->ops->lock(s->backend, who, clock_now_ms() + o->lock_timeout_ms));
        s->is_locked = true;
    }
    TRY(load(s, o));
    learn_tenant(s, &o->owner);
    *ret = TAKE(s);
    return NULL;
}

void state_close(struct state *s)
{
    if (s == NULL)
        return;
    if (s->backend != NULL) {
        if (s->is_locked)
            s->backend->ops->unlock(s->backend);
        s->backend->ops->free(s->backend);
    }
    json_decref(s->document);
    json_decref(s->pending);
    json_decref(s->by_address);
    image_release(&s->damaged);
    free(s->kept_copy);
    free(s);
}

/* ---- reading ---- */

const json_t *state_document(const struct state *s)
{
    return s->document;
}

bool state_is_new(const struct state *s)
{
    return s->is_new;
}

const char *state_name(const struct state *s)
{
    return s->backend->name;
}

struct str state_salt(const struct state *s)
{
    return str_of(jsonx_text(s->document, "salt"));
}

char *state_id_key(const char *id)
{
    size_t len = strlen(id);

    while (len > 1 && id[len - 1] == '/')
        len--;
    char *key = xmemdup0(id, len);

    for (size_t i = 0; i < len; i++)
        key[i] = (char)tolower((unsigned char)key[i]);
    return key;
}

const json_t *state_entry(const struct state *s, const char *id)
{
    AUTO(free) char *key = state_id_key(id);

    return json_object_get(json_object_get(s->document, "entries"), key);
}

static json_t *index_addresses(const json_t *entries)
{
    json_t *index = jsonx_must(json_object());
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach ((json_t *)(uintptr_t)entries, key, entry) {
        const char *address = jsonx_text(entry, "address");

        if (address != NULL)
            json_object_set_new(index, address, jsonx_must(json_string(key)));
    }
    return index;
}

const json_t *state_entry_at(const struct state *s, const char *address)
{
    const json_t *entries = json_object_get(s->document, "entries");
    /* The index is a cache: filling it changes nothing that a caller can see. */
    struct state *cache = (struct state *)(uintptr_t)s;

    if (s->by_address == NULL)
        cache->by_address = index_addresses(entries);
    const char *key = jsonx_text(s->by_address, address);

    return key == NULL ? NULL : json_object_get(entries, key);
}

/* ---- changing ---- */

static void change(struct state *s, const char *verb, const char *key, json_t *value)
{
    json_t *op = jsonx_must(json_pack("[s, s, o]", verb, key, value == NULL ? json_null() : value));

    record_apply(s->document, op);
    json_array_append_new(s->pending, op);
    if (text_eq(verb, "entry")) {
        json_decref(s->by_address);
        s->by_address = NULL;
    }
}

static void change_id(struct state *s, const char *verb, const char *id, json_t *value)
{
    AUTO(free) char *key = state_id_key(id);

    change(s, verb, key, value);
}

void state_put_intent(struct state *s, const char *id, json_t *intent)
{
    change_id(s, "intent", id, intent);
}

void state_drop_intent(struct state *s, const char *id)
{
    change_id(s, "intent", id, NULL);
}

void state_put_entry(struct state *s, const char *id, json_t *entry)
{
    change_id(s, "entry", id, entry);
}

void state_drop_entry(struct state *s, const char *id)
{
    change_id(s, "entry", id, NULL);
}

void state_set(struct state *s, const char *key, json_t *value)
{
    change(s, "set", key, value);
}

void state_rename_id(struct state *s, const char *from, const char *to)
{
    const json_t *ids = json_object_get(s->document, "ids");
    json_t *id = json_object_get(ids, from);

    if (id == NULL)
        return;
    json_t *changed = jsonx_copy(ids);

    if (to != NULL)
        json_object_set(changed, to, id);
    json_object_del(changed, from);
    state_set(s, "ids", changed);
}

/* ---- the lock's loss, in words ---- */

char *state_holder_words(const char *holder)
{
    json_auto_t *j = NULL;

    err_ignore(jsonx_load(str_of(holder), "lock", &j), "a text that is no JSON is shown as it is");
    if (jsonx_text(j, "user") == NULL)
        return xstrdup(text_eq(holder, "{}") ? "somebody" : holder);
    const char *host = jsonx_text(j, "host");
    const char *since = jsonx_text(j, "since");

    return xasprintf("%s on %s, process %lld, since %s", jsonx_text(j, "user"),
            host == NULL ? "?" : host, (long long)jsonx_int(j, "pid", 0),
            since == NULL ? "?" : since);
}

static struct err *whose_lock(struct state *s, struct err *e)
{
    AUTO(buf) struct buf who = BUF_INIT(BUF_TEXT_MAX);
    struct err *unknown = s->backend->ops->holder(s->backend, false, &who);

    if (unknown != NULL) {
        err_ignore(unknown, "then only that it was lost is told");
        return e;
    }
    AUTO(free) char *words = who.len == 0 ? NULL : state_holder_words(buf_text(&who));
    struct err *told = err_new(ERR_LOCKED, 0, "%s%s%s", err_text(e),
            words == NULL ? "; nobody holds it now: force-unlock broke it, or it ran out"
                          : "; it is held by ",
            words == NULL ? "" : words);

    err_set_hint(told, "nothing more was sent; run it again: what is under way is taken up");
    err_free(e);
    return told;
}

static struct err *whose_serial(struct state *s, int64_t ours, struct err *e)
{
    struct state_image image = empty_image();
    json_auto_t *document = NULL;
    size_t good = 0;
    struct err *unknown = s->backend->ops->load(s->backend, &image);

    if (unknown == NULL)
        unknown = read_record(&image, s->backend->name, &document, &good);
    image_release(&image);
    err_ignore(unknown, "then only that it was changed is told");
    if (document == NULL)
        return e;
    struct err *told = err_new(ERR_STALE, 0, "%s (serial %lld there, %lld here)", err_text(e),
            (long long)jsonx_int(document, "serial", 0), (long long)ours);

    err_set_hint(told, "nothing more was sent; run it again: what is under way is taken up");
    err_free(e);
    return told;
}

/* ---- writing ---- */

static struct err *save(struct state *s, bool is_snapshot)
{
    const int64_t before = jsonx_int(s->document, "serial", 0);
    const int64_t serial = before + 1;
    AUTO(free)
    char *line = is_snapshot ? xstrdup("")
                             : record_line(jsonx_text(s->document, "lineage"), serial, s->pending);

    json_object_set_new(s->document, "serial", jsonx_must(json_integer((json_int_t)serial)));
    struct err *e = s->backend->ops->save(s->backend, &(struct state_save){ .serial = serial,
                                                              .line = str_of(line),
                                                              .whole = s->document,
                                                              .is_snapshot = is_snapshot });

    if (e != NULL) {
        json_object_set_new(s->document, "serial", jsonx_must(json_integer((json_int_t)before)));
        s->is_dead = err_kind(e) == ERR_LOCKED || err_kind(e) == ERR_STALE;
        return err_kind(e) == ERR_LOCKED  ? whose_lock(s, e)
               : err_kind(e) == ERR_STALE ? whose_serial(s, before, e)
                                          : e;
    }
    json_array_clear(s->pending);
    s->journal_bytes = is_snapshot ? 0 : s->journal_bytes + strlen(line);
    s->is_new = false;
    return NULL;
}

static struct err *check_writable(const struct state *s)
{
    if (s->is_dead)
        return err_new(ERR_LOCKED, 0, "%s: is somebody else's now: nothing more is written to it",
                s->backend->name);
    if (s->is_locked)
        return NULL;
    return err_new(ERR_INTERNAL, 0, "%s: written without the lock", s->backend->name);
}

struct err *state_commit(struct state *s)
{
    TRY(check_writable(s));
    if (json_array_size(s->pending) == 0)
        return NULL;
    return save(s, s->is_new || s->journal_bytes > JOURNAL_COMPACT_BYTES);
}

struct err *state_compact(struct state *s)
{
    TRY(check_writable(s));
    if (json_array_size(s->pending) == 0 && s->journal_bytes == 0)
        return NULL;
    return save(s, true);
}

static struct err *keep(struct err *e)
{
    err_set_hint(e, "what is there stays; --force puts the given one there all the same");
    return e;
}

/* Members that were not known when this state was opened are empty and not compared. */
static struct err *check_same_owner(const struct state *s, const json_t *given)
{
    const json_t *ours = json_object_get(s->document, "owner");
    const json_t *theirs = json_object_get(given, "owner");
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)ours, name, value) {
        const char *a = json_string_value(value);
        const char *b = jsonx_text(theirs, name);
        const bool is_unknown = a == NULL || a[0] == '\0';

        if (!is_unknown && (b == NULL || !str_eq_ci(str_of(a), str_of(b))))
            return keep(err_new(ERR_CONFIG, 0,
                    "%s: given is the state of another stack: %s is '%s', not '%s'",
                    s->backend->name, name, b == NULL ? "" : b, a));
    }
    return NULL;
}

struct err *state_replace(struct state *s, json_t *document, bool is_forced)
{
    json_auto_t *given = document;
    const int64_t have = jsonx_int(s->document, "serial", 0);
    const int64_t given_serial = jsonx_int(given, "serial", 0);

    TRY(check_writable(s));
    if (!is_forced)
        TRY(check_same_owner(s, given));
    if (!s->is_new && !is_forced
            && !text_eq(jsonx_text(given, "lineage"), jsonx_text(s->document, "lineage")))
        return keep(err_new(ERR_PROTECT, 0, "%s: the lineage is another one (%s there, %s given)",
                s->backend->name, jsonx_text(s->document, "lineage"),
                jsonx_text(given, "lineage")));
    if (!s->is_new && !is_forced && given_serial < have)
        return keep(err_new(ERR_PROTECT, 0, "%s: is newer (serial %lld there, %lld given)",
                s->backend->name, (long long)have, (long long)given_serial));
    /* The serial only grows: whoever planned on the old one must notice. */
    json_object_set_new(
            given, "serial", jsonx_must(json_integer(have > given_serial ? have : given_serial)));
    json_decref(s->document);
    s->document = TAKE(given);
    json_decref(s->by_address);
    s->by_address = NULL;
    json_array_clear(s->pending);
    if (s->damaged.snapshot.len > 0)
        TRY(s->backend->ops->keep_copy(s->backend, &s->damaged, &s->kept_copy));
    return save(s, true);
}

const char *state_kept_copy(const struct state *s)
{
    return s->kept_copy;
}

struct err *state_lock_holder(const struct state_open *o, bool is_broken, char **ret)
{
    struct state_backend *b = NULL;
    AUTO(buf) struct buf who = BUF_INIT(BUF_TEXT_MAX);

    TRY(backend_new(o, &b));
    struct err *e = b->ops->holder(b, is_broken, &who);

    b->ops->free(b);
    TRY(e);
    *ret = who.len > 0 ? buf_take(&who) : NULL;
    return NULL;
}
