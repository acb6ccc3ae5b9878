// rating ~ x + f
//
// cumulative family, logit link; 48 rows
//
//   eta = X * b
//   y ~ ordered_logistic(eta, cutpoint)
//
//   X, b: predictors and their coefficients
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // The category that a latent number falls into.
  int category(real latent, vector cutpoint) {
    int k = 1;
    for (c in cutpoint) {
      k += latent > c;
    }
    return k;
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=1, upper=4> y; // rating: poor < fair < good < best
  matrix[N, 3] X; // x, fmid, fhi
  vector[3] prior_cutpoint_location; // -1.072, 0.08168, 1.299
  real<lower=0> prior_cutpoint_scale; // 2.5
  vector<lower=0>[3] prior_b_scale; // 2.51, 6.076, 6.062
}
transformed data {
  row_vector[3] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 3] X_c = X - rep_matrix(X_means, N);
}
parameters {
  // poor|fair, fair|good, good|best at the predictors' means
  ordered[3] cutpoint_c;
  vector[3] b; // x, fmid, fhi
}
model {
  // population level
  cutpoint_c ~ student_t(3, prior_cutpoint_location, prior_cutpoint_scale);
  b ~ normal(0, prior_b_scale);
  // rating
  y ~ ordered_logistic_glm(X_c, b, cutpoint_c);
}
generated quantities {
  // poor|fair, fair|good, good|best
  vector[3] cutpoint = cutpoint_c + X_means * b;
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = X * b;
    for (n in 1 : N) {
      log_lik[n] = ordered_logistic_lpmf(y[n] | eta[n], cutpoint);
      y_rep[n] = category(eta[n] + logistic_rng(0, 1), cutpoint);
    }
  }
}
