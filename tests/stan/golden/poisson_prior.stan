// count ~ x + (1 | a)
//
// poisson family, log link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ poisson(exp(eta))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Of the prior alone: there is no likelihood.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // A count of mean exp(eta), but at most 1e9: Stan has no larger ones.
  int count_rng(real eta) {
    return poisson_log_rng(fmin(eta, log(1e9)));
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // count
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 0.6983
  real<lower=0> prior_Intercept_scale; // 3.141
  real<lower=0> prior_b_scale; // 3.136
  real<lower=0> prior_sd_a_scale; // 3.141
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
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
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  array[N] int y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a] + X * b;
    for (n in 1 : N) {
      y_rep[n] = count_rng(eta[n]);
    }
  }
}
