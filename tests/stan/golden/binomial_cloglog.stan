// cbind(successes, failures) ~ x + (1 | a)
//
// binomial family, cloglog link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ binomial(trials, inv_cloglog(eta))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // Log density of successes of probability inv_cloglog(eta) in so many trials.
  real binom_cloglog_lpmf(int y, int trials, real eta) {
    real total = lchoose(trials, y);
    if (y > 0) {
      total += y * log1m_exp(-exp(eta));
    }
    if (y < trials) {
      total += (trials - y) * -exp(eta);
    }
    return total;
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // cbind(successes, failures)
  array[N] int<lower=0> trials; // of which y are successes
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // -0.6956
  real<lower=0> prior_Intercept_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  real<lower=0> prior_sd_a_scale; // 2.5
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  // rows with zeros, and with more
  array[N] int order = sort_indices_asc(y);
  int n_zeros = 0;
  for (n in 1 : N) {
    n_zeros += y[n] == 0;
  }
  array[N - n_zeros] int some = tail(order, N - n_zeros);
  vector[N - n_zeros] successes = to_vector(y[some]);
  vector[N] failures = to_vector(trials) - to_vector(y);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // cbind(successes, failures)
  {
    vector[N] eta = Intercept_c + u_a[level_a] + X_c * b;
    vector[N] hazard = exp(eta);
    target += dot_product(successes, log1m_exp(-hazard[some]));
    target += -dot_product(failures, hazard);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a] + X * b;
    for (n in 1 : N) {
      log_lik[n] = binom_cloglog_lpmf(y[n] | trials[n], eta[n]);
      y_rep[n] = binomial_rng(trials[n], inv_cloglog(eta[n]));
    }
  }
}
