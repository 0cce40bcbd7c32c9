#!/bin/bash
#
# install-deps.sh [build | run | test | bench | page]...
#
# Installs the Debian packages that are missing, of the sets that are named or
# of all but `page`, which is a browser and some hundred packages.  Services are not started: a machine that only wanted to
# build must not find port 80 or 6379 taken.  What is installed already stays
# as it is.

set -euo pipefail

build=(gcc libc6-dev make dpkg-dev pkg-config nginx nginx-dev libhiredis-dev
       libpcre2-dev libssl-dev zlib1g-dev libcurl4-openssl-dev libjansson-dev)
run=(redis-server redis-tools curl perl)
test=(libcmocka-dev clang libclang-rt-dev cppcheck shellcheck libnginx-mod-nchan
      nghttp2-client openssl prometheus iproute2 faketime mandoc
      libio-pty-perl)
bench=(valgrind libnginx-mod-http-lua)
page=(chromium nodejs npm)

policy=/usr/sbin/policy-rc.d
mark="# placed by install-deps.sh of ngx_http_recovery_module"


die() {
    echo "install-deps: $*" >&2
    exit 1
}


# A node or an npm of somebody else's is as good, and would not stand Debian's
# beside it.

installed() {
    case $1 in
        nodejs) command -v node > /dev/null && return ;;
        npm) command -v npm > /dev/null && return ;;
    esac

    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = \
      installed ]
}


as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}


apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 \
        "$@"
}


# A leftover of a killed run is ours to replace; anybody else's policy stays.

hold_services() {
    if [ -e "$policy" ] && ! grep -qF "$mark" "$policy"; then
        return
    fi

    held=yes
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" |
        as_root sh -c "cat > '$policy' && chmod 755 '$policy'"
}


clean_up() {
    rm -f "$log"
    [ -z "$held" ] || as_root rm -f "$policy"
}


# nginx-dev must be of the very version of nginx.  When nginx is there and its
# nginx-dev can still be had, nginx is not upgraded behind its owner's back.

install_missing() {
    local version name
    local -a names=()

    version=$(dpkg-query -W -f '${Version}' nginx 2>/dev/null || true)

    for name in "${missing[@]}"; do
        if [ "$name" = nginx-dev ] && [ -n "$version" ] &&
           apt-cache show "nginx-dev=$version" > /dev/null 2>&1
        then
            name=nginx-dev=$version
        fi
        names+=("$name")
    done

    apt_get install -y --no-install-recommends "${names[@]}" > "$log" 2>&1
}


[ $# -gt 0 ] || set -- build run test bench

all=()
for set in "$@"; do
    case $set in
        build) all+=("${build[@]}") ;;
        run) all+=("${run[@]}") ;;
        test) all+=("${test[@]}") ;;
        bench) all+=("${bench[@]}") ;;
        page) all+=("${page[@]}") ;;
        *) die "no set \"$set\"; there are build, run, test, bench, page" ;;
    esac
done

command -v dpkg-query > /dev/null ||
    die "this is not Debian; please install the likes of: ${all[*]}"

missing=()
for package in "${all[@]}"; do
    installed "$package" || missing+=("$package")
done

[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
    die "neither root nor sudo; please have installed: ${missing[*]}"
fi

echo "install-deps: installing ${missing[*]}"

held=
log=$(mktemp)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
hold_services

# Lists may be missing, or so old that the archive no longer has the files.

if ! install_missing; then
    apt_get update || die "apt-get update failed"
    if ! install_missing; then
        cat "$log" >&2
        die "apt-get install failed"
    fi
fi

echo "install-deps: done; no service was started"

services=()
for package in "${missing[@]}"; do
    case $package in
        nginx | redis-server | prometheus) services+=("$package") ;;
    esac
done

[ ${#services[@]} -eq 0 ] ||
    echo "install-deps: Debian starts them at the next boot; if unwanted:" \
         "systemctl disable ${services[*]}"
