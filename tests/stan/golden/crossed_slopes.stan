// y ~ x + z + (x | a) + (z | b)
//
// gaussian family, identity link; 48 rows, 4 levels of a, 3 levels of b
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
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  vector<lower=0>[2] prior_b_scale; // 4.388, 3.864
  vector<lower=0>[2] prior_sd_a_scale; // 4.352, 4.346
  vector<lower=0>[2] prior_sd_b_scale; // 4.352, 3.826
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  real y_mean = mean(y);
  row_vector[2] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 4] D; // 1, X, y, the data around their means
  D[ : , 1] = ones_vector(N);
  D[ : , 2 : 3] = X - rep_matrix(X_means, N);
  D[ : , 4] = y - y_mean;
  matrix[4, 4] DD = crossprod(D);
  // sums of products over the rows of each level
  matrix[N, 2] Z_a; // (Intercept), x
  Z_a[ : , 1] = ones_vector(N);
  Z_a[ : , 2] = X[ : , 1];
  array[N_a] matrix[2, 2] ZZ_a;
  ZZ_a = rep_array(rep_matrix(0, 2, 2), N_a);
  matrix[2 * N_a, 4] ZD_a;
  ZD_a = rep_matrix(0, 2 * N_a, 4);
  matrix[N, 2] Z_b; // (Intercept), z
  Z_b[ : , 1] = ones_vector(N);
  Z_b[ : , 2] = X[ : , 2];
  array[N_b] matrix[2, 2] ZZ_b;
  ZZ_b = rep_array(rep_matrix(0, 2, 2), N_b);
  matrix[2 * N_b, 4] ZD_b;
  ZD_b = rep_matrix(0, 2 * N_b, 4);
  matrix[2 * N_a, 2 * N_b] cross_a_b;
  cross_a_b = rep_matrix(0, 2 * N_a, 2 * N_b);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    ZD_a[level_a[n]] += Z_a[n, 1] * D[n];
    ZD_a[N_a + level_a[n]] += Z_a[n, 2] * D[n];
    ZZ_b[level_b[n]] += Z_b[n]' * Z_b[n];
    ZD_b[level_b[n]] += Z_b[n, 1] * D[n];
    ZD_b[N_b + level_b[n]] += Z_b[n, 2] * D[n];
    cross_a_b[level_a[n], level_b[n]] += Z_a[n, 1] * Z_b[n, 1];
    cross_a_b[level_a[n], N_b + level_b[n]] += Z_a[n, 1] * Z_b[n, 2];
    cross_a_b[N_a + level_a[n], level_b[n]] += Z_a[n, 2] * Z_b[n, 1];
    cross_a_b[N_a + level_a[n], N_b + level_b[n]] += Z_a[n, 2] * Z_b[n, 2];
  }
  array[2, 2] vector[N_a] zz; // entries of ZZ_a, level by level
  for (i in 1 : 2) {
    for (h in 1 : 2) {
      zz[i, h] = to_vector(ZZ_a[ : , i, h]);
    }
  }
  vector[N_a] det_zz = zz[1, 1] .* zz[2, 2] - square(zz[1, 2]);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[2] b; // x, z
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
  vector<lower=0>[2] sd_b; // (Intercept), z
  cholesky_factor_corr[2] L_b; // of their correlations
  vector[2] mean_b; // means of the coefficients
  array[2] sum_to_zero_vector[N_b] dev_b; // their deviations
  real<lower=0> sigma;
}
transformed parameters {
  vector[2] around_b;
  around_b[1] = Intercept_c - X_means[2] * b[2];
  around_b[2] = b[2];
  matrix[N_b, 2] u_b;
  for (i in 1 : 2) {
    u_b[ : , i] = dev_b[i] + (mean_b[i] - around_b[i]);
  }
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
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
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    // r = y - X * beta - Z * u, where y - X * beta = D * c
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_a] Zr = ZD_a * c;
    Zr -= cross_a_b * to_vector(u_b);
    matrix[2, 2] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 2] v = to_matrix(Zr, N_a, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_a] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_a] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_a] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_a] L11 = sqrt(m11);
    vector[N_a] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_a] L22 = sqrt(det_M ./ m11);
    vector[N_a] w1 = v[ : , 1] ./ L11;
    vector[N_a] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    real rr = quad_form(DD, c);
    rr -= 2 * dot_product(to_vector(u_b), ZD_b * c);
    for (j in 1 : N_b) {
      rr += quad_form(ZZ_b[j], u_b[j]');
    }
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[2, 2] cor_b = multiply_lower_tri_self_transpose(L_b);
  matrix[N_a, 2] u_a;
  {
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_a] Zr = ZD_a * c;
    Zr -= cross_a_b * to_vector(u_b);
    matrix[2, 2] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 2] v = to_matrix(Zr, N_a, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_a] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_a] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_a] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_a] L11 = sqrt(m11);
    vector[N_a] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_a] L22 = sqrt(det_M ./ m11);
    vector[N_a] w1 = v[ : , 1] ./ L11;
    vector[N_a] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    w2 += sigma * to_vector(normal_rng(zeros_vector(N_a), 1));
    w2 ./= L22;
    w1 += sigma * to_vector(normal_rng(zeros_vector(N_a), 1));
    w1 = (w1 - L21 .* w2) ./ L11;
    u_a = append_col(w1, w2) * Lambda';
  }
}
