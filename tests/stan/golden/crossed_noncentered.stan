// diameter ~ 1 + (1 | plate) + (1 | sample)
//
// gaussian family, identity link; 144 rows, 24 levels of plate, 6 levels of
// sample
//
//   y = Intercept + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of plate integrated out,
// in sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   z: u by a root of its covariance matrix
//   r: y - X * beta - Z * u of the effects that are sampled
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_plate / sigma; of each level, 1 + lambda * ZZ * lambda
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
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
transformed data {
  real y_mean = mean(y);
  matrix[N, 2] D = append_col(ones_vector(N), y - y_mean);
  matrix[2, 2] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N_plate] ZZ_plate = zeros_vector(N_plate);
  matrix[N_plate, 2] ZD_plate = rep_matrix(0, N_plate, 2);
  vector[N_sample] ZZ_sample = zeros_vector(N_sample);
  matrix[N_sample, 2] ZD_sample = rep_matrix(0, N_sample, 2);
  matrix[N_plate, N_sample] cross_plate_sample;
  cross_plate_sample = rep_matrix(0, N_plate, N_sample);
  for (n in 1 : N) {
    ZZ_plate[level_plate[n]] += 1;
    ZD_plate[level_plate[n]] += D[n];
    ZZ_sample[level_sample[n]] += 1;
    ZD_sample[level_sample[n]] += D[n];
    cross_plate_sample[level_plate[n], level_sample[n]] += 1;
  }
}
parameters {
  real Intercept;
  real<lower=0> sd_plate;
  real<lower=0> sd_sample;
  vector[N_sample] z_sample; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_sample] u_sample = sd_sample * z_sample;
}
model {
  // population level
  Intercept ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  // plate
  sd_plate ~ student_t(3, 0, prior_sd_plate_scale);
  // sample
  sd_sample ~ student_t(3, 0, prior_sd_sample_scale);
  z_sample ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // diameter, with u of plate integrated out
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_plate] Zr = ZD_plate * c - cross_plate_sample * u_sample;
    real lambda = sd_plate / sigma;
    vector[N_plate] m = 1 + square(lambda) * ZZ_plate;
    real rr = dot_product(c, DD * c);
    rr -= 2 * dot_product(u_sample, ZD_sample * c);
    rr += dot_product(ZZ_sample, square(u_sample));
    rr -= square(lambda) * sum(square(Zr) ./ m);
    target += -0.5 * sum(log(m));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  vector[N_plate] u_plate;
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_plate] Zr = ZD_plate * c - cross_plate_sample * u_sample;
    real lambda = sd_plate / sigma;
    vector[N_plate] m = 1 + square(lambda) * ZZ_plate;
    u_plate = to_vector(
                        normal_rng(square(lambda) * Zr ./ m,
                                   sd_plate ./ sqrt(m)));
  }
}
