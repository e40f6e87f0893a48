#!/bin/sh
# Make the databases at the first start, with the passwords that the environment gives, then start the server.
set -eu

# A setting: MARIADB_NAME, or its older name MYSQL_NAME.
setting() {
    eval "printf %s \"\${MARIADB_$1-\${MYSQL_$1-}}\""
}

quoted() { # a string in SQL
    printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"
}

named() { # a name in SQL
    printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"
}

case ${1:-} in
    -*) set -- mariadbd "$@" ;;
esac
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
    shift
    data=/var/lib/mysql
    if [ ! -d "$data/mysql" ]; then
        password=$(setting ROOT_PASSWORD)
        if [ -n "$(setting RANDOM_ROOT_PASSWORD)" ]; then
            password=$(tr -dc a-zA-Z0-9 </dev/urandom | head -c 24)
            echo "GENERATED ROOT PASSWORD: $password"
        fi
        if [ -z "$password" ] && [ -z "$(setting ALLOW_EMPTY_ROOT_PASSWORD)$(setting ALLOW_EMPTY_PASSWORD)" ]; then
            echo "The database has no root password yet: set MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD" \
                "or MARIADB_RANDOM_ROOT_PASSWORD (docker run -e ...)." >&2
            exit 1
        fi
        chown mysql:mysql "$data"
        echo "Making the system's tables ..."
        mariadb-install-db --datadir="$data" --user=mysql --skip-test-db --auth-root-authentication-method=normal >/dev/null
        first=/run/mysqld/first.sql
        umask 077
        {
            # By their addresses is how others come; root of this container's name would be another root.
            echo "DELETE FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost';"
            echo "DELETE FROM mysql.proxies_priv WHERE host <> 'localhost';"
            echo "FLUSH PRIVILEGES;"
            echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "$password");"
            host=$(setting ROOT_HOST)
            echo "CREATE USER IF NOT EXISTS root@$(quoted "${host:-%}") IDENTIFIED BY $(quoted "$password");"
            echo "GRANT ALL ON *.* TO root@$(quoted "${host:-%}") WITH GRANT OPTION;"
            database=$(setting DATABASE) user=$(setting USER)
            [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS $(named "$database");"
            if [ -n "$user" ]; then
                echo "CREATE USER IF NOT EXISTS $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(setting PASSWORD)");"
                [ -z "$database" ] || echo "GRANT ALL ON $(named "$database").* TO $(quoted "$user")@'%';"
            fi
            for file in /docker-entrypoint-initdb.d/*.sql; do
                [ ! -f "$file" ] || { echo "USE $(named "${database:-mysql}");"; cat "$file"; }
            done
        } >"$first"
        chown mysql "$first"
        set -- --init-file="$first" "$@"
    fi
    set -- mariadbd "$@"
fi
exec "$@"
