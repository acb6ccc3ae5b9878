// rating ~ x + (1 | a)
//
// cumulative family, logit link; 48 rows, 4 levels of a
//
//   eta = X * b + Z * u
//   y ~ ordered_logistic(eta, cutpoint)
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
  array[N] int<lower=1, upper=4> y; // rating: poor < fair < good < best
  matrix[N, 1] X; // x
  vector<lower=0>[N] loglik_weights; // factors of the log density of each row
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  vector[3] prior_cutpoint_location; // -1.072, 0.08168, 1.299
  real<lower=0> prior_cutpoint_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  real<lower=0> prior_sd_a_scale; // 2.5
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  // poor|fair, fair|good, good|best at the predictors' means
  ordered[3] cutpoint_c;
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  cutpoint_c ~ student_t(3, prior_cutpoint_location, prior_cutpoint_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // rating
  {
    vector[N] eta = u_a[level_a] + X_c * b;
    for (n in 1 : N) {
      target += loglik_weights[n]
                * ordered_logistic_lpmf(y[n] | eta[n], cutpoint_c);
    }
  }
}
generated quantities {
  // poor|fair, fair|good, good|best
  vector[3] cutpoint = cutpoint_c + X_means * b;
}
