#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "state/record.h"
#include "state/state.h"

#define ID_A "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Cache/redis/A"
#define ID_B "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Cache/redis/B"

static char folder[64];

static int set_up(void **unused)
{
    (void)unused;
    snprintf(folder, sizeof(folder), "/tmp/deployer-state.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **unused)
{
    (void)unused;
    err_ignore(file_remove_tree(folder), "a test's folder");
    return 0;
}

static struct state_open ours(bool is_locked)
{
    return (struct state_open){ .stack_dir = folder,
        .owner = { .stack = "shop",
                .environment = "dev",
                .tenant = "",
                .subscription = "SUB",
                .endpoint = "https://cloud",
                .target = "azure" },
        .is_locked = is_locked };
}

static struct state *opened(bool is_locked)
{
    struct state_open o = ours(is_locked);
    struct state *s = NULL;
    struct err *e = state_open(&o, &s);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    return s;
}

static void must(struct err *e)
{
    if (e != NULL)
        fail_msg("%s", err_text(e));
}

static void assert_fails(struct err *e, enum err_kind kind, const char *part)
{
    assert_non_null(e);
    if (err_kind(e) != kind || strstr(err_text(e), part) == NULL)
        fail_msg("%s: %s (wanted '%s')", err_kind_name(err_kind(e)), err_text(e), part);
    err_free(e);
}

static void assert_open_fails(const struct state_open *o, enum err_kind kind, const char *part)
{
    struct state *s = NULL;

    assert_fails(state_open(o, &s), kind, part);
    assert_null(s);
}

static char *path_of(const char *suffix)
{
    AUTO(free) char *name = xasprintf(".deployer/shop-dev.json%s", suffix);

    return file_join(folder, name);
}

static json_t *entry(const char *address, int n)
{
    return json_pack("{s:s, s:i, s:s}", "address", address, "n", n, "kind", "redis");
}

static void test_keeps_what_was_committed(void **unused)
{
    (void)unused;
    struct state *s = opened(true);

    assert_true(state_is_new(s));
    assert_int_equal(state_salt(s).len, 32);
    state_put_entry(s, ID_A, entry("redis.a", 1));
    state_put_intent(s, ID_B, json_pack("{s:s}", "action", "create"));
    must(state_commit(s));
    state_put_entry(s, ID_B "/", entry("redis.b", 2));
    state_drop_intent(s, ID_B);
    state_set(s, "suffix", json_string("k3f9a"));
    must(state_commit(s));
    state_put_entry(s, ID_A, entry("redis.never", 3)); /* not committed */
    state_close(s);

    s = opened(false);
    assert_false(state_is_new(s));
    assert_int_equal(jsonx_int(state_document(s), "serial", 0), 2);
    assert_string_equal(jsonx_text(state_document(s), "suffix"), "k3f9a");
    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", 0), 1);
    assert_int_equal(jsonx_int(state_entry_at(s, "redis.b"), "n", 0), 2);
    assert_null(state_entry_at(s, "redis.never"));
    assert_int_equal(json_object_size(json_object_get(state_document(s), "intents")), 0);
    state_close(s);
}

static void test_compaction_empties_the_journal(void **unused)
{
    (void)unused;
    struct state *s = opened(true);
    AUTO(free) char *path = path_of("");
    AUTO(free) char *journal = path_of(".journal");
    struct stat st;

    for (int i = 0; i < 5; i++) {
        state_put_entry(s, ID_A, entry("redis.a", i));
        must(state_commit(s));
    }
    assert_int_equal(stat(journal, &st), 0);
    assert_true(st.st_size > 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    must(state_compact(s));
    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    AUTO(free) char *dir = file_dirname(path);

    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    state_put_entry(s, ID_A, entry("redis.a", 9));
    must(state_commit(s));
    state_close(s);
    s = opened(false);
    assert_int_equal(jsonx_int(state_document(s), "serial", 0), 7);
    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", 0), 9);
    state_close(s);
}

/* Commits numbers 0, 1, 2 and notes the journal's length after each. */
static void write_three(off_t ret_ends[3])
{
    struct state *s = opened(true);
    AUTO(free) char *journal = path_of(".journal");
    struct stat st;

    for (int i = 0; i < 3; i++) {
        state_put_entry(s, ID_A, entry("redis.a", i));
        must(state_commit(s));
        ret_ends[i] = stat(journal, &st) == 0 ? st.st_size : 0;
    }
    state_close(s);
}

static void test_journal_cut_at_every_byte(void **unused)
{
    (void)unused;
    off_t ends[3];
    AUTO(free) char *journal = path_of(".journal");
    AUTO(buf) struct buf whole = BUF_INIT(STATE_BYTES_MAX);

    write_three(ends);
    must(file_read(journal, STATE_BYTES_MAX, &whole));
    for (size_t cut = 0; cut <= whole.len; cut++) {
        const int want = (off_t)cut >= ends[2] ? 2 : (off_t)cut >= ends[1] ? 1 : 0;

        must(file_write(journal, str_slice(buf_str(&whole), 0, cut), 0600));
        struct state *s = opened(cut % 2 == 0);

        assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", -1), want);
        if (cut % 2 == 0) { /* goes on from there */
            state_put_entry(s, ID_A, entry("redis.a", 7));
            must(state_commit(s));
            state_close(s);
            s = opened(false);
            assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", -1), 7);
            assert_int_equal(jsonx_int(state_document(s), "serial", -1), want + 2);
        }
        state_close(s);
    }
}

static void test_torn_tail_of_garbage(void **unused)
{
    (void)unused;
    static const char tail[] = "\0\0\0{\"serial\":9}\n\xff\xfe\n{";
    off_t ends[3];
    AUTO(free) char *journal = path_of(".journal");
    AUTO(buf) struct buf whole = BUF_INIT(STATE_BYTES_MAX);

    write_three(ends);
    must(file_read(journal, STATE_BYTES_MAX, &whole));
    buf_add(&whole, tail, sizeof(tail));
    must(file_write(journal, buf_str(&whole), 0600));
    struct state *s = opened(true);

    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", -1), 2);
    state_close(s);
    struct stat st;

    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_size, ends[2]);
}

static void test_damage_before_whole_commits_is_an_error(void **unused)
{
    (void)unused;
    off_t ends[3];
    AUTO(free) char *journal = path_of(".journal");
    AUTO(buf) struct buf whole = BUF_INIT(STATE_BYTES_MAX);
    const struct state_open o = ours(false);

    write_three(ends);
    must(file_read(journal, STATE_BYTES_MAX, &whole));
    /* Not the line's end: without it the two lines are one that no valid one follows. */
    for (off_t at = 0; at < ends[1] - 1; at += 7) {
        const char was = whole.p[at];

        whole.p[at] = was == 'x' ? 'y' : 'x';
        must(file_write(journal, buf_str(&whole), 0600));
        assert_open_fails(&o, ERR_CONFIG, "damaged");
        whole.p[at] = was;
    }
    buf_consume(&whole, (size_t)ends[1]); /* a commit is missing */
    must(file_write(journal, buf_str(&whole), 0600));
    assert_open_fails(&o, ERR_CONFIG, "commits are missing");
}

static void test_compaction_killed_before_the_journal_was_emptied(void **unused)
{
    (void)unused;
    off_t ends[3];
    AUTO(free) char *journal = path_of(".journal");
    AUTO(buf) struct buf old = BUF_INIT(STATE_BYTES_MAX);

    write_three(ends);
    must(file_read(journal, STATE_BYTES_MAX, &old));
    struct state *s = opened(true);

    must(state_compact(s));
    state_close(s);
    must(file_write(journal, buf_str(&old), 0600));
    s = opened(true);
    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", -1), 2);
    state_put_entry(s, ID_A, entry("redis.a", 8));
    must(state_commit(s));
    state_close(s);
    s = opened(false);
    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", -1), 8);
    state_close(s);
}

static void test_edited_newer_or_lost_snapshot(void **unused)
{
    (void)unused;
    off_t ends[3];
    AUTO(free) char *path = path_of("");
    json_t *j = NULL;
    const struct state_open o = ours(false);

    write_three(ends);
    must(jsonx_load_file(path, STATE_BYTES_MAX, &j));
    json_object_set_new(j, "suffix", json_string("edited"));
    AUTO(free) char *edited = jsonx_pretty(j);

    must(file_write(path, str_of(edited), 0600));
    assert_open_fails(&o, ERR_CONFIG, "checksum");
    json_object_set_new(j, "format_version", json_integer(STATE_FORMAT + 1));
    AUTO(free) char *newer = jsonx_pretty(j);

    must(file_write(path, str_of(newer), 0600));
    assert_open_fails(&o, ERR_CONFIG, "newer");
    must(file_write(path, STR("{\"a\":"), 0600));
    assert_open_fails(&o, ERR_CONFIG, "not JSON");
    must(file_write(path, STR("[]"), 0600));
    assert_open_fails(&o, ERR_CONFIG, "no state");
    assert_int_equal(unlink(path), 0);
    assert_open_fails(&o, ERR_CONFIG, "journal is there");
    json_decref(j);
}

static void test_state_of_another_stack_is_refused(void **unused)
{
    (void)unused;
    off_t ends[3];
    AUTO(free) char *path = path_of("");

    write_three(ends);
    struct {
        const char *what;
        struct state_owner owner;
    } rows[] = {
        { "stack is 'shop' there and 'other' here",
                { "other", "dev", "", "SUB", "https://cloud", "azure" } },
        { "environment is 'dev' there and '' here",
                { "shop", "", "", "SUB", "https://cloud", "azure" } },
        { "subscription is 'SUB' there and 'SUB2' here",
                { "shop", "dev", "", "SUB2", "https://cloud", "azure" } },
        { "endpoint", { "shop", "dev", "", "SUB", "https://elsewhere", "azure" } },
        { "target is 'azure' there and 'sandbox' here",
                { "shop", "dev", "", "SUB", "https://cloud", "sandbox" } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct state_open o = ours(false);

        o.url = path;
        o.owner = rows[i].owner;
        assert_open_fails(&o, ERR_CONFIG, rows[i].what);
    }
    /* Ids are compared without case; the tenant is learnt once and holds from then on. */
    struct state_open o = ours(true);
    struct state *s = NULL;

    o.owner.subscription = "sub";
    o.owner.tenant = "T1";
    must(state_open(&o, &s));
    must(state_commit(s));
    state_close(s);
    o.owner.tenant = "T2";
    assert_open_fails(&o, ERR_CONFIG, "tenant is 'T1' there and 'T2' here");
    o = (struct state_open){ .url = path }; /* state commands: any owner */
    must(state_open(&o, &s));
    state_close(s);
}

static void test_lock(void **unused)
{
    (void)unused;
    struct state *s = opened(true);
    struct state_open o = ours(true);
    char *who = NULL;

    assert_open_fails(&o, ERR_LOCKED, ", process ");
    o.is_locked = false;
    struct state *reader = NULL;

    must(state_open(&o, &reader)); /* a plan needs no lock */
    state_close(reader);
    must(state_lock_holder(&o, false, &who));
    assert_non_null(strstr(who, "\"user\""));
    free(who);
    must(state_lock_holder(&o, true, &who)); /* force-unlock */
    free(who);
    struct state *other = opened(true);

    state_put_entry(s, ID_A, entry("redis.a", 1));
    assert_fails(state_commit(s), ERR_LOCKED, "taken away");
    state_put_entry(other, ID_A, entry("redis.a", 2));
    must(state_commit(other));
    state_close(s); /* must not take the other's lock with it */
    assert_open_fails(
            &(struct state_open){
                    .stack_dir = folder, .owner = ours(true).owner, .is_locked = true },
            ERR_LOCKED, ", process ");
    state_close(other);
    must(state_lock_holder(&o, false, &who));
    assert_null(who);
}

static void test_ci_wants_a_name(void **unused)
{
    (void)unused;
    struct state_open o = ours(false);

    o.is_named = true;
    assert_open_fails(&o, ERR_USAGE, "CI=true");
    o.url = "carrier-pigeon://x";
    assert_open_fails(&o, ERR_USAGE, "no such kind of state");
}

static void test_commit_needs_the_lock(void **unused)
{
    (void)unused;
    struct state *s = opened(false);

    state_put_entry(s, ID_A, entry("redis.a", 1));
    assert_fails(state_commit(s), ERR_INTERNAL, "without the lock");
    state_close(s);
}

static void test_replace(void **unused)
{
    (void)unused;
    struct state *s = opened(true);

    state_put_entry(s, ID_A, entry("redis.a", 1));
    must(state_commit(s));
    json_t *copy = jsonx_copy(state_document(s));

    state_put_entry(s, ID_A, entry("redis.a", 2));
    must(state_commit(s));
    assert_fails(state_replace(s, jsonx_copy(copy), false), ERR_PROTECT, "is newer");
    must(state_replace(s, jsonx_copy(copy), true));
    assert_int_equal(jsonx_int(state_entry(s, ID_A), "n", 0), 1);
    assert_int_equal(jsonx_int(state_document(s), "serial", 0), 3);
    json_object_set_new(copy, "lineage", json_string("x"));
    json_object_set_new(copy, "serial", json_integer(99));
    assert_fails(state_replace(s, copy, false), ERR_PROTECT, "lineage");
    state_close(s);
}

static void test_id_key(void **unused)
{
    (void)unused;
    static const struct {
        const char *id, *key;
    } rows[] = {
        { "/Subscriptions/A/resourceGroups/B", "/subscriptions/a/resourcegroups/b" },
        { "/a/B//", "/a/b" },
        { "/", "/" },
        { "", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *key = state_id_key(rows[i].id);

        assert_string_equal(key, rows[i].key);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_keeps_what_was_committed),
        IN_FOLDER(test_compaction_empties_the_journal),
        IN_FOLDER(test_journal_cut_at_every_byte),
        IN_FOLDER(test_torn_tail_of_garbage),
        IN_FOLDER(test_damage_before_whole_commits_is_an_error),
        IN_FOLDER(test_compaction_killed_before_the_journal_was_emptied),
        IN_FOLDER(test_edited_newer_or_lost_snapshot),
        IN_FOLDER(test_state_of_another_stack_is_refused),
        IN_FOLDER(test_lock),
        IN_FOLDER(test_ci_wants_a_name),
        IN_FOLDER(test_commit_needs_the_lock),
        IN_FOLDER(test_replace),
        cmocka_unit_test(test_id_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
