/*
 * deployer-sandbox: a local Azure Resource Manager. Reads its options, writes DIR/sandbox.json when
 * it is ready, serves until it is told to end.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/num.h"
#include "sandbox/auth.h"
#include "sandbox/backend.h"
#include "sandbox/sandbox.h"
#include "sandbox/server.h"

/* Without services nothing listens anywhere. */
#define SETTLE_TIME_MS 60000
#define ADDRESS_MAP "10.0.0.0/8=127.0.0.0/8"

static const char usage[] =
        "Usage: deployer-sandbox --dir DIR [OPTIONS]\n\n"
        "A local Azure Resource Manager on https://127.0.0.1:PORT.\n\n"
        "  --dir DIR             where it keeps everything; made if it is missing\n"
        "  --port P              the port; default: a free one\n"
        "  --latency F           factor on the usual times of resource types; default 0.01;\n"
        "                        0: immediate\n"
        "  --services none|real  whether real services stand behind resources; default real\n"
        "  --faults FILE         a script of failures (docs/sandbox.md)\n"
        "  --images FILE         which commands stand for which container images\n"
        "  --log-level LEVEL     error, warn, info, debug; default info\n";

enum option_id {
    OPT_DIR = 1000,
    OPT_PORT,
    OPT_LATENCY,
    OPT_SERVICES,
    OPT_FAULTS,
    OPT_IMAGES,
    OPT_LOG_LEVEL,
    OPT_HELP
};

static const struct option long_options[] = {
    { "dir", required_argument, NULL, OPT_DIR },
    { "port", required_argument, NULL, OPT_PORT },
    { "latency", required_argument, NULL, OPT_LATENCY },
    { "services", required_argument, NULL, OPT_SERVICES },
    { "faults", required_argument, NULL, OPT_FAULTS },
    { "images", required_argument, NULL, OPT_IMAGES },
    { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static struct err *read_port(const char *text, int *ret)
{
    int64_t port = 0;

    TRY(err_wrap(num_parse_i64(str_of(text), 0, 65535, &port), "--port"));
    *ret = (int)port;
    return NULL;
}

static struct err *read_services(const char *text, bool *ret)
{
    if (!text_eq(text, "none") && !text_eq(text, "real"))
        return err_new(ERR_USAGE, 0, "--services: '%s' is neither none nor real", text);
    *ret = text_eq(text, "real");
    return NULL;
}

static struct err *read_level(const char *text)
{
    enum log_level level = LOG_LEVEL_INFO;

    TRY(log_parse_level(text, &level));
    log_setup(level, LOG_FORMAT_TEXT);
    return NULL;
}

static struct err *read_option(int id, const char *value, struct sandbox_options *o)
{
    switch (id) {
    case OPT_DIR:
        o->dir = value;
        return NULL;
    case OPT_PORT:
        return read_port(value, &o->port);
    case OPT_LATENCY:
        return err_wrap(num_parse_double(str_of(value), 0, 1000, &o->latency), "--latency");
    case OPT_SERVICES:
        return read_services(value, &o->has_services);
    case OPT_FAULTS:
        o->faults_file = value;
        return NULL;
    case OPT_IMAGES:
        o->images_file = value;
        return NULL;
    case OPT_LOG_LEVEL:
        return read_level(value);
    default:
        return err_new(ERR_USAGE, 0, "see deployer-sandbox --help");
    }
}

static struct err *read_options(int argc, char **argv, struct sandbox_options *o, bool *ret_help)
{
    for (;;) {
        const int id = getopt_long(argc, argv, "", long_options, NULL);

        if (id == -1)
            break;
        if (id == OPT_HELP) {
            *ret_help = true;
            return NULL;
        }
        TRY(read_option(id, optarg, o));
    }
    if (o->dir == NULL)
        return err_new(ERR_USAGE, 0, "--dir is needed: see deployer-sandbox --help");
    return NULL;
}

/* DIR/sandbox.json: what a client needs to know. The secret stands in a file of its own. */
static struct err *write_ready(const struct sandbox *s, const struct server *v)
{
    AUTO(free) char *path = file_join(s->o.dir, "sandbox.json");
    AUTO(free) char *ca = file_join(s->o.dir, "ca.pem");
    AUTO(free) char *secret = file_join(s->o.dir, "client-secret");
    AUTO(free) char *certificate = file_join(s->o.dir, "client.pem");
    const char *map = backend_address_map(s->backend);
    json_auto_t *j = jsonx_must(json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s?, s:s}",
            "endpoint", jsonx_textf("https://127.0.0.1:%d", server_port(v)), "ca", ca, "tenant",
            auth_tenant(s->auth), "client_id", auth_client_id(s->auth), "client_secret", secret,
            "client_certificate", certificate, "subscription", auth_subscription(s->auth), "pid",
            (int)getpid(), "dns", backend_dns(s->backend), "address_map",
            map == NULL ? ADDRESS_MAP : map));

    json_object_set_new(j, "services", json_string(s->o.has_services ? "real" : "none"));
    json_object_set_new(j, "latency", json_real(s->o.latency));
    AUTO(free) char *text = jsonx_pretty(j);

    return file_write(path, str_of(text), 0644);
}

/* After a restart: what ran before runs again when clients are told that we are ready. */
static void wait_for_services(struct sandbox *s)
{
    const int64_t deadline_ms = clock_now_ms() + SETTLE_TIME_MS;

    while (!backend_is_settled(s->backend) && clock_left_ms(deadline_ms) > 0
            && !cancel_is_asked()) {
        backend_tick(s->backend, clock_now_ms());
        clock_sleep_ms(20);
    }
}

static struct err *serve(struct sandbox_options *o)
{
    struct sandbox *s = NULL;
    struct server *v = NULL;
    AUTO(free) char *dir = NULL;

    TRY(file_make_dir(o->dir, 0755));
    dir = realpath(o->dir, NULL);
    if (dir == NULL)
        return err_errno(ENOENT, "%s", o->dir);
    o->dir = dir;
    TRY(sandbox_open(o, &s));
    struct err *e = server_open(s, &v);

    if (e == NULL)
        wait_for_services(s);
    if (e == NULL)
        e = write_ready(s, v);
    if (e == NULL) {
        log_info("sandbox.ready", "https://127.0.0.1:%d", server_port(v));
        server_run(v);
    }
    AUTO(free) char *ready = file_join(dir, "sandbox.json");

    if (e == NULL)
        unlink(ready);
    server_close(v);
    sandbox_close(s);
    return e;
}

int main(int argc, char **argv)
{
    struct sandbox_options o = { .latency = 0.01, .has_services = true };
    bool is_help = false;

    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    AUTO(err) struct err *e = read_options(argc, argv, &o, &is_help);

    if (is_help) {
        fputs(usage, stdout);
        return 0;
    }
    cancel_install();
    if (e == NULL)
        e = serve(&o);
    if (e == NULL)
        return 0;
    log_error("sandbox", "%s", err_text(e));
    return err_exit_status(e);
}
