// data ~ `lambda` + y.1 + (`lambda` | `Größe\n*/ }`) + (1 | 温度)
//
// gaussian family, identity link; 48 rows, 4 levels of Größe\n*/ }, 3 levels
// of 温度
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma / sqrt(weights))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of Größe\n*/ } integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // data
  matrix[N, 2] X; // lambda, y.1
  vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights
  int<lower=1> N_Groe; // levels of Größe\n*/ }
  array[N] int<lower=1, upper=N_Groe> level_Groe; // of each row
  int<lower=1> N_2; // levels of 温度
  array[N] int<lower=1, upper=N_2> level_2; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  vector<lower=0>[2] prior_b_scale; // 4.388, 3.864
  vector<lower=0>[2] prior_sd_Groe_scale; // 4.352, 4.346
  real<lower=0> prior_sd_2_scale; // 4.352
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  real y_mean = mean(y);
  row_vector[2] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 4] D; // 1, X, y, the data around their means
  D[ : , 1] = ones_vector(N);
  D[ : , 2 : 3] = X - rep_matrix(X_means, N);
  D[ : , 4] = y - y_mean;
  vector[N] root_weights = sqrt(weights);
  D = diag_pre_multiply(root_weights, D);
  matrix[4, 4] DD = crossprod(D);
  // sums of products over the rows of each level
  matrix[N, 2] Z_Groe; // (Intercept), lambda
  Z_Groe[ : , 1] = ones_vector(N);
  Z_Groe[ : , 2] = X[ : , 1];
  Z_Groe = diag_pre_multiply(root_weights, Z_Groe);
  array[N_Groe] matrix[2, 2] ZZ_Groe;
  ZZ_Groe = rep_array(rep_matrix(0, 2, 2), N_Groe);
  matrix[2 * N_Groe, 4] ZD_Groe;
  ZD_Groe = rep_matrix(0, 2 * N_Groe, 4);
  vector[N] Z_2 = root_weights;
  vector[N_2] ZZ_2 = zeros_vector(N_2);
  matrix[N_2, 4] ZD_2;
  ZD_2 = rep_matrix(0, N_2, 4);
  matrix[2 * N_Groe, N_2] cross_Groe_2;
  cross_Groe_2 = rep_matrix(0, 2 * N_Groe, N_2);
  for (n in 1 : N) {
    ZZ_Groe[level_Groe[n]] += Z_Groe[n]' * Z_Groe[n];
    ZD_Groe[level_Groe[n]] += Z_Groe[n, 1] * D[n];
    ZD_Groe[N_Groe + level_Groe[n]] += Z_Groe[n, 2] * D[n];
    ZZ_2[level_2[n]] += square(Z_2[n]);
    ZD_2[level_2[n]] += Z_2[n] * D[n];
    cross_Groe_2[level_Groe[n], level_2[n]] += Z_Groe[n, 1] * Z_2[n];
    cross_Groe_2[N_Groe + level_Groe[n], level_2[n]] += Z_Groe[n, 2] * Z_2[n];
  }
  array[2, 2] vector[N_Groe] zz; // entries of ZZ_Groe, level by level
  for (i in 1 : 2) {
    for (h in 1 : 2) {
      zz[i, h] = to_vector(ZZ_Groe[ : , i, h]);
    }
  }
  vector[N_Groe] det_zz = zz[1, 1] .* zz[2, 2] - square(zz[1, 2]);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[2] b; // lambda, y.1
  vector<lower=0>[2] sd_Groe; // (Intercept), lambda
  cholesky_factor_corr[2] L_Groe; // of their correlations
  real<lower=0> sd_2;
  vector[N_2] z_2; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_2] u_2 = sd_2 * z_2;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Größe\n*/ }
  sd_Groe ~ student_t(3, 0, prior_sd_Groe_scale);
  L_Groe ~ lkj_corr_cholesky(2);
  // 温度
  sd_2 ~ student_t(3, 0, prior_sd_2_scale);
  z_2 ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // data, with u of Größe\n*/ } integrated out
  {
    // r = y - X * beta - Z * u, where y - X * beta = D * c
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Groe] Zr = ZD_Groe * c;
    Zr -= cross_Groe_2 * u_2;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_Groe / sigma, L_Groe);
    matrix[N_Groe, 2] v = to_matrix(Zr, N_Groe, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_Groe] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_Groe] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_Groe] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_Groe] L11 = sqrt(m11);
    vector[N_Groe] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_Groe] L22 = sqrt(det_M ./ m11);
    vector[N_Groe] w1 = v[ : , 1] ./ L11;
    vector[N_Groe] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    real rr = quad_form(DD, c);
    rr -= 2 * dot_product(u_2, ZD_2 * c);
    rr += dot_product(ZZ_2, square(u_2));
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
    target += sum(log(root_weights));
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_Groe = multiply_lower_tri_self_transpose(L_Groe);
  matrix[N_Groe, 2] u_Groe;
  {
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Groe] Zr = ZD_Groe * c;
    Zr -= cross_Groe_2 * u_2;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_Groe / sigma, L_Groe);
    matrix[N_Groe, 2] v = to_matrix(Zr, N_Groe, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_Groe] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_Groe] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_Groe] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_Groe] L11 = sqrt(m11);
    vector[N_Groe] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_Groe] L22 = sqrt(det_M ./ m11);
    vector[N_Groe] w1 = v[ : , 1] ./ L11;
    vector[N_Groe] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    w2 += sigma * to_vector(normal_rng(zeros_vector(N_Groe), 1));
    w2 ./= L22;
    w1 += sigma * to_vector(normal_rng(zeros_vector(N_Groe), 1));
    w1 = (w1 - L21 .* w2) ./ L11;
    u_Groe = append_col(w1, w2) * Lambda';
  }
}
