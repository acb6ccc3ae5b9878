// y ~ x + z + (x | a) + (z | b) + (1 | f)
//
// gaussian family, identity link; 48 rows, 4 levels of a, 3 levels of b, 3
// levels of f
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
// Written by lmmformula, for Stan 2.36 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 2] X; // x, z
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  int<lower=1> N_b; // levels of b
  array[N] int<lower=1, upper=N_b> level_b; // of each row
  int<lower=1> N_f; // levels of f
  array[N] int<lower=1, upper=N_f> level_f; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  vector<lower=0>[2] prior_b_scale; // 4.388, 3.864
  vector<lower=0>[2] prior_sd_a_scale; // 4.352, 4.346
  vector<lower=0>[2] prior_sd_b_scale; // 4.352, 3.826
  real<lower=0> prior_sd_f_scale; // 4.352
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[2] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 2] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[2] b; // x, z
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
  vector[2] mean_a; // means of the coefficients
  array[2] sum_to_zero_vector[N_a] dev_a; // their deviations
  vector<lower=0>[2] sd_b; // (Intercept), z
  cholesky_factor_corr[2] L_b; // of their correlations
  vector[2] mean_b; // means of the coefficients
  array[2] sum_to_zero_vector[N_b] dev_b; // their deviations
  real<lower=0> sd_f;
  vector[N_f] z_f; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[2] around_b = [0, b[2]]';
  matrix[N_b, 2] u_b;
  for (i in 1 : 2) {
    u_b[ : , i] = dev_b[i] + (mean_b[i] - around_b[i]);
  }
  vector[N_f] u_f = sd_f * z_f;
  vector[2] around_a = [Intercept_c - X_means[1] * b[1] + mean(u_b[ : , 1])
                        + mean(u_f), b[1]]';
  matrix[N_a, 2] u_a;
  for (i in 1 : 2) {
    u_a[ : , i] = dev_a[i] + (mean_a[i] - around_a[i]);
  }
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  {
    // multi_normal for dev_a in its N_a - 1 dimensions
    matrix[2, 2] root = diag_pre_multiply(sd_a, L_a);
    matrix[2, N_a] d;
    for (i in 1 : 2) {
      d[i] = dev_a[i]';
    }
    mean_a ~ multi_normal_cholesky(around_a, root / sqrt(N_a));
    target += -0.5 * sum(square(mdivide_left_tri_low(root, d)));
    target += -(N_a - 1) * sum(log(diagonal(root)));
  }
  // b
  sd_b ~ student_t(3, 0, prior_sd_b_scale);
  L_b ~ lkj_corr_cholesky(2);
  {
    // multi_normal for dev_b in its N_b - 1 dimensions
    matrix[2, 2] root = diag_pre_multiply(sd_b, L_b);
    matrix[2, N_b] d;
    for (i in 1 : 2) {
      d[i] = dev_b[i]';
    }
    mean_b ~ multi_normal_cholesky(around_b, root / sqrt(N_b));
    target += -0.5 * sum(square(mdivide_left_tri_low(root, d)));
    target += -(N_b - 1) * sum(log(diagonal(root)));
  }
  // f
  sd_f ~ student_t(3, 0, prior_sd_f_scale);
  z_f ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  {
    vector[N] eta = Intercept_c + u_a[level_a, 1]
                    + u_a[level_a, 2] .* X[ : , 1] + u_b[level_b, 1]
                    + u_b[level_b, 2] .* X[ : , 2] + u_f[level_f];
    y ~ normal_id_glm(X_c, eta, b, sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[2, 2] cor_b = multiply_lower_tri_self_transpose(L_b);
}
