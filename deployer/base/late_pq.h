/* late_pq.h - <libpq-fe.h>, loaded late (late.c). */
#ifndef BASE_LATE_PQ_H
#define BASE_LATE_PQ_H

#include <libpq-fe.h>

#ifdef LATE
/* clang-format off */
#define LATE_PQ(X) \
    X(backendPID) \
    X(clear) \
    X(connectPoll) \
    X(connectStartParams) \
    X(connectdbParams) \
    X(consumeInput) \
    X(errorMessage) \
    X(execPrepared) \
    X(finish) \
    X(flush) \
    X(fname) \
    X(ftype) \
    X(getResult) \
    X(getisnull) \
    X(getvalue) \
    X(isBusy) \
    X(nfields) \
    X(ntuples) \
    X(prepare) \
    X(resultErrorField) \
    X(resultErrorMessage) \
    X(resultStatus) \
    X(sendQueryParams) \
    X(setErrorVerbosity) \
    X(setNoticeProcessor) \
    X(setnonblocking) \
    X(socket) \
    X(sslAttribute) \
    X(sslInUse) \
    X(status)
/* clang-format on */

#define LATE_PQ_FIELD(name) __typeof__(&PQ##name) name;

struct late_pq {
    LATE_PQ(LATE_PQ_FIELD)
};

const struct late_pq *late_pq(void);

#define PQbackendPID (late_pq()->backendPID)
#define PQclear (late_pq()->clear)
#define PQconnectPoll (late_pq()->connectPoll)
#define PQconnectStartParams (late_pq()->connectStartParams)
#define PQconnectdbParams (late_pq()->connectdbParams)
#define PQconsumeInput (late_pq()->consumeInput)
#define PQerrorMessage (late_pq()->errorMessage)
#define PQexecPrepared (late_pq()->execPrepared)
#define PQfinish (late_pq()->finish)
#define PQflush (late_pq()->flush)
#define PQfname (late_pq()->fname)
#define PQftype (late_pq()->ftype)
#define PQgetResult (late_pq()->getResult)
#define PQgetisnull (late_pq()->getisnull)
#define PQgetvalue (late_pq()->getvalue)
#define PQisBusy (late_pq()->isBusy)
#define PQnfields (late_pq()->nfields)
#define PQntuples (late_pq()->ntuples)
#define PQprepare (late_pq()->prepare)
#define PQresultErrorField (late_pq()->resultErrorField)
#define PQresultErrorMessage (late_pq()->resultErrorMessage)
#define PQresultStatus (late_pq()->resultStatus)
#define PQsendQueryParams (late_pq()->sendQueryParams)
#define PQsetErrorVerbosity (late_pq()->setErrorVerbosity)
#define PQsetNoticeProcessor (late_pq()->setNoticeProcessor)
#define PQsetnonblocking (late_pq()->setnonblocking)
#define PQsocket (late_pq()->socket)
#define PQsslAttribute (late_pq()->sslAttribute)
#define PQsslInUse (late_pq()->sslInUse)
#define PQstatus (late_pq()->status)
#endif

#endif
