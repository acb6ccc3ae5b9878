// rating ~ x + (1 | a)
//
// cumulative family, cloglog link; 48 rows, 4 levels of a
//
//   eta = X * b + Z * u
//   y ~ ordered_cloglog(eta, cutpoint)
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
  // Log density of a category: inv_cloglog(cutpoint[k] - eta) is the
  // probability of the k-th or a lower one.
  real ordered_cloglog_lpmf(int y, real eta, vector cutpoint) {
    if (y == 1) {
      return log1m_exp(-exp(cutpoint[1] - eta));
    }
    real a = cutpoint[y - 1] - eta;
    if (y > size(cutpoint)) {
      return -exp(a);
    }
    return log1m_exp(-exp(log_diff_exp(cutpoint[y] - eta, a))) - exp(a);
  }
  // The category that a latent number falls into.
  int category(real latent, vector cutpoint) {
    int k = 1;
    for (c in cutpoint) {
      k += latent > c;
    }
    return k;
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=1, upper=4> y; // rating: poor < fair < good < best
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  vector[3] prior_cutpoint_location; // -1.222, -0.3081, 0.4321
  real<lower=0> prior_cutpoint_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  real<lower=0> prior_sd_a_scale; // 2.5
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  // rows of all categories but the last, and of all but the first
  array[N] int order = sort_indices_asc(y);
  int n_first = 0;
  int n_last = 0;
  for (n in 1 : N) {
    n_first += y[n] == 1;
    n_last += y[n] == 4;
  }
  array[N - n_last] int not_last = head(order, N - n_last);
  array[N - n_first] int not_first = tail(order, N - n_first);
  array[N - n_first] int category_below;
  for (i in 1 : N - n_first) {
    category_below[i] = y[not_first[i]] - 1;
  }
}
parameters {
  // poor|fair, fair|good, good|best at the predictors' means
  ordered[3] cutpoint_c;
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  cutpoint_c ~ student_t(3, prior_cutpoint_location, prior_cutpoint_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // rating
  {
    vector[N] eta = u_a[level_a] + X_c * b;
    // inv_cloglog(cutpoint[k] - eta) is the probability of k or lower
    vector[size(cutpoint_c)] width = cutpoint_c;
    width[2 : ] = log_diff_exp(cutpoint_c[2 : ],
                               head(cutpoint_c, size(cutpoint_c) - 1));
    target += log1m_exp(-exp(width[y[not_last]] - eta[not_last]));
    target += -exp(cutpoint_c[category_below] - eta[not_first]);
  }
}
generated quantities {
  // poor|fair, fair|good, good|best
  vector[3] cutpoint = cutpoint_c + X_means * b;
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = u_a[level_a] + X * b;
    for (n in 1 : N) {
      log_lik[n] = ordered_cloglog_lpmf(y[n] | eta[n], cutpoint);
      y_rep[n] = category(eta[n] - gumbel_rng(0, 1), cutpoint);
    }
  }
}
