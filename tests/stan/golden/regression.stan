// Reaction ~ Days
//
// gaussian family, identity link; 180 rows
//
//   y = Intercept + X * b + e
//   e ~ normal(0, sigma)
//
//   X, b: predictors and their coefficients
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // Reaction
  matrix[N, 1] X; // Days
  real prior_Intercept_location; // 288.7
  real<lower=0> prior_Intercept_scale; // 148.3
  real<lower=0> prior_b_scale; // 40.02
  real<lower=0> prior_sigma_scale; // 148.3
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // Days
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // Reaction
  y ~ normal_id_glm(X_c, Intercept_c, b, sigma);
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
}
