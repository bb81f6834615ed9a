/*
 * num.h - numbers from text: the whole input, in range, without locale.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Decimal, an optional minus. ERR_CONFIG: "'x' is not a number from MIN to MAX". */
MUST_CHECK struct err *num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *ret);
/* Decimal with optional fraction and exponent (JSON's grammar). */
MUST_CHECK struct err *num_parse_double(struct str s, double min, double max, double *ret);
/* "90", "90s", "15m", "2h", "500ms" to milliseconds; a bare number is seconds. */
MUST_CHECK struct err *num_parse_duration_ms(struct str s, int64_t *ret);

#endif
