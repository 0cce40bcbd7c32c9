#!/bin/bash
#
# check-exports.sh MODULE.so
#
# A module may show three names and no more (see util/exports.map).

set -euo pipefail

module=${1:?usage: check-exports.sh MODULE.so}

want=$'ngx_module_names\nngx_module_order\nngx_modules'
have=$(nm -D --defined-only "$module" | awk '{ print $NF }' | LC_ALL=C sort)

if [ "$have" != "$want" ]; then
    echo "check-exports: $module must export exactly three names;" \
         "too many (<) or missing (>):" >&2
    diff <(echo "$have") <(echo "$want") | grep '^[<>]' | head -20 >&2 || true
    exit 1
fi

echo "check-exports: $module exports ${want//$'\n'/ } and no more"
