#include "probe/endpoint.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"

/* These are protocols' own words, with their usual ports (IANA). */
static const struct scheme {
    const char *name;
    const char *probe;
    const char *port_member; /* besides "port" */
    int port;                /* 0: the URL must name one */
    const char *tls;
} schemes[] = {
    { "clickhouse", "clickhouse", "native_port", 9000, "off" },
    { "clickhouses", "clickhouse", "native_port", 9440, "verify" },
    { "clickhouse+http", "clickhouse", "http_port", 8123, "off" },
    { "clickhouse+https", "clickhouse", "http_port", 8443, "verify" },
    { "http", "http", NULL, 80, "off" },
    { "https", "http", NULL, 443, "verify" },
    { "redis", "redis", NULL, 6379, "off" },
    { "rediss", "redis", NULL, 6379, "verify" },
    { "postgres", "postgres", NULL, 5432, "prefer" },
    { "postgresql", "postgres", NULL, 5432, "prefer" },
    { "tls", "tls", NULL, 443, "verify" },
    { "tcp", "tcp", NULL, 0, "off" },
    { "dns", "dns", NULL, 0, NULL },
};

/* HTTP ports that are ClickHouse's alone. */
#define CLICKHOUSE_HTTP 8123
#define CLICKHOUSE_HTTPS 8443

static const struct scheme *find_scheme(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (text_eq(schemes[i].name, name))
            return &schemes[i];
    }
    return NULL;
}

static const struct scheme *scheme_of(const struct uri *u)
{
    const int port = u->host_count > 0 ? u->hosts[0].port : 0;

    if (text_eq(u->scheme, "http") && port == CLICKHOUSE_HTTP)
        return find_scheme("clickhouse+http");
    if (text_eq(u->scheme, "https") && port == CLICKHOUSE_HTTPS)
        return find_scheme("clickhouse+https");
    return find_scheme(u->scheme);
}

/* libpq's sslmode in the words of a target. */
static const char *tls_of_sslmode(const char *mode, const char *otherwise)
{
    static const char *const words[][2] = { { "disable", "off" }, { "allow", "prefer" },
        { "prefer", "prefer" }, { "require", "require" }, { "verify-ca", "verify-ca" },
        { "verify-full", "verify" } };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text_eq(mode, words[i][0]))
            return words[i][1];
    }
    return otherwise;
}

static void set_text(json_t *o, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_object_set_new(o, key, jsonx_textf("%s", text));
}

static json_t *client_of(const struct endpoint_options *o, const char *tls)
{
    json_t *client = jsonx_must(json_object());

    json_object_set_new(client, "cluster", json_boolean(o->is_cluster));
    json_object_set_new(client, "tls", json_boolean(!text_eq(tls, "off")));
    set_text(client, "server_name", o->server_name);
    return client;
}

/* Path and query as written: "/api/health?strict=true". Owned. */
static char *path_of(const struct uri *u)
{
    const struct uri rest = { .scheme = u->scheme,
        .path = u->path,
        .params = u->params,
        .param_count = u->param_count,
        .hosts = u->hosts,
        .host_count = u->host_count };
    AUTO(buf) struct buf text = { .max_bytes = URI_BYTES_MAX, .is_secret = true };

    uri_build(&rest, &text);
    const ptrdiff_t at = str_find(buf_str(&text), STR("?"));

    return xasprintf(
            "%s%s", u->path[0] == '\0' ? "/" : u->path, at < 0 ? "" : buf_text(&text) + at);
}

static json_t *target_of(
        const struct uri *u, const struct scheme *s, const struct endpoint_options *o)
{
    json_t *t = jsonx_must(json_object());
    const int port = u->hosts[0].port != 0 ? u->hosts[0].port : s->port;
    const char *tls = o->tls != NULL ? o->tls : tls_of_sslmode(uri_param(u, "sslmode"), s->tls);
    const struct str rest = str_of(s->name);
    const bool is_http = str_find(rest, STR("http")) >= 0;
    AUTO(free) char *database = uri_database(u);

    set_text(t, "host", u->hosts[0].name);
    if (port != 0)
        json_object_set_new(t, "port", json_integer(port));
    if (s->port_member != NULL)
        json_object_set_new(t, s->port_member, json_integer(port));
    set_text(t, "scheme", is_http ? str_ends(rest, STR("s")) ? "https" : "http" : s->name);
    set_text(t, "user", u->user);
    set_text(t, "tls", tls);
    set_text(t, "ca", o->ca != NULL ? o->ca : uri_param(u, "sslrootcert"));
    set_text(t, "server_name", o->server_name);
    if (text_eq(s->probe, "http")) {
        AUTO(free) char *path = path_of(u);

        set_text(t, "path", path);
    } else {
        set_text(t, "database", database);
    }
    json_object_set_new(
            t, "url_has_userinfo", json_boolean(u->user != NULL || u->password != NULL));
    json_object_set_new(t, "write", json_boolean(o->is_write));
    json_object_set_new(t, "client", client_of(o, tls));
    return t;
}

struct err *endpoint_parse(struct str url, const struct endpoint_options *o, struct endpoint *ret)
{
    AUTO(uri) struct uri u = { 0 };
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);

    struct err *e = uri_parse(url, &u);

    if (e != NULL) { /* it stands on the command line */
        struct err *mine = err_new(ERR_USAGE, 0, "%s", err_text(e));

        err_ignore(e, "it is told as usage");
        return mine;
    }
    const struct scheme *s = scheme_of(&u);

    if (s == NULL)
        return err_new(ERR_USAGE, 0,
                "'%s' is not one of clickhouse, clickhouses, clickhouse+http, http, https, redis, "
                "rediss, postgres, postgresql, tls, tcp, dns",
                u.scheme);
    uri_build_redacted(&u, &shown);
    if (u.host_count == 0 && text_eq(s->name, "dns")) { /* "dns:NAME" has no authority */
        AUTO(free) char *name = uri_database(&u);

        uri_add_host(&u, name, 0);
    }
    if (u.host_count > 1)
        return err_new(ERR_USAGE, 0, "%s names %zu hosts: probe one at a time", buf_text(&shown),
                u.host_count);
    if (u.host_count == 0 || u.hosts[0].name[0] == '\0')
        return err_new(ERR_USAGE, 0, "%s names no host", buf_text(&shown));
    if (u.hosts[0].port == 0 && text_eq(s->name, "tcp"))
        return err_new(ERR_USAGE, 0, "%s:// needs a port", u.scheme);
    *ret = (struct endpoint){ .probe = s->probe,
        .target = target_of(&u, s, o),
        .password = u.password == NULL ? NULL : secret_ref(u.password),
        .shown = buf_take(&shown) };
    return NULL;
}

static bool is_clickhouse(const struct endpoint *e)
{
    return text_eq(e->probe, "clickhouse");
}

/* The port of an HTTP endpoint as ClickHouse's; 0 where it is something else. */
static json_int_t http_port(const struct endpoint *e)
{
    if (text_eq(e->probe, "http"))
        return jsonx_int(e->target, "port", 0);
    return is_clickhouse(e) ? jsonx_int(e->target, "http_port", 0) : 0;
}

static json_int_t native_port(const struct endpoint *e)
{
    return is_clickhouse(e) ? jsonx_int(e->target, "native_port", 0) : 0;
}

bool endpoint_join(struct endpoint *a, const struct endpoint *b)
{
    const json_int_t http = http_port(a) != 0 ? http_port(a) : http_port(b);
    const json_int_t native = native_port(a) != 0 ? native_port(a) : native_port(b);
    const bool is_pair = (http_port(a) != 0) != (http_port(b) != 0)
                         && (native_port(a) != 0) != (native_port(b) != 0);

    if (!is_pair || !text_eq(jsonx_text(a->target, "host"), jsonx_text(b->target, "host"))
            || !text_eq(jsonx_text(a->target, "tls"), jsonx_text(b->target, "tls")))
        return false;
    const char *shown = b->shown;
    char *both = xasprintf("%s %s", a->shown, shown);

    free(a->shown);
    a->shown = both;
    a->probe = "clickhouse";
    json_object_del(a->target, "path");
    json_object_set_new(a->target, "scheme", json_string("clickhouse"));
    json_object_set_new(a->target, "http_port", json_integer(http));
    json_object_set_new(a->target, "native_port", json_integer(native));
    json_object_set_new(a->target, "port", json_integer(native));
    if (json_object_get(a->target, "database") == NULL
            && json_object_get(b->target, "database") != NULL)
        json_object_set(a->target, "database", json_object_get(b->target, "database"));
    if (json_object_get(a->target, "user") == NULL && json_object_get(b->target, "user") != NULL)
        json_object_set(a->target, "user", json_object_get(b->target, "user"));
    if (a->password == NULL && b->password != NULL)
        a->password = secret_ref(b->password);
    return true;
}

void endpoint_release(struct endpoint *e)
{
    json_decref(e->target);
    secret_unref(e->password);
    free(e->shown);
    *e = (struct endpoint){ 0 };
}
