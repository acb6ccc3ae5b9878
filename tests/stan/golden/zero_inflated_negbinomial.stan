// count ~ x + (1 | a)
//
// zero_inflated_negbinomial family, log link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ 0 with probability zi, else neg_binomial_2(exp(eta), shape)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // Log density of a count that is 0 with probability zi, whatever eta says.
  real zi_negbinomial_lpmf(int y, real zi, real eta, real shape) {
    real own = log1m(zi) + neg_binomial_2_log_lpmf(y | eta, shape);
    return y == 0 ? log_sum_exp(log(zi), own) : own;
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
  // rows with zeros, and with more
  array[N] int order = sort_indices_asc(y);
  int n_zeros = 0;
  for (n in 1 : N) {
    n_zeros += y[n] == 0;
  }
  array[n_zeros] int zeros = head(order, n_zeros);
  array[N - n_zeros] int others = tail(order, N - n_zeros);
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
    vector[N] eta = Intercept_c + u_a[level_a] + X_c * b;
    // zeros are of either kind; a larger shape makes counts Poisson, but for
    // rounding errors, which would grow without bounds
    real s = fmin(shape, 1e9);
    vector[n_zeros] own = -s * log1p_exp(eta[zeros] - log(s));
    target += log_sum_exp(log(zi), log1m(zi) + own);
    target += (N - n_zeros) * log1m(zi);
    if (n_zeros < N) {
      y[others] ~ neg_binomial_2_log(eta[others], s);
    }
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a] + X * b;
    for (n in 1 : N) {
      log_lik[n] = zi_negbinomial_lpmf(y[n] | zi, eta[n], fmin(shape, 1e9));
      y_rep[n] = (1 - bernoulli_rng(zi)) * count_rng(eta[n], shape);
    }
  }
}
