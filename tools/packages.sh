#!/bin/sh
# Installs what is missing: packages.sh build|services|dev. On Debian and Ubuntu as root (or by sudo);
# elsewhere it names what is missing and fails. Server packages are installed without starting
# their system services: the sandbox runs its own.
set -eu

build="gcc make pkg-config python3 libcurl4-openssl-dev libjansson-dev libyaml-dev libssl-dev libpq-dev libc-ares-dev libhiredis-dev libmicrohttpd-dev"
services="postgresql redis-server clickhouse-server clickhouse-client dnsmasq-base openssl curl"
tests="libcmocka-dev pgbouncer bind9-dnsutils"
lint="clang clang-format clang-tidy libclang-rt-dev valgrind universal-ctags"
azurite=3.35.0

case "${1:-}" in
build) want="$build" ;;
unit) want="$build libcmocka-dev" ;;
services) want="$build $services" ;;
test) want="$build $services $tests" ;;
dev) want="$build $services $tests $lint" ;;
*) echo "usage: packages.sh build|unit|services|test|dev" >&2; exit 64 ;;
esac

have_package() {
    dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

npm_home=${DEPLOYER_NPM:-${XDG_DATA_HOME:-$HOME/.local/share}/deployer/npm}

install_azurite() {
    command -v azurite >/dev/null && return 0
    [ -x "$npm_home/node_modules/.bin/azurite" ] && return 0
    if ! command -v npm >/dev/null; then
        echo "missing: npm (Node.js 18 or newer), which brings azurite $azurite, the blob store of the sandbox" >&2
        return 1
    fi
    echo "installing azurite $azurite into $npm_home"
    mkdir -p "$npm_home"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$npm_home" "azurite@$azurite"
}

# The public schema of SARIF and what reads it; a test that misses them says so.
install_schemas() {
    [ -d "$npm_home/node_modules/@microsoft/jest-sarif" ] || ! command -v npm >/dev/null && return 0
    mkdir -p "$npm_home"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$npm_home" ajv@8.20.0 ajv-draft-04@1.0.0 \
        ajv-formats@3.0.1 @microsoft/jest-sarif@1.0.0-beta.0 || echo "missing: npm packages for the schema of SARIF" >&2
}

missing=
if command -v dpkg-query >/dev/null; then
    for p in $want; do
        have_package "$p" && continue
        # Debian names clang's runtime by version; a compiler that is not from a package will do as well.
        case $p in
        libclang-rt-dev)
            v=$(clang --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -1)
            p="libclang-rt-${v:-14}-dev"
            have_package "$p" && continue ;;
        gcc | make | python3 | clang | curl | openssl) command -v "$p" >/dev/null && continue ;;
        pkg-config) command -v pkg-config >/dev/null && continue ;;
        esac
        missing="$missing $p"
    done
else
    for p in gcc make pkg-config python3; do
        command -v "$p" >/dev/null || missing="$missing $p"
    done
    for p in libcurl jansson yaml-0.1 openssl libpq libcares hiredis libmicrohttpd; do
        pkg-config --exists "$p" 2>/dev/null || missing="$missing $p(-dev)"
    done
fi

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
        echo "missing packages (Debian's names):$missing" >&2
        echo "next: install them, then run this again" >&2
        exit 69
    fi
    echo "installing:$missing"
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod +x $policy
        made_policy=1
    fi
    rc=0
    as_root apt-get -qq update || true
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null || rc=$?
    [ -z "$made_policy" ] || as_root rm -f $policy
    [ "$rc" -eq 0 ] || { echo "apt-get could not install:$missing" >&2; exit 69; }
fi
case $1 in build | unit) ;; *) install_azurite ;; esac
case $1 in test | dev) install_schemas ;; esac
