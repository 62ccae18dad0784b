"""
Predictions of texts to come improve while texts stream by
==========================================================

``partial_fit`` takes some rows at a time, and forgets them. Here they are texts, which a
`HashingVectorizer <sklearn.feature_extraction.text.HashingVectorizer>` turns into sparse rows
without a vocabulary, so that nothing grows with the length of the stream. Each batch of texts is
predicted before it is learnt.
"""

# %%
# Texts are words in any order, of which some raise or lower the rating.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from skgd import GDMLPClassifier, GDRegressor

SCORES = {"awful": -3.0, "dull": -2.0, "long": -1.0, "fine": 1.0, "warm": 1.5, "great": 3.0}
WORDS = [*SCORES, "actor", "end", "film", "music", "plot", "scene"]
ratings = np.array([SCORES.get(word, 0.0) for word in WORDS])
hashing = HashingVectorizer(n_features=2**12, alternate_sign=False, norm=None)


def stream(rng, n_batches, size):
    """Generate batches of texts, as sparse rows, and their ratings."""
    for _ in range(n_batches):
        counts = rng.poisson(0.5, (size, len(WORDS)))
        texts = [" ".join(rng.permutation(np.repeat(WORDS, count))) for count in counts]
        noise = 0.3 * rng.standard_normal(size)
        yield hashing.transform(texts), counts @ ratings + noise


# %%
# A linear model learns the ratings, and a network whether they are above one.
linear = GDRegressor(batch_size=20, alpha=1e-6, random_state=0)
network = GDMLPClassifier(hidden_layer_sizes=(8,), batch_size=20, random_state=0)
errors, hits = [], []
for number, (X, y) in enumerate(stream(np.random.default_rng(0), 40, 100)):
    good = np.where(y > 1.0, "good", "bad")
    if number:
        errors.append(np.mean((linear.predict(X) - y) ** 2))
        hits.append(network.score(X, good))
    linear.partial_fit(X, y)
    network.partial_fit(X, good, classes=["bad", "good"])

# %%
# Left: the error falls to the noise. Right: the weights of the words are their ratings.
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
seen = 100 * np.arange(1, 40)
axes[0].semilogy(seen, errors, label="linear: squared error")
axes[0].semilogy(seen, 1.0 - np.array(hits), label="network: share of mistakes")
axes[0].axhline(0.09, color="grey", lw=1.0, ls=":", label="noise of the ratings")
axes[0].set(xlabel="texts seen")
axes[0].legend()
alone = linear.predict(hashing.transform(WORDS)) - linear.predict(hashing.transform([""]))
axes[1].barh(WORDS, ratings, color="lightgrey", label="rating")
axes[1].plot(alone, WORDS, "o", label="learnt")
axes[1].legend()
print(f"squared error of the last batch: {errors[-1]:.2f}; of the first: {errors[0]:.2f}")
plt.show()
