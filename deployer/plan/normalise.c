#include "plan/normalise.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "plan/spelling.h"

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

    if (s == NULL)
        return false;
    /* "*" alone means everything in rules of networks and CORS. */
    return (strlen(s) >= 3 && strspn(s, "*") == strlen(s)) || strcasecmp(s, "<redacted>") == 0
           || strcasecmp(s, "<hidden>") == 0;
}

bool norm_is_placeholder(const json_t *j)
{
    const char *s = json_string_value(j);
    const size_t len = s == NULL ? 0 : strlen(s);

    return norm_is_masked(j)
           || (len > 2 && s[0] == '<' && s[len - 1] == '>' && strpbrk(s + 1, "</=\"") == NULL);
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
    static const char *const words[] = { "key", "apiKey", "primaryKey", "secondaryKey",
        "instrumentationKey", "token", "certificateValue", "headers", "sasUrl", "secret", "pfxBlob",
        "encodedCertificate", "protectedSettings", "customHeaders", "serviceUri", "callbackUrl",
        "httpTriggerUrl", "endpointUrl", "secretParameters", "authorizationKey", "storageKey" };
    static const char *const ends[] = { "password", "connectionString", "token", "accountKey",
        "accessKey", "sharedKey", "workspaceKey", "sasKey", "privateKey", "secretValue", "secret",
        "credentials" };

    if (is_one_of(key, words, ARRAY_LEN(words)))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_ci(key, ends[i]))
            return true;
    }
    return false;
}

bool norm_is_secret_place(const char *key, const char *parent)
{
    /* A tag may be called anything. */
    if (strcasecmp(parent, "tags") == 0)
        return false;
    return norm_is_secret_name(key)
           || (strcasecmp(key, "value") == 0 && strcasecmp(parent, "secrets") == 0);
}

bool norm_is_create_name(const char *key)
{
    static const char *const words[] = { "createMode", "pointInTimeUTC", "restorePointInTime",
        "restoreTimestampInUtc", "sourceServerResourceId", "sourceServerId", "sourceDatabaseId",
        "sourceResourceId", "sourceLocation", "restoreParameters", "cloningInfo" };

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
           || str_starts_ci(str_of(s), STR("subscriptions/"))
           || str_starts_ci(str_of(s), STR("/providers/"));
}

static struct str without_slashes(struct str s)
{
    while (s.len > 0 && s.p[s.len - 1] == '/')
        s = str_slice(s, 0, s.len - 1);
    while (s.len > 0 && s.p[0] == '/')
        s = str_slice(s, 1, s.len);
    return s;
}

bool norm_is_child(const char *id)
{
    static const char *const marker = "/providers/";
    struct str rest = str_of(id);
    size_t segments = 0;

    for (size_t i = 0; i < rest.len; i++) {
        if (str_starts_ci(str_slice(str_of(id), i, rest.len), str_of(marker)))
            segments = 0;
        segments += id[i] == '/';
    }
    return segments > 4; /* /providers/NAMESPACE/TYPE/NAME and more */
}

/* "/subscriptions/S/providers/..." is answered as "/providers/..." for what every tenant has. */
static struct str without_subscription(struct str id)
{
    struct str rest = id;

    if (!str_starts_ci(id, STR("subscriptions/")))
        return id;
    rest = str_slice(rest, strlen("subscriptions/"), rest.len);
    str_cut(&rest, '/');
    return rest.p != NULL && str_starts_ci(rest, STR("providers/")) ? rest : id;
}

bool norm_same_id(const char *a, const char *b)
{
    const struct str x = without_slashes(str_of(a));
    const struct str y = without_slashes(str_of(b));

    if (str_eq_ci(x, y))
        return true;
    const bool is_cut = str_starts_ci(x, STR("providers/")) != str_starts_ci(y, STR("providers/"));

    return is_cut && str_eq_ci(without_subscription(x), without_subscription(y));
}

/* ---- case ---- */

static bool is_guid(const char *s)
{
    for (size_t i = 0; i < 36; i++) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return s[36] == '\0';
}

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

/* "Microsoft.Network/TrafficManagerProfiles": names of types and their providers have no case. */
static bool is_type_name(const char *s)
{
    return str_starts_ci(str_of(s), STR("Microsoft."));
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
    if (p->is_element || is_free_text(p))
        return false;
    return (is_word(a) && is_word(b)) || (is_type_name(a) && is_type_name(b));
}

/* ---- all together ---- */

/* What the member's name says of its values. */
static bool same_by_name(const struct norm_place *p, const char *desired, const char *actual)
{
    static const char *const hosts[] = { "fqdn", "cname", "exchange", "nsdname", "ptrdname" };

    if (ends_ci(p->key, "location") || ends_ci(p->key, "locationName"))
        return spelling_same_location(desired, actual);
    if (ends_ci(p->key, "subjectName"))
        return spelling_same_subject(desired, actual);
    if (ends_ci(p->key, "version"))
        return spelling_is_version_of(desired, actual);
    return is_one_of(p->key, hosts, ARRAY_LEN(hosts)) && spelling_same_host(desired, actual);
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
            && spelling_same_as(p->property->format, desired, actual))
        return true;
    if (norm_is_id(desired) || norm_is_id(actual) || (p->property != NULL && p->property->is_id))
        return norm_same_id(desired, actual);
    if (strcasecmp(p->key, "type") == 0 && strcasecmp(p->parent, "identity") == 0)
        return spelling_same_csv_set(desired, actual);
    return same_by_name(p, desired, actual) || spelling_same_by_look(desired, actual);
}

bool norm_equal(const struct norm_place *p, const json_t *desired, const json_t *actual)
{
    const json_t *otherwise = p->property == NULL ? NULL : p->property->default_value;

    if (otherwise != NULL && norm_is_blank(actual) && !norm_is_blank(desired)
            && !norm_is_empty(otherwise))
        return norm_equal(
                &(struct norm_place){ .key = p->key, .parent = p->parent }, desired, otherwise);
    if (json_is_string(desired) && json_is_string(actual))
        return same_text(p, json_string_value(desired), json_string_value(actual));
    if (json_is_number(desired) && json_is_number(actual))
        return spelling_is_near(json_number_value(desired), json_number_value(actual));
    if (norm_is_empty(desired) && norm_is_empty(actual))
        return true;
    return json_equal(desired, actual);
}
