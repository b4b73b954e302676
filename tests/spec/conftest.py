"""A chip file of one's own: Loihi 1 copied under another name, some texts replaced."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spec.own_chip import LOIHI1


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Write ``own.yaml``: Loihi 1 with each (old, new) pair replaced once."""

    def write(*replacements: tuple[str, str]) -> Path:
        text = LOIHI1
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
