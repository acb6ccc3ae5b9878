// y ~ 1
//
// gaussian family, identity link; 48 rows
//
//   y = Intercept + e
//   e ~ normal(0, sigma)
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_sigma_scale; // 4.352
}
parameters {
  real Intercept;
  real<lower=0> sigma;
}
model {
  // population level
  Intercept ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  y ~ normal(Intercept, sigma);
}
