#!/bin/bash
#
# vendor-uplot.sh [VERSION]
#
# Without VERSION: is what lies in dashboard/page/vendor/uplot/ what came from
# npm, of the version that SHA256SUMS names, with its licence?  With it:
# fetches that version in its place; the only time that npm is needed.

set -euo pipefail

cd "$(dirname "$0")/../dashboard/page/vendor/uplot"

files=(LICENSE uPlot.iife.min.js uPlot.min.css)


die() {
    echo "vendor-uplot: $*" >&2
    exit 1
}


fetch() {
    local version=$1 dir

    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' RETURN

    (cd "$dir" && npm pack --silent "uplot@$version" > /dev/null &&
     tar -xzf "uplot-$version.tgz") || die "npm has no uplot $version"

    cp "$dir/package/LICENSE" "$dir"/package/dist/uPlot.iife.min.js \
       "$dir"/package/dist/uPlot.min.css .
    { echo "# uplot $version"; sha256sum "${files[@]}"; } > SHA256SUMS
}


[ $# -eq 0 ] || fetch "$1"

version=$(sed -n '1s/^# uplot //p' SHA256SUMS)

[ "$(printf '%s\n' * | sort)" = "$(printf '%s\n' SHA256SUMS "${files[@]}" |
                                   sort)" ] || die "not these files: $(echo *)"
[ "$(awk '!/^#/ { print $2 }' SHA256SUMS)" = \
  "$(printf '%s\n' "${files[@]}")" ] || die "SHA256SUMS is not of all files"
sha256sum --quiet -c SHA256SUMS || die "not what came from npm"
head -n 1 uPlot.iife.min.js | grep -qF "(v$version)" ||
    die "uPlot.iife.min.js is not of version $version"
grep -q '^The MIT License' LICENSE || die "not under the MIT licence"
