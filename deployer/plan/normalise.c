#include "plan/normalise.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/num.h"

/* ---- emptiness ---- */

bool norm_is_blank(const json_t *j)
{
    return j == NULL || json_is_null(j) || (json_is_string(j) && json_string_length(j) == 0)
           || (json_is_array(j) && json_array_size(j) == 0)
           || (json_is_object(j) && json_object_size(j) == 0);
}

bool norm_is_empty(const json_t *j)
{
    return norm_is_blank(j) || json_is_false(j)
           || (json_is_number(j) && fpclassify(json_number_value(j)) == FP_ZERO);
}

bool norm_is_masked(const json_t *j)
{
    const char *s = json_string_value(j);

    if (s == NULL || s[0] == '\0')
        return false;
    return strspn(s, "*") == strlen(s) || strcasecmp(s, "<redacted>") == 0
           || strcasecmp(s, "<hidden>") == 0;
}

/* ---- names ---- */

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static bool ends_ci(const char *s, const char *end)
{
    return str_ends_ci(str_of(s), str_of(end));
}

bool norm_is_secret_name(const char *key)
{
    static const char *const words[] = { "key", "accountKey", "sharedKey", "apiKey", "accessKey",
        "primaryKey", "secondaryKey", "instrumentationKey", "token", "certificateValue", "headers",
        "sasUrl", "clientSecret", "appSecret", "secret", "privateKey", "pfxBlob" };
    static const char *const ends[] = { "password", "connectionString", "sasToken", "accessToken",
        "sharedAccessKey", "secretValue" };

    if (is_one_of(key, words, ARRAY_LEN(words)))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_ci(key, ends[i]))
            return true;
    }
    return false;
}

bool norm_is_create_name(const char *key)
{
    static const char *const words[] = { "createMode", "pointInTimeUTC", "restorePointInTime",
        "restoreTimestampInUtc", "sourceServerResourceId", "sourceServerId", "sourceDatabaseId",
        "sourceResourceId", "restoreParameters" };

    return is_one_of(key, words, ARRAY_LEN(words));
}

bool norm_is_server_name(const char *key)
{
    static const char *const words[] = { "provisioningState", "etag", "systemData" };

    return is_one_of(key, words, ARRAY_LEN(words));
}

bool norm_is_envelope_name(const char *key)
{
    static const char *const words[] = { "id", "name", "type" };

    return is_one_of(key, words, ARRAY_LEN(words));
}

/* ---- ids ---- */

bool norm_is_id(const char *s)
{
    return str_starts_ci(str_of(s), STR("/subscriptions/"))
           || str_starts_ci(str_of(s), STR("/providers/"));
}

static struct str without_slashes(struct str s)
{
    while (s.len > 0 && s.p[s.len - 1] == '/')
        s = str_slice(s, 0, s.len - 1);
    return s;
}

/* "/subscriptions/S/providers/..." is answered as "/providers/..." for what every tenant has. */
static struct str without_subscription(struct str id)
{
    struct str rest = id;

    if (!str_starts_ci(id, STR("/subscriptions/")))
        return id;
    rest = str_slice(rest, strlen("/subscriptions/"), rest.len);
    str_cut(&rest, '/');
    if (rest.p == NULL || !str_starts_ci(rest, STR("providers/")))
        return id;
    return (struct str){ .p = rest.p - 1, .len = rest.len + 1 };
}

bool norm_same_id(const char *a, const char *b)
{
    const struct str x = without_slashes(str_of(a));
    const struct str y = without_slashes(str_of(b));

    if (str_eq_ci(x, y))
        return true;
    const bool is_cut =
            str_starts_ci(x, STR("/providers/")) != str_starts_ci(y, STR("/providers/"));

    return is_cut && str_eq_ci(without_subscription(x), without_subscription(y));
}

/* ---- formats ---- */

/* A Kubernetes-like quantity as bytes; false if it is none. Only suffixes that leave no doubt. */
static bool read_quantity(const char *s, double *ret)
{
    static const char *const suffixes[] = { "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
    const size_t digits = strspn(s, "0123456789.");
    double number = 0;

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (digits == 0 || !text_eq(s + digits, suffixes[i]))
            continue;
        struct err *e = num_parse_double((struct str){ s, digits }, 0, 1e15, &number);

        if (e != NULL) {
            err_ignore(e, "no quantity then");
            return false;
        }
        *ret = ldexp(number, 10 * (int)(i + 1));
        return true;
    }
    return false;
}

/* One "12.5H" of a duration; moves *s on. */
static bool read_duration_part(const char **s, bool in_time, double *ret_seconds)
{
    static const struct {
        char letter;
        bool in_time;
        double seconds;
    } units[] = { { 'D', false, 86400 }, { 'W', false, 604800 }, { 'H', true, 3600 },
        { 'M', true, 60 }, { 'S', true, 1 } };
    const size_t digits = strspn(*s, "0123456789.");
    double number = 0;

    if (digits == 0)
        return false;
    struct err *e = num_parse_double((struct str){ *s, digits }, 0, 1e12, &number);

    if (e != NULL) {
        err_ignore(e, "no duration then");
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if ((*s)[digits] == units[i].letter && in_time == units[i].in_time) {
            *ret_seconds += number * units[i].seconds;
            *s += digits + 1;
            return true;
        }
    }
    return false;
}

/* ISO 8601 "P1DT2H"; years and months have no length and are left to be compared as text. */
static bool read_duration(const char *s, double *ret)
{
    bool in_time = false;
    double seconds = 0;

    if (s[0] != 'P' || s[1] == '\0')
        return false;
    s++;
    while (*s != '\0') {
        if (*s == 'T' && !in_time) {
            in_time = true;
            s++;
        } else if (!read_duration_part(&s, in_time, &seconds)) {
            return false;
        }
    }
    *ret = seconds;
    return true;
}

/* RFC 3339 as seconds; false if it is none. */
static bool read_instant(const char *s, double *ret)
{
    int year, month, day, hour, minute, used = 0, off_hour = 0, off_minute = 0;
    double second = 0;
    char sign = 0;

    if (strlen(s) < 20
            || sscanf(s, "%4d-%2d-%2dT%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute, &second,
                       &used)
                       != 6)
        return false;
    const char *zone = s + used;

    if (!text_eq(zone, "Z")
            && (sscanf(zone, "%c%2d:%2d", &sign, &off_hour, &off_minute) != 3
                    || (sign != '+' && sign != '-') || strlen(zone) != 6))
        return false;
    /* Howard Hinnant, "chrono-compatible low-level date algorithms": days_from_civil. */
    const int y = month <= 2 ? year - 1 : year;
    const int era = y / 400;
    const int yoe = y - era * 400;
    const int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const double days = era * 146097.0 + yoe * 365 + yoe / 4 - yoe / 100 + doy;
    const int offset = (off_hour * 60 + off_minute) * (sign == '-' ? -1 : 1);

    *ret = days * 86400 + hour * 3600.0 + (minute - offset) * 60.0 + second;
    return true;
}

struct network {
    unsigned char bytes[16];
    int family;
    int64_t bits;
};

/* "10.0.0.1", "10.0.0.0/8", IPv6 likewise; an address alone is a network of one. */
static bool read_network(const char *s, struct network *ret)
{
    struct str rest = str_of(s);
    AUTO(free) char *address = str_dup(str_cut(&rest, '/'));
    struct network n = { .family = strchr(address, ':') == NULL ? AF_INET : AF_INET6 };
    const int64_t most = n.family == AF_INET ? 32 : 128;

    if (inet_pton(n.family, address, n.bytes) != 1)
        return false;
    n.bits = most;
    if (rest.p != NULL) {
        struct err *e = num_parse_i64(rest, 0, most, &n.bits);

        if (e != NULL) {
            err_ignore(e, "no network then");
            return false;
        }
    }
    *ret = n;
    return true;
}

static bool same_network(const char *a, const char *b)
{
    struct network x = { 0 };
    struct network y = { 0 };

    return read_network(a, &x) && read_network(b, &y) && x.family == y.family && x.bits == y.bits
           && memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* Equal without blanks and case: "East US" is eastus. */
static bool same_location(const char *a, const char *b)
{
    for (;;) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

static size_t csv_count(const char *list)
{
    size_t n = 1;

    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

static bool csv_has(const char *list, struct str word)
{
    struct str rest = str_of(list);

    while (rest.p != NULL) {
        if (str_eq_ci(str_trim(str_cut(&rest, ',')), word))
            return true;
    }
    return false;
}

/* "SystemAssigned, UserAssigned" is "UserAssigned,SystemAssigned". */
static bool same_csv_set(const char *a, const char *b)
{
    struct str rest = str_of(a);

    if (csv_count(a) != csv_count(b))
        return false;
    while (rest.p != NULL) {
        if (!csv_has(b, str_trim(str_cut(&rest, ','))))
            return false;
    }
    return true;
}

/* A version is answered with more digits than it was asked for: "4" as "4.0.14". */
static bool is_version_of(const char *desired, const char *actual)
{
    const size_t len = strlen(desired);

    return len > 0 && strspn(desired, "0123456789.") == len
           && strspn(actual, "0123456789.") == strlen(actual) && strlen(actual) > len
           && strncmp(desired, actual, len) == 0 && (actual[len] == '.' || desired[len - 1] == '.');
}

/* "6" or "latest" is what "6.0.14" answers. */
static bool is_version_prefix(const char *desired, const char *actual)
{
    return strcasecmp(desired, "latest") == 0 || is_version_of(desired, actual);
}

static bool same_last_segment(const char *a, const char *b)
{
    const char *x = strrchr(a, '/');
    const char *y = strrchr(b, '/');

    return strcasecmp(x == NULL ? a : x + 1, y == NULL ? b : y + 1) == 0;
}

static bool is_guid(const char *s)
{
    for (size_t i = 0; i < 36; i++) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return s[36] == '\0';
}

/* ---- case ---- */

/* A word that could be a value of an enumeration, as far as one can tell from itself. */
static bool is_word(const char *s)
{
    size_t n = 0;

    for (; s[n] != '\0'; n++) {
        if (!isalnum((unsigned char)s[n]) && s[n] != '_' && s[n] != '-')
            return false;
    }
    return n > 0 && n <= 64 && isalpha((unsigned char)s[0]);
}

static bool is_switch(const char *s)
{
    static const char *const words[] = { "on", "off", "true", "false", "yes", "no", "enabled",
        "disabled" };

    return is_one_of(s, words, ARRAY_LEN(words));
}

/* Members whose text is somebody's own: case counts. A sku's "name" is a word of the service's. */
static bool is_free_text(const struct norm_place *p)
{
    static const char *const words[] = { "value", "key", "description", "image", "path", "subPath",
        "mountPath", "text", "query", "login", "user", "host", "email", "url", "uri", "label",
        "comment", "title", "pattern", "command", "args", "data", "content", "body", "identifier",
        "subject", "audience", "issuer" };
    static const char *const ends[] = { "name", "login", "password", "secretRef", "label", "text",
        "path", "prefix", "suffix" };

    if (strcasecmp(p->key, "name") == 0 && ends_ci(p->parent, "sku"))
        return false;
    if (is_one_of(p->key, words, ARRAY_LEN(words)) || norm_is_secret_name(p->key))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_ci(p->key, ends[i]))
            return true;
    }
    return false;
}

static bool is_case_blind(const struct norm_place *p, const char *a, const char *b)
{
    if (p->property != NULL && (p->property->ignores_case || p->property->values != NULL))
        return true;
    if (p->is_free)
        return false;
    if ((is_switch(a) && is_switch(b)) || (is_guid(a) && is_guid(b)))
        return true;
    return !p->is_element && is_word(a) && is_word(b) && !is_free_text(p);
}

/* ---- all together ---- */

static bool same_by_format(const char *format, const char *a, const char *b)
{
    double x = 0;
    double y = 0;

    if (text_eq(format, "location"))
        return same_location(a, b);
    if (text_eq(format, "csv-set"))
        return same_csv_set(a, b);
    if (text_eq(format, "cidr"))
        return same_network(a, b);
    if (text_eq(format, "version-prefix"))
        return is_version_prefix(a, b);
    if (text_eq(format, "last-segment"))
        return same_last_segment(a, b);
    if (text_eq(format, "quantity"))
        return read_quantity(a, &x) && read_quantity(b, &y) && is_near(x, y);
    if (text_eq(format, "duration"))
        return read_duration(a, &x) && read_duration(b, &y) && is_near(x, y);
    return false;
}

/* Formats that can be told from the values alone. */
static bool same_by_look(const char *a, const char *b)
{
    double x = 0;
    double y = 0;

    if (read_quantity(a, &x) && read_quantity(b, &y))
        return is_near(x, y);
    if (read_duration(a, &x) && read_duration(b, &y))
        return is_near(x, y);
    if (read_instant(a, &x) && read_instant(b, &y))
        return fabs(x - y) < 1e-6;
    return same_network(a, b);
}

static bool same_text(const struct norm_place *p, const char *desired, const char *actual)
{
    if (strcmp(desired, actual) == 0)
        return true;
    if (strcasecmp(desired, actual) == 0 && is_case_blind(p, desired, actual))
        return true;
    if (p->is_free)
        return false;
    if (p->property != NULL && p->property->format != NULL
            && same_by_format(p->property->format, desired, actual))
        return true;
    if (norm_is_id(desired) || norm_is_id(actual) || (p->property != NULL && p->property->is_id))
        return norm_same_id(desired, actual);
    if (strcasecmp(p->key, "location") == 0 || strcasecmp(p->key, "locationName") == 0)
        return same_location(desired, actual);
    if (strcasecmp(p->key, "type") == 0 && strcasecmp(p->parent, "identity") == 0)
        return same_csv_set(desired, actual);
    if (ends_ci(p->key, "version") && is_version_of(desired, actual))
        return true;
    return same_by_look(desired, actual);
}

bool norm_equal(const struct norm_place *p, const json_t *desired, const json_t *actual)
{
    if (json_is_string(desired) && json_is_string(actual))
        return same_text(p, json_string_value(desired), json_string_value(actual));
    if (json_is_number(desired) && json_is_number(actual))
        return is_near(json_number_value(desired), json_number_value(actual));
    const json_t *otherwise = p->property == NULL ? NULL : p->property->default_value;

    if (otherwise != NULL && (actual == NULL || json_is_null(actual)) && !norm_is_empty(otherwise))
        return norm_equal(
                &(struct norm_place){ .key = p->key, .parent = p->parent }, desired, otherwise);
    if (norm_is_empty(desired) && norm_is_empty(actual))
        return true;
    return json_equal(desired, actual);
}
