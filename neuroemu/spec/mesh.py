"""The mesh of tiles that chips of several families have, as a section of their files."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from neuroemu.noc.mesh import Mesh
from neuroemu.spec.facts import Count, Fact, Problem, Section, not_positive, passed


class TileOrder(Fact[Literal["column_major", "row_major"]]):
    """In which order the tiles of the mesh are numbered."""


class MeshStructure(Section):
    """The mesh of tiles. Core ``c`` belongs to tile ``t = c // cores_per_tile``.

    column_major puts tile ``t`` at column ``t // rows``, row ``t % rows``; row_major at column
    ``t % columns``, row ``t // columns``.
    """

    mesh_columns: Count
    mesh_rows: Count
    cores_per_tile: Count
    tile_order: TileOrder
    cores: Count

    @property
    def tiles(self) -> int:
        return self.mesh_columns.value * self.mesh_rows.value

    @property
    def mesh(self) -> Mesh:
        """The tiles with their routers."""
        return Mesh(self.mesh_columns.value, self.mesh_rows.value, self.cores_per_tile.value, self.tile_order.value)

    @model_validator(mode="after")
    def _mesh_holds_the_cores(self) -> Self:
        problems = not_positive(self)
        in_mesh = self.tiles * self.cores_per_tile.value
        if self.cores.value != in_mesh:
            message = (
                f"cores is {self.cores.value}, but {self.mesh_columns.value} x {self.mesh_rows.value} tiles of "
                f"{self.cores_per_tile.value} cores are {in_mesh}"
            )
            problems.append(Problem(("cores",), "NE2030", message, (f"write cores: {in_mesh}", "or change the mesh")))
        return passed(self, problems)
