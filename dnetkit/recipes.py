"""What the images are made of: for each the Debian packages, the files of ours, and how a container of it starts.

Names, ports, environment and commands are those of the images of that name that learners know from the public registry.
The files are in image_files/NAME: `added` goes into an image from a registry too, `built` only into one built here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dnetkit.layers import Config

__all__ = ["FILES", "PATH", "RECIPES", "TOOLS", "Recipe", "User"]

FILES = Path(__file__).parent / "image_files"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

TOOLS = "/opt/dnetkit/bin"
"""Where an image from a registry gets busybox and its names; last on PATH, after the image's own programs."""

_FORMAT = 1
"""Raised when images built by an older dnetkit have to be built again though their recipe is the same."""


@dataclass(frozen=True)
class User:
    """A user, and the group of the same name and number, that a server runs as."""

    name: str
    number: int
    home: str = "/nonexistent"


@dataclass(frozen=True)
class Recipe:
    """How an image is made.

    about: one line for the list of images. size: of its archive, about, in MB. packages: with what they depend on, but
    for those whose name matches one of `without`, which they need only for what no lab does. directories: path to owner
    (of `users`, or 'root'). links: path to target. added_environment: what an image from a registry gets too.
    """

    name: str
    about: str
    size: int
    config: Config
    packages: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    directories: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    added_environment: dict[str, str] = field(default_factory=dict)

    def files(self, kind: str) -> Path:
        """The directory of its files of that kind, 'added' or 'built'; it may be missing."""
        return FILES / self.name / kind

    def whole_config(self) -> Config:
        """The config of an image that is built, the added environment with it."""
        return replace(self.config, environment={**self.config.environment, **self.added_environment})

    def fingerprint(self) -> str:
        """Changes when the recipe or one of its files does."""
        found = hashlib.sha256(f"{_FORMAT} {self!r}".encode())
        folder = FILES / self.name
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found.update(f"\0{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
        return found.hexdigest()[:16]


def _environment(before: Sequence[str] = (), **more: str) -> dict[str, str]:
    """PATH, with directories before it, and what else there is."""
    return {"PATH": ":".join([*before, PATH]), **more}


FOR_INSTALLING = (
    *(
        r"perl.*",
        r"libperl.*",
        r"lib.*-perl",
        r"dpkg",
        r"tar",
        r"debconf",
        r"adduser",
        r"passwd",
        r"login(\.defs)?",
        r"ucf",
    ),
    *(
        r"init-system-helpers",
        r"sysvinit-utils",
        r"lsb-base",
        r"usrmerge",
        r"libsemanage.*",
        r"libsepol.*",
        r"gcc-.*-base",
    ),
    *(
        r"libaudit-common",
        r"libgdbm.*",
        r"libdb5.*",
        r"sensible-utils",
        r"base-passwd",
        r"base-files",
        r"busybox-static",
    ),
)
"""Packages that others need only while they are installed by their own scripts, which are not run."""

_DRAWING = (
    *(
        r"libcups2.*",
        r"libavahi.*",
        r"libdbus.*",
        r"libgnutls.*",
        r"libhogweed.*",
        r"libnettle.*",
        r"libp11.*",
        r"libtasn.*",
    ),
    *(
        r"libidn2.*",
        r"libunistring.*",
        r"libgmp.*",
        r"libk5.*",
        r"libkrb5.*",
        r"libgssapi.*",
        r"libkeyutils.*",
        r"libcom-err.*",
    ),
    *(r"libfreetype.*", r"fonts-.*", r"fontconfig.*", r"libfontconfig.*", r"liblcms.*", r"libjpeg.*", r"libharfbuzz.*"),
    *(
        r"libgraphite.*",
        r"libglib2.*",
        r"libasound.*",
        r"libpcsclite.*",
        r"libnss3.*",
        r"libnspr.*",
        r"libsqlite.*",
        r"libpng.*",
    ),
    *(r"libbrotli.*", r"libexpat.*", r"openssl", r"libssl.*", r"ca-certificates.*", r"libatomic.*"),
)
"""What a Java runtime needs to draw, print and play."""

_BUSYBOX = Recipe(
    "busybox",
    "sh, ip, ping, nc, wget and 260 more in one small program",
    2,
    Config(command=("sh",), environment=_environment()),
)

_REDIS = Recipe(
    "redis",
    "Redis, a store of keys and values: 6379/tcp",
    28,
    Config(
        entrypoint=("docker-entrypoint.sh",),
        command=("redis-server",),
        environment=_environment(),
        ports=("6379/tcp",),
        workdir="/data",
    ),
    packages=("redis-server",),
    users=(User("redis", 999, "/data"),),
    directories={"data": "redis"},
)

_TOMCAT = Recipe(
    "tomcat",
    "Apache Tomcat 10 on Java, with a page that counts in Redis: 8080/tcp",
    230,
    Config(
        command=("catalina.sh", "run"),
        environment=_environment(
            ["/usr/local/tomcat/bin", "/usr/lib/jvm/default-java/bin"],
            CATALINA_HOME="/usr/local/tomcat",
            JAVA_HOME="/usr/lib/jvm/default-java",
        ),
        ports=("8080/tcp",),
        workdir="/usr/local/tomcat",
    ),
    packages=("tomcat10-common", "default-jre-headless", "libeclipse-jdt-core-java"),
    without=_DRAWING,
    directories={f"usr/local/tomcat/{name}": "root" for name in ("logs", "temp", "work", "webapps")},
    links={
        "usr/local/tomcat/bin": "/usr/share/tomcat10/bin",
        "usr/local/tomcat/lib": "/usr/share/tomcat10/lib",
    },
    # A name is asked for anew each time; the rest is for a quick start on few cores.
    added_environment={
        "CATALINA_OPTS": "-Djava.security.properties=/usr/local/tomcat/conf/names.security "
        "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx96m"
    },
)

_MARIADB = Recipe(
    "mariadb",
    "MariaDB, an SQL database: 3306/tcp",
    82,
    Config(
        entrypoint=("docker-entrypoint.sh",),
        command=("mariadbd",),
        environment=_environment(),
        ports=("3306/tcp",),
    ),
    packages=("mariadb-server-core", "mariadb-client-core"),
    users=(User("mysql", 999, "/var/lib/mysql"),),
    directories={"var/lib/mysql": "mysql", "run/mysqld": "mysql", "docker-entrypoint-initdb.d": "root"},
    links={"usr/sbin/mysqld": "mariadbd"},
)

_HTTPD = Recipe(
    "httpd",
    "Apache, a web server whose page tells who serves and who asks: 80/tcp",
    31,
    Config(
        command=("httpd-foreground",),
        environment=_environment(["/usr/local/apache2/bin"], HTTPD_PREFIX="/usr/local/apache2"),
        ports=("80/tcp",),
        workdir="/usr/local/apache2",
        stop_signal="SIGWINCH",
    ),
    packages=("apache2-bin", "media-types"),
    without=(r"libicu.*", r"libxml2.*", r"libcurl4.*", r"libgnutls.*", r"libunistring.*", r"libsqlite.*"),
    users=(User("www-data", 33, "/usr/local/apache2"),),
    directories={"usr/local/apache2/logs": "root"},
    links={
        "usr/local/apache2/bin/httpd": "/usr/sbin/apache2",
        "usr/local/apache2/modules": "/usr/lib/apache2/modules",
        "usr/local/apache2/conf/mime.types": "/etc/mime.types",
        "etc/apache2/apache2.conf": "/usr/local/apache2/conf/httpd.conf",
    },
)

_DNSMASQ = Recipe(
    "dnsmasq",
    "a DNS server that knows the names it is told: 53/udp, 53/tcp",
    18,
    Config(
        # NXDOMAIN for every name but those of more arguments: it asks no other server.
        entrypoint=(
            *("dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-queries", "--user=root"),
            *("--no-resolv", "--no-hosts", "--local-ttl=1", "--local=/#/", "--conf-dir=/etc/dnsmasq.d"),
        ),
        environment=_environment(),
        ports=("53/tcp", "53/udp"),
    ),
    packages=("dnsmasq-base",),
    directories={"etc/dnsmasq.d": "root", "var/lib/misc": "root"},
)

_SSHD = Recipe(
    "sshd",
    "OpenSSH, the server and its clients: 22/tcp",
    30,
    Config(
        entrypoint=("docker-entrypoint.sh",),
        command=("sshd",),
        environment=_environment(),
        ports=("22/tcp",),
    ),
    packages=("openssh-server", "openssh-client"),
    without=(r"libsystemd-shared.*", r"runit-helper", r"libpam-runtime", r"procps", r"libproc2.*"),
    users=(User("sshd", 100, "/run/sshd"),),
    directories={"run/sshd": "root", "etc/ssh/sshd_config.d": "root"},
)

RECIPES = {recipe.name: recipe for recipe in (_BUSYBOX, _REDIS, _TOMCAT, _MARIADB, _HTTPD, _DNSMASQ, _SSHD)}
