"""`dnetkit images` lists what there is with what it takes, and makes it beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnetkit import builder, cli, cli_images
from dnetkit.layers import layer
from dnetkit.work import Report, Task


@pytest.fixture(autouse=True)
def built(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Building writes an empty layer; the cache is this test's."""

    def build(recipe: object, _packages: object, target: Path, _job: object) -> str:
        with layer(target, merged=True) as made:
            made.file("x", b"x" * 3_000_000)
        return f"Debian {recipe.name} 1.0"  # type: ignore[attr-defined]  # it is a recipe

    monkeypatch.setattr(builder, "build", build)
    return own_cache


@pytest.mark.parametrize("command", [["images"], ["images", "list"]])
def test_the_list_tells_what_is_in_the_cache_and_what_is_not(
    command: list[str], built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["images", "build", "redis"]) == 0
    capsys.readouterr()
    assert cli.main(command) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "3 MB  Debian redis 1.0" in lines["redis"]
    assert "(230 MB)  not in your cache" in lines["tomcat"]
    assert "where no registry has it: mariadb" in lines["mysql"]
    assert lines["3"] == f"3 MB in {built / 'dnetkit/images'}"


def test_without_a_name_all_are_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "build"]) == 0
    made = capsys.readouterr().out
    assert "tomcat: Debian tomcat 1.0, 3 MB" in made
    assert "alpine: no registry gives alpine here, so busybox stands for it" in made
    assert cli.main(["images", "build", "tomcat"]) == 0
    assert capsys.readouterr().out == "tomcat: Debian tomcat 1.0, 3 MB\n"


def test_again_makes_it_anew(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["images", "build", "redis"])
    capsys.readouterr()
    cli.main(["images", "build", "redis", "--again"])
    assert "redis: ready (Debian redis 1.0)" in capsys.readouterr().out


def test_an_unknown_name_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "build", "nginx"]) == 2
    assert "There is no image 'nginx' in the catalogue." in capsys.readouterr().err


def test_in_a_log_each_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell = cli_images._tell(terminal=False)
    for share, begins in ((0.0, True), (0.5, False)):
        task = Task("redis", "downloading", share)
        tell(Report(task, (task,), begins))
    tell("something else")
    assert capsys.readouterr().out == "redis: downloading 0%\nsomething else\n"


def test_in_a_terminal_one_line_is_drawn_again_and_notes_stay(capsys: pytest.CaptureFixture[str]) -> None:
    tell = cli_images._tell(terminal=True)
    redis, done, tomcat = Task("redis", "unpacking", 0.5), Task("redis", "ready", note=True), Task("tomcat", "packing")
    tell(Report(redis, (redis, tomcat), False))
    tell(Report(done, (done, tomcat), True))
    tell(Report(tomcat, (done, tomcat), True))
    drawn = capsys.readouterr().out
    assert drawn == ("\r\x1b[Kredis: unpacking 50%   tomcat: packing\r\x1b[Kredis: ready\n\r\x1b[Ktomcat: packing")
