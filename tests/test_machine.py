"""A program on a chip: what goes in, what comes out under which name, and what an interruption leaves."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.image.container import Program
from neuroemu.machine import Machine, Run
from neuroemu.toolchain import deploy
from tests.small import meter, relay, two_inputs

pytestmark = pytest.mark.interpreted


@pytest.fixture(scope="module")
def relay_machine() -> Machine:
    return deploy(relay(), "loihi1").machine


@pytest.fixture(scope="module")
def meter_machine() -> Machine:
    return deploy(meter(), "loihi1").machine


def one_spike(tick: int, neuron: int, ticks: int = 4, samples: int = 1) -> Any:
    """Inputs of ``relay`` with one spike in every sample."""
    inputs = np.zeros((samples, ticks, 2), np.uint8)
    inputs[:, tick, neuron] = 1
    return inputs


# ---- spikes ----------------------------------------------------------------------------------------------------------


def test_spikes_come_in_the_steps_of_the_network_and_events_in_the_ticks_of_the_chip(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(tick=1, neuron=0))
    assert np.argwhere(run.spikes("first")).tolist() == [[0, 1, 0]]
    assert np.argwhere(run.spikes("second")).tolist() == [[0, 1, 1]]
    assert [part.tolist() for part in run.events("first")] == [[0], [1], [0]]
    assert [part.tolist() for part in run.events("second")] == [[0], [2], [1]]
    assert (run.ticks, run.period) == (4, 5)


def test_a_spike_in_the_last_step_still_reaches_the_last_layer(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(tick=3, neuron=1))
    assert np.argwhere(run.spikes("second")).tolist() == [[0, 3, 0]]


def test_samples_follow_each_other_and_each_starts_clean(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(tick=3, neuron=0, samples=3))
    assert run.complete_samples == run.samples == 3
    assert run.recording.ticks == 3 * 5
    assert np.argwhere(run.spikes("second")).tolist() == [[sample, 3, 1] for sample in range(3)]


def test_predictions_take_the_lowest_of_equal_outputs(relay_machine: Machine) -> None:
    inputs = np.concatenate(
        [one_spike(0, 0), one_spike(0, 1), np.zeros((1, 4, 2), np.uint8), np.ones((1, 4, 2), np.uint8)]
    )
    assert relay_machine.run(inputs).predictions().tolist() == [1, 0, 0, 0]


def test_an_analog_output_answers_with_its_membrane(meter_machine: Machine) -> None:
    inputs = np.zeros((2, 3, 1, 1, 3), np.uint8)
    inputs[0, 0, 0, 0, 0] = inputs[1, 0, 0, 0, 2] = 1
    run = meter_machine.run(inputs)
    membranes = run.membranes("out")
    assert membranes.shape == (2, 3, 2)
    assert (membranes[0, :, 0] > 0).all() and not membranes[0, :, 1].any()
    assert membranes[0, 1, 0] / membranes[0, 0, 0] == pytest.approx(0.75, abs=1e-3)
    assert run.predictions().tolist() == [0, 1]


def test_an_unknown_population_is_refused_by_name(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(0, 0))
    with pytest.raises((KeyError, BadInput), match="third"):
        run.spikes("third")


def test_labels_must_be_as_many_as_samples(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(0, 0, samples=2))
    assert run.report([1, 0]).document["accuracy"]["chip"] == 0.5
    with pytest.raises(BadInput, match="NE6016"):
        run.report([1])


# ---- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int64, np.float32])
def test_counts_of_any_number_type_are_the_same_spikes(dtype: Any, relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(1, 0).astype(dtype))
    assert np.argwhere(run.spikes("second")).tolist() == [[0, 1, 1]]


def test_flat_and_shaped_inputs_are_the_same(meter_machine: Machine) -> None:
    inputs = (np.arange(18) % 2).astype(np.uint8).reshape(2, 3, 1, 1, 3)
    flat = meter_machine.run(inputs.reshape(2, 3, 3))
    assert np.array_equal(flat.membranes("out"), meter_machine.run(inputs).membranes("out"))


def test_a_count_of_n_is_n_spikes(relay_machine: Machine) -> None:
    run = relay_machine.run(3 * one_spike(1, 0))
    assert run.costs.counters["input_spikes"] == 3
    assert run.costs.counters["spikes"] == 2


@pytest.mark.parametrize(
    ("inputs", "code", "part"),
    [
        (np.zeros((1, 4, 3)), "NE6001", "(1, 4, 3)"),
        (np.zeros((4, 2)), "NE6001", "(samples, ticks, 2)"),
        (np.zeros((0, 4, 2)), "NE6001", "no samples"),
        (np.zeros((1, 0, 2)), "NE6001", "no ticks"),
        (np.full((1, 4, 2), 0.5), "NE6002", "spike counts"),
        (np.full((1, 4, 2), -1), "NE6002", "spike counts"),
        (np.full((1, 4, 2), np.nan), "NE6002", "spike counts"),
        (np.full((1, 4, 2), np.inf), "NE6002", "spike counts"),
        (np.full((1, 4, 2), "many"), "NE6002", "spike counts"),
        ({"inn": np.zeros((1, 4, 2))}, "NE6001", "no input for port in; given: inn"),
    ],
)
def test_inputs_that_are_no_spikes_are_refused(inputs: Any, code: str, part: str, relay_machine: Machine) -> None:
    with pytest.raises(BadInput) as caught:
        relay_machine.run(inputs)
    (finding,) = caught.value.findings
    assert finding.code == code and part in finding.message
    assert finding.where in ("population in", "")


def test_several_inputs_are_given_by_name() -> None:
    machine = deploy(two_inputs(), "loihi1").machine
    assert [port.name for port in machine.ports] == ["left", "right"]
    left, right = np.zeros((1, 2, 2), np.uint8), np.ones((1, 2, 3), np.uint8)
    assert machine.run({"left": left, "right": right}).spikes("out").all()
    with pytest.raises(BadInput) as caught:
        machine.run(left)
    assert [finding.where for finding in caught.value.findings] == ["population left", "population right"]
    with pytest.raises(BadInput, match="differ in samples or ticks"):
        machine.run({"left": left, "right": np.ones((1, 3, 3), np.uint8)})


def test_more_input_spikes_than_memory_holds_are_refused(
    relay_machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuroemu.machine.MOST_INPUT_SPIKES", 5)
    with pytest.raises(BadInput, match="NE6003 8 input spikes are more than 5"):
        relay_machine.run(np.ones((1, 4, 2), np.uint8))


# ---- programs --------------------------------------------------------------------------------------------------------


def test_another_seed_is_another_program_of_the_same_sections(relay_machine: Machine) -> None:
    other = relay_machine.with_seed(9)
    assert other.program.manifest["seed"] == 9
    assert other.program.sections.keys() == relay_machine.program.sections.keys()
    inputs = one_spike(1, 1)
    assert np.array_equal(other.run(inputs).spikes("second"), relay_machine.run(inputs).spikes("second"))


def test_a_program_of_an_unknown_family_is_refused() -> None:
    with pytest.raises(BadInput, match="NE9001 no chip family 'abacus'"):
        Machine(Program({"family": "abacus"}, {}))


def test_the_chip_is_that_of_the_image(relay_machine: Machine) -> None:
    assert relay_machine.chip.name == "loihi1"
    assert relay_machine.chip.cost_sets.keys() == {"davies2018", "sanafe2025"}


# ---- probes ----------------------------------------------------------------------------------------------------------


def test_states_are_recorded_in_the_steps_of_the_network(relay_machine: Machine) -> None:
    run = relay_machine.run(one_spike(1, 0), probes=["second"])
    assert run.probed == ("second",)
    current = run.state("second", "u")
    assert current.shape == (1, 4, 2)
    assert np.argwhere(current).tolist() == [[0, 1, 1]]
    with pytest.raises(KeyError, match="first was not probed"):
        run.state("first", "v")


def test_an_unknown_population_cannot_be_probed(relay_machine: Machine) -> None:
    with pytest.raises(BadInput, match="no population 'third' to probe"):
        relay_machine.run(one_spike(0, 0), probes=["third", "first"])


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def pressed_after(machine: Machine, chunks: int, inputs: Any, presses: int = 1) -> Run:
    """A run in which Ctrl-C is pressed when so many chunks are done."""
    done = []

    def progress(ticks: int, total: int) -> None:
        done.append(ticks)
        if len(done) == chunks:
            for _ in range(presses):
                os.kill(os.getpid(), signal.SIGINT)

    return machine.run(inputs, progress)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_keeps_the_chunks_that_are_done(presses: int, relay_machine: Machine) -> None:
    inputs = one_spike(1, 0, samples=500)
    run = pressed_after(relay_machine, 2, inputs, presses)
    assert run.interrupted
    done = run.recording.ticks
    assert 0 < done < 500 * 5
    assert run.complete_samples == done // 5
    assert run.costs.counters["ticks"] == done
    events = sum(run.events(name)[0].size for name in ("first", "second"))
    assert run.costs.counters["spikes"] == events
    whole = relay_machine.run(inputs)
    kept = run.complete_samples
    assert np.array_equal(run.spikes("second")[:kept], whole.spikes("second")[:kept])
    assert not run.spikes("second")[kept + 1 :].any()


def test_ctrl_c_in_the_last_chunk_changes_nothing(relay_machine: Machine) -> None:
    run = pressed_after(relay_machine, 1, one_spike(1, 0))
    assert not run.interrupted and run.complete_samples == 1


def test_ctrl_c_means_what_it_meant_before_when_the_run_is_over(relay_machine: Machine) -> None:
    before = signal.getsignal(signal.SIGINT)
    pressed_after(relay_machine, 2, one_spike(1, 0, samples=500))
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_before_the_first_chunk_leaves_an_empty_run(
    meter_machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("neuroemu.emulator.sharded.ShardedEngine.advance", interrupted)
    run = meter_machine.run(np.ones((2, 3, 3), np.uint8))
    assert run.interrupted and run.complete_samples == run.recording.ticks == 0
    assert run.spikes("out").shape == run.membranes("out").shape == (2, 3, 2)
    document = run.report([0, 1]).document
    assert document["run"]["samples"] == 0 and document["accuracy"]["chip"] is None
    assert document["cost"]["sets"][0]["energy"]["total_j"] == 0
    assert [finding["code"] for finding in document["findings"]] == ["NE6004"]


def test_an_own_handler_of_ctrl_c_is_left_alone(relay_machine: Machine) -> None:
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        run = pressed_after(relay_machine, 1, one_spike(1, 0, samples=500))
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]
    assert not run.interrupted


def test_a_run_outside_the_main_thread_works(relay_machine: Machine) -> None:
    runs: list[Run] = []
    thread = threading.Thread(target=lambda: runs.append(relay_machine.run(one_spike(1, 0))))
    thread.start()
    thread.join()
    assert np.argwhere(runs[0].spikes("second")).tolist() == [[0, 1, 1]]
