// y ~ x + cs(0 + f | a, hom = TRUE)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
//   L_group: Cholesky factor of cor_group
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // Cholesky factor of the k x k matrix with correlation rho everywhere.
  matrix cholesky_cs(real rho, int k) {
    matrix[k, k] L = rep_matrix(0, k, k);
    for (j in 1 : k) {
      real before = 1 + (j - 2) * rho;
      L[j, j] = sqrt((1 - rho) * (1 + (j - 1) * rho) / before);
      for (i in j + 1 : k) {
        L[i, j] = rho * (1 - rho) / (before * L[j, j]);
      }
    }
    return L;
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector[N] x_flo; // flo
  vector[N] x_fmid; // fmid
  vector[N] x_fhi; // fhi
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  real<lower=0> prior_sd1_a_scale; // 9.135
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd1_a; // of each of flo, fmid, fhi
  real<lower=-0.5, upper=1> rho_a; // correlation of any two
  matrix[N_a, 3] z_a; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[3] sd_a = rep_vector(sd1_a, 3);
  matrix[3, 3] L_a = cholesky_cs(rho_a, 3);
  matrix[N_a, 3] u_a = z_a * diag_pre_multiply(sd_a, L_a)';
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd1_a ~ student_t(3, 0, prior_sd1_a_scale);
  rho_a ~ uniform(-0.5, 1);
  to_vector(z_a) ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y
  {
    vector[N] eta = Intercept_c + u_a[level_a, 1] .* x_flo
                    + u_a[level_a, 2] .* x_fmid + u_a[level_a, 3] .* x_fhi;
    y ~ normal_id_glm(X_c, eta, b, sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[3, 3] cor_a = multiply_lower_tri_self_transpose(L_a);
}
