#!/bin/sh
# hostnamectl: the name is written down for the image; the running machine keeps its own.
. /run/alicloud-local/library.sh
case $1 in
    set-hostname | hostname)
        [ -n "$2" ] || { read -r name </proc/sys/kernel/hostname; echo "$name"; exit 0; }
        need_root
        printf '%s\n' "$2" >/etc/hostname
        simulated "hostnamectl $1 $2: written to /etc/hostname; the name changes with the next machine" ;;
    '' | status)
        read -r name </etc/hostname
        printf '   Static hostname: %s\n    Virtualization: simulated\n' "$name" ;;
    *)
        printf 'hostnamectl: unknown operation %s\n' "$1" >&2
        exit 1 ;;
esac
