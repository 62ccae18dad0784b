"""The tests that scikit-learn has of its searches hold for ours, in its place.

Most of them search other estimators, which a joint search leaves to scikit-learn; here all of
them go through the fit of joint searches.
"""

import pytest
import sklearn.model_selection
from conftest import scikit_learn_tests

from skgd import JointGridSearchCV, JointRandomizedSearchCV
from skgd.search import joint_search

OURS = {
    "sklearn.model_selection.GridSearchCV": JointGridSearchCV,
    "sklearn.model_selection.RandomizedSearchCV": JointRandomizedSearchCV,
}
LEFT_OUT = {
    "test_array_api_search_cv_classifier",  # of arrays that no regressor of ours takes
    "test_custom_run_search",  # of subclasses, whose attributes are none but scikit-learn's
    "test_random_search_bad_cv",  # whose message has other words in other versions
}
pytestmark = pytest.mark.filterwarnings("ignore")


MODULE = "sklearn.model_selection.tests.test_search"
globals().update(scikit_learn_tests(MODULE, OURS, LEFT_OUT))


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
