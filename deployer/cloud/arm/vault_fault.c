#include "cloud/arm/vault_fault.h"

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"

#define MESSAGE_SHOWN 240u

/* By the code of the inner error, which tells one refusal from another; "" where there is none. */
static const struct {
    long status;
    const char *inner;
    const char *hint;
} hints[] = {
    { 403, "ForbiddenByRbac",
            "give the login the role Key Vault Secrets User on the vault; a fresh grant takes up "
            "to "
            "ten minutes" },
    { 403, "AccessDenied", "give the login 'get' on secrets in the vault's access policies" },
    { 403, "ForbiddenByPolicy", "give the login 'get' on secrets in the vault's access policies" },
    { 403, "ForbiddenByFirewall",
            "let this machine's address in at the vault's firewall, or run where it is let in" },
    { 403, "ForbiddenByConnection",
            "the vault takes private connections alone: run on a machine in its network" },
    { 403, "SecretDisabled", "enable the secret, or set a new version" },
    { 403, "", "the login needs the right to read secrets of the vault" },
    { 401, "", "the vault trusts its own tenant alone: set azure.tenant to it" },
    { 429, "", "the vault is asked too often, by others too: try again in a minute" },
};

static const json_t *error_of(const json_t *body)
{
    return json_object_get(body, "error");
}

static const char *inner_of(const json_t *body)
{
    const char *inner = jsonx_text(json_object_get(error_of(body), "innererror"), "code");

    return inner == NULL ? "" : inner;
}

static const char *hint_of(long status, const char *inner)
{
    const char *general = NULL;

    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (hints[i].status != status)
            continue;
        if (inner[0] != '\0' && text_eq(hints[i].inner, inner))
            return hints[i].hint;
        if (hints[i].inner[0] == '\0')
            general = hints[i].hint;
    }
    return general;
}

/* The first line of the message, of which the others repeat the caller's claims. */
static void add_message(struct buf *out, const json_t *body)
{
    struct str rest = str_of(jsonx_text(error_of(body), "message"));
    struct str line = str_trim(str_cut(&rest, '\n'));

    if (line.len == 0)
        return;
    buf_add_text(out, ": ");
    text_add_escaped(out, str_slice(line, 0, MESSAGE_SHOWN));
}

bool vault_fault_is_absent(long status, const json_t *body)
{
    return status == 404 && text_eq(jsonx_text(error_of(body), "code"), "SecretNotFound");
}

struct err *vault_fault_err(long status, const json_t *body)
{
    const char *code = jsonx_text(error_of(body), "code");
    const char *inner = inner_of(body);
    const enum err_kind kind = status == 401 ? ERR_AUTH : status == 403 ? ERR_DENIED : ERR_API;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&text, "HTTP %ld", status);
    if (code != NULL)
        buf_addf(&text, " %s", code);
    if (inner[0] != '\0' && !text_eq(inner, code))
        buf_addf(&text, " (%s)", inner);
    add_message(&text, body);
    struct err *e = err_new(kind, status, "%s", buf_text(&text));
    const char *hint = hint_of(status, inner);

    err_set_api(e, inner[0] != '\0' ? inner : code == NULL ? "" : code, "");
    if (hint != NULL)
        err_set_hint(e, "%s", hint);
    return e;
}
