#!/bin/bash
#
# nginx-source.sh
#
# Fetches the source package of the installed Debian nginx into build/source/
# and prints the directory; nothing is fetched twice.  A private apt root is
# used: the machine's own lists stay as they are.

set -euo pipefail

nginx=${RCV_NGINX:-/usr/sbin/nginx}

cd "$(dirname "$0")/.."


die() {
    echo "nginx-source: $*" >&2
    exit 1
}


version=$("$nginx" -v 2>&1 | sed -n 's#.*nginx/\([0-9.]*\).*#\1#p')
[ -n "$version" ] || die "\"$nginx -v\" tells no version"

debian=$(dpkg-query -W -f '${source:Version}' nginx 2>/dev/null || true)
dir=build/source/nginx-$version

if [ -f "$dir/configure" ]; then
    echo "$PWD/$dir"
    exit 0
fi

root=$PWD/build/source/apt
mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/parts"

apt_options=(
    -qq
    -o "Dir::Etc::SourceList=$root/sources.list"
    -o "Dir::Etc::SourceParts=$root/parts"
    -o "Dir::State::Lists=$root/lists"
    -o "Dir::Cache=$root/cache"
    -o "APT::Sandbox::User="
    -o "Acquire::Retries=3"
)


# deb-src lines for the Debian archives that the machine itself uses.

write_sources() {
    local by origin uri release component

    # shellcheck disable=SC2016
    apt-get indextargets --format \
        '$(CREATED_BY) $(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
    while read -r by origin uri release component; do
        [ "$by $origin" = "Packages Debian" ] || continue
        echo "deb-src $uri $release $component"
    done | sort -u > "$root/sources.list"

    [ -s "$root/sources.list" ] ||
        echo "deb-src http://deb.debian.org/debian bookworm main" \
            > "$root/sources.list"
}


apt_source() {
    (cd build/source && apt-get "${apt_options[@]}" source "$@") >&2
}


# The whole package with Debian's patches; archives that lag behind may still
# have the upstream tarball alone, which differs in nothing that tests see.

fetch() {
    local known

    if [ -n "$debian" ] && command -v dpkg-source > /dev/null &&
       apt_source --download-only "nginx=$debian" 2> "$root/log"
    then
        (cd build/source &&
         dpkg-source --no-check -x "nginx_${debian#*:}.dsc") > /dev/null
        return
    fi

    for known in $(apt-cache "${apt_options[@]}" showsrc nginx |
                   sed -n "s/^Version: \($version-.*\)/\1/p" | sort -Vru)
    do
        if apt_source --tar-only --download-only "nginx=$known"; then
            mkdir -p "$dir.new"
            tar -xf "build/source/nginx_$version.orig.tar.gz" \
                -C "$dir.new" --strip-components=1
            mv "$dir.new" "$dir"
            return
        fi
    done

    die "no source of nginx $version in the archives of this machine"
}


write_sources
apt-get "${apt_options[@]}" update >&2
fetch
[ -f "$dir/configure" ] || die "no configure in $dir"
echo "$PWD/$dir"
