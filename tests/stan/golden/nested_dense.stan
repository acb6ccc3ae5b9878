// strength ~ 1 + (1 | batch/cask)
//
// gaussian family, identity link; 60 rows, 30 levels of cask:batch, 10 levels
// of batch
//
//   y = Intercept + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of cask:batch, batch
// integrated out, in sums over rows that are formed once, so that its cost
// does not grow with the number of rows. That u is drawn from its exact
// distribution given the parameters in generated quantities.
//
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_cask_batch / sigma; of each level, 1 + lambda * ZZ * lambda
//   C: Z of batch
//   L: L * L' = S + I, S: what of C' * C is left beside Z of cask:batch
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
  vector[N] y; // strength
  int<lower=1> N_cask_batch; // levels of cask:batch
  array[N] int<lower=1, upper=N_cask_batch> level_cask_batch; // of each row
  int<lower=1> N_batch; // levels of batch
  array[N] int<lower=1, upper=N_batch> level_batch; // of each row
  real prior_Intercept_location; // 59.3
  real<lower=0> prior_Intercept_scale; // 9.081
  real<lower=0> prior_sd_cask_batch_scale; // 9.081
  real<lower=0> prior_sd_batch_scale; // 9.081
  real<lower=0> prior_sigma_scale; // 9.081
}
transformed data {
  real y_mean = mean(y);
  matrix[N, 2] D = append_col(ones_vector(N), y - y_mean);
  matrix[2, 2] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N_cask_batch] ZZ_cask_batch = zeros_vector(N_cask_batch);
  matrix[N_cask_batch, 2] ZD_cask_batch = rep_matrix(0, N_cask_batch, 2);
  vector[N_batch] ZZ_batch = zeros_vector(N_batch);
  matrix[N_batch, 2] ZD_batch = rep_matrix(0, N_batch, 2);
  matrix[N_cask_batch, N_batch] cross_cask_batch_batch;
  cross_cask_batch_batch = rep_matrix(0, N_cask_batch, N_batch);
  for (n in 1 : N) {
    ZZ_cask_batch[level_cask_batch[n]] += 1;
    ZD_cask_batch[level_cask_batch[n]] += D[n];
    ZZ_batch[level_batch[n]] += 1;
    ZD_batch[level_batch[n]] += D[n];
    cross_cask_batch_batch[level_cask_batch[n], level_batch[n]] += 1;
  }
  // products of the columns of batch, and with those of cask:batch
  int Q = N_batch;
  matrix[Q, Q] CC = diag_matrix(ZZ_batch);
  matrix[Q, 2] CD = ZD_batch;
  matrix[N_cask_batch, Q] ZC = cross_cask_batch_batch;
}
parameters {
  real Intercept;
  real<lower=0> sd_cask_batch;
  real<lower=0> sd_batch;
  real<lower=0> sigma;
}
model {
  // population level
  Intercept ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  // cask:batch
  sd_cask_batch ~ student_t(3, 0, prior_sd_cask_batch_scale);
  // batch
  sd_batch ~ student_t(3, 0, prior_sd_batch_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // strength, with u of cask:batch, batch integrated out
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_cask_batch] Zr = ZD_cask_batch * c;
    real lambda = sd_cask_batch / sigma;
    vector[N_cask_batch] m = 1 + square(lambda) * ZZ_cask_batch;
    vector[Q] scale = rep_vector(sd_batch / sigma, Q);
    matrix[Q + 1, Q] L = cholesky_of_rest(CC, ZC, CD * c, Zr, m, lambda,
                                          scale);
    real rr = dot_product(c, DD * c);
    rr -= square(lambda) * sum(square(Zr) ./ m) + dot_self(L[Q + 1]);
    target += -0.5 * sum(log(m)) - sum(log(diagonal(L)));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  vector[N_cask_batch] u_cask_batch;
  vector[N_batch] u_batch;
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_cask_batch] Zr = ZD_cask_batch * c;
    real lambda = sd_cask_batch / sigma;
    vector[N_cask_batch] m = 1 + square(lambda) * ZZ_cask_batch;
    vector[Q] scale = rep_vector(sd_batch / sigma, Q);
    matrix[Q + 1, Q] L = cholesky_of_rest(CC, ZC, CD * c, Zr, m, lambda,
                                          scale);
    row_vector[Q] w = L[Q + 1]
                      + sigma * to_row_vector(normal_rng(zeros_vector(Q), 1));
    vector[Q] v = scale .* mdivide_right_tri_low(w, L[1 : Q])';
    u_batch = v;
    Zr -= ZC * v;
    u_cask_batch = to_vector(
                             normal_rng(square(lambda) * Zr ./ m,
                                        sd_cask_batch ./ sqrt(m)));
  }
}
