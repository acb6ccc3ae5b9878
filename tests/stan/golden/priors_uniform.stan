// y ~ x + (x | group)
//
// gaussian family, identity link; 1000 rows, 100 levels of group
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of group integrated out,
// in sums over rows that are formed once, so that its cost does not grow with
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
  int<lower=1> N_group; // levels of group
  array[N] int<lower=1, upper=N_group> level_group; // of each row
  real prior_Intercept_location; // 3.816
  real<lower=0> prior_Intercept_scale; // 21.63
  real<lower=0> prior_b_scale; // 10
  real prior_sd_group_upper; // 100
  real prior_sigma_upper; // 100
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
  matrix[N, 2] Z_group; // (Intercept), x
  Z_group[ : , 1] = ones_vector(N);
  Z_group[ : , 2] = X[ : , 1];
  array[N_group] matrix[2, 2] ZZ_group;
  ZZ_group = rep_array(rep_matrix(0, 2, 2), N_group);
  matrix[2 * N_group, 3] ZD_group;
  ZD_group = rep_matrix(0, 2 * N_group, 3);
  for (n in 1 : N) {
    ZZ_group[level_group[n]] += Z_group[n]' * Z_group[n];
    ZD_group[level_group[n]] += Z_group[n, 1] * D[n];
    ZD_group[N_group + level_group[n]] += Z_group[n, 2] * D[n];
  }
  array[2, 2] vector[N_group] zz; // entries of ZZ_group, level by level
  for (i in 1 : 2) {
    for (h in 1 : 2) {
      zz[i, h] = to_vector(ZZ_group[ : , i, h]);
    }
  }
  vector[N_group] det_zz = zz[1, 1] .* zz[2, 2] - square(zz[1, 2]);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  vector<lower=0, upper=prior_sd_group_upper>[2] sd_group; // (Intercept), x
  cholesky_factor_corr[2] L_group; // of their correlations
  real<lower=0, upper=prior_sigma_upper> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // group
  sd_group ~ uniform(0, prior_sd_group_upper);
  L_group ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ uniform(0, prior_sigma_upper);
  // y, with u of group integrated out
  {
    // r = y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_group] Zr = ZD_group * c;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_group / sigma, L_group);
    matrix[N_group, 2] v = to_matrix(Zr, N_group, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_group] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_group] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_group] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_group] L11 = sqrt(m11);
    vector[N_group] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_group] L22 = sqrt(det_M ./ m11);
    vector[N_group] w1 = v[ : , 1] ./ L11;
    vector[N_group] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    real rr = quad_form(DD, c);
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_group = multiply_lower_tri_self_transpose(L_group);
  matrix[N_group, 2] u_group;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_group] Zr = ZD_group * c;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_group / sigma, L_group);
    matrix[N_group, 2] v = to_matrix(Zr, N_group, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_group] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_group] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_group] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_group] L11 = sqrt(m11);
    vector[N_group] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_group] L22 = sqrt(det_M ./ m11);
    vector[N_group] w1 = v[ : , 1] ./ L11;
    vector[N_group] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    w2 += sigma * to_vector(normal_rng(zeros_vector(N_group), 1));
    w2 ./= L22;
    w1 += sigma * to_vector(normal_rng(zeros_vector(N_group), 1));
    w1 = (w1 - L21 .* w2) ./ L11;
    u_group = append_col(w1, w2) * Lambda';
  }
}
