// y ~ x + (1 | a) + (z | b)
//
// gaussian family, identity link; 48 rows, 4 levels of a, 3 levels of b
//
//   y = Intercept + X * b + offsets + Z * u + e
//   e ~ normal(0, sigma / sqrt(weights))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of b integrated out, in
// sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  real y_mean; // mean of y, less its offset
  row_vector[1] X_means; // means of x
  matrix[3, 3] DD; // D' * D; D: 1, X, y, the data around their means
  // sum of log(sqrt(weights)), by which D and Z are multiplied
  real log_root_weights;
  int<lower=1> N_a; // levels of a
  vector[N_a] ZZ_a; // Z' * Z of each level; Z: (Intercept)
  matrix[N_a, 3] ZD_a; // Z' * D of each level
  int<lower=1> N_b; // levels of b
  array[N_b] matrix[2, 2] ZZ_b; // Z' * Z of each level; Z: (Intercept), z
  matrix[2 * N_b, 3] ZD_b; // Z' * D of each level
  matrix[2 * N_b, N_a] cross_b_a; // Z' * Z of the two
  real prior_Intercept_location; // 3.1
  real<lower=0> prior_Intercept_scale; // 4.68
  real<lower=0> prior_b_scale; // 4.674
  real<lower=0> prior_sd_a_scale; // 4.68
  vector<lower=0>[2] prior_sd_b_scale; // 4.68, 4.115
  real<lower=0> prior_sigma_scale; // 4.68
}
transformed data {
  array[2, 2] vector[N_b] zz; // entries of ZZ_b, level by level
  for (i in 1 : 2) {
    for (h in 1 : 2) {
      zz[i, h] = to_vector(ZZ_b[ : , i, h]);
    }
  }
  vector[N_b] det_zz = zz[1, 1] .* zz[2, 2] - square(zz[1, 2]);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
  vector<lower=0>[2] sd_b; // (Intercept), z
  cholesky_factor_corr[2] L_b; // of their correlations
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // b
  sd_b ~ student_t(3, 0, prior_sd_b_scale);
  L_b ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of b integrated out
  {
    // r = y - X * beta - Z * u, where y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_b] Zr = ZD_b * c;
    Zr -= cross_b_a * u_a;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_b / sigma, L_b);
    matrix[N_b, 2] v = to_matrix(Zr, N_b, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_b] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_b] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_b] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_b] L11 = sqrt(m11);
    vector[N_b] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_b] L22 = sqrt(det_M ./ m11);
    vector[N_b] w1 = v[ : , 1] ./ L11;
    vector[N_b] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    real rr = quad_form(DD, c);
    rr -= 2 * dot_product(u_a, ZD_a * c);
    rr += dot_product(ZZ_a, square(u_a));
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
    target += log_root_weights;
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_b = multiply_lower_tri_self_transpose(L_b);
  matrix[N_b, 2] u_b;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_b] Zr = ZD_b * c;
    Zr -= cross_b_a * u_a;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_b / sigma, L_b);
    matrix[N_b, 2] v = to_matrix(Zr, N_b, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_b] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_b] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_b] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_b] L11 = sqrt(m11);
    vector[N_b] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_b] L22 = sqrt(det_M ./ m11);
    vector[N_b] w1 = v[ : , 1] ./ L11;
    vector[N_b] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    w2 += sigma * to_vector(normal_rng(zeros_vector(N_b), 1));
    w2 ./= L22;
    w1 += sigma * to_vector(normal_rng(zeros_vector(N_b), 1));
    w1 = (w1 - L21 .* w2) ./ L11;
    u_b = append_col(w1, w2) * Lambda';
  }
}
