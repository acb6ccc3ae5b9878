// Reaction ~ Days + (Days | Subject)
//
// gaussian family, identity link; 180 rows, 18 levels of Subject
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of Subject integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  real y_mean; // mean of Reaction
  row_vector[1] X_means; // means of Days
  matrix[3, 3] DD; // D' * D; D: 1, X, y, the data around their means
  int<lower=1> N_Subject; // levels of Subject
  // Z' * Z of each level; Z: (Intercept), Days
  array[N_Subject] matrix[2, 2] ZZ_Subject;
  matrix[2 * N_Subject, 3] ZD_Subject; // Z' * D of each level
  real prior_Intercept_location; // 288.7
  real<lower=0> prior_Intercept_scale; // 148.3
  real<lower=0> prior_b_scale; // 40.02
  vector<lower=0>[2] prior_sd_Subject_scale; // 148.3, 40.02
  real<lower=0> prior_sigma_scale; // 148.3
}
transformed data {
  array[2, 2] vector[N_Subject] zz; // entries of ZZ_Subject, level by level
  for (i in 1 : 2) {
    for (h in 1 : 2) {
      zz[i, h] = to_vector(ZZ_Subject[ : , i, h]);
    }
  }
  vector[N_Subject] det_zz = zz[1, 1] .* zz[2, 2] - square(zz[1, 2]);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // Days
  vector<lower=0>[2] sd_Subject; // (Intercept), Days
  cholesky_factor_corr[2] L_Subject; // of their correlations
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Subject
  sd_Subject ~ student_t(3, 0, prior_sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // Reaction, with u of Subject integrated out
  {
    // r = y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Subject] Zr = ZD_Subject * c;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_Subject / sigma, L_Subject);
    matrix[N_Subject, 2] v = to_matrix(Zr, N_Subject, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_Subject] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_Subject] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_Subject] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_Subject] L11 = sqrt(m11);
    vector[N_Subject] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_Subject] L22 = sqrt(det_M ./ m11);
    vector[N_Subject] w1 = v[ : , 1] ./ L11;
    vector[N_Subject] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    real rr = quad_form(DD, c);
    rr -= dot_self(w1) + dot_self(w2);
    target += -0.5 * sum(log(det_M));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_Subject = multiply_lower_tri_self_transpose(L_Subject);
  matrix[N_Subject, 2] u_Subject;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Subject] Zr = ZD_Subject * c;
    matrix[2, 2] Lambda = diag_pre_multiply(sd_Subject / sigma, L_Subject);
    matrix[N_Subject, 2] v = to_matrix(Zr, N_Subject, 2) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    real l11 = Lambda[1, 1];
    real l21 = Lambda[2, 1];
    real l22 = Lambda[2, 2];
    vector[N_Subject] m11 = 1 + square(l11) * zz[1, 1];
    m11 += 2 * l11 * l21 * zz[1, 2] + square(l21) * zz[2, 2];
    vector[N_Subject] m22 = 1 + square(l22) * zz[2, 2];
    vector[N_Subject] det_M = m11 + m22 - 1 + square(l11 * l22) * det_zz;
    vector[N_Subject] L11 = sqrt(m11);
    vector[N_Subject] L21 = l22 * (l11 * zz[1, 2] + l21 * zz[2, 2]) ./ L11;
    vector[N_Subject] L22 = sqrt(det_M ./ m11);
    vector[N_Subject] w1 = v[ : , 1] ./ L11;
    vector[N_Subject] w2 = (v[ : , 2] - L21 .* w1) ./ L22;
    w2 += sigma * to_vector(normal_rng(zeros_vector(N_Subject), 1));
    w2 ./= L22;
    w1 += sigma * to_vector(normal_rng(zeros_vector(N_Subject), 1));
    w1 = (w1 - L21 .* w2) ./ L11;
    u_Subject = append_col(w1, w2) * Lambda';
  }
}
