#include "base/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

#define NUMBER_LEN_MAX 64u

static bool parse_digits(struct str s, int64_t *ret)
{
    const bool is_negative = s.len > 0 && s.p[0] == '-';
    int64_t value = 0;

    if (is_negative)
        s = str_slice(s, 1, s.len);
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(value, 10, &value))
            return false;
        const int digit = s.p[i] - '0';

        if (is_negative ? __builtin_sub_overflow(value, digit, &value)
                        : __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

struct err *num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = 0;

    if (!parse_digits(s, &value) || value < min || value > max)
        return err_new(ERR_CONFIG, 0, "'%.*s' is not a whole number from %" PRId64 " to %" PRId64,
                STR_ARG(str_slice(s, 0, NUMBER_LEN_MAX)), min, max);
    *ret = value;
    return NULL;
}

static bool is_json_number(struct str s)
{
    size_t i = 0;
    size_t digits = 0;

    if (i < s.len && s.p[i] == '-')
        i++;
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        digits++;
    if (digits == 0)
        return false;
    if (i < s.len && s.p[i] == '.') {
        for (i++, digits = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            digits++;
        if (digits == 0)
            return false;
    }
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        for (digits = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            digits++;
        if (digits == 0)
            return false;
    }
    return i == s.len;
}

struct err *num_parse_double(struct str s, double min, double max, double *ret)
{
    if (is_json_number(s) && s.len <= NUMBER_LEN_MAX) {
        AUTO(free) char *text = str_dup(s);
        const double value = strtod(text, NULL);

        if (isfinite(value) && value >= min && value <= max) {
            *ret = value;
            return NULL;
        }
    }
    return err_new(ERR_CONFIG, 0, "'%.*s' is not a number from %g to %g",
            STR_ARG(str_slice(s, 0, NUMBER_LEN_MAX)), min, max);
}

struct err *num_parse_duration_ms(struct str s, int64_t *ret)
{
    static const struct {
        const char *unit;
        int64_t factor_ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 }, { "h", 3600000 } };
    int64_t value = 0;
    int64_t total_ms = 0;

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const struct str unit = str_of(units[i].unit);

        if (str_ends(s, unit) && parse_digits(str_slice(s, 0, s.len - unit.len), &value)
                && value >= 0 && !__builtin_mul_overflow(value, units[i].factor_ms, &total_ms)) {
            *ret = total_ms;
            return NULL;
        }
    }
    if (parse_digits(s, &value) && value >= 0 && !__builtin_mul_overflow(value, 1000, &total_ms)) {
        *ret = total_ms;
        return NULL;
    }
    return err_new(ERR_CONFIG, 0, "'%.*s' is not a duration such as 90s, 15m or 2h",
            STR_ARG(str_slice(s, 0, NUMBER_LEN_MAX)));
}
