// y ~ 0 + x + (0 + x | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of a integrated out, in
// sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: X, y; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   lambda, m: sd_a / sigma; of each level, 1 + lambda * ZZ * lambda
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real<lower=0> prior_b_scale; // 8.209
  real<lower=0> prior_sd_a_scale; // 8.209
  real<lower=0> prior_sigma_scale; // 8.219
}
transformed data {
  matrix[N, 2] D = append_col(X, y);
  matrix[2, 2] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N] Z_a = X[ : , 1];
  vector[N_a] ZZ_a = zeros_vector(N_a);
  matrix[N_a, 2] ZD_a = rep_matrix(0, N_a, 2);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += square(Z_a[n]);
    ZD_a[level_a[n]] += Z_a[n] * D[n];
  }
}
parameters {
  vector[1] b; // x
  real<lower=0> sd_a;
  real<lower=0> sigma;
}
model {
  // population level
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    vector[2] c = append_row(-b, 1);
    vector[N_a] Zr = ZD_a * c;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    real rr = dot_product(c, DD * c);
    rr -= square(lambda) * sum(square(Zr) ./ m);
    target += -0.5 * sum(log(m));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  vector[N_a] u_a;
  {
    vector[2] c = append_row(-b, 1);
    vector[N_a] Zr = ZD_a * c;
    real lambda = sd_a / sigma;
    vector[N_a] m = 1 + square(lambda) * ZZ_a;
    u_a = to_vector(normal_rng(square(lambda) * Zr ./ m, sd_a ./ sqrt(m)));
  }
}
