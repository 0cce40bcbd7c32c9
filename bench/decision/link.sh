#!/bin/bash
#
# link.sh OUTPUT: bench/decision/limit_req.c with the objects of the nginx that
# is in build/nginx-static, but for its main() and its own limit_req.

set -euo pipefail

output=$1
cc=${CC:-cc}
tree=build/nginx-static
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$(dirname "$0")/../.."

objcopy --redefine-sym main=nginx_main "$tree/objs/src/core/nginx.o" \
    "$work/nginx.o"

mapfile -d '' objects < <(find "$tree/objs" -name '*.o' ! -name nginx.o \
                               ! -name ngx_http_limit_req_module.o -print0)

includes=(-I "$tree/objs" -I "$tree/src/http/modules")

while IFS= read -r -d '' dir; do
    includes+=(-I "$dir")
done < <(find -L "$tree/src" -type d ! -path '*/win32*' -print0)

# what nginx itself is linked with, as its Makefile has it

mapfile -t libraries < <(
    grep -oE '[[:space:]](-l[^[:space:]]+|/[^[:space:]]+\.a)' \
         "$tree/objs/Makefile" | tr -d ' \t' | sort -u)

"$cc" -std=gnu11 -O2 -g -fstack-protector-strong -I bench/decision \
    "${includes[@]}" -o "$output" bench/decision/limit_req.c \
    bench/decision/race.c "$work/nginx.o" "${objects[@]}" -Wl,-E \
    "${libraries[@]}"
