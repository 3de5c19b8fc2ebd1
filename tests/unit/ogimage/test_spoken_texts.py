# SPDX-License-Identifier: GPL-3.0-or-later
"""What the start says, it says in three languages: the same sentences, the same words in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parents[3] / "image/mkosi.images"
STAGE = IMAGES / "first-stage/mkosi.extra"
RUNTIME = IMAGES / "root/mkosi.extra/usr/lib/oglive"
FOLDERS = {"first stage": STAGE / "usr/lib/oglive/texts", "runtime": RUNTIME / "texts"}
SCRIPTS = {
    "first stage": [STAGE / "init", *(STAGE / "usr/lib/oglive").glob("*.sh")],
    "runtime": [path for path in RUNTIME.iterdir() if path.is_file()],
}
LANGUAGES = ("en", "es", "ca")
ASKED = re.compile(r"(?:\b(?:text|row|say|name=)|leave_out \S+) ?([A-Z][A-Z_0-9]+)")
# The screen's own font draws these without their accent.
NOT_DRAWN = "ÁÍÓÚÀÈÒÏ"


def sentences(stage: str, language: str) -> dict[str, str]:
    """The sentences as the shell itself reads them."""
    script = f'. {FOLDERS[stage] / language}; set | grep -a "^T_" | cut -d= -f1'
    found = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    names = found.stdout.split()
    told = "; ".join(f"printf '%s\\n' \"${name}\"" for name in names)
    script = f". {FOLDERS[stage] / language}; {told}"
    lines = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(names, lines.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("stage", FOLDERS)
def test_each_language_says_the_same(stage: str) -> None:
    english = sentences(stage, "en")
    for language in LANGUAGES[1:]:
        other = sentences(stage, language)
        assert other.keys() == english.keys()
        for name, text in english.items():
            assert re.findall(r"%.", other[name]) == re.findall(r"%.", text), (language, name)
            same = (
                "T_STARTS",
                "T_KEYS",
                "T_JOURNAL",
                "T_SERVER",
                "T_SHARE",
                "T_SERIAL",
                "T_SSH_KEY",
            )
            assert other[name] != text or name in same, (language, name)


@pytest.mark.parametrize("stage", FOLDERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_fit_the_screen_and_its_font(stage: str, language: str) -> None:
    for name, text in sentences(stage, language).items():
        assert len(text.replace("%s", "")) <= 100, name
        assert not set(text) & set(NOT_DRAWN), name
        assert set(re.findall(r"%.", text)) <= {"%s"}, name
        assert "\t" not in text, name


@pytest.mark.parametrize("stage", FOLDERS)
def test_every_sentence_is_said_and_every_said_one_is_there(stage: str) -> None:
    scripts = "".join(path.read_text() for path in SCRIPTS[stage])
    code = re.sub(r"(?m)^#.*|# [A-Z].*$", "", scripts)
    asked = set(ASKED.findall(code)) | ({"NO_VALUE"} if stage == "first stage" else set())
    assert {f"T_{name}" for name in asked} == sentences(stage, "en").keys()
