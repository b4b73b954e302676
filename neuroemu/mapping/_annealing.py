"""Compiled loop of the placer that swaps slots under a falling temperature, and the integer draws and table it uses."""

from __future__ import annotations

import numpy as np

from neuroemu.emulator.compiled import njit
from neuroemu.mapping._pins import Int64, Integer, filled, inside_kernels

# round(1024 * -ln((i + 0.5) / 64)): an annealer that accepts a loss up to temperature * entry / 1024 for a uniform i
# accepts a loss d with probability close to exp(-d / temperature), without floating point.
ACCEPTANCE = np.array(
    [4968, 3844, 3320, 2976, 2719, 2513, 2342, 2195, 2067, 1953, 1851, 1758, 1672, 1594, 1520, 1452, 1388, 1328,
     1271, 1217, 1166, 1117, 1070, 1026, 983, 942, 903, 865, 828, 793, 759, 726, 694, 663, 633, 603, 575, 547, 520,
     494, 469, 444, 419, 395, 372, 349, 327, 305, 284, 263, 243, 223, 203, 184, 165, 146, 128, 110, 92, 75, 58, 41,
     24, 8],
    np.int64,
)  # fmt: skip


@inside_kernels
def seed_draws(seed: Integer) -> Int64:
    """State of L'Ecuyer's combined generator (1988): two multiplicative generators that fit 64-bit products."""
    state = np.empty(2, np.int64)
    state[0] = 1 + seed % 2147483562
    state[1] = 1 + seed * 7919 % 2147483398
    return state


@inside_kernels
def draw(state: Int64, bound: Integer) -> Integer:
    """Uniform integer in ``[0, bound)``."""
    state[0] = state[0] * 40014 % 2147483563
    state[1] = state[1] * 40692 % 2147483399
    mixed = state[0] - state[1]
    if mixed < 0:
        mixed += 2147483562
    return (mixed * bound) >> 31


@njit
def anneal_placement(
    row_start: Int64,
    neighbour: Int64,
    traffic: Int64,
    place: Int64,
    tile_of_slot: Int64,
    slot_of_core: Int64,
    acceptance: Int64,
    seed: Integer,
    levels: Integer,
    tries: Integer,
) -> Int64:
    """Swap the slots of two cores, or move one to a free slot, under a falling temperature; the best placement seen.

    ``row_start``, ``neighbour``, ``traffic`` are the symmetric core graph; ``place`` (tiles, 2) are coordinates times the
    cost of a hop. A swap of degree d costs O(d); ``slot_of_core`` is changed on the way. ``tries`` swaps a core are
    proposed at each of ``levels`` temperatures, the last ones at zero.
    """
    cores = slot_of_core.shape[0]
    slots = tile_of_slot.shape[0]
    state = seed_draws(seed)
    best = filled(cores, 0)
    core_at = filled(slots, -1)
    tile = np.empty(cores, np.int64)
    for c in range(cores):
        core_at[slot_of_core[c]] = c
        best[c] = slot_of_core[c]
        tile[c] = tile_of_slot[slot_of_core[c]]
    cost = np.int64(0)
    least = np.int64(0)
    temperature = np.int64(0)
    for level in range(-1, levels):
        for _ in range(tries * cores):
            a = draw(state, cores)
            # half of the proposals go beside a partner, the others anywhere
            degree = row_start[a + 1] - row_start[a]
            if degree > 0 and draw(state, 2) == 0:
                partner = neighbour[row_start[a] + draw(state, degree)]
                s = (slot_of_core[partner] + draw(state, 9) - 4) % slots
            else:
                s = draw(state, slots)
            b = core_at[s]
            from_tile = tile[a]
            to_tile = tile_of_slot[s]
            if b == a or from_tile == to_tile:
                continue
            change = np.int64(0)
            mover, origin, goal = a, from_tile, to_tile
            for _ in range(2):
                for i in range(row_start[mover], row_start[mover + 1]):
                    partner = neighbour[i]
                    if partner != a and partner != b:
                        x, y = place[tile[partner], 0], place[tile[partner], 1]
                        after = abs(place[goal, 0] - x) + abs(place[goal, 1] - y)
                        before = abs(place[origin, 0] - x) + abs(place[origin, 1] - y)
                        change += traffic[i] * (after - before)
                if b < 0:
                    break
                mover, origin, goal = b, to_tile, from_tile
            if level < 0:  # no swaps yet: the largest loss seen sets the temperature
                temperature = max(temperature, change // 4)
                continue
            if change > temperature * acceptance[draw(state, 64)] // 1024:
                continue
            core_at[slot_of_core[a]] = b
            if b >= 0:
                slot_of_core[b] = slot_of_core[a]
                tile[b] = from_tile
            core_at[s] = a
            slot_of_core[a] = s
            tile[a] = to_tile
            cost += change
            if cost < least:
                least = cost
                for c in range(cores):
                    best[c] = slot_of_core[c]
        if level >= 0:
            temperature = temperature * 3 // 4
        if level >= levels - 3:
            temperature = np.int64(0)
    return best
