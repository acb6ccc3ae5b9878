// Reaction ~ Days + (Days || Subject)
//
// gaussian family, identity link; 180 rows, 18 levels of Subject
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   z: u by a root of its covariance matrix
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
  vector<lower=0>[2] prior_sd_Subject_scale; // 148.3, 40.02
  real<lower=0> prior_sigma_scale; // 148.3
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // Days
  vector<lower=0>[2] sd_Subject; // (Intercept), Days
  matrix[N_Subject, 2] z_Subject; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  matrix[N_Subject, 2] u_Subject = z_Subject * diag_matrix(sd_Subject)';
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Subject
  sd_Subject ~ student_t(3, 0, prior_sd_Subject_scale);
  to_vector(z_Subject) ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // Reaction
  {
    vector[N] eta = Intercept_c + u_Subject[level_Subject, 1]
                    + u_Subject[level_Subject, 2] .* X[ : , 1];
    y ~ normal_id_glm(X_c, eta, b, sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
}
