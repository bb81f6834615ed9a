/* libpq by its first call (late.h): functions and their parameters are the library's. */
#include "base/late.h"

#include <pthread.h>

#include <libpq-fe.h>

#include "base/compiler.h"

#define FUNCTIONS(X)                                                                               \
    X(PQbackendPID)                                                                                \
    X(PQclear)                                                                                     \
    X(PQconnectPoll)                                                                               \
    X(PQconnectStartParams)                                                                        \
    X(PQconnectdbParams)                                                                           \
    X(PQconsumeInput)                                                                              \
    X(PQerrorMessage)                                                                              \
    X(PQexecPrepared)                                                                              \
    X(PQfinish)                                                                                    \
    X(PQflush)                                                                                     \
    X(PQfname)                                                                                     \
    X(PQftype)                                                                                     \
    X(PQgetResult)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQprepare)                                                                                   \
    X(PQresultErrorField)                                                                          \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultStatus)                                                                              \
    X(PQsendQueryParams)                                                                           \
    X(PQsetErrorVerbosity)                                                                         \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQsetnonblocking)                                                                            \
    X(PQsocket)                                                                                    \
    X(PQsslAttribute)                                                                              \
    X(PQsslInUse)                                                                                  \
    X(PQstatus)

static struct {
    FUNCTIONS(LATE_FIELD)
} api;

static void load(void)
{
    static const struct late_function rows[] = { FUNCTIONS(LATE_ROW) };

    late_load("libpq.so.5", rows, ARRAY_LEN(rows));
}

#define CALL(name) (pthread_once(&once, load), api.name)

static pthread_once_t once = PTHREAD_ONCE_INIT;

int PQbackendPID(const PGconn *c)
{
    return CALL(PQbackendPID)(c);
}

void PQclear(PGresult *r)
{
    CALL(PQclear)(r);
}

PostgresPollingStatusType PQconnectPoll(PGconn *c)
{
    return CALL(PQconnectPoll)(c);
}

PGconn *PQconnectStartParams(const char *const *keys, const char *const *values, int expand)
{
    return CALL(PQconnectStartParams)(keys, values, expand);
}

PGconn *PQconnectdbParams(const char *const *keys, const char *const *values, int expand)
{
    return CALL(PQconnectdbParams)(keys, values, expand);
}

int PQconsumeInput(PGconn *c)
{
    return CALL(PQconsumeInput)(c);
}

char *PQerrorMessage(const PGconn *c)
{
    return CALL(PQerrorMessage)(c);
}

PGresult *PQexecPrepared(PGconn *c, const char *name, int count, const char *const *values,
        const int *lengths, const int *formats, int format)
{
    return CALL(PQexecPrepared)(c, name, count, values, lengths, formats, format);
}

void PQfinish(PGconn *c)
{
    CALL(PQfinish)(c);
}

int PQflush(PGconn *c)
{
    return CALL(PQflush)(c);
}

char *PQfname(const PGresult *r, int column)
{
    return CALL(PQfname)(r, column);
}

Oid PQftype(const PGresult *r, int column)
{
    return CALL(PQftype)(r, column);
}

PGresult *PQgetResult(PGconn *c)
{
    return CALL(PQgetResult)(c);
}

int PQgetisnull(const PGresult *r, int row, int column)
{
    return CALL(PQgetisnull)(r, row, column);
}

char *PQgetvalue(const PGresult *r, int row, int column)
{
    return CALL(PQgetvalue)(r, row, column);
}

int PQisBusy(PGconn *c)
{
    return CALL(PQisBusy)(c);
}

int PQnfields(const PGresult *r)
{
    return CALL(PQnfields)(r);
}

int PQntuples(const PGresult *r)
{
    return CALL(PQntuples)(r);
}

PGresult *PQprepare(PGconn *c, const char *name, const char *query, int count, const Oid *types)
{
    return CALL(PQprepare)(c, name, query, count, types);
}

char *PQresultErrorField(const PGresult *r, int field)
{
    return CALL(PQresultErrorField)(r, field);
}

char *PQresultErrorMessage(const PGresult *r)
{
    return CALL(PQresultErrorMessage)(r);
}

ExecStatusType PQresultStatus(const PGresult *r)
{
    return CALL(PQresultStatus)(r);
}

int PQsendQueryParams(PGconn *c, const char *query, int count, const Oid *types,
        const char *const *values, const int *lengths, const int *formats, int format)
{
    return CALL(PQsendQueryParams)(c, query, count, types, values, lengths, formats, format);
}

PGVerbosity PQsetErrorVerbosity(PGconn *c, PGVerbosity verbosity)
{
    return CALL(PQsetErrorVerbosity)(c, verbosity);
}

PQnoticeProcessor PQsetNoticeProcessor(PGconn *c, PQnoticeProcessor fn, void *arg)
{
    return CALL(PQsetNoticeProcessor)(c, fn, arg);
}

int PQsetnonblocking(PGconn *c, int on)
{
    return CALL(PQsetnonblocking)(c, on);
}

int PQsocket(const PGconn *c)
{
    return CALL(PQsocket)(c);
}

const char *PQsslAttribute(PGconn *c, const char *name)
{
    return CALL(PQsslAttribute)(c, name);
}

int PQsslInUse(PGconn *c)
{
    return CALL(PQsslInUse)(c);
}

ConnStatusType PQstatus(const PGconn *c)
{
    return CALL(PQstatus)(c);
}
