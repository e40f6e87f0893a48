"""For every check of chapter 04 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import LET_THROUGH, MUTE_ENGINE, STRAY, Sabotage, file_made, served, stopped, unplugged

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "04-link"

_ADDRESS = "$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' mysql01)"
_RUN_WEB = "docker run -d --name web --network shop --link mysql01:db -p 8080:80 -v $PWD/www:/www"
_SERVE = "mysql httpd -f -p 80 -h /www"
_FRIEND = 'rule("host1", "filter", "DOCKER", target="ACCEPT", contains=(address_of("friend"), '


def _no_line(container: str, name: str) -> Sabotage:
    return file_made(container, "/etc/hosts", f"grep -vw {name} /tmp/kept")


def _no_names(container: str) -> Sabotage:
    return file_made(container, "/etc/resolv.conf", "grep -v nameserver /tmp/kept")


def _line(container: str, name: str, address: str = "192.0.2.1") -> Sabotage:
    """The hosts file has one line more."""
    return Sabotage(
        f"docker exec {container} cp /etc/hosts /tmp/hosts\n"
        f'docker exec {container} sh -c "echo {address} {name} >> /etc/hosts"',
        f"docker exec {container} sh -c 'cat /tmp/hosts > /etc/hosts'",
    )


def _gone(page: str) -> Sabotage:
    return Sabotage(f"mv www/cgi-bin/{page} www/cgi-bin/kept", f"mv www/cgi-bin/kept www/cgi-bin/{page}")


def _paused(container: str) -> Sabotage:
    """It does not run; unlike one that was stopped it can go on though what it is linked to is down."""
    return Sabotage(f"docker pause {container}", f"docker unpause {container}")


# Off the default bridge a container has no links any more; on it again, they are as before.
_UNLINKED = Sabotage("docker network disconnect bridge web", "docker network connect bridge web")
_DB_STOPPED = Sabotage(
    "docker stop mysql01",
    "docker start mysql01\n"
    "until docker exec mysql01 mysql -uroot -ps3cret -e 'select 1' >/dev/null 2>&1; do sleep 0.2; done",
)
_NO_RULE = Sabotage(
    "iptables -S DOCKER | grep -- '--dport 80' > /tmp/rule\niptables $(sed 's/^-A/-D/' /tmp/rule)",
    "iptables $(cat /tmp/rule)",
)

SABOTAGE: dict[str, Sabotage] = {
    'not_prints("plain", "cat /etc/hosts", "mysql01")': _line("plain", "mysql01"),
    'reaches("plain", address_of("mysql01"), port=3306)': unplugged("plain"),
    'prints("client", "curl -s http://host1:8080/cgi-bin/page", "answers")': _gone("page"),
    'not_reaches("client", "host1", port=3306)': served("3306"),
    'prints("web", "grep -w db /etc/hosts", address_of("mysql01"))': _no_line("web", "db"),
    'not_prints("plain", "cat /etc/hosts", address_of("mysql01"))': _line("plain", "db", _ADDRESS),
    'not_prints("mysql01", "cat /etc/hosts", "web")': _line("mysql01", "web"),
    'reaches("mysql01", address_of("web"), port=80)': unplugged("web"),
    'no_rule("host1", "filter", "DOCKER", target="ACCEPT", contains="3306")': Sabotage(
        "iptables -A DOCKER -p tcp --dport 3306 -j ACCEPT", "iptables -D DOCKER -p tcp --dport 3306 -j ACCEPT"
    ),
    'ports("host1", "docker0", 3)': STRAY,
    'prints("web", "env", "DB_PORT_3306_TCP_ADDR=" + address_of("mysql01"))': _DB_STOPPED,
    'prints("web", "env", "DB_ENV_MYSQL_ROOT_PASSWORD=s3cret")': _DB_STOPPED,
    'prints("host1", "curl -s http://host1:8080/cgi-bin/by-variable", "answers")': _gone("by-variable"),
    'not_prints("web", "env", "DB_PORT")': _paused("web"),
    'prints("host1", "cat before", address_of("thief"))': Sabotage("mv before kept\ntouch before", "mv kept before"),
    "prints(\"web\", \"tr '\\\\0' '\\\\n' < /proc/1/environ\", "
    '"DB_PORT_3306_TCP_ADDR=" + address_of("thief"))': stopped("thief"),
    'prints("host1", "curl -s http://host1:8080/cgi-bin/by-variable", "Can\'t connect")': _gone("by-variable"),
    'container_running("web")': _paused("web"),
    'prints("host1", "docker exec web true 2>&1 || true", "Cannot link to a non running container")': Sabotage(
        "docker start mysql01", "docker stop mysql01"
    ),
    'container_state("web", "exited")': Sabotage(
        "docker start mysql01\ndocker start web", "docker stop -t 0 web\ndocker stop mysql01"
    ),
    'container_running("mysql01")': _paused("mysql01"),
    'prints("host1", "docker exec web hostname 2>&1 || true", "Cannot link to a non running container")': _UNLINKED,
    'prints("host1", "docker inspect --format \'{{.HostConfig.Links}}\' web", "/mysql01:/web/db")': MUTE_ENGINE,
    f'{_FRIEND}address_of("site"), "--dport 80"))': _NO_RULE,
    'reaches("friend", "pages", port=80)': _no_line("friend", "pages"),
    'not_reaches("other", address_of("site"))': LET_THROUGH,
    'prints("friend", "grep -w pages /etc/hosts", address_of("site"))': _no_line("friend", "pages"),
    f'{_FRIEND}address_of("thief"), "--dport 80"))': _NO_RULE,
    'not_reaches("friend", "pages", port=80)': LET_THROUGH,
    'not_prints("web", "cat /etc/hosts", "mysql01")': _line("web", "mysql01"),
    'not_prints("web", "env", "DB_")': Sabotage(
        f"docker rm -f web\n{_RUN_WEB} -e DB_PORT=x {_SERVE}", f"docker rm -f web\n{_RUN_WEB} {_SERVE}"
    ),
    'prints("web", "cat /etc/resolv.conf", "nameserver 127.0.0.11")': _no_names("web"),
    'reaches("web", "db", port=3306)': _no_names("web"),
    'reaches("plain", "mysql01")': _no_names("plain"),
    'reaches("mysql01", "web")': _no_names("mysql01"),
    'prints("host1", "docker exec plain ping -c 1 -W 1 db 2>&1 || true", "bad address")': _line("plain", "db"),
    'reaches("plain", "db")': _no_names("plain"),
}

SELDOM: dict[str, tuple[str, ...]] = {}
"""Hints for states that are rare or plain, as in sabotage.py."""
