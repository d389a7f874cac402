#!/bin/sh
# sleep on the machine's clock, which may run faster than the host's.
. /run/alicloud-local/library.sh

for real in /usr/bin/sleep /bin/sleep ''; do
    if [ -x "$real" ]; then break; fi
done
if [ -z "$real" ]; then
    printf 'sleep: this host has no program of that name\n' >&2
    exit 127
fi

total=0 # milliseconds
[ $# -gt 0 ] || exec "$real"
for time; do
    case $time in
        *d) unit=86400000 number=${time%d} ;;
        *h) unit=3600000 number=${time%h} ;;
        *m) unit=60000 number=${time%m} ;;
        *s) unit=1000 number=${time%s} ;;
        *) unit=1000 number=$time ;;
    esac
    # Options, `infinity` and mistakes are for the real one to answer.
    case $number in
        '' | . | *[!0-9.]* | *.*.*) exec "$real" "$@" ;;
    esac
    whole=${number%%.*} fraction=
    case $number in *.*) fraction=${number#*.} ;; esac
    fraction=${fraction}000
    fraction=${fraction%"${fraction#???}"}
    # A leading zero would mean octal.
    while :; do case $whole in 0?*) whole=${whole#0} ;; *) break ;; esac; done
    while :; do case $fraction in 0?*) fraction=${fraction#0} ;; *) break ;; esac; done
    total=$((total + ${whole:-0} * unit + fraction * unit / 1000))
done

real_time=$((total * 1000 / SPEED_THOUSANDTHS))
seconds=$((real_time / 1000)) rest=$((real_time % 1000))
while [ ${#rest} -lt 3 ]; do rest=0$rest; done
shown=$seconds.$rest
while :; do case $shown in *.*0) shown=${shown%0} ;; *.) shown=${shown%.} ;; *) break ;; esac; done
simulated "sleep $* passes in $shown s"
exec "$real" "$seconds.$rest"
