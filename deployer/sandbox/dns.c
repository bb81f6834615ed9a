#include "sandbox/dns.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/netmap.h"
#include "sandbox/process.h"
#include "sandbox/service.h"
#include "sandbox/task.h"

#define CONFIG_MAX (4u << 20)
#define START_TIME_MS 10000
#define ASK_PERIOD_MS 50

enum phase { PHASE_IDLE, PHASE_WAIT, PHASE_RUN, PHASE_STOP, PHASE_DEAD };

struct dns {
    char *dir;
    char *program; /* NULL: not installed */
    char *address;
    int port;
    struct buf config; /* what runs, or is being started */
    enum phase phase;
    uint64_t seen_generation;
    struct process *process;
    int ask_fd;
    int64_t deadline_ms, next_ms;
    char *problem;
};

struct err *dns_open(struct backend *b, struct dns **ret)
{
    static const char *const names[] = { "dnsmasq", NULL };
    struct dns *d = xcalloc(1, sizeof(*d));

    d->dir = file_join(b->dir, "dns");
    d->program = process_find_program(names);
    d->config = (struct buf)BUF_INIT(CONFIG_MAX);
    d->ask_fd = -1;
    struct err *e = netmap_free_port(&d->port);

    if (e == NULL)
        e = file_make_dir(d->dir, 0755);
    if (e != NULL) {
        dns_close(d);
        return e;
    }
    d->address = xasprintf("127.0.0.1:%d", d->port);
    *ret = d;
    return NULL;
}

void dns_close(struct dns *d)
{
    if (d == NULL)
        return;
    process_free(d->process);
    if (d->ask_fd >= 0)
        close(d->ask_fd);
    buf_release(&d->config);
    free(d->dir);
    free(d->program);
    free(d->address);
    free(d->problem);
    free(d);
}

const char *dns_address(const struct dns *d)
{
    return d->address;
}

static void make_config(struct backend *b, const struct dns *d, struct buf *out)
{
    buf_addf(out,
            "no-resolv\nno-hosts\nno-poll\nno-negcache\nkeep-in-foreground\nbind-interfaces\n"
            "listen-address=127.0.0.1\nport=%d\nlocal-ttl=5\npid-file=\nlog-facility=-\n",
            d->port);
    dns_add_records(b, out);
}

static struct err *start(struct backend *b, struct dns *d)
{
    AUTO(free) char *config = file_join(d->dir, "dnsmasq.conf");
    AUTO(free) char *log = file_join(d->dir, "dnsmasq.log");
    AUTO(free) char *option = xasprintf("--conf-file=%s", config);
    const char *const argv[] = { d->program, option, NULL };
    char **env = task_environment(NULL, NULL, d->dir);
    const struct process_spec spec = {
        .argv = argv,
        .env = (const char *const *)env,
        .log_path = log,
        .kill_after_ms = 1000,
    };
    struct err *e = d->program == NULL ? err_new(ERR_NOINPUT, 0, "dnsmasq is not installed") : NULL;

    if (e == NULL)
        e = file_write(config, buf_str(&d->config), 0644);
    if (e == NULL)
        e = process_start(b->supervisor, &spec, &d->process);
    task_free_texts(env);
    return e;
}

/* Any answer will do: a question for the root's name servers. */
static bool answers(struct dns *d)
{
    static const unsigned char question[] = { 0x5a, 0x5a, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0,
        1 };
    struct sockaddr_in name = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)d->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    unsigned char reply[512];

    if (d->ask_fd < 0) {
        d->ask_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (d->ask_fd < 0 || connect(d->ask_fd, (const struct sockaddr *)&name, sizeof(name)) != 0)
            return false;
    }
    if (recv(d->ask_fd, reply, sizeof(reply), 0) > 2)
        return true;
    if (clock_now_ms() >= d->next_ms && send(d->ask_fd, question, sizeof(question), 0) > 0)
        d->next_ms = clock_now_ms() + ASK_PERIOD_MS;
    return false;
}

static void end_asking(struct dns *d)
{
    if (d->ask_fd >= 0)
        close(d->ask_fd);
    d->ask_fd = -1;
}

static bool is_dns(const struct entry *e)
{
    return e->driver == &driver_dns_zone || e->driver == &driver_dns_a
           || e->driver == &driver_dns_link || e->driver == &driver_dns_group;
}

static void settle(struct backend *b, const struct dns *d)
{
    for (struct entry *e = b->entries; e != NULL; e = e->next) {
        if (!is_dns(e) || e->state != BACKEND_PENDING)
            continue;
        if (d->phase == PHASE_DEAD)
            backend_set_failed(e, "SandboxServiceFailed", "dns: %s", d->problem);
        else
            backend_set_ready(e);
    }
}

static void die(struct backend *b, struct dns *d, const char *problem)
{
    AUTO(free) char *log = file_join(d->dir, "dnsmasq.log");
    AUTO(free) char *tail = task_log_tail(log);

    free(d->problem);
    d->problem = xasprintf("%s %s", problem, tail);
    process_free(d->process);
    d->process = NULL;
    end_asking(d);
    d->phase = PHASE_DEAD;
    settle(b, d);
}

static void begin(struct backend *b, struct dns *d)
{
    struct err *e = start(b, d);

    if (e != NULL)
        die(b, d, err_text(e));
    else
        d->phase = PHASE_WAIT;
    err_free(e);
    d->deadline_ms = clock_now_ms() + START_TIME_MS;
    d->next_ms = 0;
}

/* Azure's public DNS names a service also where no zone does. */
static bool has_names(const struct backend *b)
{
    struct service_endpoint own;

    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (is_dns(e) || service_own_endpoint(e, &own))
            return true;
    return false;
}

/* Whether other records are wanted than those that are served. */
static bool refresh(struct backend *b, struct dns *d)
{
    AUTO(buf) struct buf wanted = BUF_INIT(CONFIG_MAX);

    make_config(b, d, &wanted);
    if (str_eq(buf_str(&wanted), buf_str(&d->config)))
        return false;
    buf_clear(&d->config);
    buf_add_str(&d->config, buf_str(&wanted));
    return true;
}

static void run(struct backend *b, struct dns *d)
{
    if (!process_is_running(d->process)) {
        die(b, d, "dnsmasq ended:");
        return;
    }
    if (has_names(b) && !refresh(b, d)) {
        settle(b, d);
        return;
    }
    process_stop(d->process);
    d->phase = PHASE_STOP;
}

void dns_tick(struct backend *b)
{
    struct dns *d = b->dns;

    switch (d->phase) {
    case PHASE_IDLE:
    case PHASE_DEAD:
        if (has_names(b) && b->generation != d->seen_generation) {
            refresh(b, d);
            begin(b, d);
        }
        d->seen_generation = b->generation;
        break;
    case PHASE_WAIT:
        if (!process_is_running(d->process)) {
            die(b, d, "dnsmasq ended:");
        } else if (answers(d)) {
            end_asking(d);
            d->phase = PHASE_RUN;
        } else if (clock_now_ms() >= d->deadline_ms) {
            die(b, d, "dnsmasq does not answer:");
        }
        break;
    case PHASE_RUN:
        run(b, d);
        break;
    case PHASE_STOP:
        if (process_is_running(d->process))
            break;
        process_free(d->process);
        d->process = NULL;
        d->phase = PHASE_IDLE;
        if (has_names(b))
            begin(b, d);
        break;
    }
}

void dns_report(const struct dns *d, json_t *list)
{
    static const char *const words[] = { "idle", "starting", "running", "stopping", "failed" };

    if (d->phase == PHASE_IDLE)
        return;
    json_t *row = jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s}", "resource", "", "service",
            "dns", "address", d->address, "mapped", d->address, "state", words[d->phase]));

    if (process_is_running(d->process))
        json_object_set_new(row, "pid", json_integer(process_pid(d->process)));
    json_array_append_new(list, row);
}

static void put(struct backend *b, struct entry *e)
{
    backend_set_ready(e);
    if (b->has_services)
        backend_set_pending(e);
}

const struct driver driver_dns_zone = { .type = "microsoft.network/privatednszones", .put = put };
const struct driver driver_dns_a = { .type = "microsoft.network/privatednszones/a", .put = put };
const struct driver driver_dns_link = {
    .type = "microsoft.network/privatednszones/virtualnetworklinks", .put = put
};
const struct driver driver_dns_group = {
    .type = "microsoft.network/privateendpoints/privatednszonegroups", .put = put
};
