// rating ~ 1 + (1 | a)
//
// cumulative family, logit link; 48 rows, 4 levels of a
//
//   eta = Z * u
//   y ~ ordered_logistic(eta, cutpoint)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
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
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  vector<lower=0>[3] prior_cutpoint_scale; // 2, 1, 2
  real<lower=0> prior_sd_a_scale; // 2.5
}
parameters {
  ordered[3] cutpoint; // poor|fair, fair|good, good|best
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  cutpoint ~ normal(0, prior_cutpoint_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // rating
  {
    vector[N] eta = u_a[level_a];
    y ~ ordered_logistic(eta, cutpoint);
  }
}
generated quantities {
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = u_a[level_a];
    for (n in 1 : N) {
      log_lik[n] = ordered_logistic_lpmf(y[n] | eta[n], cutpoint);
      y_rep[n] = category(eta[n] + logistic_rng(0, 1), cutpoint);
    }
  }
}
