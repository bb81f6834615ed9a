#include "base/late.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define STATUS_NO_LIBRARY 127 /* the dynamic linker's */

NORETURN static void fail(const char *library, const char *name)
{
    const char *why = dlerror();
    AUTO(free)
    char *text = xasprintf("deployer: %s%s%s: %s\n", library, name == NULL ? "" : ": ",
            name == NULL ? "" : name, why == NULL ? "can't be loaded" : why);

    fwrite(text, 1, strlen(text), stderr);
    _exit(STATUS_NO_LIBRARY);
}

void late_load(const char *library, const struct late_function *functions, size_t count)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL)
        fail(library, NULL);
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(handle, functions[i].name);

        if (symbol == NULL)
            fail(library, functions[i].name);
        memcpy(functions[i].to, &symbol, sizeof(symbol)); /* POSIX's way to a function */
    }
}
