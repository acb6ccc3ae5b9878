// y ~ x + (x + z + I(x^2) + I(z^2) + I(x*z) | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of a integrated out, in
// sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector[N] x_z; // z
  vector[N] x_I_x_2; // I(x^2)
  vector[N] x_I_z_2; // I(z^2)
  vector[N] x_I_x_z; // I(x * z)
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  // 4.352, 4.346, 3.826, 1.33, 6.726, 2.408
  vector<lower=0>[6] prior_sd_a_scale;
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  real y_mean = mean(y);
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 3] D; // 1, X, y, the data around their means
  D[ : , 1] = ones_vector(N);
  D[ : , 2 : 2] = X - rep_matrix(X_means, N);
  D[ : , 3] = y - y_mean;
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  matrix[N, 6] Z_a; // (Intercept), x, z, I(x^2), I(z^2), I(x * z)
  Z_a[ : , 1] = ones_vector(N);
  Z_a[ : , 2] = X[ : , 1];
  Z_a[ : , 3] = x_z;
  Z_a[ : , 4] = x_I_x_2;
  Z_a[ : , 5] = x_I_z_2;
  Z_a[ : , 6] = x_I_x_z;
  array[N_a] matrix[6, 6] ZZ_a;
  ZZ_a = rep_array(rep_matrix(0, 6, 6), N_a);
  matrix[6 * N_a, 3] ZD_a;
  ZD_a = rep_matrix(0, 6 * N_a, 3);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    for (i in 1 : 6) {
      int j = (i - 1) * N_a + level_a[n];
      ZD_a[j] += Z_a[n, i] * D[n];
    }
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  vector<lower=0>[6] sd_a; // (Intercept), x, z, I(x^2), I(z^2), I(x * z)
  cholesky_factor_corr[6] L_a; // of their correlations
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    // r = y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[6 * N_a] Zr = ZD_a * c;
    matrix[6, 6] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 6] v = to_matrix(Zr, N_a, 6) * Lambda;
    real rr = quad_form(DD, c);
    for (j in 1 : N_a) {
      matrix[6, 6] M = quad_form_sym(ZZ_a[j], Lambda);
      matrix[6, 6] L = cholesky_decompose(add_diag(M, 1));
      rr -= dot_self(mdivide_left_tri_low(L, v[j]'));
      target += -sum(log(diagonal(L)));
    }
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[6, 6] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[N_a, 6] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[6 * N_a] Zr = ZD_a * c;
    matrix[6, 6] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 6] v = to_matrix(Zr, N_a, 6) * Lambda;
    for (j in 1 : N_a) {
      matrix[6, 6] M = quad_form_sym(ZZ_a[j], Lambda);
      matrix[6, 6] L = cholesky_decompose(add_diag(M, 1));
      row_vector[6] w = mdivide_left_tri_low(L, v[j]')';
      w += sigma * to_row_vector(normal_rng(zeros_vector(6), 1));
      u_a[j] = mdivide_right_tri_low(w, L) * Lambda';
    }
  }
}
