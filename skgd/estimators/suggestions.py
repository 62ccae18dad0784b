"""What the words of other libraries stand for here: what was probably meant, and where it is.

Each table maps words, several in a string, to the counterpart. They are compared without regard to
case, hyphens, underscores and spaces. What no table has is looked for among the names there are.
"""

import difflib
import inspect
import re

from skgd.part import Part
from skgd.solvers.second_order import REASONS

CLOSE = 0.7  # similarity, from which one word is taken for another

DIRECT = 'optimizer="auto", which goes straight to the minimum where that is possible'
VALUES = {
    "optimizer": {
        "bfgs lbfgsb quasinewton": '"lbfgs"',
        "newtoncg newtoncholesky newtonraphson irls levenberg": '"newton"',
        "cholesky svd lsqr sparsecg cg": DIRECT,
        "liblinear coordinatedescent cyclic cd ls ols normal exact none": DIRECT,
        "gradientdescent graddescent batch batchgd bgd full vanilla steepestdescent": '"gd"',
        "stochastic stochasticgd minibatch minibatchgd": '"sgd", and batch_size=32 or the like',
        "sgdmomentum heavyball polyak velocity": '"momentum"',
        "nag nesterovs nesterovmomentum accelerated fista apg agd": '"nesterov"',
        "sign signsgd signgd normalised normalisedgd normalizedgd ngd": '"normalized"',
        "ista proximal proximalgd pgd": '"gd" with penalty="l1": its steps are proximal',
        "adamax": '"amsgrad"',
        "sag": '"saga"',
        "asgd averagedsgd": '"sgd", and average=True',
        "rprop": '"normalized" or "rmsprop"',
    },
    "learning_rate": {
        "constant": 'schedule="constant", and learning_rate=0.01 or the like',
        "adaptive": 'schedule="adaptive"',
        "invscaling": 'schedule="inverse_scaling"',
        "optimal": 'schedule="inverse_time"; a rate of one\'s own is not needed with "auto"',
        "pa1 pa2": 'learning_rate="auto"; there is no passive-aggressive rule',
        "automatic none default": 'learning_rate="auto"',
    },
    "schedule": {
        "invscaling": '"inverse_scaling"',
        "optimal invtime timebased hyperbolic": '"inverse_time"',
        "cosineannealing cosineannealinglr cosinedecay": '"cosine"',
        "exp exponentiallr exponentialdecay": '"exponential"',
        "steplr stepdecay piecewise piecewiseconstant multisteplr": '"step"',
        "plateau onplateau reduceonplateau reducelronplateau": '"adaptive"',
        "linear linearlr linearwarmup": '"warmup" for a rise, "inverse_time" for a fall',
        "none fixed": '"constant"',
    },
    "penalty": {
        "lasso": '"l1"',
        "ridge tikhonov weightdecay": '"l2"',
        "en enet l1l2": '"elasticnet"',
        "no none nopenalty null": "None",
    },
    "loss": {
        "mse squared squares squaredloss meansquarederror leastsquares ls l2 rmse gaussian none": (
            '"squared_error", half of the squared difference'
        ),
        "mae lad l1 meanabsoluteerror absolute laplace": '"absolute_error"',
        "huberloss smoothl1": '"huber"',
        "pinball": '"quantile"',
        "svr hinge": '"epsilon_insensitive"',
        "logloss logistic crossentropy bce perceptron modifiedhuber": "GDMLPClassifier",
    },
    "activation": {
        "sigmoid expit logit": '"logistic"',
        "linear none no": '"identity"',
        "rectifier rectified": '"relu"',
        "lrelu prelu": '"leaky_relu"',
        "silu swish mish": '"gelu"',
    },
    "sampling": {
        "random shuffled permutation true withoutreplacement reshuffle": '"shuffle"',
        "withreplacement bootstrap uniform iid": '"replacement"',
        "sequential ordered inorder none false noshuffle": '"cyclic"',
    },
    "batch_size": {"auto all full batch": "None, for all rows"},
    "init": {"zero zeros": "None", "random": "numbers, one for each parameter, or None"},
    "l1_ratio": {"lasso l1": "1.0", "ridge l2": "0.0"},
    "n_iter_no_change": {"none": "tol=None, which does max_iter epochs exactly"},
}
PARAMETERS = {
    "eta0 eta lr learningrateinit stepsize step alpha0": "learning_rate",
    "lrschedule lrscheduler scheduler learningrateschedule ratedecay lrdecay": "schedule",
    "powert power": "schedule=InverseScaling(power=...) of skgd.schedules",
    "shuffle": 'sampling="shuffle", the default, or "cyclic" for rows as they stand',
    "epsilon": (
        "loss=Huber(epsilon=...) or EpsilonInsensitive(epsilon=...) of skgd.losses; what keeps a "
        "rule from dividing by zero is a field of the rule, as in optimizer=Adam(eps=...)"
    ),
    "njobs": "nothing, as a descent runs in one thread; a search over several takes n_jobs itself",
    "momentum": "optimizer=Momentum(beta=...) of skgd.optimizers",
    "nesterovsmomentum nesterov": 'optimizer="nesterov", or Nesterov(beta=...) of skgd.optimizers',
    "betas": "optimizer=Adam(beta1=..., beta2=...) of skgd.optimizers",
    "amsgrad": 'optimizer="amsgrad"',
    "weightdecay l2 l2reg l2penalty": 'penalty="l2" and alpha, or optimizer="adamw"',
    "l1 l1reg l1penalty": 'penalty="l1" and alpha',
    "c": 'alpha, which is 1 / (n_samples * C) with penalty="l2"',
    "lambda lam lambd reg reglambda regularization regularisation regparam": "alpha",
    "solver method algorithm rule optimiser": "optimizer",
    "epochs nepochs numepochs nbepoch maxepochs niter numiter iterations maxiterations nsteps": (
        "max_iter, which counts epochs"
    ),
    "batch minibatch minibatchsize batches": "batch_size",
    "patience": "n_iter_no_change",
    "mindelta tolerance eps rtol atol ftol gtol precision": "tol",
    "validationsplit testsize": "early_stopping=True with validation_fraction",
    "validationdata evalset": "X_val and y_val of fit",
    "seed randomseed rng": "random_state",
    "lossfunction losses criterion objective cost costfunction": "loss",
    "intercept bias usebias addintercept": "fit_intercept",
    "clip globalclipnorm gradclip maxgradnorm maxnorm": "clip_norm",
    "nonnegative nonneg nnls": "positive",
    "w0 theta0 x0 coefinit interceptinit start initialweights": "init",
    "penaltyfactor penaltyfactors featureweights": "penalty_weights",
    "hiddenlayers layers layersizes hiddensizes hiddenunits units": "hidden_layer_sizes",
    "activations activationfunction nonlinearity": "activation",
    "batchnormalization batchnormalisation bn": "batch_norm",
    "kernelinitializer initializer": "weight_init",
    "averaging polyak": "average",
    "verbosity": "verbose",
    "normalize normalise standardize scale": "StandardScaler in front, in a pipeline",
    "classweight": "sample_weight of fit",
    "callbacks": "set_callbacks, from scikit-learn 1.9 on",
    "recordhistory history keephistory": "history_, which every fit has, or record_path",
    "dual precompute selection copyx": 'nothing: optimizer="auto" chooses by itself',
    "nrestarts nstarts ninits numstarts": "n_init of GDGaborRegressor",
}
CONDITIONAL = {  # what sets the attributes that not every fit sets
    "path_": "A fit with record_path=True sets path_.",
    "feature_names_in_": "A fit to a table whose columns have names sets feature_names_in_.",
}
ATTRIBUTES = {
    "path thetapath coefpath trajectory": CONDITIONAL["path_"],
    "validationscores validationscore bestvalidationscore valscores": (
        'A fit with early_stopping=True, or with X_val, sets history_["validation_score"].'
    ),
    "featurenames columns": CONDITIONAL["feature_names_in_"],
    "loss bestloss finalloss": "Look at loss_curve_[-1].",
    "losses losshistory costs objectivecurve trainscore": "Look at loss_curve_.",
    "history": "Look at history_.",
    "coefs weights w intercepts bias": "Look at coef_ and intercept_, or at parameters().",
    "theta minima kind offset frequency starts standarderrors covariance amplitude width": (
        "GDGaborRegressor has it; every estimator has parameters()."
    ),
    "coef intercept": "GDRegressor has it; every estimator has parameters().",
    "dualgap gap duality": "GDRegressor, whose problem is convex, has dual_gap_.",
    "standardcoef averagecoef": "A fit with average=True has the mean of the iterates in coef_.",
    "alphas alpha mse msepath": "Look at skgd.path, or search over alpha.",
    "nfeatures": "Look at n_features_in_.",
    "learningrates rates": 'Look at history_["learning_rate"].',
    "converged": "Look at converged_ and stop_reason_.",
    "partialfit": f"There is none for second-order methods as {REASONS['partial_fit']}",
}


def plainly(word):
    """Return a word without what spellings differ in."""
    return re.sub(r"[^a-z0-9]", "", str(word).casefold())


def _known(table, word):
    """Return the counterpart of a word in a table of words; None where there is none."""
    found = [there for words, there in table.items() if plainly(word) in words.split()]
    return found[0] if found else None


def meant_value(parameter, value, names, tables):
    """Return a sentence on what was probably meant by a value; empty where nothing is near.

    Parameters
    ----------
    parameter : str
    value : object
        Which the parameter does not take.
    names : list
        The names that it does take.
    tables : dict
        The names and classes of parts, for each parameter that takes parts.
    """
    if isinstance(value, Part) or (inspect.isclass(value) and issubclass(value, Part)):
        return _meant_part(parameter, value, tables)
    word = getattr(value, "__name__", type(value).__name__)
    word = str(value) if isinstance(value, str | bool | None) else word
    identity = {plainly(name): name for name in names}
    counterpart = _known(VALUES.get(parameter, {}), word)
    if plainly(word) in identity:
        counterpart = repr(identity[plainly(word)])
    if counterpart is None and isinstance(value, str):
        homes = [kind for kind, table in tables.items() if value in table]
        close = difflib.get_close_matches(plainly(word), identity, n=1, cutoff=CLOSE)
        counterpart = repr(identity[close[0]]) if close else None
        counterpart = f"{homes[0]}={value!r}" if homes else counterpart
    if counterpart is None:
        return _meant_number(parameter, word)
    is_value = counterpart[0] in "\"'0123456789" or counterpart.startswith("None")
    return f" Did you mean {parameter + '=' if is_value else ''}{counterpart}?"


def _meant_number(parameter, word):
    """Return a sentence on a number that is written as a string; else empty."""
    try:
        return f" Did you mean {parameter}={float(word):g}?"
    except ValueError:
        return ""


def _meant_part(parameter, value, tables):
    """Return a sentence on a part that is given where it does not belong, or as its class."""
    cls = value if inspect.isclass(value) else type(value)
    kind = next((kind for kind, table in tables.items() if cls.named is table), parameter)
    shown = f"{cls.__name__}()" if inspect.isclass(value) else repr(value)
    names = [f" or {kind}={n!r}" for n, known in tables.get(kind, {}).items() if known is cls]
    return f" Did you mean {kind}={shown}{''.join(names[:1])}?"


def meant_parameter(name, valid, tables):
    """Return a sentence on what was probably meant by a parameter that is not there.

    Parameters
    ----------
    name : str
    valid : list of str
        The parameters that there are.
    tables : dict
        As in `meant_value`.
    """
    identity = {plainly(known): known for known in valid}
    counterpart = identity.get(plainly(name)) or _known(PARAMETERS, name) or _owners(name, tables)
    if not counterpart:
        close = difflib.get_close_matches(plainly(name), identity, n=1, cutoff=CLOSE)
        counterpart = identity[close[0]] if close else None
    return f" Instead of {name!r} there is {counterpart}." if counterpart else ""


def _owners(name, tables):
    """Return which parts have a field of this name; empty where none has."""
    found = {
        f"{cls.__name__}({field}=...)": kind
        for kind, table in tables.items()
        for cls in table.values()
        for field in cls._fields
        if plainly(field) == plainly(name)
    }
    return " or ".join(f"{kind}={written}" for written, kind in found.items())


def meant_field(kind, field, part, tables):
    """Return a sentence on a field that the present part does not have.

    Parameters
    ----------
    kind : str
        The parameter that takes the part.
    field : str
    part : Part, or the word of an estimator that stands for one, or for none
    tables : dict
        As in `meant_value`.
    """
    own = part._fields if isinstance(part, Part) else ()
    close = difflib.get_close_matches(field, own, cutoff=CLOSE)
    if close:
        fields = [f"{kind}__{known}" for known in own if known in close]
        return f" Did you mean {' or '.join(fields)}?"
    names = [repr(n) for n, cls in tables[kind].items() if field.partition("__")[0] in cls._fields]
    if names:
        name = type(part).__name__ if isinstance(part, Part) else repr(part)
        return (
            f" {name} has no such field, unlike {', '.join(names)}: set {kind} to "
            "one of these first, or in the same call."
        )
    return ""


def meant_attribute(name, own, fitted):
    """Return a sentence on an attribute that is not there.

    Parameters
    ----------
    name : str
    own : set of str
        The attributes that a fit can set.
    fitted : bool
        Whether there was a fit.
    """
    if name not in own:
        sentence = _known(ATTRIBUTES, name)
        return f" {sentence}" if sentence else ""
    if not fitted:
        return f" It is not fitted yet: call fit. {CONDITIONAL.get(name, '')}".rstrip()
    return " " + CONDITIONAL.get(name, f"The last fit has set no {name}: see stop_reason_.")
