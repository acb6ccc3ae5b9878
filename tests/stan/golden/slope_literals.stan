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
  vector[N] y; // Reaction
  matrix[N, 1] X; // Days
  int<lower=1> N_Subject; // levels of Subject
  array[N] int<lower=1, upper=N_Subject> level_Subject; // of each row
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
  matrix[N, 2] Z_Subject; // (Intercept), Days
  Z_Subject[ : , 1] = ones_vector(N);
  Z_Subject[ : , 2] = X[ : , 1];
  array[N_Subject] matrix[2, 2] ZZ_Subject;
  ZZ_Subject = rep_array(rep_matrix(0, 2, 2), N_Subject);
  matrix[2 * N_Subject, 3] ZD_Subject;
  ZD_Subject = rep_matrix(0, 2 * N_Subject, 3);
  for (n in 1 : N) {
    ZZ_Subject[level_Subject[n]] += Z_Subject[n]' * Z_Subject[n];
    ZD_Subject[level_Subject[n]] += Z_Subject[n, 1] * D[n];
    ZD_Subject[N_Subject + level_Subject[n]] += Z_Subject[n, 2] * D[n];
  }
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
  Intercept_c ~ student_t(3, 288.6508, 148.34821469999997);
  b ~ normal(0, 40.023799999999994);
  // Subject
  sd_Subject ~ student_t(3, 0, [148.34821469999997, 40.023799999999994]');
  L_Subject ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, 148.34821469999997);
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
