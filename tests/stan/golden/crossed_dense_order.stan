// y ~ x + (0 + x | f) + (1 | b) + (1 | a)
//
// gaussian family, identity link; 48 rows, 3 levels of f, 3 levels of b, 4
// levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of f, b, a integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_a / sigma; of each level, 1 + lambda * ZZ * lambda
//   C: Z of b and f
//   L: L * L' = S + I, S: what of C' * C is left beside Z of a
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // L, L * L' = S + I, S being what of C' * C is left beside Z, and below it
  // w',
  // L * w being what of C' * r is.
  matrix cholesky_of_rest(matrix CC, matrix ZC, vector Cr, vector Zr,
                          vector m, real lambda, vector scale) {
    int Q = rows(CC);
    matrix[rows(ZC), Q] W = diag_pre_multiply(lambda ./ sqrt(m), ZC);
    matrix[Q, Q] S = quad_form_diag(CC - crossprod(W), scale);
    matrix[Q, Q] L = cholesky_decompose(add_diag(S, 1));
    vector[Q] v = scale .* (Cr - square(lambda) * (ZC' * (Zr ./ m)));
    return append_row(L, mdivide_left_tri_low(L, v)');
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  int<lower=1> N_f; // levels of f
  array[N] int<lower=1, upper=N_f> level_f; // of each row
  int<lower=1> N_b; // levels of b
  array[N] int<lower=1, upper=N_b> level_b; // of each row
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  real<lower=0> prior_sd_f_scale; // 4.346
  real<lower=0> prior_sd_b_scale; // 4.352
  real<lower=0> prior_sd_a_scale; // 4.352
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  real y_mean = mean(y);
  matrix[N, 3] D = append_col(append_col(ones_vector(N), X_c), y - y_mean);
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N] Z_f = X[ : , 1];
  vector[N_f] ZZ_f = zeros_vector(N_f);
  matrix[N_f, 3] ZD_f = rep_matrix(0, N_f, 3);
  vector[N_b] ZZ_b = zeros_vector(N_b);
  matrix[N_b, 3] ZD_b = rep_matrix(0, N_b, 3);
  vector[N_a] ZZ_a = zeros_vector(N_a);
  matrix[N_a, 3] ZD_a = rep_matrix(0, N_a, 3);
  matrix[N_a, N_b] cross_a_b = rep_matrix(0, N_a, N_b);
  matrix[N_a, N_f] cross_a_f = rep_matrix(0, N_a, N_f);
  matrix[N_b, N_f] cross_b_f = rep_matrix(0, N_b, N_f);
  for (n in 1 : N) {
    ZZ_f[level_f[n]] += square(Z_f[n]);
    ZD_f[level_f[n]] += Z_f[n] * D[n];
    ZZ_b[level_b[n]] += 1;
    ZD_b[level_b[n]] += D[n];
    ZZ_a[level_a[n]] += 1;
    ZD_a[level_a[n]] += D[n];
    cross_a_b[level_a[n], level_b[n]] += 1;
    cross_a_f[level_a[n], level_f[n]] += Z_f[n];
    cross_b_f[level_b[n], level_f[n]] += Z_f[n];
  }
  // products of the columns of b and f, and with those of a
  int Q = N_b + N_f;
  matrix[Q, Q] CC = append_row(append_col(diag_matrix(ZZ_b), cross_b_f),
                               append_col(cross_b_f', diag_matrix(ZZ_f)));
  matrix[Q, 3] CD = append_row(ZD_b, ZD_f);
  matrix[N_a, Q] ZC = append_col(cross_a_b, cross_a_f);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_f;
  real<lower=0> sd_b;
  real<lower=0> sd_a;
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // f
  sd_f ~ student_t(3, 0, prior_sd_f_scale);
  // b
  sd_b ~ student_t(3, 0, prior_sd_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of f, b, a integrated out
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_a] Zr = ZD_a * c;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    vector[Q] scale = append_row(rep_vector(sd_b / sigma, N_b),
                                 rep_vector(sd_f / sigma, N_f));
    matrix[Q + 1, Q] L = cholesky_of_rest(CC, ZC, CD * c, Zr, m, lambda,
                                          scale);
    real rr = dot_product(c, DD * c);
    rr -= square(lambda) * sum(square(Zr) ./ m) + dot_self(L[Q + 1]);
    target += -0.5 * sum(log(m)) - sum(log(diagonal(L)));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N_f] u_f;
  vector[N_b] u_b;
  vector[N_a] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_a] Zr = ZD_a * c;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    vector[Q] scale = append_row(rep_vector(sd_b / sigma, N_b),
                                 rep_vector(sd_f / sigma, N_f));
    matrix[Q + 1, Q] L = cholesky_of_rest(CC, ZC, CD * c, Zr, m, lambda,
                                          scale);
    row_vector[Q] w = L[Q + 1]
                      + sigma * to_row_vector(normal_rng(zeros_vector(Q), 1));
    vector[Q] v = scale .* mdivide_right_tri_low(w, L[1 : Q])';
    u_b = head(v, N_b);
    u_f = tail(v, N_f);
    Zr -= ZC * v;
    u_a = to_vector(normal_rng(square(lambda) * Zr ./ m, sd_a ./ sqrt(m)));
  }
}
