// successes/trials ~ x + (1 | a)
//
// binomial family, probit link; 48 rows, 4 levels of a
//
//   eta = Intercept + X * b + Z * u
//   y ~ binomial(trials, Phi(eta))
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
  // Sum of count * log(Phi(x)), for counts in rising order.
  real log_Phi_sum(array[] int count, vector x) {
    real total = 0;
    int first = 1;
    for (n in 1 : size(count)) {
      if (n == size(count) || count[n + 1] > count[n]) {
        if (count[n] > 0) {
          total += count[n] * std_normal_lcdf(x[first : n]);
        }
        first = n + 1;
      }
    }
    return total;
  }
}
data {
  int<lower=1> N; // rows
  array[N] int<lower=0> y; // successes/trials
  array[N] int<lower=0> trials; // of which y are successes
  matrix[N, 1] X; // x
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // -0.2722
  real<lower=0> prior_Intercept_scale; // 2.5
  real<lower=0> prior_b_scale; // 2.497
  real<lower=0> prior_sd_a_scale; // 2.5
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  // rows in the order of their successes, and of their failures
  array[N] int by_successes = sort_indices_asc(y);
  array[N] int successes = y[by_successes];
  array[N] int failures;
  for (n in 1 : N) {
    failures[n] = trials[n] - y[n];
  }
  array[N] int by_failures = sort_indices_asc(failures);
  failures = failures[by_failures];
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_a;
  vector[N_a] z_a; // standardised effects
}
transformed parameters {
  vector[N_a] u_a = sd_a * z_a;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  z_a ~ std_normal();
  // successes/trials
  {
    vector[N] eta = Intercept_c + u_a[level_a] + X_c * b;
    target += log_Phi_sum(successes, eta[by_successes]);
    target += log_Phi_sum(failures, -eta[by_failures]);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
}
