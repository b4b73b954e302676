"""What connectivity stages and their folding promise."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.network.connectivity import Conv2d, Dense, Pool2d, Scale, Sparse, apply_stages, fold, identity

seeds = st.integers(0, 2**32 - 1)


def whole(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small whole numbers: every sum and product of them is exact in float64."""
    return rng.integers(-4, 5, size=shape).astype(float)


def by_hand(conv: Conv2d, image: np.ndarray) -> np.ndarray:
    """Cross-correlation written as PyTorch's manual defines it, one output at a time."""
    top, bottom, left, right = conv.padding
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right)))
    out = np.zeros(conv.out_shape)
    per_group = conv.weight.shape[1]
    for o, y, x in np.ndindex(*conv.out_shape):
        first = o // (conv.out_shape[0] // conv.groups) * per_group
        for c, i, j in np.ndindex(*conv.weight.shape[1:]):
            row = y * conv.stride[0] + i * conv.dilation[0]
            column = x * conv.stride[1] + j * conv.dilation[1]
            out[o, y, x] += conv.weight[o, c, i, j] * padded[first + c, row, column]
    return out


@st.composite
def convolutions(draw, in_shape=None):
    groups = draw(st.integers(1, 2))
    if in_shape is None:
        in_shape = (groups * draw(st.integers(1, 2)), draw(st.integers(4, 8)), draw(st.integers(4, 8)))
    elif in_shape[0] % groups:
        groups = 1
    kernel = draw(st.tuples(st.integers(1, min(3, in_shape[1])), st.integers(1, min(3, in_shape[2]))))
    reaches = zip(kernel, in_shape[1:], strict=True)
    dilation = tuple(draw(st.integers(1, 2)) if (k - 1) * 2 < size else 1 for k, size in reaches)
    weight = whole(np.random.default_rng(draw(seeds)), groups * draw(st.integers(1, 2)), in_shape[0] // groups, *kernel)
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    return Conv2d(weight, in_shape, stride, padding, dilation, groups)


@st.composite
def pools(draw, in_shape):
    kernel = draw(st.tuples(st.integers(1, min(4, in_shape[1])), st.integers(1, min(4, in_shape[2]))))
    stride = draw(st.one_of(st.just(kernel), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    padding = draw(st.tuples(st.integers(0, kernel[0] // 2), st.integers(0, kernel[1] // 2)))
    return Pool2d(draw(st.sampled_from(["sum", "average"])), in_shape, kernel, stride, padding)


@st.composite
def chains(draw):
    """One to four stages that fit each other."""
    first = draw(convolutions())
    stages = [first] if draw(st.booleans()) else [draw(pools(first.in_shape))]
    for _ in range(draw(st.integers(0, 3))):
        last = stages[-1]
        rng = np.random.default_rng(draw(seeds))
        shape = last.out_shape
        kind = draw(st.sampled_from(["conv", "pool", "scale", "channel scale", "dense", "sparse"]))
        if kind in ("conv", "pool", "channel scale") and len(shape) != 3:
            kind = "scale"
        if kind == "conv":
            stages.append(draw(convolutions(shape)))
        elif kind == "pool":
            stages.append(draw(pools(shape)))
        elif kind == "channel scale":
            stages.append(Scale(np.repeat(whole(rng, shape[0]), shape[1] * shape[2])))
        elif kind == "scale":
            stages.append(Scale(whole(rng, last.n_out)))
        elif kind == "dense":
            stages.append(Dense(whole(rng, 3, last.n_out)))
        else:
            stages.append(Sparse(sp.csr_array(whole(rng, 4, last.n_out) * (rng.random((4, last.n_out)) < 0.4))))
    return tuple(stages)


@given(convolutions(), seeds)
@settings(max_examples=60, deadline=None)
def test_convolution_is_cross_correlation_as_in_pytorch(conv, seed):
    image = whole(np.random.default_rng(seed), *conv.in_shape)
    assert np.array_equal(conv.apply(image.ravel()).reshape(conv.out_shape), by_hand(conv, image))


@given(chains(), seeds)
@settings(max_examples=150, deadline=None)
def test_folded_chain_equals_its_stages_one_after_the_other(stages, seed):
    x = whole(np.random.default_rng(seed), 2, 3, stages[0].n_in)
    chained = apply_stages(stages, x)
    folded = fold(stages)
    assert isinstance(folded, (Dense, Sparse, Conv2d))
    assert folded.apply(x).shape == chained.shape == (2, 3, stages[-1].n_out)
    np.testing.assert_allclose(folded.apply(x), chained, rtol=1e-12, atol=1e-9)


@given(chains(), seeds)
@settings(max_examples=60, deadline=None)
def test_sparse_form_lists_every_synapse_and_computes_the_same(stages, seed):
    for stage in (*stages, fold(stages)):
        matrix = stage.to_sparse()
        x = whole(np.random.default_rng(seed), 2, stage.n_in)
        assert matrix.shape == (stage.n_out, stage.n_in)
        assert matrix.nnz == stage.synapse_count
        assert matrix.has_canonical_format or matrix.nnz == len(set(zip(*matrix.nonzero(), strict=True)))
        np.testing.assert_allclose((matrix @ x.T).T, stage.apply(x), rtol=1e-12, atol=1e-9)


def test_pooling_then_convolution_is_one_strided_convolution():
    pool = Pool2d("sum", (16, 16, 16), (2, 2), (2, 2))
    conv = Conv2d(whole(np.random.default_rng(1), 8, 16, 3, 3), (16, 8, 8), padding=(1, 1, 1, 1))
    folded = fold((pool, conv))
    assert isinstance(folded, Conv2d)
    assert folded.weight.shape == (8, 16, 6, 6)
    assert folded.stride == (2, 2)
    assert folded.padding == (2, 2, 2, 2)
    assert folded.out_shape == conv.out_shape


def test_pooling_that_loses_a_row_does_not_nest_with_a_padded_convolution():
    pool = Pool2d("sum", (1, 5, 5), (2, 2), (2, 2))
    conv = Conv2d(np.ones((1, 1, 3, 3)), (1, 2, 2), padding=(1, 1, 1, 1))
    folded = fold((pool, conv))
    x = np.arange(25.0)
    assert isinstance(folded, Sparse)
    assert np.array_equal(folded.apply(x), conv.apply(pool.apply(x)))


def test_pooling_alone_stays_a_shared_kernel():
    folded = fold((Pool2d("average", (3, 4, 4), (2, 2), (2, 2)),))
    assert isinstance(folded, Conv2d)
    assert folded.groups == 3
    assert np.all(folded.weight == 0.25)


def test_anything_before_a_dense_stage_becomes_dense():
    pool = Pool2d("average", (6, 8, 8), (2, 2), (2, 2))
    weight = whole(np.random.default_rng(2), 10, 96)
    folded = fold((pool, Dense(weight)))
    assert isinstance(folded, Dense)
    repeated = weight.reshape(10, 6, 4, 4).repeat(2, axis=2).repeat(2, axis=3).reshape(10, 384) / 4
    assert np.array_equal(folded.weight, repeated)


def test_scale_per_channel_keeps_the_convolution():
    conv = Conv2d(np.ones((4, 2, 3, 3)), (2, 5, 5))
    before, after = Scale(np.repeat([2.0, 3.0], 25)), Scale(np.repeat([1.0, 2.0, 3.0, 4.0], 9))
    assert isinstance(fold((before, conv, after)), Conv2d)
    assert isinstance(fold((Scale(np.arange(50.0)), conv)), Sparse)


def test_direct_edge_folds_to_one_synapse_per_neuron():
    folded = fold((identity(5),))
    assert isinstance(folded, Sparse)
    assert folded.synapse_count == 5
    assert np.array_equal(folded.weight.toarray(), np.eye(5))


def test_synapse_delays_survive_a_scale_and_nothing_else():
    delayed = Sparse(sp.csr_array(np.array([[1.0, 2.0], [0.0, 3.0]])), delay=np.array([0, 2, 1]))
    folded = fold((Scale(np.array([2.0, 1.0])), delayed, Scale(np.array([1.0, 10.0]))))
    assert isinstance(folded, Sparse)
    assert np.array_equal(folded.delay, [0, 2, 1])
    assert np.array_equal(folded.weight.toarray(), [[2.0, 2.0], [0.0, 30.0]])
    parts = dict(folded.by_delay())
    assert sorted(parts) == [0, 1, 2]
    assert np.array_equal(sum(part.weight.toarray() for part in parts.values()), folded.weight.toarray())
    with pytest.raises(ValueError, match="delays"):
        fold((delayed, Dense(np.ones((1, 2)))))


def test_stages_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 outputs meets one with 4 inputs"):
        fold((Dense(np.ones((3, 2))), Dense(np.ones((1, 4)))))
    with pytest.raises(ValueError, match="at least one stage"):
        fold(())
