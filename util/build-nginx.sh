#!/bin/bash
#
# build-nginx.sh module | configure | static | asan
#
#   module     build/ngx_http_recovery_module.so for the installed nginx
#   configure  no more than the headers for it, in build/nginx-module/objs
#   static     build/static/nginx, nginx with the module inside
#   asan       build/asan/nginx, the same under ASan and UBSan
#
# Environment: CC; RCV_NGINX, the binary whose options are copied; NGINX_SRC,
# the tree to build against (default: nginx-dev for `module`, Debian's source
# package for the others).
#
# nginx's build cannot stand blanks in a path, so a tree of links is made in
# build/ and everything inside it is named relative to it.

set -euo pipefail

goal=${1:?usage: build-nginx.sh module|configure|static|asan}
mode=${goal/configure/module}
cc=${CC:-cc}
nginx=${RCV_NGINX:-/usr/sbin/nginx}
debian_src=/usr/share/nginx/src

cd "$(dirname "$0")/.."
mkdir -p build

# Two makes in one checkout wait for each other.

exec 9> "build/.lock-$mode"
flock 9


die() {
    echo "build-nginx: $*" >&2
    exit 1
}


# The options of the installed binary, less those that need further libraries.

options_of_binary() {
    local -a all=()
    local option line

    line=$("$nginx" -V 2>&1 | sed -n 's/^configure arguments: //p')
    eval "all=( $line )"

    for option in "${all[@]}"; do
        case $option in
            *=dynamic | --with-cc* | --with-ld-opt=* | --add-*) ;;
            --build=* | --builddir=*) ;;
            *) options+=("$option") ;;
        esac
    done
}


options_of_mode() {
    local hard="-fstack-protector-strong -D_FORTIFY_SOURCE=2"

    options=()
    cc_opt="-g -O2 $hard -Wformat -Werror=format-security -Wdate-time"
    ld_opt="-Wl,-z,relro -Wl,-z,now"
    add=--add-module=module

    case $mode in
        module)
            src=${NGINX_SRC:-$debian_src}
            cc_opt+=" -fPIC"
            ld_opt+=" -fPIC"
            add=--add-dynamic-module=module
            ;;
        static)
            src=${NGINX_SRC:-$(util/nginx-source.sh)}
            ;;
        asan)
            src=${NGINX_SRC:-$(util/nginx-source.sh)}
            local sanitize="-fsanitize=address,undefined"
            sanitize+=" -fno-sanitize=nonnull-attribute"
            sanitize+=" -fno-sanitize-recover=undefined"
            cc_opt="-g -O1 $sanitize -fno-omit-frame-pointer"
            cc_opt+=" -DNGX_DEBUG_PALLOC=1 -DNGX_HAVE_NONALIGNED=0"
            ld_opt=$sanitize
            ;;
        *)
            die "unknown mode \"$mode\""
            ;;
    esac

    [ -x "$src/configure" ] ||
        die "no nginx tree at \"$src\"; run \`make deps\` or set NGINX_SRC"

    if [ -f "$src/conf_flags" ]; then
        # Debian's: sets NGX_CONF_FLAGS, what its binary was built with
        # shellcheck disable=SC1091
        . "$src/conf_flags"
        options+=("${NGX_CONF_FLAGS[@]}")

    elif [ -x "$nginx" ]; then
        options_of_binary

    else
        options+=(--with-compat --with-debug --with-threads
                  --with-http_ssl_module --with-http_v2_module)
    fi
}


# Configures anew when the options, the tree or the module's `config` changed.

configure() {
    local stamp name
    local -a command=(
        ./configure --builddir=objs --with-cc="$cc"
        --with-cc-opt="$cc_opt" --with-ld-opt="$ld_opt"
        "${options[@]}" "$add"
    )

    stamp=$(printf '%s\n' "$src" "${command[@]}"; "$cc" --version
            "$nginx" -v 2>&1 || true
            dpkg-query -W nginx-dev 2>&1 || true
            cat config config.make; ls dashboard/page)

    if [ -f "$tree/objs/Makefile" ] &&
       [ "$(cat "$tree/stamp" 2>/dev/null)" = "$stamp" ]
    then
        return
    fi

    echo "build-nginx: configuring $mode against $src"

    rm -rf "$tree"
    mkdir -p "$tree"
    ln -s ../.. "$tree/module"

    src=$(realpath "$src")
    for name in "$src"/*; do
        case ${name##*/} in
            objs | Makefile) ;;
            *) ln -s "$name" "$tree/" ;;
        esac
    done

    (cd "$tree" && "${command[@]}") > "$tree/configure.log" 2>&1 || {
        tail -n 20 "$tree/configure.log" >&2
        die "configure failed; see $tree/configure.log"
    }

    echo "$stamp" > "$tree/stamp"
}


# Makes the target quietly; nginx's own output is shown when it fails.

compile() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
        make -C "$tree" -f objs/Makefile -j"$(nproc)" "$1" \
        > "$tree/make.log" 2>&1 || {
        grep -E '(error|warning): |undefined |\*\*\* ' -A3 "$tree/make.log" |
            head -60 >&2
        die "failed; see $tree/make.log"
    }
}


# By rename: a running nginx keeps the file that it has mapped.

publish() {
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new"
    mv "$2.new" "$2"
    echo "build-nginx: $2"
}


# nginx itself tells at once whether the module fits the binary.

try_load() {
    local conf=$tree/try.conf

    [ -x "$nginx" ] || return 0

    printf 'load_module "%s";\npid %s;\nevents { }\n' \
        "$PWD/$1" /dev/null > "$conf"
    "$nginx" -t -q -p "$PWD/$tree" -e stderr -c "$PWD/$conf" ||
        die "$nginx does not load $1"
}


tree=build/nginx-$mode
options_of_mode
configure

if [ "$goal" = configure ]; then
    exit 0

elif [ "$goal" = module ]; then
    compile modules
    try_load "$tree/objs/ngx_http_recovery_module.so"
    publish "$tree/objs/ngx_http_recovery_module.so" \
            build/ngx_http_recovery_module.so

else
    compile binary
    publish "$tree/objs/nginx" "build/$mode/nginx"
fi
