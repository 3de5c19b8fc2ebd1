# SPDX-License-Identifier: GPL-3.0-or-later
"""PCs that differ by their name alone share one filling, and get what they would by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.assigning.offers import Offered, OfferedTo, for_good
from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.reading import parse
from ognetboot.texts.menus import Menus
from ognetboot.texts.render import menus_of, render_screens
from ognetboot.texts.screens import Screen, screen_for
from ognetboot.texts.shapes import Filled, Shapes

HEAD = """\
[server]
address = "10.20.0.1"
subnet = "10.20.0.0/16"
interface = "eth0"
"""


class Counting(Menus):
    """Counts how often the scripts are filled."""

    filled = 0

    def ipxe(self, screen: Screen) -> str:
        self.filled += 1
        return super().ipxe(screen)


def site(
    names: list[str], *, room: str = "Aula", title: str = "Debian", more: str = ""
) -> Inventory:
    pcs = "".join(
        f'[[clients]]\nmac = "52540000{number:04x}"\nname = "{name}"\nroom = "aula"\n{more}'
        for number, name in enumerate(names)
    )
    return parse(
        f'{HEAD}[rooms.aula]\ntitle = "{room}"\n[entries.debian]\nkind = "system"\n'
        f'partition = 2\ntitle = "{title}"\n{pcs}',
        source="x",
    )


def alone(inventory: Inventory, client: Client) -> Filled:
    """What the PC gets by itself."""
    menus, screen = menus_of(inventory), screen_for(inventory, client, offered(inventory)(client))
    bios = client.firmware == "bios"
    return Filled(menus.ipxe(screen), None if bios else menus.grub(screen))


def offered(inventory: Inventory) -> OfferedTo:
    return for_good(inventory)


def fill(inventory: Inventory) -> tuple[dict[str, Filled], int]:
    """The texts of every PC by its name, and how many fillings that took."""
    counting = Counting({})
    counting._common = menus_of(inventory)._common
    shapes = Shapes(inventory, counting)
    found = {c.name: shapes.filled(c, offered(inventory)(c)) for c in inventory.clients}
    return found, counting.filled


def test_two_fillings_do_for_a_room() -> None:
    inventory = site([f"aula-pc{number:02}" for number in range(40)], room="Aula Informàtica 1")
    found, fillings = fill(inventory)
    assert fillings == 2
    assert found == {c.name: alone(inventory, c) for c in inventory.clients}


def test_names_of_another_length_are_centred_by_themselves() -> None:
    inventory = site([*(f"pc{number:03}" for number in range(9)), "a-longer-name", "b-longer-name"])
    found, fillings = fill(inventory)
    assert fillings == 4
    assert found == {c.name: alone(inventory, c) for c in inventory.clients}


@pytest.mark.parametrize(
    ("names", "room", "title"),
    [
        # The stand-in of five letters is part of a title; is a PC's own name; of one letter.
        (["pc-01", "pc-02", "pc-03"], "Aula zqx7v", "Debian"),
        (["pc-01", "pc-02", "pc-03"], "Aula", "zqx7v zqx7v"),
        (["zqx7v", "pc-02", "pc-03"], "Aula", "Debian"),
        (["pc-01", "zqx7v", "pc-03"], "Aula", "Debian"),
        (["zqx7v", "pc-02", "pc-03"], "Aula zqx7v", "Debian"),
        (["a", "b", "c", "z", "q"], "Aula", "Debian"),
        # A title is a PC's name, and what its menu says of it.
        (["pc-01", "pc-02", "pc-03"], "Aula", "pc-03"),
        (["pc-01", "pc-02", "pc-03"], "Aulà", "pc-03 - Aulà"),
        # Longer than a line.
        ([f"pc-{number}{'x' * 59}" for number in range(3)], "Aula Informàtica" * 3, "Debian"),
    ],
)
def test_a_name_that_is_in_other_texts_spoils_none(names: list[str], room: str, title: str) -> None:
    inventory = site(names, room=room, title=title)
    found, _ = fill(inventory)
    assert found == {c.name: alone(inventory, c) for c in inventory.clients}


@given(
    st.lists(st.from_regex(r"[zqx7a-]{1,4}", fullmatch=True), min_size=3, max_size=6, unique=True),
    st.text("zqx7aà -", min_size=1, max_size=6),
    st.text("zqx7aà -", min_size=1, max_size=6),
)
@trying.examples(60)
def test_whatever_names_and_titles_are(names: list[str], room: str, title: str) -> None:
    try:
        inventory = site(names, room=room, title=title)
    except NetbootError:
        return
    found, _ = fill(inventory)
    assert found == {c.name: alone(inventory, c) for c in inventory.clients}


def test_what_a_pc_has_for_itself_is_not_shared() -> None:
    inventory = parse(
        f'{HEAD}[[clients]]\nmac = "525400000001"\nname = "pc1"\n'
        '[[clients]]\nmac = "525400000002"\nname = "pc2"\nhardware = "lenovo"\n'
        '[[clients]]\nmac = "525400000003"\nname = "pc3"\nfirmware = "bios"\n'
        '[[clients]]\nmac = "525400000004"\nname = "pc4"\nlanguage = "ca"\n'
        '[[clients]]\nmac = "525400000005"\nname = "pc5"\ndisks = { system = "2" }\n',
        source="x",
    )
    found, fillings = fill(inventory)
    assert fillings == 5
    assert found == {c.name: alone(inventory, c) for c in inventory.clients}


def test_what_pcs_are_offered_is_not_shared() -> None:
    inventory = site(["pc1", "pc2", "pc3"])

    def given_to(client: Client | None) -> Offered:
        name = "debian" if client and client.name == "pc2" else "localdisk"
        return Offered(inventory.entry(name), "for good", stamp=f"{name}x1")

    files = render_screens(inventory, inventory.clients, given_to)
    scripts = [text for name, text in files.items() if name.suffix == ".ipxe"]
    assert [("--default entry_debian" in text, "debianx1" in text) for text in scripts] == [
        (False, False), (True, True), (False, False),
    ]  # fmt: skip


def test_a_command_line_that_is_too_long_names_the_pc_itself() -> None:
    args = ", ".join(f'"{"a" * 100}={"b" * 90}"' for _ in range(10))
    inventory = parse(
        f'{HEAD}[entries.live]\nkind = "oglive"\ntitle = "x"\nargs = [{args}]\n'
        '[[clients]]\nmac = "525400000001"\nname = "pc1"\n',
        source="x",
    )
    with pytest.raises(NetbootError, match="of pc1 has"):
        render_screens(inventory, inventory.clients, offered(inventory))
