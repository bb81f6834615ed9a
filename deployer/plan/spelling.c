#include "plan/spelling.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <strings.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/str.h"

/* ---- quantities, times, networks ---- */

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
        /* "PT7D" is no ISO 8601, but services take it for P7D. */
        const bool is_place = in_time == units[i].in_time || units[i].letter == 'D';

        if ((*s)[digits] == units[i].letter && is_place) {
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
    bool has_length;
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
    n.has_length = rest.p != NULL;
    if (n.has_length) {
        struct err *e = num_parse_i64(rest, 0, most, &n.bits);

        if (e != NULL) {
            err_ignore(e, "no network then");
            return false;
        }
    }
    *ret = n;
    return true;
}

/* "10.0.0.5/24" names the network 10.0.0.0/24: services answer with its first address. */
static void drop_host(struct network *n)
{
    for (int64_t bit = n->bits; n->has_length && bit < (int64_t)sizeof(n->bytes) * 8; bit++)
        n->bytes[bit / 8] &= (unsigned char)~(0x80u >> (bit % 8));
}

static bool same_network(const char *a, const char *b)
{
    struct network x = { 0 };
    struct network y = { 0 };

    if (!read_network(a, &x) || !read_network(b, &y))
        return false;
    drop_host(&x);
    drop_host(&y);
    return x.family == y.family && x.bits == y.bits
           && memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

bool spelling_is_within(const char *inner, const char *outer)
{
    struct network x = { 0 };
    struct network y = { 0 };

    if (!read_network(inner, &x) || !read_network(outer, &y) || x.family != y.family
            || x.bits < y.bits)
        return false;
    x.bits = y.bits;
    x.has_length = y.has_length = true;
    drop_host(&x);
    drop_host(&y);
    return memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

bool spelling_is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool is_words(const char *s)
{
    for (; *s != '\0'; s++) {
        if (!isalnum((unsigned char)*s) && *s != ' ')
            return false;
    }
    return true;
}

bool spelling_same_location(const char *a, const char *b)
{
    if (!is_words(a) || !is_words(b))
        return false;
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

bool spelling_same_csv_set(const char *a, const char *b)
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

bool spelling_is_version_of(const char *desired, const char *actual)
{
    const size_t len = strlen(desired);

    return len > 0 && strspn(desired, "0123456789.") == len
           && strspn(actual, "0123456789.") == strlen(actual) && strlen(actual) > len
           && strncmp(desired, actual, len) == 0 && (actual[len] == '.' || desired[len - 1] == '.');
}

/* "6" or "latest" is what "6.0.14" answers. */
static bool is_version_prefix(const char *desired, const char *actual)
{
    return strcasecmp(desired, "latest") == 0 || spelling_is_version_of(desired, actual);
}

static bool same_last_segment(const char *a, const char *b)
{
    const char *x = strrchr(a, '/');
    const char *y = strrchr(b, '/');

    return strcasecmp(x == NULL ? a : x + 1, y == NULL ? b : y + 1) == 0;
}

/* ---- hosts, URLs, subjects ---- */

bool spelling_same_host(const char *a, const char *b)
{
    struct str x = str_of(a);
    struct str y = str_of(b);

    if (str_ends(x, STR(".")))
        x = str_slice(x, 0, x.len - 1);
    if (str_ends(y, STR(".")))
        y = str_slice(y, 0, y.len - 1);
    return x.len > 0 && str_eq_ci(x, y);
}

bool spelling_same_subject(const char *a, const char *b)
{
    static const struct str prefix = { "CN=", 3 };
    const char *x = str_starts_ci(str_of(a), prefix) ? a + prefix.len : a;
    const char *y = str_starts_ci(str_of(b), prefix) ? b + prefix.len : b;

    return strcasecmp(x, y) == 0;
}

/* Scheme and host of a URL, up to its path, query or fragment; empty if it is none. */
static struct str origin_of(const char *url)
{
    const char *host = str_starts_ci(str_of(url), STR("https://"))  ? url + strlen("https://")
                       : str_starts_ci(str_of(url), STR("http://")) ? url + strlen("http://")
                                                                    : NULL;

    if (host == NULL)
        return (struct str){ url, 0 };
    return (struct str){ url, (size_t)(host - url) + strcspn(host, "/?#") };
}

/* "https://Vault.example.com" is "https://vault.example.com/". */
static bool same_url(const char *a, const char *b)
{
    const struct str x = origin_of(a);
    const struct str y = origin_of(b);

    if (x.len == 0 || !str_eq_ci(x, y))
        return false;
    const char *rest_x = a[x.len] == '\0' ? "/" : a + x.len;
    const char *rest_y = b[y.len] == '\0' ? "/" : b + y.len;

    return strcmp(rest_x, rest_y) == 0;
}

/* ---- documents within a text ---- */

/* Definitions of dashboards, policies and workflows are kept as text and laid out anew. */
static bool same_json(const char *a, const char *b)
{
    static const char *const starts = "{[";

    if (a[0] == '\0' || b[0] == '\0' || strchr(starts, a[0]) == NULL
            || strchr(starts, b[0]) == NULL)
        return false;
    json_auto_t *x = json_loads(a, JSON_REJECT_DUPLICATES, NULL);
    json_auto_t *y = json_loads(b, JSON_REJECT_DUPLICATES, NULL);

    return x != NULL && y != NULL && json_equal(x, y);
}

/* Moves on over blanks that stand between two tags: they carry nothing. */
static const char *without_blanks(const char *s, bool is_after_tag)
{
    const size_t blanks = strspn(s, " \t\r\n");

    return is_after_tag && (s[blanks] == '<' || s[blanks] == '\0') ? s + blanks : s;
}

static bool same_xml(const char *a, const char *b)
{
    bool is_after_tag = false;

    if (a[0] != '<' || b[0] != '<')
        return false;
    for (;;) {
        a = without_blanks(a, is_after_tag);
        b = without_blanks(b, is_after_tag);
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
        is_after_tag = *a == '>';
        a++;
        b++;
    }
}

/* ---- all together ---- */

bool spelling_same_as(const char *format, const char *a, const char *b)
{
    double x = 0;
    double y = 0;

    if (text_eq(format, "location"))
        return spelling_same_location(a, b);
    if (text_eq(format, "csv-set"))
        return spelling_same_csv_set(a, b);
    if (text_eq(format, "cidr"))
        return same_network(a, b);
    if (text_eq(format, "version-prefix"))
        return is_version_prefix(a, b);
    if (text_eq(format, "last-segment"))
        return same_last_segment(a, b);
    if (text_eq(format, "quantity"))
        return read_quantity(a, &x) && read_quantity(b, &y) && spelling_is_near(x, y);
    if (text_eq(format, "duration"))
        return read_duration(a, &x) && read_duration(b, &y) && spelling_is_near(x, y);
    return false;
}

bool spelling_same_by_look(const char *a, const char *b)
{
    double x = 0;
    double y = 0;

    if (read_quantity(a, &x) && read_quantity(b, &y))
        return spelling_is_near(x, y);
    if (read_duration(a, &x) && read_duration(b, &y))
        return spelling_is_near(x, y);
    if (read_instant(a, &x) && read_instant(b, &y))
        return fabs(x - y) < 1e-6;
    return same_network(a, b) || same_url(a, b) || same_json(a, b) || same_xml(a, b);
}
