"""Images are put into an engine's directory in a time that does not depend on how large they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dnetkit.agent import imagestore


def store(path: Path, name: str, files: int = 3) -> Path:
    """What an engine keeps of one image, in short."""
    layer = path / "overlay2" / name
    (layer / "diff/usr").mkdir(parents=True)
    (layer / "link").write_text(name)
    for number in range(files):
        (layer / f"diff/usr/{number}").write_text("x")
    (path / "overlay2/l").mkdir()
    (path / f"overlay2/l/{name.upper()}").symlink_to(f"../{name}/diff")
    (path / "image/overlay2/layerdb").mkdir(parents=True)
    (path / f"image/overlay2/layerdb/{name}").write_text("layer")
    names = {"Repositories": {name: {f"{name}:latest": f"sha256:{name}"}}}
    (path / imagestore.NAMES).write_text(json.dumps(names))
    return path


def repositories(target: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((target / imagestore.NAMES).read_text())["Repositories"])


def test_stores_are_laid_side_by_side(tmp_path: Path) -> None:
    stores = [str(store(tmp_path / name, name)) for name in ("redis", "tomcat")]
    imagestore.place(stores, tmp_path / "engine")
    assert repositories(tmp_path / "engine") == {
        "redis": {"redis:latest": "sha256:redis"},
        "tomcat": {"tomcat:latest": "sha256:tomcat"},
    }
    assert sorted(os.listdir(tmp_path / "engine/overlay2")) == ["l", "redis", "tomcat"]
    assert (tmp_path / "engine/overlay2/l/REDIS").is_symlink()
    assert (tmp_path / "engine/overlay2/redis/diff/usr/1").read_text() == "x"


def test_a_store_that_only_names_adds_a_name(tmp_path: Path) -> None:
    names = tmp_path / "mysql" / imagestore.NAMES
    names.parent.mkdir(parents=True)
    names.write_text('{"Repositories": {"mysql": {"mysql:latest": "sha256:mariadb"}}}')
    imagestore.place([str(store(tmp_path / "mariadb", "mariadb")), str(tmp_path / "mysql")], tmp_path / "engine")
    assert repositories(tmp_path / "engine") == {
        "mariadb": {"mariadb:latest": "sha256:mariadb"},
        "mysql": {"mysql:latest": "sha256:mariadb"},
    }


def test_a_layer_s_files_are_pointed_at_and_not_touched(tmp_path: Path) -> None:
    few, many = (store(tmp_path / name, name, files) for name, files in (("few", 1), ("many", 500)))
    made = []
    for each in (few, many):
        target = tmp_path / f"engine-{each.name}"
        imagestore.place([str(each)], target)
        assert os.readlink(target / "overlay2" / each.name / "diff") == str(each / "overlay2" / each.name / "diff")
        made.append(sum(len(files) + len(folders) for _, folders, files in os.walk(target)))
    assert made[0] == made[1]


def test_an_image_is_saved_with_owners_modes_dates_and_links(tmp_path: Path) -> None:
    engine = store(tmp_path / "engine", "redis")
    data = engine / "overlay2/redis/diff/data"
    data.mkdir(mode=0o750)
    (data / "program").write_text("#!/bin/sh\n")
    (data / "program").chmod(0o4755)
    (data / "link").symlink_to("program")
    os.utime(data, (1000, 1000))
    if os.geteuid() == 0:
        os.chown(data, 999, 999)
    imagestore.save(engine, tmp_path / "store")
    saved = tmp_path / "store/overlay2/redis/diff/data"
    assert (saved.stat().st_mode & 0o7777, saved.stat().st_mtime) == (0o750, 1000)
    assert (saved.stat().st_uid, saved.stat().st_gid) == (data.stat().st_uid, data.stat().st_gid)
    assert (saved / "program").stat().st_mode & 0o7777 == 0o4755
    assert os.readlink(saved / "link") == "program"


def test_an_engine_that_keeps_its_images_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    with pytest.raises(OSError, match="does not keep its images in overlay2"):
        imagestore.save(tmp_path / "engine", tmp_path / "store")
