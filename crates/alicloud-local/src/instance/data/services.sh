#!/bin/sh
# systemctl, service and chkconfig: no service manager runs here; what they are told is recorded.
. /run/alicloud-local/library.sh
enabled=$state/services.enabled
started=/run/alicloud-local-services

known() { [ -f "$1" ] && while read -r line; do [ "$line" = "$2" ] && return 0; done <"$1"; return 1; }
add() { known "$1" "$2" || printf '%s\n' "$2" >>"$1"; }
drop() {
    [ -f "$1" ] || return 0
    kept=
    while read -r line; do
        [ "$line" = "$2" ] || kept="$kept$line
"
    done <"$1"
    printf '%s' "$kept" >"$1"
}

# act VERB UNIT...
act() {
    verb=$1
    shift
    case $verb in
        daemon-reload | daemon-reexec | reset-failed | preset) need_root; simulated "$program $verb: nothing to do"; return 0 ;;
        list-units | list-unit-files | list-timers) [ ! -f "$enabled" ] || while read -r unit; do printf '%s enabled\n' "$unit"; done <"$enabled"; return 0 ;;
    esac
    if [ $# -eq 0 ]; then
        printf '%s: no unit is named\n' "$program" >&2
        return 1
    fi
    for unit; do
        unit=${unit%.service}
        case $verb in
            enable) need_root; add "$enabled" "$unit"; simulated "$program enable $unit: recorded; no service manager runs here"
                [ -z "$now" ] || add "$started" "$unit" ;;
            disable | mask) need_root; drop "$enabled" "$unit"; simulated "$program $verb $unit: recorded; no service manager runs here"
                [ -z "$now" ] || drop "$started" "$unit" ;;
            unmask) need_root; simulated "$program unmask $unit: recorded; no service manager runs here" ;;
            start | restart | reload | try-restart | reload-or-restart | condrestart)
                need_root; add "$started" "$unit"; simulated "$program $verb $unit: recorded; the service does not run" ;;
            stop | kill) need_root; drop "$started" "$unit"; simulated "$program $verb $unit: recorded; the service did not run" ;;
            is-active) if known "$started" "$unit"; then echo active; else echo inactive; return 3; fi ;;
            is-enabled) if known "$enabled" "$unit"; then echo enabled; else echo disabled; return 1; fi ;;
            status)
                if known "$started" "$unit"; then
                    printf '%s.service (simulated)\n   Active: active (running)\n' "$unit"
                else
                    printf '%s.service (simulated)\n   Active: inactive (dead)\n' "$unit"
                    return 3
                fi ;;
            *) printf '%s: unknown operation %s\n' "$program" "$verb" >&2; return 1 ;;
        esac
    done
}

now=
words=
case $program in
    service)
        unit=$1 verb=${2:-status}
        [ -n "$unit" ] || { echo 'usage: service NAME ACTION' >&2; exit 1; }
        act "$verb" "$unit" ;;
    chkconfig)
        [ "$1" != --add ] || { set -- "$2" on; }
        [ "$1" != --level ] || shift 2
        case $2 in
            on) act enable "$1" ;;
            off) act disable "$1" ;;
            '') act is-enabled "$1" ;;
            *) echo 'usage: chkconfig NAME on|off' >&2; exit 1 ;;
        esac ;;
    *)
        for word; do
            case $word in
                --now) now=yes ;;
                -*) ;;
                reboot | poweroff | halt) exec "/run/alicloud-local/bin/$word" ;;
                *) words="$words $word" ;;
            esac
        done
        # Unit names hold no blanks.
        # shellcheck disable=SC2086
        act ${words:-list-units} ;;
esac
