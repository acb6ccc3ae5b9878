// count ~ x
//
// poisson family, log link; 48 rows
//
//   eta = Intercept + X * b
//   y ~ poisson(exp(eta))
//
//   X, b: predictors and their coefficients
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // count
  matrix[N, 1] X; // x
  real prior_Intercept_location; // 0.6983
  real<lower=0> prior_Intercept_scale; // 3.141
  real<lower=0> prior_b_scale; // 3.136
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // count
  y ~ poisson_log_glm(X_c, Intercept_c, b);
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
}
