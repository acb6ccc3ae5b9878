// Reaction ~ Days + (1 | Subject)
//
// gaussian family, identity link; 180 rows, 18 levels of Subject
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of Subject integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_Subject / sigma; of each level, 1 + lambda * ZZ * lambda
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // Reaction
  matrix[N, 1] X; // Days
  int<lower=1> N_Subject; // levels of Subject
  array[N] int<lower=1, upper=N_Subject> level_Subject; // of each row
  real prior_Intercept_location; // 288.7
  real<lower=0> prior_Intercept_scale; // 148.3
  real<lower=0> prior_b_scale; // 40.02
  real<lower=0> prior_sd_Subject_scale; // 148.3
  real<lower=0> prior_sigma_scale; // 148.3
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  real y_mean = mean(y);
  matrix[N, 3] D = append_col(append_col(ones_vector(N), X_c), y - y_mean);
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N_Subject] ZZ_Subject = zeros_vector(N_Subject);
  matrix[N_Subject, 3] ZD_Subject = rep_matrix(0, N_Subject, 3);
  for (n in 1 : N) {
    ZZ_Subject[level_Subject[n]] += 1;
    ZD_Subject[level_Subject[n]] += D[n];
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // Days
  real<lower=0> sd_Subject;
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Subject
  sd_Subject ~ student_t(3, 0, prior_sd_Subject_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // Reaction, with u of Subject integrated out
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_Subject] Zr = ZD_Subject * c;
    real lambda = sd_Subject / sigma;
    vector[N_Subject] m = 1 + square(lambda) * ZZ_Subject;
    real rr = dot_product(c, DD * c);
    rr -= square(lambda) * sum(square(Zr) ./ m);
    target += -0.5 * sum(log(m));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  vector[N_Subject] u_Subject;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[N_Subject] Zr = ZD_Subject * c;
    real lambda = sd_Subject / sigma;
    vector[N_Subject] m = 1 + square(lambda) * ZZ_Subject;
    u_Subject = to_vector(
                          normal_rng(square(lambda) * Zr ./ m,
                                     sd_Subject ./ sqrt(m)));
  }
}
