// y ~ x + (1 | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + offsets + Z * u + e
//   e ~ normal(0, sigma / sqrt(weights))
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
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights
  vector[N] offsets; // known part of the linear predictor
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 3.1
  real<lower=0> prior_Intercept_scale; // 4.68
  real<lower=0> prior_b_scale; // 4.674
  real<lower=0> prior_sd_a_scale; // 4.68
  real<lower=0> prior_sigma_scale; // 4.68
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
  // y
  {
    vector[N] eta = offsets + Intercept_c + u_a[level_a];
    y ~ normal_id_glm(X_c, eta, b, sigma ./ root_weights);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
}
