// y ~ 0 + offset(o) + (1 | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = offsets + Z * u + e
//   e ~ normal(0, sigma)
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
  vector[N] y; // y
  vector[N] offsets; // known part of the linear predictor
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real<lower=0> prior_sd_a_scale; // 9.009
  real<lower=0> prior_sigma_scale; // 9.009
}
parameters {
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  {
    vector[N] eta = offsets + u_a[level_a];
    y ~ normal(eta, sigma);
  }
}
