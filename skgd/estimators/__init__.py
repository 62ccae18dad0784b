"""The estimators: one fit for all, and what scikit-learn asks of them."""
