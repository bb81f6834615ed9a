#include "base/cancel.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t signal_seen;
static int event_fd = -1;

static void on_signal(int signum)
{
    const int saved = errno;
    const uint64_t one = 1;

    if (signal_seen != 0)
        _exit(128 + signum);
    signal_seen = signum;
    if (event_fd >= 0 && write(event_fd, &one, sizeof(one)) < 0)
        _exit(128 + signum);
    errno = saved;
}

void cancel_install(void)
{
    struct sigaction sa = { .sa_handler = on_signal };

    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}

bool cancel_is_asked(void)
{
    return signal_seen != 0;
}

int cancel_fd(void)
{
    return event_fd;
}

struct err *cancel_check(void)
{
    if (signal_seen == 0)
        return NULL;
    const char *name = sigabbrev_np(signal_seen);

    return err_new(ERR_CANCELED, 128 + signal_seen, "ended by SIG%s", name == NULL ? "" : name);
}
