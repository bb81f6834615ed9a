/* URLs taken apart and put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/uri.h"

/* All parts in one text: "scheme|user|password|host:port,...|path|name=value&...|fragment". */
static char *parts(const struct uri *u)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&out, "%s|%s|", u->scheme, u->user == NULL ? "-" : u->user);
    if (u->password == NULL)
        buf_add_char(&out, '-');
    else
        buf_add_str(&out, secret_reveal(u->password));
    buf_add_char(&out, '|');
    for (size_t i = 0; i < u->host_count; i++)
        buf_addf(&out, "%s%s:%d", i == 0 ? "" : ",", u->hosts[i].name, u->hosts[i].port);
    buf_addf(&out, "|%s|", u->path);
    for (size_t i = 0; i < u->param_count; i++)
        buf_addf(&out, "%s%s=%s", i == 0 ? "" : "&", u->params[i].name,
                u->params[i].value == NULL ? "-" : u->params[i].value);
    buf_addf(&out, "|%s", u->fragment == NULL ? "-" : u->fragment);
    return buf_take(&out);
}

static void test_parses_and_builds(void **state)
{
    static const struct {
        const char *text;
        const char *want;
        const char *built; /* NULL: as the text */
    } rows[] = {
        { "postgresql://u:p@h:5432/db", "postgresql|u|p|h:5432|/db||-", NULL },
        { "postgres://u:a%40b%3A%2F%3F%23%25@h/db", "postgres|u|a@b:/?#%|h:0|/db||-", NULL },
        { "postgres://u:a:b@h/db", "postgres|u|a:b|h:0|/db||-", "postgres://u:a%3Ab@h/db" },
        { "postgresql://h1:1,h2,[::1]:3/db?sslmode=require&target_session_attrs=read-write",
                "postgresql|-|-|h1:1,h2:0,::1:3|/db|sslmode=require&target_session_attrs="
                "read-write|-",
                NULL },
        { "postgresql:///db?host=/run/pg", "postgresql|-|-|:0|/db|host=/run/pg|-", NULL },
        { "postgresql://%2Frun%2Fpg/db", "postgresql|-|-|/run/pg:0|/db||-", NULL },
        { "redis://:pw@h:6379/0", "redis|-|pw|h:6379|/0||-", NULL },
        { "rediss://default:@h:10000", "rediss|default||h:10000|||-", NULL },
        { "clickhouse://h:9000/default?secure=true", "clickhouse|-|-|h:9000|/default|secure=true|-",
                NULL },
        { "HTTP://H.example:8123/?a&b=&c=d%20e#f", "http|-|-|H.example:8123|/|a=-&b=&c=d e|f",
                "http://H.example:8123/?a&b=&c=d%20e#f" },
        { "https://h?x=1+1", "https|-|-|h:0||x=1+1|-", "https://h?x=1%2B1" },
        { "amqps://u@h:5671/%2Fvhost", "amqps|u|-|h:5671|/%2Fvhost||-", NULL },
        { "tls://[2001:db8::1]:443", "tls|-|-|2001:db8::1:443|||-", NULL },
        { "tcp://under_score-1.x:1", "tcp|-|-|under_score-1.x:1|||-", NULL },
        { "dns:name.example", "dns|-|-||name.example||-", NULL },
        { "dns://127.0.0.1:53/name?type=A", "dns|-|-|127.0.0.1:53|/name|type=A|-", NULL },
        { "redis://@h", "redis|-|-|h:0|||-", "redis://h" },
        { "tcp://h:65535", "tcp|-|-|h:65535|||-", NULL },
        { "http://h?", "http|-|-|h:0|||-", "http://h" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(uri) struct uri u = { 0 };
        AUTO(buf) struct buf built = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
        struct err *e = uri_parse(str_of(rows[i].text), &u);

        if (e != NULL)
            fail_msg("%s: %s", rows[i].text, err_text(e));
        AUTO(free) char *got = parts(&u);

        assert_string_equal(got, rows[i].want);
        uri_build(&u, &built);
        assert_string_equal(buf_text(&built), rows[i].built == NULL ? rows[i].text : rows[i].built);
    }
}

static void test_refuses(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "URL: there is no scheme: write SCHEME://HOST" },
        { "://h", "URL: there is no scheme: write SCHEME://HOST" },
        { "1http://h", "URL: there is no scheme: write SCHEME://HOST" },
        { "localhost:6379", "URL: there is no '//' behind the scheme: write SCHEME://HOST" },
        { "http:/h", "URL: there is no '//' behind the scheme: write SCHEME://HOST" },
        { "http://", "URL: there is no host" },
        { "http:///p", "URL: there is no host" },
        { "http://u@/p", "URL: there is no host" },
        { "redis://u:p@ss@h",
                "URL: there are several '@' before the host: in a user name or password write it "
                "%40" },
        { "postgres://u:p/ss@h/db", "URL: '/' in the password must be written %2F" },
        { "postgres://u:p?ss@h/db", "URL: '?' in the password must be written %3F" },
        { "postgres://u:p#ss@h/db", "URL: '#' in the password must be written %23" },
        { "postgres://u:p%ss@h/db",
                "URL: a '%' in the password is not followed by two hex digits: write it %25" },
        { "postgres://u:p%4@h/db",
                "URL: a '%' in the password is not followed by two hex digits: write it %25" },
        { "postgres://u:p ss@h/db", "URL: a space in the password must be written %20" },
        { "postgres://u:p[ss@h/db", "URL: '[' in the password must be written %5B" },
        { "postgres://u:p\xc3\xa4@h/db", "URL: byte 0xc3 in the password must be written %C3" },
        { "postgres://u\n:p@h/db", "URL: byte 0x0a in the user name must be written %0A" },
        { "postgres://u:p%00@h/db", "URL: the password holds a NUL byte (%00)" },
        { "http://h:/", "URL: there is no port behind the ':'" },
        { "http://h:0/", "URL: the port is not a number from 1 to 65535" },
        { "http://h:65536/", "URL: the port is not a number from 1 to 65535" },
        { "http://h:8x/", "URL: the port is not a number from 1 to 65535" },
        { "http://::1/", "URL: the host holds several ':': an IPv6 address is written in [ ]" },
        { "http://[::1/", "URL: the '[' of an IPv6 address is never closed" },
        { "http://[::g]/", "URL: what stands in [ ] is no IPv6 address" },
        { "http://[::1]x", "URL: there is more behind the ']' of the host" },
        { "http://a,b/", "URL: several hosts are known for postgresql:// only" },
        { "http://a*b/", "URL: '*' in the host name must be written %2A" },
        { "http://a%20b/", "URL: a host name holds no '%'" },
        { "http://h/a b", "URL: a space in the path must be written %20" },
        { "http://h/a?b=<", "URL: '<' in the query must be written %3C" },
        { "redis://h/0#x", "URL: '#' must be written %23" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(uri) struct uri u = { 0 };
        AUTO(err) struct err *e = uri_parse(str_of(rows[i].text), &u);

        if (e == NULL)
            fail_msg("%s was taken", rows[i].text);
        assert_string_equal(err_text(e), rows[i].want);
        assert_int_equal(err_kind(e), ERR_CONFIG);
    }
}

static void test_limits(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(uri) struct uri u = { 0 };

    (void)state;
    buf_add_text(&text, "http://h/");
    while (text.len < URI_BYTES_MAX)
        buf_add_char(&text, 'a');
    assert_null(uri_parse(buf_str(&text), &u));
    buf_add_char(&text, 'a');
    AUTO(uri) struct uri longer = { 0 };
    AUTO(err) struct err *e = uri_parse(buf_str(&text), &longer);

    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_LIMIT);
}

static void test_redacts(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "postgresql://u:hunter2@h/db?sslmode=require",
                "postgresql://u:(secret)@h/db?sslmode=require" },
        { "postgresql://h/db?user=u&password=hunter2",
                "postgresql://h/db?user=u&password=(secret)" },
        { "https://a.blob.x/c?sv=1&sig=abc%3D", "https://a.blob.x/c?sv=1&sig=(secret)" },
        { "redis://:hunter2@h", "redis://:(secret)@h" },
        { "redis://:hunter@2@h", "(not a valid URL)" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

        uri_redact(str_of(rows[i].text), &out);
        assert_string_equal(buf_text(&out), rows[i].want);
    }
}

static void test_every_byte_comes_back(void **state)
{
    char password[256] = "";
    AUTO(uri) struct uri u = { .scheme = xstrdup("postgresql"), .user = xstrdup("a@b") };
    AUTO(uri) struct uri back = { 0 };
    AUTO(buf) struct buf text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };

    (void)state;
    for (int i = 1; i < 256; i++)
        password[i - 1] = (char)(unsigned char)i;
    u.password = secret_new(str_of(password));
    uri_add_host(&u, "::1", 5432);
    uri_set_database(&u, "a/b c?#%");
    uri_add_param(&u, "o=&", "-c x=y&z");
    uri_build(&u, &text);
    assert_null(uri_parse(buf_str(&text), &back));
    assert_true(secret_equal(back.password, u.password));
    assert_string_equal(back.user, "a@b");
    assert_true(back.hosts[0].is_ipv6);
    assert_string_equal(uri_param(&back, "o=&"), "-c x=y&z");
    assert_null(uri_param(&back, "o"));
    AUTO(free) char *database = uri_database(&back);

    assert_string_equal(database, "a/b c?#%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses_and_builds),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_redacts),
        cmocka_unit_test(test_every_byte_comes_back),
    };

    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
