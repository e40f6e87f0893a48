#!/bin/sh
# Make this container's own host key, let in the keys that AUTHORIZED_KEYS holds, and start the server.
set -eu

case ${1:-} in
    '' | -*) set -- sshd "$@" ;;
esac
if [ "$1" = sshd ]; then
    shift
    [ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    if [ -n "${AUTHORIZED_KEYS-}" ]; then
        mkdir -p -m 700 /root/.ssh
        printf '%s\n' "$AUTHORIZED_KEYS" >>/root/.ssh/authorized_keys
        chmod 600 /root/.ssh/authorized_keys
    fi
    set -- /usr/sbin/sshd -D -e "$@"
fi
exec "$@"
