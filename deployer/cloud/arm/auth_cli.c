/* The token of somebody who ran `az login`. The CLI is run without a shell. */
#include <ctype.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/proc.h"
#include "base/text.h"
#include "cloud/arm/auth_method.h"

#define CLI_TIME_MS 10000
#define OUTPUT_MAX (256u << 10)

static char *cli_missing(const struct auth *a)
{
    (void)a;
    return NULL; /* running it tells */
}

/* Ids and domain names; nothing that the CLI could take for an option or more. */
static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-._ ", *c) == NULL)
            return false;
    }
    return text[0] != '-' && text[0] != '\0';
}

static struct err *not_logged_in(const struct buf *stderr_text)
{
    struct str rest = str_of(buf_text(stderr_text));
    AUTO(buf) struct buf shown = BUF_INIT(2048);
    struct str line = str_trim(str_cut(&rest, '\n'));

    while (line.len == 0 && rest.p != NULL)
        line = str_trim(str_cut(&rest, '\n'));
    text_add_escaped(&shown, str_slice(line, 0, 400));
    return err_new(ERR_NOINPUT, 0, "az account get-access-token: %s",
            shown.len == 0 ? "failed without a word" : buf_text(&shown));
}

static struct err *run_cli(const struct auth_request *q, struct auth_token *ret)
{
    struct str scope = str_of(q->scope);
    const struct str suffix = STR("/.default");

    if (str_ends(scope, suffix))
        scope = str_slice(scope, 0, scope.len - suffix.len);
    AUTO(free) char *resource = str_dup(scope);
    const char *tenant = auth_tenant(q->auth);
    const char *subscription = auth_subscription(q->auth);
    const char *which = tenant != NULL ? tenant : subscription;
    const char *argv[] = { "az", "account", "get-access-token", "-o", "json", "--resource",
        resource,
        which == NULL    ? NULL
        : tenant != NULL ? "--tenant"
                         : "--subscription",
        which, NULL };
    AUTO(buf) struct buf out = { .max_bytes = OUTPUT_MAX, .is_secret = true };
    AUTO(buf) struct buf err_out = BUF_INIT(64u << 10);
    const struct auth_clock clock = { clock_now_ms(), clock_wall_ms() };
    json_auto_t *body = NULL;
    int status = 0;

    if (which != NULL && !is_plain(which))
        return err_new(ERR_CONFIG, 0, "'%s' is no %s: want its id or name", which,
                tenant != NULL ? "tenant" : "subscription");
    struct err *e =
            proc_run(&(struct proc_run){ .argv = argv, .deadline_ms = clock.now_ms + CLI_TIME_MS },
                    &out, &err_out, &status);

    if (e != NULL && err_kind(e) == ERR_NOINPUT) {
        err_free(e);
        return err_new(ERR_NOINPUT, 0, "the Azure CLI (az) is not installed");
    }
    TRY(e);
    if (status != 0)
        return not_logged_in(&err_out);
    TRY(jsonx_load(buf_str(&out), "az account get-access-token", &body));
    return auth_answer_read(body, &clock, ret);
}

static void cli_start(struct auth_request *q)
{
    struct auth_token token = { 0 };

    if (q->claims != NULL) {
        struct err *e = err_new(ERR_AUTH, 0,
                "Azure takes the Azure CLI's login no more and asks for a new one (claims "
                "challenge)");

        err_set_hint(e, "run az logout, then az login");
        auth_request_end(q, NULL, e);
        return;
    }
    struct err *e = run_cli(q, &token);

    auth_request_end(q, &token, e);
}

const struct auth_method auth_method_cli = { "azure-cli", cli_missing, cli_start };
