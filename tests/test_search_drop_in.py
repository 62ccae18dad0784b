"""The tests that scikit-learn has of its searches hold for ours, in its place.

Most of them search other estimators, which a joint search leaves to scikit-learn; here all of
them go through the fit of joint searches.
"""

import importlib
import importlib.util

import pytest
import sklearn.model_selection

from skgd import JointGridSearchCV, JointRandomizedSearchCV
from skgd.search import joint_search

OURS = {"GridSearchCV": JointGridSearchCV, "RandomizedSearchCV": JointRandomizedSearchCV}
MARKS = {"parametrize", "filterwarnings", "skipif", "usefixtures"}
LEFT_OUT = {
    "test_array_api_search_cv_classifier",  # of arrays that no regressor of ours takes
    "test_custom_run_search",  # of subclasses, whose attributes are none but scikit-learn's
    "test_random_search_bad_cv",  # whose message has other words in other versions
}
pytestmark = pytest.mark.filterwarnings("ignore")


def tests_of_scikit_learn():
    """Return the tests by name, of a module that has taken ours for its searches."""
    try:
        found = importlib.util.find_spec("sklearn.model_selection.tests.test_search")
    except ModuleNotFoundError:  # some distributions leave them out
        found = None
    if found is None:
        return {}
    with pytest.MonkeyPatch.context() as patch:
        for name, cls in OURS.items():
            patch.setattr(sklearn.model_selection, name, cls)
        module = importlib.import_module(found.name)
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    for test in tests.values():
        marks = vars(test).get("pytestmark", [])
        test.pytestmark = [mark for mark in marks if mark.name in MARKS]
    return {name: test for name, test in tests.items() if name not in LEFT_OUT}


globals().update(tests_of_scikit_learn())


@pytest.fixture(autouse=True)
def all_estimators(monkeypatch):
    """Let every search go through our fit."""
    monkeypatch.setattr(joint_search, "can_join", lambda estimator: True)


@pytest.fixture
def enable_slep006():
    """Enable metadata routing, as a fixture of scikit-learn's does."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def global_random_seed():
    return 42
