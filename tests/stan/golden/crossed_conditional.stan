// diameter ~ 1 + (1 | plate) + (1 | sample)
//
// gaussian family, identity link; 144 rows, 24 levels of plate, 6 levels of
// sample
//
//   y = Intercept + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   Z, u: what the effects of a level multiply, and these
//
// Written by lmmformula, for Stan 2.36 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // diameter
  int<lower=1> N_plate; // levels of plate
  array[N] int<lower=1, upper=N_plate> level_plate; // of each row
  int<lower=1> N_sample; // levels of sample
  array[N] int<lower=1, upper=N_sample> level_sample; // of each row
  real prior_Intercept_location; // 23
  real<lower=0> prior_Intercept_scale; // 3.706
  real<lower=0> prior_sd_plate_scale; // 3.706
  real<lower=0> prior_sd_sample_scale; // 3.706
  real<lower=0> prior_sigma_scale; // 3.706
}
parameters {
  real Intercept;
  real<lower=0> sd_plate;
  real mean_plate; // means of the coefficients
  sum_to_zero_vector[N_plate] dev_plate; // their deviations
  real<lower=0> sd_sample;
  real mean_sample; // means of the coefficients
  sum_to_zero_vector[N_sample] dev_sample; // their deviations
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_sample] u_sample = dev_sample + mean_sample;
  vector[N_plate] u_plate = dev_plate
                            + (mean_plate - (Intercept + mean(u_sample)));
}
model {
  // population level
  Intercept ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  // plate
  sd_plate ~ student_t(3, 0, prior_sd_plate_scale);
  mean_plate ~ normal(Intercept + mean(u_sample), sd_plate / sqrt(N_plate));
  dev_plate ~ normal(0, sd_plate);
  target += -normal_lpdf(0 | 0, sd_plate); // dev_plate has a dimension less
  // sample
  sd_sample ~ student_t(3, 0, prior_sd_sample_scale);
  mean_sample ~ normal(0, sd_sample / sqrt(N_sample));
  dev_sample ~ normal(0, sd_sample);
  target += -normal_lpdf(0 | 0, sd_sample); // dev_sample has a dimension less
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // diameter
  {
    vector[N] eta = Intercept + u_plate[level_plate] + u_sample[level_sample];
    y ~ normal(eta, sigma);
  }
}
