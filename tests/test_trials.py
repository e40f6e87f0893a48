import pytest
from fake_lab import FakeLab, snapshot

from dnetkit.checks import evaluate
from dnetkit.errors import UsageError
from dnetkit.model import Step

PING = "ping -c 1 -W 2 172.17.0.3"


def judge(expression, **answer):
    lab = FakeLab()
    lab.answers[PING] = Step("", **answer)
    return evaluate(expression, snapshot(), lab)


REACHES = 'reaches("host1/web", "172.17.0.3")'
NOT = 'not_reaches("host1", "172.17.0.3")'


def names_both(_lab):
    return ["host1", "host1/web", "web"]


@pytest.mark.parametrize(
    ("answer", "reaches", "not_reaches"),
    [
        ({"status": 0, "stdout": "1 received"}, True, False),
        ({"status": 1, "stdout": "0 received"}, False, True),
        ({"status": 1, "stderr": "ping: sendto: Network is unreachable"}, False, True),
        ({"status": 2, "stderr": "ping: connect: Network is unreachable"}, False, True),
        ({"status": 127, "stderr": "ping: not found"}, False, False),
        ({"status": 1, "stderr": "ping: bad address 'db'"}, False, False),
        ({"status": 2, "stderr": "ping: db: Temporary failure in name resolution"}, False, False),
        ({"status": 126, "stderr": "permission denied"}, False, False),
    ],
)
def test_neither_holds_when_it_could_not_be_tried(answer, reaches, not_reaches, monkeypatch):
    monkeypatch.setattr(FakeLab, "names", names_both)
    assert judge(REACHES, **answer).passed is reaches
    assert judge(NOT, **answer).passed is not_reaches


def test_a_hanging_trial_fails_both():
    lab = FakeLab()
    lab.answers[PING] = "hang"
    assert not evaluate('reaches("web", "172.17.0.3")', snapshot(), lab)
    assert not evaluate('not_reaches("web", "172.17.0.3")', snapshot(), lab)


def test_a_port_is_tried_by_a_connection():
    lab = FakeLab()
    assert evaluate('reaches("web", "db", port=6379)', snapshot(), lab)
    script = lab.ran[-1][1]
    assert "/dev/tcp/db/6379" in script
    assert "ping" not in script


@pytest.mark.parametrize("target", ["a; rm -rf /", "$(id)", "", "x y"])
def test_a_target_is_never_shell_text(target):
    with pytest.raises(UsageError):
        evaluate(f'reaches("web", {target!r})', snapshot(), FakeLab())


def test_prints():
    lab = FakeLab()
    lab.answers["hostname"] = Step("", 0, "web\n")
    lab.answers["boom"] = Step("", 1, "web\n", "no")
    assert evaluate('prints("web", "hostname", "web")', snapshot(), lab)
    assert not evaluate('prints("web", "hostname", "db")', snapshot(), lab)
    assert not evaluate('prints("web", "boom", "web")', snapshot(), lab)


@pytest.mark.parametrize(
    ("output", "passed"),
    [
        ("veth5\n", True),
        ("noise\n veth5 \n\n", True),
        ("veth55\n", False),
        ("veth5\nmore\n", False),
        ("", False),
        (None, False),
    ],
)
def test_answer_looks_at_the_last_line_and_does_not_give_it_away(output, passed):
    result = evaluate('answer(other_end("web", "eth0"))', snapshot(), output=output)
    assert result.passed is passed
    assert "veth5" not in result.claim


@pytest.mark.parametrize(
    ("output", "passed"),
    [("veth5\n", False), ("noise\n veth5 \n", False), ("veth55\n", True), ("", True), (None, True)],
)
def test_not_answer_is_for_a_likely_mistake(output, passed):
    assert evaluate('not_answer(other_end("web", "eth0"))', snapshot(), output=output).passed is passed
    assert evaluate('not_answer("")', snapshot(), output=output).passed is bool(output)


def test_a_trial_shows_the_line_that_tells_and_what_an_address_means():
    lab = FakeLab()
    lab.answers["docker network inspect bridge"] = Step("", 0, '[\n  "Name": "bridge",\n  "Gateway": "172.17.0.1"\n]\n')
    told = evaluate('prints("host1", "docker network inspect bridge", gateway_of("web"))', snapshot(), lab)
    assert told.reason == 'it printed "Gateway": "172.17.0.1"'
    told = evaluate('reaches("host1", address_of("web"), port=80)', snapshot(), lab)
    assert told.claim == "host1 reaches port 80 of 172.17.0.2, the address of eth0 in web"
