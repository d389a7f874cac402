#!/bin/sh
# reboot, shutdown, poweroff, halt, init: these are real; the machine stops or starts again.
. /run/alicloud-local/library.sh

action=poweroff when=
case $program in
    reboot) action=reboot ;;
    init | telinit)
        case $1 in
            6) action=reboot ;;
            0) ;;
            *) simulated "$program $1: nothing to do"; exit 0 ;;
        esac
        shift ;;
esac
for word; do
    case $word in
        -r | --reboot) action=reboot ;;
        -c) simulated 'shutdown -c: nothing is scheduled'; exit 0 ;;
        -h | -P | -p | -H | --poweroff | --halt) action=poweroff ;;
        -* | now) ;;
        +* | [0-9]*) when=$word ;;
    esac
done
need_root
if [ -n "$when" ]; then
    simulated "$program at $when happens now"
fi
# The first process takes USR1 for off and USR2 for again. Waiting here makes the end of the
# connection the end of the script, whatever the machine's speed.
case $action in
    reboot) kill -USR2 1 ;;
    *) kill -USR1 1 ;;
esac || exit 1
read -r _ </run/alicloud-local/never
