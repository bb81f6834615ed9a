#include "report/dotenv_text.h"

#include <string.h>

static bool is_bare(const char *value)
{
    return value[0] != '\0'
           && strspn(value,
                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:@%+-")
                      == strlen(value);
}

void dotenv_text_add(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s=", name);
    if (is_bare(value)) {
        buf_addf(out, "%s\n", value);
        return;
    }
    if (strpbrk(value, "'\n\r") == NULL) {
        buf_addf(out, "'%s'\n", value);
        return;
    }
    buf_add_char(out, '"');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r') {
            buf_add_text(out, *c == '\n' ? "\\n" : "\\r");
            continue;
        }
        if (*c == '"' || *c == '\\' || *c == '$')
            buf_add_char(out, '\\');
        buf_add_char(out, *c);
    }
    buf_add_text(out, "\"\n");
}
