// strength ~ 1 + (1 | batch/cask)
//
// gaussian family, identity link; 60 rows, 30 levels of cask:batch, 10 levels
// of batch
//
//   y = Intercept + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of cask:batch integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   z: u by a root of its covariance matrix
//   r: y - X * beta - Z * u of the effects that are sampled
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_cask_batch / sigma; of each level, 1 + lambda * ZZ * lambda
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // strength
  int<lower=1> N_cask_batch; // levels of cask:batch
  array[N] int<lower=1, upper=N_cask_batch> level_cask_batch; // of each row
  int<lower=1> N_batch; // levels of batch
  array[N] int<lower=1, upper=N_batch> level_batch; // of each row
  real prior_Intercept_location; // 59.3
  real<lower=0> prior_Intercept_scale; // 9.081
  real<lower=0> prior_sd_cask_batch_scale; // 9.081
  real<lower=0> prior_sd_batch_scale; // 9.081
  real<lower=0> prior_sigma_scale; // 9.081
}
transformed data {
  real y_mean = mean(y);
  matrix[N, 2] D = append_col(ones_vector(N), y - y_mean);
  matrix[2, 2] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N_cask_batch] ZZ_cask_batch = zeros_vector(N_cask_batch);
  matrix[N_cask_batch, 2] ZD_cask_batch = rep_matrix(0, N_cask_batch, 2);
  vector[N_batch] ZZ_batch = zeros_vector(N_batch);
  matrix[N_batch, 2] ZD_batch = rep_matrix(0, N_batch, 2);
  // level of batch that holds each level of cask:batch
  array[N_cask_batch] int parent_cask_batch_batch = rep_array(0,
                                                              N_cask_batch);
  vector[N_cask_batch] cross_cask_batch_batch = zeros_vector(N_cask_batch);
  for (n in 1 : N) {
    ZZ_cask_batch[level_cask_batch[n]] += 1;
    ZD_cask_batch[level_cask_batch[n]] += D[n];
    ZZ_batch[level_batch[n]] += 1;
    ZD_batch[level_batch[n]] += D[n];
    if (parent_cask_batch_batch[level_cask_batch[n]] == 0) {
      parent_cask_batch_batch[level_cask_batch[n]] = level_batch[n];
    }
    if (parent_cask_batch_batch[level_cask_batch[n]] != level_batch[n]) {
      reject("level_cask_batch is not nested in level_batch");
    }
    cross_cask_batch_batch[level_cask_batch[n]] += 1;
  }
}
parameters {
  real Intercept;
  real<lower=0> sd_cask_batch;
  real<lower=0> sd_batch;
  vector[N_batch] z_batch; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_batch] u_batch = sd_batch * z_batch;
}
model {
  // population level
  Intercept ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  // cask:batch
  sd_cask_batch ~ student_t(3, 0, prior_sd_cask_batch_scale);
  // batch
  sd_batch ~ student_t(3, 0, prior_sd_batch_scale);
  z_batch ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // strength, with u of cask:batch integrated out
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_cask_batch] Zr = ZD_cask_batch * c
                              - cross_cask_batch_batch
                                .* u_batch[parent_cask_batch_batch];
    real lambda = sd_cask_batch / sigma;
    vector[N_cask_batch] m = 1 + square(lambda) * ZZ_cask_batch;
    real rr = dot_product(c, DD * c);
    rr -= 2 * dot_product(u_batch, ZD_batch * c);
    rr += dot_product(ZZ_batch, square(u_batch));
    rr -= square(lambda) * sum(square(Zr) ./ m);
    target += -0.5 * sum(log(m));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  vector[N_cask_batch] u_cask_batch;
  {
    vector[2] c = [y_mean - Intercept, 1]';
    vector[N_cask_batch] Zr = ZD_cask_batch * c
                              - cross_cask_batch_batch
                                .* u_batch[parent_cask_batch_batch];
    real lambda = sd_cask_batch / sigma;
    vector[N_cask_batch] m = 1 + square(lambda) * ZZ_cask_batch;
    u_cask_batch = to_vector(
                             normal_rng(square(lambda) * Zr ./ m,
                                        sd_cask_batch ./ sqrt(m)));
  }
}
