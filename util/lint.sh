#!/bin/bash
#
# lint.sh [CHECK...]
#
# Without arguments, all of these:
#
#   text     arrows between core and shell, columns, tabs, blanks, comments
#   lists    `config` names every source and header, and nothing else
#   core     strict warnings with gcc and clang; what the core calls
#   shell    nginx's warnings and -Wshadow with gcc and clang; its names
#   tools    strict warnings with gcc and clang; names of recoveryctl
#   bench    strict warnings with gcc and clang
#   scripts  shellcheck
#   page     vendored files as they came, layout and syntax of our own, and
#            nothing in them that makes markup of a text
#   cppcheck
#   perl     perl -c
#
# A tool that is not installed is named and passed over.  RCV_OBJS is nginx's
# configured objs directory; without it one is configured in build/.

set -euo pipefail
shopt -s nullglob

cd "$(dirname "$0")/.."

core_c=(lua-free-policies/*.c)
core_h=(lua-free-policies/*.h)
shell_c=(ngx_recovery_module/*.c)
shell_h=(ngx_recovery_module/*.h)
other_c=(tests/*.c tests/*/*.c demo/*.c tools/*/*.c bench/*/*.c)
page=(dashboard/page/*.js dashboard/page/*.css t/browser/*.mjs)
other_h=(tests/*.h tests/*/*.h demo/*.h tools/*/*.h bench/*/*.h)

nginx_warnings=(-W -Wall -Wpointer-arith -Wno-unused-parameter -Wshadow
                -Werror)
core_warnings=(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
               -Wmissing-prototypes -Werror)
tool_warnings=(-Wall -Wextra -Wshadow -Wstrict-prototypes
               -Wmissing-prototypes -Werror)


have() {
    command -v "$1" > /dev/null && return

    echo "lint: $1 is not installed, passed over" >&2
    return 1
}


compilers() {
    local compiler

    for compiler in gcc clang; do
        if have "$compiler"; then
            echo "$compiler"
        fi
    done
}


# compile_all COMPILER DIR FLAGS...: `files` into DIR, all even if one fails.

compile_all() {
    local compiler=$1 dir=$2 file bad=0
    shift 2

    mkdir "$dir"
    for file in "${files[@]}"; do
        "$compiler" "$@" -O2 -c "$file" \
            -o "$dir/$(basename "$file" .c).o" || bad=1
    done

    return $bad
}


# compile FLAGS...: `files`, with every compiler at the same time, into
# `dir`/COMPILER.

compile() {
    local compiler pid bad=0
    local -a pids=()

    [ ${#files[@]} -gt 0 ] || { echo "no sources"; return 1; }

    for compiler in $(compilers); do
        compile_all "$compiler" "$dir/$compiler" "$@" &
        pids+=($!)
    done

    for pid in "${pids[@]}"; do
        wait "$pid" || bad=1
    done

    return $bad
}


check_text() {
    perl util/lint.pl "${core_c[@]}" "${core_h[@]}" "${shell_c[@]}" \
        "${shell_h[@]}" "${other_c[@]}" "${other_h[@]}"
}


# A header that `config` does not name would leave stale objects behind.

check_lists() {
    local want listed

    want=$(printf '%s\n' "${core_c[@]}" "${core_h[@]}" \
                         "${shell_c[@]}" "${shell_h[@]}" | sort)
    # shellcheck disable=SC2016
    listed=$(grep -oE '\$rcv_(core|shell)/[A-Za-z0-9_]+\.[ch]' config |
             sed 's#^$rcv_core#lua-free-policies#
                  s#^$rcv_shell#ngx_recovery_module#' | sort)

    if [ "$want" != "$listed" ]; then
        echo "config: lists (>) what is not there, or misses (<):"
        diff <(echo "$want") <(echo "$listed") | grep '^[<>]'
        return 1
    fi
}


# Every name that a core object takes from outside must be in
# core-symbols.txt; every name that it gives starts with rcv_.

check_core_symbols() {
    local dir=$1 object source symbol ours bad=0

    ours=$(nm --defined-only -g "$dir"/*.o | awk 'NF == 3 { print $3 }')

    for symbol in $ours; do
        [[ $symbol == rcv_* ]] ||
            { echo "core: global name without rcv_: $symbol"; bad=1; }
    done

    for object in "$dir"/*.o; do
        source=$(basename "$object" .o).c

        for symbol in $(nm -u "$object" | awk '{ print $NF }'); do
            grep -qxF "$symbol" <<< "$ours" && continue
            symbol_allowed "$source" "$symbol" && continue
            echo "lua-free-policies/$source: the core must not call $symbol"
            bad=1
        done
    done

    return $bad
}


symbol_allowed() {
    local file pattern reason

    while read -r file pattern reason; do
        # shellcheck disable=SC2053
        if [[ $1 == $file && $2 == $pattern && -n $reason ]]; then
            return 0
        fi
    done < <(grep -v '^#' util/core-symbols.txt)

    return 1
}


check_core() {
    local -a files=("${core_c[@]}")

    compile -std=c11 "${core_warnings[@]}"
    check_core_symbols "$dir/gcc"
}


# Every directory of nginx's headers; they are clean under these warnings.

nginx_includes() {
    local objs=${RCV_OBJS:-build/nginx-module/objs} dir

    objs=$(cd "$objs" && pwd -P)

    printf '%s\0' -I "$objs"
    find -L "${objs%/objs}/src" -type d -print0 |
        while IFS= read -r -d '' dir; do
            printf '%s\0' -I "$dir"
        done
}


check_shell() {
    local name bad=0
    local -a includes files=("${shell_c[@]}")

    [ -n "${RCV_OBJS:-}" ] || util/build-nginx.sh configure
    mapfile -d '' includes < <(nginx_includes)

    compile -fPIC "${nginx_warnings[@]}" "${includes[@]}" \
        -I lua-free-policies -I ngx_recovery_module

    for name in $(nm --defined-only -g "$dir"/gcc/*.o |
                  awk 'NF == 3 { print $3 }' | sort -u)
    do
        [[ $name == ngx_http_recovery_* ]] ||
            { echo "shell: global name without ngx_http_recovery_: $name"
              bad=1; }
    done

    return $bad
}


# Sources of two tools may have the same name.

check_tools() {
    local tool name top=$dir bad=0
    local -a files flags

    read -ra flags < <(pkg-config --cflags hiredis openssl libcurl jansson)

    for tool in tools/*/; do
        files=("$tool"*.c)
        [ ${#files[@]} -gt 0 ] || continue

        dir=$top/$(basename "$tool")
        mkdir "$dir"
        compile -std=gnu11 "${tool_warnings[@]}" "${flags[@]}" \
            -I lua-free-policies -I tools/conf || bad=1
    done

    for name in $(nm --defined-only -g "$top"/recoveryctl/gcc/*.o |
                  awk 'NF == 3 { print $3 }' | sort -u)
    do
        [[ $name == ctl_* || $name == main ]] ||
            { echo "recoveryctl: global name without ctl_: $name"; bad=1; }
    done

    return $bad
}


# limit_req.c takes in a source of nginx, which is not always there.

check_bench() {
    local file
    local -a files=()

    for file in bench/*/*.c; do
        [ "$file" = bench/decision/limit_req.c ] || files+=("$file")
    done

    compile -std=gnu11 "${tool_warnings[@]}" -I lua-free-policies
}


check_scripts() {
    have shellcheck || return 0
    shellcheck -x .ci/run util/*.sh demo/*.sh tools/*.sh tools/*/*.bash \
        tests/*.sh bench/*/*.sh
}


# That page.sh takes all scripts is seen here, not by who looks for a curve.

check_page() {
    local markup foreign attribute file bad=0

    markup='(inner|outer)HTML|insertAdjacentHTML|document\.write'
    foreign='https?:|eval\(|new Function|[sS]torage'
    attribute="<[^>]* (style|on[a-z]+)=|setAttribute\('(style|on)"
    attribute+="|\{ (style|on[a-z]+):"

    util/vendor-uplot.sh || bad=1
    perl util/lint.pl "${page[@]}" || bad=1

    for file in dashboard/page/*.js; do
        grep -qE "^scripts=.*\\b$(basename "$file" .js)\\b" util/page.sh ||
            { echo "util/page.sh: misses $file"; bad=1; }
    done

    if grep -nE "$markup|$foreign" dashboard/page/*.*; then
        echo "page: text becomes text, nothing is asked of others or kept"
        bad=1
    fi

    if grep -nE "$attribute" dashboard/page/*.*; then
        echo "page: the policy stops styles and handlers in attributes"
        bad=1
    fi

    if have node; then
        for file in dashboard/page/*.js t/browser/*.mjs; do
            node --check "$file" || bad=1
        done
    fi

    return $bad
}


check_cppcheck() {
    have cppcheck || return 0

    cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
        --enable=warning,portability,performance -j "$(nproc)" \
        --suppressions-list=util/cppcheck.suppress \
        -I lua-free-policies -I ngx_recovery_module \
        "${core_c[@]}" "${shell_c[@]}" demo/*.c tools/*/*.c bench/load/*.c \
        bench/decision/{decision,race}.c bench/stretch/*.c
}


check_perl() {
    local file log bad=0

    for file in t/*.t t/lib/*/*.pm t/lib/*/*/*.pm bench/*.pl \
                bench/lib/*/*.pm
    do
        log=$(perl -c -I t/lib -I bench/lib "$file" 2>&1) || {
            echo "$log"
            bad=1
        }
    done

    return $bad
}


checks=("$@")
if [ ${#checks[@]} -eq 0 ]; then
    checks=(text lists core shell tools bench scripts page cppcheck perl)
fi

failed=()
for check in "${checks[@]}"; do
    # Not in a condition: `set -e` would not hold inside the check.
    set +e
    (set -e
     dir=$(mktemp -d)
     trap 'rm -rf "$dir"' EXIT
     "check_$check")
    status=$?
    set -e

    [ $status -eq 0 ] || failed+=("$check")
done

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: FAILED: ${failed[*]}" >&2
    exit 1
fi

echo "lint: ${checks[*]}: clean"
