// y ~ 0 + z + (x | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = X * b + Z * u + e
//   e ~ normal(0, sigma)
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
  vector[N] y; // y
  matrix[N, 1] X; // z
  vector[N] x_x; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real<lower=0> prior_b_scale; // 7.227
  vector<lower=0>[2] prior_sd_a_scale; // 8.219, 8.209
  real<lower=0> prior_sigma_scale; // 8.219
}
parameters {
  vector[1] b; // z
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
  array[N_a] vector[2] u_a;
  real<lower=0> sigma;
}
model {
  // population level
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  u_a ~ multi_normal_cholesky(zeros_vector(2), diag_pre_multiply(sd_a, L_a));
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  {
    vector[N] eta = to_vector(u_a[level_a, 1])
                    + to_vector(u_a[level_a, 2]) .* x_x;
    y ~ normal_id_glm(X, eta, b, sigma);
  }
}
generated quantities {
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
}
