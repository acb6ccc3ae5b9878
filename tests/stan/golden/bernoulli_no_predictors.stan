// binary ~ 1 + (1 | a)
//
// binomial family, logit link; 48 rows, 4 levels of a
//
//   eta = Intercept + Z * u
//   y ~ bernoulli(inv_logit(eta))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  array[N] int<lower=0, upper=1> y; // binary
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real<lower=0> prior_Intercept_scale; // 2.5
  real<lower=0> prior_sd_a_scale; // 2.5
}
parameters {
  real Intercept;
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  Intercept ~ student_t(3, 0, prior_Intercept_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // binary
  {
    vector[N] eta = Intercept + u_a[level_a];
    y ~ bernoulli_logit(eta);
  }
}
generated quantities {
  vector[N] log_lik;
  array[N] int y_rep;
  {
    vector[N] eta = Intercept + u_a[level_a];
    for (n in 1 : N) {
      log_lik[n] = bernoulli_logit_lpmf(y[n] | eta[n]);
      y_rep[n] = bernoulli_rng(inv_logit(eta[n]));
    }
  }
}
