"""hawk compare and /meta/compare: logs of Inspect's own, figures against those of scipy."""

import json
import random

import numpy as np
import pytest
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.scorer import Score
from scipy import stats

SAMPLES = 120  # of the log that the others are made from


def variant(log, path, suffix: str, value_of) -> None:
    """Write a copy of a log, as another run with its own ids, whose samples have the score value_of(i)."""
    copy = log.model_copy(deep=True)
    copy.eval.eval_id += suffix
    copy.eval.run_id += suffix
    copy.eval.task_id += suffix
    for i, sample in enumerate(copy.samples):
        sample.uuid += suffix
        value = value_of(i)
        sample.scores = {} if value is None else {"judge": Score(value=value)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name("part.eval")
    write_eval_log(copy, str(part))
    part.rename(path)


@pytest.fixture(scope="module")
def runs(logs, tmp_path_factory):
    """Values of pairs of runs by name, and a folder of their logs."""
    folder = tmp_path_factory.mktemp("runs")
    log = read_eval_log(str(logs / "many.eval"))
    log.samples.sort(key=lambda sample: sample.id)
    made = random.Random(5)
    letters = [(made.choice("CIPN"), made.choice("CCIPN")) for _ in range(SAMPLES)]
    right = [(made.choice("CI"), made.choice("CCI")) for _ in range(SAMPLES)]
    numbers = [(made.random(), None if made.random() < 0.1 else made.random() + 0.05) for _ in range(SAMPLES)]
    few = [(made.gauss(0, 1), made.gauss(0.8, 1)) if i < 12 else (None, None) for i in range(SAMPLES)]
    values = {"letters": letters, "right": right, "numbers": numbers, "few": few}
    for name, pairs in values.items():
        for side in (0, 1):
            variant(log, folder / f"{name}-{'ab'[side]}/log.eval", f"{name}{side}", lambda i: pairs[i][side])
    return folder, values


@pytest.fixture(scope="module")
def served(runs, shared):
    """A server that has all of the runs."""
    folder, values = runs
    for log in folder.glob("*/*.eval"):
        shared.add_log(log, log.parent.name)
    shared.wait_imported()
    return shared, values


def compared(hawk, name: str, **more) -> dict:
    """The one comparison of a pair of runs."""
    query = "".join(f"&{key}={value}" for key, value in more.items())
    status, answer = hawk.get(f"/meta/compare?a={name}-a&b={name}-b{query}")
    assert status == 200, answer
    (one,) = answer["comparisons"]
    return one


NUMBERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def paired(pairs) -> tuple[np.ndarray, np.ndarray]:
    both = [(NUMBERS.get(a, a), NUMBERS.get(b, b)) for a, b in pairs if a is not None and b is not None]
    return np.array([a for a, _ in both], float), np.array([b for _, b in both], float)


@pytest.mark.parametrize("name", ["letters", "right", "numbers", "few"])
def test_means_and_differences_are_those_of_numpy(served, name):
    hawk, values = served
    one = compared(hawk, name)
    a, b = paired(values[name])
    assert one["n_pairs"] == one["n_samples"] == len(a)
    assert one["n_unpaired_a"] == sum(a is not None and b is None for a, b in values[name])
    assert one["mean_a"] == pytest.approx(a.mean(), abs=1e-9)
    assert one["mean_b"] == pytest.approx(b.mean(), abs=1e-9)
    assert one["difference"] == pytest.approx((b - a).mean(), abs=1e-9)
    assert (one["n_up"], one["n_down"]) == (int((b > a).sum()), int((b < a).sum()))


def test_right_and_wrong_are_tested_as_scipys_binomial_test_does(served):
    hawk, values = served
    one = compared(hawk, "right")
    a, b = paired(values["right"])
    up, down = int((b > a).sum()), int((b < a).sum())
    assert one["test"] == "mcnemar_exact"
    assert one["p_value"] == pytest.approx(stats.binomtest(min(up, down), up + down, 0.5).pvalue, abs=1e-9)


def test_few_numbers_are_permuted_as_scipy_does(served):
    hawk, values = served
    one = compared(hawk, "few")
    a, b = paired(values["few"])
    exact = stats.permutation_test((b - a,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert one["test"] == "permutation_exact"
    assert one["p_value"] == pytest.approx(exact.pvalue, abs=1e-9)


def test_many_numbers_are_permuted_near_the_t_test(served):
    hawk, values = served
    one = compared(hawk, "numbers")
    a, b = paired(values["numbers"])
    assert one["test"] == "permutation"
    assert one["p_value"] == pytest.approx(stats.ttest_rel(b, a).pvalue, abs=0.02)


@pytest.mark.parametrize("name", ["letters", "right", "numbers"])
def test_the_interval_is_near_that_of_the_t_distribution(served, name):
    """With over a hundred pairs both are good, and differ by the noise of resampling."""
    hawk, values = served
    low, high = compared(hawk, name)["interval"]
    a, b = paired(values[name])
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    width = interval.high - interval.low
    assert low == pytest.approx(interval.low, abs=0.06 * width)
    assert high == pytest.approx(interval.high, abs=0.06 * width)


def test_the_seed_decides_the_interval(served):
    hawk, _ = served
    assert compared(hawk, "numbers", seed=3) == compared(hawk, "numbers", seed=3)
    assert compared(hawk, "numbers", seed=3)["interval"] != compared(hawk, "numbers", seed=4)["interval"]


def test_links_of_flips_lead_to_their_samples(served):
    hawk, _ = served
    flip = compared(hawk, "right", flips=1)["up"][0]
    assert flip["link_a"] == f"{hawk.url}/permalink/sample/{flip['uuid_a']}"
    status, sample = hawk.get(f"/meta/samples/{flip['uuid_b']}")
    assert (status, sample["id"], sample["eval_set_id"]) == (200, flip["id"], "right-b")


def test_the_command_says_it_in_words(served):
    hawk, _ = served
    shown = hawk.run("compare", "right-a", "right-b", "--flips", "2").stdout
    assert shown.startswith("A: right-a, ") and "\nB: right-b, " in shown
    assert "many, judge: " in shown
    assert "(95 % interval " in shown
    assert "McNemar's exact test, p " in shown
    assert f"Higher in B (2 of {compared(hawk, 'right')['n_up']})" in shown


def test_the_command_prints_the_answer_of_the_server_as_json(served):
    hawk, _ = served
    status, answer = hawk.get("/meta/compare?a=letters-a&b=letters-b&seed=9&flips=3&scorer=judge&task=many")
    assert hawk.json("compare", "letters-a", "letters-b", "--seed", "9", "--flips", "3", "--scorer", "judge", "--task", "many") == answer


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["right-a", "nothing"], 5, "there is no eval set or eval 'nothing'"),
        (["right-a"], 2, "nothing to compare"),
        (["right-a", "--by", "model"], 2, "fewer than two models"),
        (["right-a", "right-b", "--scorer", "other"], 5, "no task has scores of this scorer on both sides"),
        (["right-a", "right-b", "--task", "other"], 5, "right-a has no task 'other'"),
    ],
)
def test_what_cannot_be_compared_is_said(served, args, status, says):
    hawk, _ = served
    done = hawk.run("compare", *args, check=False)
    assert done.returncode == status
    assert says in done.stderr


@pytest.mark.parametrize("query", ["b=right-b", "a=right-a&b=right-b&seed=-1", "a=right-a&b=right-b&flips=1001", "a=right-a&by=x"])
def test_bad_parameters_are_refused(served, query):
    hawk, _ = served
    status, answer = hawk.get(f"/meta/compare?{query}")
    assert status in (400, 422), answer
    assert json.dumps(answer["detail"])
