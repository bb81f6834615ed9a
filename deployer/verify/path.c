#include "verify/path.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "verify/rules.h"

#define NETS_MAX 16u

/* What `subnets` and `rules` of the kinds' facts lead to. */
struct way {
    const struct verify_job *job;
    const struct control_source *source;
    json_t *subnets; /* [{"id", "prefix", "rules"}] */
    json_t *rules;   /* {ID: [rule]} */
    struct rules_net network[NETS_MAX];
    size_t network_count;
};

static const char *text_at(const json_t *document, const json_t *path)
{
    return json_is_string(path) ? json_string_value(jsonx_at_ci(document, json_string_value(path)))
                                : NULL;
}

/* The first of several paths that leads to a text. */
static const char *first_text_at(const json_t *document, const json_t *paths)
{
    size_t i = 0;
    json_t *path = NULL;

    json_array_foreach ((json_t *)(uintptr_t)paths, i, path) {
        const char *text = text_at(document, path);

        if (text != NULL)
            return text;
    }
    return NULL;
}

static void add_subnet(struct way *w, const json_t *document, const json_t *how)
{
    const char *prefix = first_text_at(document, json_object_get(how, "prefix"));
    const char *id = text_at(document, json_object_get(how, "id"));
    const char *rules = text_at(document, json_object_get(how, "rules"));
    json_t *subnet = jsonx_must(json_object());

    if (prefix != NULL)
        json_object_set_new(subnet, "prefix", jsonx_textf("%s", prefix));
    if (id != NULL)
        json_object_set_new(subnet, "id", jsonx_textf("%s", id));
    if (rules != NULL)
        json_object_set_new(subnet, "rules", jsonx_textf("%s", rules));
    json_array_append_new(w->subnets, subnet);
}

static void add_subnets(struct way *w, const json_t *document, const json_t *how)
{
    const char *list = jsonx_text(how, "list");
    size_t i = 0;
    json_t *member = NULL;

    if (list == NULL) {
        add_subnet(w, document, how);
        return;
    }
    json_array_foreach (jsonx_at_ci(document, list), i, member) {
        add_subnet(w, member, how);
    }
    json_array_foreach (jsonx_at_ci(document, jsonx_text(how, "space")), i, member) {
        if (w->network_count < NETS_MAX
                && rules_net_parse(
                        str_of(json_string_value(member)), &w->network[w->network_count]))
            w->network_count++;
    }
}

/* Ids name the same thing whatever their case. */
static char *id_key(const char *id)
{
    char *key = xstrdup(id);

    for (char *c = key; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    return key;
}

static void add_rules(struct way *w, const struct control_view *view, const json_t *paths)
{
    json_t *all = jsonx_must(json_array());
    AUTO(free) char *key = id_key(view->id);
    size_t i = 0;
    json_t *path = NULL;

    json_array_foreach ((json_t *)(uintptr_t)paths, i, path) {
        json_t *list = jsonx_at_ci(view->document, json_string_value(path));

        if (json_is_array(list))
            json_array_extend(all, list);
    }
    json_object_set_new(w->rules, key, all);
}

static void read_documents(struct way *w)
{
    for (size_t i = 0; i < w->job->check->about_count; i++) {
        struct control_view view = { 0 };
        size_t s = 0;
        json_t *step = NULL;

        if (!w->source->look(w->source->arg, w->job->check->about[i], &view)
                || view.document == NULL)
            continue;
        json_array_foreach ((json_t *)(uintptr_t)view.kind->facts, s, step) {
            if (json_object_get(step, "subnets") != NULL)
                add_subnets(w, view.document, json_object_get(step, "subnets"));
            if (json_object_get(step, "rules") != NULL && view.id != NULL)
                add_rules(w, &view, json_object_get(step, "rules"));
        }
    }
}

/* The subnet with this id, or the one that holds the address; NULL. */
static const json_t *find_subnet(const struct way *w, const char *id, struct rules_net address)
{
    size_t i = 0;
    json_t *s = NULL;

    json_array_foreach (w->subnets, i, s) {
        struct rules_net net;
        const char *own = jsonx_text(s, "id");

        if (!rules_net_parse(str_of(jsonx_text(s, "prefix")), &net))
            continue;
        if (id != NULL ? own != NULL && str_eq_ci(str_of(own), str_of(id))
                       : rules_net_covers(net, address))
            return s;
    }
    return NULL;
}

/* The address that lies in one of the subnets, as the probe or the control plane tells it. */
static const json_t *find_target(
        const struct way *w, const struct verify_job *job, struct rules_net *ret)
{
    static const char *const facts[] = { "tcp.address", "dns.addresses[0]", "arm.private_address" };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const char *text = json_string_value(jsonx_at(job->evidence, facts[i]));
        const json_t *subnet =
                rules_net_parse(str_of(text), ret) ? find_subnet(w, NULL, *ret) : NULL;

        if (subnet != NULL)
            return subnet;
    }
    return NULL;
}

static int64_t port_of(const struct verify_job *job)
{
    static const char *const members[] = { "port", "native_port", "http_port" };
    int64_t port = json_integer_value(jsonx_at(job->evidence, "tcp.port"));

    for (size_t i = 0; i < ARRAY_LEN(members) && port == 0; i++)
        port = jsonx_int(job->target, members[i], 0);
    return port;
}

/* The rules of a subnet; a subnet without any lets everything through (NULL, *ret_is_known). */
static const json_t *rules_of(const struct way *w, const json_t *subnet, bool *ret_is_known)
{
    const char *id = jsonx_text(subnet, "rules");

    *ret_is_known = true;
    if (id == NULL)
        return NULL;
    AUTO(free) char *key = id_key(id);
    const json_t *rules = json_object_get(w->rules, key);

    *ret_is_known = rules != NULL;
    return rules;
}

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static void set_text(struct verify_job *job, const char *fact, const char *text)
{
    jsonx_set_at(job->evidence, fact, jsonx_textf("%s", text));
}

/* Asks one side's rules; false when the way ends there, with its facts told. */
static bool pass_side(struct verify_job *job, const struct way *w, const json_t *subnet,
        const struct rules_flow *flow, bool *is_known)
{
    const char *rule = NULL;
    bool has_rules = true;
    const json_t *rules = rules_of(w, subnet, &has_rules);
    const enum rules_answer answer = rules == NULL ? RULES_ALLOW : rules_decide(rules, flow, &rule);

    *is_known = *is_known && has_rules && answer != RULES_UNKNOWN;
    if (answer != RULES_DENY)
        return true;
    jsonx_set_at(job->evidence, "net.allowed", json_false());
    set_text(job, "net.denied_by", rule == NULL ? "(a rule without a name)" : rule);
    set_text(job, "net.rules", last_segment(jsonx_text(subnet, "rules")));
    set_text(job, "net.direction", flow->is_inbound ? "inbound" : "outbound");
    return false;
}

static void judge_way(struct verify_job *job, struct way *w, const char *from_id)
{
    struct rules_flow flow = { .network = w->network, .network_count = w->network_count };

    const json_t *to = find_target(w, job, &flow.to);
    const json_t *from = find_subnet(w, from_id, flow.to);
    const int64_t port = port_of(job);

    flow.port = (uint16_t)port;
    if (from == NULL || to == NULL || port < 1 || port > 65535
            || !rules_net_parse(str_of(jsonx_text(from, "prefix")), &flow.from))
        return;
    jsonx_set_at(job->evidence, "net.port", json_integer(flow.port));
    set_text(job, "net.from", jsonx_text(from, "prefix"));
    set_text(job, "net.to", jsonx_text(to, "prefix"));
    bool is_known = true;

    if (!pass_side(job, w, from, &flow, &is_known))
        return;
    flow.is_inbound = true;
    if (!pass_side(job, w, to, &flow, &is_known))
        return;
    if (is_known)
        jsonx_set_at(job->evidence, "net.allowed", json_true());
}

void verify_path(struct verify_job *job, const struct control_source *source)
{
    json_auto_t *from = NULL;

    if (job->check->from == NULL || job->check->about_count == 0)
        return;
    AUTO(err) struct err *e = source->resolve(source->arg, job->check->from, &from);

    if (e != NULL || !json_is_string(from))
        return;
    struct way w = { .job = job,
        .source = source,
        .subnets = jsonx_must(json_array()),
        .rules = jsonx_must(json_object()) };

    read_documents(&w);
    judge_way(job, &w, json_string_value(from));
    json_decref(w.subnets);
    json_decref(w.rules);
}
