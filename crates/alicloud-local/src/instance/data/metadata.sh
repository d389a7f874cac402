#!/bin/sh
# curl, wget: the host's own, but what is asked of http://100.100.100.200 is asked of this machine's part of the cloud's
# metadata service: a sandbox on the host's network cannot have that address.
. /run/alicloud-local/library.sh
read -r own </run/alicloud-local/metadata/url

for real in "/usr/bin/$program" "/bin/$program" ''; do
    if [ -x "$real" ]; then break; fi
done
if [ -z "$real" ]; then
    printf '%s: this host has no program of that name\n' "$program" >&2
    exit 127
fi
for word; do
    shift
    case $word in
        http://100.100.100.200) word=$own/ ;;
        http://100.100.100.200/*) word=$own/${word#http://100.100.100.200/} ;;
        100.100.100.200/*) word=$own/${word#100.100.100.200/} ;;
    esac
    set -- "$@" "$word"
done
exec "$real" "$@"
