#!/bin/sh
#
# page.sh FILE
#
# Makes one C source of the page of "recovery_status html" in dashboard/page/:
# what stands before the numbers and after them, with style and script inside,
# and the policy that lets a browser apply these two and nothing else.
#
# nginx's make calls it, see config.make; so it needs no more than a POSIX
# shell, sha256sum and base64.

set -eu

export LC_ALL=C

out=$1
page=$(dirname "$0")/../dashboard/page
vendor=$page/vendor/uplot
scripts="format model charts overview detail page"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT


die() {
    echo "page.sh: $*" >&2
    exit 1
}


# hash_of FILE: as a Content-Security-Policy has it, of what stands between a
# tag on a line of its own and the next one.

hash_of() {
    # shellcheck disable=SC2059
    { echo; cat "$1"; } | sha256sum | cut -c 1-64 | sed 's/../0x& /g' |
        { read -r bytes
          for byte in $bytes; do
              printf "\\$(printf '%03o' "$byte")"
          done; } |
        base64
}


# source_of NAME FILE: its bytes as a constant string.

source_of() {
    printf '\n\nstatic const u_char  %s_bytes[] = {\n' "$1"
    od -An -v -tu1 "$2" | sed 's/[0-9][0-9]*/&,/g'
    printf '};\n\n\nconst ngx_str_t  %s = {\n    sizeof(%s_bytes),\n' \
        "$1" "$1"
    printf '    (u_char *) %s_bytes\n};\n' "$1"
}


cat "$vendor/uPlot.min.css" > "$work/style"
echo >> "$work/style"
cat "$page/page.css" >> "$work/style"

{
    printf '/*! uPlot\n\n'
    cat "$vendor/LICENSE"
    printf '\n*/\n'
    cat "$vendor/uPlot.iife.min.js"
    printf "\n(() => {\n'use strict';\n\n"
    for name in $scripts; do
        cat "$page/$name.js"
    done
    printf '})();\n'
} > "$work/script"

if grep -qiE '</(script|style)|<!--' "$work/script" "$work/style"; then
    die "a script or a style would end its own element"
fi

# Marks stand alone on their lines.

sed -e "/^@STYLE@$/{r $work/style
        d
}"      -e '/^@NUMBERS@$/,$d' "$page/page.html" > "$work/head"
sed -e '1,/^@NUMBERS@$/d' -e "/^@SCRIPT@$/{r $work/script
        d
}"      "$page/page.html" > "$work/tail"

style=$(hash_of "$work/style")
script=$(hash_of "$work/script")

if [ ${#style} -ne 44 ] || [ ${#script} -ne 44 ]; then
    die "no hash: sha256sum and base64 are needed"
fi

# In one piece or not at all: make would take a half for the whole.

{
    echo '/* Made by util/page.sh of dashboard/page/: do not edit. */'
    echo
    echo '#include "ngx_http_recovery_page.h"'
    source_of ngx_http_recovery_page_head "$work/head"
    source_of ngx_http_recovery_page_tail "$work/tail"
    cat << END


const ngx_str_t  ngx_http_recovery_page_policy = ngx_string(
    "default-src 'none'; "
    "script-src 'sha256-$script'; "
    "style-src 'sha256-$style'; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'");
END
} > "$work/page.c"

mkdir -p "$(dirname "$out")"
mv "$work/page.c" "$out"
