"""The images of the catalogue really serve: each is asked over the network, by another container."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator

import pytest
from leaks import Watch
from waiting import wait_for

from dnetkit import images
from dnetkit.lab import Lab

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first to run makes them all

NAMES = ["busybox", "alpine", "redis", "tomcat", "mariadb", "mysql", "httpd", "dnsmasq", "sshd"]

START = """
docker network create shop
docker run -d --name redis --network shop redis
docker run -d --name web --network shop -p 8080:8080 tomcat
docker run -d --name db --network shop -e MYSQL_ROOT_PASSWORD="it's \\ me" -e MARIADB_DATABASE=shop \
    -e MARIADB_USER=web -e MARIADB_PASSWORD=w3b mariadb
docker run -d --name page --network shop -p 80:80 httpd
docker run -d --name dns dnsmasq --host-record=printer.shop.example,192.0.2.7
mkdir /root/keys
docker run --rm -v /root/keys:/keys sshd ssh-keygen -q -t ed25519 -N '' -f /keys/id
docker run -d --name ssh --network shop -e AUTHORIZED_KEYS="$(cat /root/keys/id.pub)" sshd
"""


@pytest.fixture(scope="module")
def shop(watch: Watch) -> Iterator[Lab]:
    """An open lab in which every server runs."""
    with watch.nothing_left(whole=True), Lab(images=NAMES) as opened:
        opened.host.run(START)
        yield opened


def said(shop: Lab, command: str) -> str:
    """What a command printed on the host, its last line."""
    return shop.host.run(command).stdout.rstrip("\n").rpartition("\n")[2]


def asked(shop: Lab, image: str, command: str, *, network: str = "shop") -> str:
    """What a container of that image, on the same network, was answered; asked until there is an answer."""
    line = f"docker run --rm --network {network} {image} {command}"

    def answer() -> str:
        result = shop.host.run(line, check=False)
        return result.stdout if result.ok else ""

    return wait_for(line, answer, 20)


def test_redis_answers_ping_over_the_network(shop: Lab) -> None:
    assert asked(shop, "redis", "redis-cli -h redis ping") == "PONG\n"


def test_redis_runs_as_a_user_of_its_own_who_owns_its_data(shop: Lab) -> None:
    assert said(shop, "docker exec redis stat -c %U:%G /data") == "redis:redis"
    assert said(shop, "docker exec redis stat -c %U /proc/1") == "redis"
    assert said(shop, "docker exec redis id -u") == "0"


def test_redis_takes_more_arguments(shop: Lab) -> None:
    shop.host.run("docker run -d --name other --network shop redis --port 7000")
    assert asked(shop, "redis", "redis-cli -h other -p 7000 ping") == "PONG\n"
    shop.host.run("docker rm -f other")


def test_tomcat_s_page_counts_in_redis_by_its_name(shop: Lab) -> None:
    def visit() -> tuple[str, int]:
        page = asked(shop, "busybox", "wget -qO- http://web:8080/")
        found = re.fullmatch(
            r"Tomcat on (\w+) at 172\.\S+:8080, asked by 172\.\S+\n"
            r"Redis by the name redis at 172\.\S+:6379: visit (\d+)\n",
            page,
        )
        assert found, page
        return found[1], int(found[2])

    host, before = visit()
    assert host == said(shop, "docker exec web hostname")
    assert visit()[1] == before + 1
    assert asked(shop, "redis", "redis-cli -h redis get visits") == f"{before + 1}\n"


def test_tomcat_s_page_says_why_it_cannot_count(shop: Lab) -> None:
    shop.host.run("docker run -d --name lonely --network shop -e REDIS_HOST=page:6379 tomcat")
    page = asked(shop, "busybox", "wget -qO- http://lonely:8080/")
    assert re.search(r"^Redis by the name page:6379 at 172\.\S+:6379: Connection refused$", page, re.MULTILINE), page
    shop.host.run("docker rm -f lonely")


def test_mariadb_answers_a_query_from_the_network(shop: Lab) -> None:
    answer = asked(shop, "mariadb", "mariadb -h db -uweb -pw3b shop -N -e 'select database(), 6*7'")
    assert answer == "shop\t42\n"
    answer = asked(shop, "mysql", """mysql -h db -uroot -p"it's \\ me" -N -e 'select current_user()'""")
    assert answer == "root@%\n"
    assert said(shop, "docker exec db stat -c %U /var/lib/mysql /proc/1") == "mysql"


def test_mariadb_lets_no_one_in_with_a_wrong_password(shop: Lab) -> None:
    asked(shop, "mariadb", "mariadb -h db -uweb -pw3b -e 'select 1'")
    refused = shop.host.run(
        "docker run --rm --network shop mariadb mariadb -h db -uroot -pwrong -e 'select 1'", check=False
    )
    assert "Access denied for user 'root'@'172." in refused.stderr


def test_mariadb_without_a_password_says_what_it_needs(shop: Lab) -> None:
    refused = shop.host.run("docker run --rm mariadb", check=False)
    assert refused.steps[-1].status == 1
    assert "set MARIADB_ROOT_PASSWORD" in refused.stderr


def test_httpd_s_page_tells_who_serves_and_who_asks(shop: Lab) -> None:
    page = asked(shop, "busybox", "wget -qO- http://page/")
    assert re.fullmatch(r"httpd on \w{12} at 172\.\S+:80, asked by 172\.\S+\n", page), page
    assert shop.client is not None
    page = shop.client.run("busybox wget -qO- http://host1/").stdout
    assert re.fullmatch(r"httpd on \w{12} at 172\.\S+:80, asked by (198\.51\.100\.100|172\.\S+)\n", page), page


def test_httpd_serves_what_is_put_into_its_folder(shop: Lab) -> None:
    shop.host.run("mkdir /root/site; echo '<h1>mine</h1>' >/root/site/index.html")
    shop.host.run("docker run -d --name mine --network shop -v /root/site:/usr/local/apache2/htdocs httpd")
    assert asked(shop, "busybox", "wget -qO- http://mine/") == "<h1>mine</h1>\n"
    shop.host.run("docker rm -f mine")


def test_dnsmasq_is_asked_as_a_container_s_dns_server(shop: Lab) -> None:
    address = said(shop, "docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' dns")
    known = shop.host.run(f"docker run --rm --dns {address} busybox nslookup printer.shop.example")
    assert "Address: 192.0.2.7" in known.stdout
    unknown = shop.host.run(f"docker run --rm --dns {address} busybox nslookup plotter.shop.example", check=False)
    assert "NXDOMAIN" in unknown.stdout
    assert unknown.duration < 5
    assert "query[A] printer.shop.example from 172." in shop.host.run("docker logs dns 2>&1").stdout


def test_sshd_lets_in_who_has_the_key_and_no_one_else(shop: Lab) -> None:
    client = "sshd ssh -o StrictHostKeyChecking=accept-new -o BatchMode=yes"
    key = "-v /root/keys/id:/root/.ssh/id_ed25519"
    assert asked(shop, f"{key} {client}", "ssh hostname") == said(shop, "docker exec ssh hostname") + "\n"
    refused = shop.host.run(f"docker run --rm --network shop {client} ssh hostname", check=False)
    assert "Permission denied (publickey)" in refused.stderr
    assert "Accepted publickey for root from 172." in shop.host.run("docker logs ssh 2>&1").stdout


def test_names_that_stand_for_others_are_there(shop: Lab) -> None:
    for name in ("alpine", "mysql"):
        found = images.cached(images.look_up(name))
        assert found is not None
        if found.stand_in:
            both = f"docker image inspect -f '{{{{.Id}}}}' {name} {found.stand_in} | uniq | wc -l"
            assert said(shop, both) == "1"
    assert said(shop, "docker run --rm alpine echo hello") == "hello"


@pytest.mark.parametrize("image", NAMES)
def test_a_learner_can_look_around_in_it(shop: Lab, image: str) -> None:
    look = "ip route; ping -c 1 page; ps; nslookup page 127.0.0.11; which nc wget netstat traceroute arp"
    seen = shop.host.run(f"docker run --rm --network shop --entrypoint sh {image} -ec '{look}'").stdout
    assert "default via 172." in seen
    assert "1 packets received" in seen
    assert "Name:\tpage" in seen


@pytest.mark.parametrize(
    ("image", "ports"),
    [
        *(
            ("redis", "6379/tcp"),
            ("tomcat", "8080/tcp"),
            ("mariadb", "3306/tcp"),
            ("httpd", "80/tcp"),
            ("sshd", "22/tcp"),
        ),
        ("dnsmasq", "53/tcp 53/udp"),
    ],
)
def test_its_ports_are_exposed(shop: Lab, image: str, ports: str) -> None:
    listed = said(
        shop, f"docker image inspect -f '{{{{range $p, $_ := .Config.ExposedPorts}}}}{{{{$p}}}} {{{{end}}}}' {image}"
    )
    assert listed.split() == ports.split()


@pytest.mark.parametrize("name", ["redis", "web", "db", "page", "dns", "ssh"])
def test_it_stops_at_once_and_starts_again(shop: Lab, name: str) -> None:
    stopped = shop.host.run(f"docker stop {name}")
    assert stopped.duration < 5  # the engine would kill it after 10
    assert said(shop, f"docker inspect -f '{{{{.State.ExitCode}}}}' {name}") in ("0", "143")
    shop.host.run(f"docker start {name}")
    assert said(shop, f"docker inspect -f '{{{{.State.Running}}}}' {name}") == "true"


def test_redis_is_ready_within_two_seconds(shop: Lab) -> None:
    shop.host.run("docker run -d --name quick redis")
    start = time.monotonic()
    wait_for("redis answers", lambda: shop.host.run("docker exec quick redis-cli ping", check=False).ok, 10)
    assert time.monotonic() - start < 2
    shop.host.run("docker rm -f quick")


def test_a_lab_with_a_large_image_opens_as_fast_as_one_with_a_small_one(shop: Lab) -> None:
    assert shop.alive  # so that all images are ready
    took: dict[str, list[float]] = {"busybox": [], "tomcat": []}
    for _ in range(3):
        for image, seconds in took.items():
            with Lab(images=[image], client=False) as opened:
                seconds.append(opened.opened_in)
    small, large = (statistics.median(seconds) for seconds in took.values())
    assert large < 1.5 * small, took
