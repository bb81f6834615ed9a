#include "probe/hello.h"

#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/ch_native.h"

#define ANSWER_MS 2000

/* Each first message makes its own kind of server answer, if only with an error. */
static const struct opening {
    const char *protocol;
    const char *bytes;
    size_t len;
} openings[] = {
    { "http", "GET / HTTP/1.0\r\n\r\n", 18 }, { "redis", "*1\r\n$4\r\nPING\r\n", 14 },
    { "postgres", "\0\0\0\x08\x04\xd2\x16\x2f", 8 },
    /* A ClientHello without ciphers or extensions: any TLS server answers with an alert. */
    { "tls",
            "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
            "deployer deployer deployer depl\x21\x00\x00\x04\x13\x01\x13\x02\x01\x00",
            52 },
    { "clickhouse", NULL, 0 }, /* made by ch_add_hello */
};

struct attempt {
    int fd;
    bool is_over; /* answered, closed or failed */
};

static int open_with(const struct opening *o, const struct net_address *address, int64_t until_ms)
{
    AUTO(buf) struct buf hello = BUF_INIT(BUF_TEXT_MAX);
    struct str bytes = { .p = o->bytes, .len = o->len };
    const int fd = net_connect_quietly(address, until_ms);

    if (o->bytes == NULL) {
        ch_add_hello(&hello, STR("default"), STR("default"), STR(""));
        bytes = buf_str(&hello);
    }
    if (fd >= 0)
        net_send(fd, bytes, until_ms);
    return fd;
}

/* The first that gets a byte names the protocol. False: none did. */
static bool wait_for_answer(const struct probe_job *job, json_t *evidence,
        struct attempt attempts[ARRAY_LEN(openings)], int64_t until_ms)
{
    while (clock_left_ms(until_ms) > 0) {
        struct pollfd fds[ARRAY_LEN(openings) + 1];
        size_t open = 0;

        for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
            fds[i] = (struct pollfd){ .fd = attempts[i].is_over ? -1 : attempts[i].fd,
                .events = POLLIN };
            open += fds[i].fd >= 0;
        }
        fds[ARRAY_LEN(openings)] = (struct pollfd){ .fd = cancel_fd(), .events = POLLIN };
        if (open == 0 || poll(fds, ARRAY_LEN(fds), (int)clock_left_ms(until_ms)) <= 0
                || cancel_is_asked())
            return false;
        for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
            char bytes[256];

            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            const ssize_t n = net_recv(fds[i].fd, bytes, sizeof(bytes), until_ms);

            attempts[i].is_over = true;
            if (n <= 0)
                continue;
            probe_fact(evidence, "tcp.answers_to", jsonx_must(json_string(openings[i].protocol)));
            probe_fact_text(
                    job, evidence, "tcp.first_bytes", (struct str){ .p = bytes, .len = (size_t)n });
            return true;
        }
    }
    return false;
}

void hello_try_all(const struct probe_job *job, json_t *evidence, const struct net_address *address)
{
    const int64_t own_ms = clock_now_ms() + ANSWER_MS;
    const int64_t until_ms = own_ms < job->deadline_ms ? own_ms : job->deadline_ms;
    struct attempt attempts[ARRAY_LEN(openings)];
    bool is_closed = false;

    probe_step(evidence, "hello");
    for (size_t i = 0; i < ARRAY_LEN(openings); i++)
        attempts[i] = (struct attempt){ .fd = open_with(&openings[i], address, until_ms) };
    const bool is_answered = wait_for_answer(job, evidence, attempts, until_ms);

    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        is_closed = is_closed || attempts[i].is_over;
        if (attempts[i].fd >= 0)
            close(attempts[i].fd);
    }
    /* One that hangs up on what it doesn't know is alive, whatever it is. */
    if (is_answered || is_closed)
        return;
    probe_fact(evidence, "tcp.silent", json_true());
    probe_failed(job, evidence, "timeout", STR("no answer to the first message of any protocol"));
}
