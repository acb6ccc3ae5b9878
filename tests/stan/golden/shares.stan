// share ~ x + (1 | a)
//
// binomial family, logit link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ binomial(trials, inv_logit(eta)), y in parts
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
  // Log density of successes, a whole number or not, in so many trials.
  real shares_logit_lpdf(real y, int trials, real eta) {
    real total = lgamma(trials + 1) - lgamma(y + 1) - lgamma(trials - y + 1);
    total += y * log_inv_logit(eta);
    total += (trials - y) * log1m_inv_logit(eta);
    return total;
  }
}
data {
  int<lower=1> N; // rows
  vector<lower=0>[N] y; // share
  array[N] int<lower=0> trials; // of which y are successes
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // -0.3906
  real<lower=0> prior_Intercept_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  real<lower=0> prior_sd_a_scale; // 2.5
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  vector[N] failures = to_vector(trials) - y;
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
  // share
  {
    vector[N] eta = Intercept_c + u_a[level_a] + X_c * b;
    target += dot_product(y, log_inv_logit(eta));
    target += dot_product(failures, log1m_inv_logit(eta));
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N] log_lik;
  vector[N] y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a] + X * b;
    for (n in 1 : N) {
      log_lik[n] = shares_logit_lpdf(y[n] | trials[n], eta[n]);
      y_rep[n] = binomial_rng(trials[n], inv_logit(eta[n]));
    }
  }
}
