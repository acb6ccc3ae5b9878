// count ~ x + (x | a)
//
// poisson family, log link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ poisson(exp(eta))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   L_group: Cholesky factor of cor_group
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // count
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 0.6983
  real<lower=0> prior_Intercept_scale; // 3.141
  real<lower=0> prior_b_scale; // 3.136
  vector<lower=0>[2] prior_sd_a_scale; // 3.141, 3.136
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
  array[N_a] vector[2] coef_a;
}
transformed parameters {
  vector[2] around_a = [Intercept_c - X_means[1] * b[1], b[1]]';
  matrix[N_a, 2] u_a;
  for (j in 1 : N_a) {
    u_a[j] = (coef_a[j] - around_a)';
  }
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  coef_a ~ multi_normal_cholesky(around_a, diag_pre_multiply(sd_a, L_a));
  // count
  {
    vector[N] eta = Intercept_c + u_a[level_a, 1]
                    + u_a[level_a, 2] .* X[ : , 1];
    y ~ poisson_log_glm(X_c, eta, b);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
}
