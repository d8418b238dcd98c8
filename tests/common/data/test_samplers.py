"""Which items a batch holds: that follows from seed and batch number alone."""

from itertools import islice

import pytest

from common.data import samplers


def first(batches, count: int) -> list:
    return list(islice(iter(batches), count))


def test_every_pass_has_every_item_once_in_an_order_of_its_own():
    batches = samplers.ResumableBatchSampler(length=12, batch_size=3, seed=0)
    assert len(batches) == 4
    passes = [sum(first(batches, 8)[at : at + 4], []) for at in (0, 4)]
    assert [{epoch for epoch, _ in keys} for keys in passes] == [{0}, {1}]
    orders = [[index for _, index in keys] for keys in passes]
    assert [sorted(order) for order in orders] == [list(range(12))] * 2
    assert orders[0] != orders[1] != list(range(12))


@pytest.mark.parametrize("start", [1, 4, 7])
def test_a_run_that_goes_on_sees_the_batches_it_would_have_seen(start):
    whole = first(samplers.ResumableBatchSampler(length=13, batch_size=3, seed=1), 12)
    rest = samplers.ResumableBatchSampler(length=13, batch_size=3, seed=1)
    rest.start = start
    assert first(rest, 12 - start) == whole[start:]


@pytest.mark.parametrize("length", [13, 3])
def test_processes_share_the_batch_of_a_single_one(length):
    single = first(samplers.ResumableBatchSampler(length, batch_size=6, seed=0), 5)
    ranks = [
        first(samplers.ResumableBatchSampler(length, 2, 0, rank, world_size=3), 5)
        for rank in range(3)
    ]
    assert [sum(parts, []) for parts in zip(*ranks)] == single


def test_few_items_fill_a_batch_by_being_drawn_several_times():
    batches = first(samplers.ResumableBatchSampler(length=3, batch_size=8, seed=0), 4)
    assert [len(batch) for batch in batches] == [8] * 4
    assert len(set(sum(batches, []))) == 32


def test_other_data_batch_or_processes_are_refused(refusal):
    state = samplers.ResumableBatchSampler(
        length=10, batch_size=2, seed=0, world_size=2
    ).state_dict()
    samplers.ResumableBatchSampler(10, 2, 0, rank=1, world_size=2).load_state_dict(state)
    with refusal("had 10 training images, now there are 11"):
        samplers.ResumableBatchSampler(11, 2, 0, world_size=2).load_state_dict(state)
    with refusal("had 2 processes, now there are 1"):
        samplers.ResumableBatchSampler(10, 2, 0).load_state_dict(state)


def test_validation_takes_every_item_once_a_pass_and_never_twice_a_batch():
    assert list(samplers.ValidationBatchSampler(length=5, batch_size=3, passes=2)) == [
        [(0, 0), (0, 1), (0, 2)],
        [(0, 3), (0, 4)],
        [(1, 0), (1, 1), (1, 2)],
        [(1, 3), (1, 4)],
    ]


def test_processes_validate_whole_batches_in_turn():
    ranks = [
        list(samplers.ValidationBatchSampler(5, 2, rank=rank, world_size=2)) for rank in range(2)
    ]
    assert ranks == [[[(0, 0), (0, 1)], [(0, 4)]], [[(0, 2), (0, 3)]]]
    alone = [samplers.ValidationBatchSampler(1, 2, rank=rank, world_size=2) for rank in range(2)]
    assert [list(sampler) for sampler in alone] == [[[(0, 0)]], [[(0, 0)]]]
    assert [sampler.repeats for sampler in alone] == [False, True]
