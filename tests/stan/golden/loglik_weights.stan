// y ~ x + (x | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
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
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector<lower=0>[N] loglik_weights; // factors of the log density of each row
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  vector<lower=0>[2] prior_sd_a_scale; // 4.352, 4.346
  real<lower=0> prior_sigma_scale; // 4.352
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
  real<lower=0> sigma;
}
transformed parameters {
  matrix[N_a, 2] u_a = z_a * diag_pre_multiply(sd_a, L_a)';
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  to_vector(z_a) ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  {
    vector[N] eta = Intercept_c + u_a[level_a, 1]
                    + u_a[level_a, 2] .* X[ : , 1] + X_c * b;
    for (n in 1 : N) {
      target += loglik_weights[n] * normal_lpdf(y[n] | eta[n], sigma);
    }
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
  vector[N] log_lik;
  vector[N] y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a, 1]
                    + u_a[level_a, 2] .* X[ : , 1] + X * b;
    for (n in 1 : N) {
      log_lik[n] = loglik_weights[n] * normal_lpdf(y[n] | eta[n], sigma);
      y_rep[n] = normal_rng(eta[n], sigma);
    }
  }
}
