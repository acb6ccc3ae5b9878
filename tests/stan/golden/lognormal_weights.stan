// positive ~ x + (1 | a)
//
// lognormal family, identity link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ lognormal(eta, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector<lower=0>[N] y; // positive
  matrix[N, 1] X; // x
  vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 1.495
  real<lower=0> prior_Intercept_scale; // 2.731
  real<lower=0> prior_b_scale; // 2.727
  real<lower=0> prior_sd_a_scale; // 2.731
  real<lower=0> prior_sigma_scale; // 2.731
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  vector[N] root_weights = sqrt(weights);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
  real<lower=0> sigma;
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
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // positive
  {
    vector[N] eta = Intercept_c + u_a[level_a] + X_c * b;
    y ~ lognormal(eta, sigma ./ root_weights);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N] log_lik;
  vector[N] y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a] + X * b;
    for (n in 1 : N) {
      log_lik[n] = lognormal_lpdf(y[n] | eta[n], sigma / root_weights[n]);
      y_rep[n] = lognormal_rng(eta[n], sigma / root_weights[n]);
    }
  }
}
