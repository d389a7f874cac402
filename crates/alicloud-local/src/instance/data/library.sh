# Shared by the simulated programs of an instance.
. /run/alicloud-local/settings.sh
state=/var/lib/alicloud-local
program=${0##*/}

# Announces what is not real, to the user and to the server.
simulated() {
    printf '[simulated] %s\n' "$*" >&2
    printf '%s\n' "$*" 2>/dev/null >/run/alicloud-local/notes || :
}

# Nobody but root may change the state; the folder knows.
need_root() {
    if ! [ -w "$state" ]; then
        printf '%s: this needs root\n' "$program" >&2
        exit 1
    fi
}
