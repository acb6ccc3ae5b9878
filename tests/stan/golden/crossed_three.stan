// y ~ x + (1 | a) + (1 | b) + (0 + x | f)
//
// gaussian family, identity link; 48 rows, 4 levels of a, 3 levels of b, 3
// levels of f
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
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  int<lower=1> N_b; // levels of b
  array[N] int<lower=1, upper=N_b> level_b; // of each row
  int<lower=1> N_f; // levels of f
  array[N] int<lower=1, upper=N_f> level_f; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  real<lower=0> prior_sd_a_scale; // 4.352
  real<lower=0> prior_sd_b_scale; // 4.352
  real<lower=0> prior_sd_f_scale; // 4.346
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
  vector[N_a] ZZ_a = zeros_vector(N_a);
  matrix[N_a, 3] ZD_a;
  ZD_a = rep_matrix(0, N_a, 3);
  vector[N_b] ZZ_b = zeros_vector(N_b);
  matrix[N_b, 3] ZD_b;
  ZD_b = rep_matrix(0, N_b, 3);
  vector[N] Z_f = X[ : , 1];
  vector[N_f] ZZ_f = zeros_vector(N_f);
  matrix[N_f, 3] ZD_f;
  ZD_f = rep_matrix(0, N_f, 3);
  matrix[N_a, N_b] cross_a_b;
  cross_a_b = rep_matrix(0, N_a, N_b);
  matrix[N_a, N_f] cross_a_f;
  cross_a_f = rep_matrix(0, N_a, N_f);
  matrix[N_b, N_f] cross_b_f;
  cross_b_f = rep_matrix(0, N_b, N_f);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += 1;
    ZD_a[level_a[n]] += D[n];
    ZZ_b[level_b[n]] += 1;
    ZD_b[level_b[n]] += D[n];
    ZZ_f[level_f[n]] += square(Z_f[n]);
    ZD_f[level_f[n]] += Z_f[n] * D[n];
    cross_a_b[level_a[n], level_b[n]] += 1;
    cross_a_f[level_a[n], level_f[n]] += Z_f[n];
    cross_b_f[level_b[n], level_f[n]] += Z_f[n];
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  real<lower=0> sd_b;
  vector[N_b] z_b; // standardised effects
  real<lower=0> sd_f;
  vector[N_f] z_f; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_b] u_b = sd_b * z_b;
  vector[N_f] u_f = sd_f * z_f;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  // b
  sd_b ~ student_t(3, 0, prior_sd_b_scale);
  z_b ~ std_normal();
  // f
  sd_f ~ student_t(3, 0, prior_sd_f_scale);
  z_f ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    // r = y - X * beta - Z * u, where y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_a] Zr = ZD_a * c;
    Zr -= cross_a_b * u_b;
    Zr -= cross_a_f * u_f;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    real rr = quad_form(DD, c);
    rr -= 2 * dot_product(u_b, ZD_b * c);
    rr += dot_product(ZZ_b, square(u_b));
    rr -= 2 * dot_product(u_f, ZD_f * c);
    rr += dot_product(ZZ_f, square(u_f));
    rr += 2 * dot_product(u_b, cross_b_f * u_f);
    rr -= square(lambda) * sum(square(Zr) ./ m);
    target += -0.5 * sum(log(m));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N_a] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_a] Zr = ZD_a * c;
    Zr -= cross_a_b * u_b;
    Zr -= cross_a_f * u_f;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    vector[N_a] mean_u = square(lambda) * Zr ./ m;
    u_a = to_vector(normal_rng(mean_u, sd_a ./ sqrt(m)));
  }
}
