#!/bin/sh
# sudo for a host without it: root stays root, and a user becomes root by the capabilities that
# logins are given for this.
. /run/alicloud-local/library.sh
login=
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        -u | -g | -p | -C | -h | -r | -t | -U)
            [ "$1" != -u ] || [ "$2" = root ] || { simulated "sudo -u $2: stays root"; }
            shift 2 ;;
        -i | -s | --login | --shell) login=yes; shift ;;
        -v | -k | -K | -l) exit 0 ;;
        -*) shift ;;
        *=*) export "$1"; shift ;;
        *) break ;;
    esac
done
if [ $# -eq 0 ]; then
    [ -n "$login" ] || { echo 'usage: sudo COMMAND' >&2; exit 1; }
    set -- "${SHELL:-/bin/sh}"
fi
case $1 in *=*) set -- env "$@" ;; esac
if [ -w "$state" ]; then
    exec "$@"
fi
if ! command -v setpriv >/dev/null 2>&1; then
    printf '[simulated] sudo: this host has neither sudo nor setpriv, which it takes to become root\n' >&2
    exit 1
fi
SUDO_USER=$USER HOME=/root USER=root LOGNAME=root
export SUDO_USER HOME USER LOGNAME
exec setpriv --reuid=0 --regid=0 --clear-groups --inh-caps=-all --ambient-caps=-all -- "$@"
