/*
 * blob_call.h - one request to a storage account's blob service, signed with its key (SharedKey,
 * version 2021-12-02), as a step of a recipe. Blocks for at most BLOB_CALL_MS.
 * https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
#ifndef SANDBOX_BLOB_CALL_H
#define SANDBOX_BLOB_CALL_H

#include <jansson.h>

#include "base/err.h"

#define BLOB_CALL_MS 3000

/*
 * `call`: {"method", "container", "query", "expect": [status, ...]}; of the scope it reads host,
 * name (the account), address, port, ca and keys.primary.
 */
MUST_CHECK struct err *blob_call(const json_t *scope, const json_t *call);

#endif
