/*
 * preflight.h - POST /providers/Microsoft.Resources/validateResources: bodies are judged, nothing
 * is made. Values that are not known yet come as the text "[length('foo')]".
 */
#ifndef SANDBOX_PREFLIGHT_H
#define SANDBOX_PREFLIGHT_H

#include "sandbox/sandbox.h"

MUST_CHECK struct err *preflight_validate(struct call *c);

#endif
