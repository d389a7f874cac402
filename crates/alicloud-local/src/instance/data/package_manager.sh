#!/bin/sh
# yum, dnf, rpm, zypper, apk, apt-get, apt, dpkg: nothing is downloaded; the names are recorded and
# questions are answered from the record.
. /run/alicloud-local/library.sh
list=$state/packages

recorded() { [ -f "$list" ] && while read -r line; do [ "${line%% *}" = "$1" ] && return 0; done <"$list"; return 1; }
record() { recorded "$1" || printf '%s %s\n' "$1" "$program" >>"$list"; }
forget() {
    [ -f "$list" ] || return 0
    kept=
    while read -r line; do
        [ "${line%% *}" = "$1" ] || kept="$kept$line
"
    done <"$list"
    printf '%s' "$kept" >"$list"
}
all() { [ ! -f "$list" ] || while read -r line; do printf '%s\n' "${line%% *}"; done <"$list"; }
fail() { printf '%s: %s\n' "$program" "$*" >&2; exit 1; }
confirm() {
    [ -n "$yes" ] && return 0
    case $program in yum | dnf | zypper) ;; *) return 0 ;; esac
    printf 'Is this ok [y/N]: '
    answer=
    read -r answer || :
    case $answer in y | Y | yes) ;; *) printf 'Exiting on user command\n'; exit 1 ;; esac
}

do_install() {
    need_root
    [ $# -gt 0 ] || fail 'no package is named'
    confirm
    for package; do record "$package"; done
    simulated "$program: recorded $* as installed, nothing was downloaded; $WHY_SIMULATED"
    case $program in
        yum | dnf) printf '\nInstalled:\n'; printf '  %s\n' "$@"; printf '\nComplete!\n' ;;
        apk) printf '(%s) Installing %s\n' 1 "$*"; printf 'OK\n' ;;
        *) printf 'Setting up %s ...\n' "$@" ;;
    esac
}
do_remove() {
    need_root
    [ $# -gt 0 ] || fail 'no package is named'
    confirm
    for package; do forget "$package"; done
    simulated "$program: recorded $* as removed; $WHY_SIMULATED"
}
do_nothing() { need_root; simulated "$program $verb: nothing was downloaded; $WHY_SIMULATED"; }
do_search() {
    found=
    for package; do
        if recorded "$package"; then printf '%s\n' "$package"; found=yes; fi
    done
    [ -n "$found" ]
}

yes= verb= words=
query=
for word; do
    case $word in
        -y | --assumeyes | --assume-yes | --yes | -qy | -yq | --non-interactive | -n | --no-confirm) yes=yes ;;
        -*) [ "$program" != rpm ] && [ "$program" != dpkg ] || query="$query $word" ;;
        *) if [ -z "$verb" ] && [ "$program" != rpm ] && [ "$program" != dpkg ]; then verb=$word; else words="$words $word"; fi ;;
    esac
done
# Package names hold no blanks.
# shellcheck disable=SC2086
set -- $words

case $program in
    rpm | dpkg | dpkg-query)
        case $query in
            *' --import'*) need_root; simulated "rpm --import: no key was read" ;;
            *' -qa'* | *' -l'* | *' --get-selections'*) if [ $# -gt 0 ] && [ "$program" != rpm ]; then do_search "$@"; else all; fi ;;
            *' -q'* | *' --query'* | *' -s'* | *' -W'*)
                for package; do
                    recorded "$package" || { printf 'package %s is not installed\n' "$package"; exit 1; }
                    printf '%s\n' "$package"
                done ;;
            *' -i'* | *' -U'* | *' -F'* | *' --install'* | *' --upgrade'*) do_install "$@" ;;
            *' -e'* | *' --erase'* | *' -r'* | *' -P'* | *' --remove'* | *' --purge'*) do_remove "$@" ;;
            *' --configure'* | *' --print-architecture'*) [ "$query" != ' --print-architecture' ] || echo amd64 ;;
            *' --version'*) echo "$program (simulated)" ;;
            *) fail "what is asked is not simulated:$query" ;;
        esac ;;
    *)
        case $verb in
            install | reinstall | localinstall | groupinstall | add | in) do_install "$@" ;;
            remove | erase | purge | autoremove | del | rm)
                if [ $# -eq 0 ] && [ "$verb" = autoremove ]; then do_nothing; else do_remove "$@"; fi ;;
            update | upgrade | dist-upgrade | full-upgrade | makecache | check-update | clean | autoclean | refresh | ref | up | dup | fix | build-dep | hold | unhold | manual | auto)
                if [ $# -gt 0 ] && { [ "$program" = yum ] || [ "$program" = dnf ]; } && [ "$verb" = update ]; then do_install "$@"; else do_nothing; fi ;;
            list | info | search | show | se | policy | showmanual)
                case "$*" in
                    '' | installed | --installed) all ;;
                    'installed '*) shift; do_search "$@" ;;
                    *) do_search "$@" ;;
                esac ;;
            repolist | repos | lr | history) echo 'simulated   no repository is used' ;;
            --version | -v | version) echo "$program (simulated)" ;;
            '') fail 'a command is wanted' ;;
            *) fail "\`$verb\` is not simulated" ;;
        esac ;;
esac
