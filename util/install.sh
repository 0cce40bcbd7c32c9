#!/bin/bash
#
# install.sh NGINX [DESTDIR]
#
# Puts the module where that nginx looks for modules, the presets beside its
# configuration, the tools into /usr/bin, their manual pages where man looks
# and their completion where bash does; all below DESTDIR.  Enables nothing:
# "load_module modules/ngx_http_recovery_module.so;" does.

set -euo pipefail

cd "$(dirname "$0")/.."

nginx=$1 destdir=${2-}


# configured NAME DEFAULT: what nginx was built with.

configured() {
    local value

    value=$("$nginx" -V 2>&1 | sed -n "s/.* --$1=\([^ ]*\).*/\1/p")
    echo "${value:-$2}"
}


prefix=$(configured prefix /usr/local/nginx)
modules=$(configured modules-path "$prefix/modules")
conf=$(configured conf-path "$prefix/conf/nginx.conf")
presets=$(dirname "$conf")/recovery/presets

man=/usr/share/man/man1
completions=/usr/share/bash-completion/completions

install -d "$destdir$modules" "$destdir$presets" "$destdir/usr/bin" \
    "$destdir$man" "$destdir$completions"
install -m 644 build/ngx_http_recovery_module.so "$destdir$modules"
install -m 644 lua-free-policies/presets/*.conf "$destdir$presets"

for tool in build/recovery-sim build/recoveryctl; do
    if [ -x "$tool" ]; then
        install -m 755 "$tool" "$destdir/usr/bin"
    fi
done

install -m 644 tools/*/*.1 "$destdir$man"
install -m 644 tools/recoveryctl/recoveryctl.bash \
    "$destdir$completions/recoveryctl"

echo "installed: $destdir$modules/ngx_http_recovery_module.so," \
     "presets in $destdir$presets, tools in $destdir/usr/bin," \
     "manual pages in $destdir$man, completion in $destdir$completions"
