#include "base/uri.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/num.h"

#define PORT_MAX 65535

/* Which parts a character may stand in unescaped, besides letters, digits and -._~ (RFC 3986). */
#define IN_USERINFO "!$&'()*+,;=:"
#define IN_PATH "!$&'()*+,;=:@/"
#define IN_QUERY "!$&'()*+,;=:@/?"

static bool is_postgres(const char *scheme)
{
    return text_eq(scheme, "postgres") || text_eq(scheme, "postgresql");
}

static bool is_unreserved(char ch)
{
    return (unsigned char)ch < 128
           && (isalnum((unsigned char)ch) || (ch != '\0' && strchr("-._~", ch) != NULL));
}

/* Names the first character of `part` that must be escaped there. */
static struct err *check_chars(struct str part, const char *allowed, const char *where)
{
    for (size_t i = 0; i < part.len; i++) {
        const unsigned char ch = (unsigned char)part.p[i];

        if (ch == '%') {
            if (part.len - i < 3 || !isxdigit((unsigned char)part.p[i + 1])
                    || !isxdigit((unsigned char)part.p[i + 2]))
                return err_new(ERR_CONFIG, 0,
                        "URL: a '%%' in the %s is not followed by two hex digits: write it %%25",
                        where);
            if (part.p[i + 1] == '0' && part.p[i + 2] == '0')
                return err_new(ERR_CONFIG, 0, "URL: the %s holds a NUL byte (%%00)", where);
            i += 2;
        } else if (ch == ' ') {
            return err_new(ERR_CONFIG, 0, "URL: a space in the %s must be written %%20", where);
        } else if (ch < 0x20 || ch >= 0x7f) {
            return err_new(ERR_CONFIG, 0, "URL: byte 0x%02x in the %s must be written %%%02X", ch,
                    where, ch);
        } else if (!is_unreserved((char)ch) && strchr(allowed, ch) == NULL) {
            return err_new(
                    ERR_CONFIG, 0, "URL: '%c' in the %s must be written %%%02X", ch, where, ch);
        }
    }
    return NULL;
}

/* Decodes what check_chars let pass. Owned. */
static char *decoded(struct str part)
{
    struct buf out = { .max_bytes = URI_BYTES_MAX, .is_secret = true };

    err_ignore(decode_percent(part, &out), "check_chars has looked at every %");
    return buf_take(&out);
}

static struct err *read_scheme(struct str *rest, struct uri *u)
{
    size_t n = 0;

    while (n < rest->len && (unsigned char)rest->p[n] < 128
            && (isalnum((unsigned char)rest->p[n])
                    || (n > 0 && strchr("+-.", rest->p[n]) != NULL && rest->p[n] != '\0')))
        n++;
    if (n == 0 || n == rest->len || rest->p[n] != ':' || !isalpha((unsigned char)rest->p[0]))
        return err_new(ERR_CONFIG, 0, "URL: there is no scheme: write SCHEME://HOST");
    u->scheme = str_dup(str_slice(*rest, 0, n));
    for (char *p = u->scheme; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    *rest = str_slice(*rest, n + 1, rest->len);
    if (str_starts(*rest, STR("//")))
        *rest = str_slice(*rest, 2, rest->len);
    else if (!text_eq(u->scheme, "dns"))
        return err_new(
                ERR_CONFIG, 0, "URL: there is no '//' behind the scheme: write SCHEME://HOST");
    return NULL;
}

static struct err *read_userinfo(struct str info, struct uri *u)
{
    const bool has_password = memchr(info.p, ':', info.len) != NULL;
    struct str password = info;
    const struct str user = str_cut(&password, ':');

    TRY(check_chars(user, IN_USERINFO, "user name"));
    if (user.len > 0)
        u->user = decoded(user);
    if (!has_password)
        return NULL;
    TRY(check_chars(password, IN_USERINFO, "password"));
    char *clear = decoded(password);

    u->password = secret_new(str_of(clear));
    explicit_bzero(clear, strlen(clear));
    free(clear);
    return NULL;
}

static struct err *read_port(struct str text, int *ret)
{
    int64_t port = 0;
    struct err *e = NULL;

    if (text.len == 0)
        return err_new(ERR_CONFIG, 0, "URL: there is no port behind the ':'");
    e = num_parse_i64(text, 1, PORT_MAX, &port);
    if (e != NULL) {
        err_free(e);
        return err_new(ERR_CONFIG, 0, "URL: the port is not a number from 1 to %d", PORT_MAX);
    }
    *ret = (int)port;
    return NULL;
}

static struct err *read_ipv6(struct str text, struct uri_host *ret)
{
    const ptrdiff_t end = str_find(text, STR("]"));
    struct in6_addr address;

    if (end < 0)
        return err_new(ERR_CONFIG, 0, "URL: the '[' of an IPv6 address is never closed");
    const struct str rest = str_slice(text, (size_t)end + 1, text.len);

    ret->name = str_dup(str_slice(text, 1, (size_t)end));
    ret->is_ipv6 = true;
    if (inet_pton(AF_INET6, ret->name, &address) != 1)
        return err_new(ERR_CONFIG, 0, "URL: what stands in [ ] is no IPv6 address");
    if (rest.len == 0)
        return NULL;
    if (rest.p[0] != ':')
        return err_new(ERR_CONFIG, 0, "URL: there is more behind the ']' of the host");
    return read_port(str_slice(rest, 1, rest.len), &ret->port);
}

static struct err *read_host(struct str text, const char *scheme, struct uri_host *ret)
{
    struct str port = text;

    if (text.len > 0 && text.p[0] == '[')
        return read_ipv6(text, ret);
    const struct str name = str_cut(&port, ':');

    if (port.p != NULL && memchr(port.p, ':', port.len) != NULL)
        return err_new(ERR_CONFIG, 0,
                "URL: the host holds several ':': an IPv6 address is written in [ ]");
    if (!is_postgres(scheme) && memchr(name.p, '%', name.len) != NULL)
        return err_new(ERR_CONFIG, 0, "URL: a host name holds no '%%'");
    TRY(check_chars(name, "", "host name"));
    if (name.len == 0 && !is_postgres(scheme))
        return err_new(ERR_CONFIG, 0, "URL: there is no host");
    ret->name = decoded(name);
    return port.p == NULL ? NULL : read_port(port, &ret->port);
}

static struct err *read_hosts(struct str text, struct uri *u)
{
    struct str rest = text;

    if (memchr(text.p, ',', text.len) != NULL && !is_postgres(u->scheme))
        return err_new(ERR_CONFIG, 0, "URL: several hosts are known for postgresql:// only");
    while (rest.p != NULL) {
        const struct str one = str_cut(&rest, ',');

        if (u->host_count == URI_HOSTS_MAX)
            return err_new(ERR_LIMIT, 0, "URL: more than %u hosts", URI_HOSTS_MAX);
        u->hosts = xrealloc(u->hosts, u->host_count + 1, sizeof(*u->hosts));
        u->hosts[u->host_count] = (struct uri_host){ 0 };
        TRY(read_host(one, u->scheme, &u->hosts[u->host_count++]));
    }
    return NULL;
}

static struct err *read_authority(struct str authority, struct uri *u)
{
    ptrdiff_t at = str_find(authority, STR("@"));

    if (at < 0)
        return read_hosts(authority, u);
    const struct str hosts = str_slice(authority, (size_t)at + 1, authority.len);

    if (memchr(hosts.p, '@', hosts.len) != NULL)
        return err_new(ERR_CONFIG, 0,
                "URL: there are several '@' before the host: in a user name or password write it "
                "%%40");
    TRY(read_userinfo(str_slice(authority, 0, (size_t)at), u));
    return read_hosts(hosts, u);
}

/*
 * The authority ends at the first of / ? #. When that leaves something that can't be a host and an
 * '@' comes later, the character stands in a password and should have been escaped.
 */
static struct err *explain_cut(struct str authority, struct str rest, struct err *e)
{
    const ptrdiff_t at = str_find(rest, STR("@"));

    if (at < 0 || rest.len == 0 || memchr(authority.p, '@', authority.len) != NULL)
        return e;
    err_free(e);
    return err_new(ERR_CONFIG, 0, "URL: '%c' in the password must be written %%%02X", rest.p[0],
            (unsigned)(unsigned char)rest.p[0]);
}

static struct err *read_params(struct str query, struct uri *u)
{
    struct str rest = query;

    TRY(check_chars(query, IN_QUERY, "query"));
    while (rest.p != NULL) {
        struct str value = str_cut(&rest, '&');
        const struct str name = str_cut(&value, '=');

        if (name.len == 0 && value.p == NULL)
            continue; /* "?", "&&" */
        if (u->param_count == URI_PARAMS_MAX)
            return err_new(ERR_LIMIT, 0, "URL: more than %u query parameters", URI_PARAMS_MAX);
        AUTO(free) char *clear_name = decoded(name);
        AUTO(free) char *clear_value = value.p == NULL ? NULL : decoded(value);

        uri_add_param(u, clear_name, clear_value);
    }
    return NULL;
}

static struct err *read_tail(struct str rest, struct uri *u)
{
    const bool has_fragment = memchr(rest.p, '#', rest.len) != NULL;
    struct str fragment = rest;
    const struct str before = str_cut(&fragment, '#');
    struct str query = before;
    const struct str path = str_cut(&query, '?');

    if (has_fragment && !str_starts(str_of(u->scheme), STR("http")))
        return err_new(ERR_CONFIG, 0, "URL: '#' must be written %%23");
    TRY(check_chars(path, IN_PATH, "path"));
    u->path = str_dup(path);
    if (query.p != NULL)
        TRY(read_params(query, u));
    if (has_fragment) {
        TRY(check_chars(fragment, IN_QUERY, "fragment"));
        u->fragment = str_dup(fragment);
    }
    return NULL;
}

static struct err *parse(struct str text, struct uri *u)
{
    struct str rest = text;
    size_t n = 0;

    if (text.len > URI_BYTES_MAX)
        return err_new(ERR_LIMIT, 0, "URL: longer than %u bytes", URI_BYTES_MAX);
    TRY(read_scheme(&rest, u));
    if (rest.p == text.p + strlen(u->scheme) + 1) /* dns:NAME */
        return read_tail(rest, u);
    while (n < rest.len && strchr("/?#", rest.p[n]) == NULL)
        n++;
    const struct str authority = str_slice(rest, 0, n);

    rest = str_slice(rest, n, rest.len);
    struct err *e = read_authority(authority, u);

    if (e != NULL)
        return explain_cut(authority, rest, e);
    return read_tail(rest, u);
}

struct err *uri_parse(struct str text, struct uri *ret)
{
    struct uri u = { 0 };
    struct err *e = parse(text, &u);

    if (e != NULL)
        uri_release(&u);
    else
        *ret = u;
    return e;
}

static void add_query_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr("/:,", *p) != NULL)
            buf_add_char(out, *p);
        else
            encode_percent(out, (struct str){ .p = p, .len = 1 });
    }
}

static bool names_secret(const char *name)
{
    static const char *const words[] = { "pass", "pwd", "secret", "token", "key", "sig",
        "credential", "auth" };
    AUTO(free) char *lower = xstrdup(name);

    for (char *p = lower; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strstr(lower, words[i]) != NULL)
            return true;
    }
    return false;
}

static void build_userinfo(const struct uri *u, bool is_redacted, struct buf *out)
{
    if (u->user != NULL)
        encode_percent(out, str_of(u->user));
    if (u->password != NULL) {
        buf_add_char(out, ':');
        if (is_redacted)
            buf_add_text(out, "(secret)");
        else
            encode_percent(out, secret_reveal(u->password));
    }
    if (u->user != NULL || u->password != NULL)
        buf_add_char(out, '@');
}

static void build_hosts(const struct uri *u, struct buf *out)
{
    for (size_t i = 0; i < u->host_count; i++) {
        const struct uri_host *h = &u->hosts[i];

        if (i > 0)
            buf_add_char(out, ',');
        if (h->is_ipv6)
            buf_addf(out, "[%s]", h->name);
        else
            encode_percent(out, str_of(h->name));
        if (h->port != 0)
            buf_addf(out, ":%d", h->port);
    }
}

static void build(const struct uri *u, bool is_redacted, struct buf *out)
{
    buf_addf(out, "%s:", u->scheme);
    if (u->host_count > 0 || !text_eq(u->scheme, "dns")) {
        buf_add_text(out, "//");
        build_userinfo(u, is_redacted, out);
        build_hosts(u, out);
    }
    buf_add_text(out, u->path);
    for (size_t i = 0; i < u->param_count; i++) {
        const struct uri_param *p = &u->params[i];

        buf_add_char(out, i == 0 ? '?' : '&');
        add_query_text(out, p->name);
        if (p->value == NULL)
            continue;
        buf_add_char(out, '=');
        if (is_redacted && names_secret(p->name))
            buf_add_text(out, "(secret)");
        else
            add_query_text(out, p->value);
    }
    if (u->fragment != NULL)
        buf_addf(out, "#%s", u->fragment);
}

void uri_build(const struct uri *u, struct buf *out)
{
    build(u, false, out);
}

void uri_build_redacted(const struct uri *u, struct buf *out)
{
    build(u, true, out);
}

void uri_redact(struct str text, struct buf *out)
{
    AUTO(uri) struct uri u = { 0 };
    struct err *e = uri_parse(text, &u);

    if (e == NULL)
        uri_build_redacted(&u, out);
    else
        buf_add_text(out, "(not a valid URL)");
    err_ignore(e, "only the display is asked for");
}

const char *uri_param(const struct uri *u, const char *name)
{
    for (size_t i = 0; i < u->param_count; i++) {
        if (text_eq(u->params[i].name, name))
            return u->params[i].value == NULL ? "" : u->params[i].value;
    }
    return NULL;
}

char *uri_database(const struct uri *u)
{
    const struct str path = str_of(u->path);

    return decoded(str_starts(path, STR("/")) ? str_slice(path, 1, path.len) : path);
}

void uri_set_database(struct uri *u, const char *name)
{
    struct buf path = BUF_INIT(URI_BYTES_MAX);

    buf_add_char(&path, '/');
    encode_percent(&path, str_of(name));
    free(u->path);
    u->path = buf_take(&path);
}

void uri_add_host(struct uri *u, const char *name, int port)
{
    struct in6_addr address;

    u->hosts = xrealloc(u->hosts, u->host_count + 1, sizeof(*u->hosts));
    u->hosts[u->host_count++] = (struct uri_host){
        .name = xstrdup(name), .port = port, .is_ipv6 = inet_pton(AF_INET6, name, &address) == 1
    };
}

void uri_add_param(struct uri *u, const char *name, const char *value)
{
    u->params = xrealloc(u->params, u->param_count + 1, sizeof(*u->params));
    u->params[u->param_count++] =
            (struct uri_param){ .name = xstrdup(name), .value = xstrdup(value) };
}

void uri_release(struct uri *u)
{
    for (size_t i = 0; i < u->host_count; i++)
        free(u->hosts[i].name);
    for (size_t i = 0; i < u->param_count; i++) {
        if (u->params[i].value != NULL)
            explicit_bzero(u->params[i].value, strlen(u->params[i].value));
        free(u->params[i].value);
        free(u->params[i].name);
    }
    secret_unref(u->password);
    free(u->scheme);
    free(u->user);
    free(u->hosts);
    free(u->path);
    free(u->params);
    free(u->fragment);
    *u = (struct uri){ 0 };
}
