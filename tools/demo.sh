#!/usr/bin/env bash
# The demo: a sandbox, the Langfuse stack applied to it and verified. demo.sh BUILD [stop]
# Everything is in DEPLOYER_DEMO (default /tmp/deployer-demo-UID): services that drop their rights must
# be able to enter it, which they can't below a home folder.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)
demo=${DEPLOYER_DEMO:-${TMPDIR:-/tmp}/deployer-demo-$(id -u)}
deployer=$build/deployer
export DEPLOYER_AZURITE=${DEPLOYER_AZURITE:-$(command -v azurite || echo "${XDG_DATA_HOME:-$HOME/.local/share}/deployer/npm/node_modules/.bin/azurite")}

if [ "${2:-}" = stop ]; then
    [ -d "$demo" ] || { echo "no demo in $demo"; exit 0; }
    "$deployer" sandbox stop --dir "$demo/sandbox"
    rm -rf "$demo"
    echo "stopped, and $demo removed"
    exit 0
fi

mkdir -p -m 755 "$demo"
cp "$here/examples/langfuse/stack.yaml" "$demo/stack.yaml"
stack=$demo/stack.yaml
[ -f "$demo/.env" ] || "$deployer" init "$demo" >/dev/null
on="--target sandbox --sandbox-dir $demo/sandbox"

say() { printf '\n$ %s\n' "$*" | sed "s,$build/,,"; "$@"; }

"$deployer" sandbox status --dir "$demo/sandbox" >/dev/null 2>&1 || say "$deployer" sandbox start --dir "$demo/sandbox"
# With CI set a local state has to be asked for by name.
state=$demo/.deployer/langfuse.json
# shellcheck disable=SC2086
say "$deployer" apply "$stack" $on --state "$state" --yes
rc=0
# shellcheck disable=SC2086
say "$deployer" verify "$stack" $on --state "$state" -o text -o json="$demo/verify.json" || rc=$?
python3 "$here/tools/required_checks.py" "$here/examples/langfuse/checks.txt" "$demo/verify.json" || rc=1
# shellcheck disable=SC2086
say "$deployer" plan "$stack" $on --state "$state" --detailed-exitcode || rc=$?
say "$deployer" sandbox status --dir "$demo/sandbox"
cat <<TEXT

Everything is in $demo. Go on with:
  $deployer outputs $stack $on --state $state --reveal
  $deployer destroy $stack $on --state $state
  make demo-stop
TEXT
[ "$rc" -eq 0 ] || { echo "the demo failed (exit status $rc)"; exit 1; }
