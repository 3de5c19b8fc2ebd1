# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that no verb knows."""

from __future__ import annotations

import pytest

from ognetboot.cli import VERBS, main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["set", "aula1", "windows", "--unto", "18:00"],
            "Unrecognized arguments: --unto 18:00. See `ognetboot set --help`.",
        ),
        (["check", "x", "--jsn"], "Unrecognized arguments: --jsn. See `ognetboot check --help`."),
        (["exam"], "The following arguments are required: SCOPE. See `ognetboot exam --help`."),
        (["--nonsense"], "The following arguments are required: VERB. See `ognetboot --help`."),
    ],
)
def test_the_help_that_is_named_is_the_verbs(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"ognetboot: {said}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: ognetboot {verb} ")
    for word in {
        "password": ("8 to 128 characters", "ASCII"),
        "mode": ("MODE_FILE='", "MAC='", "DATA='", "MODE='TEMP'"),
        "import": ("left out",),
    }.get(verb, ()):
        assert word in said
