#include "sandbox/netmap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/address_map.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"

#define SLOTS 16u
/* 127.255.(16 * slot + i).(1..254), i < 15 */
#define OWN_ADDRESSES (15u * 254u)
/* What is added to a port that an ordinary user may not listen on: 443 -> 10443. */
#define PORT_SHIFT 10000

/* Privileged ports that services behind resources listen on. */
static const int web_ports[] = { 80, 443 };

struct netmap {
    unsigned slot;
    int lock_fd;
    char *rules;
    struct address_map map;
    bool is_taken[OWN_ADDRESSES];
    size_t next;
};

/* A name in the abstract namespace is as wide as the loopback network and goes with its owner. */
static int lock_slot(unsigned slot)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    const int len = snprintf(
            name.sun_path + 1, sizeof(name.sun_path) - 1, "deployer-sandbox-slot-%u", slot);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&name,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len))
            == 0)
        return fd;
    close(fd);
    return -1;
}

static char *rules_of(unsigned slot)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (slot == 0)
        buf_add_text(&text, "10.0.0.0/8=127.0.0.0/8");
    for (unsigned i = 0; slot != 0 && i < SLOTS; i++)
        buf_addf(&text, "%s10.%u.0.0/12=127.%u.0.0/12", i == 0 ? "" : ",", i * 16, (i ^ slot) * 16);
    for (size_t i = 0; i < ARRAY_LEN(web_ports); i++) {
        int other = 0;

        if (!netmap_may_listen(web_ports[i], &other))
            buf_addf(&text, ",:%d=:%d", web_ports[i], other);
    }
    return buf_take(&text);
}

struct err *netmap_open(struct netmap **ret)
{
    int fd = -1;
    unsigned slot = 0;

    for (; slot < SLOTS && fd < 0; slot += fd < 0 ? 1 : 0)
        fd = lock_slot(slot);
    if (fd < 0)
        return err_new(ERR_LIMIT, 0, "%u sandboxes run on this machine already", SLOTS);
    struct netmap *m = xcalloc(1, sizeof(*m));

    m->slot = slot;
    m->lock_fd = fd;
    m->rules = rules_of(slot);
    struct err *e = address_map_parse(&m->map, str_of(m->rules));

    if (e != NULL) {
        netmap_close(m);
        return e;
    }
    *ret = m;
    return NULL;
}

void netmap_close(struct netmap *m)
{
    if (m == NULL)
        return;
    close(m->lock_fd);
    free(m->rules);
    free(m);
}

const char *netmap_rules(const struct netmap *m)
{
    return m->rules;
}

char *netmap_apply(const struct netmap *m, const char *address)
{
    struct in_addr in;
    char text[INET_ADDRSTRLEN];

    if (address == NULL || inet_pton(AF_INET, address, &in) != 1)
        return NULL;
    if (address_map_apply(&m->map, in, &in))
        inet_ntop(AF_INET, &in, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%s", address);
    return xstrdup(text);
}

static bool is_free(const char *address, int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    const bool bound = bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;

    close(fd);
    return bound;
}

static void own_address(const struct netmap *m, size_t n, char ret[INET_ADDRSTRLEN])
{
    snprintf(ret, INET_ADDRSTRLEN, "127.255.%u.%u", m->slot * 16 + (unsigned)(n / 254),
            (unsigned)(n % 254) + 1);
}

struct err *netmap_take(struct netmap *m, int port, char **ret)
{
    for (size_t i = 0; i < OWN_ADDRESSES; i++) {
        const size_t n = (m->next + i) % OWN_ADDRESSES;
        char address[INET_ADDRSTRLEN];

        own_address(m, n, address);
        if (m->is_taken[n] || !is_free(address, port))
            continue;
        m->is_taken[n] = true;
        m->next = n + 1;
        *ret = xstrdup(address);
        return NULL;
    }
    return err_new(ERR_LIMIT, 0, "no free address for port %d in 127.255.0.0/16", port);
}

void netmap_give_back(struct netmap *m, const char *address)
{
    for (size_t n = 0; address != NULL && n < OWN_ADDRESSES; n++) {
        char own[INET_ADDRSTRLEN];

        own_address(m, n, own);
        if (text_eq(own, address))
            m->is_taken[n] = false;
    }
}

struct err *netmap_free_port(int *ret)
{
    for (int attempt = 0; attempt < 20; attempt++) {
        struct sockaddr_in name = { .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(name);
        const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const bool ok = tcp >= 0 && udp >= 0 && bind(tcp, (const struct sockaddr *)&name, len) == 0
                        && getsockname(tcp, (struct sockaddr *)&name, &len) == 0
                        && bind(udp, (const struct sockaddr *)&name, len) == 0;

        if (tcp >= 0)
            close(tcp);
        if (udp >= 0)
            close(udp);
        if (!ok)
            continue;
        *ret = ntohs(name.sin_port);
        return NULL;
    }
    return err_new(ERR_LIMIT, 0, "no free port on 127.0.0.1");
}

static int64_t first_open_port(void)
{
    AUTO(buf) struct buf text = BUF_INIT(64);
    int64_t port = 1024;

    if (geteuid() == 0)
        return 0;
    err_ignore(file_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 32, &text),
            "then it is the usual 1024");
    err_ignore(num_parse_i64(str_trim(buf_str(&text)), 0, 65535, &port), "as above");
    return port;
}

bool netmap_may_listen(int port, int *ret_other)
{
    const bool may = port >= first_open_port();

    *ret_other = may ? port : port + PORT_SHIFT;
    return may;
}
