# SPDX-License-Identifier: GPL-3.0-or-later
"""What a console's client calls, and the small scripts that it and sites use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.shim.images import (
    as_pc,
    device,
    mounted,
    partitioned,
    refusal,
    release,
    rows,
    said,
    stretch,
    tool,
)
from oglib.deploy import leaving
from oglib.errors import OgErr
from oglib.shim import configuration
from oglib.shim.command import command_of

MIB = 1024 * 1024
LAYOUT = "label: gpt\n1: size=24M, type=linux\n2: size=24M, type=linux\n3: size=8M, type=swap\n"
DISK_MIB = 128
CACHE_KB = 32 * 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interface")
    image = partitioned(folder / "made.img", LAYOUT, DISK_MIB)
    for number in (1, 2):
        with device(image, number) as loop:
            tool("mkfs.ext4", "-q", "-F", loop)
    with mounted(image, 1, folder / "made") as top:
        (top / "etc").mkdir()
        (top / "etc/os-release").write_text('ID=debian\nPRETTY_NAME="Debian GNU/Linux 13"\n')
        (top / "data").write_bytes(os.urandom(4 * MIB))
    return image


@pytest.fixture
def pc(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    image = as_pc(made, tmp_path, monkeypatch)
    monkeypatch.setattr(configuration, "_KEPT", tmp_path / "getconfig")
    yield image
    tool("bash", "-c", f"while umount {tmp_path}/cache 2>/dev/null; do :; done")
    release(image)


def run(name: str, *words: object) -> object:
    return command_of(name).run([str(word) for word in words])


def session(tmp_path: Path) -> list[str]:
    return (tmp_path / "session.log").read_text().splitlines()


@pytest.mark.proves("CrearImagen", "RestaurarImagen")
def test_an_image_is_made_and_deployed(pc: Path, tmp_path: Path) -> None:
    assert run("CrearImagen", 1, 1, "debian", "REPO") == 0
    first, *_, last = session(tmp_path)
    assert first == "[begin] Command: CrearImagen 1 1 debian REPO"
    assert last == "[end] Exit code: 0"
    assert (tmp_path / "images/debian.img").is_file()
    # a console sends empty words for what it does not say
    assert run("RestaurarImagen", 1, 2, "debian", "REPO", "UNICAST-DIRECT", "", "", "") in (0, None)
    with mounted(pc, 2, tmp_path / "m", "ro") as top:
        assert (top / "data").stat().st_size == 4 * MIB
    assert "[55] restoreImage REPO debian 1 2" in session(tmp_path)


@pytest.mark.proves("RestaurarImagen", "CrearImagen")
@pytest.mark.usefixtures("pc")
def test_the_sites_scripts_run(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("deployImageCustom", "createImageCustom"):
        (scripts / name).write_text(f'#!/bin/bash\necho "{name} $*" >> {tmp_path}/ran\nexit 33\n')
        (scripts / name).chmod(0o755)
    assert run("RestaurarImagen", 1, 2, "debian", "REPO", "UNICAST") == 33
    assert run("CrearImagen", 1, 1, "debian") == 33
    assert session(tmp_path)[-1] == "[end] Exit code: 33"
    ran = (tmp_path / "ran").read_text().splitlines()
    assert ran == [
        "deployImageCustom REPO debian 1 2 UNICAST",
        "createImageCustom 1 1 REPO /debian",
    ]


@pytest.mark.refuses("CrearImagen", "RestaurarImagen")
@pytest.mark.usefixtures("pc")
def test_what_cannot_be_made_or_deployed(tmp_path: Path) -> None:
    assert refusal("CrearImagen", 1, 1) == OgErr.FORMAT
    assert refusal("CrearImagen", 1, 9, "debian", "REPO") == OgErr.PARTITION
    assert session(tmp_path)[-1] == "[end] Exit code: 3"
    assert refusal("CrearImagen", 1, 1, "debian", "CACHE") == OgErr.NOTCACHE
    assert refusal("RestaurarImagen", 1, 2, "debian") == OgErr.FORMAT
    assert refusal("RestaurarImagen", 1, 2, "debian", "REPO", "UNICAST") == OgErr.NOTFOUND


@pytest.mark.proves("getConfiguration")
def test_the_configuration_of_a_pc(pc: Path, tmp_path: Path) -> None:
    lines = str(run("getConfiguration")).splitlines()
    lines = [line for line in lines if not line.startswith("ser=")]
    found = [dict(one.split("=", 1) for one in line.split("\t")) for line in lines]
    shape = [[row[name] for name in ("disk", "par", "cpt", "fsi", "soi")] for row in found]
    assert shape == [
        ["1", "0", "2", "", ""],
        ["1", "1", "8300", "EXT4", "Debian GNU/Linux 13 64 bits"],
        ["1", "2", "8300", "EXT4", "DATA"],
        ["1", "3", "8200", "EMPTY", ""],
    ] or shape[1][4].startswith("Debian GNU/Linux 13")
    assert [int(row["tam"]) for row in found] == [DISK_MIB << 10, 24 << 10, 24 << 10, 8 << 10]
    assert 15 < int(found[1]["uso"]) < 60
    assert (tmp_path / "getconfig").read_text().rstrip().endswith("1:3:8200:EMPTY::8192:0;")
    assert said("findmnt", "-n", "-S", str(pc)) == "", "it leaves nothing mounted"


@pytest.mark.refuses("getConfiguration")
def test_a_damaged_partition_is_no_reason_to_tell_nothing(pc: Path) -> None:
    assert refusal("getConfiguration", 1) == OgErr.FORMAT
    start = stretch(pc, 2)[0]
    with pc.open("r+b") as disk:
        disk.seek(start + 1024 + 256)
        disk.write(os.urandom(3 * MIB))
    lines = str(run("getConfiguration")).splitlines()
    assert "soi=Debian" in next(one for one in lines if "par=1" in one)
    assert "soi=\t" in next(one for one in lines if "par=2" in one)


@pytest.mark.proves("Configurar", "initCache")
def test_a_disk_is_laid_out_and_laid_out_again(pc: Path, tmp_path: Path) -> None:
    request = (
        f"dis=1*che=1*tch={CACHE_KB}!par=1*cpt=LINUX*sfi=EXT4*tam=24576*ope=0%"
        f"par=2*cpt=LINUX*sfi=EXT4*tam=20480*ope=1%par=4*cpt=CACHE*sfi=CACHE*tam={CACHE_KB}*ope=0%"
    )
    assert run("Configurar", "1", request) == 0
    steps = [line.partition(" ")[0] for line in session(tmp_path) if line.startswith("[")]
    assert {"[10]", "[30]", "[50]", "[70]"} <= set(steps)
    table = rows(pc)
    assert sorted(table) == [1, 2, 4]
    assert tool("sfdisk", "--verify", pc)
    with mounted(pc, 1, tmp_path / "m", "ro") as top:
        assert (top / "data").exists(), "what is as asked stays"
    with mounted(pc, 2, tmp_path / "m", "ro") as top:
        assert [one.name for one in top.iterdir()] == ["lost+found"]
    assert run("ogFindCache") == "1 4"
    kept = tmp_path / "cache/opt/opengnsys/images/kept.img"
    run("ogMountCache")
    kept.write_bytes(b"kept")
    assert run("Configurar", "1", *request.split("!")[0:1], "!" + request.split("!")[1]) == 0
    run("ogMountCache")
    assert kept.exists()
    assert run("Configurar", request.replace("tam=32768*ope=0", "tam=32768*ope=1")) == 0
    run("ogMountCache")
    assert not kept.exists()


@pytest.mark.refuses("Configurar")
def test_a_layout_that_is_none_changes_nothing(pc: Path) -> None:
    before = tool("sfdisk", "--dump", pc)
    for words in (
        ("1",),
        ("che=0*tch=0!par=1*cpt=LINUX*tam=1000*ope=0%",),
        ("dis=x*che=0*tch=0!",),
        ("dis=1*che=0*tch=0!par=x*cpt=LINUX*tam=1000*ope=0%",),
        ("dis=1*che=0*tch=0!par=1*cpt=LINUX*tam=many*ope=0%",),
        ("dis=1*che=0*tch=0!par=1*tam=1000*ope=0%",),
        ("dis=1*tch=0!par=1*cpt=LINUX*tam=10*ope=0%par=1*cpt=LINUX*tam=10*ope=0%",),
        ("dis=1*che=0*tch=0!par=1*cpt=LINUX*sfi=EXT4*tam=99000000*ope=0%",),
    ):
        assert refusal("Configurar", *words) == OgErr.FORMAT, words
    assert refusal("Configurar", "dis=9*tch=0!par=1*cpt=LINUX*tam=10*ope=0%") == OgErr.NOTFOUND
    assert tool("sfdisk", "--dump", pc) == before


@pytest.mark.proves("initCache", "procesaCache")
def test_a_cache_comes_stays_and_goes(
    pc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("initCache", 1, 4, CACHE_KB, "NOMOUNT")
    assert run("ogFindCache") == "1 4"
    assert not (tmp_path / "cache").is_mount()
    run("procesaCache", CACHE_KB)
    assert (tmp_path / "cache").is_mount()
    (tmp_path / "cache/opt/opengnsys/images/kept").write_text("kept")
    run("initCache", 1, CACHE_KB)
    run("initCache", 0)
    assert (tmp_path / "cache/opt/opengnsys/images/kept").exists()
    run("initCache", CACHE_KB // 2)
    assert not (tmp_path / "cache/opt/opengnsys/images/kept").exists()
    assert run("ogGetCacheSize") == str(CACHE_KB // 2)
    run("initCache", -1)
    assert run("ogFindCache") == int(OgErr.NOTFOUND)
    run("initCache", -1)
    assert "[100] " in capsys.readouterr().out
    assert sorted(rows(pc)) == [1, 2, 3]


@pytest.mark.refuses("initCache", "procesaCache")
@pytest.mark.usefixtures("pc")
def test_no_such_cache() -> None:
    for words in ((), ("NOMOUNT",), ("many",), (-2,), (0, 4, 10), (1, 4, 5, 6), (1, 4, 99_000_000)):
        assert refusal("initCache", *words) == OgErr.FORMAT, words
    assert refusal("initCache", 9, 4, CACHE_KB) == OgErr.NOTFOUND
    assert refusal("procesaCache") == OgErr.FORMAT
    assert refusal("procesaCache", "many") == OgErr.FORMAT


@pytest.mark.proves("EjecutarScript", "ConsolaRemota")
@pytest.mark.usefixtures("pc")
def test_scripts_are_run(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    plain, own = tmp_path / "plain", tmp_path / "own"
    plain.write_text("echo one two\nexit 7\n")
    own.write_text("#!/bin/sh\necho three\n")
    assert run("EjecutarScript", plain) == 7
    assert session(tmp_path)[-1] == "[end] Exit code: 7"
    assert run("EjecutarScript", own) == 0
    assert "echo three" in (tmp_path / "pc.log").read_text()
    out = capfdbinary.readouterr().out
    assert (b"one two\n" in out, b"three\n" in out) == (True, True)
    assert run("ConsolaRemota", plain, tmp_path / "echo") == 7
    assert (tmp_path / "echo").read_text() == "one two\n"


@pytest.mark.refuses("EjecutarScript", "ConsolaRemota")
@pytest.mark.usefixtures("pc")
def test_what_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("exit 0\n")
    assert refusal("EjecutarScript") == OgErr.FORMAT
    assert refusal("EjecutarScript", tmp_path / "none") == OgErr.NOTFOUND
    assert refusal("ConsolaRemota", tmp_path / "script") == OgErr.FORMAT
    assert refusal("ConsolaRemota", tmp_path / "none", tmp_path / "echo") == OgErr.NOTFOUND
    assert refusal("ConsolaRemota", tmp_path / "script", "/nowhere/echo") == OgErr.NOTFOUND


@pytest.mark.proves("Apagar", "Reiniciar")
@pytest.mark.refuses("Apagar", "Reiniciar")
def test_a_pc_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words after them mean nothing, as before: nothing of them is to be refused."""
    went: list[str] = []
    monkeypatch.setattr(leaving, "leave", went.append)
    run("Apagar")
    run("Reiniciar", "whatever")
    assert went == ["poweroff", "reboot"]


@pytest.mark.proves("InventarioHardware", "InventarioSoftware")
@pytest.mark.usefixtures("pc")
def test_listings_go_to_files(tmp_path: Path) -> None:
    assert run("InventarioHardware", tmp_path / "hard") is None
    assert (tmp_path / "hard").read_text().startswith("cha=")
    assert run("InventarioSoftware", 1, 1, tmp_path / "soft") == 0
    assert "Debian GNU/Linux 13" in (tmp_path / "soft").read_text().splitlines()[0]


@pytest.mark.refuses("InventarioHardware", "InventarioSoftware")
@pytest.mark.usefixtures("pc")
def test_what_cannot_be_listed(tmp_path: Path) -> None:
    assert refusal("InventarioHardware") == OgErr.FORMAT
    assert refusal("InventarioHardware", "/nowhere/hard") == OgErr.NOTFOUND
    assert refusal("InventarioSoftware", 1, 2) == OgErr.FORMAT
    assert refusal("InventarioSoftware", 1, 2, tmp_path / "soft") == OgErr.NOTOS
    assert not (tmp_path / "soft").exists()


@pytest.mark.proves(
    "createPrimaryPartitions", "createLogicalPartitions", "formatFs", "getFsType", "getOsVersion",
    "getIpAddress", "listPartitions", "listPrimaryPartitions",
)  # fmt: skip
def test_small_scripts_are_what_they_call(pc: Path, tmp_path: Path) -> None:
    assert run("getFsType", 1, 1) == "EXT4"
    assert str(run("getOsVersion", 1, 1)).startswith("Linux:Debian GNU/Linux 13")
    assert run("getIpAddress") == "10.0.0.7"
    assert run("listPartitions", 1) == "LINUX:24576 LINUX:24576 LINUX-SWAP:8192"
    assert run("listPrimaryPartitions", 1) == run("ogListPrimaryPartitions", 1)
    assert run("formatFs", 1, 2) is None
    assert [one[:4] for one in session(tmp_path)] == ["[5] ", "[20]", "[100"]
    assert run("createPrimaryPartitions", 1, "LINUX:24576", "LINUX:10240") is None
    assert run("createLogicalPartitions", 1, "LINUX:1000") is None
    assert sorted(rows(pc)) == [1, 2]


@pytest.mark.refuses(
    "createPrimaryPartitions", "createLogicalPartitions", "formatFs", "getFsType", "getOsVersion",
    "getIpAddress", "listPartitions", "listPrimaryPartitions",
)  # fmt: skip
@pytest.mark.usefixtures("pc")
def test_small_scripts_refuse_as_what_they_call() -> None:
    for name in ("formatFs", "getFsType", "getOsVersion"):
        assert refusal(name, 1) == OgErr.FORMAT
        assert refusal(name, 1, 9) == OgErr.NOTFOUND
    for name in ("listPartitions", "listPrimaryPartitions"):
        assert refusal(name) == OgErr.FORMAT
        assert refusal(name, 9) == OgErr.NOTFOUND
    assert refusal("getIpAddress", 1) == OgErr.FORMAT
    assert refusal("createPrimaryPartitions", 1) == OgErr.FORMAT
    assert refusal("createPrimaryPartitions", 1, "LINUX:99000000") == OgErr.FORMAT
    assert refusal("createLogicalPartitions", "whatever") is None
