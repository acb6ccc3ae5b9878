// choice ~ x + (x | a)
//
// binomial family, logit link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ bernoulli(inv_logit(eta))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//   L_group: Cholesky factor of cor_group
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  array[N] int<lower=0, upper=1> y; // choice
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real<lower=0> prior_Intercept_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  vector<lower=0>[2] prior_sd_a_scale; // 2.5, 2.497
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
  matrix[N_a, 2] z_a; // standardised effects
}
transformed parameters {
  matrix[N_a, 2] u_a = z_a * diag_pre_multiply(sd_a, L_a)';
}
model {
  // population level
  Intercept_c ~ student_t(3, 0, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  to_vector(z_a) ~ std_normal();
  // choice
  {
    vector[N] eta = Intercept_c + u_a[level_a, 1]
                    + u_a[level_a, 2] .* X[ : , 1];
    y ~ bernoulli_logit_glm(X_c, eta, b);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
}
