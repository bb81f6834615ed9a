#include "report/html_page.h"

#include "report/html_text.h"

/* The colours are chosen for a contrast of 4.5 and more on their grounds; state is never told by
 * colour alone. */
static const char style[] =
        ":root{color-scheme:light "
        "dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#59636e;--line:#d9dee3;--code:#eef1f4;"
        "--error:#b42318;--warning:#8a5a00;--note:#1f5fbf;--pass:#1a7f37;--skip:#59636e}"
        "@media "
        "(prefers-color-scheme:dark){:root{--bg:#0f1317;--card:#171c22;--ink:#e4e8ec;--dim:#9aa5b1;"
        "--line:#2b333c;"
        "--code:#0c1014;--error:#ff8578;--warning:#e6b450;--note:#79b0ff;--pass:#5bc873;--skip:#"
        "9aa5b1}}"
        "*{box-sizing:border-box}"
        "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 "
        "system-ui,-apple-system,Segoe UI,Roboto,sans-serif}"
        "main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}"
        "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em}"
        "h2{font-size:1.05rem;margin:2.5rem 0 .75rem}h2 "
        "span{color:var(--dim);font-weight:400;margin-left:.35rem}"
        "h3{font-size:1.02rem;margin:0;line-height:1.35}h4{font-size:.9rem;margin:1.1rem 0 .25rem}"
        ".meta{color:var(--dim);margin:0}"
        ".counts{display:flex;flex-wrap:wrap;gap:.5rem;margin:1.25rem 0 "
        "0;padding:0;list-style:none}"
        ".counts li{border:1px solid "
        "var(--line);background:var(--card);border-radius:999px;padding:.15rem .8rem}"
        ".counts b{font-variant-numeric:tabular-nums}"
        ".error{--c:var(--error)}.fail{--c:var(--error)}.warning{--c:var(--warning)}.warn{--c:var(-"
        "-warning)}"
        ".note{--c:var(--note)}.pass{--c:var(--pass)}.skip{--c:var(--skip)}"
        ".word{color:var(--c);font-weight:600}"
        "article{background:var(--card);border:1px solid var(--line);border-left:4px solid "
        "var(--c);border-radius:8px;"
        "padding:1rem 1.25rem 1.1rem;margin:0 0 .9rem}"
        ".id{font:600 .82rem/1 ui-monospace,SFMono-Regular,Menlo,monospace;color:var(--c);margin:0 "
        "0 .35rem}"
        ".id small{font:400 .82rem/1 system-ui,sans-serif;color:var(--dim);margin-left:.6rem}"
        "dl{display:grid;grid-template-columns:5.5rem 1fr;gap:.4rem 1rem;margin:.8rem 0 0}"
        "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"
        "details{margin-top:.8rem}details+details{margin-top:.35rem}summary{cursor:pointer;color:"
        "var(--dim)}"
        "summary:hover,summary:focus-visible{color:var(--ink)}"
        ".text{border-left:2px solid var(--line);padding-left:1rem;margin:.6rem 0 "
        ".2rem;max-width:46rem}"
        "pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.85em}"
        "code{background:var(--code);border-radius:4px;padding:.1em .3em}"
        "pre{background:var(--code);border:1px solid var(--line);border-radius:6px;padding:.7rem "
        ".9rem;overflow:auto;"
        "margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:26rem}"
        "ul.facts{margin:.5rem 0 0;padding-left:1.1rem}"
        ".checks{background:var(--card);border:1px solid "
        "var(--line);border-radius:8px;overflow:hidden}"
        ".checks>details,.checks>div{margin:0;padding:.5rem 1.25rem;border-top:1px solid "
        "var(--line)}"
        ".checks>:first-child{border-top:0}.checks summary{color:inherit;list-style:none}"
        ".checks summary::-webkit-details-marker{display:none}"
        ".row{display:grid;grid-template-columns:4.2rem minmax(9rem,15rem) 1fr 5rem;gap:0 "
        "1rem;align-items:baseline}"
        ".row .name{font-weight:500;overflow-wrap:anywhere}.row "
        ".why{color:var(--dim);overflow-wrap:anywhere}"
        ".row .time{text-align:right;color:var(--dim);font-variant-numeric:tabular-nums}"
        ".checks summary .name::after{content:' \\25B8';color:var(--dim)}.checks [open]>summary "
        ".name::after{content:' \\25BE'}"
        ".bar{grid-column:2/-1;height:3px;margin:.3rem 0 "
        ".1rem;background:var(--code);border-radius:2px}"
        ".bar "
        "i{display:block;height:100%;min-width:2px;background:var(--c);opacity:.55;border-radius:"
        "2px}"
        "footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}"
        "@media (max-width:40rem){.row{grid-template-columns:4.2rem 1fr 4.2rem}.row "
        ".why{grid-column:2/-1;grid-row:2}"
        ".bar{grid-column:1/-1}dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.5rem}}"
        "@media "
        "print{body{background:#fff}details:not([open])>*{display:block}pre{max-height:none}}";

void html_page_begin(struct buf *out, const char *title)
{
    buf_add_text(out, "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
                      "style-src 'unsafe-inline'\">\n<title>");
    html_add(out, title);
    buf_add_text(out, " - deployer</title>\n<style>");
    buf_add_text(out, style);
    buf_add_text(out, "</style>\n<main>\n<h1>");
    html_add(out, title);
    buf_add_text(out, "</h1>\n");
}

void html_page_end(struct buf *out, const char *foot)
{
    buf_add_text(out, "<footer>deployer " DEPLOYER_VERSION ". ");
    html_add(out, foot);
    buf_add_text(out, "</footer>\n</main>\n</html>\n");
}
