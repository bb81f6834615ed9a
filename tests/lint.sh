#!/usr/bin/env bash
# Checks of the source that no compiler makes: format, layers, headers, who may print and who may look
# into a secret, knowledge in C, sizes, both compilers. lint.sh BUILD; closes with a line of counts.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0

# check NAME OUTPUT: passes when the output is empty.
check() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'lint: %s\n%s\n' "$1" "$2"
    fi
}

sources=$(git ls-files 'deployer/*.c' 'deployer/*.h' 'tests/unit/*.c' 'tests/unit/*.h' 'tests/fuzz/*.c')

if command -v clang-format >/dev/null; then
    # shellcheck disable=SC2086
    check 'format (make fmt)' "$(clang-format --dry-run $sources 2>&1 | grep 'warning:' | cut -d: -f1 | sort | uniq -c | head -20)"
else
    check 'clang-format is missing' 'install clang-format'
fi

# Folders are layers: what each may include besides itself and base/.
layers='
base:
http:
stack:
catalog: stack
graph:
cloud: http catalog
state: http cloud
probe: http
runbook:
plan: catalog graph state
engine: catalog cloud graph plan state
lint: stack catalog runbook cloud
precheck: catalog cloud http
verify: catalog probe runbook
report: plan engine verify
sandbox:
commands: lint stack catalog graph plan engine precheck verify report cloud state probe runbook http'
bad=
while IFS=: read -r layer allowed; do
    [ -n "$layer" ] || continue
    while IFS= read -r hit; do
        target=$(sed 's/.*#include "\([a-z]*\)\/.*/\1/' <<<"$hit")
        case " base $layer $allowed " in *" $target "*) ;; *) bad+="$hit"$'\n' ;; esac
    done < <(grep -rn '#include "[a-z]*/' "deployer/$layer" | grep -v 'sandbox/kinds')
done <<<"$layers"
check 'layers (an include points down or stays inside)' "$bad"

bad=
for h in $(git ls-files 'deployer/*.h'); do
    [ "$h" = deployer/base/banned.h ] && continue
    guard=$(sed 's,^deployer/,,; s,[/.],_,g' <<<"$h" | tr '[:lower:]' '[:upper:]')
    # cloud/arm/x.h may say ARM_X_H: the folder that names it.
    grep -qE "^#ifndef ($guard|${guard#*_})$" "$h" || bad+="$h: guard is not $guard"$'\n'
done
check 'header guards' "$bad"

cflags="-std=c17 -D_GNU_SOURCE -Ideployer -isystem /usr/include/postgresql $(pkg-config --cflags hiredis libmicrohttpd | sed 's/-I/-isystem /g')"
# shellcheck disable=SC2086
check 'self-contained headers' "$(git ls-files 'deployer/*.h' | grep -v banned.h |
    xargs -P2 -I{} sh -c "gcc $cflags -fsyntax-only -x c {} 2>&1 | grep -E 'error' | head -2")"

# Who looks into a secret: the writers of requests, the digests, the probes.
may_reveal='deployer/(base/(secret|digest|uri)\.[ch]|catalog/(expr|expr_wire|func_rule|func_secret)\.c|cloud/arm/auth_[a-z]+\.c|http/(shared_key|transfer)\.c|probe/[a-z_]+\.c|state/[a-z_]+\.c|commands/(env|outputs)\.c|verify/[a-z_]+\.c)'
check 'secret_reveal' "$(grep -rln 'secret_reveal(' deployer | grep -vE "^$may_reveal$")"

check 'printing outside of commands/, report/ and the programs themselves' "$(grep -rnE '(^|[^a-z_])(printf|puts|putchar)\(' deployer |
    grep -vE '^deployer/(commands/|report/|main\.c|sandbox/(main|server)\.c)' | grep -vE '^[^:]*:[0-9]+: ?(\*|/\*)')"

check 'a resource type or service in the generic engine' "$(grep -rnE '"(clickhouse|langfuse|redisEnterprise|containerApps|Microsoft\.[A-Za-z]+/)' \
    deployer/graph deployer/plan deployer/engine deployer/cloud/cloud.h deployer/catalog deployer/stack deployer/verify deployer/state |
    grep -vE ':[0-9]+:( ?\*|.*/\*.*"|.*//)' | head)"

check 'files over 900 lines' "$(git ls-files 'deployer/*.c' 'deployer/*.h' | xargs wc -l | awk '$2 != "total" && $1 > 900 { print "  " $1 " " $2 }')"

if command -v ctags >/dev/null; then
    check 'functions over 80 lines' "$(git ls-files 'deployer/*.c' |
        xargs ctags -x --c-kinds=f --fields=+ne --_xformat='%{end} %n %N %F' 2>/dev/null |
        awk '$1 - $2 > 80 { print "  " $1 - $2 " " $3 " " $4 }')"
fi

check 'runbooks and their index (tools/runbook_index.py)' "$(python3 tools/runbook_index.py --check)"

check 'marks of unfinished work' "$(git grep -nIE '\b(TODO|FIXME|XXX)\b' -- 'deployer' 'tools' 'Makefile' | grep -vE 'XXXXXX' | head)"
check 'paths of a machine' "$(git grep -nIE '(/root/|/home/[a-z]|/work/)' -- ':!tests' ':!.gitignore' | head)"

if command -v clang >/dev/null; then
    check 'warnings of clang' "$(make -k -j2 CC=clang VARIANT=clang all units 2>&1 | grep -E 'error:|warning:' | head -20)"
fi
if [ -f tools/runbook_index.py ]; then
    check 'runbooks/README.md (tools/runbook_index.py)' "$(python3 tools/runbook_index.py --check 2>&1)"
fi

deployer=${1:-build/release}/deployer
if [ -x "$deployer" ]; then
    check '.env.template (deployer env --template)' "$("$deployer" env --template 2>&1 | diff -q - .env.template)"
    check 'docs/langfuse-variables.md (deployer env --table)' "$("$deployer" env --table 2>&1 | diff -q - docs/langfuse-variables.md)"
fi

echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
