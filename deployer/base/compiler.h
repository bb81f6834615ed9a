/*
 * compiler.h - the attributes and small macros that every file may use.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))

/* Frees an owning local when its scope ends: AUTO(err) struct err *e = NULL; */
#define AUTO(kind) __attribute__((cleanup(auto_##kind)))

/* Hands the value of an owning local over: the local is NULL afterwards. */
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Leaves the function with the error of a failed call. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        struct err *try_err_ = (call);                                                             \
        if (try_err_ != NULL)                                                                      \
            return try_err_;                                                                       \
    } while (0)

#endif
