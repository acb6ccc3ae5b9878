// y ~ x + (x | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + offsets + Z * u + e
//   e ~ normal(0, sigma / sqrt(weights))
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
  vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights
  vector[N] offsets; // known part of the linear predictor
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 3.1
  real<lower=0> prior_Intercept_scale; // 4.68
  real<lower=0> prior_b_scale; // 4.674
  vector<lower=0>[2] prior_sd_a_scale; // 4.68, 4.674
  real<lower=0> prior_sigma_scale; // 4.68
}
transformed data {
  real y_mean = mean(y - offsets);
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 3] D; // 1, X, y, the data around their means
  D[ : , 1] = ones_vector(N);
  D[ : , 2 : 2] = X - rep_matrix(X_means, N);
  D[ : , 3] = y - offsets - y_mean;
  vector[N] root_weights = sqrt(weights);
  D = diag_pre_multiply(root_weights, D);
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  matrix[N, 2] Z_a; // (Intercept), x
  Z_a[ : , 1] = ones_vector(N);
  Z_a[ : , 2] = X[ : , 1];
  Z_a = diag_pre_multiply(root_weights, Z_a);
  array[N_a] matrix[2, 2] ZZ_a;
  ZZ_a = rep_array(rep_matrix(0, 2, 2), N_a);
  matrix[2 * N_a, 3] ZD_a;
  ZD_a = rep_matrix(0, 2 * N_a, 3);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    ZD_a[level_a[n]] += Z_a[n, 1] * D[n];
    ZD_a[N_a + level_a[n]] += Z_a[n, 2] * D[n];
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
  vector[1] b; // x
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
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
    vector[2 * N_a] Zr = ZD_a * c;
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
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
    target += sum(log(root_weights));
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[N_a, 2] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_a] Zr = ZD_a * c;
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
  vector[N] log_lik;
  vector[N] y_rep;
  {
    vector[N] eta = offsets + Intercept;
    eta += u_a[level_a, 1];
    eta += u_a[level_a, 2] .* X[ : , 1];
    eta += X * b;
    for (n in 1 : N) {
      log_lik[n] = normal_lpdf(y[n] | eta[n], sigma / root_weights[n]);
      y_rep[n] = normal_rng(eta[n], sigma / root_weights[n]);
    }
  }
}
