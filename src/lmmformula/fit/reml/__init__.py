"""The criterion of linear mixed models: beta and sigma profiled out of (restricted) likelihood, by sums."""
