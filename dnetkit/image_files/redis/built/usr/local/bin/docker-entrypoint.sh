#!/bin/sh
# Start Redis as its own user, so that other machines may ask it; anything else is run as it is.
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
    shift
    config=
    case ${1:-} in
        '' | -*) ;;
        *)
            config=$1
            shift
            ;;
    esac
    # Without a password Redis answers only its own machine, unless it is told otherwise.
    set -- redis-server ${config:+"$config"} --protected-mode no "$@"
    if [ "$(id -u)" = 0 ]; then
        chown redis:redis .
        # shellcheck disable=SC2016 # the inner shell is the one that expands it
        exec su -s /bin/sh redis -c 'exec "$0" "$@"' -- "$@"
    fi
fi
exec "$@"
