/*
 * die.c - a library for LD_PRELOAD that kills the process at its Nth request or write of a file:
 * DIE_AT=N ends it before call N of send, fsync, fdatasync, rename (SIGKILL: nothing is tidied up).
 * DIE_COUNT=FILE writes how many there were to FILE when the process ends by itself.
 * It also makes scrypt cheap: half of a run's time goes into it, and what it yields is no matter
 * here.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static unsigned long calls;

static void count(void)
{
    const char *at = getenv("DIE_AT");

    calls++;
    if (at != NULL && strtoul(at, NULL, 10) == calls)
        kill(getpid(), SIGKILL);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("DIE_COUNT");
    FILE *f = path == NULL ? NULL : fopen(path, "w");

    if (f == NULL)
        return;
    fprintf(f, "%lu\n", calls);
    fclose(f);
}

ssize_t send(int fd, const void *p, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    count();
    return real(fd, p, len, flags);
}

int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

    count();
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

    count();
    return real(fd);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");

    count();
    return real(from, to);
}

int EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt, size_t salt_len,
        uint64_t n, uint64_t r, uint64_t p, uint64_t max_mem, unsigned char *key, size_t key_len)
{
    int (*real)(const char *, size_t, const unsigned char *, size_t, uint64_t, uint64_t, uint64_t,
            uint64_t, unsigned char *, size_t) = dlsym(RTLD_NEXT, "EVP_PBE_scrypt");

    (void)n;
    (void)r;
    (void)p;
    return real(pass, pass_len, salt, salt_len, 2, 1, 1, max_mem, key, key_len);
}
