#!/bin/bash
#
# lint-selftest.sh
#
# A detector that has never detected anything is not evidence: plants one
# violation of each kind in a copy of the tree, and requires lint to fail and
# to say why.  The compiling checks see the planted source and the headers of
# the tree, not every source of it again.

set -euo pipefail
shopt -s nullglob

cd "$(dirname "$0")/.."

util/build-nginx.sh configure
export RCV_OBJS=$PWD/build/nginx-module/objs

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

planted=0
missed=0


fresh_copy() {
    local part

    rm -rf "$copy/tree"
    mkdir "$copy/tree"

    for part in .ci Makefile config dashboard lua-free-policies \
                ngx_recovery_module util
    do
        cp -r "$part" "$copy/tree/"
    done

    mkdir -p "$copy/tree/demo" "$copy/tree/t/browser" \
             "$copy/tree/tools/recoveryctl" "$copy/tree/bench/load" \
             "$copy/tree/bench/lib/Bench"
}


# plant CHECK "MESSAGE" FILE: standard input becomes FILE of a fresh copy;
# CHECK must fail and say MESSAGE (a regular expression).

plant() {
    local check=$1 message=$2 file=$3 output status=0

    fresh_copy

    case $check in
        core | shell | cppcheck)
            rm -f "$copy"/tree/lua-free-policies/*.c \
                  "$copy"/tree/ngx_recovery_module/*.c
            ;;
    esac

    cat > "$copy/tree/$file"

    output=$("$copy/tree/util/lint.sh" "$check" 2>&1) || status=$?
    planted=$((planted + 1))

    if [ $status -eq 0 ] && grep -q 'is not installed' <<< "$output"; then
        echo "lint-selftest: $check passed over, its tool is not installed"

    elif [ $status -eq 0 ] || ! grep -qE "$message" <<< "$output"; then
        echo "lint-selftest: MISSED by $check (status $status): $message" >&2
        head -n 20 <<< "$output" >&2
        missed=$((missed + 1))
    fi
}


plant_text() {
    plant text "$1" lua-free-policies/planted.c
}


core=lua-free-policies/planted.c
shell=ngx_recovery_module/planted.c
tool=tools/recoveryctl/planted.c

# Arrows.

plant_text 'planted.c:1: the core must not include <ngx_core.h>' \
    <<< '#include <ngx_core.h>'

plant_text 'planted.c:1: the core must not include <time.h>' \
    <<< '#include <time.h>'

plant_text 'planted.c:1: the core includes only its own headers' \
    <<< '#include "../ngx_recovery_module/ngx_http_recovery_module.h"'

plant_text 'planted.c:2: the core includes only its own headers' \
    <<< $'\n#include "ngx_http_recovery_module.h"'

plant_text 'planted.c:1: the core knows no nginx: ngx_int_t' \
    <<< 'ngx_int_t rcv_planted;'

for call in 'void *malloc(unsigned long)' 'void free(void *)' \
            'void *calloc(unsigned long, unsigned long)' \
            'void *realloc(void *, unsigned long)' 'long time(long *)' \
            'int clock_gettime(int, void *)' \
            'int gettimeofday(void *, void *)' \
            'int open(const char *, int, ...)' 'int socket(int, int, int)' \
            'int printf(const char *, ...)'
do
    name=${call%%(*}
    name=${name##*[ *]}

    plant core "planted.c: the core must not call $name\$" $core << END
$call;
void *rcv_planted(void);

void *
rcv_planted(void)
{
    return (void *) (unsigned long) &$name;
}
END
done

plant core 'core: global name without rcv_: planted' $core \
    <<< $'int planted(void);\n\nint\nplanted(void)\n{\n    return 1;\n}'

plant shell 'shell: global name without ngx_http_recovery_: planted' $shell \
    <<< 'int planted;'

plant tools 'recoveryctl: global name without ctl_: planted' $tool \
    <<< 'int planted;'

plant tools 'Werror=missing-prototypes' $tool \
    <<< $'int\nctl_planted(void)\n{\n    return 1;\n}'

plant bench 'Werror=shadow' bench/load/planted.c << 'END'
int planted(int value);

int
planted(int value)
{
    if (value) {
        int  value = 1;

        return value;
    }

    return 0;
}
END

plant tools 'Wself-assign' $tool << 'END'
int ctl_planted(int value);

int
ctl_planted(int value)
{
    value = value;

    return value;
}
END

plant lists '< lua-free-policies/planted.h' lua-free-policies/planted.h \
    <<< '/* not in config */'

# Layout.

plant_text 'planted.c:1: longer than 80 columns' \
    <<< "/* $(printf '%078d' 0) */"

plant_text 'planted.c:2: tab' <<< $'\nint rcv_planted(void);\t/* */'

plant_text 'planted.c:1: trailing blank' <<< 'int rcv_planted(void); '

plant_text 'planted.c:1: comments are' <<< 'int rcv_planted(void); // no'

plant_text 'planted.c:1: no newline at the end' \
    < <(printf 'int rcv_planted(void);')

# Warnings, and that both compilers are asked: the last kind is clang's only.

plant core 'Werror=conversion' $core << 'END'
int rcv_planted(long value);

int
rcv_planted(long value)
{
    return value;
}
END

plant core 'Werror=missing-prototypes' $core \
    <<< $'int\nrcv_planted(void)\n{\n    return 1;\n}'

plant core 'Werror=strict-prototypes' $core <<< 'int rcv_planted();'

for check in core shell; do
    [ $check = core ] && file=$core || file=$shell

    plant $check 'Werror=shadow' "$file" << 'END'
int ngx_http_recovery_planted(int value);

int
ngx_http_recovery_planted(int value)
{
    if (value) {
        int  value = 1;

        return value;
    }

    return 0;
}
END

    plant $check 'Wself-assign' "$file" << 'END'
int ngx_http_recovery_planted(int value);

int
ngx_http_recovery_planted(int value)
{
    value = value;

    return value;
}
END
done

# Tools.

plant scripts 'SC2086' util/planted.sh <<< $'#!/bin/sh\nrm $1'

plant perl 'syntax error' t/planted.t <<< 'my = 1;'
plant perl 'syntax error' bench/lib/Bench/Planted.pm <<< 'my = 1;'

plant cppcheck 'arrayIndexOutOfBounds' $core << 'END'
int rcv_planted(void);

int
rcv_planted(void)
{
    int  values[2] = { 0, 0 };

    return values[2];
}
END

# The page.

plant page 'planted.js' dashboard/page/planted.js <<< '/* in no list */'

plant page 'planted.js:1: longer than 80 columns' \
    dashboard/page/planted.js <<< "/* $(printf '%078d' 0) */"

for line in 'box.innerHTML = name;' "eval('name');" \
            "fetch('https://example.org/');"
do
    plant page 'text becomes text' dashboard/page/planted.js <<< "$line"
done

plant page 'in attributes' dashboard/page/planted.html <<< '<p style="top:0">'
plant page 'in attributes' dashboard/page/planted.html <<< '<p onclick="x()">'
plant page 'in attributes' dashboard/page/planted.js \
    <<< "box.setAttribute('style', 'top: 0');"

plant page 'not what came from npm' \
    dashboard/page/vendor/uplot/uPlot.min.css <<< 'body{}'
plant page 'not these files' dashboard/page/vendor/uplot/more.js <<< '1;'
plant page 'not what came from npm' \
    dashboard/page/vendor/uplot/LICENSE <<< 'none'

if command -v node > /dev/null; then
    plant page 'SyntaxError' dashboard/page/page.js <<< 'const = 1;'
fi

# check-exports.

echo 'int planted, ngx_modules, ngx_module_names, ngx_module_order;' |
    "${CC:-cc}" -shared -fPIC -x c -o "$copy/planted.so" -

planted=$((planted + 1))
if util/check-exports.sh "$copy/planted.so" > /dev/null 2>&1; then
    echo "lint-selftest: MISSED by check-exports: a fourth name" >&2
    missed=$((missed + 1))
fi

if [ $missed -gt 0 ]; then
    echo "lint-selftest: FAILED: $missed of $planted violations missed" >&2
    exit 1
fi

echo "lint-selftest: all of $planted planted violations found"
