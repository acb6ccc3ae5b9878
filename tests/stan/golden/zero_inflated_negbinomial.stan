// count ~ x + (1 | a)
//
// zero_inflated_negbinomial family, log link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ 0 with probability zi, else neg_binomial_2(exp(eta), shape)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // Log density of counts that are 0 with probability zi, whatever eta says.
  real zi_negbinomial_lpmf(array[] int y, real zi, vector eta, real shape) {
    real total = 0;
    for (n in 1 : size(y)) {
      real own = log1m(zi) + neg_binomial_2_log_lpmf(y[n] | eta[n], shape);
      total += y[n] == 0 ? log_sum_exp(log(zi), own) : own;
    }
    return total;
  }
  // A count of mean exp(eta), but at most 1e9: Stan has no larger ones.
  int count_rng(real eta, real shape) {
    real mu = gamma_rng(shape, shape) * exp(eta);
    return poisson_rng(fmin(fmax(mu, 1e-300), 1e9));
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // count
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 0.6983
  real<lower=0> prior_Intercept_scale; // 3.141
  real<lower=0> prior_b_scale; // 3.136
  real<lower=0> prior_sd_a_scale; // 3.141
  real<lower=0> prior_shape_shape; // 0.4
  real<lower=0> prior_shape_scale; // 0.3
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
  real<lower=0> shape;
  real<lower=0, upper=1> zi;
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
  // family
  shape ~ inv_gamma(prior_shape_shape, prior_shape_scale);
  zi ~ uniform(0, 1);
  // count
  {
    vector[N] eta = rep_vector(Intercept_c, N);
    eta += u_a[level_a];
    eta += X_c * b;
    y ~ zi_negbinomial(zi, eta, shape);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = rep_vector(Intercept, N);
    eta += u_a[level_a];
    eta += X * b;
    for (n in 1 : N) {
      log_lik[n] = zi_negbinomial_lpmf(y[n : n] | zi, eta[n : n], shape);
      y_rep[n] = (1 - bernoulli_rng(zi)) * count_rng(eta[n], shape);
    }
  }
}
