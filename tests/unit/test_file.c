/* Whole files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test-file-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir) != NULL;
}

static void test_writes_and_reads(void **state)
{
    AUTO(free) char *path = file_join(dir, "a");
    AUTO(buf) struct buf text = BUF_INIT(0);
    struct stat st;

    (void)state;
    assert_null(file_write(path, STR("one"), 0600));
    assert_null(file_write(path, STR("other"), 0640));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_null(file_read(path, 5, &text));
    assert_string_equal(buf_text(&text), "other");
    AUTO(err) struct err *e = file_read(path, 4, &text);

    assert_int_equal(err_kind(e), ERR_LIMIT);
}

/* What a user names may be a device, a pipe or a link: none of them is ever replaced by a file. */
static void test_devices_and_links_stay(void **state)
{
    AUTO(free) char *device = file_join(dir, "device");
    AUTO(free) char *target = file_join(dir, "target");
    AUTO(free) char *link = file_join(dir, "link");
    AUTO(free) char *pipe = file_join(dir, "pipe");
    AUTO(buf) struct buf text = BUF_INIT(0);
    struct stat st;

    (void)state;
    assert_int_equal(symlink("/dev/null", device), 0);
    assert_null(file_write_named(device, STR("x"), 0600));
    assert_int_equal(stat(device, &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    AUTO(err) struct err *e = file_write(device, STR("x"), 0600);

    assert_int_equal(err_kind(e), ERR_PROTECT);
    assert_int_equal(lstat(device, &st), 0);
    assert_true(S_ISLNK(st.st_mode));

    assert_int_equal(mkfifo(pipe, 0600), 0);
    const int reader = open(pipe, O_RDONLY | O_NONBLOCK);
    char got[8] = "";

    assert_null(file_write_named(pipe, STR("piped"), 0600));
    assert_int_equal(read(reader, got, sizeof(got)), 5);
    assert_string_equal(got, "piped");
    close(reader);

    assert_null(file_write(target, STR("old"), 0600));
    assert_int_equal(symlink("target", link), 0);
    assert_null(file_write_named(link, STR("new"), 0600));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_null(file_read(target, 100, &text));
    assert_string_equal(buf_text(&text), "new");
}

static void test_never_overwrites(void **state)
{
    AUTO(free) char *path = file_join(dir, "b");
    AUTO(buf) struct buf text = BUF_INIT(0);

    (void)state;
    assert_null(file_create(path, STR("one"), 0600));
    AUTO(err) struct err *e = file_create(path, STR("two"), 0600);

    assert_int_equal(err_kind(e), ERR_PROTECT);
    assert_null(file_read(path, 100, &text));
    assert_string_equal(buf_text(&text), "one");
}

static struct err *count_names(void *arg, const char *name)
{
    struct buf *all = arg;

    buf_addf(all, "%s ", name);
    return NULL;
}

static void test_leaves_no_temporary_file(void **state)
{
    AUTO(free) char *sub = file_join(dir, "list");
    AUTO(free) char *a = file_join(sub, "a.yaml");
    AUTO(free) char *b = file_join(sub, "b.txt");
    AUTO(free) char *folder = file_join(sub, "folder");
    AUTO(free) char *over_folder = file_join(sub, "folder");
    AUTO(buf) struct buf all = BUF_INIT(1000);
    AUTO(buf) struct buf yaml = BUF_INIT(1000);

    (void)state;
    assert_null(file_make_dir(folder, 0700));
    assert_null(file_write(b, STR("x"), 0600));
    assert_null(file_write(a, STR("x"), 0600));
    AUTO(err) struct err *e = file_write(over_folder, STR("x"), 0600);
    AUTO(err) struct err *there = file_create(a, STR("x"), 0600);

    assert_non_null(e);
    assert_non_null(there);
    assert_null(file_each(sub, NULL, count_names, &all));
    assert_string_equal(buf_text(&all), "a.yaml b.txt folder ");
    assert_null(file_each(sub, ".yaml", count_names, &yaml));
    assert_string_equal(buf_text(&yaml), "a.yaml ");
}

static void test_missing(void **state)
{
    static const char *const rows[] = { "/nowhere/at/all", "/", "/dev/null/x" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf text = BUF_INIT(0);
        AUTO(err) struct err *e = file_read(rows[i], 100, &text);

        assert_non_null(e);
        assert_int_equal(err_kind(e), ERR_NOINPUT);
    }
    assert_false(file_exists("/nowhere/at/all"));
    assert_true(file_is_dir("/"));
}

static void test_folders(void **state)
{
    AUTO(free) char *deep = file_join(dir, "x/y/z");
    AUTO(free) char *top = file_join(dir, "x");
    AUTO(free) char *link_path = file_join(dir, "x/link");
    AUTO(free) char *kept = file_join(dir, "kept");

    (void)state;
    assert_null(file_make_dir(deep, 0700));
    assert_null(file_make_dir(deep, 0700));
    assert_null(file_make_dir(kept, 0700));
    assert_int_equal(symlink(kept, link_path), 0);
    assert_null(file_remove_tree(top));
    assert_null(file_remove_tree(top));
    assert_false(file_exists(top));
    assert_true(file_is_dir(kept)); /* links are not followed */
}

static void test_paths(void **state)
{
    static const struct {
        const char *dir, *name, *want;
    } joins[] = { { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" }, { "a", "/b", "/b" },
        { "/", "b", "/b" } };
    static const struct {
        const char *path, *want;
    } dirs[] = { { "a/b", "a" }, { "a", "." }, { "/a", "/" }, { "a/b/c", "a/b" }, { "", "." } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
        AUTO(free) char *got = file_join(joins[i].dir, joins[i].name);

        assert_string_equal(got, joins[i].want);
    }
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        AUTO(free) char *got = file_dirname(dirs[i].path);

        assert_string_equal(got, dirs[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_and_reads),
        cmocka_unit_test(test_devices_and_links_stay),
        cmocka_unit_test(test_never_overwrites),
        cmocka_unit_test(test_leaves_no_temporary_file),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests_name("file", tests, set_up, tear_down);
}
