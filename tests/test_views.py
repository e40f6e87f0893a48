import dataclasses

import fake_lab
import pytest
from fake_notebook import text_of

from dnetkit import views
from dnetkit.claims import CheckResult
from dnetkit.errors import EngineError
from dnetkit.exercises import Exercise, Verdict
from dnetkit.model import Unavailable
from dnetkit.work import Report, Task

EXERCISE = Exercise(
    "second", "02-docker0", "A second <one>", "Start `two`:\n- with **busybox**", "docker run &\nls", ("x",), ()
)
EVIL = '<img src=x onerror="alert(1)">'


def both(view):
    """The plain text, and the text that the html shows, on one line each."""
    bundle = view._repr_mimebundle_()
    return " ".join(bundle["text/plain"].split()), " ".join(text_of(bundle["text/html"]).split())


@pytest.mark.parametrize(
    "view",
    [
        views.message(EVIL),
        views.problem(EVIL),
        views.engine_failed(EngineError(EVIL, "", EVIL)),
        views.log(EVIL),
        views.task(dataclasses.replace(EXERCISE, title=EVIL, task=EVIL)),
        views.solution(dataclasses.replace(EXERCISE, solution=EVIL)),
        views.advice(EXERCISE, EVIL),
        views.verdict(EXERCISE, Verdict(False, (CheckResult(False, EVIL, EVIL),)), EVIL),
        views.verdict(EXERCISE, Verdict(True, ()), notes=[EVIL]),
        views.working(Report(Task(EVIL, EVIL), (Task(EVIL, EVIL, 0.5),), True)),
        views.progress({EVIL: EXERCISE}, {}, [EVIL]),
        views.snapshot(dataclasses.replace(fake_lab.snapshot(), unavailable=(Unavailable(EVIL, EVIL),))),
    ],
)
def test_nothing_that_others_wrote_becomes_markup(view):
    bundle = view._repr_mimebundle_()
    assert EVIL in bundle["text/plain"]
    assert "<img" not in bundle["text/html"]
    assert "&lt;img" in bundle["text/html"]


def test_a_message_shows_code_as_code():
    view = views.message("Run `%lab open`.")
    assert "<code>%lab open</code>" in view.markup
    assert str(view) == "Run `%lab open`."


def test_the_status_names_machines_addresses_engines_and_images():
    lab = fake_lab.FakeLab(images=("busybox", "redis"))
    for text in both(views.status(lab, lab.snapshot(), 0.44)):
        assert f"Lab {lab.id} is open (rootless sandbox, ready in 0.4 s)." in text
        assert "host1 198.51.100.11 Docker Engine 28.5.2" in text
        assert "client 198.51.100.100 no engine" in text
        assert text.endswith("Images: busybox, redis")
    assert "ready in" not in str(views.status(lab, lab.snapshot()))


def test_a_lab_without_images_says_so():
    lab = fake_lab.FakeLab(images=())
    assert str(views.status(lab, lab.snapshot())).endswith("Images: none")


def test_a_snapshot_lists_every_interface_and_what_it_is_joined_to():
    for text in both(views.snapshot(fake_lab.snapshot())):
        assert "host1 5: veth5 veth UP bridge docker0, eth0 in host1/web" in text
        assert "host1/web 4: eth0 veth UP veth5 in host1 172.17.0.2/16" in text
        assert "loopback" not in text
        assert text.endswith("3 containers, 3 Docker networks, 2 netfilter rules")


def test_a_snapshot_says_what_could_not_be_read():
    state = dataclasses.replace(fake_lab.snapshot(), unavailable=(Unavailable("nftables", "no nft here"),))
    for text in both(views.snapshot(state)):
        assert "Not read: nftables (no nft here)" in text


def test_a_verdict_that_is_not_yet_tells_what_holds_what_does_not_and_a_hint():
    result = Verdict(False, (CheckResult(True, "it runs", "yes"), CheckResult(False, "it answers", "silence")))
    for text in both(views.verdict(EXERCISE, result, "Listen first.")):
        assert text.startswith("second: not yet ✔ it runs · it answers")
        assert "seen: silence" in text
        assert "seen: yes" not in text
        assert text.endswith("Hint: Listen first.")


def test_a_verdict_that_passed_has_a_sign_besides_its_colour():
    for text in both(views.verdict(EXERCISE, Verdict(True, ()), notes=["Kept elsewhere."])):
        assert text == "✔ second: passed Kept elsewhere."


def test_a_solution_keeps_its_lines():
    view = views.solution(EXERCISE)
    assert "docker run &amp;\nls</pre>" in view.markup
    assert str(view).endswith("docker run &\nls")


def test_progress_goes_chapter_by_chapter():
    exercises = {
        "a": dataclasses.replace(EXERCISE, name="a", chapter="01-veth"),
        "b": dataclasses.replace(EXERCISE, name="b", chapter="01-veth"),
        "c": EXERCISE,
    }
    for text in both(views.progress(exercises, {"a": "2026-11-24"})):
        assert "01-veth 1 of 2 ✔ a (2026-11-24), · b" in text
        assert "02-docker0 0 of 1 · c" in text


def test_an_empty_log_says_so():
    assert str(views.log("\n")) == "(the log is empty)"


def test_how_far_images_are_is_a_line_and_a_bar_each():
    redis, tomcat = Task("redis", "ready (Debian redis-server 7)", note=True), Task("tomcat", "unpacking", 0.4)
    bundle = views.working(Report(tomcat, (redis, tomcat), True))._repr_mimebundle_()
    assert bundle["text/plain"] == "redis: ready (Debian redis-server 7)\ntomcat: unpacking 40%"
    assert bundle["text/html"].count("<progress") == 1
    assert '<progress value="0.40" max="1" title="40%">' in bundle["text/html"]
